//! One token of a tree: its status, its links, and what is to be told when it is cancelled.
//!
//! Invariants:
//! 1. `status` is written under the node's `state` lock (or before the node is shared) and becomes `CANCELLED`
//!    exactly once; `state.cause` is `Some` from that same critical section on, and never changes again.
//! 2. A node that is not cancelled stands in `children` of its parent from birth to drop. A cancelled node has no
//!    children listed and takes none: a child made later is born cancelled and stands nowhere.
//! 3. A child keeps its parent alive; a parent knows its children weakly. So a list entry whose node is gone is one
//!    whose whole subtree is gone.
//! 4. `deadline` is the earliest of the node and all above it, fixed at birth. `own_deadline` is there exactly if the
//!    node's own is strictly the earliest: it alone is given to the timer, and it is taken back on cancel or drop.
//! 5. `callbacks` hold what has not started. Whoever removes an entry, to run it or to drop it, owns it: that is why
//!    a callback cannot start once its registration is gone.
//!
//! Locks, in order: `Tree::marking`, then one node's `state`. The timer's lock is taken with neither held. No user
//! code (callback, destructor of a callback or of a cause) runs under any of them.

use std::convert::Infallible;
use std::panic::Location;
use std::sync::{Arc, Weak};

use super::cancelled::{CancelKind, Cancelled, Cause};
use super::ledger::Ledger;
use super::timer;
use super::tree::{self, Tree};
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use crate::sync::channel::{Receiver, Sender, bounded};
use crate::sync::time::{self, Instant};

pub(super) type Callback = Box<dyn FnOnce(&Cancelled) + Send>;

const LIVE: u8 = 0;
const CANCELLED: u8 = 1;
/// Live, with a deadline that no thread watches because none could be created: polls read the clock.
const UNWATCHED: u8 = 2;

/// The key of a node that stands in no list.
const UNLISTED: u64 = u64::MAX;

pub(super) struct Node {
    status: AtomicU8,
    /// In the parent's `children`; written under the parent's `state` lock, read by this node's drop.
    key: AtomicU64,
    pub(super) tree: Arc<Tree>,
    parent: Option<Arc<Node>>,
    deadline: Option<Instant>,
    own_deadline: Option<OwnDeadline>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    cause: Option<Cancelled>,
    children: Ledger<Weak<Node>>,
    next_child: u64,
    callbacks: Ledger<Callback>,
    signal: Option<Box<Signal>>,
}

/// The channel behind `cancelled()`; nothing is ever sent, the sender's drop is the message.
struct Signal {
    sender: Option<Sender<Infallible>>,
    receiver: Receiver<Infallible>,
}

struct OwnDeadline {
    key: timer::Key,
    exceeded: Cancelled,
}

/// A deadline asked for, not yet compared with those above.
pub(super) struct Requested {
    pub(super) at: Instant,
    pub(super) cause: Option<Cause>,
    pub(super) location: &'static Location<'static>,
}

/// What marking one node takes out of it.
pub(super) struct Marked {
    pub(super) children: Ledger<Weak<Node>>,
    pub(super) callbacks: Vec<u64>,
    pub(super) sender: Option<Sender<Infallible>>,
}

impl Node {
    pub(super) fn root(requested: Option<Requested>) -> Arc<Self> {
        let node = Arc::new(Self::new(Arc::default(), None, None, requested));
        match &node.own_deadline {
            Some(own) if own.key.at() <= time::now() => node.born_cancelled(own.exceeded.clone()),
            Some(_) => node.watch(),
            None => {}
        }
        node
    }

    pub(super) fn child(self: &Arc<Self>, requested: Option<Requested>) -> Arc<Self> {
        let expired = requested.as_ref().is_some_and(|requested| requested.at <= time::now());
        if expired {
            self.expire(); // one above may be earlier still, and the timer late: then its cause is the first
        }
        let node = Arc::new(Self::new(self.tree.clone(), Some(self.clone()), self.deadline, requested));
        let mut state = self.state.lock();
        let born = match (&state.cause, &node.own_deadline) {
            (Some(cause), _) => Some(cause.clone()),
            (None, Some(own)) if expired => Some(own.exceeded.clone()),
            _ => None,
        };
        if let Some(cause) = born {
            drop(state);
            node.born_cancelled(cause);
            return node;
        }
        let key = state.next_child;
        state.next_child += 1;
        state.children.push(key, Arc::downgrade(&node));
        node.key.store(key, Ordering::Relaxed);
        // Relaxed: `self.state` is held. The child's own lock is not needed for invariant 1: the walk that could
        // mark it has to take the list from under the lock that is held here.
        node.status.store(self.status.load(Ordering::Relaxed), Ordering::Relaxed);
        drop(state);
        node.watch();
        node
    }

    fn new(
        tree: Arc<Tree>,
        parent: Option<Arc<Node>>,
        inherited: Option<Instant>,
        requested: Option<Requested>,
    ) -> Self {
        let own_deadline = requested
            .filter(|requested| inherited.is_none_or(|earlier| requested.at < earlier))
            .map(|Requested { at, cause, location }| OwnDeadline {
                key: timer::Key::new(at),
                exceeded: Cancelled::new(CancelKind::DeadlineExceeded, cause, location),
            });
        Self {
            status: AtomicU8::new(LIVE),
            key: AtomicU64::new(UNLISTED),
            tree,
            parent,
            deadline: own_deadline.as_ref().map(|own| own.key.at()).or(inherited),
            own_deadline,
            state: Mutex::new(State::default()),
        }
    }

