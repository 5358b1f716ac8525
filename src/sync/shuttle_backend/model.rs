//! What a model test can ask of the running execution.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::{execution, time};

/// Stops time-outs from firing for the rest of this execution.
///
/// A wait with a time-out then ends only when it is notified (or spuriously), as if it had none: a lost wake-up shows
/// as a deadlock and is not healed by the time-out. Waits whose deadline has already passed when they begin still time
/// out at once. Code that needs a time-out to go on deadlocks under it, which is then the finding.
///
/// # Panics
/// Outside of an execution.
pub fn forbid_timeouts() {
    set_forbidden(true);
}

/// Lets time-outs fire at any step again; so every execution begins.
///
/// # Panics
/// Outside of an execution.
pub fn allow_timeouts() {
    set_forbidden(false);
}

/// Moves the virtual clock forward by `duration`.
///
/// # Panics
/// If the clock would leave its range of 584 years.
pub fn advance(duration: Duration) {
    time::advance_to(time::now().checked_add(duration).expect("the clock's range is 584 years"));
}

fn set_forbidden(forbidden: bool) {
    let execution = execution::current().expect("time-outs are switched inside an execution");
    execution.timeouts_forbidden.store(forbidden, Ordering::Relaxed);
}

pub(super) fn timeouts_may_fire() -> bool {
    execution::current().is_none_or(|execution| !execution.timeouts_forbidden.load(Ordering::Relaxed))
}
