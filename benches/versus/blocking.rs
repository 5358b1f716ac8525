//! Calls that wait, many at once: a blocking stage, against threads and channels by hand, and against workers that wait themselves.

use super::{
    by_hand,
    grind::{ordered_sum, work},
    harness::{Bench, Group},
    ours,
};
use std::{thread, time::Duration};

/// How long a call waits, timer slack aside.
const WAIT: Duration = Duration::from_micros(100);
/// How many calls are under way at once.
const AT_ONCE: usize = 16;
const ROUNDS: u32 = 10;

/// A call to somebody who takes a while to answer.
pub(crate) fn ask(index: u64) -> u64 {
    thread::sleep(WAIT);
    work(index, ROUNDS)
}

pub(crate) fn run(bench: &mut Bench) {
    let title = format!("blocking calls of {} us, {AT_ONCE} at once", WAIT.as_micros());
    if !bench.wants(&title) {
        return;
    }
    let (workers, items) = (bench.workers(), bench.items(20_000));
    let expected = ordered_sum(items, ROUNDS);
    let mut group = Group::new(title, items, "item");
    group.case("crossbeam by hand, per item", expected, move || {
        by_hand::per_item(u64::from(items), by_hand::ITEMS_BOUND, AT_ONCE, ask)
    });
    group.case("gristmill, blocking", expected, move || ours::blocking(items, workers, AT_ONCE));
    group.case("gristmill, as many workers", expected, move || ours::waiting_workers(items, AT_ONCE));
    bench.run(group);
}
