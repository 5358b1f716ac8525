//! Permits that may still be given back.

use std::fmt;
use std::sync::Arc;

use super::gcra::Slot;

/// Where permits go back to.
pub(super) trait TakesBack: Send + Sync {
    /// `place` is which of its schedules they are of.
    fn give_back(&self, place: usize, slot: Slot, permits: u32);
}

/// Permits that were taken for something that may not happen after all; dropping it gives them back.
///
/// Made by [`RateLimiter::try_reserve`](super::RateLimiter::try_reserve), and by
/// [`KeyedRateLimiter::try_reserve`](super::KeyedRateLimiter::try_reserve) for a key. The permits count from the instant at which they were taken, so
/// start what they are for, and [`commit`](Self::commit), without delay.
///
/// Time does not stop meanwhile: what comes back is what time has not paid for yet. Given back within the time of one
/// permit (the period divided by the permits of the rate) it is at least all but one; given back after the time of
/// all of them, or after a change of the rate, it may be nothing, since to return more would allow more than the burst at once.
///
/// ```
/// use std::time::Duration;
/// use gristmill::{ManualClock, RateLimiter};
///
/// let limiter = RateLimiter::builder(10, Duration::from_secs(1)).burst(2).clock(ManualClock::new()).build()?;
/// let used = limiter.try_reserve(1)?;
/// let unused = limiter.try_reserve(1)?;
/// assert!(limiter.try_acquire().is_err());
/// used.commit(); // what it was for has started
/// drop(unused); // nothing came of it
/// assert!(limiter.try_acquire().is_ok());
/// assert_eq!(limiter.report().given_back, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "dropping it gives the permits back"]
pub struct Reservation {
    from: Arc<dyn TakesBack>,
    place: usize,
    permits: u32,
    slot: Option<Slot>,
}

impl Reservation {
    pub(super) fn new(from: Arc<dyn TakesBack>, place: usize, permits: u32, slot: Option<Slot>) -> Self {
        Self { from, place, permits, slot }
    }

    /// Keeps the permits for good: what they were for has started.
    pub fn commit(mut self) {
        self.slot = None;
    }

    /// How many permits it holds.
    pub fn permits(&self) -> u32 {
        self.permits
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if let Some(slot) = self.slot.take() {
            self.from.give_back(self.place, slot, self.permits);
        }
    }
}

impl fmt::Debug for Reservation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Reservation").field("permits", &self.permits).finish_non_exhaustive()
    }
}
