//! The handle of a durable task.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::de::DeserializeOwned;

use super::cell::{Cell, Ended};
use super::error::{DurableError, DurableErrorKind};
use super::replay;
use crate::cancel::CancellationToken;
use crate::combine;
use crate::journal::core::Core;
use crate::pool::{self, CancelOutcome, JobEnd, ScopedTaskHandle, TaskError, WaitCancelled};
use crate::waitable::{Help, Signal, Waitable};

/// A durable task that borrows nothing.
///
/// ```
/// use gristmill::ThreadPool;
/// use gristmill::journal::{DurableHandle, Journal};
///
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("squares.journal");
/// let (journal, pool) = (Journal::open(path)?, ThreadPool::new()?);
/// let scope = journal.scope("squares");
/// let square = scope.handler("square", 1, |_, number: &u64| Ok(number * number));
/// let handles: Vec<DurableHandle<u64>> =
///     (1..4).map(|number| square.submit(&pool, number, number)).collect::<Result<_, _>>()?;
/// let squares: Vec<u64> = handles.into_iter().map(DurableHandle::wait).collect::<Result<_, _>>()?;
/// assert_eq!(squares, [1, 4, 9]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub type DurableHandle<T> = ScopedDurableHandle<'static, T>;

/// The handle of a durable task, and the only way to its result. It ends when the result is in the journal, and not before.
///
/// It can be waited for alone, and with others by everything in [`combine`]: there those that were recorded come in the order in
/// which they were recorded, in this run or an earlier one, so that what is told first stays first after a restart.
///
/// Dropping it detaches the task: it runs all the same, and is recorded. Of one that has ended, the value is dropped with the handle; if that
/// panics, so does the drop of the handle.
///
/// ```
/// use gristmill::ThreadPool;
/// use gristmill::journal::Journal;
///
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("squares.journal");
/// let (journal, pool) = (Journal::open(path)?, ThreadPool::new()?);
/// let scope = journal.scope("squares");
/// let square = scope.handler("square", 1, |_, number: &u64| Ok(number * number));
/// let handle = square.submit(&pool, "seven", 7)?;
/// assert_eq!((handle.handler(), handle.key()), ("square", "seven"));
/// assert!(!handle.is_replayed()); // not yet: it is after a restart
/// assert_eq!(handle.wait()?, 49);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "dropping the handle detaches the task; say `drop(handle)` if that is meant"]
pub struct ScopedDurableHandle<'env, T> {
    core: Arc<Core>,
    cell: Arc<Cell<T>>,
    /// `None` if nothing is to be run, or it ran on the calling thread.
    task: Option<ScopedTaskHandle<'env, JobEnd>>,
    handler: Arc<str>,
    key: Arc<str>,
    is_replayed: bool,
}

impl<'env, T> ScopedDurableHandle<'env, T> {
    pub(super) fn new(core: &Arc<Core>, cell: Arc<Cell<T>>, handler: &Arc<str>, key: &Arc<str>) -> Self {
        let (core, handler, key) = (Arc::clone(core), Arc::clone(handler), Arc::clone(key));
        Self { core, cell, task: None, handler, key, is_replayed: false }
    }

    pub(super) fn replayed(mut self) -> Self {
        self.is_replayed = true;
        self
    }

    pub(super) fn of_task(mut self, task: ScopedTaskHandle<'env, JobEnd>) -> Self {
        self.task = Some(task);
        self
    }

    /// The key of the task.
    pub fn key(&self) -> &str {
        &self.key
    }

    pub(super) fn into_key(self) -> Arc<str> {
        self.key
    }

    /// The name of its handler.
    pub fn handler(&self) -> &str {
        &self.handler
    }

    /// Whether its result was recorded before this run, so that nothing is run.
    pub fn is_replayed(&self) -> bool {
        self.is_replayed
    }

    /// The number of its record: its place in the order of completion, from 1. `None` as long as it has none.
    pub fn sequence(&self) -> Option<u64> {
        self.cell.stamp()
    }

    /// Whether it has ended, in whatever way: its result is recorded, or it never will be in this run.
    pub fn is_finished(&self) -> bool {
        if let Some(task) = self.task.as_ref().filter(|_| !self.cell.is_over()) {
            // A queued task whose token is cancelled ends when somebody looks.
            let _ = task.is_finished();
        }
        self.cell.is_over()
    }

    /// Cancels the task, and says what that did. A task that has not started never will; one that runs is told by its token. What was recorded
    /// before is not undone: [`CancelOutcome::Finished`].
    #[track_caller]
    pub fn cancel(&self) -> CancelOutcome {
        // Not by a function that is handed over: the record would name the one who calls that.
        match &self.task {
            Some(task) => task.cancel(),
            None => CancelOutcome::Finished,
        }
    }
}

