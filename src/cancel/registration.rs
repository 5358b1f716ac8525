//! Registering a callback, and preventing it again.

use std::fmt;
use std::sync::{Arc, Weak};

use super::cancelled::Cancelled;
use super::deadline;
use super::node::{Node, Reaction, ReactionKey};
use super::reactions;
use super::run;
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
    entry: Option<(Weak<Node>, ReactionKey)>,
}

impl Registration {
    /// Unregisters the callback and says whether that prevented it from running.
    ///
    /// `true`: it has not started and never will; what it captured is dropped. `false`: it has started, in this
    /// thread or another, and may still be running (this does not wait for it, so that a callback may drop its own
    /// registration); or the token went away uncancelled, and the callback with it. Dropping the registration does the same.
    ///
    /// ```
    /// use gristmill::CancellationToken;
    ///
    /// let token = CancellationToken::new();
    /// let registration = token.on_cancel(|_| unreachable!("it was unregistered"));
    /// assert!(registration.unregister());
    /// token.cancel();
    /// ```
    pub fn unregister(mut self) -> bool {
        self.take_reaction().is_some()
    }

    /// Leaves the callback registered for as long as the token lives.
    ///
    /// ```
    /// use gristmill::CancellationToken;
    ///
    /// let (tell, told) = std::sync::mpsc::channel();
    /// let token = CancellationToken::new();
    /// token.on_cancel(move |cancelled| tell.send(cancelled.kind()).unwrap()).detach();
    /// token.cancel();
    /// assert!(told.try_recv().is_ok());
    /// ```
    pub fn detach(mut self) {
        self.entry = None;
    }

    // Handed out, so that what the callback captured is dropped with no lock held.
    fn take_reaction(&mut self) -> Option<Reaction> {
        let (node, key) = self.entry.take()?;
        node.upgrade()?.take_reaction(key)
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        let reaction = self.take_reaction();
        drop(reaction);
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
    /// Before the first of them runs, all that waits in this crate under those tokens has been woken, and the tokens of tasks and groups that they end
    /// are cancelled. So a callback may wait for work that ends by the token: it may shut a pool down. While one runs, those after it wait.
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
        self.react(Reaction::Calls(Box::new(callback)))
    }

    /// Wakes a wait of this crate when the token is cancelled, before any callback of the user is called; at once if it is cancelled already.
    ///
    /// `wake` runs no code of the user's and waits for nothing but short locks.
    pub(crate) fn wake_on_cancel(&self, wake: impl FnOnce() + Send + 'static) -> Registration {
        self.react(Reaction::Wakes(Box::new(move |_| wake())))
    }

    /// Cancels `other`, with the same record, when this one is cancelled, before any callback is called; at once if it is already.
    pub(crate) fn cancel_too(&self, other: &Self) -> Registration {
        self.react(Reaction::Cancels(Arc::clone(&other.0)))
    }

    /// A child of this one that is cancelled with `other` as well. If nobody watches the deadline of `other`, the child has it too: nothing else
    /// would tell it.
    pub(crate) fn child_of_both(&self, other: &Self) -> (Self, Registration) {
        let child = Self(deadline::child_within(&self.0, &other.0));
        let registration = other.cancel_too(&child);
        (child, registration)
    }

    fn react(&self, reaction: Reaction) -> Registration {
        deadline::ensure_watched(&self.0);
        let (reaction, cause) = match self.0.register(reaction) {
            Ok(key) => return Registration { entry: Some((Arc::downgrade(&self.0), key)) },
            Err(late) => late,
        };
        match reaction {
            Reaction::Calls(callback) | Reaction::Wakes(callback) => reactions::call(callback, &cause),
            Reaction::Cancels(node) => _ = run::cancel(&node, cause),
        }
        Registration { entry: None }
    }
}

#[cfg(all(test, not(any(gristmill_shuttle, gristmill_loom))))]
mod tests {
    use super::*;
    use crate::sync::time::Duration;

    #[test]
    fn deadline_that_nobody_watches_is_that_of_a_child_of_both_too() {
        let (given, stop) =
            (CancellationToken::new(), CancellationToken::unwatched(Duration::from_millis(1)));
        let (child, _link) = given.child_of_both(&stop.child());
        let cancelled = child.wait();
        assert_eq!(cancelled.location(), stop.wait().location(), "one record");
        assert!(!given.is_cancelled());
    }

    #[test]
    fn child_of_both_keeps_the_earlier_deadline_and_hears_of_either() {
        let hours = |number: u64| CancellationToken::unwatched(Duration::from_secs(number * 3600));
        for (first, second) in [(1, 2), (2, 1)] {
            let (given, stop) = (hours(first), hours(second));
            let earlier = given.deadline().min(stop.deadline());
            let (above, _above) = given.child_of_both(&stop);
            let (beside, _beside) = given.child_of_both(&stop);
            assert_eq!([above.deadline(), beside.deadline()], [earlier; 2]);
            assert!(!above.is_cancelled() && !beside.is_cancelled());
            above.cancel();
            assert!(!beside.is_cancelled());
            stop.cancel();
            assert!(beside.is_cancelled() && !given.is_cancelled());
        }
    }
}
