//! Why a call under policies gave no value.

use std::fmt;

use super::rate::RateLimited;
use crate::cancel::Cancelled;
use crate::semaphore::AcquireError;
use crate::sync::time::Duration;

/// Why a call under a [`Policy`](super::Policy) gave no value: the work's own error, or that of the policy that did not let it run.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum PolicyError<E> {
    /// The work ran, and this is its error.
    Work(E),
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
}

impl<E> PolicyError<E> {
    /// The work's own error, if it is that.
    pub fn work(&self) -> Option<&E> {
        match self {
            Self::Work(error) => Some(error),
            Self::TimedOut { error, .. } => error.work(),
            _ => None,
        }
    }

    /// Whether its time was over.
    pub fn is_timed_out(&self) -> bool {
        matches!(self, Self::TimedOut { .. })
    }

    /// Whether a token ended it.
    pub fn is_cancelled(&self) -> bool {
        matches!(self, Self::Cancelled(_))
    }
}

impl<E: fmt::Display> fmt::Display for PolicyError<E> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Work(error) => error.fmt(formatter),
            Self::Cancelled(_) => formatter.write_str("the call was cancelled"),
            Self::TimedOut { limit, .. } => write!(formatter, "the call took longer than {limit:?}"),
            Self::Rate(error) => error.fmt(formatter),
            Self::Permits(error) => error.fmt(formatter),
        }
    }
}

/// The text is that of what it holds; the source is the one behind that.
impl<E: std::error::Error + 'static> std::error::Error for PolicyError<E> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Work(error) => error.source(),
            Self::Cancelled(cause) => Some(cause),
            Self::TimedOut { error, .. } => Some(&**error),
            Self::Rate(error) => error.source(),
            Self::Permits(error) => error.source(),
        }
    }
}
