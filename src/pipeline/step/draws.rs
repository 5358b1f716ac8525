//! Which results of an item are timed where it becomes many.
//!
//! The clock is read around each call for a timed item: for every result in the stage that gives it, and in all that are fused to it. That takes many
//! times as long as light results do. An item of 10 microseconds with 1000 results would take 100 while it is timed, seem heavy by that, and all like it
//! would be timed. So of the results, too, one is timed for about 50 microseconds of work, drawn by number, and stands for those that went by.

use crate::sync::time::{self, Duration, Instant};

use super::super::timed::{EVERY, Gap, nanoseconds};
use super::StepContext;

/// What a worker keeps for a stage that makes several of one, from one timed item to the next.
#[derive(Debug, Default)]
pub struct Draws {
    gap: Gap,
    /// What it took to get the last result that was timed.
    pull: Duration,
}

impl Draws {
    /// How many results go by before the next that is timed, where each stands for `weight`.
    fn plain(&self, weight: usize) -> usize {
        self.gap.left() / weight
    }

    /// So many went by, at most as many as [`plain`](Self::plain) said.
    fn pass(&mut self, results: usize, weight: usize) {
        self.gap.pass(results.saturating_mul(weight));
    }

    /// One is timed: gives how many it stands for.
    fn take_turn(&mut self, weight: usize) -> u64 {
        self.gap.pass(weight - 1);
        self.gap.stands_for()
    }

    /// Draws the next that is timed, where the last one took so many nanoseconds and those before it `each`. That is without the time that the clock takes, by
    /// which a light result must not be judged.
    fn draw(&mut self, took: u64, each: Option<u64>) {
        self.gap.draw(each.filter(|_| took < EVERY).unwrap_or(took));
    }
}

/// The results of an item that is being timed.
pub(super) struct Turns<'a> {
    kept: &'a mut Draws,
    stage: usize,
    /// How many items the item stands for, and so how many results each of its results does.
    weight: usize,
    /// Draws that go by before the next that is timed, and how many of them have been asked for.
    plain: usize,
    asked: usize,
    /// When the first of those was asked for.
    since: Instant,
    /// The iterator has said that there are no more.
    ended: bool,
    /// When the result was asked for that is being timed, and what those before it took each.
    timing: Option<(Instant, Option<u64>)>,
}

impl<'a> Turns<'a> {
    /// The item that is being timed has become an iterator.
    pub(super) fn new(context: &StepContext, stage: usize, kept: &'a mut Draws) -> Self {
        context.is_timed.set(false);
        let weight = usize::try_from(context.stands_for.get()).unwrap_or(usize::MAX);
        let plain = kept.plain(weight);
        Self { kept, stage, weight, plain, asked: 0, since: time::now(), ended: false, timing: None }
    }

    /// Asks for the next result; what becomes of it is timed if it is its turn.
    #[inline]
    pub(super) fn pull<R>(&mut self, context: &StepContext, next: impl FnOnce() -> Option<R>) -> Option<R> {
        if self.asked < self.plain {
            self.asked += 1;
            let value = context.part::<false, _>(self.stage, next);
            self.ended = value.is_none();
            return value;
        }
        let start = time::now();
        let value = context.part::<false, _>(self.stage, next);
        let took = time::now().saturating_duration_since(start);
        if value.is_some() {
            self.kept.pull = took;
        }
        let each = self.went_by(context, start);
        context.timed.borrow_mut()[self.stage].part(took);
        // The end is no result: the turn is the next item's.
        if value.is_some() {
            context.time_next(self.kept.take_turn(self.weight));
            self.timing = Some((start, each));
        }
        value
    }

    /// The result has gone as far as it goes.
    #[inline]
    pub(super) fn through(&mut self, context: &StepContext) {
        if let Some((start, each)) = self.timing.take() {
            context.is_timed.set(false);
            self.since = time::now();
            self.kept.draw(nanoseconds(self.since.saturating_duration_since(start)), each);
            self.plain = self.kept.plain(self.weight);
        }
    }

    /// Those that are not timed have gone by, up to `now`: gives what each of them took with all that became of it, if there were any. To get
    /// each is taken to have lasted as long as for the one that was timed last.
    fn went_by(&mut self, context: &StepContext, now: Instant) -> Option<u64> {
        let (asked, took) = (std::mem::take(&mut self.asked), now.saturating_duration_since(self.since));
        self.since = now;
        self.kept.pass(asked - usize::from(self.ended), self.weight);
        context.timed.borrow_mut()[self.stage].parts(self.kept.pull, asked, took);
        nanoseconds(took).checked_div(asked as u64)
    }

    /// No more is asked for.
    pub(super) fn end(mut self, context: &StepContext) {
        if let Some(each) = self.went_by(context, time::now()) {
            self.kept.gap.cap(each);
        }
        context.time_next(self.weight as u64);
    }
}

#[cfg(all(test, not(any(gristmill_shuttle, gristmill_loom))))]
mod tests {
    use super::*;

    /// Goes through items that become so many results of so many nanoseconds each, which take `CLOCK` more when they are timed; each item stands for
    /// `weight`. Gives how many results were timed, and how many they stood for.
    fn timed(items: impl Iterator<Item = (usize, u64)>, weight: usize) -> (u64, u64) {
        const CLOCK: u64 = 200;
        let (mut kept, mut count, mut stood_for) = (Draws::default(), 0, 0);
        for (results, each) in items {
            let mut left = results;
            loop {
                let plain = kept.plain(weight).min(left);
                kept.pass(plain, weight);
                left -= plain;
                if left == 0 {
                    break;
                }
                left -= 1;
                count += 1;
                stood_for += kept.take_turn(weight);
                kept.draw(each + CLOCK, (plain > 0).then_some(each));
            }
        }
        (count, stood_for)
    }

    #[test]
    fn of_light_results_one_in_fifty_microseconds_is_timed_however_many_an_item_becomes() {
        for fan_out in [10, 100, 2_000, 1_000_000] {
            let results = 5_000_000;
            let (count, stood_for) = timed(std::iter::repeat_n((fan_out, 10), results / fan_out), 1);
            // 50 milliseconds of work: the clock takes less than a hundredth of it.
            assert!((900..1_200).contains(&count), "{count} of {fan_out} each");
            let results = results as u64;
            assert!((results - 10_000..=results).contains(&stood_for), "{stood_for} of {results}");
        }
    }

    #[test]
    fn every_heavy_result_is_timed() {
        assert_eq!(timed(std::iter::repeat_n((4, 60_000), 20), 1), (80, 80));
    }

    #[test]
    fn results_count_for_those_of_the_items_that_went_by() {
        // One item in 250 is timed, of 20 results that take 200 nanoseconds together: one result in each, as there is one for every 50 microseconds of work.
        let (count, stood_for) = timed(std::iter::repeat_n((20, 10), 1_000), 250);
        assert!((900..1_500).contains(&count), "{count}");
        assert!((4_990_000..=5_000_000).contains(&stood_for), "{stood_for}");
    }

    #[test]
    fn results_that_become_heavy_are_timed_from_the_next_item_on() {
        let mut kept = Draws::default();
        kept.draw(10, None);
        assert!(kept.plain(1) >= 2_500);
        kept.gap.cap(60_000);
        assert_eq!(kept.plain(1), 0);
    }
}
