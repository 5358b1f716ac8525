//! One task: its closure, then its result, and who waits for it, in one allocation.
//!
//! # Invariants
//! 1. `body` moves `Queued` to `Running` to `Done`, or `Queued` to `Done` or `Returned`, and `Done` to `Taken`.
//!    Whoever takes it out of `Queued` decides the task's end, and nobody else does.
//! 2. The end is counted under the lock, before `done` is set: who sees the result sees the count, and who has seen the
//!    count finds the result, if need be by waiting for the lock.
//! 3. Who waits is told under the lock, before the end is counted: whoever has seen one task's end, by its handle or in the
//!    counts, finds it ahead of ends that come later.
//! 4. No code of the user runs under the lock, but the question to a policy whether it would wait for this very thread, which may not wait for anything: closures and
//!    results are moved out and dropped outside.
//!
//! Lock order: `body` is a leaf, but for what a policy looks at to answer that.

use std::mem;
use std::ops::Range;
use std::sync::Arc;

use super::control::Control;
use super::counters::Outcome;
use super::error::{TaskError, UNNAMED};
use super::gate::Gate;
use super::seat::Seat;
use super::site::Site;
use super::waiter::Waiter;
use crate::cancel::{CancellationToken, Cancelled};
pub(crate) use crate::panics::drop_quietly;
use crate::panics::{self, Panic};
use crate::policy;
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::trace::{TaskEnd, TaskSpan};

/// What a task does: a closure that takes nothing, or one that takes its context.
pub(super) trait Work: Send {
    type Output: Send;

    /// Whether it may wait for permits, some of which its submitter may hold.
    const MAY_WAIT: bool = false;

    /// Whether it would wait for permits that the calling thread holds.
    fn would_wait_for_itself(&self) -> bool {
        false
    }

    /// Whether that result counts as a failure.
    fn is_failure(_result: &Self::Output) -> bool {
        false
    }

    /// It was taken out of the queue unstarted, and is handed back. Under the task's lock, like telling who waits: it may do that, and no more.
    fn handed_back(&mut self, _control: Option<&Control>) {}

    /// `seat` is absent on a thread that is no worker, and `gate` too if the task was handed back.
    fn work(self, gate: Option<&Gate>, seat: Option<&Seat>, control: Option<&Control>) -> Self::Output;
}

/// A task as the queue and the workers see it.
pub(super) trait Run: Send + Sync {
    /// Runs the task on the calling thread: a worker of its pool, or somebody else's; false if it was not queued any more.
    fn run(&self, site: Site<'_>) -> bool;
    /// Ends the task as cancelled; false if it was not queued any more. `worker`: see [`Gate`].
    fn cancel(&self, gate: &Gate, worker: Option<usize>, cause: Cancelled) -> bool;
    /// Ends the task as handed back and keeps its closure; `None` if it was not queued any more. The span is to be ended with no lock held.
    fn hand_back(&self, gate: &Gate, worker: Option<usize>) -> Option<TaskSpan>;
    /// Runs the closure of a task that was handed back; nothing if it was not. `part`: which, of an entry that stands for several.
    fn run_returned(&self, part: usize, seat: Option<&Seat>) -> Result<(), Panic>;
    /// Drops the closure of a task that was handed back.
    fn discard_returned(&self, part: usize);
    /// The parts that were handed back since this was last asked: an entry that stands for several tasks may be handed back more often than once,
    /// and each of them is given out once.
    fn returned_parts(&self) -> Range<usize> {
        0..1
    }
    fn control(&self) -> Option<&Control>;
    /// Whether it stands for one task, whose times are those of the entry.
    fn is_single(&self) -> bool {
        true
    }
    /// Whether it has ended, in whatever way.
    fn is_over(&self) -> bool;
    /// Whether it has not started.
    fn is_queued(&self) -> bool;
    /// Whether that worker, of the task's pool, is running it.
    fn runs_on(&self, worker: usize) -> bool;
    /// Whether the calling thread would wait for itself if it ran the task now.
    fn would_wait_for_itself(&self) -> bool {
        false
    }
}

/// A task in the queue.
pub(super) type Queued<'env> = Arc<dyn Run + 'env>;

/// A task in the queue, and when it came there (0: that is not measured), as
/// [`Running::now`](super::running::Running::now) gives it.
pub(super) struct Entry<'env> {
    pub(super) task: Queued<'env>,
    pub(super) queued_at: u64,
}

/// A task as its handle sees it.
pub(super) trait Join<T>: Run {
    /// The result; `None` if there is none yet, or none any more.
    fn take(self: Arc<Self>) -> Option<Result<T, TaskError>>;
    /// Has `waiter` told of the end of the task; gives it back if the task is done.
    fn watch(&self, waiter: Option<Box<Waiter>>) -> Result<(), Option<Box<Waiter>>>;
}

