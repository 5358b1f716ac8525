//! An ordered map over a plain iterator, from items of nanoseconds to items of tens of microseconds.

use super::{
    by_hand,
    grind::{any_order, in_order, ordered_sum, unordered_sum, work},
    harness::{Bench, Group},
    ours,
};
use pariter::IteratorExt as _;
use rayon::iter::{IntoParallelIterator as _, ParallelBridge as _, ParallelIterator as _};

/// Rounds per item, and items enough for 50 ms of the plain loop.
pub(crate) const SIZES: [(u32, u32); 4] =
    [(10, 6_000_000), (100, 1_000_000), (1000, 100_000), (10_000, 10_000)];

pub(crate) fn run(bench: &mut Bench) {
    let workers = bench.workers();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(workers).build().expect("rayon's pool starts");
    for (rounds, items) in SIZES {
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
        group.case("pariter", ordered, || {
            (0..count).parallel_map_custom(|options| options.threads(workers), stage).fold(0, in_order)
        });
        group.case("crossbeam by hand, per item", ordered, || by_hand::per_item(count, workers, stage));
        group.case("crossbeam by hand, chunks of 256", ordered, || {
            by_hand::in_chunks(count, 256, workers, stage)
        });
        group.case("rayon `par_bridge` (no order, no bound)", unordered, || {
            pool.install(|| (0..count).par_bridge().map(stage).reduce(|| 0, any_order))
        });
        group.case("rayon `par_iter` over a collected `Vec` (no bound)", ordered, || {
            let inputs: Vec<u64> = (0..count).collect();
            let results: Vec<u64> = pool.install(|| inputs.into_par_iter().map(stage).collect());
            results.into_iter().fold(0, in_order)
        });
        ours::map(&mut group, items, rounds, workers);
        bench.run(group);
    }
}
