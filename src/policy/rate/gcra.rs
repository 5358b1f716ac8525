//! The arithmetic of the limit: the generic cell rate algorithm, in integers.
//!
//! Source: ITU-T Recommendation I.371 (annex A), virtual scheduling; as a rate limiter: Brandur Leach, "Rate limiting,
//! cells, and GCRA" (2015). The state is one number, the *theoretical arrival time* `tat`: the instant at which all that was
//! taken so far is paid off. Taking `n` moves it on by `n` times the spacing of two permits, and is allowed as
//! long as `tat` is then at most `burst` spacings ahead of the clock.
//!
//! The spacing, period / permits, is seldom a whole number of nanoseconds. So time is counted in *ticks* of 1 / permits
//! nanoseconds: a nanosecond is `permits` ticks, a permit `period` ticks. Only the clock itself rounds: an instant that it
//! reads stands for the nanosecond up to it, and a take that comes in the nanosecond in which `tat` ends is counted from `tat`. Counted
//! from the clock's reading, each would lose part of a nanosecond, which at seven a microsecond is one in a thousand.
//!
//! # Invariants
//! 1. In any window of length `w`, its end excluded, at most `burst + ceil(w * permits / period) - 1` permits are taken. For
//!    what was taken up to its last take is paid off, at the earliest, all that much after the first of them, and that is at
//!    most `burst` spacings after the last; the two instants are less than `w` apart, the nanosecond of the first included.
//!    What is given back keeps this true for the permits that were kept, counted from the instant at which they were taken.
//! 2. All is below 2^127 ticks: an instant is below 2^94 ns (`Instant`'s range) times 2^32, what fills the burst is below
//!    2^64 ns times 2^32 (refused otherwise), and `tat` is at most that far ahead of the clock.

use super::setting::Rate;
use crate::sync::time::{Duration, Instant};

/// What a tick is: the rate, and where ticks are counted from. One for all schedules that are counted in it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scale {
    rate: Rate,
    start: Instant,
}

impl Scale {
    pub(super) fn new(rate: Rate, start: Instant) -> Self {
        Self { rate, start }
    }

    pub(super) fn rate(&self) -> Rate {
        self.rate
    }

    /// The same from another rate on.
    pub(super) fn with_rate(self, rate: Rate) -> Self {
        Self { rate, ..self }
    }

    /// Whether a tick is the same in both.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        (self.rate.permits(), self.rate.per()) == (other.rate.permits(), other.rate.per())
    }

    #[inline]
    pub(super) fn ticks(&self, at: Instant) -> u128 {
        at.saturating_duration_since(self.start).as_nanos() * u128::from(self.rate.permits())
    }

    /// The first instant from `now` on, which is so many ticks, at which the clock has come to `due`. `None`: beyond what it can tell.
    pub(super) fn instant(&self, due: u128, now: Instant) -> Option<Instant> {
        // Whole nanoseconds from `now` on, since `now` is a whole number of them. Divided in 64 bits if it can be.
        let ahead = due.saturating_sub(self.ticks(now));
        let wait = match u64::try_from(ahead) {
            Ok(ahead) => Duration::from_nanos(ahead.div_ceil(self.rate.permits().into())),
            Err(_) => duration(ahead.div_ceil(self.rate.permits().into()))?,
        };
        now.checked_add(wait)
    }

    /// What stands at `tat` under the scale before, with as many permits to be paid off as there, to within a tick.
    pub(super) fn carried_over(&self, tat: u128, before: &Self, now: Instant) -> u128 {
        let ahead = tat.saturating_sub(before.ticks(now));
        let (old, new) = (before.rate.span(1), self.rate.span(1));
        self.ticks(now) + ahead / old * new + (ahead % old * new).div_ceil(old)
    }
}

/// What was taken of a rate.
#[derive(Debug)]
pub(super) struct Gcra {
    tat: u128,
    /// All that was ever given back, in ticks, modulo 2^128: only differences count.
    returned: u128,
    /// Ticks of one generation mean nothing in another.
    generation: u64,
}

/// Where a take stands in the schedule, for giving it back.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slot {
    /// When it was taken, in ticks; as `from`, if that is less than a nanosecond earlier.
    taken: u128,
    /// When time begins to pay for it: all that was taken before is paid for then.
    from: u128,
    /// `Gcra::returned` at the time.
    returned: u128,
    generation: u64,
}

impl Gcra {
    /// All that was taken is paid off at `tat`: zero ticks for the whole burst at once.
    pub(super) fn new(tat: u128, generation: u64) -> Self {
        Self { tat, returned: 0, generation }
    }

