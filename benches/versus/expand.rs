//! Items that become many others, each of which is ground, and a sink in order: a file's lines, an archive's pages.

use super::{
    grind::{in_order, ordered_sum, work},
    harness::{Bench, Group},
    ours, peers,
};
use pariter::IteratorExt as _;
use rayon::iter::{IntoParallelIterator as _, ParallelIterator as _};

/// What an item becomes, and rounds for each result.
const SHAPES: [(u32, u32); 4] = [(10, 10), (1_000, 10), (100_000, 10), (1_000, 100)];

/// The results of item `index`, of which each becomes `many`.
pub(crate) fn results(index: u64, many: u32) -> std::ops::Range<u64> {
    let many = u64::from(many);
    index * many..(index + 1) * many
}

pub(crate) fn run(bench: &mut Bench) {
    let workers = bench.workers();
    let pool = peers::rayon(workers);
    for (many, rounds) in SHAPES {
        let title = format!("one item becomes {many} of {rounds} rounds");
        if !bench.wants(&title) {
            continue;
        }
        // At least one item, also where a thousandth of the work is asked for.
        let items = u64::from((bench.items(10_000_000 / rounds) / many).max(1));
        let count = u32::try_from(items).expect("it came from one") * many;
        let expected = ordered_sum(count, rounds);

        let mut group = Group::new(title, count, "result");
        group.case("loop", expected, || {
            (0..items)
                .flat_map(|index| results(index, many))
                .map(|value| work(value, rounds))
                .fold(0, in_order)
        });
        group.case("pariter, a `Vec` for each item", expected, || {
            let expand =
                move |index| results(index, many).map(|value| work(value, rounds)).collect::<Vec<_>>();
            (0..items)
                .parallel_map_custom(|options| options.threads(workers), expand)
                .flatten()
                .fold(0, in_order)
        });
        group.case("rayon `flat_map_iter`, collected (no bound)", expected, || {
            let expand = move |index| results(index, many).map(move |value| work(value, rounds));
            let all: Vec<u64> = pool.install(|| (0..items).into_par_iter().flat_map_iter(expand).collect());
            all.into_iter().fold(0, in_order)
        });
        ours::expand(&mut group, items, (many, rounds), workers, expected);
        bench.run(group);
    }
}
