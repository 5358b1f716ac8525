//! Cancelling a node with all below it, so that nobody can see it half done.
//!
//! The walk marks parents before children, from an explicit list (depth costs no stack). All of it happens under the
//! tree's `marking` lock, which gives:
//! 1. Whoever loses the race for a node waits for the winner's walk, so that when any `cancel` returns, the whole
//!    subtree reads cancelled and its receivers are disconnected.
//! 2. A node found cancelled needs no visit below it: whoever cancelled it did that, or it was born so.
//!
//! A child made meanwhile waits for the walk, so as not to prolong it. One that was just being made is either listed
//! before its parent is marked, and then found by the walk, or born cancelled.
//! Reactions, and the drop of everything of the user's, wait until the lock is free.

use std::sync::Arc;

use super::cancelled::Cancelled;
use super::node::Node;
use super::reactions::Reactions;
use super::timer;

/// Cancels `root` and all below it; `None` if it was cancelled before. The caller runs the reactions.
pub(super) fn cancel(root: &Arc<Node>, cause: Cancelled) -> Option<Reactions> {
    // Out here, so that what is the user's is dropped after the lock: reactions, and the nodes that hold them. The
    // list of the walk keeps each node alive that far.
    let mut marked = vec![Arc::clone(root)];
    let mut reactions = Vec::new();
    let mut deadlines = Vec::new();
    let won = root.tree.marking(|| {
        if root.is_marked() {
            return false;
        }
        let mut next = 0;
        while let Some(node) = marked.get(next) {
            next += 1;
            let Some(taken) = node.mark(&cause) else { continue };
            drop(taken.sender); // wakes whoever waits for it
            reactions.extend(taken.reactions.into_iter().map(|key| (key, Arc::clone(node))));
            deadlines.extend(node.own_deadline().map(|own| own.key));
            marked.extend(taken.children.into_values().filter_map(|child| child.upgrade()));
        }
        true
    });
    if !won {
        return None;
    }
    timer::remove(deadlines);
    drop(marked);
    Some(Reactions::new(reactions, cause))
}
