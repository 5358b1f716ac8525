//! What became of all tasks of a group.

use std::fmt;

use super::error::{GroupError, TaskFailure};
use super::ledger::Counts;

/// What became of all tasks of a group; made by [`ErrorGroup::into_report`](super::ErrorGroup::into_report).
///
/// `spawned = succeeded + failed + panicked + cancelled`.
///
/// ```
/// use gristmill::{Done, ErrorGroup};
///
/// let group = ErrorGroup::builder().done(Done::all_finished()).build()?;
/// for text in ["1", "two", "3"] {
///     group.spawn(move || text.parse::<u32>())?;
/// }
/// let report = group.into_report();
/// assert_eq!((report.spawned(), report.succeeded(), report.failed()), (3, 2, 1));
/// assert_eq!((report.values(), report.indices()), (&[1, 3][..], &[0, 2][..]));
/// assert_eq!(report.failures()[0].index(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct GroupReport<T, E> {
    pub(super) counts: Counts,
    pub(super) result: Result<(), GroupError<E>>,
    pub(super) indices: Vec<u64>,
    pub(super) values: Vec<T>,
    pub(super) failures: Vec<TaskFailure<E>>,
    pub(super) reactions: Vec<TaskFailure<E>>,
    pub(super) decided_by: Option<u64>,
}

impl<T, E> GroupReport<T, E> {
    /// How many tasks the group took.
    pub fn spawned(&self) -> u64 {
        self.succeeded() + self.failed() + self.panicked() + self.cancelled()
    }

    /// How many returned a value.
    pub fn succeeded(&self) -> u64 {
        self.counts.succeeded
    }

    /// How many returned an error.
    pub fn failed(&self) -> u64 {
        self.counts.failed
    }

    /// How many panicked.
    pub fn panicked(&self) -> u64 {
        self.counts.panicked
    }

    /// How many never started, because the group was done or cancelled before.
    pub fn cancelled(&self) -> u64 {
        self.counts.unrun
    }

    /// The group's answer, as [`ErrorGroup::wait`](super::ErrorGroup::wait) gives it.
    ///
    /// # Errors
    /// The group failed.
    pub fn result(&self) -> Result<(), &GroupError<E>> {
        self.result.as_ref().copied()
    }

    /// The values, in the order of spawning.
    pub fn values(&self) -> &[T] {
        &self.values
    }

    /// The index of the task of each [value](Self::values). Empty if the values have no size, since those are all alike.
    pub fn indices(&self) -> &[u64] {
        &self.indices
    }

    /// The values, in the order of spawning.
    pub fn into_values(self) -> Vec<T> {
        self.values
    }

    /// The values, in the order of spawning, and the answer with its failures.
    pub fn into_parts(self) -> (Vec<T>, Result<(), GroupError<E>>) {
        (self.values, self.result)
    }

    /// All failures until the group was done or cancelled, in the order in which they happened; also if the group succeeded.
    pub fn failures(&self) -> &[TaskFailure<E>] {
        self.result.as_ref().err().map_or(&self.failures, GroupError::failures)
    }

    /// The failures after the group was done or cancelled.
    pub fn reactions(&self) -> &[TaskFailure<E>] {
        self.result.as_ref().err().map_or(&self.reactions, GroupError::reactions)
    }

    /// The index of the task by which the group was done before all had ended: of the first failure, the first success, or the task that
    /// the rule named.
    pub fn decided_by(&self) -> Option<u64> {
        self.decided_by
    }
}

impl<T, E> fmt::Display for GroupReport<T, E> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (spawned, succeeded, failed) = (self.spawned(), self.succeeded(), self.failed());
        let (panicked, cancelled) = (self.panicked(), self.cancelled());
        write!(
            formatter,
            "{spawned} tasks: {succeeded} succeeded, {failed} failed, {panicked} panicked, {cancelled} cancelled"
        )
    }
}