    pub(super) fn tat(&self) -> u128 {
        self.tat
    }

    pub(super) fn generation(&self) -> u64 {
        self.generation
    }

    /// From where a take at `now` counts: `tat`, unless it lies a nanosecond or more behind.
    #[inline]
    fn from(&self, scale: &Scale, now: u128) -> u128 {
        if self.tat + u128::from(scale.rate.permits()) > now { self.tat } else { now }
    }

    /// Takes permits, at most the burst of them, if they are there.
    #[inline]
    pub(super) fn take(&mut self, scale: &Scale, permits: u32, now: Instant) -> Option<Slot> {
        let now = scale.ticks(now);
        let from = self.from(scale, now);
        let tat = from + scale.rate.span(permits.into());
        if tat > now + scale.rate.span(scale.rate.burst().into()) {
            return None;
        }
        self.tat = tat;
        Some(Slot { taken: now.min(from), from, returned: self.returned, generation: self.generation })
    }

    /// When all is paid off once `more` permits have been taken by those who wait; `None`: never.
    ///
    /// As long as somebody waits, `tat` is not overtaken by the clock, so what they take simply adds up.
    pub(super) fn paid_off(&self, scale: &Scale, more: u64, now: Instant) -> Option<u128> {
        self.from(scale, scale.ticks(now)).checked_add(scale.rate.span(more))
    }

    /// The earliest instant at which `permits`, at most the burst, are there once `before` have been taken by others.
    /// `None`: beyond what the clock can tell.
    pub(super) fn earliest(&self, scale: &Scale, before: u64, permits: u32, now: Instant) -> Option<Instant> {
        let tat = self.paid_off(scale, before.checked_add(permits.into())?, now)?;
        scale.instant(tat.saturating_sub(scale.rate.span(scale.rate.burst().into())), now)
    }

    /// Gives back what time has not yet paid for.
    ///
    /// Think of a queue of work that time serves in the order of the takes, until `tat`. Taking a piece of work out again
    /// shortens the queue by what of it is unserved; what was served is lost. So the work that stays ends no earlier
    /// than it would have ended alone, which is invariant 1. A piece begins at `from`, or earlier by what was
    /// returned in the meantime from before it, but never before it was taken; where exactly would take a list of all
    /// that is outstanding, so the earliest of these is assumed. After a change of the rate nothing is returned.
    pub(super) fn give_back(&mut self, scale: &Scale, slot: Slot, permits: u32, now: Instant) {
        if slot.generation == self.generation {
            let moved = self.returned.wrapping_sub(slot.returned);
            let begins = slot.from.saturating_sub(moved).max(slot.taken);
            let span = scale.rate.span(permits.into());
            let unserved = span - scale.ticks(now).saturating_sub(begins).min(span);
            self.tat -= unserved;
            self.returned = self.returned.wrapping_add(unserved);
        }
    }

    /// Goes over to ticks of another length; what is still to be paid off stays the same number of permits, to within a tick.
    pub(super) fn carry_over(&mut self, before: &Scale, after: &Scale, generation: u64, now: Instant) {
        self.tat = after.carried_over(self.tat, before, now);
        self.generation = generation;
    }
}

