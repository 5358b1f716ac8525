//! When a group is done: the one place where its shapes differ.

use std::fmt;
use std::sync::Arc;

use super::error::FailureKind;

/// What the end of one task means for its group.
///
/// ```
/// use gristmill::{Done, ErrorGroup, Verdict};
///
/// // Done at the first value above 10, whatever comes after it.
/// let done = Done::by(|end| if end.result().is_ok_and(|n| *n > 10) { Verdict::Succeed } else { Verdict::GoOn });
/// let group = ErrorGroup::<u32, String>::builder().limit(1).done(done).build()?;
/// for n in [3, 12, 5] {
///     group.spawn(move || Ok(n)).ok(); // refused once the group is done
/// }
/// assert_eq!(group.into_results()?, [3, 12]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// The group goes on.
    GoOn,
    /// The group is done and has succeeded: the other tasks are cancelled, and what comes after does not change the answer.
    Succeed,
    /// The group is done and has failed by this task, which is the cause in the answer; the others are cancelled.
    ///
    /// For a task that succeeded this is [`Succeed`](Self::Succeed): there is no error to give.
    Fail,
}

/// How one task ended, as a rule made by [`Done::by`] sees it.
///
/// ```
/// use gristmill::{Done, ErrorGroup, Verdict};
///
/// // Only the failure of the task that matters ends the group.
/// let done = Done::by(|end| match (end.name(), end.result()) {
///     (Some("index"), Err(_)) => Verdict::Fail,
///     _ => Verdict::GoOn,
/// });
/// let group = ErrorGroup::<(), String>::builder().done(done).build()?;
/// group.task().name("index").spawn(|_| Err("no space".to_owned()))?;
/// assert_eq!(group.wait().unwrap_err().name(), Some("index"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct TaskEnd<'a, T, E> {
    pub(super) index: u64,
    pub(super) name: Option<&'a str>,
    pub(super) result: Result<&'a T, &'a FailureKind<E>>,
}

impl<T, E> TaskEnd<'_, T, E> {
    /// The task's index in the group, from 0, in the order of spawning.
    pub fn index(&self) -> u64 {
        self.index
    }

    /// The task's name, if it was given one.
    pub fn name(&self) -> Option<&str> {
        self.name
    }

    /// Its value, or how it failed.
    ///
    /// # Errors
    /// The task failed.
    pub fn result(&self) -> Result<&T, &FailureKind<E>> {
        self.result
    }
}

pub(super) type Rule<'env, T, E> = dyn Fn(&TaskEnd<'_, T, E>) -> Verdict + Send + Sync + 'env;

pub(super) enum Kind<'env, T, E> {
    AllSucceeded,
    AnySucceeded,
    AllFinished,
    By(Arc<Rule<'env, T, E>>),
}

/// When a group is done, given to [`ErrorGroupBuilder::done`](super::ErrorGroupBuilder::done).
///
/// | rule | done early | the answer, if nothing ended it early |
/// |---|---|---|
/// | [`all_succeeded`](Self::all_succeeded), the default | at the first failure | success |
/// | [`any_succeeded`](Self::any_succeeded) | at the first success | failure: no task succeeded; all failures are in the error |
/// | [`all_finished`](Self::all_finished), which collects all errors | never | failure if any task failed; all failures are in the error |
/// | [`by`](Self::by) a rule of your own | when it says so | as for `all_finished` |
///
/// ```
/// use gristmill::{Done, ErrorGroup, Verdict};
///
/// // Done when two mirrors have answered, whatever the third does.
/// let answers = std::sync::atomic::AtomicU32::new(0);
/// let quorum = Done::by(move |end| match end.result() {
///     Ok(_) if answers.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 1 => Verdict::Succeed,
///     _ => Verdict::GoOn,
/// });
/// let group = ErrorGroup::<&str, String>::builder().limit(3).done(quorum).build()?;
/// for mirror in ["north", "south", "west"] {
///     group.spawn(move || Ok(mirror)).ok(); // refused once the quorum is there
/// }
/// assert!(group.wait().is_ok());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Done<'env, T, E>(pub(super) Kind<'env, T, E>);

impl<'env, T, E> Done<'env, T, E> {
    /// Done at the first failure, which cancels the others and is the answer.
    pub fn all_succeeded() -> Self {
        Self(Kind::AllSucceeded)
    }

    /// Done at the first success, which cancels the others; failed if there is none.
    pub fn any_succeeded() -> Self {
        Self(Kind::AnySucceeded)
    }

    /// Not done before every task has ended; the error has all failures.
    pub fn all_finished() -> Self {
        Self(Kind::AllFinished)
    }

    /// Done when `rule` says so. It is called with every end of a task, on the thread that ran the task, for several tasks at the same
    /// time; what it returns once the group is done means nothing. If it panics, the task counts as panicked and the group as failed by it.
    ///
    /// It is not asked about tasks that never started.
    pub fn by(rule: impl Fn(&TaskEnd<'_, T, E>) -> Verdict + Send + Sync + 'env) -> Self {
        Self(Kind::By(Arc::new(rule)))
    }
}

impl<T, E> Default for Done<'_, T, E> {
    fn default() -> Self {
        Self::all_succeeded()
    }
}

impl<T, E> fmt::Debug for Done<'_, T, E> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self.0 {
            Kind::AllSucceeded => "Done::all_succeeded",
            Kind::AnySucceeded => "Done::any_succeeded",
            Kind::AllFinished => "Done::all_finished",
            Kind::By(_) => "Done::by",
        })
    }
}
