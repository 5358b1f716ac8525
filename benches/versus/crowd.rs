//! Sixteen workers whatever the number of cores: does anything collapse when threads outnumber them?

use super::{
    by_hand,
    goals::Goal,
    grind::{in_order, ordered_sum, unordered_sum, work},
    harness::{Bench, Group},
    map::SIZES,
    maps, ours, peers,
};

pub(crate) const WORKERS: usize = 16;

pub(crate) fn run(bench: &mut Bench) {
    let pool = peers::rayon(WORKERS);
    for (rounds, items) in SIZES {
        let title = format!("{WORKERS} workers, ordered map, {rounds} rounds per item");
        if !bench.wants(&title) {
            continue;
        }
        let items = bench.items(items);
        let count = u64::from(items);
        let (ordered, unordered) = (ordered_sum(items, rounds), unordered_sum(items, rounds));
        let stage = move |index| work(index, rounds);

        let mut group = Group::new(title, items, "item");
        group.case("loop", ordered, || (0..count).map(stage).fold(0, in_order));
        group.case("pariter", ordered, || maps::pariter(count, WORKERS, stage));
        group.case("crossbeam by hand, per item", ordered, || {
            by_hand::per_item(count, by_hand::ITEMS_BOUND, WORKERS, stage)
        });
        group.case("crossbeam by hand, chunks of 256", ordered, || {
            by_hand::in_chunks(count, 256, WORKERS, stage)
        });
        group.case("rayon `par_bridge` (no order, no bound)", unordered, || {
            maps::par_bridge(&pool, count, stage)
        });
        ours::crowd(&mut group, items, rounds, WORKERS);
        if rounds >= 100 {
            group.goal("gristmill, default window", Goal::OfFirst(1.05));
        }
        bench.run(group);
    }
}
