//! What can go wrong with a task, a submission, a wait or the building of a pool.

use std::fmt;
use std::io;
use std::sync::Arc;

use super::adaptive::AdaptiveSizeError;
use crate::cancel::Cancelled;
use crate::panics::Panic;

/// What a task without a name is called in errors and reports.
pub(super) const UNNAMED: &str = "task";

/// Why a task gave no value.
///
/// ```
/// use gristmill::{TaskError, ThreadPool};
///
/// let pool = ThreadPool::new()?;
/// let task = pool.task().name("parse").submit(|_| -> u32 { panic!("no digits") })?;
/// match task.wait().unwrap_err() {
///     TaskError::Panicked(panic) => assert_eq!((panic.name(), panic.message()), ("parse", "no digits")),
///     other => unreachable!("{other}"),
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TaskError {
    /// The task panicked; the payload, the text, the task's name and the location are kept.
    #[error(transparent)]
    Panicked(#[from] Panic),
    /// The task was cancelled before it started; its closure never ran and is dropped.
    #[error("{name} was cancelled before it started")]
    Cancelled {
        /// The task's name.
        name: Arc<str>,
        /// Who cancelled it, and why.
        #[source]
        cause: Cancelled,
    },
    /// The task was handed back before it started, by a shutdown, by [`purge`](super::Submitter::purge) or with what waited for a
    /// [held key](super::Submitter::held_keys). Its closure never ran in the pool; who called those has it, and the
    /// [`ShutdownReport`](super::ShutdownReport) what nobody called for.
    #[error("{name} was handed back before it started")]
    Returned {
        /// The task's name.
        name: Arc<str>,
    },
}

impl TaskError {
    /// The name of the task; `task` if it was given none.
    pub fn name(&self) -> &str {
        match self {
            Self::Panicked(panic) => panic.name(),
            Self::Cancelled { name, .. } | Self::Returned { name } => name,
        }
    }

    /// Whether the task panicked.
    pub fn is_panicked(&self) -> bool {
        matches!(self, Self::Panicked(_))
    }

    /// Whether the task was cancelled before it started.
    pub fn is_cancelled(&self) -> bool {
        matches!(self, Self::Cancelled { .. })
    }

    /// Whether the task was handed back before it started.
    pub fn is_returned(&self) -> bool {
        matches!(self, Self::Returned { .. })
    }
}

/// The cause of the cancellation of a task that was dropped because an earlier one with the same key had failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an earlier task with the same key failed")]
pub struct KeyFailed;

/// Why a submission was refused.
///
/// ```
/// use gristmill::{Refusal, ThreadPool};
///
/// let pool = ThreadPool::builder().queue_bound(1).build()?;
/// pool.pause();
/// let first = pool.try_submit(|| 1)?;
/// let refused = pool.try_submit(|| 2).unwrap_err();
/// assert!(matches!(refused.refusal(), Refusal::Full));
/// pool.resume();
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The queue is full; or it is, and the calling thread is in the midst of 64 submissions, each inside the other, whose tasks it runs
    /// itself.
    #[error("the queue is full")]
    Full,
    /// As many tasks wait for the task's key as [may](super::ThreadPoolBuilder::key_bound); there may be space for others.
    #[error("as many tasks as may wait for the same key already do")]
    KeyFull,
    /// There is no space, in the queue or for the key, and the submitter is a task of the same pool, which cannot wait for it; and it
    /// cannot run the new task itself, because the task's key is busy.
    #[error("there is no space and the key is busy, and a task cannot wait for its own pool")]
    KeyBusy,
    /// There is no space, and the task is [under a policy](super::TaskOptions::under) while the submitter is inside of a bulkhead, a
    /// [`Semaphore`](crate::Semaphore) as a policy: if it ran the task itself, or waited for space, it might wait for its own permit.
    #[error(
        "there is no space, and the submitter holds a permit for which the task, or those before it, may wait"
    )]
    PermitHeld,
    /// There was no space, in the queue or for the task's key, until the time was over. In a worker, which runs such a task itself: its rate
    /// gave it no turn in that time.
    #[error("there was still no space when the time was over")]
    TimedOut,
    /// The pool is closed.
    #[error("the pool is closed")]
    Closed,
    /// The pool's token or the task's was cancelled.
    #[error("the pool or the task was cancelled")]
    Cancelled(#[source] Cancelled),
}