impl<T: DeserializeOwned> ScopedDurableHandle<'_, T> {
    /// Waits until the result is recorded.
    ///
    /// # Errors
    /// The task has no value: [`DurableErrorKind`] says why, and whether that is recorded.
    ///
    /// # Panics
    /// If a task waits for itself, or the `Drop` of a result that nobody has taken waits on the journal's own thread: it would wait for ever.
    ///
    /// # Cancellation
    /// A task that has not started is ended by its token and the pool's, and the wait with it. A running task is waited for until it ends.
    pub fn wait(self) -> Result<T, DurableError> {
        combine::wait_all([self]).pop().unwrap_or_else(|| unreachable!("one was waited for"))
    }

    /// The result, if the task has ended; the handle, if not.
    ///
    /// # Errors
    /// The task has not ended.
    pub fn try_wait(self) -> Result<Result<T, DurableError>, Self> {
        self.wait_timeout(Duration::ZERO)
    }

    /// Waits until the result is recorded, for at most `timeout`. `Duration::MAX` waits without limit.
    ///
    /// # Errors
    /// The time was over first; the handle is given back.
    pub fn wait_timeout(self, timeout: Duration) -> Result<Result<T, DurableError>, Self> {
        match combine::wait_all_timeout([self], timeout) {
            Ok(mut outputs) => Ok(outputs.pop().unwrap_or_else(|| unreachable!("one was waited for"))),
            Err(mut handles) => Err(handles.pop().unwrap_or_else(|| unreachable!("one was handed in"))),
        }
    }

    /// Waits until the result is recorded or `token` is cancelled.
    ///
    /// # Errors
    /// The token was cancelled first; the handle is given back.
    ///
    /// # Cancellation
    /// Only the wait ends; the task goes on. To end the task, [`cancel`](Self::cancel) it.
    pub fn wait_with(
        self,
        token: &CancellationToken,
    ) -> Result<Result<T, DurableError>, WaitCancelled<Self>> {
        match combine::wait_all_with([self], token) {
            Ok(mut outputs) => Ok(outputs.pop().unwrap_or_else(|| unreachable!("one was waited for"))),
            Err(cancelled) => {
                let cause = cancelled.cause().clone();
                let handle =
                    cancelled.into_handle().pop().unwrap_or_else(|| unreachable!("one was handed in"));
                Err(WaitCancelled::new(handle, cause))
            }
        }
    }

    fn outcome(&mut self, ended: Ended<T>) -> Result<T, DurableErrorKind> {
        match ended {
            Ended::Here(outcome) => outcome,
            Ended::Before(row) => replay::outcome(&self.core, *row),
            Ended::NotRun => match self.task.as_mut().and_then(Waitable::take) {
                Some(Err(error)) => Err(DurableErrorKind::NotRun(error)),
                _ => Err(DurableErrorKind::NotRun(TaskError::Returned { name: Arc::clone(&self.handler) })),
            },
        }
    }
}

/// As with [`TaskHandle`](crate::TaskHandle), a worker of the pool that waits runs the task itself if it has not started.
impl<T: DeserializeOwned> Waitable for ScopedDurableHandle<'_, T> {
    type Output = Result<T, DurableError>;

    fn is_finished(&self) -> bool {
        ScopedDurableHandle::is_finished(self)
    }

    fn watch(&self, signal: Signal) {
        // A token ends a task that has not started although no worker comes to it; who waits has to look then.
        let of_task = self.task.as_ref().filter(|task| task.has_own_tokens() && !self.cell.is_over());
        let of_task = of_task.map(|task| (signal.twin(), task));
        if !self.cell.is_over() {
            self.core.may_wait();
        }
        // Its worker stands still meanwhile.
        if pool::is_worker() && self.cell.await_now() {
            self.core.hurry();
        }
        self.cell.watch(signal);
        if let Some((signal, task)) = of_task {
            Waitable::watch(task, signal);
        }
    }

    fn unwatch(&self) {
        self.cell.unwatch();
        if let Some(task) = &self.task {
            Waitable::unwatch(task);
        }
    }

    fn take(&mut self) -> Option<Self::Output> {
        let ended = self.cell.take()?;
        Some(self.outcome(ended).map_err(|kind| DurableError::new(&self.handler, &self.key, kind)))
    }

    #[track_caller]
    fn cancel(&self) {
        let _ = ScopedDurableHandle::cancel(self);
    }

    fn stamp(&self) -> Option<u64> {
        self.cell.stamp()
    }

    fn help(&self) -> Help {
        self.task.as_ref().map_or(Help::Nothing, Waitable::help)
    }
}

impl<T> fmt::Debug for ScopedDurableHandle<'_, T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("DurableHandle")
            .field("handler", &self.handler)
            .field("key", &self.key)
            .field("is_replayed", &self.is_replayed)
            .field("is_finished", &self.cell.is_over())
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, not(any(gristmill_shuttle, gristmill_loom))))]
mod tests {
    use super::*;
    use crate::journal::builder::Journal;
    use crate::journal::store::Memory;
    use crate::pool::ThreadPool;
    use crate::waitable::Inbox;

    #[test]
    fn wait_of_a_worker_makes_the_record_urgent_and_that_of_another_thread_does_not() {
        let journal = Journal::builder().over(Box::new(Memory::new(true))).unwrap();
        let core = Arc::clone(journal.core());
        // Watched before it has run, as whoever waits does.
        let is_urgent = move || {
            let (cell, name): (_, Arc<str>) = (Cell::<u32>::new(None), Arc::from("name"));
            let handle = ScopedDurableHandle::new(&core, Arc::clone(&cell), &name, &name);
            let inbox = Inbox::default();
            Waitable::watch(&handle, inbox.signal(0));
            cell.ran(Ok(7)).0
        };
        assert!(!is_urgent(), "nobody stands still who could do other work");
        let pool = ThreadPool::builder().workers(1).build().unwrap();
        assert!(pool.submit(is_urgent).unwrap().wait().unwrap());
    }
}
