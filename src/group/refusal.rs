//! Why a group does not take a task, and the task back.

use std::fmt;
use std::sync::Arc;

use crate::cancel::{CancellationToken, Cancelled};

/// Why a task was not taken.
///
/// ```
/// use gristmill::{ErrorGroup, GroupRefusal};
///
/// let group = ErrorGroup::<u32, String>::new()?;
/// group.cancel();
/// let error = group.spawn(|| Ok(1)).unwrap_err();
/// assert!(matches!(error.refusal(), GroupRefusal::Cancelled(_)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GroupRefusal {
    /// As many tasks as may are running and queued; or they are, and the calling thread runs 64 tasks of the group inside each other.
    #[error("the group is full")]
    Full,
    /// There was no room until the time was over.
    #[error("the group was still full when the time was over")]
    TimedOut,
    /// There is no room, and the task is [under a policy](super::GroupTaskOptions::under) while the spawner is inside of a bulkhead, a
    /// [`Semaphore`](crate::Semaphore) as a policy: if it ran the task itself, or waited for room, it might wait for its own permit.
    #[error(
        "the group is full, and the spawner holds a permit for which the task, or those before it, may wait"
    )]
    PermitHeld,
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

impl GroupRefusal {
    /// Why a group that has refused a task so has not done all that it was given; `None` if the spawner could have waited.
    pub(super) fn cause(&self) -> Option<Cancelled> {
        match self {
            Self::Cancelled(cause) => Some(cause.clone()),
            Self::PoolClosed => pool_gone(),
            Self::Full | Self::TimedOut | Self::PermitHeld | Self::Closed => None,
        }
    }
}

/// The pool of the group ended before the group's tasks had started.
#[derive(Debug, thiserror::Error)]
#[error("the group's pool was closed before all tasks had started")]
pub(super) struct PoolGone;

/// The record of a cancellation by [`PoolGone`].
fn pool_gone() -> Option<Cancelled> {
    let token = CancellationToken::new();
    token.cancel_with(PoolGone);
    token.cause()
}

/// A task that was not taken, and why. The task is unchanged: [`into_task`](Self::into_task) gives it back.
///
/// ```
/// use gristmill::ErrorGroup;
///
/// let group = ErrorGroup::<u32, String>::new()?;
/// group.cancel();
/// let error = group.spawn(|| Ok(42)).unwrap_err();
/// assert!(error.is_cancelled());
/// let task = error.into_task();
/// assert_eq!(task()?, 42); // nothing is lost: here it runs where it is
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "the task that was refused is in here"]
pub struct SpawnError<F> {
    name: Option<Arc<str>>,
    task: F,
    refusal: GroupRefusal,
}

impl<F> SpawnError<F> {
    pub(super) fn new(name: Option<Arc<str>>, task: F, refusal: GroupRefusal) -> Self {
        Self { name, task, refusal }
    }

    pub(super) fn map<G>(self, change: impl FnOnce(F) -> G) -> SpawnError<G> {
        SpawnError { name: self.name, task: change(self.task), refusal: self.refusal }
    }

    /// The task's name, if it was given one.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The task, as it was handed in.
    pub fn into_task(self) -> F {
        self.task
    }

    /// Why it was refused.
    pub fn refusal(&self) -> &GroupRefusal {
        &self.refusal
    }

    /// Why it was refused, without the task, which is dropped: for an error that has to be `'static`, or `Send`.
    pub fn into_refusal(self) -> GroupRefusal {
        self.refusal
    }

    /// The task and why it was refused.
    pub fn into_parts(self) -> (F, GroupRefusal) {
        (self.task, self.refusal)
    }

    /// Whether the group was full.
    pub fn is_full(&self) -> bool {
        matches!(self.refusal, GroupRefusal::Full | GroupRefusal::PermitHeld)
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

    /// Whether the pool that the group was given is closed.
    pub fn is_pool_closed(&self) -> bool {
        matches!(self.refusal, GroupRefusal::PoolClosed)
    }
}

// By hand, all three: the task is seldom `Debug`, and the error must not depend on it.
impl<F> fmt::Debug for SpawnError<F> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("SpawnError")
            .field("name", &self.name)
            .field("refusal", &self.refusal)
            .finish_non_exhaustive()
    }
}

impl<F> fmt::Display for SpawnError<F> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name().unwrap_or("the task");
        write!(formatter, "{name} was not spawned: {}", self.refusal)
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
