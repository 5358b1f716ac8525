//! The token: what users hold.

use std::convert::Infallible;
use std::error::Error;
use std::fmt;
use std::panic::Location;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;

use super::cancelled::{CancelKind, Cancelled, Cause};
use super::deadline::{self, Requested};
use super::node::Node;
use super::run;
use crate::sync::channel::Receiver;
use crate::sync::time::{self, Duration, Instant};

/// The right to be told to stop; clones are the same token, children are told what their parent is told.
///
/// Not for telling a thread to start, and not a lock: cancelling happens once and cannot be taken back.
///
/// # Examples
/// ```
/// use gristmill::{CancellationToken, Cancelled};
///
/// fn grind(grains: &[u32], token: &CancellationToken) -> Result<u32, Cancelled> {
///     let mut flour = 0;
///     for grain in grains {
///         token.check()?;
///         flour += grain;
///     }
///     Ok(flour)
/// }
///
/// let token = CancellationToken::new();
/// let child = token.child();
/// assert_eq!(grind(&[1, 2, 3], &child).unwrap(), 6);
/// token.cancel_with("the mill is on fire");
/// let cancelled = grind(&[1, 2, 3], &child).unwrap_err();
/// assert_eq!(cancelled.cause().unwrap().to_string(), "the mill is on fire");
/// ```
///
/// # Deadlines
/// A deadline takes no thread of its own. One helper thread for the whole process starts with the first deadline,
/// cancels each token at its time, and ends about 50 ms after the last token with a deadline is cancelled or dropped.
/// If that thread cannot be created, nothing panics and no deadline is lost: polls of such a token and its
/// descendants (`is_cancelled`, `check`, `cause`) then read the clock, and each new deadline in the process, `cancelled`
/// and `on_cancel` try to start the thread again. Until one of them succeeds, the token's callbacks and receivers learn of
/// the deadline from the first poll or wait after it. Waits (`wait`, `wait_timeout`, `sleep`) look at the clock in any case.
#[derive(Clone)]
pub struct CancellationToken(pub(super) Arc<Node>);

impl CancellationToken {
    /// A token without parent or deadline.
    pub fn new() -> Self {
        Self(deadline::root(None))
    }

    /// A token that is cancelled with [`CancelKind::DeadlineExceeded`] after `timeout`.
    ///
    /// Zero gives a token that is cancelled already. A timeout too long for the clock, such as [`Duration::MAX`],
    /// gives a token without deadline.
    #[track_caller]
    pub fn with_timeout(timeout: Duration) -> Self {
        Self(deadline::root(after(timeout, None)))
    }

    /// A token that is cancelled with [`CancelKind::DeadlineExceeded`] at `deadline`; at once if that is not in the
    /// future.
    #[track_caller]
    pub fn with_deadline(deadline: Instant) -> Self {
        Self(deadline::root(Some(at(deadline, None))))
    }

    /// As [`with_timeout`](Self::with_timeout), with a cause that is reported if the deadline is what cancels, and
    /// dropped otherwise.
    #[track_caller]
    pub fn with_timeout_cause(
        timeout: Duration,
        cause: impl Into<Box<dyn Error + Send + Sync + 'static>>,
    ) -> Self {
        Self(deadline::root(after(timeout, Some(cause.into()))))
    }

    /// A token that is cancelled with this one, or on its own without touching this one.
    ///
    /// The child of a cancelled token is born cancelled, with its parent's record. It keeps its parent's deadline.
    ///
    /// ```
    /// use gristmill::CancellationToken;
    ///
    /// let batch = CancellationToken::new();
    /// let (first, second) = (batch.child(), batch.child());
    /// first.cancel();
    /// assert!(first.is_cancelled() && !batch.is_cancelled() && !second.is_cancelled());
    /// batch.cancel();
    /// assert!(second.is_cancelled());
    /// ```
    ///
    /// # Cost
    /// Making and dropping one takes 0.7 times what it takes tokio-util's token; with a deadline of its own, 2.3 times
    /// what it takes without (`benches/cancel.rs`, child and drop; two cores).
    #[must_use]
    pub fn child(&self) -> Self {
        Self(deadline::child(&self.0, None))
    }

