//! How a task of a group fails, how the group does, and why a task is not taken.

use std::fmt;
use std::sync::Arc;

use crate::cancel::Cancelled;
use crate::panics::Panic;
use crate::pool::{BuildError, drop_quietly};

/// How a task failed.
///
/// ```
/// use gristmill::{ErrorGroup, FailureKind};
///
/// let group = ErrorGroup::<u32, String>::new()?;
/// group.spawn(|| Err("no flour".to_owned()))?;
/// let error = group.into_results().unwrap_err();
/// match error.into_cause()?.into_kind() {
///     FailureKind::Failed(error) => assert_eq!(error, "no flour"),
///     other => unreachable!("{other:?}"),
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum FailureKind<E> {
    /// It returned this error.
    Failed(E),
    /// It panicked.
    Panicked(Panic),
}

/// A task that failed: which one, and how.
///
/// ```
/// use gristmill::{Done, ErrorGroup};
///
/// let group = ErrorGroup::builder().done(Done::all_finished()).build()?;
/// for text in ["1", "two", "3"] {
///     group.spawn(move || text.parse::<u32>())?;
/// }
/// let error = group.wait().unwrap_err();
/// let failure = &error.failures()[0];
/// assert_eq!((failure.index(), failure.name()), (1, None));
/// assert_eq!(failure.error().expect("it did not panic").to_string(), "invalid digit found in string");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
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

    /// How it failed, taken out.
    pub fn into_kind(self) -> FailureKind<E> {
        self.kind
    }

    /// The error that it returned, taken out; `None` if it panicked.
    pub fn into_error(self) -> Option<E> {
        match self.kind {
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

/// For every error that can be printed, `String` and `anyhow::Error` too, so that `?` works. The text contains the task's own error, which
/// therefore is no source; [`error`](Self::error) and [`into_error`](Self::into_error) give it with its type.
impl<E: fmt::Debug + fmt::Display> std::error::Error for TaskFailure<E> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.kind {
            FailureKind::Failed(_) => None,
            FailureKind::Panicked(panic) => Some(panic),
        }
    }
}

/// What kind of answer a [`GroupError`] is.
///
/// ```
/// use gristmill::{ErrorGroup, GroupErrorKind};
///
/// let group = ErrorGroup::<(), String>::new()?;
/// group.task().spawn(|context| {
///     context.token().wait(); // works until it is told to stop
///     Err("told to stop".to_owned())
/// })?;
/// group.cancel();
/// let error = group.into_results().unwrap_err();
/// match error.kind() {
///     GroupErrorKind::Cancelled => assert!(error.cancelled().is_some() && error.cause().is_none()),
///     kind => unreachable!("{kind:?}"),
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum GroupErrorKind {
    /// A task returned an error; it is the [cause](GroupError::cause).
    Failed,
    /// A task panicked; it is the [cause](GroupError::cause).
    Panicked,
    /// The group was cancelled from outside, or its pool was closed, and tasks were refused, never started, or failed afterwards.
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

// An error that panics in its drop takes no other with it.
impl<E> Drop for Record<E> {
    fn drop(&mut self) {
        let failures = std::mem::take(&mut self.failures).into_iter();
        failures.chain(std::mem::take(&mut self.reactions)).for_each(drop_quietly);
    }
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

    /// The [cause](Self::cause), taken out; the other failures are dropped.
    ///
    /// ```
    /// use gristmill::{ErrorGroup, GroupError, TaskFailure};
    ///
    /// fn total(numbers: &[&str]) -> Result<u64, Box<dyn std::error::Error + Send + Sync>> {
    ///     let results = ErrorGroup::builder().limit(2).scope(|group| {
    ///         for number in numbers {
    ///             group.spawn(|| number.parse::<u64>()).ok(); // a refusal has its reason, which the wait tells
    ///         }
    ///         group.into_results()
    ///     })?;
    ///     match results.map_err(GroupError::into_cause) {
    ///         Ok(numbers) => Ok(numbers.iter().sum()),
    ///         Err(Ok(cause)) => Err(cause.into_error().expect("parsing does not panic").into()), // the task's own error
    ///         Err(Err(error)) => Err(error.into()), // no task is the cause
    ///     }
    /// }
    /// assert_eq!(total(&["1", "2"]).unwrap(), 3);
    /// assert!(total(&["1", "two"]).unwrap_err().is::<std::num::ParseIntError>());
    /// ```
    ///
    /// # Errors
    /// No task is the cause; or somebody else has this error too: a clone of it, or the group, which keeps one until it is dropped or
    /// turned [into its results](super::ErrorGroup::into_results). The error is unchanged.
    pub fn into_cause(self) -> Result<TaskFailure<E>, Self> {
        let cause = self.0.cause;
        if cause >= self.0.failures.len() {
            return Err(self);
        }
        let mut failures = self.into_failures()?;
        let cause = failures.swap_remove(cause);
        failures.into_iter().for_each(drop_quietly);
        Ok(cause)
    }

    /// All [failures](Self::failures) until the group was done or cancelled, taken out; the reactions are dropped.
    ///
    /// # Errors
    /// Somebody else has this error too, as for [`into_cause`](Self::into_cause). It is unchanged.
    pub fn into_failures(self) -> Result<Vec<TaskFailure<E>>, Self> {
        let mut record = Arc::try_unwrap(self.0).map_err(Self)?;
        Ok(std::mem::take(&mut record.failures))
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
            (_, None, Some(cancelled)) => match cancelled.cause() {
                Some(cause) => write!(formatter, "the group was ended early: {cause}"),
                None => write!(formatter, "the group was ended early: {cancelled}"),
            },
            (_, None, None) => formatter.write_str("no task of the group succeeded: there was none"),
        }
    }
}

/// For every error that can be printed; see [`TaskFailure`].
impl<E: fmt::Debug + fmt::Display> std::error::Error for GroupError<E> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match (self.cause(), &self.0.cancelled) {
            (Some(cause), _) => std::error::Error::source(cause),
            (None, Some(cancelled)) => std::error::Error::source(cancelled),
            (None, None) => None,
        }
    }
}

/// Why a group could not be made. Nothing of it is left: threads that had started have been joined.
///
/// ```
/// use gristmill::{ErrorGroup, GroupBuildError};
///
/// let error = ErrorGroup::<u32, String>::builder().limit(0).build().unwrap_err();
/// assert!(matches!(error, GroupBuildError::Limit));
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GroupBuildError {
    /// A limit of zero: no task would ever start.
    #[error("a limit of 0 would keep every task from starting")]
    Limit,
    /// The threads could not be had; on its own threads a group runs at most [`MAX_WORKERS`](crate::pool::MAX_WORKERS) tasks at a time.
    #[error("the threads of the group could not be had: {0}")]
    Threads(#[from] BuildError),
}
