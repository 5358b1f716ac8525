//! The machine's clock.

use std::sync::Weak;

use super::Clock;
use super::timing::Timing;
use crate::sync::thread;
use crate::sync::time::{self, Duration, Instant};

/// The machine's monotonic clock: what every policy uses unless it is given another.
///
/// # Examples
/// ```
/// use gristmill::{Clock, SystemClock};
///
/// let earlier = SystemClock.now();
/// assert!(SystemClock.now() >= earlier);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[inline]
    fn now(&self) -> Instant {
        time::now()
    }
}

impl Timing for SystemClock {
    fn park(&self, until: Option<Instant>) {
        match until {
            Some(until) => thread::park_timeout(until.saturating_duration_since(time::now())),
            None => thread::park(),
        }
    }

    fn timeout_until(&self, until: Instant) -> Option<Duration> {
        Some(until.saturating_duration_since(time::now()))
    }

    fn on_advance(&self, _at: Option<Instant>, _moved: Weak<dyn Fn() + Send + Sync>) {}
}
