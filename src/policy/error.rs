//! Why a call under policies gave no value.

use std::fmt;

use super::breaker::BreakerOpen;
use super::rate::RateLimited;
use super::retry::{GaveUp, GaveUpReason};
use crate::cancel::Cancelled;
use crate::semaphore::AcquireError;
use crate::sync::time::Duration;

/// Why a call under a [`Policy`](super::Policy) gave no value: the work's own error, or that of the policy that did not let it run.
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
    /// The work's own error, if it is that; of several attempts, that of the last one.
    pub fn work(&self) -> Option<&E> {
        match self {
            Self::Work(error) | Self::Terminal(error) => Some(error),
            Self::TimedOut { error, .. } => error.work(),
            Self::GaveUp(gave_up) => gave_up.last().work(),
            _ => None,
        }
    }

    /// The same by value; the error is handed back if it is another.
    ///
    /// # Errors
    /// The work did not run, or not in the last attempt.
    pub fn into_work(self) -> Result<E, Self> {
        match self {
            Self::Work(error) | Self::Terminal(error) => Ok(error),
            Self::TimedOut { error, .. } if error.work().is_some() => error.into_work(),
            Self::GaveUp(gave_up) if gave_up.last().work().is_some() => gave_up.into_last().into_work(),
            other => Err(other),
        }
    }

    /// Whether its time was over.
    pub fn is_timed_out(&self) -> bool {
        matches!(self, Self::TimedOut { .. })
    }

    /// Whether a token ended it.
    pub fn is_cancelled(&self) -> bool {
        match self {
            Self::Cancelled(_) => true,
            Self::GaveUp(gave_up) => matches!(gave_up.reason(), GaveUpReason::Cancelled(_)),
            _ => false,
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
