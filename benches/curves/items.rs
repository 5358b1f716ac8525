//! Against the number of items: does an item cost the same, however many there are?

use super::{
    curve::{Curve, View, X, Y},
    looks::{LOOP, is_ours},
    meter::{Items, Meter},
    numbers::Numbers,
    ways,
};
use crate::versus::grind::work;

const MAPS: &str = "an ordered map, 10 rounds per item";
const POOLS: &str = "a pool with many tasks, 10 rounds per task";
const ROUNDS: u32 = 10;
const COUNTS: [u32; 6] = [1000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000];
/// From here on starting and ending are not felt, and what still grows with the number of items would grow for ever.
const MANY: u64 = 1_000_000;
const FLAT: f64 = 1.10;

pub(crate) const CURVE: Curve = Curve {
    name: "items",
    x_axis: "number of items",
    x: X::Decades,
    views: &[View { panel: MAPS, y: Y::Time }, View { panel: POOLS, y: Y::Time }],
    measure,
    verdicts,
};

fn measure(meter: &mut Meter) {
    let workers = meter.workers();
    let stage = |index| work(index, ROUNDS);
    for count in COUNTS {
        let ways = ways::ordered_maps(ROUNDS, workers);
        meter.point(MAPS, count.into(), Items::Exactly(count), stage, ways);
    }
    for count in COUNTS.into_iter().filter(|&count| u64::from(count) <= MANY) {
        meter.point(POOLS, count.into(), Items::Exactly(count), stage, ways::pools(ROUNDS, workers));
    }
}

/// As ratios to the loop at the same point, so that a machine that changes its speed between the points changes nothing.
fn verdicts(numbers: &Numbers) -> Vec<String> {
    let mut verdicts = Vec::new();
    for case in numbers.cases(MAPS).into_iter().filter(|&case| case != LOOP) {
        let many = numbers.points(MAPS).into_iter().filter(|&count| count >= MANY);
        let times: Vec<(u64, f64)> =
            many.filter_map(|count| Some((count, numbers.shown(MAPS, case, count, Y::OfLoop)?))).collect();
        if let [(fewest, first), .., (most, last)] = times[..] {
            let ratio = last / first;
            let held = match ratio {
                _ if !is_ours(case) => "",
                ..=FLAT => ": flat, as it should be",
                _ => ": NOT FLAT",
            };
            verdicts.push(format!(
                "{case}: {first:.2} of the loop for {fewest} items, {last:.2} for {most}, {ratio:.2} times as much{held}."
            ));
        }
    }
    verdicts
}
