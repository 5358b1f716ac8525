//! A stage's closure that is run under policies.

use crate::policy::{Attempt as PolicyAttempt, Policy, PolicyError};

use super::calls::{Fallible, SharedCall};
use super::error::What;
use super::error_policy::ErrorPolicy;
use super::run_end::RunEnd;
use super::step::Attempt;

/// The closure, which borrows the item so that it can be run again, and what it is run under.
#[derive(Debug)]
pub struct Guarded<Q, F> {
    pub(super) policy: Q,
    pub(super) call: F,
}

impl<Q, F> Guarded<Q, F> {
    #[inline]
    fn run<T, U, E>(&self, item: &T, end: &RunEnd) -> Result<U, PolicyError<E>>
    where
        Q: Policy<E>,
        F: Fn(&T, PolicyAttempt<'_>) -> Result<U, E>,
    {
        // The run's own token: waits end with the run, also where another stage has ended it.
        self.policy.call_with(end.token(), |attempt| (self.call)(item, attempt))
    }
}

impl<T, U, E, Q, F> Attempt<T, PolicyError<E>> for Guarded<Q, F>
where
    U: Send,
    Q: Policy<E> + Send + Sync,
    F: Fn(&T, PolicyAttempt<'_>) -> Result<U, E> + Send + Sync,
{
    type Out = U;
    type Local = ();

    fn local(&self) {}

    #[inline]
    fn attempt(&self, (): &mut (), item: T, end: &RunEnd) -> Result<U, PolicyError<E>> {
        self.run(&item, end)
    }
}

impl<T, U, E, Q, F, R> SharedCall<T, PolicyError<E>> for Fallible<Guarded<Q, F>, R>
where
    U: Send,
    Q: Policy<E> + Send + Sync,
    F: Fn(&T, PolicyAttempt<'_>) -> Result<U, E> + Send + Sync,
    R: ErrorPolicy<T, PolicyError<E>>,
{
    type Out = U;

    #[inline]
    fn call(
        &self,
        item: T,
        index: impl FnOnce() -> u64,
        end: &RunEnd,
    ) -> Result<Option<U>, What<PolicyError<E>>> {
        self.policy.apply(|item| self.call.run(&item, end), item, index, end)
    }
}
