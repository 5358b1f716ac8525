//! Against the number of workers: what do more of them than there are cores cost?

use super::{
    curve::{Curve, View, X, Y},
    looks::{LOOP, is_ours},
    meter::{Items, Meter, cores},
    numbers::Numbers,
    ways,
};
use crate::versus::grind::work;
use std::collections::BTreeSet;

const LIGHT: &str = "an ordered map, 10 rounds per item";
const HEAVY: &str = "an ordered map, 1000 rounds per item";
const POOLS: &str = "a pool with many tasks, 1000 rounds per task";
/// How many workers for each core must not be felt, and what counts as felt.
const CROWD: usize = 16;
const FELT: f64 = 1.10;

pub(crate) const CURVE: Curve = Curve {
    name: "workers",
    x_axis: "number of workers",
    x: X::Each,
    views: &[
        View { panel: LIGHT, y: Y::Time },
        View { panel: HEAVY, y: Y::Time },
        View { panel: POOLS, y: Y::Time },
    ],
    measure,
    verdicts,
};

fn measure(meter: &mut Meter) {
    // Where the verdict looks too, whatever the machine.
    let counts: BTreeSet<usize> = [1, 2, 4, 8, 16, 32, 64, cores(), CROWD * cores()].into();
    for (panel, rounds) in [(LIGHT, 10), (HEAVY, 1000), (POOLS, 1000)] {
        let stage = move |index| work(index, rounds);
        for &workers in &counts {
            let ways = if panel == POOLS {
                ways::pools(rounds, workers)
            } else {
                ways::ordered_maps(rounds, workers)
            };
            meter.point(panel, workers as u64, Items::ThatFit, stage, ways);
        }
    }
}

/// As ratios to the loop at the same point, so that a machine that changes its speed between the points changes nothing.
fn verdicts(numbers: &Numbers) -> Vec<String> {
    let (few, many) = (numbers.cores as u64, (numbers.cores * CROWD) as u64);
    let mut verdicts = Vec::new();
    for panel in [HEAVY, POOLS] {
        for case in numbers.cases(panel).into_iter().filter(|&case| case != LOOP) {
            let times = [few, many].map(|workers| numbers.shown(panel, case, workers, Y::OfLoop));
            if let [Some(few_take), Some(many_take)] = times {
                let ratio = many_take / few_take;
                let held = match ratio {
                    _ if !is_ours(case) => "",
                    ..=FELT => ": at most 10 % more, as it should be",
                    _ => ": MORE THAN 10 % MORE",
                };
                verdicts.push(format!(
                    "{panel}: {case}: {few_take:.2} of the loop with {few} workers, {many_take:.2} with {many}, \
                     {ratio:.2} times as much{held}."
                ));
            }
        }
    }
    verdicts
}