/// A task that was not accepted, and why. The task is unchanged: [`into_task`](Self::into_task) gives it back.
///
/// ```
/// use gristmill::ThreadPool;
///
/// let pool = ThreadPool::new()?;
/// pool.close();
/// let error = pool.submit(|| 6 * 7).unwrap_err();
/// assert!(error.is_closed());
/// let task = error.into_task();
/// assert_eq!(task(), 42); // nothing is lost: here it runs where it is
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "the task that was refused is in here"]
pub struct SubmitError<F> {
    task: F,
    refusal: Refusal,
}

impl<F> SubmitError<F> {
    pub(super) fn new(task: F, refusal: Refusal) -> Self {
        Self { task, refusal }
    }

    /// The task, as it was handed in.
    pub fn into_task(self) -> F {
        self.task
    }

    /// Why it was refused.
    pub fn refusal(&self) -> &Refusal {
        &self.refusal
    }

    /// The task and why it was refused.
    pub fn into_parts(self) -> (F, Refusal) {
        (self.task, self.refusal)
    }

    /// Whether there was no space: in the queue, or for the task's key.
    pub fn is_full(&self) -> bool {
        matches!(self.refusal, Refusal::Full | Refusal::KeyFull | Refusal::KeyBusy | Refusal::PermitHeld)
    }

    /// Whether there was no space until the time was over.
    pub fn is_timed_out(&self) -> bool {
        matches!(self.refusal, Refusal::TimedOut)
    }

    /// Whether the pool is closed.
    pub fn is_closed(&self) -> bool {
        matches!(self.refusal, Refusal::Closed)
    }

    /// Whether the pool's token or the task's was cancelled.
    pub fn is_cancelled(&self) -> bool {
        matches!(self.refusal, Refusal::Cancelled(_))
    }
}

// By hand, all three: the task is seldom `Debug`, and the error must not depend on it.
impl<F> fmt::Debug for SubmitError<F> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("SubmitError").field("refusal", &self.refusal).finish_non_exhaustive()
    }
}

impl<F> fmt::Display for SubmitError<F> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "the task was not accepted: {}", self.refusal)
    }
}

impl<F> std::error::Error for SubmitError<F> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.refusal {
            Refusal::Cancelled(cause) => Some(cause),
            _ => None,
        }
    }
}

/// Why a wait for all tasks ended before they had.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WaitError {
    /// Tasks were still pending when the time was over.
    #[error("tasks were still pending when the time was over")]
    TimedOut,
    /// The pool's token, or the token given to the wait, was cancelled.
    #[error("the wait for the pool's tasks was cancelled")]
    Cancelled(#[source] Cancelled),
    /// The wait was called from a task of the same pool, which would have waited for itself.
    #[error("a task cannot wait for all tasks of its own pool: it is one of them")]
    OwnTask,
}

/// A wait that a token ended; the handle is given back.
///
/// ```
/// use gristmill::{CancellationToken, ThreadPool};
///
/// let (pool, impatient) = (ThreadPool::new()?, CancellationToken::new());
/// pool.pause();
/// let task = pool.submit(|| 6 * 7)?;
/// impatient.cancel();
/// let error = task.wait_with(&impatient).unwrap_err();
/// pool.resume();
/// assert_eq!(error.into_handle().wait()?, 42);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct WaitCancelled<H> {
    handle: H,
    cause: Cancelled,
}

impl<H> WaitCancelled<H> {
    pub(crate) fn new(handle: H, cause: Cancelled) -> Self {
        Self { handle, cause }
    }

    /// The handle, still good for another wait.
    pub fn into_handle(self) -> H {
        self.handle
    }

    /// Who cancelled the wait, and why.
    pub fn cause(&self) -> &Cancelled {
        &self.cause
    }
}

impl<H> fmt::Debug for WaitCancelled<H> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("WaitCancelled").field("cause", &self.cause).finish_non_exhaustive()
    }
}

impl<H> fmt::Display for WaitCancelled<H> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the wait for the task was cancelled")
    }
}

impl<H> std::error::Error for WaitCancelled<H> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.cause)
    }
}

