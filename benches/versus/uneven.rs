//! Stages whose costs are ten to one, cut apart by serial points, against an even split of the same work by hand.
//!
//! The goal of the library: without any tuning a run takes at most 1.1 times the total work over the workers.

use super::{
    by_hand,
    goals::Goal,
    grind::{any_order, grind, work},
    harness::{Bench, Group},
    ours,
};

/// Rounds of the heavy stage; the light one takes a tenth of them.
const HEAVY: [(u32, u32); 2] = [(100, 1_000_000), (1000, 100_000)];

/// The rounds of the first and of the second stage, and what is between them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub(crate) first: u32,
    pub(crate) second: u32,
    pub(crate) point: Point,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Point {
    /// A short serial stage that keeps no order between two parallel ones.
    SerialUnordered,
    /// A short serial stage in order between two parallel ones.
    Serial,
    /// The second stage is a serial one itself.
    SecondIsSerial,
}

pub(crate) fn run(bench: &mut Bench) {
    for (heavy, items) in HEAVY {
        let light = heavy / 10;
        let title = format!("uneven stages of {heavy} and {light} rounds");
        if !bench.wants(&title) {
            continue;
        }
        let (workers, items) = (bench.workers(), bench.items(items));
        let count = u64::from(items);
        let item = move |index| grind(work(index, heavy), light);
        let plain = move || (0..count).map(item).fold(0, any_order);
        let expected = plain();

        let mut group = Group::new(title, items, "item");
        group.case("loop", expected, plain);
        let ideal = move || by_hand::static_split(count, workers, item);
        group.case("threads, an equal part for each", expected, ideal).as_yardstick();
        for (first, second) in [(heavy, light), (light, heavy)] {
            for point in [Point::SerialUnordered, Point::Serial, Point::SecondIsSerial] {
                let is_bound = matches!(point, Point::SecondIsSerial) && second == heavy;
                if !is_bound {
                    ours::uneven(&mut group, count, workers, Shape { first, second, point }, expected);
                }
            }
        }
        for case in 2..group.cases.len() {
            let name = group.cases[case].name.clone();
            group.goal(name, Goal::OfFastest(1.1));
        }
        group.ideal(workers);
        group.yardstick("to the equal parts");
        bench.run(group);
    }
}
