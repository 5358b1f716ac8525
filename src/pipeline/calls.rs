//! The closures of the stages that run one item at a time, each for itself: serial, keyed and blocking ones.

use super::error::What;
use super::error_policy::{ErrorPolicy, Stop};
use super::run_end::RunEnd;

/// The closure of a serial stage.
pub trait SerialCall<U, E>: Send {
    /// What it gives.
    type Out: Send;

    /// Runs it on one item, and gives nothing for one that is dropped; `index` tells its index in the source, and the run's `end` ends waits.
    fn call(
        &mut self,
        item: U,
        index: impl FnOnce() -> u64,
        end: &RunEnd,
    ) -> Result<Option<Self::Out>, What<E>>;
}

/// The closure of a stage that several threads run at once.
pub trait SharedCall<U, E>: Send + Sync {
    /// What it gives.
    type Out: Send;

    /// Runs it on one item, as that of a serial stage.
    fn call(&self, item: U, index: impl FnOnce() -> u64, end: &RunEnd) -> Result<Option<Self::Out>, What<E>>;
}

/// One that cannot fail.
#[derive(Debug)]
pub struct Sure<F>(pub(super) F);

impl<U, V: Send, E, F: FnMut(U) -> V + Send> SerialCall<U, E> for Sure<F> {
    type Out = V;

    #[inline]
    fn call(&mut self, item: U, _: impl FnOnce() -> u64, _: &RunEnd) -> Result<Option<V>, What<E>> {
        Ok(Some((self.0)(item)))
    }
}

impl<U, V: Send, E, F: Fn(U) -> V + Send + Sync> SharedCall<U, E> for Sure<F> {
    type Out = V;

    #[inline]
    fn call(&self, item: U, _: impl FnOnce() -> u64, _: &RunEnd) -> Result<Option<V>, What<E>> {
        Ok(Some((self.0)(item)))
    }
}

/// One that may fail, with a policy for the items that do.
#[derive(Debug)]
pub struct Fallible<F, R = Stop> {
    pub(super) call: F,
    pub(super) policy: R,
}

impl<U, V, E, F, R> SerialCall<U, E> for Fallible<F, R>
where
    V: Send,
    F: FnMut(U) -> Result<V, E> + Send,
    R: ErrorPolicy<U, E>,
{
    type Out = V;

    #[inline]
    fn call(&mut self, item: U, index: impl FnOnce() -> u64, end: &RunEnd) -> Result<Option<V>, What<E>> {
        self.policy.apply(&mut self.call, item, index, end)
    }
}

impl<U, V, E, F, R> SharedCall<U, E> for Fallible<F, R>
where
    V: Send,
    F: Fn(U) -> Result<V, E> + Send + Sync,
    R: ErrorPolicy<U, E>,
{
    type Out = V;

    #[inline]
    fn call(&self, item: U, index: impl FnOnce() -> u64, end: &RunEnd) -> Result<Option<V>, What<E>> {
        self.policy.apply(&self.call, item, index, end)
    }
}
