//! The virtual clock: one base instant per process, and an offset that only the execution moves.
//!
//! Each reading moves it forward a little, so that time passes for code that watches it. A wait that times out moves
//! it at least to its deadline. Nothing else does: runs with the same seed read the same times.

use std::sync::LazyLock;
use std::sync::atomic::Ordering;
pub use std::time::{Duration, Instant};

use super::execution;

#[allow(clippy::disallowed_methods)] // read once per process; what moves from there is virtual
static BASE: LazyLock<Instant> = LazyLock::new(Instant::now);

/// How far each reading moves the clock.
const CREEP: u64 = 100;

/// The current virtual instant; outside of an execution, the base.
pub fn now() -> Instant {
    let offset = execution::current()
        .map_or(0, |execution| execution.clock_offset.fetch_add(CREEP, Ordering::Relaxed) + CREEP);
    *BASE + Duration::from_nanos(offset)
}

/// A time of day, as the user's code has it.
pub type TimeOfDay = std::time::SystemTime;

/// How long after the start of 1970 it is: the virtual clock, which starts there.
pub fn since_unix_epoch() -> Duration {
    now() - *BASE
}

/// Moves the clock to `instant`, if it is not there yet.
pub(super) fn advance_to(instant: Instant) {
    if let Some(execution) = execution::current() {
        let offset = instant.saturating_duration_since(*BASE).as_nanos();
        let offset = u64::try_from(offset).unwrap_or(u64::MAX / 2);
        execution.clock_offset.fetch_max(offset, Ordering::Relaxed);
    }
}
