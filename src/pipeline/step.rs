//! What fused parallel stages do to one item: pushed through closure by closure, without a queue or a call that the compiler
//! cannot see through.
//!
//! [`Then`] joins two steps into one, so a row of neighbouring stages is one type and one loop. A stage counts only what cannot be
//! derived from its neighbours: a `map` lets out what it took in, so it counts nothing.

use std::cell::{Cell, RefCell};
use std::marker::PhantomData;

use crate::sync::Mutex;
use crate::sync::time::{self, Duration};

use super::error::{Failure, What};
use super::tally::Tally;

/// What a worker remembers while it runs steps: which stage is inside user code, and the sampled times.
#[derive(Debug)]
pub struct StepContext {
    /// Set while unwinding: the stage whose closure panicked.
    pub(super) panicked: Cell<usize>,
    /// Time of the sampled calls, by stage.
    pub(super) sampled: RefCell<Vec<Duration>>,
}

/// Notes the stage when user code unwinds; forgotten when it returns, so it costs nothing then.
struct OnUnwind<'a> {
    context: &'a StepContext,
    stage: usize,
}

impl Drop for OnUnwind<'_> {
    fn drop(&mut self) {
        self.context.panicked.set(self.stage);
    }
}

impl StepContext {
    pub(super) fn new(stages: usize) -> Self {
        Self { panicked: Cell::new(0), sampled: RefCell::new(vec![Duration::ZERO; stages]) }
    }

    /// Runs a stage's closure.
    #[inline]
    fn call<const SAMPLED: bool, R>(&self, stage: usize, body: impl FnOnce() -> R) -> R {
        let start = SAMPLED.then(time::now);
        let guard = OnUnwind { context: self, stage };
        let value = body();
        std::mem::forget(guard);
        if let Some(start) = start {
            self.sampled.borrow_mut()[stage] += time::now().saturating_duration_since(start);
        }
        value
    }
}

/// The outcome of one item: failed, or gone as far as it goes.
pub(super) type Passed<E> = Result<(), Box<Failure<E>>>;

/// Goes on with what a stage gave, or with its error.
#[inline]
fn pass<U, E>(stage: usize, outcome: Result<U, E>, next: &mut impl FnMut(U) -> Passed<E>) -> Passed<E> {
    match outcome {
        Ok(value) => next(value),
        // The segment knows the index.
        Err(error) => Err(Box::new(Failure { stage, index: 0, what: What::Error(error) })),
    }
}

/// One stage, or several fused into one.
pub trait Step<T, E>: Send + Sync {
    /// What comes out.
    type Out: Send;
    /// What each worker keeps for it.
    type Local;
    /// Whether every item that does not fail gives exactly one.
    const ONE_TO_ONE: bool;

    /// The state a worker starts with; runs no user code.
    fn local(&self) -> Self::Local;

    /// Pushes one item through; `next` takes what comes out.
    fn apply<const SAMPLED: bool>(
        &self,
        context: &StepContext,
        local: &mut Self::Local,
        item: T,
        next: &mut impl FnMut(Self::Out) -> Passed<E>,
    ) -> Passed<E>;

    /// Adds a worker's counts to the tally, given how many items it pushed in; returns how many came out.
    fn settle(&self, local: &Self::Local, entered: u64, tally: &mut Tally) -> u64;
}

/// No stage yet.
#[derive(Debug)]
pub struct Through;

impl<T: Send, E> Step<T, E> for Through {
    type Out = T;
    type Local = ();
    const ONE_TO_ONE: bool = true;

    fn local(&self) {}

    #[inline]
    fn apply<const SAMPLED: bool>(
        &self,
        _: &StepContext,
        (): &mut (),
        item: T,
        next: &mut impl FnMut(T) -> Passed<E>,
    ) -> Passed<E> {
        next(item)
    }

    fn settle(&self, (): &(), entered: u64, _: &mut Tally) -> u64 {
        entered
    }
}

/// Two steps, one after the other.
#[derive(Debug)]
pub struct Then<A, B> {
    pub(super) first: A,
    pub(super) second: B,
}

impl<T, E, A, B> Step<T, E> for Then<A, B>
where
    A: Step<T, E>,
    B: Step<A::Out, E>,
{
    type Out = B::Out;
    type Local = (A::Local, B::Local);
    const ONE_TO_ONE: bool = A::ONE_TO_ONE && B::ONE_TO_ONE;

    fn local(&self) -> Self::Local {
        (self.first.local(), self.second.local())
    }

    #[inline]
    fn apply<const SAMPLED: bool>(
        &self,
        context: &StepContext,
        (first, second): &mut Self::Local,
        item: T,
        next: &mut impl FnMut(B::Out) -> Passed<E>,
    ) -> Passed<E> {
        self.first.apply::<SAMPLED>(context, first, item, &mut |between| {
            self.second.apply::<SAMPLED>(context, second, between, next)
        })
    }

    fn settle(&self, (first, second): &Self::Local, entered: u64, tally: &mut Tally) -> u64 {
        let between = self.first.settle(first, entered, tally);
        self.second.settle(second, between, tally)
    }
}

/// One closure call for each item.
#[derive(Debug)]
pub struct Map<F> {
    pub(super) stage: usize,
    pub(super) call: F,
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
        tally.parallel(self.stage, entered, None)
    }
}

