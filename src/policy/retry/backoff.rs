//! How the pauses between attempts grow.

use super::error::RetryBuildError;
use crate::policy::growth::grown;
use crate::sync::time::Duration;

/// How long the pauses between attempts are, before the cap and the [`Jitter`](super::Jitter).
///
/// Whatever would be longer than [`Duration::MAX`] is `Duration::MAX`; nothing overflows.
///
/// ```
/// use std::time::Duration;
/// use gristmill::{Backoff, Jitter, Policy, Retry};
///
/// let backoff = Backoff::Linear { first: Duration::ZERO, step: Duration::from_secs(1) };
/// let retry = Retry::builder().attempts(2).backoff(backoff).jitter(Jitter::None).build()?;
/// let error = retry.call(|attempt| Err::<(), _>(attempt.number())).unwrap_err();
/// assert_eq!(error.gave_up().map(|end| end.attempts()), Some(2));
/// assert_eq!(retry.report().slept, Duration::ZERO); // the first pause only
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Backoff {
    /// The same pause each time. For failures that have nothing to do with load: a file that is not there yet.
    Constant(Duration),
    /// Longer by `step` each time.
    Linear {
        /// The pause after the first attempt.
        first: Duration,
        /// How much longer each pause is than the one before.
        step: Duration,
    },
    /// `factor` times as long each time, rounded to nanoseconds. What failures under load call for: the more often it
    /// failed, the rarer the attempts.
    Exponential {
        /// The pause after the first attempt.
        first: Duration,
        /// 1 or more.
        factor: f64,
    },
}

impl Backoff {
    pub(super) fn check(self) -> Result<(), RetryBuildError> {
        match self {
            Self::Exponential { factor, .. } if !factor.is_finite() => {
                Err(RetryBuildError::FactorNotFinite { factor })
            }
            Self::Exponential { factor, .. } if factor < 1.0 => {
                Err(RetryBuildError::FactorBelowOne { factor })
            }
            _ => Ok(()),
        }
    }

    /// The pause after the attempt with this number, from 1 on.
    pub(super) fn after(self, attempt: u32) -> Duration {
        let before = attempt.saturating_sub(1);
        match self {
            Self::Constant(delay) => delay,
            Self::Linear { first, step } => first.saturating_add(step.saturating_mul(before)),
            Self::Exponential { first, factor } => grown(first, factor, before),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLISECOND: Duration = Duration::from_millis(1);

    fn exponential(first: Duration, factor: f64) -> Backoff {
        Backoff::Exponential { first, factor }
    }

    fn first_pauses(backoff: Backoff) -> [Duration; 4] {
        [1, 2, 3, 4].map(|attempt| backoff.after(attempt))
    }

    #[test]
    fn pauses_grow_as_they_are_named() {
        assert_eq!(first_pauses(Backoff::Constant(MILLISECOND)), [MILLISECOND; 4]);
        let linear = Backoff::Linear { first: 5 * MILLISECOND, step: 2 * MILLISECOND };
        assert_eq!(first_pauses(linear), [5, 7, 9, 11].map(|count| count * MILLISECOND));
        let doubling = exponential(3 * MILLISECOND, 2.0);
        assert_eq!(first_pauses(doubling), [3, 6, 12, 24].map(|count| count * MILLISECOND));
        let slow = exponential(8 * MILLISECOND, 1.5);
        assert_eq!(first_pauses(slow), [8, 12, 18, 27].map(|count| count * MILLISECOND));
    }

    #[test]
    fn pauses_beyond_the_longest_duration_are_the_longest() {
        for backoff in [
            Backoff::Constant(Duration::MAX),
            Backoff::Linear { first: Duration::MAX, step: MILLISECOND },
            Backoff::Linear { first: MILLISECOND, step: Duration::MAX },
            exponential(Duration::MAX, 1.5),
            exponential(MILLISECOND, f64::MAX),
            exponential(MILLISECOND, 2.0),
        ] {
            assert_eq!(backoff.after(u32::MAX), Duration::MAX, "{backoff:?}");
        }
        assert_eq!(exponential(Duration::ZERO, f64::MAX).after(u32::MAX), Duration::ZERO);
        assert_eq!(exponential(MILLISECOND, 1.0).after(u32::MAX), MILLISECOND);
    }
}
