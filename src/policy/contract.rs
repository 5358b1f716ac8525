//! What every policy is: something that work can be run under.

use std::fmt;
use std::marker::PhantomData;

use super::attempt::Attempt;
use super::error::PolicyError;
use crate::cancel::CancellationToken;

/// A rule that is put around work: it may hold the work back, refuse it, end it early or run it again.
///
/// Policies nest by [`around`](Self::around), and the type says in which order: `retry.around(limiter)` takes a permit for each attempt,
/// `limiter.around(retry)` one for all of them. Not for rules about items in a pipeline: what becomes of an item that failed is said there, by
/// its error policies.
///
/// ```
/// use std::time::Duration;
/// use gristmill::{Policy, RateLimiter, Semaphore};
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
pub trait Policy {
    /// Runs `work` as the policy says, within `attempt`; what a policy has to implement. Callers use [`call`](Self::call).
    ///
    /// # Errors
    /// The last error of `work`, or why it was not run.
    ///
    /// # Cancellation
    /// A wait of the policy ends when the token of `attempt` is cancelled; nothing is held afterwards.
    fn apply<T, E, F>(&self, attempt: Attempt<'_>, work: F) -> Result<T, PolicyError<E>>
    where
        F: FnMut(Attempt<'_>) -> Result<T, PolicyError<E>>;

    /// Runs `work` under the policy.
    ///
    /// # Errors
    /// The work's own error, or why it was not run.
    fn call<T, E, F>(&self, mut work: F) -> Result<T, PolicyError<E>>
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
    fn call_with<T, E, F>(&self, token: &CancellationToken, mut work: F) -> Result<T, PolicyError<E>>
    where
        F: FnMut(Attempt<'_>) -> Result<T, E>,
    {
        self.apply(Attempt::first().with_token(token), |attempt| work(attempt).map_err(PolicyError::Work))
    }

    /// This policy, and within it `inner`: `inner` is asked once for each run that this one makes.
    fn around<P: Policy>(self, inner: P) -> Around<Self, P>
    where
        Self: Sized,
    {
        Around { outer: self, inner }
    }

    /// This policy for work with errors of the type `E`, of which those that `is_terminal` picks are not retried, wherever in the
    /// nest a [`Retry`](super::Retry) is.
    ///
    /// Say it last, when the nest is complete. Policies that run work once take no notice of it.
    ///
    /// ```
    /// use std::io::{Error, ErrorKind};
    /// use gristmill::{Policy, Retry, Semaphore};
    ///
    /// let policy = Retry::new(5)?.around(Semaphore::new(2)).terminal_if(|error: &Error| error.kind() == ErrorKind::NotFound);
    /// let error = policy.call(|_| std::fs::read("no such file")).unwrap_err();
    /// assert_eq!(error.gave_up().unwrap().attempts(), 1);
    /// # Ok::<(), gristmill::RetryBuildError>(())
    /// ```
    fn terminal_if<E, P>(self, is_terminal: P) -> TerminalIf<Self, E, P>
    where
        Self: Sized,
        P: Fn(&E) -> bool,
    {
        TerminalIf { policy: self, is_terminal, errors: PhantomData }
    }
}

/// A policy with a rule about errors of the type `E`; made by [`Policy::terminal_if`].
///
/// It is no policy itself, since policies run work with errors of any type; so it stands on the outside of a nest.
#[derive(Clone, Copy)]
pub struct TerminalIf<P, E, F> {
    policy: P,
    is_terminal: F,
    errors: PhantomData<fn(&E)>,
}

impl<P: Policy, E, F: Fn(&E) -> bool> TerminalIf<P, E, F> {
    /// As [`Policy::call`].
    ///
    /// # Errors
    /// As there.
    pub fn call<T>(&self, work: impl FnMut(Attempt<'_>) -> Result<T, E>) -> Result<T, PolicyError<E>> {
        self.apply(Attempt::first(), work)
    }

    /// As [`Policy::call_with`].
    ///
    /// # Errors
    /// As there.
    ///
    /// # Cancellation
    /// As there.
    pub fn call_with<T>(
        &self,
        token: &CancellationToken,
        work: impl FnMut(Attempt<'_>) -> Result<T, E>,
    ) -> Result<T, PolicyError<E>> {
        self.apply(Attempt::first().with_token(token), work)
    }

    /// The policy without the rule.
    pub fn policy(&self) -> &P {
        &self.policy
    }

    fn apply<T>(
        &self,
        attempt: Attempt<'_>,
        mut work: impl FnMut(Attempt<'_>) -> Result<T, E>,
    ) -> Result<T, PolicyError<E>> {
        self.policy.apply(attempt, |attempt| {
            work(attempt).map_err(|error| {
                if (self.is_terminal)(&error) {
                    PolicyError::Terminal(error)
                } else {
                    PolicyError::Work(error)
                }
            })
        })
    }
}

impl<P: fmt::Debug, E, F> fmt::Debug for TerminalIf<P, E, F> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("TerminalIf").field("policy", &self.policy).finish_non_exhaustive()
    }
}

/// Two policies, one within the other; made by [`Policy::around`].
#[derive(Clone, Copy, Debug)]
pub struct Around<Outer, Inner> {
    outer: Outer,
    inner: Inner,
}

impl<Outer, Inner> Around<Outer, Inner> {
    /// The one that is asked first.
    pub fn outer(&self) -> &Outer {
        &self.outer
    }

    /// The one that is next to the work.
    pub fn inner(&self) -> &Inner {
        &self.inner
    }
}

impl<Outer: Policy, Inner: Policy> Policy for Around<Outer, Inner> {
    fn apply<T, E, F>(&self, attempt: Attempt<'_>, mut work: F) -> Result<T, PolicyError<E>>
    where
        F: FnMut(Attempt<'_>) -> Result<T, PolicyError<E>>,
    {
        self.outer.apply(attempt, |attempt| self.inner.apply(attempt, &mut work))
    }
}

/// A shared policy is one, too.
impl<P: Policy + ?Sized> Policy for &P {
    fn apply<T, E, F>(&self, attempt: Attempt<'_>, work: F) -> Result<T, PolicyError<E>>
    where
        F: FnMut(Attempt<'_>) -> Result<T, PolicyError<E>>,
    {
        P::apply(self, attempt, work)
    }
}

impl<P: Policy + ?Sized> Policy for std::sync::Arc<P> {
    fn apply<T, E, F>(&self, attempt: Attempt<'_>, work: F) -> Result<T, PolicyError<E>>
    where
        F: FnMut(Attempt<'_>) -> Result<T, PolicyError<E>>,
    {
        P::apply(self, attempt, work)
    }
}
