//! What a limiter did.

use crate::sync::time::Duration;

/// What a [`RateLimiter`](super::RateLimiter) did so far, read in one step; calls are counted once each.
///
/// Calls with a weight of zero or above the burst are not counted: they are answered without a look at the rate.
///
/// ```
/// use std::time::Duration;
/// use gristmill::RateLimiter;
///
/// let limiter = RateLimiter::builder(1, Duration::from_secs(3600)).burst(2).build()?;
/// limiter.try_acquire_many(2)?;
/// assert!(limiter.try_acquire().is_err());
/// let report = limiter.report();
/// assert_eq!((report.acquired, report.refused, report.waiting), (2, 1, 0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RateReport {
    /// Permits that were taken and not given back.
    pub acquired: u64,
    /// Permits that were taken and given back, by dropping a [`Reservation`](super::Reservation).
    pub given_back: u64,
    /// Calls that did not wait and were refused.
    pub refused: u64,
    /// Calls whose time was over first, or would have been.
    pub timed_out: u64,
    /// Calls that a token ended.
    pub cancelled: u64,
    /// Calls that had to wait, however it ended; those that wait now included.
    pub waited: u64,
    /// Calls that wait now.
    pub waiting: usize,
    /// How long the waits took that have ended, all together, on the limiter's clock.
    pub wait_time: Duration,
}
