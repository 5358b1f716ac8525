//! How long single calls of a stage take: of light items one is timed for every 50 microseconds of work, and every one where each takes as long.
//!
//! Timing all of them would cost more than a light stage does, and the average of a chunk would hide the slow ones. Which ones are timed is
//! drawn by number, not by the clock: the first one after so much time is always the one after a heavy one, and where heavy and
//! light ones take turns no heavy one would ever be timed. A timed one stands for those that went by since the one before it, so the
//! figures are those of all items though the light ones are timed less often.

use crate::observe::{Histogram, Quantiles};
use crate::sync::time::{self, Duration, Instant};

/// Work between two calls that are timed, in nanoseconds.
pub(super) const EVERY: u64 = 50_000;

pub(super) fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// Which item is timed next.
#[derive(Debug)]
pub(super) struct Gap {
    /// Items that go by before it.
    left: u64,
    /// Items since the last one that was timed.
    passed: u64,
    random: u64,
}

impl Default for Gap {
    fn default() -> Self {
        Self { left: 0, passed: 0, random: 0x9E37_79B9_7F4A_7C15 }
    }
}

impl Gap {
    /// How many items go by before the next one that is timed.
    #[inline]
    pub(super) fn left(&self) -> usize {
        usize::try_from(self.left).unwrap_or(usize::MAX)
    }

    /// Items went by, at most as many as there are left.
    #[inline]
    pub(super) fn pass(&mut self, items: usize) {
        self.left = self.left.saturating_sub(items as u64);
        self.passed += items as u64;
    }

    /// How many items the next one stands for if it is timed now.
    pub(super) fn stands_for(&self) -> u64 {
        self.passed + 1
    }

    /// One was timed: draws the next, where an item takes so long. Gives how many items the timed one stands for.
    pub(super) fn draw(&mut self, nanoseconds: u64) -> u64 {
        let mean = EVERY / nanoseconds.max(1);
        // Between half and one and a half times the mean. The generator is Marsaglia's xorshift, Journal of Statistical Software 8(14), 2003.
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.left = if mean <= 1 { 0 } else { mean / 2 + self.random % mean };
        std::mem::take(&mut self.passed) + 1
    }

    /// Items have become so heavy: does not wait for as many as were drawn for light ones.
    #[inline]
    pub(super) fn cap(&mut self, nanoseconds: u64) {
        if self.left > 0 {
            self.left = self.left.min(2 * (EVERY / nanoseconds.max(1)));
        }
    }
}

/// The timed calls of one stage.
#[derive(Clone, Debug, Default)]
pub struct Calls {
    times: Histogram,
    /// What all items took, by those that were timed.
    total: f64,
    /// Of the item that is being worked on, where its time comes in parts.
    open: Duration,
    /// The same for `total`.
    open_share: Duration,
}

impl Calls {
    /// One item took so long, and stands for `items`.
    pub(super) fn record(&mut self, took: Duration, items: u64) {
        self.count(took, took, items);
    }

    fn count(&mut self, took: Duration, share: Duration, items: u64) {
        self.times.record(nanoseconds(took), items);
        #[allow(clippy::cast_precision_loss)] // an estimate
        let items = items as f64;
        self.total += share.as_secs_f64() * items;
    }

    /// An item begins whose time comes in parts.
    pub(super) fn open(&mut self) {
        (self.open, self.open_share) = (Duration::ZERO, Duration::ZERO);
    }

    /// A part of its time.
    pub(super) fn part(&mut self, took: Duration) {
        self.parts(took, 1, took);
    }

    /// Many parts of which one was timed and took so long, but no longer together than `most`. That bounds the time of the item; the total is compared
    /// with those of other stages, in which reading the clock counts for every item, so here it does for every part.
    pub(super) fn parts(&mut self, each: Duration, count: usize, most: Duration) {
        let all = each.saturating_mul(u32::try_from(count).unwrap_or(u32::MAX));
        self.open = self.open.saturating_add(all.min(most));
        self.open_share = self.open_share.saturating_add(all);
    }

    /// The item is through, and stands for `items`.
    pub(super) fn close(&mut self, items: u64) {
        self.count(self.open, self.open_share, items);
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.times.add(&other.times);
        self.total += other.total;
    }

    /// What all items took together, in seconds, as far as can be told.
    pub(super) fn total(&self) -> f64 {
        self.total
    }

    pub(super) fn quantiles(&self) -> Quantiles {
        Quantiles::of_all(&self.times)
    }
}

/// The calls of a stage that runs one item at a time, and which one is to be timed next.
#[derive(Debug, Default)]
pub(super) struct Pulse {
    pub(super) calls: Calls,
    gap: Gap,
    /// What a call takes in nanoseconds: a decaying peak, as that of the chunk sizes.
    each: u64,
    /// How many items timed calls stand for, where calls deal with several.
    stood_for: u64,
}

