//! Times that grow by a factor.

use crate::sync::time::Duration;

/// `first`, grown `times` times by `factor`, which is 1 or more; what is longer than [`Duration::MAX`] is that.
pub(super) fn grown(first: Duration, factor: f64, times: u32) -> Duration {
    if first.is_zero() {
        return first; // times a power that is infinite it would be no number
    }
    Duration::try_from_secs_f64(first.as_secs_f64() * factor.powf(f64::from(times))).unwrap_or(Duration::MAX)
}