    /// A child with a timeout of its own, counted from now; without effect if the deadline above is no later.
    ///
    /// Zero gives a child that is cancelled already. A timeout too long for the clock, such as [`Duration::MAX`],
    /// sets no deadline.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use gristmill::{CancelKind, CancellationToken};
    ///
    /// let batch = CancellationToken::new();
    /// let item = batch.child_with_timeout(Duration::from_millis(1));
    /// assert_eq!(item.wait().kind(), CancelKind::DeadlineExceeded);
    /// assert!(!batch.is_cancelled());
    /// ```
    #[must_use]
    #[track_caller]
    pub fn child_with_timeout(&self, timeout: Duration) -> Self {
        Self(deadline::child(&self.0, after(timeout, None)))
    }

    /// A child with a deadline of its own; without effect if the deadline above is no later.
    #[must_use]
    #[track_caller]
    pub fn child_with_deadline(&self, deadline: Instant) -> Self {
        Self(deadline::child(&self.0, Some(at(deadline, None))))
    }

    /// As [`child_with_timeout`](Self::child_with_timeout), with a cause that is reported if this timeout is what
    /// cancels, and dropped otherwise.
    #[must_use]
    #[track_caller]
    pub fn child_with_timeout_cause(
        &self,
        timeout: Duration,
        cause: impl Into<Box<dyn Error + Send + Sync + 'static>>,
    ) -> Self {
        Self(deadline::child(&self.0, after(timeout, Some(cause.into()))))
    }

    /// A child of `outer`, or a token without parent, with a timeout that was set at `location`; without one if it is `None` or too long for the clock.
    pub(crate) fn limited(
        outer: Option<&Self>,
        timeout: Option<Duration>,
        location: &'static Location<'static>,
    ) -> Self {
        let at = timeout.and_then(|timeout| time::now().checked_add(timeout));
        let requested = at.map(|at| Requested { at, cause: None, location });
        Self(match outer {
            Some(outer) => deadline::child(&outer.0, requested),
            None => deadline::root(requested),
        })
    }

    /// A token whose deadline nobody watches, whatever threads can be had.
    #[cfg(all(test, not(any(gristmill_shuttle, gristmill_loom))))]
    pub(crate) fn unwatched(timeout: Duration) -> Self {
        let requested = after(timeout, None).expect("tests are short");
        Self(deadline::unwatched(requested))
    }

    /// Cancels as a deadline that was set at `location` does when it passes: for deadlines on clocks that the timer does not know.
    pub(crate) fn exceed(&self, location: &'static Location<'static>) {
        let exceeded = Cancelled::new(CancelKind::DeadlineExceeded, None, location);
        run::cancel(&self.0, exceeded);
    }

    /// Cancels the token and all below it; `true` if this call did it, `false` if it was cancelled before.
    ///
    /// When it returns, with either answer, the token and all its descendants read cancelled and their receivers are
    /// disconnected. If this call did it, their callbacks have run too, in this thread and in the order in which they were
    /// registered; otherwise they may still be running elsewhere. Callbacks run with no lock held, and may use the token.
    ///
    /// Making a child anywhere in the tree waits while a cancel marks its subtree, and so does another cancel.
    ///
    /// # Cost
    /// It grows with the descendants: 10 000 children take 1.2 times what they take tokio-util's token
    /// (`benches/cancel.rs`, cancel 10 000 children; two cores).
    #[track_caller]
    pub fn cancel(&self) -> bool {
        self.cancel_at(None, Location::caller())
    }

    /// Cancels as [`cancel`](Self::cancel) does, with a cause; if the answer is `false` the cause is dropped.
    #[track_caller]
    pub fn cancel_with(&self, cause: impl Into<Box<dyn Error + Send + Sync + 'static>>) -> bool {
        self.cancel_at(Some(cause.into()), Location::caller())
    }

