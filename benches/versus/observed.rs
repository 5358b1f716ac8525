//! What it costs to be looked at: of a pipeline the report alone, a timeline, a monitor, a progress bar (with the feature `progress`); of a pool its
//! counters, which are always on.

use gristmill::sync::Padded;
use gristmill::sync::atomic::{AtomicU64, Ordering};

use super::{
    goals::Goal,
    grind::{in_order, ordered_sum, work},
    harness::{Bench, Group},
    ours,
};

const ROUNDS: u32 = 100;
const ITEMS: u32 = 1_000_000;

pub(crate) fn run(bench: &mut Bench) {
    pipeline(bench, ROUNDS, ITEMS);
    pipeline(bench, 10 * ROUNDS, ITEMS / 4);
    counters(bench);
}

/// What a pool counts for each task, without the pool: three counts in lines that nobody else writes.
#[derive(Default)]
struct Counts {
    submitted: Padded<AtomicU64>,
    started: Padded<[AtomicU64; 2]>,
}

impl Counts {
    fn task(&self, run: impl FnOnce() -> u64) -> u64 {
        let [started, succeeded] = &self.started.0;
        raise(&self.submitted.0);
        raise(started);
        let value = run();
        raise(succeeded);
        value
    }
}

/// As the pool raises a count of which one thread is the only writer.
fn raise(count: &AtomicU64) {
    count.store(count.load(Ordering::Relaxed) + 1, Ordering::Release);
}

fn counters(bench: &mut Bench) {
    let title = format!("observed task, {ROUNDS} rounds per task");
    if !bench.wants(&title) {
        return;
    }
    let items = bench.items(ITEMS);
    let mut group = Group::new(title, items, "task");
    let plain = move || (0..u64::from(items)).map(|index| work(index, ROUNDS)).fold(0, in_order);
    group.case("loop", ordered_sum(items, ROUNDS), plain).as_yardstick();
    let counts = Counts::default();
    group.case("loop, counted as a pool counts", ordered_sum(items, ROUNDS), move || {
        (0..u64::from(items)).map(|index| counts.task(|| work(index, ROUNDS))).fold(0, in_order)
    });
    group.goal("loop, counted as a pool counts", Goal::OfFirst(1.03));
    group.yardstick("to the loop");
    bench.run(group);
}

fn pipeline(bench: &mut Bench, rounds: u32, items: u32) {
    let title = format!("observed map, {rounds} rounds per item");
    if !bench.wants(&title) {
        return;
    }
    let (workers, items) = (bench.workers(), bench.items(items));
    let mut group = Group::new(title, items, "item");
    group.case("loop", ordered_sum(items, rounds), move || {
        (0..u64::from(items)).map(|index| work(index, rounds)).fold(0, in_order)
    });
    ours::observed(&mut group, items, rounds, workers);
    #[cfg(feature = "progress")]
    if rounds > ROUNDS {
        group.goal("gristmill, with a progress bar", Goal::OfFastest(1.01));
    }
    group.ideal(workers);
    group.yardstick("to report only");
    bench.run(group);
}
