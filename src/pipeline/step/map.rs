//! Steps that turn each item into one: `map`, `try_map`, `inspect`, and the serial stage that keeps no order.

use crate::sync::Mutex;

use super::{Attempt, Passed, RunEnd, Step, StepContext, Tally};

/// One closure call for each item.
#[derive(Debug)]
pub struct Map<F> {
    pub(in super::super) stage: usize,
    pub(in super::super) call: F,
}

impl<T, U: Send, E, F: Fn(T) -> U + Send + Sync> Step<T, E> for Map<F> {
    type Out = U;
    type Local = ();
    const ONE_TO_ONE: bool = true;

    fn local(&self) {}

    #[inline]
    fn apply<const SAMPLED: bool>(
        &self,
        context: &StepContext,
        (): &mut (),
        item: T,
        next: &mut impl FnMut(U) -> Passed<E>,
    ) -> Passed<E> {
        next(context.call::<SAMPLED, _>(self.stage, || (self.call)(item)))
    }

    fn settle(&self, (): &(), entered: u64, tally: &mut Tally) -> u64 {
        tally.parallel(self.stage, entered)
    }
}

/// One closure call for each item, which may fail.
#[derive(Debug)]
pub struct TryMap<F>(pub(in super::super) F);

impl<T, U: Send, E, F: Fn(T) -> Result<U, E> + Send + Sync> Attempt<T, E> for TryMap<F> {
    type Out = U;
    type Local = ();

    fn local(&self) {}

    #[inline]
    fn attempt(&self, (): &mut (), item: T, _: &RunEnd) -> Result<U, E> {
        (self.0)(item)
    }
}

/// Looks at each item.
#[derive(Debug)]
pub struct Inspect<F> {
    pub(in super::super) stage: usize,
    pub(in super::super) call: F,
}

impl<T: Send, E, F: Fn(&T) + Send + Sync> Step<T, E> for Inspect<F> {
    type Out = T;
    type Local = ();
    const ONE_TO_ONE: bool = true;

    fn local(&self) {}

    #[inline]
    fn apply<const SAMPLED: bool>(
        &self,
        context: &StepContext,
        (): &mut (),
        item: T,
        next: &mut impl FnMut(T) -> Passed<E>,
    ) -> Passed<E> {
        context.call::<SAMPLED, _>(self.stage, || (self.call)(&item));
        next(item)
    }

    fn settle(&self, (): &(), entered: u64, tally: &mut Tally) -> u64 {
        tally.parallel(self.stage, entered)
    }
}

/// One item at a time, in whatever order the workers come: a parallel stage around a lock, so it keeps the order of the items.
#[derive(Debug)]
pub struct SerialUnordered<F> {
    pub(in super::super) stage: usize,
    pub(in super::super) call: Mutex<F>,
}

impl<T, U: Send, E, F: FnMut(T) -> U + Send> Step<T, E> for SerialUnordered<F> {
    type Out = U;
    type Local = ();
    const ONE_TO_ONE: bool = true;

    fn local(&self) {}

    #[inline]
    fn apply<const SAMPLED: bool>(
        &self,
        context: &StepContext,
        (): &mut (),
        item: T,
        next: &mut impl FnMut(U) -> Passed<E>,
    ) -> Passed<E> {
        let value = {
            let mut call = self.call.lock();
            context.call::<SAMPLED, _>(self.stage, || (*call)(item))
        };
        next(value)
    }

    fn settle(&self, (): &(), entered: u64, tally: &mut Tally) -> u64 {
        tally.parallel(self.stage, entered)
    }
}
