//! Deadlines of tokens: which one counts, who watches it, and what a poll does when nobody can.
//!
//! Normally the timer's helper thread cancels a token at its time and nobody else looks at the clock. Two others may
//! be first: a wait that has slept to the deadline, and, where the helper could not be started, a poll.

use std::panic::Location;
use std::sync::{Arc, Weak};

use super::cancelled::{CancelKind, Cancelled, Cause};
use super::node::{Node, OwnDeadline, Status};
use super::{run, timer};
use crate::sync::time::{self, Instant};

/// A deadline asked for, not yet compared with those above.
pub(super) struct Requested {
    pub(super) at: Instant,
    pub(super) cause: Option<Cause>,
    pub(super) location: &'static Location<'static>,
}

impl Requested {
    fn own(self) -> OwnDeadline {
        let exceeded = Cancelled::new(CancelKind::DeadlineExceeded, self.cause, self.location);
        OwnDeadline { key: timer::Key::new(self.at), exceeded }
    }
}

pub(super) fn root(requested: Option<Requested>) -> Arc<Node> {
    let node = Node::new(None, requested.map(Requested::own));
    if let Some(own) = node.own_deadline() {
        if own.key.at() <= time::now() {
            node.set_cancelled(own.exceeded.clone());
        } else {
            watch(&node, own);
        }
    }
    node
}

#[cfg(all(test, not(any(gristmill_shuttle, gristmill_loom))))]
pub(super) fn unwatched(requested: Requested) -> Arc<Node> {
    let node = Node::new(None, Some(requested.own()));
    node.set_unwatched();
    node
}

pub(super) fn child(parent: &Arc<Node>, requested: Option<Requested>) -> Arc<Node> {
    let expired = requested.as_ref().is_some_and(|requested| requested.at <= time::now());
    if expired {
        expire(parent); // its deadline may be earlier still, and the helper late: then its record is the first
    }
    let earlier = requested.filter(|requested| parent.deadline().is_none_or(|above| requested.at < above));
    below(parent, earlier.map(Requested::own), expired)
}

/// A child that has the deadline of `other` as well, with its record, if nobody watches that: whoever polls or waits for the child hears of it
/// then.
pub(super) fn child_within(parent: &Arc<Node>, other: &Arc<Node>) -> Arc<Node> {
    let unwatched = if other.status() == Status::Unwatched { owner(other).own_deadline() } else { None };
    let earlier = unwatched.filter(|own| parent.deadline().is_none_or(|above| own.key.at() < above));
    let own =
        |of: &OwnDeadline| OwnDeadline { key: timer::Key::new(of.key.at()), exceeded: of.exceeded.clone() };
    below(parent, earlier.map(own), false)
}

/// `own` is earlier than the deadline of the parent; `expired`: it has passed.
fn below(parent: &Arc<Node>, own: Option<OwnDeadline>, expired: bool) -> Arc<Node> {
    let node = Node::new(Some(Arc::clone(parent)), own);
    if parent.adopt(&node) {
        if let Some(own) = node.own_deadline() {
            if expired {
                fire(&node);
            } else {
                watch(&node, own);
            }
        }
    }
    node
}

/// Gives the node's own deadline to the timer.
fn watch(node: &Arc<Node>, own: &OwnDeadline) {
    let weak: Weak<Node> = Arc::downgrade(node);
    if !timer::insert(own.key, weak) {
        node.set_unwatched();
    }
    // A canceller marks first and takes the deadline back after. If it came before the insertion above, the timer's
    // lock makes its mark visible here; if it came later, it found the entry itself.
    if node.is_marked() {
        timer::remove([own.key]);
    }
}

/// One load of the status; the clock only for a deadline that nobody watches.
#[inline]
pub(super) fn is_cancelled(node: &Arc<Node>) -> bool {
    match node.status() {
        Status::Live => false,
        Status::Cancelled => true,
        Status::Unwatched => expire(node),
    }
}

/// Where no thread watches the deadline, tries once more to start one.
pub(super) fn ensure_watched(node: &Arc<Node>) {
    if node.status() == Status::Unwatched && !expire(node) {
        timer::retry();
    }
}

/// Cancels by the effective deadline if it has passed; says whether the node is cancelled.
#[cold]
pub(super) fn expire(node: &Arc<Node>) -> bool {
    if node.deadline().is_some_and(|at| at <= time::now()) {
        fire(owner(node));
    }
    node.is_marked()
}

/// The nearest node with a deadline of its own is the owner of the effective one: those above are later.
fn owner(node: &Arc<Node>) -> &Arc<Node> {
    let mut owner = node;
    while let (None, Some(parent)) = (owner.own_deadline(), owner.parent()) {
        owner = parent;
    }
    owner
}

/// Cancels by the node's own deadline, with the callbacks on a thread of their own: whoever found the deadline passed
/// (the helper, a wait, a poll) must not be held up by them.
fn fire(node: &Arc<Node>) {
    if let Some(own) = node.own_deadline() {
        run::cancel_elsewhere(node, own.exceeded.clone());
    }
}

impl timer::Due for Node {
    fn due(self: Arc<Self>) {
        fire(&self);
    }
}