    pub(super) fn cancel_at(&self, cause: Option<Cause>, location: &'static Location<'static>) -> bool {
        run::cancel(&self.0, Cancelled::new(CancelKind::Cancelled, cause, location))
    }

    /// Whether the token is cancelled; made to be polled in hot loops.
    ///
    /// Whoever sees `true` also sees what the canceller wrote before it cancelled.
    ///
    /// # Cost
    /// One load at any depth, with or without a deadline: 0.6 to 0.9 times a bare relaxed `AtomicBool` load, where
    /// tokio-util's token takes 13 times (`benches/cancel.rs`, poll; two cores). The differences below 1 are the bench's own.
    #[inline]
    pub fn is_cancelled(&self) -> bool {
        deadline::is_cancelled(&self.0)
    }

    /// `Ok` while the token is live; made for `?`.
    ///
    /// ```
    /// use gristmill::{CancellationToken, Cancelled};
    ///
    /// fn sum(numbers: &[u64], token: &CancellationToken) -> Result<u64, Cancelled> {
    ///     let mut sum = 0;
    ///     for chunk in numbers.chunks(1000) {
    ///         token.check()?;
    ///         sum += chunk.iter().sum::<u64>();
    ///     }
    ///     Ok(sum)
    /// }
    /// let token = CancellationToken::new();
    /// assert_eq!(sum(&[1, 2, 3], &token)?, 6);
    /// token.cancel();
    /// assert!(sum(&[1, 2, 3], &token).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The token is cancelled: its record. It stays so.
    #[inline]
    pub fn check(&self) -> Result<(), Cancelled> {
        self.cause().map_or(Ok(()), Err)
    }

    /// The record of the cancellation; `None` while the token is live.
    #[inline]
    pub fn cause(&self) -> Option<Cancelled> {
        if self.is_cancelled() { self.0.cause() } else { None }
    }

    /// The earliest deadline of the token and all above it; `None` if there is none.
    ///
    /// It stays the same when the token is cancelled.
    pub fn deadline(&self) -> Option<Instant> {
        self.0.deadline()
    }

    /// A receiver that disconnects when the token is cancelled, for use in `crossbeam_channel::select!`.
    ///
    /// Nothing is ever received. It also disconnects when the last handle of the token (clones and descendants) is dropped
    /// uncancelled, since nobody can cancel it then: keep the token as long as the receiver.
    ///
    /// # Examples
    /// ```
    /// use gristmill::CancellationToken;
    ///
    /// let token = CancellationToken::new();
    /// let (sender, items) = crossbeam_channel::bounded(1);
    /// sender.send("grain").unwrap();
    /// let cancelled = token.cancelled();
    /// crossbeam_channel::select! {
    ///     recv(items) -> item => assert_eq!(item, Ok("grain")),
    ///     recv(cancelled) -> _ => unreachable!("nobody cancelled"),
    /// }
    /// token.cancel();
    /// assert!(cancelled.recv().is_err(), "disconnected");
    /// ```
    pub fn cancelled(&self) -> Receiver<Infallible> {
        deadline::ensure_watched(&self.0);
        self.0.receiver()
    }
}

/// `None` where the clock cannot reach that far.
#[track_caller]
fn after(timeout: Duration, cause: Option<Cause>) -> Option<Requested> {
    let location = Location::caller(); // here, since in the closure it would be the closure's
    time::now().checked_add(timeout).map(|at| Requested { at, cause, location })
}

#[track_caller]
fn at(deadline: Instant, cause: Option<Cause>) -> Requested {
    Requested { at: deadline, cause, location: Location::caller() }
}

impl Default for CancellationToken {
    fn default() -> Self {
        Self::new()
    }
}

// No lock and no clock: a token can be printed from anywhere, a callback or a panic hook included.
impl fmt::Debug for CancellationToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("CancellationToken")
            .field("cancelled", &self.0.is_marked())
            .field("deadline", &self.deadline())
            .finish_non_exhaustive()
    }
}

// User code never runs under a lock of the token, so a panic cannot leave it half-changed.
impl UnwindSafe for CancellationToken {}
impl RefUnwindSafe for CancellationToken {}
