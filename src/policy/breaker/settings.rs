//! What a breaker goes by, checked.

use super::error::BreakerError;
use super::tally::{Tally, share};
use super::window::Span;
use crate::policy::growth::grown;
use crate::sync::time::Duration;

/// The longest count window: its memory is two bytes a call.
const MOST_CALLS: u32 = 1_000_000;

/// The minimum of calls unless it is set, or the whole of a count window that is shorter.
const MINIMUM_CALLS: u32 = 20;

#[derive(Clone, Copy, Debug)]
pub(super) struct Settings {
    pub(super) span: Span,
    pub(super) minimum_calls: u32,
    pub(super) failure_rate: f64,
    pub(super) slow: Option<Slow>,
    pub(super) open_time: Duration,
    pub(super) backoff: Option<Backoff>,
    pub(super) probes: u32,
    pub(super) longest_half_open: Option<Duration>,
}

/// Which calls are slow, and which share of them is too much.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slow {
    /// In nanoseconds.
    pub(super) longer_than: u64,
    pub(super) rate: f64,
}

/// How the open time grows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Backoff {
    pub(super) factor: f64,
    pub(super) cap: Duration,
}

/// What was asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    pub(super) window: AskedWindow,
    pub(super) minimum_calls: Option<u32>,
    pub(super) failure_rate: f64,
    pub(super) slow: Option<Slow>,
    pub(super) open_time: Duration,
    pub(super) backoff: Option<Backoff>,
    pub(super) probes: u32,
    pub(super) longest_half_open: Option<Duration>,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum AskedWindow {
    Calls(u32),
    Time(Duration),
}

impl Default for Asked {
    fn default() -> Self {
        Self {
            window: AskedWindow::Calls(100),
            minimum_calls: None,
            failure_rate: 0.5,
            slow: None,
            open_time: Duration::from_secs(60),
            backoff: None,
            probes: 10,
            longest_half_open: None,
        }
    }
}

impl Asked {
    pub(super) fn check(self) -> Result<Settings, BreakerError> {
        let Self { window, minimum_calls, failure_rate, slow, open_time, backoff, probes, longest_half_open } =
            self;
        let span = window.check()?;
        let most = if let Span::Calls(calls) = span { calls } else { u32::MAX };
        let minimum_calls = minimum_calls.unwrap_or(MINIMUM_CALLS.min(most));
        if minimum_calls == 0 {
            return Err(BreakerError::ZeroMinimumCalls);
        }
        if minimum_calls > most {
            return Err(BreakerError::MinimumAboveWindow { minimum: minimum_calls, window: most });
        }
        if !is_rate(failure_rate) {
            return Err(BreakerError::FailureRate { rate: failure_rate });
        }
        if let Some(Slow { longer_than, rate }) = slow {
            if longer_than == 0 {
                return Err(BreakerError::ZeroSlowCall);
            }
            if !is_rate(rate) {
                return Err(BreakerError::SlowRate { rate });
            }
        }
        if open_time.is_zero() {
            return Err(BreakerError::ZeroOpenTime);
        }
        if let Some(Backoff { factor, cap }) = backoff {
            if !(factor.is_finite() && factor >= 1.0) {
                return Err(BreakerError::BackoffFactor { factor });
            }
            if cap < open_time {
                return Err(BreakerError::BackoffCap { cap, open_time });
            }
        }
        if probes == 0 {
            return Err(BreakerError::ZeroProbes);
        }
        if longest_half_open == Some(Duration::ZERO) {
            return Err(BreakerError::ZeroHalfOpen);
        }
        Ok(Settings {
            span,
            minimum_calls,
            failure_rate,
            slow,
            open_time,
            backoff,
            probes,
            longest_half_open,
        })
    }
}

impl AskedWindow {
    fn check(self) -> Result<Span, BreakerError> {
        match self {
            Self::Calls(0) => Err(BreakerError::ZeroCountWindow),
            Self::Calls(calls) if calls > MOST_CALLS => Err(BreakerError::CountWindowTooLong { calls }),
            Self::Calls(calls) => Ok(Span::Calls(calls)),
            Self::Time(time) if time.is_zero() => Err(BreakerError::ZeroTimeWindow),
            Self::Time(time) => match u64::try_from(time.as_nanos()) {
                Ok(nanoseconds) => Ok(Span::Time(nanoseconds)),
                Err(_) => Err(BreakerError::TimeWindowTooLong { time }),
            },
        }
    }
}

/// At most `u64::MAX`, which is 584 years.
#[inline]
pub(super) fn nanoseconds(time: Duration) -> u64 {
    time.as_secs().saturating_mul(1_000_000_000).saturating_add(u64::from(time.subsec_nanos()))
}

/// A share above 0, and at most 1; not a number is none.
fn is_rate(rate: f64) -> bool {
    rate > 0.0 && rate <= 1.0
}

impl Settings {
    /// Whether one of the rates is reached, in at least one call.
    #[inline]
    pub(super) fn is_too_bad(&self, tally: Tally) -> bool {
        let Tally { calls, failures, slow } = tally;
        // The first comparisons spare the divisions where all is well.
        (failures > 0 && share(failures, calls) >= self.failure_rate)
            || (slow > 0 && self.slow.is_some_and(|limit| share(slow, calls) >= limit.rate))
    }

    /// Whether a breaker with these calls in its window opens.
    #[inline]
    pub(super) fn opens(&self, tally: Tally) -> bool {
        self.has_enough(tally) && self.is_too_bad(tally)
    }

    #[inline]
    pub(super) fn has_enough(&self, tally: Tally) -> bool {
        tally.calls >= u64::from(self.minimum_calls)
    }

    /// How long the `opening`th in a row lasts, from 1 on.
    pub(super) fn open_time(&self, opening: u32) -> Duration {
        let Some(Backoff { factor, cap }) = self.backoff.filter(|_| opening > 1) else {
            return self.open_time;
        };
        grown(self.open_time, factor, opening - 1).min(cap)
    }

    /// Whether the end of a call needs the time although nobody asks how long it took.
    pub(super) fn has_time_window(&self) -> bool {
        matches!(self.span, Span::Time(_))
    }
}
