//! A durable task on its way through a pool: its input, its claim, and where its end is told.

use std::sync::Arc;

use serde::Serialize;

use super::cell::{Cell, Ended};
use super::context::LazyToken;
use super::error::DurableErrorKind;
use super::shared::{Ran, Shared};
use crate::cancel::CancellationToken;
use crate::journal::core::Order;
use crate::journal::record::{Entry, Kind};
use crate::pool::{Job, JobContext, JobEnd, JobFailed, TaskError, drop_quietly};
use crate::sync::time;

/// Dropped before it has run, it frees the claim and ends the handle.
pub(super) struct Work<I, T> {
    inside: Option<Inside<I, T>>,
}

struct Inside<I, T> {
    shared: Arc<Shared<I, T>>,
    order: Order,
    input: I,
    cell: Arc<Cell<T>>,
}

impl<I, T> Work<I, T> {
    pub(super) fn new(shared: Arc<Shared<I, T>>, order: Order, input: I, cell: Arc<Cell<T>>) -> Self {
        Self { inside: Some(Inside { shared, order, input, cell }) }
    }

    /// The input of one that the pool did not take; its claim is free.
    pub(super) fn into_input(mut self) -> Option<I> {
        self.inside.take().map(|inside| inside.input)
    }
}

impl<I, T: Serialize + Send + 'static> Work<I, T> {
    /// Runs it on this thread and hands its record to the committer; `is_urgent` if somebody waits for that.
    pub(super) fn run_here(mut self, token: &dyn Fn() -> CancellationToken, is_urgent: bool) -> JobEnd {
        match self.inside.take() {
            Some(inside) => inside.run(&LazyToken::new(token), is_urgent),
            None => Err(JobFailed),
        }
    }
}

impl<I, T: Serialize + Send + 'static> Inside<I, T> {
    fn run(self, token: &LazyToken<'_>, is_urgent: bool) -> JobEnd {
        let Self { shared, order, input, cell } = self;
        let started = time::now();
        let core = &shared.scope.core;
        let (attempts, ran) = if order.crashes() >= shared.options.crash_limit.get() {
            (0, set_aside(order.crashes()))
        } else {
            core.begin(&order, shared.pace.is_long());
            match core.refusing() {
                // Nothing that it did could be recorded.
                Some(error) => (0, Ran::Loose(DurableErrorKind::Journal(error))),
                None => shared.run(order.key(), &input, order.crashes(), token),
            }
        };
        order.rest();
        let took = time::now().saturating_duration_since(started);
        shared.pace.note(took);
        drop_quietly(input);
        match ran {
            Ran::Whole { kind, payload, outcome } => {
                let end = if outcome.is_ok() { Ok(()) } else { Err(JobFailed) };
                let took = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
                let (is_awaited, untold) = cell.ran(outcome);
                core.record(order, Entry { kind, attempts, took, payload }, is_awaited || is_urgent, cell);
                drop_quietly(untold);
                end
            }
            Ran::Loose(kind) => {
                drop(order); // before anybody hears of the end and hands the key in again
                cell.end_unrecorded(kind);
                Err(JobFailed)
            }
        }
    }
}

fn set_aside<T>(crashes: u32) -> Ran<T> {
    let outcome = Err(DurableErrorKind::CrashLoop { crashes });
    Ran::Whole { kind: Kind::CrashLoop, payload: crashes.to_le_bytes().to_vec(), outcome }
}

impl<I: Send, T: Serialize + Send + 'static> Job for Work<I, T> {
    fn run(self, context: &JobContext<'_>) -> JobEnd {
        self.run_here(&|| context.token(), false)
    }

    fn handed_back(&mut self, name: Arc<str>) {
        if let Some(inside) = &self.inside {
            let error = DurableErrorKind::NotRun(TaskError::Returned { name });
            inside.cell.end(Ended::Here(Err(error)));
        }
    }
}

impl<I, T> Drop for Work<I, T> {
    fn drop(&mut self) {
        if let Some(Inside { order, cell, .. }) = self.inside.take() {
            drop(order);
            cell.end(Ended::NotRun);
        }
    }
}
