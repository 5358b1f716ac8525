//! Sixteen workers whatever the number of cores: does anything collapse when threads outnumber them?

use super::{
    by_hand,
    grind::{any_order, in_order, ordered_sum, unordered_sum, work},
    harness::{Bench, Group},
    map::SIZES,
    ours,
};
use pariter::IteratorExt as _;
use rayon::iter::{ParallelBridge as _, ParallelIterator as _};

pub(crate) const WORKERS: usize = 16;

pub(crate) fn run(bench: &mut Bench) {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(WORKERS).build().expect("rayon's pool starts");
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
        group.case("pariter", ordered, || {
            (0..count).parallel_map_custom(|options| options.threads(WORKERS), stage).fold(0, in_order)
        });
        group.case("crossbeam by hand, per item", ordered, || by_hand::per_item(count, WORKERS, stage));
        group.case("crossbeam by hand, chunks of 256", ordered, || {
            by_hand::in_chunks(count, 256, WORKERS, stage)
        });
        group.case("rayon `par_bridge` (no order, no bound)", unordered, || {
            pool.install(|| (0..count).par_bridge().map(stage).reduce(|| 0, any_order))
        });
        ours::crowd(&mut group, items, rounds, WORKERS);
        bench.run(group);
    }
}
