//! Policies within policies.

use std::fmt;

use super::attempt::Attempt;
use super::contract::Policy;
use super::error::PolicyError;

/// What turns policies into a nest of them; for every policy.
///
/// Apart from [`Policy`], which would have to know the type of the errors before it is needed. That is also why everything else has these methods: no bound can say "a policy for
/// some errors". A nest with something in it that is none does not run any work.
pub trait Nest: Sized {
    /// This policy, and within it `inner`: `inner` is asked once for each run that this one makes.
    ///
    /// The order decides what each of them sees. A [`CircuitBreaker`](super::CircuitBreaker) belongs next to the work: around a limiter or a semaphore, the time
    /// in their queues is a part of each call, so that load of our own counts as slowness of what is called (and an error past its deadline as a failure). A
    /// [`Retry`](super::Retry) belongs around whatever is to be asked for each attempt, and a [`TimeLimit`](super::TimeLimit) around all that it is to limit.
    fn around<Inner>(self, inner: Inner) -> Around<Self, Inner> {
        Around { outer: self, inner }
    }

    /// This policy for work whose errors are terminal if `is_terminal` says so: a [`Retry`](super::Retry), wherever it is in this nest or
    /// around it, does not run the work again after such a one. Other policies take no notice.
    ///
    /// It makes no difference whether the error came in time: one that a [`TimeLimit`](super::TimeLimit) within holds, and the last one of a retry within, is
    /// asked about as well.
    ///
    /// ```
    /// use std::io::{Error, ErrorKind};
    /// use gristmill::{Nest, Policy, Retry, Semaphore};
    ///
    /// let policy = Retry::new(5)?.around(Semaphore::new(2)).terminal_if(|error: &Error| error.kind() == ErrorKind::NotFound);
    /// let error = policy.call(|_| std::fs::read("no such file")).unwrap_err();
    /// assert_eq!(error.gave_up().unwrap().attempts(), 1);
    /// # Ok::<(), gristmill::RetryBuildError>(())
    /// ```
    fn terminal_if<E, F: Fn(&E) -> bool>(self, is_terminal: F) -> TerminalIf<Self, F> {
        TerminalIf { policy: self, is_terminal }
    }
}

impl<P> Nest for P {}

/// Two policies, one within the other; made by [`Nest::around`].
///
/// ```
/// use gristmill::{Nest, Policy, Retry, Semaphore};
///
/// let policy = Retry::new(3)?.around(Semaphore::new(2)); // each attempt takes a place of its own
/// assert_eq!(policy.call(|_| "42".parse::<u32>())?, 42);
/// assert_eq!(policy.outer().report().attempts, 1);
/// assert_eq!(policy.inner().available(), 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
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

impl<E, Outer: Policy<E>, Inner: Policy<E>> Policy<E> for Around<Outer, Inner> {
    #[inline]
    fn apply<T, F>(&self, attempt: Attempt<'_>, mut work: F) -> Result<T, PolicyError<E>>
    where
        F: FnMut(Attempt<'_>) -> Result<T, PolicyError<E>>,
    {
        self.outer.apply(attempt, |attempt| self.inner.apply(attempt, &mut work))
    }

    fn would_wait_for_itself(&self) -> bool {
        self.outer.would_wait_for_itself() || self.inner.would_wait_for_itself() && !self.outer.bounds_waits()
    }

    fn bounds_waits(&self) -> bool {
        self.outer.bounds_waits() || self.inner.bounds_waits()
    }
}

/// A policy for work of which some errors are not to be retried; made by [`Nest::terminal_if`].
///
/// ```
/// use gristmill::{Nest, Policy, Retry};
///
/// let policy = Retry::new(3)?.terminal_if(|status: &u16| *status == 404);
/// let error = policy.call(|_| Err::<(), _>(404)).unwrap_err();
/// assert_eq!(error.work(), Some(&404));
/// assert_eq!((policy.policy().report().attempts, policy.policy().report().terminal), (1, 1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy)]
pub struct TerminalIf<P, F> {
    policy: P,
    is_terminal: F,
}

impl<P, F> TerminalIf<P, F> {
    /// The policy without the rule.
    pub fn policy(&self) -> &P {
        &self.policy
    }
}

impl<E, P: Policy<E>, F: Fn(&E) -> bool> Policy<E> for TerminalIf<P, F> {
    fn apply<T, G>(&self, attempt: Attempt<'_>, mut work: G) -> Result<T, PolicyError<E>>
    where
        G: FnMut(Attempt<'_>) -> Result<T, PolicyError<E>>,
    {
        self.policy
            .apply(attempt, |attempt| work(attempt).map_err(|error| error.terminal_if(&self.is_terminal)))
    }

    fn would_wait_for_itself(&self) -> bool {
        self.policy.would_wait_for_itself()
    }

    fn bounds_waits(&self) -> bool {
        self.policy.bounds_waits()
    }
}

// By hand: a closure cannot be shown.
impl<P: fmt::Debug, F> fmt::Debug for TerminalIf<P, F> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("TerminalIf").field("policy", &self.policy).finish_non_exhaustive()
    }
}
