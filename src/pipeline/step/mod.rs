//! What fused parallel stages do to one item: pushed through closure by closure, without a queue or a call that the compiler
//! cannot see through.
//!
//! [`Then`] joins two steps into one, so a row of neighbouring stages is one type and one loop. A stage counts only what cannot be
//! derived from its neighbours: a `map` lets out what it took in, so it counts nothing.

use std::cell::{Cell, RefCell};

use crate::sync::time;
use crate::trace::RunSpans;

use super::error::Failure;
use super::error_policy::{ErrorPolicy, Stop};
use super::run_end::RunEnd;
use super::tally::Tally;
use super::timed::Calls;

mod draws;
mod init;
mod judged;
mod key;
mod map;
mod select;

pub(super) use init::{MapInit, TryMapInit};
pub(super) use judged::Judged;
pub(super) use key::{Hashed, KeyOf};
pub(super) use map::{Inspect, Map, SerialUnordered, TryMap};
pub(super) use select::{Filter, FilterMap, FlatMap};

/// What a worker remembers while it runs steps: which stage is inside user code, and the sampled times.
#[derive(Debug)]
pub struct StepContext {
    /// Set while unwinding: the stage whose closure panicked.
    pub(super) panicked: Cell<usize>,
    /// The source index of the item; set for steps that [need it](Step::NEEDS_INDEX).
    pub(super) index: Cell<u64>,
    /// The calls that were timed, by stage.
    pub(super) timed: RefCell<Vec<Calls>>,
    /// How many items the one stands for that is being timed.
    stands_for: Cell<u64>,
    /// Whether what is being worked on is timed: not so most results of a timed item that becomes many.
    is_timed: Cell<bool>,
    /// For a step that may go on for long inside one item.
    end: RunEnd,
    /// The spans of the stages: a worker is in one for as long as it runs the stage's code.
    pub(super) spans: RunSpans,
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
    pub(super) fn new(stages: usize, end: RunEnd, spans: RunSpans) -> Self {
        Self {
            panicked: Cell::new(0),
            index: Cell::new(0),
            timed: RefCell::new(vec![Calls::default(); stages]),
            stands_for: Cell::new(1),
            is_timed: Cell::new(false),
            end,
            spans,
        }
    }

    /// The next item is timed, and stands for so many.
    #[inline]
    pub(super) fn time_next(&self, stands_for: u64) {
        self.stands_for.set(stands_for);
        self.is_timed.set(true);
    }

    /// Runs a stage's closure on one item.
    #[inline]
    fn call<const SAMPLED: bool, R>(&self, stage: usize, body: impl FnOnce() -> R) -> R {
        self.open::<SAMPLED>(stage);
        let value = self.part::<SAMPLED, R>(stage, body);
        self.close::<SAMPLED>(stage);
        value
    }

    /// An item comes for which the stage's code is called several times: each with [`part`](Self::part), then [`close`](Self::close).
    #[inline]
    fn open<const SAMPLED: bool>(&self, stage: usize) {
        if SAMPLED && self.is_timed.get() {
            self.timed.borrow_mut()[stage].open();
        }
    }

    #[inline]
    fn close<const SAMPLED: bool>(&self, stage: usize) {
        if SAMPLED && self.is_timed.get() {
            self.timed.borrow_mut()[stage].close(self.stands_for.get());
        }
    }

    /// Runs a part of what a stage does with one item.
    #[inline]
    fn part<const SAMPLED: bool, R>(&self, stage: usize, body: impl FnOnce() -> R) -> R {
        let start = (SAMPLED && self.is_timed.get()).then(time::now);
        let guard = OnUnwind { context: self, stage };
        let value = self.spans.within(stage, body);
        std::mem::forget(guard);
        if let Some(start) = start {
            self.timed.borrow_mut()[stage].part(time::now().saturating_duration_since(start));
        }
        value
    }
}

/// The outcome of one item: failed, or gone as far as it goes.
pub(super) type Passed<E> = Result<(), Box<Failure<E>>>;

/// The closure of a stage that may fail.
pub trait Attempt<T, E>: Send + Sync {
    /// What comes out.
    type Out: Send;
    /// What each worker keeps for it.
    type Local;

    /// The state a worker starts with; runs no user code.
    fn local(&self) -> Self::Local;

    /// Runs it on one item; the run's `end` ends waits.
    fn attempt(&self, local: &mut Self::Local, item: T, end: &RunEnd) -> Result<Self::Out, E>;
}

/// One stage, or several fused into one.
pub trait Step<T, E>: Send + Sync {
    /// What comes out.
    type Out: Send;
    /// What each worker keeps for it.
    type Local;
    /// Whether every item that does not fail gives exactly one.
    const ONE_TO_ONE: bool;
    /// Whether no item gives more than one.
    const AT_MOST_ONE: bool = Self::ONE_TO_ONE;
    /// Whether it reads the [index](StepContext::index) of the item.
    const NEEDS_INDEX: bool = false;

    /// Whether [`undo`](Self::undo) gives something.
    const UNDOES: bool = false;

    /// What had come in, where no stage has begun it: for inputs that are given back.
    fn undo(_out: Self::Out) -> Option<T> {
        None
    }

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
    const UNDOES: bool = true;

    fn undo(out: T) -> Option<T> {
        Some(out)
    }

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
    const AT_MOST_ONE: bool = A::AT_MOST_ONE && B::AT_MOST_ONE;
    const NEEDS_INDEX: bool = A::NEEDS_INDEX || B::NEEDS_INDEX;
    const UNDOES: bool = A::UNDOES && B::UNDOES;

    fn undo(out: B::Out) -> Option<T> {
        B::undo(out).and_then(A::undo)
    }

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
