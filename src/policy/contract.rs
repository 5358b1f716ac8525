//! What every policy is: something that work can be run under.

use super::attempt::Attempt;
use super::error::PolicyError;
use crate::cancel::CancellationToken;

/// A rule that is put around work that may fail with an `E`: it may hold the work back, refuse it, end it early or run it again.
///
/// Most policies take errors of any type, and are a `Policy<E>` for all of them; one with a rule about the errors, as a breaker that
/// [counts](super::CircuitBreaker::counting) only some, is one for those. Policies nest by [`around`](super::Nest::around), and the type says in which order:
/// `retry.around(limiter)` takes a permit for each attempt, `limiter.around(retry)` one for all of them.
///
/// Not for rules about items in a pipeline: what becomes of an item that failed is said there, by its error policies.
///
/// ```
/// use std::time::Duration;
/// use gristmill::{Nest, Policy, RateLimiter, Semaphore};
///
/// let limiter = RateLimiter::new(1000, Duration::from_secs(1))?;
/// let policy = limiter.around(Semaphore::new(4)); // a turn first, then a place
/// let value = policy.call(|_| "42".parse::<u32>())?;
/// assert_eq!(value, 42);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Panics
/// A panic of the work goes through; what a policy holds for it is given back.
pub trait Policy<E> {
    /// Runs `work` as the policy says, within `attempt`; what a policy has to implement. Callers use [`call`](Self::call).
    ///
    /// # Errors
    /// The last error of `work`, or why it was not run.
    ///
    /// # Cancellation
    /// A wait of the policy ends when the token of `attempt` is cancelled; nothing is held afterwards.
    fn apply<T, F>(&self, attempt: Attempt<'_>, work: F) -> Result<T, PolicyError<E>>
    where
        F: FnMut(Attempt<'_>) -> Result<T, PolicyError<E>>;

    /// Whether work under it would now wait for what the calling thread itself holds, and only gives back later; no, if this is not implemented.
    ///
    /// Asked by who waits in a pool for a task under this policy, before it runs that task itself: it would never come back. A policy of your own
    /// around others asks those. The answer has to come at once, without waiting for anything: it is asked for under a lock of the task, whose handle must not be used then. A panic
    /// counts as a no.
    fn would_wait_for_itself(&self) -> bool {
        false
    }

    /// Whether it ends the waits of whatever is within it after some time, as a [`TimeLimit`](super::TimeLimit) does; no, if this is not implemented.
    ///
    /// Work that [waits for what its own thread holds](Self::would_wait_for_itself) comes back from there then, with an error.
    fn bounds_waits(&self) -> bool {
        false
    }

    /// Runs `work` under the policy.
    ///
    /// # Errors
    /// The work's own error, or why it was not run.
    #[inline]
    fn call<T, F>(&self, mut work: F) -> Result<T, PolicyError<E>>
    where
        F: FnMut(Attempt<'_>) -> Result<T, E>,
    {
        self.apply(Attempt::first(), |attempt| work(attempt).map_err(PolicyError::Work))
    }

    /// Runs `work` under the policy until `token` is cancelled: every wait ends then, and the work finds the token in its attempt.
    ///
    /// # Errors
    /// As for [`call`](Self::call); or the token was cancelled.
    ///
    /// # Cancellation
    /// What the policy held is given back. Work that has begun ends when it looks at its token.
    #[inline]
    fn call_with<T, F>(&self, token: &CancellationToken, mut work: F) -> Result<T, PolicyError<E>>
    where
        F: FnMut(Attempt<'_>) -> Result<T, E>,
    {
        self.apply(Attempt::first().with_token(token), |attempt| work(attempt).map_err(PolicyError::Work))
    }
}

/// A shared policy is one, too.
impl<E, P: Policy<E> + ?Sized> Policy<E> for &P {
    #[inline]
    fn apply<T, F>(&self, attempt: Attempt<'_>, work: F) -> Result<T, PolicyError<E>>
    where
        F: FnMut(Attempt<'_>) -> Result<T, PolicyError<E>>,
    {
        P::apply(self, attempt, work)
    }

    fn would_wait_for_itself(&self) -> bool {
        P::would_wait_for_itself(self)
    }

    fn bounds_waits(&self) -> bool {
        P::bounds_waits(self)
    }
}

impl<E, P: Policy<E> + ?Sized> Policy<E> for std::sync::Arc<P> {
    #[inline]
    fn apply<T, F>(&self, attempt: Attempt<'_>, work: F) -> Result<T, PolicyError<E>>
    where
        F: FnMut(Attempt<'_>) -> Result<T, PolicyError<E>>,
    {
        P::apply(self, attempt, work)
    }

    fn would_wait_for_itself(&self) -> bool {
        P::would_wait_for_itself(self)
    }

    fn bounds_waits(&self) -> bool {
        P::bounds_waits(self)
    }
}

impl<E, P: Policy<E> + ?Sized> Policy<E> for Box<P> {
    #[inline]
    fn apply<T, F>(&self, attempt: Attempt<'_>, work: F) -> Result<T, PolicyError<E>>
    where
        F: FnMut(Attempt<'_>) -> Result<T, PolicyError<E>>,
    {
        P::apply(self, attempt, work)
    }

    fn would_wait_for_itself(&self) -> bool {
        P::would_wait_for_itself(self)
    }

    fn bounds_waits(&self) -> bool {
        P::bounds_waits(self)
    }
}

/// One that may be switched off: `None` runs the work as it is, and lets it begin under a cancelled token, too.
impl<E, P: Policy<E>> Policy<E> for Option<P> {
    #[inline]
    fn apply<T, F>(&self, attempt: Attempt<'_>, mut work: F) -> Result<T, PolicyError<E>>
    where
        F: FnMut(Attempt<'_>) -> Result<T, PolicyError<E>>,
    {
        match self {
            Some(policy) => policy.apply(attempt, work),
            None => work(attempt),
        }
    }

    fn would_wait_for_itself(&self) -> bool {
        self.as_ref().is_some_and(P::would_wait_for_itself)
    }

    fn bounds_waits(&self) -> bool {
        self.as_ref().is_some_and(P::bounds_waits)
    }
}
