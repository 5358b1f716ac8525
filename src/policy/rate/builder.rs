//! Making a limiter: its settings.

use super::error::RateError;
use super::limiter::RateLimiter;
use super::setting::Rate;
use super::time::Time;
use crate::clock::Clock;
use crate::sync::time::Duration;

impl RateLimiter {
    /// `permits` in each period of length `per`, one at a time (a burst of 1), by the system's clock.
    ///
    /// # Errors
    /// Zero permits, a period of zero or above 584 years (2^64 nanoseconds), or more than one permit a nanosecond.
    pub fn new(permits: u32, per: Duration) -> Result<Self, RateError> {
        Self::builder(permits, per).build()
    }

    /// As [`new`](Self::new), with a burst and a clock to be set.
    pub fn builder(permits: u32, per: Duration) -> RateLimiterBuilder {
        RateLimiterBuilder::new(permits, per)
    }
}

/// Builds a [`RateLimiter`]; made by [`RateLimiter::builder`].
///
/// ```
/// use std::time::Duration;
/// use gristmill::{ManualClock, RateLimiter};
///
/// let clock = ManualClock::new();
/// let limiter = RateLimiter::builder(10, Duration::from_secs(1)).burst(2).clock(clock.clone()).build()?;
/// limiter.try_acquire_many(2)?;
/// assert!(limiter.try_acquire().is_err());
/// clock.advance(Duration::from_millis(100)); // one permit's time
/// limiter.try_acquire()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until `build`"]
pub struct RateLimiterBuilder {
    permits: u32,
    per: Duration,
    burst: u32,
    time: Time,
}

impl RateLimiterBuilder {
    pub(super) fn new(permits: u32, per: Duration) -> Self {
        Self { permits, per, burst: 1, time: Time::system() }
    }

    /// How many permits may be taken at one instant after a pause, 1 to `u32::MAX`; 1 unless it is set.
    ///
    /// It is also what makes up for threads that wake late: see [`RateLimiter`].
    pub fn burst(mut self, permits: u32) -> Self {
        self.burst = permits;
        self
    }

    /// The clock to go by; the system's unless it is set. Tests give a clone of a
    /// [`ManualClock`](crate::clock::ManualClock).
    pub fn clock(mut self, clock: impl Clock + 'static) -> Self {
        self.time = Time::of(clock);
        self
    }

    /// The limiter, with its whole burst there.
    ///
    /// # Errors
    /// The rate, the period or the burst is out of range; the error says which.
    pub fn build(self) -> Result<RateLimiter, RateError> {
        let rate = Rate::new(self.permits, self.per, self.burst)?;
        Ok(RateLimiter::with_time(rate, self.time))
    }
}
