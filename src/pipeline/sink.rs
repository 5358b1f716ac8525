//! What takes the results: one item at a time, in order or not.

use crate::sync::channel::Sender;

use super::error::What;
use super::error_policy::{ErrorPolicy, Stop};
use super::report::Report;
use super::run_end::RunEnd;
use super::sending::{NotSent, send};

/// Why a sink did not take an item.
#[derive(Debug)]
pub enum Refused<E> {
    /// It failed.
    Failed(What<E>),
    /// It failed, and the run goes on without the item.
    Skipped,
    /// The run is over.
    Stopped,
}

/// Takes the results of a pipeline.
pub trait Sink<T, E> {
    /// What a run that succeeds gives.
    type Outcome;

    /// Takes one item; `index` tells its index in the source, and the run's `end` ends waits.
    fn accept(&mut self, item: T, index: impl FnOnce() -> u64, end: &RunEnd) -> Result<(), Refused<E>>;

    /// Everything has been taken.
    fn finish(self, report: Report) -> Self::Outcome;
}

/// Calls a closure for each item.
#[derive(Debug)]
pub struct ForEach<F>(pub(super) F);

impl<T, E, F: FnMut(T)> Sink<T, E> for ForEach<F> {
    type Outcome = Report;

    #[inline]
    fn accept(&mut self, item: T, _: impl FnOnce() -> u64, _: &RunEnd) -> Result<(), Refused<E>> {
        (self.0)(item);
        Ok(())
    }

    fn finish(self, report: Report) -> Report {
        // First, also below: were its drop to panic after the value to return is made, that would never be dropped (rust-lang/rust#47949).
        drop(self);
        report
    }
}

/// Calls a closure that may fail for each item, with a policy for those that do.
#[derive(Debug)]
pub struct TryForEach<F, R = Stop> {
    pub(super) call: F,
    pub(super) policy: R,
}

impl<T, E, F, R> Sink<T, E> for TryForEach<F, R>
where
    F: FnMut(T) -> Result<(), E>,
    R: ErrorPolicy<T, E>,
{
    type Outcome = Report;

    #[inline]
    fn accept(&mut self, item: T, index: impl FnOnce() -> u64, end: &RunEnd) -> Result<(), Refused<E>> {
        match self.policy.apply(&mut self.call, item, index, end) {
            Ok(Some(())) => Ok(()),
            Ok(None) => Err(Refused::Skipped),
            Err(what) => Err(Refused::Failed(what)),
        }
    }

    fn finish(self, report: Report) -> Report {
        drop(self);
        report
    }
}

/// Extends a collection.
#[derive(Debug)]
pub struct Collect<C>(pub(super) C);

impl<T, E, C: Extend<T>> Sink<T, E> for Collect<C> {
    type Outcome = (C, Report);

    #[inline]
    fn accept(&mut self, item: T, _: impl FnOnce() -> u64, _: &RunEnd) -> Result<(), Refused<E>> {
        self.0.extend(std::iter::once(item));
        Ok(())
    }

    fn finish(self, report: Report) -> (C, Report) {
        (self.0, report)
    }
}

/// Folds the items into a value.
#[derive(Debug)]
pub struct Fold<A, F> {
    // `None` only after the closure has panicked, and then the run has failed.
    pub(super) value: Option<A>,
    pub(super) call: F,
}

impl<T, E, A, F: FnMut(A, T) -> A> Sink<T, E> for Fold<A, F> {
    type Outcome = (A, Report);

    #[inline]
    fn accept(&mut self, item: T, _: impl FnOnce() -> u64, _: &RunEnd) -> Result<(), Refused<E>> {
        if let Some(value) = self.value.take() {
            self.value = Some((self.call)(value, item));
        }
        Ok(())
    }

    fn finish(self, report: Report) -> (A, Report) {
        drop(self.call);
        (self.value.expect("a fold whose closure panicked has failed"), report)
    }
}

/// Folds the items into one of themselves.
#[derive(Debug)]
pub struct Reduce<T, F> {
    pub(super) value: Option<T>,
    pub(super) call: F,
}

impl<T, E, F: FnMut(T, T) -> T> Sink<T, E> for Reduce<T, F> {
    type Outcome = (Option<T>, Report);

    #[inline]
    fn accept(&mut self, item: T, _: impl FnOnce() -> u64, _: &RunEnd) -> Result<(), Refused<E>> {
        self.value = Some(match self.value.take() {
            Some(value) => (self.call)(value, item),
            None => item,
        });
        Ok(())
    }

    fn finish(self, report: Report) -> (Option<T>, Report) {
        drop(self.call);
        (self.value, report)
    }
}

/// Sends the items into a channel.
#[derive(Debug)]
pub struct Send<T>(pub(super) Sender<T>);

impl<T, E> Sink<T, E> for Send<T> {
    type Outcome = Report;

    fn accept(&mut self, item: T, _: impl FnOnce() -> u64, end: &RunEnd) -> Result<(), Refused<E>> {
        send(&self.0, item, end).map_err(|not_sent| match not_sent {
            NotSent::ReceiverGone(_) => Refused::Failed(What::ReceiverGone(None)),
            NotSent::RunEnded(_) => Refused::Stopped,
        })
    }

    fn finish(self, report: Report) -> Report {
        report
    }
}
