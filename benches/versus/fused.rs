//! Two parallel stages of 10 rounds each and a sink in order: what a hop between stages costs.

use super::{
    by_hand,
    goals::Goal,
    grind::{grind, in_order, work},
    harness::{Bench, Group},
    ours,
};
use pariter::IteratorExt as _;

/// Rounds per stage.
pub(crate) const ROUNDS: u32 = 10;

pub(crate) fn first(index: u64) -> u64 {
    work(index, ROUNDS)
}

pub(crate) fn second(value: u64) -> u64 {
    grind(value, ROUNDS)
}

pub(crate) fn run(bench: &mut Bench) {
    let title = format!("two stages of {ROUNDS} rounds and a sink in order");
    if !bench.wants(&title) {
        return;
    }
    let workers = bench.workers();
    let items = bench.items(1_000_000);
    let count = u64::from(items);
    let plain = move || (0..count).map(first).map(second).fold(0, in_order);
    let expected = plain();

    let mut group = Group::new(title, items, "item");
    group.case("loop", expected, plain);
    group.case("pariter, one map per stage", expected, || {
        (0..count)
            .parallel_map_custom(|options| options.threads(workers), first)
            .parallel_map_custom(|options| options.threads(workers), second)
            .fold(0, in_order)
    });
    group.case("crossbeam, a thread per stage", expected, || by_hand::thread_per_stage(count, first, second));
    group.case("crossbeam, the workers per stage", expected, || {
        by_hand::workers_per_stage(count, by_hand::ITEMS_BOUND, workers, &[first as fn(u64) -> u64, second])
    });
    group.case("crossbeam, chunks of 256, fused by hand", expected, || {
        by_hand::in_chunks(count, 256, workers, |index| second(first(index)))
    });
    ours::fused(&mut group, count, workers, expected);
    group.goal("gristmill, default window", Goal::OfFirst(0.65));
    bench.run(group);
}
