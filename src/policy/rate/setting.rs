//! The setting of a limiter: a rate and a burst that the arithmetic can bear.

use super::error::RateError;
use crate::sync::time::Duration;

/// How many permits in what time, and how many at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rate {
    permits: u32,
    /// In nanoseconds.
    period: u64,
    burst: u32,
}

impl Rate {
    pub(super) fn new(permits: u32, per: Duration, burst: u32) -> Result<Self, RateError> {
        if permits == 0 {
            return Err(RateError::ZeroPermits);
        }
        if per.is_zero() {
            return Err(RateError::ZeroPeriod);
        }
        if burst == 0 {
            return Err(RateError::ZeroBurst);
        }
        let period = u64::try_from(per.as_nanos()).map_err(|_| RateError::PeriodTooLong { per })?;
        if u64::from(permits) > period {
            return Err(RateError::TooFast { permits, per });
        }
        if u128::from(burst) * u128::from(period) / u128::from(permits) > u128::from(u64::MAX) {
            return Err(RateError::BurstTooLarge { burst, permits, per });
        }
        Ok(Self { permits, period, burst })
    }

    pub(super) fn with_burst(self, burst: u32) -> Result<Self, RateError> {
        Self::new(self.permits, self.per(), burst)
    }

    #[inline]
    pub(super) fn permits(self) -> u32 {
        self.permits
    }

    pub(super) fn per(self) -> Duration {
        Duration::from_nanos(self.period)
    }

    #[inline]
    pub(super) fn burst(self) -> u32 {
        self.burst
    }

    /// What `permits` of them take, in ticks.
    #[inline]
    pub(super) fn span(self, permits: u64) -> u128 {
        u128::from(permits) * u128::from(self.period)
    }
}
