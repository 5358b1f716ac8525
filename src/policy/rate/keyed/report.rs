//! What a limiter by keys did.

use super::super::report::RateReport;

/// What a [`KeyedRateLimiter`](super::KeyedRateLimiter) did so far, for all keys together, read in one step.
///
/// ```
/// use std::time::Duration;
/// use gristmill::KeyedRateLimiter;
///
/// let tenants = KeyedRateLimiter::<u32>::builder(1, Duration::from_secs(3600), 2).build()?;
/// tenants.try_acquire(&7)?;
/// tenants.try_acquire(&8)?;
/// assert!(tenants.try_acquire(&9).unwrap_err().is_too_many_keys());
/// let report = tenants.report();
/// assert_eq!((report.keys, report.rate.acquired, report.too_many_keys), (2, 2, 1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyedRateReport {
    /// The calls, as a limiter without keys counts them.
    pub rate: RateReport,
    /// Keys that are kept now; never more than the bound.
    pub keys: usize,
    /// Keys that were forgotten to make room for others, once all their permits were back.
    pub forgotten: u64,
    /// Of the calls that were refused, those for which there was no room for another key.
    pub too_many_keys: u64,
}
