//! Waiting for a cancel, and sleeping until one.

use super::cancelled::Cancelled;
use super::deadline;
use super::node::Status;
use super::registration::Registration;
use super::token::CancellationToken;
use crate::sync::thread;
use crate::sync::time::{self, Duration, Instant};

impl CancellationToken {
    /// Waits until the token is cancelled.
    ///
    /// A deadline ends it on time even if the helper thread is late. Without a deadline and with nobody to cancel, it
    /// waits for ever.
    pub fn wait(&self) -> Cancelled {
        loop {
            if let Some(cancelled) = self.wait_until(None) {
                return cancelled;
            }
        }
    }

    /// Waits until the token is cancelled, or for `timeout`, after which it answers `None`.
    ///
    /// Zero asks once. A timeout too long for the clock, such as [`Duration::MAX`], is no limit.
    pub fn wait_timeout(&self, timeout: Duration) -> Option<Cancelled> {
        self.wait_until(time::now().checked_add(timeout))
    }

    /// Sleeps for `duration`, or until the token is cancelled.
    ///
    /// # Errors
    /// The token was cancelled before the time was over (or before the call, even for zero): its record.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use gristmill::CancellationToken;
    ///
    /// let token = CancellationToken::new();
    /// assert!(token.sleep(Duration::from_millis(1)).is_ok());
    /// std::thread::scope(|scope| {
    ///     let sleeper = scope.spawn(|| token.sleep(Duration::MAX));
    ///     token.cancel();
    ///     assert!(sleeper.join().unwrap().is_err());
    /// });
    /// ```
    pub fn sleep(&self, duration: Duration) -> Result<(), Cancelled> {
        self.wait_timeout(duration).map_or(Ok(()), Err)
    }

    /// Has the calling thread unparked when the token is cancelled: for waits that park. With [`wake_at`](Self::wake_at).
    pub(crate) fn unpark_me(&self) -> Registration {
        let me = thread::current();
        self.wake_on_cancel(move || me.unpark())
    }

    /// When one who parks until the token is cancelled has to look by itself: at the deadline, in case that no thread could be had to watch
    /// it. `None` once it has passed: then the token reads cancelled, or whoever watches it is about to unpark. If nobody does, it is cancelled here, and the
    /// instant that has passed is the answer: he looks again at once, since a callback may have waited in this thread and taken the unpark. Not for
    /// use under a lock.
    pub(crate) fn wake_at(&self) -> Option<Instant> {
        let at = self.deadline()?;
        let is_ahead = at > time::now();
        (is_ahead || self.0.status() == Status::Unwatched && deadline::expire(&self.0)).then_some(at)
    }

    /// The record, if the token has been seen to be cancelled, without a look at a deadline that nobody watches: for who asks under a lock that a
    /// wake-up takes. Before taking it, and after asking [`wake_at`](Self::wake_at), he asks [`is_cancelled`](Self::is_cancelled), which has that look.
    pub(crate) fn seen_cause(&self) -> Option<Cancelled> {
        if self.0.is_marked() { self.0.cause() } else { None }
    }

    /// The deadline, if nobody watches it and the token has not been seen to be cancelled.
    pub(crate) fn unwatched_deadline(&self) -> Option<Instant> {
        if self.0.status() == Status::Unwatched { self.deadline() } else { None }
    }

    /// `None` only if `limit` is given and has passed with the token live.
    fn wait_until(&self, limit: Option<Instant>) -> Option<Cancelled> {
        if let Some(cancelled) = self.cause() {
            return Some(cancelled);
        }
        let receiver = self.0.receiver();
        let own = self.deadline();
        loop {
            let now = time::now();
            if own.is_some_and(|at| at <= now) {
                deadline::expire(&self.0);
            }
            if let Some(cancelled) = self.cause() {
                return Some(cancelled);
            }
            if limit.is_some_and(|at| at <= now) {
                return None;
            }
            // The token is alive here, so the receiver disconnects by a cancel only; the loop looks why it woke.
            let earliest = [own, limit].into_iter().flatten().min();
            let _ = match earliest {
                Some(at) => receiver.recv_timeout(at.saturating_duration_since(now)).map_err(drop),
                None => receiver.recv().map_err(drop),
            };
        }
    }
}

#[cfg(all(test, not(any(gristmill_shuttle, gristmill_loom))))]
mod tests {
    use super::*;

    #[test]
    fn deadline_that_passed_with_nobody_watching_keeps_nobody_parked_and_is_told_once() {
        let token = CancellationToken::unwatched(Duration::ZERO);
        assert_eq!(token.wake_at(), token.deadline(), "who is about to park looks again at once");
        assert!(token.seen_cause().is_some(), "and sees it then");
        assert_eq!(
            token.wake_at(),
            None,
            "who goes on waiting for something else does not look again and again"
        );
    }
}
