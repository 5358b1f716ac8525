//! How a task of a group fails, how the group does, and why a task is not taken.

use std::fmt;
use std::sync::Arc;

use crate::cancel::Cancelled;
use crate::panics::Panic;
use crate::pool::BuildError;

/// How a task failed.
#[derive(Debug)]
#[non_exhaustive]
pub enum FailureKind<E> {
    /// It returned this error.
    Failed(E),
    /// It panicked.
    Panicked(Panic),
}

/// A task that failed: which one, and how.
#[derive(Debug)]
pub struct TaskFailure<E> {
    pub(super) index: u64,
    pub(super) name: Option<Arc<str>>,
    pub(super) kind: FailureKind<E>,
}

impl<E> TaskFailure<E> {
    /// The task's index in the group, from 0, in the order of spawning.
    pub fn index(&self) -> u64 {
        self.index
    }

    /// The task's name, if it was given one.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// How it failed.
    pub fn kind(&self) -> &FailureKind<E> {
        &self.kind
    }

    /// The error that it returned; `None` if it panicked.
    pub fn error(&self) -> Option<&E> {
        match &self.kind {
            FailureKind::Failed(error) => Some(error),
            FailureKind::Panicked(_) => None,
        }
    }

    /// Its panic; `None` if it returned an error.
    pub fn panic(&self) -> Option<&Panic> {
        match &self.kind {
            FailureKind::Panicked(panic) => Some(panic),
            FailureKind::Failed(_) => None,
        }
    }
}

/// The task as texts call it.
pub(super) struct Called<'a>(pub(super) Option<&'a str>, pub(super) u64);

impl fmt::Display for Called<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(name) => write!(formatter, "{name} (task {})", self.1),
            None => write!(formatter, "task {}", self.1),
        }
    }
}

impl<E: fmt::Display> fmt::Display for TaskFailure<E> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            FailureKind::Failed(error) => {
                write!(formatter, "{} failed: {error}", Called(self.name(), self.index))
            }
            FailureKind::Panicked(panic) => write!(formatter, "task {}: {panic}", self.index),
        }
    }
}

impl<E: std::error::Error + 'static> std::error::Error for TaskFailure<E> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.kind {
            FailureKind::Failed(error) => Some(error),
            FailureKind::Panicked(panic) => Some(panic),
        }
    }
}

/// What kind of answer a [`GroupError`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum GroupErrorKind {
    /// A task returned an error; it is the [cause](GroupError::cause).
    Failed,
    /// A task panicked; it is the [cause](GroupError::cause).
    Panicked,
    /// The group was cancelled from outside, and tasks were refused, never started, or failed afterwards.
    Cancelled,
    /// The group wanted [one success](super::Done::any_succeeded) and had no task.
    NothingSucceeded,
    /// A task waited for its own group. That is no answer of the group, which goes on.
    OwnTask,
}

/// Why a group failed. Clones share one record, so that every wait gives the same.
pub struct GroupError<E>(Arc<Record<E>>);

#[derive(Debug)]
pub(super) struct Record<E> {
    pub(super) kind: GroupErrorKind,
    pub(super) failures: Vec<TaskFailure<E>>,
    /// The cause among them.
    pub(super) cause: usize,
    pub(super) reactions: Vec<TaskFailure<E>>,
    pub(super) cancelled: Option<Cancelled>,
}

impl<E> GroupError<E> {
    pub(super) fn new(record: Record<E>) -> Self {
        Self(Arc::new(record))
    }

    pub(super) fn own_task() -> Self {
        let kind = GroupErrorKind::OwnTask;
        Self::new(Record { kind, failures: Vec::new(), cause: 0, reactions: Vec::new(), cancelled: None })
    }

    /// What kind of answer this is.
    pub fn kind(&self) -> GroupErrorKind {
        self.0.kind
    }

    /// The task that failed first, and made the group fail.
    pub fn cause(&self) -> Option<&TaskFailure<E>> {
        self.0.failures.get(self.0.cause)
    }

    /// The cause's index, from 0, in the order of spawning.
    pub fn index(&self) -> Option<u64> {
        self.cause().map(TaskFailure::index)
    }

    /// The cause's name, if it was given one.
    pub fn name(&self) -> Option<&str> {
        self.cause().and_then(TaskFailure::name)
    }

    /// All failures until the group was done or cancelled, the cause included, in the order in which they happened.
    pub fn failures(&self) -> &[TaskFailure<E>] {
        &self.0.failures
    }

    /// The failures after the group was done or cancelled, in the order in which they happened: what tasks made of their cancellation, and
    /// what just came second.
    pub fn reactions(&self) -> &[TaskFailure<E>] {
        &self.0.reactions
    }

