//! The right to one call, told how it ended.

use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;

use super::core::{Core, End, Ticket};
use crate::sync::time::Duration;

/// The right to make one call; made by [`try_acquire`](super::CircuitBreaker::try_acquire).
///
/// It is to be told how the call ended. Dropped, it counts as nothing, and a probe's place is free again. A permit of
/// a state that has passed counts as nothing either, whatever it is told.
///
/// Not needed for a call that is a closure: [`Policy::call`](crate::policy::Policy::call) does all of it, and counts panics, too, which a
/// permit that is dropped by one does not.
///
/// ```
/// use std::time::Duration;
/// use gristmill::CircuitBreaker;
///
/// let breaker = CircuitBreaker::builder().slow_calls(Duration::from_secs(1), 0.5).build()?;
/// let permit = breaker.try_acquire()?;
/// permit.took(Duration::from_secs(3)).success(); // what the call itself took
/// breaker.try_acquire()?.failure();
/// let report = breaker.report();
/// assert_eq!((report.successes, report.failures, report.slow), (1, 1, 1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "dropped, it counts as nothing"]
pub struct BreakerPermit {
    core: Arc<Core>,
    /// Until the breaker has it back.
    ticket: Option<Ticket>,
    took: Option<Duration>,
}

impl BreakerPermit {
    pub(super) fn new(core: Arc<Core>, ticket: Ticket) -> Self {
        Self { core, ticket: Some(ticket), took: None }
    }

    /// Says how long the call took, in place of the time since the permit was taken.
    ///
    /// For calls that do not begin with their permit, or are timed already. It matters only if the breaker looks for slow calls.
    pub fn took(mut self, time: Duration) -> Self {
        self.took = Some(time);
        self
    }

    /// The call succeeded.
    pub fn success(self) {
        self.end(End::Success);
    }

    /// The call failed.
    pub fn failure(self) {
        self.end(End::Failure);
    }

    fn end(mut self, end: End) {
        match (self.ticket.take(), self.took) {
            (Some(ticket), Some(took)) => self.core.leave_after(ticket, end, took),
            (Some(ticket), None) => self.core.leave(ticket, end),
            (None, _) => {}
        }
    }
}

// As the breaker.
impl UnwindSafe for BreakerPermit {}
impl RefUnwindSafe for BreakerPermit {}

impl Drop for BreakerPermit {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket.take() {
            self.core.leave(ticket, End::Nothing);
        }
    }
}

impl fmt::Debug for BreakerPermit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("BreakerPermit").field("took", &self.took).finish_non_exhaustive()
    }
}
