//! The handle of many tasks: their results in the order of submission, and the ways to wait for them.

use std::fmt;
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use super::super::core::Core;
use super::super::error::{TaskError, WaitCancelled};
use super::super::gate::deadline;
use super::super::parking::{self, Interrupt};
use super::super::rated::{NotYet, keep};
use super::super::seat::Seat;
use super::super::waiter::Waiter;
use super::batch::Batch;
use super::chunk::Part;
use crate::cancel::{CancellationToken, Cancelled, Registration};
use crate::sync::thread;
use crate::sync::time::Instant;
use crate::trace::BatchSpan;

/// How often a waiter gives its core away before it parks.
const YIELDS: u32 = 4;

/// The handle of the tasks of one [`submit_many`](super::super::Submitter::submit_many), and the only way to their results.
///
/// It is [`Waitable`](crate::Waitable), so batches can be [combined](crate::combine) with each other, with tasks, and with timers.
///
/// Dropping it detaches the tasks: they run all the same, and their results are dropped.
///
/// Waiting from a task of the same pool runs what has not started on the waiting worker, so nesting cannot deadlock, as with
/// [`TaskHandle`](super::super::TaskHandle); it runs no others.
///
/// ```
/// use gristmill::ThreadPool;
///
/// let pool = ThreadPool::new()?;
/// let squares = pool.submit_many((1..5).map(|n| move || n * n))?;
/// assert_eq!(squares.len(), 4);
/// let squares: Vec<u32> = squares.wait().into_iter().collect::<Result<_, _>>()?;
/// assert_eq!(squares, [1, 4, 9, 16]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "dropping the handle detaches the tasks; say `drop(handle)` if that is meant"]
pub struct ManyHandle<'env, T> {
    parts: Vec<Arc<dyn Part<T> + 'env>>,
    len: usize,
    is_taken: bool,
    batch: Arc<Batch>,
    pub(super) core: Arc<Core<'env>>,
}

impl<'env, T> ManyHandle<'env, T> {
    pub(super) fn new(core: &Arc<Core<'env>>) -> Self {
        let batch = Arc::new(Batch::new(BatchSpan::new(&core.gate.name)));
        Self { parts: Vec::new(), len: 0, is_taken: false, batch, core: Arc::clone(core) }
    }

    pub(super) fn batch(&self) -> &Arc<Batch> {
        &self.batch
    }

    pub(super) fn push(&mut self, part: Arc<dyn Part<T> + 'env>, tasks: usize) {
        self.parts.push(part);
        self.len += tasks;
    }

    /// No more parts will come.
    pub(super) fn seal(self) -> Self {
        self.batch.end(|| ());
        self
    }

    /// How many tasks there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Waits until all tasks have ended; their results, in the order of submission.
    ///
    /// # Panics
    /// If a task waits for a batch that it belongs to: it would wait for ever.
    ///
    /// # Cancellation
    /// The pool's token ends the tasks that have not started, and the wait once the running ones have ended.
    pub fn wait(self) -> Vec<Result<T, TaskError>> {
        match self.block(None, None) {
            Ok(()) => self.results(),
            Err(_) => unreachable!("a wait without time-out and token ends with the tasks"),
        }
    }

    /// The results, if all tasks have ended; the handle, if not.
    ///
    /// # Errors
    /// Some task has not ended.
    pub fn try_wait(self) -> Result<Vec<Result<T, TaskError>>, Self> {
        if self.is_finished() { Ok(self.results()) } else { Err(self) }
    }

    /// As [`wait`](Self::wait), for at most `timeout`. `Duration::MAX` waits without limit.
    ///
    /// # Errors
    /// The time was over first; the handle is given back.
    ///
    /// # Panics
    /// As [`wait`](Self::wait).
    pub fn wait_timeout(self, timeout: Duration) -> Result<Vec<Result<T, TaskError>>, Self> {
        match self.block(deadline(timeout), None) {
            Ok(()) => Ok(self.results()),
            Err(_) => Err(self),
        }
    }

    /// As [`wait`](Self::wait), until `token` is cancelled.
    ///
    /// # Errors
    /// The token was cancelled first; the handle is given back.
    ///
    /// # Panics
    /// As [`wait`](Self::wait).
    ///
    /// # Cancellation
    /// Only the wait ends; the tasks go on. To end those that have not started, [`cancel`](Self::cancel).
    pub fn wait_with(
        self,
        token: &CancellationToken,
    ) -> Result<Vec<Result<T, TaskError>>, WaitCancelled<Self>> {
        match self.block(None, Some(token)) {
            Ok(()) => Ok(self.results()),
            Err(Interrupt::Cancelled(cause)) => Err(WaitCancelled::new(self, cause)),
            Err(Interrupt::TimedOut) => unreachable!("a wait without time-out does not time out"),
        }
    }

    /// Whether all tasks have ended, in whatever way.
    pub fn is_finished(&self) -> bool {
        if !self.batch.is_finished() {
            self.end_if_cancelled();
        }
        self.batch.is_finished()
    }

