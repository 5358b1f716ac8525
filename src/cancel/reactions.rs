//! What a cancel sets off, in which order.
//!
//! First all that wakes the waits of this crate, and what is linked is cancelled; then the callbacks of the user. Such a callback may wait for something
//! that only ends once another wait has seen the cancel, as one that shuts a pool down does: one after the other, as they were registered, it would
//! wait for ever.

use std::sync::Arc;

use super::cancelled::Cancelled;
use super::node::{Callback, Node, Reaction, ReactionKey};
use crate::panics;

/// The reactions that a cancel found; each still sits in its node.
#[derive(Clone)]
pub(super) struct Reactions {
    /// In the order of registration.
    entries: Vec<(ReactionKey, Arc<Node>)>,
    cause: Cancelled,
}

impl Reactions {
    pub(super) fn new(mut entries: Vec<(ReactionKey, Arc<Node>)>, cause: Cancelled) -> Self {
        entries.sort_unstable_by_key(|(key, _)| key.order());
        Self { entries, cause }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(super) fn cause(&self) -> &Cancelled {
        &self.cause
    }

    /// Wakes who waits. What is linked is for the caller to cancel.
    pub(super) fn wake(&self) -> Vec<Arc<Node>> {
        let mut linked = Vec::new();
        for reaction in self.take(false) {
            match reaction {
                Reaction::Cancels(node) => linked.push(node),
                Reaction::Wakes(wake) | Reaction::Calls(wake) => wake(&self.cause),
            }
        }
        linked
    }

    /// Calls the callbacks of the user, those excepted whose registration has gone by then.
    pub(super) fn call(&self) {
        for reaction in self.take(true) {
            if let Reaction::Calls(callback) = reaction {
                call(callback, &self.cause);
            }
        }
    }

    /// One after the other, each when it is asked for.
    fn take(&self, users: bool) -> impl Iterator<Item = Reaction> + '_ {
        let wanted = self.entries.iter().filter(move |(key, _)| key.is_users() == users);
        wanted.filter_map(|(key, node)| node.take_reaction(*key))
    }
}

/// Calls a callback; its panic goes to the panic hook and no further.
pub(super) fn call(callback: Callback, cause: &Cancelled) {
    let _ = panics::catch(|| "on_cancel callback", || callback(cause));
}
