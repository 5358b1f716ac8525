//! What a shutdown says: the counts, the tasks that never started, and those that would not stop.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::counters::Totals;
use super::seat::Seat;
use super::task::{Queued, drop_quietly, name_of};
use crate::panics::Panic;

/// The account of a pool at the end of a [`shutdown`](super::ThreadPool::shutdown).
///
/// The counts close: `submitted` is the sum of `succeeded`, `failed`, `panicked`, `cancelled`, `returned` and `pending`, and
/// `pending` is 0 unless tasks would not stop. A task that returns an `Err` has succeeded, as far as the pool is concerned,
/// unless it was submitted as [fallible](super::TaskOptions::fallible): what a result means is up to whoever holds the handle.
///
/// ```
/// use gristmill::{Shutdown, ThreadPool};
///
/// let pool = ThreadPool::new()?;
/// drop(pool.submit(|| 42)?);
/// drop(pool.task().fallible().submit(|_| "x".parse::<u32>())?);
/// let report = pool.shutdown(Shutdown::Drain);
/// assert!(report.is_complete());
/// assert_eq!((report.submitted(), report.succeeded(), report.failed()), (2, 1, 1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[must_use = "a report may hold tasks that never started, and name tasks that are still running"]
pub struct ShutdownReport<'env> {
    pub(super) totals: Totals,
    pub(super) returned: Vec<ReturnedTask<'env>>,
    pub(super) stuck: Vec<StuckTask>,
    pub(super) panics: Vec<Panic>,
    pub(super) more_panics: u64,
    pub(super) joined: bool,
}

impl<'env> ShutdownReport<'env> {
    /// How many tasks were accepted.
    pub fn submitted(&self) -> u64 {
        self.totals.submitted
    }

    /// How many tasks ran to their end, and did not fail.
    pub fn succeeded(&self) -> u64 {
        self.totals.succeeded
    }

    /// How many [fallible](super::TaskOptions::fallible) tasks ran to their end and returned an `Err`.
    pub fn failed(&self) -> u64 {
        self.totals.failed
    }

    /// How many tasks panicked.
    pub fn panicked(&self) -> u64 {
        self.totals.panicked
    }

    /// How many tasks were cancelled before they started.
    pub fn cancelled(&self) -> u64 {
        self.totals.cancelled
    }

    /// How many tasks were handed back before they started, by this shutdown or an earlier one.
    pub fn returned(&self) -> u64 {
        self.totals.returned
    }

    /// How many tasks had not ended when this report was made; 0 if [`is_complete`](Self::is_complete).
    pub fn pending(&self) -> u64 {
        // Saturating: with the pool still open to its own tasks, the two sums are not of one instant.
        self.totals.submitted.saturating_sub(self.totals.ended())
    }

    /// Whether every task has ended and every thread of the pool is gone, its thread-locals included.
    ///
    /// False after a deadline that running tasks let pass ([`stuck`](Self::stuck) names them), and for a shutdown that was
    /// called from one of the pool's own tasks.
    pub fn is_complete(&self) -> bool {
        self.joined
    }

    /// The tasks that this shutdown handed back, in the order in which they left the queue.
    pub fn tasks(&self) -> &[ReturnedTask<'env>] {
        &self.returned
    }

    /// Gives the handed-back tasks out, to be run elsewhere or dropped.
    pub fn into_tasks(self) -> Vec<ReturnedTask<'env>> {
        self.returned
    }

    /// The tasks that were running when this report was made, with name and age.
    pub fn stuck(&self) -> &[StuckTask] {
        &self.stuck
    }

    /// Panics that belong to no task: of hooks, and of the ends of workers' states. The first 1000; see
    /// [`more_worker_panics`](Self::more_worker_panics).
    pub fn worker_panics(&self) -> &[Panic] {
        &self.panics
    }

    /// How many more such panics there were: only the first 1000 are kept until a report takes them.
    pub fn more_worker_panics(&self) -> u64 {
        self.more_panics
    }
}

impl fmt::Display for ShutdownReport<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{} tasks: {} succeeded, {} failed, {} panicked, {} cancelled, {} handed back",
            self.submitted(),
            self.succeeded(),
            self.failed(),
            self.panicked(),
            self.cancelled(),
            self.returned(),
        )?;
        if self.pending() > 0 {
            write!(formatter, ", {} pending", self.pending())?;
        }
        for task in &self.stuck {
            write!(formatter, "\n{task}")?;
        }
        for panic in &self.panics {
            write!(formatter, "\n{panic}")?;
        }
        if self.more_panics > 0 {
            write!(formatter, "\n{} more panics of hooks", self.more_panics)?;
        }
        Ok(())
    }
}

