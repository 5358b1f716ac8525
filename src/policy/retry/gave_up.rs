//! Why a call was given up, with the error of each attempt.

use std::collections::VecDeque;
use std::fmt;

use crate::cancel::Cancelled;

/// How many errors are kept from the start, and as many up to the end.
const KEPT: usize = 16;

/// Why a [`Retry`](super::Retry) made no further attempt.
///
/// ```
/// use std::time::Duration;
/// use gristmill::{Backoff, GaveUpReason, Policy, PolicyError, Retry};
///
/// let retry = Retry::builder().attempts(2).backoff(Backoff::Constant(Duration::ZERO)).build()?;
/// match retry.call(|_| Err::<(), _>("busy")) {
///     Err(PolicyError::GaveUp(end)) => assert!(matches!(end.reason(), GaveUpReason::AttemptsUsedUp)),
///     other => unreachable!("{other:?}"),
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum GaveUpReason {
    /// It had made as many as it makes.
    AttemptsUsedUp,
    /// The time for the whole call was over, or would have been after the pause; or the token's deadline would have passed in the pause.
    TimedOut,
    /// The budget for attempts beyond the first, which the calls share, was empty.
    BudgetEmpty,
    /// No further attempt can mend the last error: it was said to be terminal, or it is the refusal of a policy that stays.
    Terminal,
    /// A token was cancelled, in an attempt or in a pause.
    Cancelled(Cancelled),
}

impl GaveUpReason {
    /// The record of the token that ended the call, if one did.
    pub(in crate::policy) fn cancelled(&self) -> Option<&Cancelled> {
        match self {
            Self::Cancelled(cause) => Some(cause),
            _ => None,
        }
    }
}

/// For a token it says who cancelled, and the cause that was given.
impl fmt::Display for GaveUpReason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AttemptsUsedUp => formatter.write_str("all attempts are used up"),
            Self::TimedOut => formatter.write_str("no time is left for another attempt"),
            Self::BudgetEmpty => formatter.write_str("the budget for retries is empty"),
            Self::Terminal => formatter.write_str("no retry can help"),
            Self::Cancelled(cancelled) => match cancelled.cause() {
                Some(cause) => write!(formatter, "{cancelled}: {cause}"),
                None => cancelled.fmt(formatter),
            },
        }
    }
}

/// The end of a call that was given up: why, and the errors of its attempts, of which there is at least one.
///
/// `F` is the error of an attempt, [`PolicyError<E>`](crate::PolicyError) where the work's own is `E`.
///
/// The first 16 errors and the last 16 are kept, with the numbers of their attempts, so that a call without a limit on its attempts
/// takes no more and no more memory; up to 32 attempts those are all. The rest is [counted](Self::omitted).
///
/// ```
/// use std::time::Duration;
/// use gristmill::{Backoff, Policy, Retry};
///
/// let retry = Retry::builder().attempts(3).backoff(Backoff::Constant(Duration::ZERO)).build()?;
/// let error = retry.call(|attempt| Err::<(), _>(format!("line {} is busy", attempt.number()))).unwrap_err();
/// let end = error.gave_up().expect("all attempts failed");
/// assert_eq!((end.attempts(), end.errors().count()), (3, 3));
/// assert_eq!(end.work().map(String::as_str), Some("line 3 is busy")); // the last one
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct GaveUp<F> {
    reason: GaveUpReason,
    earlier: Failures<F>,
    last: (u32, F),
}

impl<F> GaveUp<F> {
    pub(super) fn new(reason: GaveUpReason, earlier: Failures<F>, last: (u32, F)) -> Self {
        Self { reason, earlier, last }
    }

    /// Why there was no further attempt.
    pub fn reason(&self) -> &GaveUpReason {
        &self.reason
    }

    /// How many attempts failed, from 1 on; those whose errors were not kept included.
    pub fn attempts(&self) -> u64 {
        self.earlier.count + 1
    }

    /// The error of the last attempt that failed.
    pub fn last(&self) -> &F {
        &self.last.1
    }

    /// The errors that were kept, in order, with the numbers of their attempts.
    pub fn errors(&self) -> impl DoubleEndedIterator<Item = (u32, &F)> {
        let last = std::iter::once(&self.last);
        self.earlier
            .first
            .iter()
            .chain(&self.earlier.recent)
            .chain(last)
            .map(|(number, error)| (*number, error))
    }

    /// How many errors between the first and the last ones were not kept.
    pub fn omitted(&self) -> u64 {
        let kept = self.earlier.first.len() + self.earlier.recent.len();
        self.earlier.count.saturating_sub(u64::try_from(kept).unwrap_or(u64::MAX))
    }

    /// The error of the last attempt that failed, by value.
    pub fn into_last(self) -> F {
        self.last.1
    }

    /// The same with another error of the last attempt.
    pub(in crate::policy) fn map_last(self, change: impl FnOnce(F) -> F) -> Self {
        let (number, error) = self.last;
        Self { last: (number, change(error)), ..self }
    }

    /// The errors that were kept, by value: as [`errors`](Self::errors).
    pub fn into_errors(self) -> impl DoubleEndedIterator<Item = (u32, F)> {
        self.earlier.first.into_iter().chain(self.earlier.recent).chain([self.last])
    }
}

/// The errors of a call that goes on: the first ones, the last ones, and how many there were.
#[derive(Clone, Debug)]
pub(super) struct Failures<F> {
    first: Vec<(u32, F)>,
    recent: VecDeque<(u32, F)>,
    count: u64,
}

impl<F> Failures<F> {
    pub(super) const fn new() -> Self {
        Self { first: Vec::new(), recent: VecDeque::new(), count: 0 }
    }

    pub(super) fn push(&mut self, number: u32, error: F) {
        self.count += 1;
        if self.first.len() < KEPT {
            self.first.push((number, error));
            return;
        }
        // The one that ends the call comes on top.
        let passed = if self.recent.len() == KEPT - 1 { self.recent.pop_front() } else { None };
        self.recent.push_back((number, error));
        drop(passed); // last, since its drop may panic
    }

    /// Takes the latest one back.
    pub(super) fn pop(&mut self) -> Option<(u32, F)> {
        let last = self.recent.pop_back().or_else(|| self.first.pop())?;
        self.count -= 1;
        Some(last)
    }
}