/// Why a pool could not be built. Nothing of it is left: threads that had started have been joined.
///
/// ```
/// use gristmill::{BuildError, ThreadPool};
///
/// let error = ThreadPool::builder().workers(0).build().unwrap_err();
/// assert!(matches!(error, BuildError::Workers { workers: 0 }));
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// No workers, or more than [`MAX_WORKERS`](super::MAX_WORKERS).
    #[error("a pool needs 1 to {max} workers, not {workers}", max = super::limits::MAX_WORKERS)]
    Workers {
        /// The number that was asked for.
        workers: usize,
    },
    /// A queue bound of zero, or above [`MAX_QUEUE_BOUND`](super::MAX_QUEUE_BOUND).
    #[error("a queue bound is 1 to {max} tasks, not {bound}", max = super::limits::MAX_QUEUE_BOUND)]
    QueueBound {
        /// The bound that was asked for.
        bound: usize,
    },
    /// A cap of zero on a priority: its tasks would never start.
    #[error("a cap of 0 on priority {priority} would keep its tasks from ever starting")]
    PriorityCap {
        /// The priority.
        priority: i8,
    },
    /// Caps on priorities in a pool whose workers have queues of their own.
    #[error("a cap on a priority needs the shared queue")]
    CapsNeedSharedQueue,
    /// A bound of zero on the tasks that wait for a key.
    #[error("at least one task must be allowed to wait for a key")]
    KeyBound,
    /// [`Saturation::CallerRuns`](super::Saturation::CallerRuns) in a pool with a worker state, which callers have not.
    #[error("a caller cannot run tasks that may ask for a worker's state")]
    CallerHasNoState,
    /// A stack size that no address space can hold.
    #[error("a stack of {bytes} bytes does not fit into the address space")]
    StackSize {
        /// The size that was asked for.
        bytes: usize,
    },
    /// A thread name with a zero byte in it.
    #[error("the pool's name {name:?} has a zero byte, which no thread name can hold")]
    Name {
        /// The name that was asked for.
        name: Arc<str>,
    },
    /// The [adaptive size](super::ThreadPoolBuilder::adaptive) makes no sense.
    #[error("the adaptive size makes no sense")]
    AdaptiveSize(#[from] AdaptiveSizeError),
    /// A time of zero for [slow tasks](super::ThreadPoolBuilder::slow_task): every task would be one.
    #[error("every task takes longer than no time")]
    SlowTask,
    /// The platform refused to create the thread that watches the pool.
    #[error("the thread that watches the pool could not be created")]
    Supervisor {
        /// What the platform said.
        #[source]
        source: io::Error,
    },
    /// The platform refused to create a worker's thread.
    #[error("the thread of worker {worker} could not be created")]
    Thread {
        /// The index of the worker, from 0.
        worker: usize,
        /// What the platform said.
        #[source]
        source: io::Error,
    },
    /// A worker's state could not be made: its constructor panicked.
    #[error("the state of worker {worker} could not be made: {}", source.message())]
    State {
        /// The index of the worker, from 0.
        worker: usize,
        /// The panic of the constructor.
        #[source]
        source: Panic,
    },
}

/// Why the number of workers is not what was asked for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ResizeError {
    /// No workers, or more than [`MAX_WORKERS`](super::MAX_WORKERS). Nothing has changed.
    #[error("a pool needs 1 to {max} workers, not {workers}", max = super::limits::MAX_WORKERS)]
    Workers {
        /// The number that was asked for.
        workers: usize,
    },
    /// The pool is closed. Nothing has changed.
    #[error("the pool is closed")]
    Closed,
    /// The platform refused to create a worker's thread. The pool goes on with the workers that it has.
    #[error("the thread of worker {worker} could not be created")]
    Thread {
        /// The index of the worker, from 0.
        worker: usize,
        /// What the platform said.
        #[source]
        source: io::Error,
    },
    /// A worker's state could not be made: its constructor panicked. The pool goes on with the workers that it has.
    #[error("the state of worker {worker} could not be made: {}", source.message())]
    State {
        /// The index of the worker, from 0.
        worker: usize,
        /// The panic of the constructor.
        #[source]
        source: Panic,
    },
    /// Workers that have to leave were still running a task when the time was over; they leave after it.
    #[error("{workers} workers were still there when the time was over")]
    TimedOut {
        /// How many workers there were.
        workers: usize,
    },
}
