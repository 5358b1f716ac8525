//! What attempts at one answer leave when none succeeds, or when the wait for them ends early.

use std::error::Error;
use std::fmt;

use crate::pool::TaskError;
use crate::waitable::{Mapped, Waitable};

/// None has succeeded: every error, in the order of the handles.
///
/// ```
/// use gristmill::combine::first_ok;
/// use gristmill::waitable::ready;
///
/// let error = first_ok([ready(Err::<u32, _>("no wheat")), ready(Err("no rye"))]).unwrap_err();
/// assert_eq!(error.errors(), ["no wheat", "no rye"]);
/// assert_eq!(error.to_string(), "all 2 failed: no wheat; no rye");
/// ```
#[derive(Debug)]
pub struct AllFailed<E> {
    errors: Vec<E>,
}

impl<E> AllFailed<E> {
    /// Of errors with the indices of their handles.
    pub(super) fn in_order(mut failed: Vec<(usize, E)>) -> Self {
        failed.sort_unstable_by_key(|(index, _)| *index);
        Self { errors: failed.into_iter().map(|(_, error)| error).collect() }
    }

    /// The errors, in the order of the handles; empty if there were none to succeed.
    pub fn errors(&self) -> &[E] {
        &self.errors
    }

    /// The errors, in the order of the handles.
    pub fn into_errors(self) -> Vec<E> {
        self.errors
    }
}

impl<E: fmt::Display> fmt::Display for AllFailed<E> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut errors = self.errors.iter();
        let Some(first) = errors.next() else { return formatter.write_str("there was nothing to succeed") };
        write!(formatter, "all {} failed: {first}", self.errors.len())?;
        errors.try_for_each(|error| write!(formatter, "; {error}"))
    }
}

/// For every error that can be printed. It has no source: its text has that of all of them, and none comes before the others.
impl<E: fmt::Debug + fmt::Display> Error for AllFailed<E> {}

/// What there was when a wait for a success ended early.
///
/// `S` is what starts the second attempt, where that is part of the combinator. Dropping it detaches what is pending: those tasks run on.
#[must_use = "what has not ended is in here"]
pub struct Unsettled<W, E, S = ()> {
    /// Those that have failed, in the order of their ends: index and error.
    pub failed: Vec<(usize, E)>,
    /// Those that have not ended: index and handle. None of them was cancelled.
    pub pending: Vec<(usize, W)>,
    /// What starts the second attempt, if it was not called.
    pub second: Option<S>,
}

impl<W: Waitable, E, S> Unsettled<W, E, S> {
    /// Cancels what is pending, the last first, so that one that ends at once makes no room for another to start.
    #[track_caller]
    pub fn cancel(&self) {
        for (_, handle) in self.pending.iter().rev() {
            handle.cancel();
        }
    }
}

impl<W, E: fmt::Debug, S> fmt::Debug for Unsettled<W, E, S> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Unsettled")
            .field("failed", &self.failed)
            .field("pending", &self.pending.len())
            .field("second", &self.second.is_some())
            .finish()
    }
}

impl<W, E: fmt::Display, S> fmt::Display for Unsettled<W, E, S> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} had not ended when the wait was over", self.pending.len())?;
        self.failed.iter().try_for_each(|(index, error)| write!(formatter, "; {index} failed: {error}"))
    }
}

impl<W, E: fmt::Debug + fmt::Display, S> Error for Unsettled<W, E, S> {}

/// Why a task whose closure gives a `Result` has not succeeded.
///
/// It prints as what is in it does, and is an [`Error`] for every `E` that can be printed: also for a `String`, and for an `anyhow::Error`, which is
/// no [`Error`] itself. So it cannot give the sources of an `E`; they are in [`Failed`](Self::Failed).
///
/// ```
/// use gristmill::{ThreadPool, combine};
///
/// let pool = ThreadPool::new()?;
/// let grind = |sack: &'static str| pool.submit(move || Err::<u32, _>(format!("{sack} is empty"))).map(combine::attempt);
/// let error: Box<dyn std::error::Error> = combine::first_ok([grind("oats")?, grind("rye")?]).unwrap_err().into();
/// assert_eq!(error.to_string(), "all 2 failed: oats is empty; rye is empty");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub enum AttemptError<E> {
    /// The closure returned this error.
    Failed(E),
    /// The task panicked, was cancelled before it started, or was handed back.
    Task(TaskError),
}

impl<E: fmt::Display> fmt::Display for AttemptError<E> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(error) => fmt::Display::fmt(error, formatter),
            Self::Task(error) => fmt::Display::fmt(error, formatter),
        }
    }
}

impl<E: fmt::Debug + fmt::Display> Error for AttemptError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Failed(_) => None,
            Self::Task(error) => error.source(),
        }
    }
}

/// A handle of a task whose closure gives a `Result`, as one attempt that succeeds or fails: what [`attempt`] gives.
///
/// ```
/// use std::num::ParseIntError;
/// use gristmill::combine::{Attempted, attempt, first_ok};
/// use gristmill::{SubmitError, TaskHandle, ThreadPool};
///
/// struct Race(Vec<Attempted<TaskHandle<Result<u32, ParseIntError>>, u32, ParseIntError>>);
///
/// let pool = ThreadPool::new()?;
/// let mut race = Race(Vec::new());
/// for text in ["x", "42"] {
///     race.0.push(attempt(pool.submit(move || text.parse())?));
/// }
/// assert_eq!(first_ok(race.0)?.value, 42);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub type Attempted<W, T, E> = Mapped<W, fn(Result<Result<T, E>, TaskError>) -> Result<T, AttemptError<E>>>;

/// Makes one `Result` of two: an error that the task returned and an end without a result are failures alike.
///
/// For [`first_ok`](super::first_ok) and its like over tasks that return a `Result`.
///
/// ```
/// use gristmill::{ThreadPool, combine};
///
/// let pool = ThreadPool::new()?;
/// let texts = ["", "x", "42"];
/// let attempts: Result<Vec<_>, _> =
///     texts.into_iter().map(|text| pool.submit(move || text.parse::<u32>()).map(combine::attempt)).collect();
/// let first = combine::first_ok(attempts?)?;
/// assert_eq!((first.index, first.value), (2, 42));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn attempt<W, T, E>(handle: W) -> Attempted<W, T, E>
where
    W: Waitable<Output = Result<Result<T, E>, TaskError>>,
{
    handle.map(|output| match output {
        Ok(result) => result.map_err(AttemptError::Failed),
        Err(error) => Err(AttemptError::Task(error)),
    })
}
