//! What can be wrong with a breaker's settings, and why a call was refused.

use std::fmt;

use super::state::BreakerState;
use crate::sync::time::{Duration, Instant};

/// Why a breaker was not made.
///
/// ```
/// use gristmill::{BreakerError, CircuitBreaker};
///
/// let error = CircuitBreaker::builder().count_window(10).minimum_calls(20).build().unwrap_err();
/// assert!(matches!(error, BreakerError::MinimumAboveWindow { minimum: 20, window: 10 }));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum BreakerError {
    /// A failure rate that is no share above 0 and up to 1.
    #[error("a failure rate of {rate} is not above 0 and at most 1")]
    FailureRate {
        /// The rate that was asked for.
        rate: f64,
    },
    /// A rate of slow calls that is no share above 0 and up to 1.
    #[error("a rate of slow calls of {rate} is not above 0 and at most 1")]
    SlowRate {
        /// The rate that was asked for.
        rate: f64,
    },
    /// Calls are slow from zero on.
    #[error("every call is longer than zero, so all would be slow")]
    ZeroSlowCall,
    /// A window of no calls.
    #[error("a window of zero calls has no rates")]
    ZeroCountWindow,
    /// A window of more than a million calls.
    #[error("a window of {calls} calls is longer than a million")]
    CountWindowTooLong {
        /// The number that was asked for.
        calls: u32,
    },
    /// A window of no time.
    #[error("a window of no time has no rates")]
    ZeroTimeWindow,
    /// A window of more than `u64::MAX` nanoseconds.
    #[error("a window of {time:?} is longer than 584 years")]
    TimeWindowTooLong {
        /// The time that was asked for.
        time: Duration,
    },
    /// A minimum of no calls.
    #[error("a minimum of zero calls has no rates")]
    ZeroMinimumCalls,
    /// More calls are wanted than the window ever holds.
    #[error("a minimum of {minimum} calls is never reached in a window of {window}")]
    MinimumAboveWindow {
        /// The minimum that was asked for.
        minimum: u32,
        /// The calls of the window.
        window: u32,
    },
    /// An open time of zero.
    #[error("a breaker that is open for no time refuses nothing")]
    ZeroOpenTime,
    /// A factor that is not finite, or below 1.
    #[error("an open time cannot grow by a factor of {factor}: it must be at least 1, and finite")]
    BackoffFactor {
        /// The factor that was asked for.
        factor: f64,
    },
    /// The open time is longer than its cap.
    #[error("the open time of {open_time:?} is longer than its cap of {cap:?}")]
    BackoffCap {
        /// The cap that was asked for.
        cap: Duration,
        /// The open time that was asked for.
        open_time: Duration,
    },
    /// No probes.
    #[error("without a probe it would never close again")]
    ZeroProbes,
    /// A longest half-open time of zero.
    #[error("a breaker that is half-open for no time hears of no probe")]
    ZeroHalfOpen,
}

/// A [`CircuitBreaker`](super::CircuitBreaker) did not let the call start.
///
/// A [`Retry`](crate::Retry) around it pauses until [`not_before`](Self::not_before), and does not ask again where neither time nor probes can
/// change the state.
///
/// ```
/// use gristmill::{BreakerState, CircuitBreaker, Policy, PolicyError};
///
/// let breaker = CircuitBreaker::new();
/// breaker.force_open();
/// match breaker.call(|_| "42".parse::<u32>()) {
///     Err(PolicyError::Open(open)) => {
///         assert_eq!((open.state(), open.wait()), (BreakerState::ForcedOpen, None)); // time changes nothing
///     }
///     other => unreachable!("{other:?}"),
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BreakerOpen {
    state: BreakerState,
    retry: Option<(Instant, Duration)>,
}

impl BreakerOpen {
    pub(super) fn new(state: BreakerState, retry: Option<(Instant, Duration)>) -> Self {
        Self { state, retry }
    }

    /// The state that it was refused in: open, half-open with all probes taken, or forced open.
    pub fn state(&self) -> BreakerState {
        self.state
    }

    /// The instant on the breaker's clock from which on probes are let through; `None` if no time says so: while probes are under
    /// way, when it was forced open, and if the open time is longer than the clock.
    pub fn not_before(&self) -> Option<Instant> {
        self.retry.map(|(at, _)| at)
    }

    /// From the refusal until [`not_before`](Self::not_before).
    pub fn wait(&self) -> Option<Duration> {
        self.retry.map(|(_, wait)| wait)
    }
}

impl fmt::Display for BreakerOpen {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.state, self.wait()) {
            (BreakerState::HalfOpen, _) => {
                formatter.write_str("the circuit breaker is half-open, and its probes are taken")
            }
            (_, Some(wait)) => write!(formatter, "the circuit breaker is open for another {wait:?}"),
            (state, None) => write!(formatter, "the circuit breaker is {state}"),
        }
    }
}

impl std::error::Error for BreakerOpen {}
