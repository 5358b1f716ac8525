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
//! 5. `reactions` hold what has not started. Whoever removes an entry, to run it or to drop it, owns it: that is why
//!    a callback cannot start once its registration is gone.
//!
//! Locks, in order: `Tree::marking`, then one node's `state`. The timer's lock is taken with neither held. No user
//! code (callback, destructor of a callback or of a cause) runs under any of them.

use std::convert::Infallible;
use std::sync::{Arc, Weak};

use super::cancelled::Cancelled;
use super::ledger::Ledger;
use super::timer;
use crate::panics;
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use crate::sync::channel::{Receiver, Sender, bounded};
use crate::sync::time::Instant;

pub(super) type Callback = Box<dyn FnOnce(&Cancelled) + Send>;

/// What a cancel sets off.
pub(super) enum Reaction {
    /// Wakes whoever waits in this crate: no code of the user's, and nothing that waits.
    Wakes(Callback),
    /// Cancels a token of another tree, with the same record.
    Cancels(Arc<Node>),
    /// The user's, which may take its time.
    Calls(Callback),
}

/// The key of a reaction: the lowest bit says whether it is the user's, and the others give the order of registration.
#[derive(Clone, Copy)]
pub(super) struct ReactionKey(u64);

impl ReactionKey {
    pub(super) fn is_users(self) -> bool {
        self.0 & 1 == 1
    }

    pub(super) fn order(self) -> u64 {
        self.0
    }
}

const LIVE: u8 = 0;
const CANCELLED: u8 = 1;
/// Live, with a deadline that no thread watches because none could be created: polls read the clock.
const UNWATCHED: u8 = 2;

/// The key of a node that stands in no list.
const UNLISTED: u64 = u64::MAX;

/// What all nodes of one tree share.
#[derive(Default)]
pub(super) struct Tree {
    marking: Mutex<()>,
    is_marking: AtomicBool,
    next_reaction: AtomicU64,
}

impl Tree {
    /// Runs `mark` as the only walk in this tree.
    pub(super) fn marking<R>(&self, mark: impl FnOnce() -> R) -> R {
        let _marking = self.marking.lock();
        self.is_marking.store(true, Ordering::Relaxed);
        let answer = mark();
        self.is_marking.store(false, Ordering::Relaxed);
        answer
    }

    /// Waits for a walk in progress.
    ///
    /// Threads that make child below child faster than the walk marks would keep it going for ever. So a new child
    /// waits for it, and each thread adds at most the one that it was about to add. Relaxed: only the speed of the
    /// walk depends on it.
    fn wait_for_marking(&self) {
        if self.is_marking.load(Ordering::Relaxed) {
            drop(self.marking.lock());
        }
    }
}

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

/// A deadline that no node above undercuts.
pub(super) struct OwnDeadline {
    pub(super) key: timer::Key,
    pub(super) exceeded: Cancelled,
}

#[derive(Default)]
struct State {
    cause: Option<Cancelled>,
    children: Ledger<Weak<Node>>,
    next_child: u64,
    reactions: Ledger<Reaction>,
    signal: Option<Box<Signal>>,
}

/// The channel behind `cancelled()`; nothing is ever sent, the sender's drop is the message.
struct Signal {
    sender: Option<Sender<Infallible>>,
    receiver: Receiver<Infallible>,
}

/// What marking one node takes out of it.
pub(super) struct Marked {
    pub(super) children: Ledger<Weak<Node>>,
    pub(super) reactions: Vec<ReactionKey>,
    pub(super) sender: Option<Sender<Infallible>>,
}

/// What the status says, without a look at the clock.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    Live,
    Cancelled,
    Unwatched,
}

impl Node {
    /// A live node that is not listed yet; `own_deadline` is earlier than that of the parent.
    pub(super) fn new(parent: Option<Arc<Node>>, own_deadline: Option<OwnDeadline>) -> Arc<Self> {
        let inherited = parent.as_ref().and_then(|parent| parent.deadline);
        Arc::new(Self {
            status: AtomicU8::new(LIVE),
            key: AtomicU64::new(UNLISTED),
            tree: parent.as_ref().map_or_else(Arc::default, |parent| Arc::clone(&parent.tree)),
            parent,
            deadline: own_deadline.as_ref().map(|own| own.key.at()).or(inherited),
            own_deadline,
            state: Mutex::new(State::default()),
        })
    }

