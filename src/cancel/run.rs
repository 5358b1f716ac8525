//! Cancelling, with all that it sets off.

use std::sync::Arc;

use super::cancelled::Cancelled;
use super::node::Node;
use super::reactions::Reactions;
use super::subtree;
use crate::sync::thread;

/// Cancels `root` and all below it, and runs what that sets off in this thread; whether it was not cancelled before.
pub(super) fn cancel(root: &Arc<Node>, cause: Cancelled) -> bool {
    subtree::cancel(root, cause).map(run).is_some()
}

/// The same with what it sets off in a thread of its own; in this one if there can be none.
pub(super) fn cancel_elsewhere(root: &Arc<Node>, cause: Cancelled) {
    let Some(reactions) = subtree::cancel(root, cause).filter(|reactions| !reactions.is_empty()) else {
        return;
    };
    // A copy, because a thread that cannot be created drops what it was to own.
    let there = reactions.clone();
    let builder = thread::Builder::new().name("grist-on-cancel".to_owned());
    if builder.spawn(move || run(there)).is_err() {
        run(reactions);
    }
}

/// The callbacks of a linked token come after those of the one that it is linked to. A list, not recursion: links may follow each other.
fn run(reactions: Reactions) {
    let mut all = vec![reactions];
    let mut next = 0;
    while let Some(reactions) = all.get(next) {
        let cancel = |node: Arc<Node>| subtree::cancel(&node, reactions.cause().clone());
        let linked: Vec<_> = reactions.wake().into_iter().filter_map(cancel).collect();
        all.extend(linked);
        next += 1;
    }
    all.iter().for_each(Reactions::call);
}
