//! Running the callbacks of a cancelled subtree.

use std::sync::Arc;

use super::cancelled::Cancelled;
use super::node::{Callback, Node};
use crate::panics;
use crate::sync::thread;

/// The callbacks that a cancel found, in the order of registration; each still sits in its node.
#[derive(Clone)]
pub(super) struct Callbacks {
    entries: Vec<(u64, Arc<Node>)>,
    cause: Cancelled,
}

impl Callbacks {
    pub(super) fn new(entries: Vec<(u64, Arc<Node>)>, cause: Cancelled) -> Self {
        Self { entries, cause }
    }

    /// Runs them in this thread, those excepted whose registration has gone by then.
    pub(super) fn run(&self) {
        for (key, node) in &self.entries {
            if let Some(callback) = node.take_callback(*key) {
                run_one(callback, &self.cause);
            }
        }
    }

    /// Runs them in a thread of their own; in this one if there can be none.
    pub(super) fn run_elsewhere(self) {
        if self.entries.is_empty() {
            return;
        }
        // A copy, because a thread that cannot be created drops what it was to own.
        let there = self.clone();
        let builder = thread::Builder::new().name("grist-on-cancel".to_owned());
        if builder.spawn(move || there.run()).is_err() {
            self.run();
        }
    }
}

/// Runs a callback; its panic goes to the panic hook and no further.
pub(super) fn run_one(callback: Callback, cause: &Cancelled) {
    if let Err(panic) = panics::catch(|| "on_cancel callback", || callback(cause)) {
        // The payload is the user's too: if even its destructor panics, the second payload is left alone.
        if let Err(panic) = panics::catch(|| "on_cancel callback", || drop(panic)) {
            std::mem::forget(panic);
        }
    }
}