enum Body<W, T> {
    Queued {
        work: W,
        waiter: Option<Box<Waiter>>,
        /// In here, so that whoever decides the task's end has it, and nobody else.
        span: TaskSpan,
    },
    Running {
        /// `None` if it runs on a thread that is no worker of its pool.
        worker: Option<usize>,
        waiter: Option<Box<Waiter>>,
    },
    /// The error in a box: it is larger than most results, and every task would have to make room for it.
    Done(Result<T, Box<TaskError>>),
    Returned {
        /// `None` once it was run or dropped.
        work: Option<W>,
        /// Whether the handle has been told.
        is_taken: bool,
    },
    Taken,
}

pub(super) struct Task<W: Work> {
    done: AtomicBool,
    body: Mutex<Body<W, W::Output>>,
    control: Option<Box<Control>>,
}

impl<W: Work> Task<W> {
    pub(super) fn new(work: W, control: Option<Box<Control>>, span: TaskSpan) -> Self {
        let body = Mutex::new(Body::Queued { work, waiter: None, span });
        Self { done: AtomicBool::new(false), body, control }
    }

    /// As [`Run::control`], for whoever knows the type.
    pub(super) fn options(&self) -> Option<&Control> {
        self.control.as_deref()
    }

    /// The closure of a task that was not accepted, so that nobody else can have touched it.
    pub(super) fn reclaim(&self) -> Option<W> {
        let before = mem::replace(&mut *self.body.lock(), Body::Taken);
        match before {
            Body::Queued { work, span, .. } => {
                span.end(TaskEnd::Refused);
                Some(work)
            }
            _ => None,
        }
    }

    fn name(&self) -> Arc<str> {
        name_of(self.control.as_deref())
    }

    /// The closure of a task that was handed back; once.
    fn take_returned(&self) -> Option<W> {
        match &mut *self.body.lock() {
            Body::Returned { work, .. } => work.take(),
            _ => None,
        }
    }

    /// Takes the task out of `Queued` into what `next` makes of it; gives back what `next` kept, and the span, whose end is still to
    /// be told.
    fn leave_queue<R>(
        &self,
        next: impl FnOnce(W, Option<Box<Waiter>>) -> (Body<W, W::Output>, Option<Box<Waiter>>, R),
        count: impl FnOnce(),
    ) -> Option<(R, TaskSpan)> {
        let mut body = self.body.lock();
        match mem::replace(&mut *body, Body::Taken) {
            Body::Queued { work, waiter, span } => {
                let (after, mut waiter, kept) = next(work, waiter);
                let ended = !matches!(after, Body::Running { .. });
                *body = after;
                let mut wake = None;
                if ended {
                    wake = waiter.as_mut().and_then(|waiter| waiter.tell());
                    count();
                    // Release pairs with the Acquire in `is_over`: the result is visible.
                    self.done.store(true, Ordering::Release);
                }
                drop(body);
                if let Some(thread) = wake {
                    thread.unpark();
                }
                Some((kept, span))
            }
            other => {
                *body = other;
                None
            }
        }
    }

    fn finish(&self, result: Result<W::Output, Panic>, site: Site<'_>) {
        let outcome = outcome_of::<W>(&result);
        if let Some(slot) = self.control().and_then(Control::key) {
            slot.failed.store(outcome != Outcome::Succeeded, Ordering::Relaxed);
        }
        let result = result.map_err(|panic| Box::new(TaskError::Panicked(panic)));
        let mut body = self.body.lock();
        let mut before = mem::replace(&mut *body, Body::Done(result));
        let wake = match &mut before {
            Body::Running { waiter: Some(waiter), .. } => waiter.tell(),
            _ => None,
        };
        site.gate.counters.end(outcome, site.line);
        // As in `leave_queue`.
        self.done.store(true, Ordering::Release);
        drop(body);
        if let Some(thread) = wake {
            thread.unpark();
        }
    }
}

impl<W: Work> Run for Task<W> {
    fn run(&self, site: Site<'_>) -> bool {
        let worker = site.worker();
        let start = |work, waiter| (Body::Running { worker, waiter }, None, work);
        let Some((work, span)) = self.leave_queue(start, || {}) else { return false };
        site.gate.counters.start(site.line);
        let body = || {
            let result =
                panics::catch(|| self.name(), || work.work(Some(site.gate), site.seat, self.control()));
            if let Err(panic) = &result {
                site.panicked(panic);
            }
            result
        };
        // Closes the span before anybody sees the result.
        let result = span.run(|| worker, body, |result| outcome_of::<W>(result).into());
        self.finish(result, site);
        true
    }

    fn cancel(&self, gate: &Gate, worker: Option<usize>, cause: Cancelled) -> bool {
        let error = Box::new(TaskError::Cancelled { name: self.name(), cause });
        let end = |work, waiter| (Body::Done(Err(error)), waiter, work);
        match self.leave_queue(end, || {
            gate.counters.end(Outcome::Cancelled, worker.map(|worker| gate.counters.line(worker)));
        }) {
            Some((work, span)) => {
                drop_quietly(work);
                span.end(TaskEnd::Cancelled);
                true
            }
            None => false,
        }
    }

