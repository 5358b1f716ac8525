//! One task: its closure, then its result, and who waits for it, in one allocation.
//!
//! # Invariants
//! 1. `body` moves `Queued` to `Running` to `Done`, or `Queued` to `Done` or `Returned`, and from the last two to `Taken`.
//!    Whoever takes it out of `Queued` decides the task's end, and nobody else does.
//! 2. The end is counted under the lock, before `done` is set: who sees the result sees the count, and who has seen the
//!    count finds the result, if need be by waiting for the lock.
//! 3. No code of the user runs under the lock: closures and results are moved out and dropped outside.
//!
//! Lock order: `body` is a leaf.

use std::mem;
use std::sync::Arc;

use super::control::Control;
use super::counters::Outcome;
use super::error::{TaskError, UNNAMED};
use super::gate::Gate;
use super::seat::Seat;
use crate::cancel::{CancellationToken, Cancelled};
use crate::panics::{self, Panic};
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::thread::Thread;

/// What a task does: a closure that takes nothing, or one that takes its context.
pub(super) trait Work: Send {
    type Output: Send;

    /// `seat` is absent where a task that was handed back runs on a thread that is no worker.
    fn work(self, seat: Option<&Seat>, control: Option<&Control>) -> Self::Output;
}

/// A task as the queue and the workers see it.
pub(super) trait Run: Send + Sync {
    /// Runs the task on a worker of its pool; false if it was not queued any more.
    fn run(&self, seat: &Seat) -> bool;
    /// Ends the task as cancelled; false if it was not queued any more. `worker`: see [`Gate`].
    fn cancel(&self, gate: &Gate, worker: Option<usize>, cause: Cancelled) -> bool;
    /// Ends the task as handed back and keeps its closure; false if it was not queued any more.
    fn hand_back(&self, gate: &Gate, worker: Option<usize>) -> bool;
    /// Runs the closure of a task that was handed back; nothing if it was not.
    fn run_returned(&self, seat: Option<&Seat>) -> Result<(), Panic>;
    fn control(&self) -> Option<&Control>;
}

/// A task as its handle sees it.
pub(super) trait Join<T>: Run {
    fn is_done(&self) -> bool;
    /// The result; `None` if there is none yet, or none any more.
    fn take(&self) -> Option<Result<T, TaskError>>;
    /// Has `waiter` unparked at the end of the task; false if it is done.
    fn watch(&self, waiter: Option<Thread>) -> bool;
    /// Whether that worker, of the task's pool, is running it.
    fn runs_on(&self, worker: usize) -> bool;
}

enum Body<W, T> {
    Queued {
        work: W,
        waiter: Option<Thread>,
    },
    Running {
        worker: usize,
        waiter: Option<Thread>,
    },
    /// The error in a box: it is larger than most results, and every task would have to make room for it.
    Done(Result<T, Box<TaskError>>),
    Returned(Option<W>),
    Taken,
}

pub(super) struct Task<W: Work> {
    done: AtomicBool,
    body: Mutex<Body<W, W::Output>>,
    control: Option<Box<Control>>,
}

impl<W: Work> Task<W> {
    pub(super) fn new(work: W, control: Option<Box<Control>>) -> Self {
        Self { done: AtomicBool::new(false), body: Mutex::new(Body::Queued { work, waiter: None }), control }
    }

    /// The closure of a task that was not accepted, so that nobody else can have touched it.
    pub(super) fn reclaim(&self) -> Option<W> {
        match mem::replace(&mut *self.body.lock(), Body::Taken) {
            Body::Queued { work, .. } => Some(work),
            _ => None,
        }
    }

    fn name(&self) -> Arc<str> {
        name_of(self.control.as_deref())
    }

    /// Takes the task out of `Queued` into what `next` makes of it; gives back what `next` kept.
    fn leave_queue<R>(
        &self,
        next: impl FnOnce(W, Option<Thread>) -> (Body<W, W::Output>, Option<Thread>, R),
        count: impl FnOnce(),
    ) -> Option<R> {
        let mut body = self.body.lock();
        match mem::replace(&mut *body, Body::Taken) {
            Body::Queued { work, waiter } => {
                let (after, wake, kept) = next(work, waiter);
                let ended = !matches!(after, Body::Running { .. });
                *body = after;
                if ended {
                    count();
                    // Release pairs with the Acquire in `is_done`: the result is visible.
                    self.done.store(true, Ordering::Release);
                }
                drop(body);
                if let Some(thread) = wake {
                    thread.unpark();
                }
                Some(kept)
            }
            other => {
                *body = other;
                None
            }
        }
    }

