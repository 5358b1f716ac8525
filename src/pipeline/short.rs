//! Durations as a person reads them.

use std::fmt;

use crate::sync::time::Duration;

/// A duration in three digits and its unit.
pub(super) struct Short(pub(super) Duration);

impl fmt::Display for Short {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs_f64();
        let units = [(1e-9, "ns"), (1e-6, "µs"), (1e-3, "ms")];
        // The first in which it has at most three digits before the point.
        let unit = units.iter().find(|(unit, _)| seconds < 999.5 * unit);
        let (unit, name) = unit.copied().unwrap_or((1.0, "s"));
        let value = seconds / unit;
        let digits = match value {
            _ if value >= 99.95 || unit <= 1e-9 => 0,
            _ if value >= 9.995 => 1,
            _ => 2,
        };
        write!(formatter, "{value:.digits$}{name}")
    }
}

#[cfg(all(test, not(any(gristmill_shuttle, gristmill_loom))))]
mod tests {
    use super::*;

    #[test]
    fn durations_have_three_digits() {
        let cases = [
            (0, "0ns"),
            (7, "7ns"),
            (999, "999ns"),
            (1_000, "1.00µs"),
            (9_994, "9.99µs"),
            (9_996, "10.0µs"),
            (99_960, "100µs"),
            (999_400, "999µs"),
            (999_600, "1.00ms"),
            (12_345_678, "12.3ms"),
            (1_234_567_890, "1.23s"),
            (86_400_000_000_000, "86400s"),
        ];
        for (nanoseconds, text) in cases {
            assert_eq!(Short(Duration::from_nanos(nanoseconds)).to_string(), text, "{nanoseconds}");
        }
    }
}