/// A task that was running when a shutdown stopped waiting for it, on a worker or on the thread that submitted it.
///
/// ```
/// use std::sync::mpsc;
/// use std::time::Duration;
/// use gristmill::{Shutdown, ThreadPool};
///
/// let pool = ThreadPool::builder().stop_grace(Duration::ZERO).build()?;
/// let (started, starts) = mpsc::channel();
/// let (release, released) = mpsc::channel::<()>();
/// let task = pool.task().name("deaf").submit(move |_| (started.send(()), released.recv()))?;
/// starts.recv()?;
/// let report = pool.shutdown(Shutdown::Abort);
/// assert_eq!(report.stuck()[0].name(), "deaf");
/// drop(release); // from here on it can end
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StuckTask {
    pub(super) name: Arc<str>,
    pub(super) worker: Option<usize>,
    pub(super) elapsed: Duration,
}

impl StuckTask {
    /// The task's name; `task` if it was given none. A task that runs another one itself, because it waits for it or found the queue
    /// full, is named, not the other.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The index of the worker that runs it, from 0; `None` if its submitter runs it
    /// ([`Saturation::CallerRuns`](super::Saturation::CallerRuns)).
    pub fn worker(&self) -> Option<usize> {
        self.worker
    }

    /// For how long it had been running: exact for a task that was submitted with [`Submitter::task`](super::Submitter::task) or
    /// started after the pool was closed; for a plain closure that ran already then, the time since.
    pub fn elapsed(&self) -> Duration {
        self.elapsed
    }
}

impl fmt::Display for StuckTask {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, elapsed, .. } = self;
        match self.worker {
            Some(worker) => write!(formatter, "{name} still runs on worker {worker} after {elapsed:?}"),
            None => write!(formatter, "{name} still runs on its submitter's thread after {elapsed:?}"),
        }
    }
}

/// A task that was handed back before it started.
///
/// Its handle has already ended with [`TaskError::Returned`](super::TaskError::Returned). Run it here, submit
/// `move || returned.run()` to another pool, or drop it.
///
/// ```
/// use gristmill::ThreadPool;
///
/// let pool = ThreadPool::new()?;
/// pool.pause();
/// let (sender, results) = std::sync::mpsc::channel();
/// let task = pool.task().name("later").submit(move |_| sender.send(42))?;
/// for returned in pool.purge() {
///     assert_eq!(&*returned.name(), "later");
///     returned.run()?; // here and now
/// }
/// assert!(task.wait().is_err_and(|error| error.is_returned()));
/// assert_eq!(results.recv()?, 42);
/// # pool.resume();
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "dropping it drops a task that never ran"]
pub struct ReturnedTask<'env> {
    task: Option<Queued<'env>>,
    part: usize,
}

impl<'env> ReturnedTask<'env> {
    /// The tasks that an entry of the queue stands for, and that nobody has been given yet.
    pub(super) fn each(entry: Queued<'env>) -> impl Iterator<Item = Self> {
        entry.returned_parts().map(move |part| Self { task: Some(Arc::clone(&entry)), part })
    }

    /// The task's name; `task` if it was given none.
    pub fn name(&self) -> Arc<str> {
        name_of(self.task.as_ref().and_then(|task| task.control()))
    }

    /// Runs the task on the calling thread and drops its result. A task that asks its context for a worker's state finds it
    /// only on a worker of a pool with the same type of state.
    ///
    /// # Errors
    /// The task panicked.
    pub fn run(mut self) -> Result<(), Panic> {
        let Some(task) = self.task.take() else { return Ok(()) };
        let result = task.run_returned(self.part, Seat::current().as_deref());
        drop_quietly(task);
        result
    }
}

impl Drop for ReturnedTask<'_> {
    fn drop(&mut self) {
        // A panic of one closure's drop must not cost the others in the same report.
        if let Some(task) = self.task.take() {
            // Now, and not with the last handle: somebody may wait for what the closure holds.
            task.discard_returned(self.part);
            drop_quietly(task);
        }
    }
}

impl fmt::Debug for ReturnedTask<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ReturnedTask").field("name", &self.name()).finish_non_exhaustive()
    }
}
