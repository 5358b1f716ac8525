//! An ordered map over a plain iterator, from items of nanoseconds to items of tens of microseconds.

use super::{
    by_hand,
    goals::Goal,
    grind::{in_order, ordered_sum, unordered_sum, work},
    harness::{Bench, Group},
    maps, ours, peers,
};

/// What the ordered map is to reach at each of the sizes, as ratios to the loop: with the default window, and with one of 256.
const GOALS: [(f64, f64); 4] = [(0.95, 1.5), (0.53, 0.55), (0.51, 0.52), (0.51, 0.51)];

/// Rounds per item, and items enough for 50 ms of the plain loop.
pub(crate) const SIZES: [(u32, u32); 4] =
    [(10, 6_000_000), (100, 1_000_000), (1000, 100_000), (10_000, 10_000)];

pub(crate) fn run(bench: &mut Bench) {
    let workers = bench.workers();
    let pool = peers::rayon(workers);
    for ((rounds, items), (default_window, window_256)) in SIZES.into_iter().zip(GOALS) {
        let title = format!("ordered map, {rounds} rounds per item");
        if !bench.wants(&title) {
            continue;
        }
        let items = bench.items(items);
        let count = u64::from(items);
        let (ordered, unordered) = (ordered_sum(items, rounds), unordered_sum(items, rounds));
        let stage = move |index| work(index, rounds);

        let mut group = Group::new(title, items, "item");
        group.case("loop", ordered, || (0..count).map(stage).fold(0, in_order));
        group.case("pariter", ordered, || maps::pariter(count, workers, stage));
        group.case("crossbeam by hand, per item", ordered, || {
            by_hand::per_item(count, by_hand::ITEMS_BOUND, workers, stage)
        });
        group.case("crossbeam by hand, chunks of 256", ordered, || {
            by_hand::in_chunks(count, 256, workers, stage)
        });
        group.case("rayon `par_bridge` (no order, no bound)", unordered, || {
            maps::par_bridge(&pool, count, stage)
        });
        group.case("rayon `par_iter` over a collected `Vec` (no bound)", ordered, || {
            maps::par_iter(&pool, count, stage)
        });
        ours::map(&mut group, items, rounds, workers);
        group.goal("gristmill, default window", Goal::OfFirst(default_window));
        group.goal("gristmill, window 256", Goal::OfFirst(window_256));
        bench.run(group);
    }
}
