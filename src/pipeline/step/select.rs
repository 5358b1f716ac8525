//! Steps that drop items or make several of one: `filter`, `filter_map`, `flat_map`.

use super::draws::{Draws, Turns};
use super::{Passed, Step, StepContext, Tally};
use crate::panics;

/// Keeps the items for which the closure is true.
#[derive(Debug)]
pub struct Filter<F> {
    pub(in super::super) stage: usize,
    pub(in super::super) call: F,
}

impl<T: Send, E, F: Fn(&T) -> bool + Send + Sync> Step<T, E> for Filter<F> {
    type Out = T;
    // How many were kept.
    type Local = u64;
    const ONE_TO_ONE: bool = false;
    const AT_MOST_ONE: bool = true;

    fn local(&self) -> u64 {
        0
    }

    #[inline]
    fn apply<const SAMPLED: bool>(
        &self,
        context: &StepContext,
        kept: &mut u64,
        item: T,
        next: &mut impl FnMut(T) -> Passed<E>,
    ) -> Passed<E> {
        context.open::<SAMPLED>(self.stage);
        let keep = context.part::<SAMPLED, _>(self.stage, || (self.call)(&item));
        if keep {
            context.close::<SAMPLED>(self.stage);
            *kept += 1;
            next(item)
        } else {
            // Dropping is user code too.
            context.part::<SAMPLED, _>(self.stage, || drop(item));
            context.close::<SAMPLED>(self.stage);
            Ok(())
        }
    }

    fn settle(&self, kept: &u64, entered: u64, tally: &mut Tally) -> u64 {
        tally.filtering(self.stage, entered, *kept)
    }
}

/// Keeps the items for which the closure gives something.
#[derive(Debug)]
pub struct FilterMap<F> {
    pub(in super::super) stage: usize,
    pub(in super::super) call: F,
}

impl<T, U: Send, E, F: Fn(T) -> Option<U> + Send + Sync> Step<T, E> for FilterMap<F> {
    type Out = U;
    // How many were kept.
    type Local = u64;
    const ONE_TO_ONE: bool = false;
    const AT_MOST_ONE: bool = true;

    fn local(&self) -> u64 {
        0
    }

    #[inline]
    fn apply<const SAMPLED: bool>(
        &self,
        context: &StepContext,
        kept: &mut u64,
        item: T,
        next: &mut impl FnMut(U) -> Passed<E>,
    ) -> Passed<E> {
        match context.call::<SAMPLED, _>(self.stage, || (self.call)(item)) {
            Some(value) => {
                *kept += 1;
                next(value)
            }
            None => Ok(()),
        }
    }

    fn settle(&self, kept: &u64, entered: u64, tally: &mut Tally) -> u64 {
        tally.filtering(self.stage, entered, *kept)
    }
}

/// Any number of items for each one.
#[derive(Debug)]
pub struct FlatMap<F> {
    pub(in super::super) stage: usize,
    pub(in super::super) call: F,
}

impl<T, I, E, F> Step<T, E> for FlatMap<F>
where
    I: IntoIterator,
    I::Item: Send,
    F: Fn(T) -> I + Send + Sync,
{
    type Out = I::Item;
    // How many came out, and which of them are timed.
    type Local = (u64, Draws);
    const ONE_TO_ONE: bool = false;

    fn local(&self) -> Self::Local {
        (0, Draws::default())
    }

    #[inline]
    fn apply<const SAMPLED: bool>(
        &self,
        context: &StepContext,
        (emitted, results): &mut Self::Local,
        item: T,
        next: &mut impl FnMut(I::Item) -> Passed<E>,
    ) -> Passed<E> {
        // The iterator is user code too: `next` and its drop run inside `call`.
        context.open::<SAMPLED>(self.stage);
        let mut items = context.part::<SAMPLED, _>(self.stage, || (self.call)(item).into_iter());
        let mut turns = (SAMPLED && context.is_timed.get()).then(|| Turns::new(context, self.stage, results));
        while let Some(value) = match &mut turns {
            None => context.part::<false, _>(self.stage, || items.next()),
            Some(turns) => turns.pull(context, || items.next()),
        } {
            *emitted += 1;
            if let Err(failure) = next(value) {
                // The failure is what is told.
                panics::drop_quietly(items);
                return Err(failure);
            }
            if let Some(turns) = &mut turns {
                turns.through(context);
            }
            if context.end.is_seen() {
                break; // the run is over, and nobody wants the rest
            }
        }
        if let Some(turns) = turns {
            turns.end(context);
        }
        context.part::<SAMPLED, _>(self.stage, || drop(items));
        context.close::<SAMPLED>(self.stage);
        Ok(())
    }

    fn settle(&self, (emitted, _): &Self::Local, entered: u64, tally: &mut Tally) -> u64 {
        tally.multiplying(self.stage, entered, *emitted)
    }
}
