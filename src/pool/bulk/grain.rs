//! How many items a worker takes at once.
//!
//! Long enough that taking costs nothing beside the items, short enough that the workers end together. The measure is time, because
//! the cost of an item is known only once some have been done.

use std::time::Duration;

use crate::sync::time::{self, Instant};

/// What a range is to take: a hundred times what it costs to take one, and nothing beside a loop that is worth sharing.
const AIM: Duration = Duration::from_micros(40);
/// How much longer than the range before one may be: the first ones know little.
const GROWTH: usize = 16;

#[derive(Debug)]
pub(super) struct Grain {
    len: usize,
    start: Instant,
}

impl Grain {
    pub(super) fn new() -> Self {
        Self { len: 1, start: time::now() }
    }

    /// The length of the next range, where `rest` items, if known, are to be shared by `workers`.
    pub(super) fn len(&self, rest: Option<usize>, workers: usize) -> usize {
        let share = rest.map_or(usize::MAX, |rest| rest / (2 * workers));
        self.len.min(share).max(1)
    }

    /// A range begins.
    pub(super) fn begin(&mut self) {
        self.start = time::now();
    }

    /// The range, of so many items, is done.
    pub(super) fn end(&mut self, items: usize) {
        self.len = len_after(items, time::now().saturating_duration_since(self.start));
    }
}

/// The length of the range after one of so many items that took so long.
fn len_after(items: usize, took: Duration) -> usize {
    let fits = AIM.as_nanos().saturating_mul(items as u128) / took.as_nanos().max(1);
    let most = items.saturating_mul(GROWTH);
    usize::try_from(fits).unwrap_or(usize::MAX).clamp(1, most.max(1))
}

#[cfg(all(test, not(any(gristmill_shuttle, gristmill_loom))))]
mod tests {
    use super::*;

    #[test]
    fn length_follows_the_cost_of_an_item_and_grows_by_steps() {
        assert_eq!(len_after(4, Duration::ZERO), 4 * GROWTH, "cheap items: as far as a step goes");
        assert_eq!(len_after(1, Duration::from_millis(10)), 1, "never less than one");
        assert_eq!(len_after(100, Duration::from_millis(1)), 4, "10 us an item");
        assert_eq!(len_after(0, Duration::ZERO), 1, "an empty range says nothing");
        assert_eq!(len_after(usize::MAX, Duration::ZERO), usize::MAX, "no overflow");
    }

    #[test]
    fn last_ranges_are_shared_out() {
        let grain = Grain { len: 1000, start: time::now() };
        assert_eq!(grain.len(Some(400), 2), 100);
        assert_eq!(grain.len(Some(1), 2), 1);
        assert_eq!(grain.len(Some(usize::MAX), 2), 1000);
    }
}
