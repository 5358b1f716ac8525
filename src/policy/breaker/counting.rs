//! A breaker that is told which errors are failures.

use std::fmt;

use super::breaker::CircuitBreaker;
use super::call;
use crate::cancel::CancellationToken;
use crate::policy::attempt::Attempt;
use crate::policy::error::PolicyError;

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
    pub(super) fn new(breaker: CircuitBreaker, is_failure: P) -> Self {
        Self { breaker, is_failure }
    }

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
    /// })?;
    /// assert_eq!(answer, "served");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
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