/// `None`: longer than a `Duration` can be.
fn duration(nanoseconds: u128) -> Option<Duration> {
    let seconds = u64::try_from(nanoseconds / 1_000_000_000).ok()?;
    let rest = u32::try_from(nanoseconds % 1_000_000_000).ok()?;
    Some(Duration::new(seconds, rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sync::time;

    const NANOSECOND: Duration = Duration::from_nanos(1);

    /// A schedule with its scale.
    struct Full {
        scale: Scale,
        gcra: Gcra,
    }

    impl Full {
        fn take(&mut self, permits: u32, now: Instant) -> Option<Slot> {
            self.gcra.take(&self.scale, permits, now)
        }

        fn earliest(&self, before: u64, permits: u32, now: Instant) -> Option<Instant> {
            self.gcra.earliest(&self.scale, before, permits, now)
        }

        fn give_back(&mut self, slot: Slot, permits: u32, now: Instant) {
            self.gcra.give_back(&self.scale, slot, permits, now);
        }

        fn set_rate(&mut self, rate: Rate, now: Instant) {
            let after = self.scale.with_rate(rate);
            self.gcra.carry_over(&self.scale, &after, self.gcra.generation() + 1, now);
            self.scale = after;
        }
    }

    fn full(permits: u32, per: Duration, burst: u32) -> (Full, Instant) {
        let start = time::now();
        let scale = Scale::new(Rate::new(permits, per, burst).unwrap(), start);
        (Full { scale, gcra: Gcra::new(0, 0) }, start)
    }

    /// Takes one at the earliest instant, `count` times, and returns that of the last.
    fn saturate(gcra: &mut Full, start: Instant, count: u32) -> Instant {
        let mut now = start;
        for _ in 0..count {
            now = gcra.earliest(0, 1, now).unwrap();
            gcra.take(1, now).unwrap();
        }
        now
    }

    #[test]
    fn rates_that_do_not_divide_drift_by_nothing() {
        for (permits, per) in [
            (3, Duration::from_secs(1)),
            (7, Duration::from_micros(1)),
            (999_999_937, Duration::from_secs(1)),
        ] {
            let (mut gcra, start) = full(permits, per, 1);
            let count = if cfg!(miri) { 1_000 } else { 300_000 };
            let last = saturate(&mut gcra, start, count + 1);
            let exact = (u128::from(count) * per.as_nanos()).div_ceil(permits.into());
            assert_eq!((last - start).as_nanos(), exact, "{permits} in {per:?}");
        }
    }

    #[test]
    fn extreme_rates_neither_overflow_nor_give_early() {
        let longest = Duration::from_nanos(u64::MAX);
        let (mut gcra, start) = full(1, longest, 1);
        gcra.take(1, start).unwrap();
        assert!(gcra.take(1, start + longest.saturating_sub(NANOSECOND)).is_none());
        assert!(gcra.take(1, start + longest).is_some());

        let (mut gcra, start) = full(u32::MAX, longest, u32::MAX);
        let slot = gcra.take(u32::MAX, start).unwrap();
        assert!(gcra.take(1, start).is_none());
        assert_eq!(gcra.earliest(u64::MAX, 1, start), None);
        gcra.earliest(u64::from(u32::MAX), u32::MAX, start);
        gcra.set_rate(Rate::new(1, longest, 1).unwrap(), start);
        gcra.give_back(slot, u32::MAX, start);
        assert!(
            gcra.take(1, start + longest).is_none(),
            "2^32 - 1 permits are to be paid off at one in 584 years"
        );
    }

    #[test]
    fn a_change_of_the_rate_keeps_what_is_to_be_paid_off_in_permits() {
        let second = Duration::from_secs(1);
        let (mut gcra, start) = full(10, second, 10);
        gcra.take(10, start).unwrap();
        let later = start + second / 2;
        gcra.set_rate(Rate::new(1, second, 10).unwrap(), later);
        assert_eq!(gcra.earliest(0, 10, later), Some(later + 5 * second), "five of ten are paid off");
        gcra.set_rate(Rate::new(3, second, 10).unwrap(), later);
        assert_eq!(gcra.earliest(0, 10, later), Some(later + Duration::from_nanos(1_666_666_667)));
    }

    #[test]
    fn what_is_given_back_at_once_is_all_there_again() {
        let (mut gcra, start) = full(1, Duration::from_secs(1), 5);
        gcra.take(2, start).unwrap();
        let slot = gcra.take(3, start).unwrap();
        assert!(gcra.take(1, start).is_none());
        gcra.give_back(slot, 3, start);
        gcra.take(3, start).unwrap();
        assert!(gcra.take(1, start).is_none());
    }

    #[test]
    fn what_is_given_back_later_never_allows_more_than_the_burst_at_once() {
        let second = Duration::from_secs(1);
        let (mut gcra, start) = full(1, second, 10);
        let first = gcra.take(5, start).unwrap();
        let other = gcra.take(5, start).unwrap();
        gcra.give_back(first, 5, start);
        let later = start + 5 * second;
        gcra.take(5, later).unwrap();
        gcra.give_back(other, 5, later);
        gcra.take(5, later).unwrap();
        assert!(gcra.take(1, later).is_none());
    }

    /// The clock never goes back, but a thread may come late with what it read.
    #[test]
    fn instant_from_before_the_last_take_or_the_start_gives_nothing_early() {
        let second = Duration::from_secs(1);
        let (mut gcra, start) = full(1, second, 2);
        gcra.take(1, start + 10 * second).unwrap();
        for earlier in [start.checked_sub(second).unwrap(), start, start + 5 * second] {
            assert!(gcra.take(1, earlier).is_none());
            assert!(gcra.earliest(0, 1, earlier).is_some_and(|at| at >= start + 9 * second));
        }
        gcra.take(1, start + 10 * second).unwrap();
        assert!(gcra.take(1, start + 10 * second).is_none());
    }
}
