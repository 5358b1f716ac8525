//! Running the callbacks of a cancelled subtree, and the registration that can prevent one.

use std::fmt;
use std::sync::{Arc, Weak};

use super::cancelled::Cancelled;
use super::node::{Callback, Node};
use crate::panics;
use crate::sync::thread;

/// The callbacks that a cancel found, in the order of registration; each still sits in its node.
pub(super) struct Callbacks {
    // Shared, because a thread that cannot be created drops what it was to own.
    entries: Arc<[(u64, Arc<Node>)]>,
    cause: Cancelled,
}

impl Callbacks {
    pub(super) fn new(entries: Vec<(u64, Arc<Node>)>, cause: Cancelled) -> Self {
        Self { entries: entries.into(), cause }
    }

    /// Runs them in this thread, those excepted whose registration has gone by then.
    pub(super) fn run(&self) {
        for (key, node) in self.entries.iter() {
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
        let there = Self { entries: self.entries.clone(), cause: self.cause.clone() };
        let name = "gristmill-on-cancel".to_owned();
        if thread::Builder::new().name(name).spawn(move || there.run()).is_err() {
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

/// Keeps a callback registered; dropping it unregisters.
///
/// It does not keep the token alive: with the last handle of the token its callbacks are dropped, unrun.
///
/// # Examples
/// ```
/// use gristmill::CancellationToken;
///
/// let token = CancellationToken::new();
/// let registration = token.on_cancel(|_| unreachable!("unregistered before"));
/// assert!(registration.unregister(), "it had not started, and never will");
/// token.cancel();
/// ```
#[must_use = "dropping it unregisters the callback; call `detach` to leave it registered"]
pub struct Registration {
    entry: Option<(Weak<Node>, u64)>,
}

impl Registration {
    pub(super) fn new(node: &Arc<Node>, key: u64) -> Self {
        Self { entry: Some((Arc::downgrade(node), key)) }
    }

    /// Of a callback that ran at once.
    pub(super) fn spent() -> Self {
        Self { entry: None }
    }

    /// Unregisters the callback and says whether that prevented it from running.
    ///
    /// `true`: it has not started and never will; what it captured is dropped. `false`: it has started, in this
    /// thread or another, and may still be running (this does not wait for it, so that a callback may drop its own
    /// registration); or the token went away uncancelled, and the callback with it. Dropping the registration does the same.
    pub fn unregister(mut self) -> bool {
        self.take_callback().is_some()
    }

    /// Leaves the callback registered for as long as the token lives.
    pub fn detach(mut self) {
        self.entry = None;
    }

    // Handed out, so that what the callback captured is dropped with no lock held.
    fn take_callback(&mut self) -> Option<Callback> {
        let (node, key) = self.entry.take()?;
        node.upgrade()?.take_callback(key)
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        let callback = self.take_callback();
        drop(callback);
    }
}

impl fmt::Debug for Registration {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Registration").finish_non_exhaustive()
    }
}
