//! A keyed stage over 1 000 keys, against the same stage without keys.

use super::{
    goals::Goal,
    grind::{ordered_sum, unordered_sum},
    harness::{Bench, Group},
    ours, plain,
};

/// How many keys there are.
pub(crate) const KEYS: u64 = 1000;

pub(crate) fn run(bench: &mut Bench) {
    for (rounds, items) in [(100, 400_000), (1000, 200_000)] {
        let title = format!("keyed stage over {KEYS} keys, {rounds} rounds per item");
        if !bench.wants(&title) {
            continue;
        }
        let (workers, items) = (bench.workers(), bench.items(items));
        let (ordered, unordered) = (ordered_sum(items, rounds), unordered_sum(items, rounds));
        let mut group = Group::new(title, items, "item");
        group.case("gristmill, no keys", ordered, move || plain::in_window(items, rounds, workers, None));
        group.case("gristmill, keyed", ordered, move || ours::keyed(items, rounds, workers));
        group.case("gristmill, keyed_unordered", unordered, move || {
            ours::keyed_unordered(items, rounds, workers)
        });
        if rounds == 1000 {
            group.goal("gristmill, keyed", Goal::OfFirst(1.15));
        }
        bench.run(group);
    }
}