    fn born_cancelled(&self, cause: Cancelled) {
        self.state.lock().cause = Some(cause);
        self.status.store(CANCELLED, Ordering::Release);
    }

    /// Gives the own deadline to the timer.
    fn watch(self: &Arc<Self>) {
        let Some(own) = &self.own_deadline else { return };
        if !timer::insert(own.key, Arc::downgrade(self)) {
            let _state = self.state.lock();
            if self.status.load(Ordering::Relaxed) == LIVE {
                self.status.store(UNWATCHED, Ordering::Relaxed);
            }
        }
        // A canceller marks first and takes the deadline back after. If it came before the insertion above, the
        // timer's lock makes its mark visible here; if it came later, it found the entry itself.
        if self.is_marked() {
            timer::remove([own.key]);
        }
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    pub(super) fn own_key(&self) -> Option<timer::Key> {
        self.own_deadline.as_ref().map(|own| own.key)
    }

    /// The status alone, without a look at the clock.
    ///
    /// Acquire: pairs with the Release in `mark` and `born_cancelled`, so whoever sees the mark sees what the
    /// canceller wrote before.
    #[inline]
    pub(super) fn is_marked(&self) -> bool {
        self.status.load(Ordering::Acquire) == CANCELLED
    }

    /// One load of `status` (Acquire, as in `is_marked`); the clock only for a deadline that nobody watches.
    #[inline]
    pub(super) fn is_cancelled(self: &Arc<Self>) -> bool {
        match self.status.load(Ordering::Acquire) {
            LIVE => false,
            CANCELLED => true,
            _ => self.expire(),
        }
    }

    /// Where no thread watches the deadline, tries once more to start it.
    pub(super) fn ensure_watched(&self) {
        if self.status.load(Ordering::Relaxed) == UNWATCHED {
            timer::retry();
        }
    }

    pub(super) fn cause(&self) -> Option<Cancelled> {
        self.state.lock().cause.clone()
    }

    /// Cancels by the effective deadline if it has passed; says whether the node is cancelled.
    #[cold]
    pub(super) fn expire(self: &Arc<Self>) -> bool {
        let now = time::now();
        if self.deadline.is_some_and(|at| at <= now) {
            // Invariant 4: the nearest node with a deadline of its own is the owner of the effective one.
            let mut owner = self;
            while let (None, Some(parent)) = (&owner.own_deadline, &owner.parent) {
                owner = parent;
            }
            owner.fire();
        }
        self.is_marked()
    }

    /// Cancels by the own deadline, with the callbacks on a thread of their own: whoever found the deadline passed
    /// (the timer, a waiter, a poll) must not be held up by them.
    pub(super) fn fire(self: &Arc<Self>) {
        let Some(own) = &self.own_deadline else { return };
        if let Some(callbacks) = tree::cancel(self, own.exceeded.clone()) {
            callbacks.run_elsewhere();
        }
    }

    /// Marks this node alone; `None` if it was cancelled before. The caller holds `tree.marking`.
    pub(super) fn mark(&self, cause: &Cancelled) -> Option<Marked> {
        let mut state = self.state.lock();
        if state.cause.is_some() {
            return None;
        }
        state.cause = Some(cause.clone());
        self.status.store(CANCELLED, Ordering::Release); // pairs with the Acquire loads of `status`
        Some(Marked {
            children: std::mem::take(&mut state.children),
            callbacks: state.callbacks.keys().collect(),
            sender: state.signal.as_mut().and_then(|signal| signal.sender.take()),
        })
    }

    /// Keeps the callback until cancel and returns its key; if that has happened, hands it back with the cause.
    pub(super) fn register(&self, callback: Callback) -> Result<u64, (Callback, Cancelled)> {
        let mut state = self.state.lock();
        if let Some(cause) = state.cause.clone() {
            return Err((callback, cause));
        }
        let key = self.tree.next_callback();
        state.callbacks.push(key, callback);
        Ok(key)
    }

    /// Takes a callback that has not started (invariant 5).
    pub(super) fn take_callback(&self, key: u64) -> Option<Callback> {
        self.state.lock().callbacks.remove(key)
    }

    pub(super) fn receiver(&self) -> Receiver<Infallible> {
        let mut state = self.state.lock();
        let cancelled = state.cause.is_some();
        let signal = state.signal.get_or_insert_with(|| {
            let (sender, receiver) = bounded(1);
            Box::new(Signal { sender: (!cancelled).then_some(sender), receiver })
        });
        signal.receiver.clone()
    }

    fn take_link(&mut self) -> Option<(Arc<Node>, u64)> {
        let key = self.key.load(Ordering::Relaxed);
        self.parent.take().map(|parent| (parent, key))
    }
}

impl Drop for Node {
    // A loop, not recursion: the last token of a chain takes the whole chain with it.
    fn drop(&mut self) {
        if let (Some(own), false) = (&self.own_deadline, self.is_marked()) {
            timer::remove([own.key]); // of a marked node the canceller takes it back, and keeps the node until then
        }
        let mut link = self.take_link();
        while let Some((parent, key)) = link {
            if key != UNLISTED {
                let entry = parent.state.lock().children.remove(key);
                drop(entry);
            }
            link = Arc::into_inner(parent).and_then(|mut parent| parent.take_link());
        }
    }
}
