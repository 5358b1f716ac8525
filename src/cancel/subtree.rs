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

/// Cancels `root` and all below it; `None` if it was cancelled before. The caller runs the callbacks.
pub(super) fn cancel(root: &Arc<Node>, cause: Cancelled) -> Option<Callbacks> {
    let marking = root.tree.marking.lock();
    if root.is_marked() {
        drop(marking); // before `cause`, which is the user's
        return None;
    }
    let mut callbacks = Vec::new();
    let mut deadlines = Vec::new();
    // Keeps each node alive past the lock: the last reference to one drops values of the user's.
    let mut marked = vec![Arc::clone(root)];
    let mut next = 0;
    while let Some(node) = marked.get(next) {
        next += 1;
        let Some(taken) = node.mark(&cause) else { continue };
        drop(taken.sender); // wakes whoever waits for it
        callbacks.extend(taken.callbacks.into_iter().map(|key| (key, Arc::clone(node))));
        deadlines.extend(node.own_deadline().map(|own| own.key));
        marked.extend(taken.children.into_values().filter_map(|child| child.upgrade()));
    }
    drop(marking);

    timer::remove(deadlines);
    drop(marked);
    callbacks.sort_unstable_by_key(|(key, _)| *key);
    Some(Callbacks::new(callbacks, cause))
}
