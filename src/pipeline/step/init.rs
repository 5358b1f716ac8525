//! Steps with a state of the worker's own: `map_init`, `try_map_init`.

use std::marker::PhantomData;

use super::{Attempt, Passed, RunEnd, Step, StepContext, Tally};

/// One closure call for each item, with a state of the worker's own, made when the worker meets its first item.
#[derive(Debug)]
pub struct MapInit<N, S, F> {
    pub(in super::super) stage: usize,
    pub(in super::super) init: N,
    pub(in super::super) call: F,
    // A function type, so that the state itself need be neither `Send` nor `Sync`: no worker ever sees another's.
    pub(in super::super) state: PhantomData<fn() -> S>,
}

impl<T, U: Send, E, S, N, F> Step<T, E> for MapInit<N, S, F>
where
    N: Fn() -> S + Send + Sync,
    F: Fn(&mut S, T) -> U + Send + Sync,
{
    type Out = U;
    type Local = Option<S>;
    const ONE_TO_ONE: bool = true;

    fn local(&self) -> Option<S> {
        None
    }

    #[inline]
    fn apply<const SAMPLED: bool>(
        &self,
        context: &StepContext,
        state: &mut Option<S>,
        item: T,
        next: &mut impl FnMut(U) -> Passed<E>,
    ) -> Passed<E> {
        let value = context
            .call::<SAMPLED, _>(self.stage, || (self.call)(state.get_or_insert_with(&self.init), item));
        next(value)
    }

    fn settle(&self, _: &Option<S>, entered: u64, tally: &mut Tally) -> u64 {
        tally.parallel(self.stage, entered)
    }
}

/// As [`MapInit`], but may fail.
#[derive(Debug)]
pub struct TryMapInit<N, S, F> {
    pub(in super::super) init: N,
    pub(in super::super) call: F,
    pub(in super::super) state: PhantomData<fn() -> S>,
}

impl<T, U: Send, E, S, N, F> Attempt<T, E> for TryMapInit<N, S, F>
where
    N: Fn() -> S + Send + Sync,
    F: Fn(&mut S, T) -> Result<U, E> + Send + Sync,
{
    type Out = U;
    type Local = Option<S>;

    fn local(&self) -> Option<S> {
        None
    }

    #[inline]
    fn attempt(&self, state: &mut Option<S>, item: T, _: &RunEnd) -> Result<U, E> {
        (self.call)(state.get_or_insert_with(&self.init), item)
    }
}
