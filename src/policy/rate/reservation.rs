//! Permits that may still be given back.

use std::fmt;
use std::sync::Arc;

use super::core::Core;
use super::gcra::Slot;

/// Permits that were taken for something that may not happen after all; dropping it gives them back.
///
/// Made by [`try_reserve`](super::RateLimiter::try_reserve). The permits count from the instant at which they were taken, so
/// start what they are for, and [`commit`](Self::commit), without delay.
///
/// Time does not stop meanwhile: what comes back is what time has not paid for yet. Given back within the time of one
/// permit (the period divided by the permits of the rate) it is at least all but one; given back after the time of
/// all of them, or after a change of the rate, it may be nothing, since to return more would allow more than the burst at once.
#[must_use = "dropping it gives the permits back"]
pub struct Reservation {
    core: Arc<Core>,
    permits: u32,
    slot: Option<Slot>,
}

impl Reservation {
    pub(super) fn new(core: Arc<Core>, permits: u32, slot: Option<Slot>) -> Self {
        Self { core, permits, slot }
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
            self.core.give_back(slot, self.permits);
        }
    }
}

impl fmt::Debug for Reservation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Reservation").field("permits", &self.permits).finish_non_exhaustive()
    }
}