    /// Cancels the tasks that have not started; true if there were any. Those that run go on, and their results are kept.
    ///
    /// The closures are dropped before this returns. Every cancelled task has [`TaskError::Cancelled`] as its result.
    #[track_caller]
    pub fn cancel(&self) -> bool {
        if self.is_finished() {
            return false;
        }
        // A token of its own is what gives the cause its kind and the caller's location.
        let token = CancellationToken::new();
        token.cancel();
        let Some(cause) = token.cause() else { unreachable!("the token was cancelled just now") };
        self.end_rest(&cause)
    }

    fn end_rest(&self, cause: &Cancelled) -> bool {
        let mut any = false;
        for part in &self.parts {
            any |= part.cancel(&self.core.gate, None, cause.clone());
        }
        if any {
            self.core.gate.settle();
        }
        any
    }

    fn end_if_cancelled(&self) {
        if let Some(cause) = self.core.gate.cancelled() {
            self.end_rest(&cause);
        }
    }

    fn results(mut self) -> Vec<Result<T, TaskError>> {
        self.take_results()
            .unwrap_or_else(|| panic!("the results were taken before, through `Waitable::take`"))
    }

    /// The results of tasks that have all ended; once.
    pub(super) fn take_results(&mut self) -> Option<Vec<Result<T, TaskError>>> {
        if mem::replace(&mut self.is_taken, true) {
            return None;
        }
        let mut results = Vec::with_capacity(self.len);
        for part in mem::take(&mut self.parts) {
            part.collect(&mut results);
        }
        Some(results)
    }

    fn block(&self, deadline: Option<Instant>, token: Option<&CancellationToken>) -> Result<(), Interrupt> {
        if self.batch.is_finished() {
            return Ok(());
        }
        let seat = Seat::current_of(&self.core.gate);
        if let Some(seat) = &seat {
            // What a rate keeps from starting is tried again in the wait.
            let _ = self.work_off(seat);
            self.assert_not_below(seat);
        }
        for _ in 0..YIELDS {
            if self.batch.looks_finished() {
                return Ok(());
            }
            thread::yield_now();
        }
        self.park(deadline, token, seat.filter(|_| self.core.rate.is_some()).as_deref())
    }

    /// # Panics
    /// If one of the tasks runs on this very thread.
    pub(super) fn assert_not_below(&self, seat: &Seat) {
        assert!(
            !self.parts.iter().any(|part| part.runs_on(seat.worker())),
            "a task waits for the batch that it belongs to: it runs on this thread, below the wait"
        );
    }

    /// Runs on the waiting worker what has not started, as far as the pool's rate allows; whether that was anything. If it was, the caller looks
    /// again at what could end its wait: what it ran may have waited too, and taken an unpark that was for the caller.
    pub(super) fn work_off(&self, seat: &Seat) -> Result<bool, NotYet> {
        let mut any = false;
        for part in &self.parts {
            if self.core.rate.is_some() && part.is_queued() && self.core.gate.cancelled().is_none() {
                match self.core.reserve(&**part) {
                    Ok(permits) => keep(permits),
                    Err(_) if any => return Ok(true), // the next call says so
                    Err(refused) => return Err(refused.into()),
                }
            }
            any |= part.work_off(self.core.site(Some(seat)));
        }
        Ok(any)
    }

    /// `rated`: the waiting worker of a pool that has a rate.
    #[cold]
    fn park(
        &self,
        deadline: Option<Instant>,
        token: Option<&CancellationToken>,
        rated: Option<&Seat>,
    ) -> Result<(), Interrupt> {
        let tokens = || [self.core.gate.token.as_ref(), token].into_iter().flatten();
        let _unpark: Vec<Registration> = tokens().map(CancellationToken::unpark_me).collect();
        let interrupt = loop {
            self.end_if_cancelled();
            let seen = parking::seen(tokens());
            // From here on the end of the batch unparks this thread; an end before is seen here.
            if self.batch.watch(Some(Waiter::Thread(thread::current()))).is_err() {
                return Ok(());
            }
            if let Some(cause) = token.and_then(CancellationToken::cause) {
                break Interrupt::Cancelled(cause);
            }
            let not_yet = match rated.map(|seat| self.work_off(seat)) {
                Some(Ok(true)) => continue,
                Some(Err(not_yet)) => Some(not_yet),
                _ => None,
            };
            if parking::seen(tokens()) > seen {
                continue;
            }
            if let Err(interrupt) = parking::park(deadline, tokens(), not_yet) {
                break interrupt;
            }
        };
        // If not: the tasks have ended after all, and results beat an interrupt.
        if self.batch.watch(None).is_ok() { Err(interrupt) } else { Ok(()) }
    }
}

impl<T> fmt::Debug for ManyHandle<'_, T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ManyHandle")
            .field("len", &self.len)
            .field("finished", &self.batch.looks_finished())
            .finish_non_exhaustive()
    }
}
