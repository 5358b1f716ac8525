//! When an idle object is too old, and when it is time to look for such.

use std::sync::Arc;

use crate::clock::Clock;
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::time::{Duration, Instant};

/// Times are nanoseconds since the pool was made: one word each, and far more than any run.
#[derive(Debug)]
pub(super) struct Expiry {
    clock: Arc<dyn Clock>,
    start: Instant,
    max_idle: u64,
    /// When all idle objects are to be looked at next.
    next_sweep: AtomicU64,
}

impl Expiry {
    pub(super) fn new(clock: Arc<dyn Clock>, max_idle: Duration) -> Self {
        let max_idle = nanos(max_idle);
        Self { start: clock.now(), clock, max_idle, next_sweep: AtomicU64::new(max_idle) }
    }

    /// Never as late as an idle time is long that is for ever.
    pub(super) fn now(&self) -> u64 {
        nanos(self.clock.now().saturating_duration_since(self.start)).min(u64::MAX - 1)
    }

    pub(super) fn is_over(&self, since: u64, now: u64) -> bool {
        now.saturating_sub(since) >= self.max_idle
    }

    /// Whether the caller is to look at all idle objects: true for one caller in each such time.
    pub(super) fn sweep_is_due(&self, now: u64) -> bool {
        // Relaxed: it decides who sweeps, and the locks order what is swept.
        let due = self.next_sweep.load(Ordering::Relaxed);
        let next = now.saturating_add(self.max_idle);
        now >= due
            && self.next_sweep.compare_exchange(due, next, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}

/// What is longer than 584 years counts as that.
fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