    /// Lists a new child; `false` if this node is cancelled, and the child with it.
    pub(super) fn adopt(&self, child: &Arc<Node>) -> bool {
        self.tree.wait_for_marking();
        let mut state = self.state.lock();
        if let Some(cause) = state.cause.clone() {
            drop(state);
            child.set_cancelled(cause);
            return false;
        }
        let key = state.next_child;
        state.next_child += 1;
        state.children.push(key, Arc::downgrade(child));
        // Relaxed, both: read by whoever finds the child through this list, or is handed it, hence after this lock.
        child.key.store(key, Ordering::Relaxed);
        child.status.store(self.status.load(Ordering::Relaxed), Ordering::Relaxed);
        true
    }

    /// Cancels a node that nobody else has seen yet.
    pub(super) fn set_cancelled(&self, cause: Cancelled) {
        self.state.lock().cause = Some(cause);
        self.status.store(CANCELLED, Ordering::Release);
    }

    /// Notes that no thread watches the deadline.
    pub(super) fn set_unwatched(&self) {
        let _state = self.state.lock();
        if self.status.load(Ordering::Relaxed) == LIVE {
            self.status.store(UNWATCHED, Ordering::Relaxed); // only asks polls to look at the clock: carries nothing
        }
    }

    /// Acquire: pairs with the Release in `mark` and `set_cancelled`, so that whoever sees the mark sees what the
    /// canceller wrote before.
    #[inline]
    pub(super) fn status(&self) -> Status {
        match self.status.load(Ordering::Acquire) {
            LIVE => Status::Live,
            CANCELLED => Status::Cancelled,
            _ => Status::Unwatched,
        }
    }

    pub(super) fn is_marked(&self) -> bool {
        self.status() == Status::Cancelled
    }

    pub(super) fn cause(&self) -> Option<Cancelled> {
        self.state.lock().cause.clone()
    }

    pub(super) fn parent(&self) -> Option<&Arc<Node>> {
        self.parent.as_ref()
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    pub(super) fn own_deadline(&self) -> Option<&OwnDeadline> {
        self.own_deadline.as_ref()
    }

    /// Marks this node alone; `None` if it was cancelled before. Called from within `Tree::marking`.
    pub(super) fn mark(&self, cause: &Cancelled) -> Option<Marked> {
        let mut state = self.state.lock();
        if state.cause.is_some() {
            return None;
        }
        state.cause = Some(cause.clone());
        self.status.store(CANCELLED, Ordering::Release); // pairs with the Acquire in `status`
        Some(Marked {
            children: std::mem::take(&mut state.children),
            reactions: state.reactions.keys().map(ReactionKey).collect(),
            sender: state.signal.as_mut().and_then(|signal| signal.sender.take()),
        })
    }

    /// Keeps the reaction until cancel and returns its key; if that has happened, hands it back with the cause.
    pub(super) fn register(&self, reaction: Reaction) -> Result<ReactionKey, (Reaction, Cancelled)> {
        let mut state = self.state.lock();
        if let Some(cause) = state.cause.clone() {
            return Err((reaction, cause));
        }
        // Relaxed: registrations that the program orders read one variable in that order, and it carries nothing else.
        // Under the lock, so that the keys of one node ascend.
        let number = self.tree.next_reaction.fetch_add(1, Ordering::Relaxed);
        let key = number << 1 | u64::from(matches!(reaction, Reaction::Calls(_)));
        state.reactions.push(key, reaction);
        Ok(ReactionKey(key))
    }

    /// Takes a reaction that has not started (invariant 5).
    pub(super) fn take_reaction(&self, key: ReactionKey) -> Option<Reaction> {
        self.state.lock().reactions.remove(key.0)
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
        let key = self.key.load(Ordering::Relaxed); // written before this node was handed out
        self.parent.take().map(|parent| (parent, key))
    }
}

/// One by one: what they have captured is the user's, and where two destructors panic the process would end.
#[cold]
fn drop_quietly(reactions: &mut Ledger<Reaction>) {
    panics::drop_each_quietly(std::mem::take(reactions).into_values());
}

impl Drop for Node {
    // A loop, not recursion: the last token of a chain takes the whole chain with it.
    fn drop(&mut self) {
        let reactions = &mut self.state.get_mut().reactions;
        if !reactions.is_empty() {
            drop_quietly(reactions);
        }
        if let (Some(own), false) = (&self.own_deadline, self.is_marked()) {
            timer::remove([own.key]); // of a marked node the canceller takes it back, and keeps the node until then
        }
        let mut link = self.take_link();
        while let Some((parent, key)) = link {
            if key != UNLISTED {
                parent.state.lock().children.remove(key);
            }
            link = Arc::into_inner(parent).and_then(|mut parent| parent.take_link());
        }
    }
}
