//! Making a limiter by keys: its settings.

use std::marker::PhantomData;

use super::super::error::RateError;
use super::super::setting::Rate;
use super::super::time::Time;
use super::limiter::KeyedRateLimiter;
use crate::clock::Clock;
use crate::sync::time::Duration;

impl<K> KeyedRateLimiter<K> {
    /// `permits` in each period of length `per` for each key, one at a time (a burst of 1), by the system's clock; at most `most_keys` keys
    /// are kept.
    ///
    /// # Errors
    /// As for [`RateLimiter::new`](crate::RateLimiter::new); or zero keys.
    pub fn new(permits: u32, per: Duration, most_keys: usize) -> Result<Self, RateError> {
        Self::builder(permits, per, most_keys).build()
    }

    /// As [`new`](Self::new), with a burst and a clock to be set.
    pub fn builder(permits: u32, per: Duration, most_keys: usize) -> KeyedRateLimiterBuilder<K> {
        let keys = PhantomData;
        KeyedRateLimiterBuilder { permits, per, most_keys, burst: 1, time: Time::system(), keys }
    }
}

/// Builds a [`KeyedRateLimiter`]; made by [`KeyedRateLimiter::builder`].
///
/// ```
/// use std::time::Duration;
/// use gristmill::{KeyedRateLimiter, ManualClock};
///
/// let tenants = KeyedRateLimiter::<String>::builder(10, Duration::from_secs(1), 1000)
///     .burst(1)
///     .clock(ManualClock::new())
///     .build()?;
/// tenants.try_acquire("north")?;
/// assert!(tenants.try_acquire("north").unwrap_err().is_not_yet());
/// tenants.try_acquire("south")?; // each key for itself
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until `build`"]
pub struct KeyedRateLimiterBuilder<K> {
    permits: u32,
    per: Duration,
    most_keys: usize,
    burst: u32,
    time: Time,
    keys: PhantomData<fn(K)>,
}

impl<K> KeyedRateLimiterBuilder<K> {
    /// How many permits of one key may be taken at one instant after a pause, 1 to `u32::MAX`; 1 unless it is set.
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

    /// The limiter, without any key.
    ///
    /// # Errors
    /// The rate, the period, the burst or the number of keys is out of range; the error says which.
    pub fn build(self) -> Result<KeyedRateLimiter<K>, RateError> {
        let rate = Rate::new(self.permits, self.per, self.burst)?;
        if self.most_keys == 0 {
            return Err(RateError::ZeroKeys);
        }
        Ok(KeyedRateLimiter::with_time(rate, self.most_keys, self.time))
    }
}