    fn hand_back(&self, gate: &Gate, worker: Option<usize>) -> Option<TaskSpan> {
        let end = |mut work: W, waiter| {
            work.handed_back(self.control());
            (Body::Returned { work: Some(work), is_taken: false }, waiter, ())
        };
        let left = self.leave_queue(end, || {
            gate.counters.end(Outcome::Returned, worker.map(|worker| gate.counters.line(worker)));
        });
        left.map(|((), span)| span)
    }

    fn run_returned(&self, _part: usize, seat: Option<&Seat>) -> Result<(), Panic> {
        let Some(work) = self.take_returned() else { return Ok(()) };
        panics::catch(|| self.name(), || drop(work.work(seat.map(Seat::gate), seat, self.control())))
    }

    fn discard_returned(&self, _part: usize) {
        drop_quietly(self.take_returned());
    }

    fn control(&self) -> Option<&Control> {
        self.control.as_deref()
    }

    fn would_wait_for_itself(&self) -> bool {
        W::MAY_WAIT
            && policy::holds_permits()
            && matches!(&*self.body.lock(), Body::Queued { work, .. } if work.would_wait_for_itself())
    }

    fn runs_on(&self, index: usize) -> bool {
        matches!(*self.body.lock(), Body::Running { worker, .. } if worker == Some(index))
    }

    fn is_queued(&self) -> bool {
        matches!(*self.body.lock(), Body::Queued { .. })
    }

    fn is_over(&self) -> bool {
        // Acquire pairs with the Release where the task ended. The lock: invariant 2.
        self.done.load(Ordering::Acquire)
            || !matches!(*self.body.lock(), Body::Queued { .. } | Body::Running { .. })
    }
}

impl<W: Work> Join<W::Output> for Task<W> {
    fn take(self: Arc<Self>) -> Option<Result<W::Output, TaskError>> {
        let this = match Arc::try_unwrap(self) {
            Ok(task) => {
                return match task.body.into_inner() {
                    Body::Done(result) => Some(result.map_err(|error| *error)),
                    Body::Returned { work, is_taken } => {
                        drop_quietly(work);
                        let error = || Err(TaskError::Returned { name: name_of(task.control.as_deref()) });
                        (!is_taken).then(error)
                    }
                    _ => None,
                };
            }
            Err(shared) => shared,
        };
        let mut body = this.body.lock();
        match &mut *body {
            Body::Returned { is_taken, .. } => {
                let is_first = !mem::replace(is_taken, true);
                drop(body);
                is_first.then(|| Err(TaskError::Returned { name: this.name() }))
            }
            Body::Done(_) => match mem::replace(&mut *body, Body::Taken) {
                Body::Done(result) => Some(result.map_err(|error| *error)),
                _ => None,
            },
            _ => None,
        }
    }

    fn watch(&self, new: Option<Box<Waiter>>) -> Result<(), Option<Box<Waiter>>> {
        let mut body = self.body.lock();
        let (Body::Queued { waiter, .. } | Body::Running { waiter, .. }) = &mut *body else {
            return Err(new);
        };
        let old = mem::replace(waiter, new);
        drop(body);
        drop(old);
        Ok(())
    }
}

fn outcome_of<W: Work>(result: &Result<W::Output, Panic>) -> Outcome {
    match result {
        Err(_) => Outcome::Panicked,
        Ok(result) if W::is_failure(result) => Outcome::Failed,
        Ok(_) => Outcome::Succeeded,
    }
}

/// The task's name, or what a task without one is called.
pub(super) fn name_of(control: Option<&Control>) -> Arc<str> {
    control.and_then(Control::name).map_or_else(|| Arc::from(UNNAMED), Arc::clone)
}

/// The cause, if the token of the pool or the one given to the task is cancelled.
#[inline]
pub(super) fn cancel_cause(control: Option<&Control>, gate: &Gate) -> Option<Cancelled> {
    gate.cancelled().or_else(|| {
        let token = control?.given()?;
        token.is_cancelled().then(|| token.cause()).flatten()
    })
}

/// Ends or runs a task that a thread has come to, and says whether it was still queued. `control`: the task's, so that it is
/// asked for once.
#[inline]
pub(super) fn take_up(task: &(impl Run + ?Sized), control: Option<&Control>, site: Site<'_>) -> bool {
    match cancel_cause(control, site.gate) {
        Some(cause) => task.cancel(site.gate, site.worker(), cause),
        None => task.run(site),
    }
}

/// A token for the task itself, if it can poll one.
pub(super) fn own_token(task: &(impl Run + ?Sized), gate: &Gate) -> Option<CancellationToken> {
    task.control().map(|control| control.token(gate))
}
