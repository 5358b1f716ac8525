//! A limit on how long a call may take.

use std::sync::{Arc, Weak};

use super::attempt::Attempt;
use super::contract::Policy;
use super::error::PolicyError;
use crate::cancel::CancellationToken;
use crate::clock::{Clock, SystemClock};
use crate::sync::time::{Duration, Instant};

/// Tells a call to end when its time is over: the token in its [`Attempt`] is cancelled then.
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
}

impl TimeLimit {
    /// At most `limit` for each call. Zero: the token is cancelled from the start. `Duration::MAX`, and whatever the clock cannot count to, is
    /// no limit.
    pub fn new(limit: Duration) -> Self {
        Self { limit, clock: Arc::new(SystemClock) }
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

    /// A token that is cancelled at `until`, and what keeps that so on a clock that is moved by hand.
    fn token(&self, attempt: Attempt<'_>, until: Instant) -> (CancellationToken, Option<Arc<Moved>>) {
        let timeout = self.clock.timeout_until(until);
        let token = match (attempt.token(), timeout) {
            (Some(outer), Some(timeout)) => outer.child_with_timeout(timeout),
            (None, Some(timeout)) => CancellationToken::with_timeout(timeout),
            (Some(outer), None) => outer.child(),
            (None, None) => CancellationToken::new(),
        };
        let moved = timeout.is_none().then(|| {
            let (token, clock) = (token.clone(), Arc::clone(&self.clock));
            let look = move || {
                if clock.now() >= until {
                    token.cancel();
                }
            };
            let moved: Arc<Moved> = Arc::new(look);
            let heard: Weak<Moved> = Arc::downgrade(&moved);
            self.clock.on_advance(Some(until), heard);
            moved(); // a move before it was heard
            moved
        });
        (token, moved)
    }
}

type Moved = dyn Fn() + Send + Sync;

impl<E> Policy<E> for TimeLimit {
    fn apply<T, F>(&self, attempt: Attempt<'_>, mut work: F) -> Result<T, PolicyError<E>>
    where
        F: FnMut(Attempt<'_>) -> Result<T, PolicyError<E>>,
    {
        let Some(until) = self.clock.now().checked_add(self.limit) else { return work(attempt) };
        attempt.check().map_err(PolicyError::Cancelled)?;
        let (token, _moved) = self.token(attempt, until);
        let outcome = work(attempt.with_token(&token));
        outcome.map_err(|error| {
            let is_late = self.clock.now() >= until && attempt.check().is_ok();
            if is_late { PolicyError::TimedOut { limit: self.limit, error: Box::new(error) } } else { error }
        })
    }
}
