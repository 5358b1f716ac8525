//! Why a call under policies gave no value.

use std::fmt;

use super::breaker::BreakerOpen;
use super::rate::RateLimited;
use super::retry::{GaveUp, GaveUpReason};
use crate::cancel::{CancelKind, Cancelled};
use crate::semaphore::AcquireError;
use crate::sync::time::Duration;

/// Why a call under a [`Policy`](super::Policy) gave no value: the work's own error, or that of the policy that did not let it run.
///
/// ```
/// use gristmill::{Policy, PolicyError, Semaphore};
///
/// let places = Semaphore::new(1);
/// match places.call(|_| "x".parse::<u32>()) {
///     Err(PolicyError::Work(error)) => assert_eq!(error.to_string(), "invalid digit found in string"),
///     other => unreachable!("{other:?}"),
/// }
/// places.close();
/// let error = places.call(|_| "42".parse::<u32>()).unwrap_err();
/// assert!(matches!(error, PolicyError::Permits(_)));
/// assert!(error.work().is_none()); // it did not run
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum PolicyError<E> {
    /// The work ran, and this is its error.
    Work(E),
    /// The work ran, and this is its error, of which it is said that running it again cannot help: by
    /// [`Nest::terminal_if`](super::Nest::terminal_if), or by work that is given to [`Policy::apply`](super::Policy::apply).
    Terminal(E),
    /// A token was cancelled before the work began, or during a wait; it may have run before.
    Cancelled(Cancelled),
    /// It failed, and took longer than a [`TimeLimit`](super::TimeLimit) allows.
    TimedOut {
        /// The limit.
        limit: Duration,
        /// What it failed with, if only because it was told to end.
        error: Box<PolicyError<E>>,
    },
    /// A [`RateLimiter`](super::RateLimiter) did not let it start.
    Rate(RateLimited),
    /// A [`Semaphore`](crate::Semaphore) did not let it in.
    Permits(AcquireError),
    /// A [`Retry`](super::Retry) made no further attempt; with the error of each.
    GaveUp(Box<GaveUp<PolicyError<E>>>),
    /// A [`CircuitBreaker`](super::CircuitBreaker) did not let it through.
    Open(BreakerOpen),
}

impl<E> PolicyError<E> {
    /// The work's own error, if there is one; of several attempts, that of the last one which has one (as far as their errors were
    /// [kept](GaveUp)), even if a policy refused those after it.
    pub fn work(&self) -> Option<&E> {
        match self {
            Self::Work(error) | Self::Terminal(error) => Some(error),
            Self::TimedOut { error, .. } => error.work(),
            Self::GaveUp(gave_up) => gave_up.work(),
            _ => None,
        }
    }

    /// The same by value; the error is handed back if it is another.
    ///
    /// ```
    /// use gristmill::{Policy, Semaphore};
    ///
    /// let places = Semaphore::new(1);
    /// let error = places.call(|_| "x".parse::<u32>()).unwrap_err();
    /// let error = error.into_work().expect("the work failed, not the policy");
    /// assert_eq!(error, "x".parse::<u32>().unwrap_err());
    /// places.close();
    /// assert!(places.call(|_| "42".parse::<u32>()).unwrap_err().into_work().is_err());
    /// ```
    ///
    /// # Errors
    /// There is none: the work did not run.
    pub fn into_work(self) -> Result<E, Self> {
        match self {
            Self::Work(error) | Self::Terminal(error) => Ok(error),
            Self::TimedOut { error, .. } if error.work().is_some() => error.into_work(),
            Self::GaveUp(gave_up) => gave_up.into_work().map_err(|gave_up| Self::GaveUp(Box::new(gave_up))),
            other => Err(other),
        }
    }

    /// Whether time was what it lacked: a time limit, the total time of a retry, the longest wait for a turn, or the deadline of a token.
    ///
    /// A retry that made all its attempts is not timed out, though each of them may have been: see the [last](GaveUp::last) of them.
    pub fn is_timed_out(&self) -> bool {
        match self {
            Self::TimedOut { .. } => true,
            Self::Rate(refused) if refused.is_timed_out() => true,
            Self::Permits(refused) if refused.is_timed_out() => true,
            Self::GaveUp(gave_up) if matches!(gave_up.reason(), GaveUpReason::TimedOut) => true,
            other => other.cancelled().is_some_and(|cause| cause.kind() == CancelKind::DeadlineExceeded),
        }
    }

    /// Whether a token ended it: somebody's call, or its deadline.
    pub fn is_cancelled(&self) -> bool {
        self.cancelled().is_some()
    }

    /// The record of the token that ended it, if one did: who cancelled, and why.
    pub fn cancelled(&self) -> Option<&Cancelled> {
        match self {
            Self::Cancelled(cause)
            | Self::Rate(RateLimited::Cancelled(cause))
            | Self::Permits(AcquireError::Cancelled(cause)) => Some(cause),
            Self::GaveUp(gave_up) => gave_up.reason().cancelled(),
            _ => None,
        }
    }

    /// The same with the work's own error marked, if it is that and `is_terminal` says so; where it is: in the error of a time limit, or of the last attempt.
    pub(super) fn terminal_if(self, is_terminal: &impl Fn(&E) -> bool) -> Self {
        match self {
            Self::Work(error) if is_terminal(&error) => Self::Terminal(error),
            Self::TimedOut { limit, error } => {
                Self::TimedOut { limit, error: Box::new(error.terminal_if(is_terminal)) }
            }
            Self::GaveUp(gave_up) => {
                Self::GaveUp(Box::new(gave_up.map_last(|error| error.terminal_if(is_terminal))))
            }
            other => other,
        }
    }

    /// What a [`Retry`](super::Retry) made of it, if one gave up: why, and the errors of all attempts.
    pub fn gave_up(&self) -> Option<&GaveUp<Self>> {
        match self {
            Self::GaveUp(gave_up) => Some(gave_up),
            _ => None,
        }
    }
}

impl<E: fmt::Display> fmt::Display for PolicyError<E> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Work(error) | Self::Terminal(error) => error.fmt(formatter),
            Self::Cancelled(_) => formatter.write_str("the call was cancelled"),
            Self::TimedOut { limit, .. } => write!(formatter, "the call took longer than {limit:?}"),
            Self::Rate(error) => error.fmt(formatter),
            Self::Permits(error) => error.fmt(formatter),
            Self::GaveUp(gave_up) => gave_up.fmt(formatter),
            Self::Open(error) => error.fmt(formatter),
        }
    }
}

/// The text is that of what it holds; the source is the one behind that.
impl<E: std::error::Error + 'static> std::error::Error for PolicyError<E> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Work(error) | Self::Terminal(error) => error.source(),
            Self::Cancelled(cause) => Some(cause),
            Self::TimedOut { error, .. } => Some(&**error),
            Self::Rate(error) => error.source(),
            Self::Permits(error) => error.source(),
            Self::GaveUp(gave_up) => gave_up.source(),
            Self::Open(error) => error.source(),
        }
    }
}