    /// Who cancelled the group from outside, and why, if somebody did before it was done.
    pub fn cancelled(&self) -> Option<&Cancelled> {
        self.0.cancelled.as_ref()
    }
}

impl<E> Clone for GroupError<E> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<E: fmt::Debug> fmt::Debug for GroupError<E> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("GroupError")
            .field("kind", &self.0.kind)
            .field("cause", &self.cause())
            .field("failures", &self.0.failures.len())
            .field("reactions", &self.0.reactions.len())
            .field("cancelled", &self.0.cancelled)
            .finish()
    }
}

impl<E: fmt::Display> fmt::Display for GroupError<E> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.kind(), self.cause(), &self.0.cancelled) {
            (GroupErrorKind::OwnTask, ..) => {
                formatter.write_str("a task cannot wait for its own group: it is one of those waited for")
            }
            (_, Some(cause), _) => match self.0.failures.len() {
                1 => fmt::Display::fmt(cause, formatter),
                count => write!(formatter, "{cause} (and {} more failed)", count - 1),
            },
            (_, None, Some(cancelled)) => write!(formatter, "the group was ended early: {cancelled}"),
            (_, None, None) => formatter.write_str("no task of the group succeeded: there was none"),
        }
    }
}

impl<E: std::error::Error + 'static> std::error::Error for GroupError<E> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match (self.cause(), &self.0.cancelled) {
            (Some(cause), _) => std::error::Error::source(cause),
            (None, Some(cancelled)) => std::error::Error::source(cancelled),
            (None, None) => None,
        }
    }
}

/// Why a task was not taken.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GroupRefusal {
    /// As many tasks as may are running and queued; or they are, and the calling thread runs 64 tasks of the group inside each other.
    #[error("the group is full")]
    Full,
    /// There was no room until the time was over.
    #[error("the group was still full when the time was over")]
    TimedOut,
    /// A wait has given the group's answer.
    #[error("the group has given its answer")]
    Closed,
    /// The group is done, or was cancelled from outside.
    #[error("the group was cancelled")]
    Cancelled(#[source] Cancelled),
    /// The pool that the group was given is closed.
    #[error("the group's pool is closed")]
    PoolClosed,
}

/// A task that was not taken, and why. The task is unchanged: [`into_task`](Self::into_task) gives it back.
#[must_use = "the task that was refused is in here"]
pub struct SpawnError<F> {
    task: F,
    refusal: GroupRefusal,
}

impl<F> SpawnError<F> {
    pub(super) fn new(task: F, refusal: GroupRefusal) -> Self {
        Self { task, refusal }
    }

    /// The task, as it was handed in.
    pub fn into_task(self) -> F {
        self.task
    }

    /// Why it was refused.
    pub fn refusal(&self) -> &GroupRefusal {
        &self.refusal
    }

    /// The task and why it was refused.
    pub fn into_parts(self) -> (F, GroupRefusal) {
        (self.task, self.refusal)
    }

    /// Whether the group was full.
    pub fn is_full(&self) -> bool {
        matches!(self.refusal, GroupRefusal::Full)
    }

    /// Whether the group was full until the time was over.
    pub fn is_timed_out(&self) -> bool {
        matches!(self.refusal, GroupRefusal::TimedOut)
    }

    /// Whether a wait has given the group's answer.
    pub fn is_closed(&self) -> bool {
        matches!(self.refusal, GroupRefusal::Closed)
    }

    /// Whether the group is done or was cancelled.
    pub fn is_cancelled(&self) -> bool {
        matches!(self.refusal, GroupRefusal::Cancelled(_))
    }
}

// By hand, all three: the task is seldom `Debug`, and the error must not depend on it.
impl<F> fmt::Debug for SpawnError<F> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("SpawnError").field("refusal", &self.refusal).finish_non_exhaustive()
    }
}

impl<F> fmt::Display for SpawnError<F> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "the task was not spawned: {}", self.refusal)
    }
}

impl<F> std::error::Error for SpawnError<F> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.refusal {
            GroupRefusal::Cancelled(cause) => Some(cause),
            _ => None,
        }
    }
}

/// Why a group could not be made. Nothing of it is left: threads that had started have been joined.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GroupBuildError {
    /// A limit of zero: no task would ever start.
    #[error("a limit of 0 would keep every task from starting")]
    Limit,
    /// The threads could not be had; on its own threads a group runs at most [`MAX_WORKERS`](crate::pool::MAX_WORKERS) tasks at a time.
    #[error("the threads of the group could not be had")]
    Threads(#[from] BuildError),
}
