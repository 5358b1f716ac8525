//! What takes the results: one item at a time, in order or not.

use std::convert::Infallible;

use crate::cancel::CancellationToken;
use crate::sync::channel::{Receiver, Select, Sender, TrySendError};

use super::error::What;
use super::report::Report;

/// Why a sink did not take an item.
#[derive(Debug)]
pub enum Refused<E> {
    /// It failed.
    Failed(What<E>),
    /// The run is over.
    Stopped,
}

/// Takes the results of a pipeline.
pub trait Sink<T, E> {
    /// What a run that succeeds gives.
    type Outcome;

    /// The run begins: `token` ends waits.
    fn begin(&mut self, token: &CancellationToken);

    /// Takes one item.
    fn accept(&mut self, item: T) -> Result<(), Refused<E>>;

    /// Everything has been taken.
    fn finish(self, report: Report) -> Self::Outcome;
}

/// Calls a closure for each item.
#[derive(Debug)]
pub struct ForEach<F>(pub(super) F);

impl<T, E, F: FnMut(T)> Sink<T, E> for ForEach<F> {
    type Outcome = Report;

    fn begin(&mut self, _: &CancellationToken) {}

    #[inline]
    fn accept(&mut self, item: T) -> Result<(), Refused<E>> {
        (self.0)(item);
        Ok(())
    }

    fn finish(self, report: Report) -> Report {
        report
    }
}

/// Calls a closure that may fail for each item.
#[derive(Debug)]
pub struct TryForEach<F>(pub(super) F);

impl<T, E, F: FnMut(T) -> Result<(), E>> Sink<T, E> for TryForEach<F> {
    type Outcome = Report;

    fn begin(&mut self, _: &CancellationToken) {}

    #[inline]
    fn accept(&mut self, item: T) -> Result<(), Refused<E>> {
        (self.0)(item).map_err(|error| Refused::Failed(What::Error(error)))
    }

    fn finish(self, report: Report) -> Report {
        report
    }
}

/// Extends a collection.
#[derive(Debug)]
pub struct Collect<C>(pub(super) C);

impl<T, E, C: Extend<T>> Sink<T, E> for Collect<C> {
    type Outcome = (C, Report);

    fn begin(&mut self, _: &CancellationToken) {}

    #[inline]
    fn accept(&mut self, item: T) -> Result<(), Refused<E>> {
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

    fn begin(&mut self, _: &CancellationToken) {}

    #[inline]
    fn accept(&mut self, item: T) -> Result<(), Refused<E>> {
        if let Some(value) = self.value.take() {
            self.value = Some((self.call)(value, item));
        }
        Ok(())
    }

    fn finish(self, report: Report) -> (A, Report) {
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

    fn begin(&mut self, _: &CancellationToken) {}

    #[inline]
    fn accept(&mut self, item: T) -> Result<(), Refused<E>> {
        self.value = Some(match self.value.take() {
            Some(value) => (self.call)(value, item),
            None => item,
        });
        Ok(())
    }

    fn finish(self, report: Report) -> (Option<T>, Report) {
        (self.value, report)
    }
}

/// Sends the items into a channel.
#[derive(Debug)]
pub struct Send<T> {
    sender: Sender<T>,
    cancelled: Option<Receiver<Infallible>>,
}

impl<T> Send<T> {
    pub(super) fn new(sender: Sender<T>) -> Self {
        Self { sender, cancelled: None }
    }
}

impl<T, E> Sink<T, E> for Send<T> {
    type Outcome = Report;

    fn begin(&mut self, token: &CancellationToken) {
        self.cancelled = Some(token.cancelled());
    }

    fn accept(&mut self, item: T) -> Result<(), Refused<E>> {
        let mut item = item;
        let mut cancelled = false;
        loop {
            item = match self.sender.try_send(item) {
                Ok(()) => return Ok(()),
                Err(TrySendError::Disconnected(_)) => return Err(Refused::Failed(What::ReceiverGone)),
                Err(TrySendError::Full(_)) if cancelled => return Err(Refused::Stopped),
                Err(TrySendError::Full(item)) => item,
            };
            let mut select = Select::new();
            let send = select.send(&self.sender);
            if let Some(cancelled) = &self.cancelled {
                select.recv(cancelled);
            }
            // One more try after a cancellation: the channel may have room by now.
            cancelled = select.ready() != send;
        }
    }

    fn finish(self, report: Report) -> Report {
        report
    }
}
