//! What can be wrong with a rate, and why permits were not given.

use crate::cancel::Cancelled;
use crate::sync::time::{Duration, Instant};

/// Why a rate was refused; nothing was made or changed.
///
/// ```
/// use std::time::Duration;
/// use gristmill::{RateError, RateLimiter};
///
/// let error = RateLimiter::new(10, Duration::ZERO).unwrap_err();
/// assert!(matches!(error, RateError::ZeroPeriod));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RateError {
    /// No permits in any time.
    #[error("a rate of zero permits would let nothing start, ever")]
    ZeroPermits,
    /// A period of zero.
    #[error("a period of zero has no rate")]
    ZeroPeriod,
    /// A burst of zero.
    #[error("a burst of zero would let nothing start, ever")]
    ZeroBurst,
    /// A limiter by keys that may keep none.
    #[error("a limiter that keeps zero keys would let nothing start, ever")]
    ZeroKeys,
    /// A period of more than `u64::MAX` nanoseconds.
    #[error("a period of {per:?} is longer than 584 years")]
    PeriodTooLong {
        /// The period that was asked for.
        per: Duration,
    },
    /// More than one permit a nanosecond, which is finer than the clock.
    #[error("{permits} permits in {per:?} are more than one a nanosecond")]
    TooFast {
        /// The number that was asked for.
        permits: u32,
        /// The period that was asked for.
        per: Duration,
    },
    /// A burst that takes more than `u64::MAX` nanoseconds to become available again.
    #[error("a burst of {burst} takes longer than 584 years at {permits} permits in {per:?}")]
    BurstTooLarge {
        /// The burst that was asked for.
        burst: u32,
        /// The permits of the rate.
        permits: u32,
        /// The period of the rate.
        per: Duration,
    },
}

/// Why permits were not given. None was taken, and nobody else's turn is later for it.
///
/// ```
/// use std::time::Duration;
/// use gristmill::{ManualClock, RateLimited, RateLimiter};
///
/// let clock = ManualClock::new();
/// let limiter = RateLimiter::builder(1, Duration::from_secs(1)).burst(2).clock(clock.clone()).build()?;
/// limiter.try_acquire_many(2)?;
/// match limiter.try_acquire() {
///     Err(RateLimited::NotYet { wait, .. }) => clock.advance(wait),
///     other => unreachable!("{other:?}"),
/// }
/// assert!(limiter.try_acquire().is_ok());
/// assert!(limiter.try_acquire_many(3).unwrap_err().is_exceeds_burst());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RateLimited {
    /// Not now: the rate does not allow it yet, or others wait for their turn.
    #[error("the rate allows it in {wait:?} at the earliest")]
    NotYet {
        /// The earliest instant at which it can succeed, on the limiter's clock: exact as long as those who wait stay and
        /// nobody else comes, and as long as nothing is given back and the rate is not changed.
        not_before: Instant,
        /// From now until then.
        wait: Duration,
    },
    /// Not now: the key is a new one, and all that a [`KeyedRateLimiter`](super::KeyedRateLimiter) may keep have permits to be paid off, or others
    /// wait for room before it.
    #[error("{most_keys} keys are limited already; there is room for another in {wait:?} at the earliest")]
    TooManyKeys {
        /// How many it may keep.
        most_keys: usize,
        /// The earliest instant at which one of them can be forgotten: exact as long as none of them takes more, and as long as nobody waits
        /// for room, nothing is given back and the rate is not changed.
        not_before: Instant,
        /// From now until then.
        wait: Duration,
    },
    /// The time was over first, or would have been.
    #[error("the rate does not allow it in time: in {wait:?} at the earliest")]
    TimedOut {
        /// As for [`NotYet`](Self::NotYet).
        not_before: Instant,
        /// From the end of the call until then.
        wait: Duration,
    },
    /// The token given to the wait was cancelled.
    #[error("the wait for the rate was cancelled")]
    Cancelled(#[source] Cancelled),
    /// More permits than the burst: they are never there at once.
    #[error("{permits} permits at once are more than the burst of {burst}")]
    ExceedsBurst {
        /// The permits that were asked for.
        permits: u32,
        /// The burst at the time.
        burst: u32,
    },
}

impl RateLimited {
    /// The earliest instant at which another attempt can succeed; `None` if time is not what is missing.
    pub fn not_before(&self) -> Option<Instant> {
        match self {
            Self::NotYet { not_before, .. }
            | Self::TooManyKeys { not_before, .. }
            | Self::TimedOut { not_before, .. } => Some(*not_before),
            Self::Cancelled(_) | Self::ExceedsBurst { .. } => None,
        }
    }

    /// Whether it was refused because the rate does not allow it now.
    pub fn is_not_yet(&self) -> bool {
        matches!(self, Self::NotYet { .. })
    }

    /// Whether it was refused because there is no room for another key now.
    pub fn is_too_many_keys(&self) -> bool {
        matches!(self, Self::TooManyKeys { .. })
    }

    /// Whether the time was over, or would have been.
    pub fn is_timed_out(&self) -> bool {
        matches!(self, Self::TimedOut { .. })
    }

    /// Whether a token ended the wait.
    pub fn is_cancelled(&self) -> bool {
        matches!(self, Self::Cancelled(_))
    }

    /// Whether more was asked for than the burst.
    pub fn is_exceeds_burst(&self) -> bool {
        matches!(self, Self::ExceedsBurst { .. })
    }
}
