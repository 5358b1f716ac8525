//! Why a call under policies gave no value.

use std::fmt;

use super::breaker::BreakerOpen;
use super::rate::RateLimited;
use crate::cancel::Cancelled;
use crate::semaphore::AcquireError;

/// Why a call under a [`Policy`](super::Policy) gave no value: the work's own error, or that of the policy that did not let it run.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum PolicyError<E> {
    /// The work ran, and this is its error.
    Work(E),
    /// A token was cancelled before the work began, or during a wait; it may have run before.
    Cancelled(Cancelled),
    /// A [`RateLimiter`](super::RateLimiter) did not let it start.
    Rate(RateLimited),
    /// A [`Semaphore`](crate::Semaphore) did not let it in.
    Permits(AcquireError),
    /// A [`CircuitBreaker`](super::CircuitBreaker) did not let it through.
    Open(BreakerOpen),
}

impl<E> PolicyError<E> {
    /// The work's own error, if it is that.
    pub fn work(&self) -> Option<&E> {
        match self {
            Self::Work(error) => Some(error),
            _ => None,
        }
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
            Self::Rate(error) => error.fmt(formatter),
            Self::Permits(error) => error.fmt(formatter),
            Self::Open(error) => error.fmt(formatter),
        }
    }
}

/// The text is that of what it holds; the source is the one behind that.
impl<E: std::error::Error + 'static> std::error::Error for PolicyError<E> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Work(error) => error.source(),
            Self::Cancelled(cause) => Some(cause),
            Self::Rate(error) => error.source(),
            Self::Permits(error) => error.source(),
            Self::Open(error) => error.source(),
        }
    }
}
