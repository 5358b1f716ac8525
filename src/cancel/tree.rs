//! Cancelling a node with all below it, so that nobody can see it half done.
//!
//! The walk marks parents before children, from an explicit list (depth costs no stack). All of it happens under the
//! tree's `marking` lock, which gives:
//! 1. Whoever loses the race for a node waits for the winner's walk, so that when any `cancel` returns, the whole
//!    subtree reads cancelled and its receivers are disconnected.
//! 2. A node found cancelled needs no visit below it: whoever cancelled it did that, or it was born so.
//!
//! A child made meanwhile is either listed before its parent is marked, and then found by the walk, or born cancelled.
//! Callbacks, and the drop of everything of the user's, wait until the lock is free.

use std::sync::Arc;

use super::callbacks::Callbacks;
use super::cancelled::Cancelled;
use super::node::Node;
use super::timer;
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicU64, Ordering};

/// What all nodes of one tree share.
#[derive(Default)]
pub(super) struct Tree {
    marking: Mutex<()>,
    callbacks: AtomicU64,
}

impl Tree {
    /// A number that orders the callbacks of the whole tree by registration.
    ///
    /// Relaxed: the counter carries nothing else, and two registrations that are ordered by the program read it in
    /// that order because it is one variable.
    pub(super) fn next_callback(&self) -> u64 {
        self.callbacks.fetch_add(1, Ordering::Relaxed)
    }
}

/// Cancels `root` and all below it; `None` if it was cancelled before. The caller runs the callbacks.
pub(super) fn cancel(root: &Arc<Node>, cause: Cancelled) -> Option<Callbacks> {
    // Declared before the guard: what is dropped with these may be the user's, and must go after the lock.
    let mut marked = Vec::new();
    let mut callbacks = Vec::new();
    let mut deadlines = Vec::new();

    let marking = root.tree.marking.lock();
    if root.is_marked() {
        drop(marking);
        return None;
    }
    marked.push(root.clone());
    let mut next = 0;
    while let Some(node) = marked.get(next).cloned() {
        next += 1;
        if let Some(taken) = node.mark(&cause) {
            drop(taken.sender); // wakes whoever waits for it
            callbacks.extend(taken.callbacks.into_iter().map(|key| (key, node.clone())));
            deadlines.extend(node.own_key());
            marked.extend(taken.children.into_values().filter_map(|child| child.upgrade()));
        }
    }
    drop(marking);

    timer::remove(deadlines);
    drop(marked);
    callbacks.sort_unstable_by_key(|(key, _)| *key);
    Some(Callbacks::new(callbacks, cause))
}
