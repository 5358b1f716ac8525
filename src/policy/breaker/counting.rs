//! A breaker that is told which errors are failures.

use std::fmt;

use super::call;
use super::circuit_breaker::CircuitBreaker;
use crate::cancel::CancellationToken;
use crate::policy::attempt::Attempt;
use crate::policy::error::PolicyError;

impl CircuitBreaker {
    /// The same breaker for calls with errors of one type: those for which `is_failure` holds are failures, and the others successes.
    ///
    /// Successes, since whatever was called has answered: if "not found" counted as nothing, a half-open breaker that hears nothing else would stay so for
    /// ever. Cancelled calls and refusals count as nothing before `is_failure` is asked. A panic of it is like one of the work.
    ///
    /// ```
    /// use gristmill::{CircuitBreaker, PolicyError};
    ///
    /// let breaker = CircuitBreaker::new();
    /// let answer = breaker.counting(|status: &u16| *status >= 500).call(|_| Err::<(), _>(404));
    /// assert!(matches!(answer, Err(PolicyError::Work(404))));
    /// assert_eq!((breaker.report().successes, breaker.report().failures), (1, 0));
    /// ```
    pub fn counting<E, P: Fn(&E) -> bool>(&self, is_failure: P) -> CountingBreaker<P> {
        CountingBreaker { breaker: self.clone(), is_failure }
    }
}

/// A [`CircuitBreaker`] for calls with errors of one type, of which some are no failures; made by [`counting`](CircuitBreaker::counting).
///
/// It is the same breaker: calls made by it and by others count together. It has the methods of a [`Policy`](crate::policy::Policy), and is none: a policy
/// has to take errors of any type. Within another policy, and around others, it goes by [`apply`](Self::apply).
#[derive(Clone)]
pub struct CountingBreaker<P> {
    breaker: CircuitBreaker,
    is_failure: P,
}

impl<P> CountingBreaker<P> {
    /// The breaker.
    pub fn breaker(&self) -> &CircuitBreaker {
        &self.breaker
    }

    /// As [`Policy::apply`](crate::policy::Policy::apply).
    ///
    /// ```
    /// use std::time::Duration;
    /// use gristmill::{Attempt, CircuitBreaker, Policy, RateLimiter, Semaphore};
    ///
    /// let limiter = RateLimiter::new(1000, Duration::from_secs(1))?;
    /// let connections = Semaphore::new(4);
    /// let breaker = CircuitBreaker::new().counting(|status: &u16| *status >= 500);
    /// // A turn, then the breaker, then a place.
    /// let answer = limiter.apply(Attempt::first(), |attempt| {
    ///     breaker.apply(attempt, |attempt| connections.apply(attempt, |_| Ok::<_, _>("served")))
    /// });
    /// assert_eq!(answer.unwrap(), "served");
    /// # Ok::<(), gristmill::RateError>(())
    /// ```
    ///
    /// # Errors
    /// The last error of `work`, or why it was not run.
    pub fn apply<T, E, F>(&self, attempt: Attempt<'_>, work: F) -> Result<T, PolicyError<E>>
    where
        P: Fn(&E) -> bool,
        F: FnMut(Attempt<'_>) -> Result<T, PolicyError<E>>,
    {
        call::run(self.breaker.core(), attempt, work, &self.is_failure)
    }

    /// As [`Policy::call`](crate::policy::Policy::call).
    ///
    /// # Errors
    /// The work's own error, or why it was not run.
    pub fn call<T, E, F>(&self, mut work: F) -> Result<T, PolicyError<E>>
    where
        P: Fn(&E) -> bool,
        F: FnMut(Attempt<'_>) -> Result<T, E>,
    {
        self.apply(Attempt::first(), |attempt| work(attempt).map_err(PolicyError::Work))
    }

    /// As [`Policy::call_with`](crate::policy::Policy::call_with).
    ///
    /// # Errors
    /// As for [`call`](Self::call); or the token was cancelled.
    ///
    /// # Cancellation
    /// As for the breaker's own: see [What counts](CircuitBreaker#what-counts).
    pub fn call_with<T, E, F>(&self, token: &CancellationToken, mut work: F) -> Result<T, PolicyError<E>>
    where
        P: Fn(&E) -> bool,
        F: FnMut(Attempt<'_>) -> Result<T, E>,
    {
        self.apply(Attempt::first().with_token(token), |attempt| work(attempt).map_err(PolicyError::Work))
    }
}

// By hand: a closure cannot be shown.
impl<P> fmt::Debug for CountingBreaker<P> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("CountingBreaker").field("breaker", &self.breaker).finish_non_exhaustive()
    }
}
