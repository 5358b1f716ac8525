//! A limit on how long a call may take.

use std::panic::{Location, RefUnwindSafe, UnwindSafe};
use std::sync::Arc;

use super::attempt::Attempt;
use super::contract::Policy;
use super::error::PolicyError;
use super::expiring::deadline_token;
use crate::clock::{Clock, SystemClock};
use crate::sync::time::Duration;

/// Tells a call to end when its time is over: the token in its [`Attempt`] is cancelled then, with
/// [`CancelKind::DeadlineExceeded`](crate::CancelKind::DeadlineExceeded), whatever the clock.
///
/// No thread can be stopped from outside, so work that never looks at its token, and waits for nothing that does, takes as long as it takes.
/// What it gives then counts: a value that is late is a value, and an error that is late is [`PolicyError::TimedOut`], which holds it.
/// Around a [`Retry`](super::Retry) it limits all attempts together, within one each of them.
///
/// Not for giving up on work that goes on elsewhere: that is [`combine::with_timeout`](crate::combine::with_timeout), for handles.
///
/// ```
/// use std::time::Duration;
/// use gristmill::{Policy, TimeLimit};
///
/// let limit = TimeLimit::new(Duration::from_millis(5));
/// let error = limit.call(|attempt| Err::<(), _>(attempt.token().expect("has a deadline").wait())).unwrap_err();
/// assert_eq!(error.to_string(), "the call took longer than 5ms");
/// ```
///
/// # Cost
/// A token for each call, with a deadline that one thread for all of them watches: a few hundred nanoseconds, so for calls that take
/// microseconds at least.
#[derive(Clone, Debug)]
pub struct TimeLimit {
    limit: Duration,
    clock: Arc<dyn Clock>,
    /// Where it was made, for the text of the token's record.
    location: &'static Location<'static>,
}

impl TimeLimit {
    /// At most `limit` for each call. Zero: the token is cancelled from the start. `Duration::MAX`, and whatever the clock cannot count to, is
    /// no limit; a token that is cancelled already ends the call before it begins all the same.
    ///
    /// The record of the token names the caller of this as the one who set the deadline.
    #[track_caller]
    pub fn new(limit: Duration) -> Self {
        Self { limit, clock: Arc::new(SystemClock), location: Location::caller() }
    }

    /// The same on another clock.
    #[must_use]
    pub fn clock(mut self, clock: impl Clock + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// The limit.
    pub fn limit(&self) -> Duration {
        self.limit
    }
}

// It does not change, and its clock keeps its own invariants.
impl UnwindSafe for TimeLimit {}
impl RefUnwindSafe for TimeLimit {}

impl<E> Policy<E> for TimeLimit {
    fn apply<T, F>(&self, attempt: Attempt<'_>, mut work: F) -> Result<T, PolicyError<E>>
    where
        F: FnMut(Attempt<'_>) -> Result<T, PolicyError<E>>,
    {
        attempt.check().map_err(PolicyError::Cancelled)?;
        let Some(until) = self.clock.now().checked_add(self.limit) else { return work(attempt) };
        let (token, _moved) = deadline_token(attempt.token(), &self.clock, until, self.location);
        let outcome = work(attempt.with_token(&token));
        outcome.map_err(|error| {
            let is_late = self.clock.now() >= until && attempt.check().is_ok();
            if is_late { PolicyError::TimedOut { limit: self.limit, error: Box::new(error) } } else { error }
        })
    }

    fn bounds_waits(&self) -> bool {
        // What the clock cannot count to is no limit.
        self.clock.now().checked_add(self.limit).is_some()
    }
}
