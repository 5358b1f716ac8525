//! A breaker that is told which errors are failures.

use std::fmt;

use super::call;
use super::circuit_breaker::CircuitBreaker;
use crate::policy::attempt::Attempt;
use crate::policy::contract::Policy;
use crate::policy::error::PolicyError;

impl CircuitBreaker {
    /// The same breaker for calls with errors of one type: those for which `is_failure` holds are failures, and the others successes.
    ///
    /// Successes, since whatever was called has answered: if "not found" counted as nothing, a half-open breaker that hears nothing else would stay so for
    /// ever. Cancelled calls and refusals count as nothing before `is_failure` is asked. A panic of it is like one of the work.
    ///
    /// ```
    /// use gristmill::{CircuitBreaker, Policy, PolicyError};
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
/// It is the same breaker: calls made by it and by others count together.
///
/// ```
/// use gristmill::{CircuitBreaker, Policy};
///
/// let breaker = CircuitBreaker::new();
/// let pages = breaker.counting(|status: &u16| *status >= 500);
/// assert!(pages.call(|_| Err::<(), _>(404)).is_err()); // the page is missing, the server is well
/// assert!(pages.call(|_| Err::<(), _>(503)).is_err());
/// let report = pages.breaker().report();
/// assert_eq!((report.successes, report.failures), (1, 1));
/// ```
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
}

impl<E, P: Fn(&E) -> bool> Policy<E> for CountingBreaker<P> {
    #[inline]
    fn apply<T, F>(&self, attempt: Attempt<'_>, work: F) -> Result<T, PolicyError<E>>
    where
        F: FnMut(Attempt<'_>) -> Result<T, PolicyError<E>>,
    {
        call::run(self.breaker.core(), attempt, work, &self.is_failure)
    }
}

// By hand: a closure cannot be shown.
impl<P> fmt::Debug for CountingBreaker<P> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("CountingBreaker").field("breaker", &self.breaker).finish_non_exhaustive()
    }
}
