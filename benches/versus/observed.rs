//! What it costs to look at a pipeline: the report alone, a timeline, a monitor.

use super::{
    grind::{in_order, ordered_sum, work},
    harness::{Bench, Group},
    ours,
};

const ROUNDS: u32 = 100;
const ITEMS: u32 = 1_000_000;

pub(crate) fn run(bench: &mut Bench) {
    let title = format!("observed map, {ROUNDS} rounds per item");
    if !bench.wants(&title) {
        return;
    }
    let (workers, items) = (bench.workers(), bench.items(ITEMS));
    let mut group = Group::new(title, items, "item");
    group.case("loop", ordered_sum(items, ROUNDS), || {
        (0..u64::from(items)).map(|index| work(index, ROUNDS)).fold(0, in_order)
    });
    ours::observed(&mut group, items, ROUNDS, workers);
    group.ideal(workers);
    group.yardstick("to report only");
    bench.run(group);
}