impl Pulse {
    /// How many calls are not timed before the next one that is. Their stage counts them down by itself, in a register.
    #[inline]
    pub(super) fn plain(&self) -> usize {
        self.gap.left()
    }

    /// The call that began at `start`, after as many as [`plain`](Self::plain) said, has dealt with its item. How many calls are not timed from
    /// here on.
    pub(super) fn timed(&mut self, start: Instant) -> usize {
        let (took, calls) = self.draw(start);
        self.calls.record(took, calls);
        self.gap.left()
    }

    /// As [`timed`](Self::timed), of a call that has dealt with the last `items` of `all` items so far, each of which is taken to have taken its share. It stands
    /// for those since the last one, and not for as many calls of its size: those that went by may have dealt with more or with fewer.
    pub(super) fn timed_burst(&mut self, start: Instant, items: usize, all: usize) -> usize {
        let (took, _) = self.draw(start);
        if let Some(share) = u32::try_from(items).ok().and_then(|items| took.checked_div(items)) {
            let before = std::mem::replace(&mut self.stood_for, all as u64);
            self.calls.record(share, self.stood_for.saturating_sub(before));
        }
        self.gap.left()
    }

    /// What a call took, and how many it stands for; draws the next that is timed.
    fn draw(&mut self, start: Instant) -> (Duration, u64) {
        let took = time::now().saturating_duration_since(start);
        self.gap.pass(self.gap.left());
        (took, self.gap.draw(nanoseconds(took).max(self.each)))
    }

    /// A chunk is through: `calls` calls took so long together, and `plain` ones are left before the next one that is timed.
    pub(super) fn learn(&mut self, spent: Duration, calls: usize, plain: usize) {
        self.gap.pass(self.gap.left().saturating_sub(plain));
        if calls > 0 {
            self.each = (nanoseconds(spent) / calls as u64).max(self.each - self.each / 8);
            self.gap.cap(self.each);
        }
    }
}

#[cfg(all(test, not(any(gristmill_shuttle, gristmill_loom))))]
mod tests {
    use super::*;

    /// Times items of so many nanoseconds each, in this order; gives how many were timed, and the sum of what they stand for.
    fn timed(items: impl Iterator<Item = u64>) -> (u64, Calls) {
        let (mut gap, mut calls, mut count) = (Gap::default(), Calls::default(), 0);
        for nanoseconds in items {
            if gap.left() > 0 {
                gap.pass(1);
            } else {
                count += 1;
                calls.record(Duration::from_nanos(nanoseconds), gap.draw(nanoseconds));
            }
        }
        (count, calls)
    }

    #[test]
    fn every_heavy_item_is_timed_and_of_light_ones_one_in_fifty_microseconds() {
        assert_eq!(timed(std::iter::repeat_n(60_000, 100)).0, 100);
        let (count, calls) = timed(std::iter::repeat_n(100, 1_000_000));
        assert!((1_900..2_100).contains(&count), "{count}");
        assert!((999_000..=1_000_000).contains(&calls.times.count()), "{}", calls.times.count());
    }

    #[test]
    fn light_and_heavy_items_that_take_turns_are_timed_alike() {
        let each = 20_000;
        let (_, calls) = timed((0..200_000).map(|number| if number % 2 == 0 { each } else { 1_000 }));
        let expected = 200_000.0 * f64::from(21_000_u32) / 2.0 * 1e-9;
        assert!((calls.total() / expected - 1.0).abs() < 0.05, "{} for {expected}", calls.total());
        let quantiles = calls.quantiles();
        assert!(quantiles.p90() >= Duration::from_nanos(each), "{quantiles}");
    }

    #[test]
    fn phases_count_by_their_items_not_by_how_often_they_are_timed() {
        // A thousand items of a millisecond are one in a thousand of all.
        let (_, calls) = timed((0..1_000_000).map(|number| if number < 1_000 { 1_000_000 } else { 1_000 }));
        assert!(calls.quantiles().p99() < Duration::from_micros(2), "{}", calls.quantiles());
        assert_eq!(calls.quantiles().max(), Duration::from_millis(1));
    }

    #[test]
    fn bursts_of_different_sizes_stand_for_the_items_that_went_by() {
        let (mut pulse, mut plain, mut all, mut stood_for) = (Pulse::default(), 0, 0, 0);
        for call in 0..10_000 {
            let burst = if call % 100 == 0 { 1000 } else { 1 };
            all += burst;
            if plain == 0 {
                plain = pulse.timed_burst(time::now(), burst, all);
                stood_for = all;
            } else {
                plain -= 1;
            }
        }
        assert_eq!(pulse.calls.quantiles().count(), stood_for as u64);
    }

    #[test]
    fn gap_that_was_drawn_for_light_items_is_cut_when_they_become_heavy() {
        let mut gap = Gap::default();
        gap.draw(0);
        assert!(gap.left() >= 25_000);
        gap.cap(10_000);
        assert_eq!(gap.left(), 10);
        gap.cap(u64::MAX);
        assert_eq!(gap.left(), 0);
    }
}
