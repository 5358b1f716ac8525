//! Registering a callback, and preventing it again.

use std::fmt;
use std::sync::{Arc, Weak};

use super::callbacks;
use super::cancelled::Cancelled;
use super::deadline;
use super::node::{Callback, Node};
use super::token::CancellationToken;

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

impl CancellationToken {
    /// Calls `callback` once when the token is cancelled; at once, in this thread, if it is cancelled already.
    ///
    /// It runs in the thread that cancels; for a deadline, in a thread made for the callbacks of that deadline, so that a
    /// slow one delays no other deadline (in whichever thread saw the deadline pass, if none can be made). The callbacks
    /// of all tokens that one call cancels run in the order in which they were registered. A panic in one is caught: the
    /// panic hook reports it, its payload is dropped, and the others run. A callback that holds a clone of the token keeps it alive.
    ///
    /// # Examples
    /// ```
    /// use std::sync::mpsc;
    /// use gristmill::CancellationToken;
    ///
    /// let token = CancellationToken::new();
    /// let (sender, receiver) = mpsc::channel();
    /// let registration = token.on_cancel(move |cancelled| sender.send(cancelled.to_string()).unwrap());
    /// token.cancel();
    /// assert!(receiver.try_recv().unwrap().starts_with("cancelled at "));
    /// assert!(!registration.unregister(), "it has run");
    /// ```
    pub fn on_cancel(&self, callback: impl FnOnce(&Cancelled) + Send + 'static) -> Registration {
        let callback: Callback = Box::new(callback);
        deadline::ensure_watched(&self.0);
        match self.0.register(callback) {
            Ok(key) => Registration { entry: Some((Arc::downgrade(&self.0), key)) },
            Err((callback, cause)) => {
                callbacks::run_one(callback, &cause);
                Registration { entry: None }
            }
        }
    }
}