    fn finish(&self, result: Result<W::Output, Box<TaskError>>, seat: &Seat) {
        let outcome = if result.is_ok() { Outcome::Succeeded } else { Outcome::Panicked };
        let mut body = self.body.lock();
        let before = mem::replace(&mut *body, Body::Done(result));
        seat.gate().counters.end(outcome, Some(seat.worker()));
        // As in `leave_queue`.
        self.done.store(true, Ordering::Release);
        drop(body);
        if let Body::Running { waiter: Some(thread), .. } = before {
            thread.unpark();
        }
    }
}

impl<W: Work> Run for Task<W> {
    fn run(&self, seat: &Seat) -> bool {
        let start = |work, waiter| (Body::Running { worker: seat.worker(), waiter }, None, work);
        let Some(work) = self.leave_queue(start, || {}) else { return false };
        let result = panics::catch(|| self.name(), || work.work(Some(seat), self.control()));
        self.finish(result.map_err(|panic| Box::new(TaskError::Panicked(panic))), seat);
        true
    }

    fn cancel(&self, gate: &Gate, worker: Option<usize>, cause: Cancelled) -> bool {
        let error = Box::new(TaskError::Cancelled { name: self.name(), cause });
        let end = |work, waiter| (Body::Done(Err(error)), waiter, work);
        match self.leave_queue(end, || gate.counters.end(Outcome::Cancelled, worker)) {
            Some(work) => {
                drop_quietly(work);
                true
            }
            None => false,
        }
    }

    fn hand_back(&self, gate: &Gate, worker: Option<usize>) -> bool {
        let end = |work, waiter| (Body::Returned(Some(work)), waiter, ());
        self.leave_queue(end, || gate.counters.end(Outcome::Returned, worker)).is_some()
    }

    fn run_returned(&self, seat: Option<&Seat>) -> Result<(), Panic> {
        let work = match &mut *self.body.lock() {
            Body::Returned(work) => work.take(),
            _ => None,
        };
        let Some(work) = work else { return Ok(()) };
        panics::catch(|| self.name(), || drop(work.work(seat, self.control())))
    }

    fn control(&self) -> Option<&Control> {
        self.control.as_deref()
    }
}

impl<W: Work> Join<W::Output> for Task<W> {
    fn is_done(&self) -> bool {
        // Acquire pairs with the Release where the task ended. The lock: invariant 2.
        self.done.load(Ordering::Acquire)
            || !matches!(*self.body.lock(), Body::Queued { .. } | Body::Running { .. })
    }

    fn take(&self) -> Option<Result<W::Output, TaskError>> {
        let mut body = self.body.lock();
        match &mut *body {
            Body::Returned(_) => {
                drop(body);
                Some(Err(TaskError::Returned { name: self.name() }))
            }
            Body::Done(_) => match mem::replace(&mut *body, Body::Taken) {
                Body::Done(result) => Some(result.map_err(|error| *error)),
                _ => None,
            },
            _ => None,
        }
    }

    fn watch(&self, thread: Option<Thread>) -> bool {
        match &mut *self.body.lock() {
            Body::Queued { waiter, .. } | Body::Running { waiter, .. } => {
                *waiter = thread;
                true
            }
            _ => false,
        }
    }

    fn runs_on(&self, index: usize) -> bool {
        matches!(*self.body.lock(), Body::Running { worker, .. } if worker == index)
    }
}

/// The task's name, or what a task without one is called.
pub(super) fn name_of(control: Option<&Control>) -> Arc<str> {
    control.and_then(Control::name).map_or_else(|| Arc::from(UNNAMED), Arc::clone)
}

/// Drops what belongs to the user; a panic goes to the panic hook and no further.
pub(super) fn drop_quietly<T>(value: T) {
    if let Err(panic) = panics::catch(|| UNNAMED, || drop(value)) {
        // The payload may panic in its own drop; whatever comes out of that is not given another chance.
        if let Err(again) = panics::catch(|| UNNAMED, || drop(panic)) {
            mem::forget(again);
        }
    }
}

/// The cause, if the token of the pool or the one given to the task is cancelled.
#[inline]
pub(super) fn cancel_cause(task: &(impl Run + ?Sized), gate: &Gate) -> Option<Cancelled> {
    gate.cancelled().or_else(|| {
        let token = task.control()?.given()?;
        token.is_cancelled().then(|| token.cause()).flatten()
    })
}

/// Ends or runs a task that a worker has come to, and says whether it was still queued.
#[inline]
pub(super) fn take_up(task: &(impl Run + ?Sized), seat: &Seat) -> bool {
    match cancel_cause(task, seat.gate()) {
        Some(cause) => task.cancel(seat.gate(), Some(seat.worker()), cause),
        None => task.run(seat),
    }
}

/// A token for the task itself, if it can poll one.
pub(super) fn own_token(task: &(impl Run + ?Sized), gate: &Gate) -> Option<CancellationToken> {
    task.control().map(|control| control.token(gate))
}