/// One closure call for each item, which may fail.
#[derive(Debug)]
pub struct TryMap<F> {
    pub(super) stage: usize,
    pub(super) call: F,
}

impl<T, U: Send, E, F: Fn(T) -> Result<U, E> + Send + Sync> Step<T, E> for TryMap<F> {
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
        let outcome = context.call::<SAMPLED, _>(self.stage, || (self.call)(item));
        pass(self.stage, outcome, next)
    }

    fn settle(&self, (): &(), entered: u64, tally: &mut Tally) -> u64 {
        tally.parallel(self.stage, entered, None)
    }
}

/// Looks at each item.
#[derive(Debug)]
pub struct Inspect<F> {
    pub(super) stage: usize,
    pub(super) call: F,
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
        tally.parallel(self.stage, entered, None)
    }
}

/// Keeps the items for which the closure is true.
#[derive(Debug)]
pub struct Filter<F> {
    pub(super) stage: usize,
    pub(super) call: F,
}

impl<T: Send, E, F: Fn(&T) -> bool + Send + Sync> Step<T, E> for Filter<F> {
    type Out = T;
    // How many were kept.
    type Local = u64;
    const ONE_TO_ONE: bool = false;

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
        if context.call::<SAMPLED, _>(self.stage, || (self.call)(&item)) {
            *kept += 1;
            next(item)
        } else {
            // Dropping is user code too.
            context.call::<SAMPLED, _>(self.stage, || drop(item));
            Ok(())
        }
    }

    fn settle(&self, kept: &u64, entered: u64, tally: &mut Tally) -> u64 {
        tally.parallel(self.stage, entered, Some(*kept))
    }
}

/// Keeps the items for which the closure gives something.
#[derive(Debug)]
pub struct FilterMap<F> {
    pub(super) stage: usize,
    pub(super) call: F,
}

impl<T, U: Send, E, F: Fn(T) -> Option<U> + Send + Sync> Step<T, E> for FilterMap<F> {
    type Out = U;
    // How many were kept.
    type Local = u64;
    const ONE_TO_ONE: bool = false;

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
        tally.parallel(self.stage, entered, Some(*kept))
    }
}

/// Any number of items for each one.
#[derive(Debug)]
pub struct FlatMap<F> {
    pub(super) stage: usize,
    pub(super) call: F,
}

impl<T, I, E, F> Step<T, E> for FlatMap<F>
where
    I: IntoIterator,
    I::Item: Send,
    F: Fn(T) -> I + Send + Sync,
{
    type Out = I::Item;
    // How many came out.
    type Local = u64;
    const ONE_TO_ONE: bool = false;

    fn local(&self) -> u64 {
        0
    }

    #[inline]
    fn apply<const SAMPLED: bool>(
        &self,
        context: &StepContext,
        emitted: &mut u64,
        item: T,
        next: &mut impl FnMut(I::Item) -> Passed<E>,
    ) -> Passed<E> {
        // The iterator is user code too: `next` and its drop run inside `call`.
        let mut items = context.call::<SAMPLED, _>(self.stage, || (self.call)(item).into_iter());
        while let Some(value) = context.call::<SAMPLED, _>(self.stage, || items.next()) {
            *emitted += 1;
            next(value)?;
        }
        context.call::<SAMPLED, _>(self.stage, || drop(items));
        Ok(())
    }

    fn settle(&self, emitted: &u64, entered: u64, tally: &mut Tally) -> u64 {
        tally.parallel(self.stage, entered, Some(*emitted))
    }
}

/// One closure call for each item, with a state of the worker's own, made when the worker meets its first item.
#[derive(Debug)]
pub struct MapInit<N, S, F> {
    pub(super) stage: usize,
    pub(super) init: N,
    pub(super) call: F,
    // A function type, so that the state itself need be neither `Send` nor `Sync`: no worker ever sees another's.
    pub(super) state: PhantomData<fn() -> S>,
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
        tally.parallel(self.stage, entered, None)
    }
}

/// As [`MapInit`], but may fail.
#[derive(Debug)]
pub struct TryMapInit<N, S, F> {
    pub(super) stage: usize,
    pub(super) init: N,
    pub(super) call: F,
    pub(super) state: PhantomData<fn() -> S>,
}

impl<T, U: Send, E, S, N, F> Step<T, E> for TryMapInit<N, S, F>
where
    N: Fn() -> S + Send + Sync,
    F: Fn(&mut S, T) -> Result<U, E> + Send + Sync,
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
        let outcome = context
            .call::<SAMPLED, _>(self.stage, || (self.call)(state.get_or_insert_with(&self.init), item));
        pass(self.stage, outcome, next)
    }

    fn settle(&self, _: &Option<S>, entered: u64, tally: &mut Tally) -> u64 {
        tally.parallel(self.stage, entered, None)
    }
}

/// One item at a time, in whatever order the workers come: a parallel stage around a lock, so it keeps the order of the items.
#[derive(Debug)]
pub struct SerialUnordered<F> {
    pub(super) stage: usize,
    pub(super) call: Mutex<F>,
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
        tally.parallel(self.stage, entered, None)
    }
}
