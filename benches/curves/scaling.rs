//! Throughput on more and more cores, and how much of it is lost to what a single one would do.

use super::{
    curve::{Curve, View, X, Y},
    looks::{PIPELINE, SUBMIT, SUBMIT_MANY},
    meter::{Items, Meter, cores},
    numbers::Numbers,
    ways,
};
use crate::versus::grind::work;

const MAPS: &str = "an ordered map, 1000 rounds per item";
const POOLS: &str = "a pool with many tasks, 1000 rounds per task";
const ROUNDS: u32 = 1000;

pub(crate) const CURVE: Curve = Curve {
    name: "scaling",
    x_axis: "number of workers, each with a core",
    x: X::Each,
    views: &[
        View { panel: MAPS, y: Y::PerSecond },
        View { panel: MAPS, y: Y::OfLinear },
        View { panel: POOLS, y: Y::PerSecond },
        View { panel: POOLS, y: Y::OfLinear },
    ],
    measure,
    verdicts,
};

fn measure(meter: &mut Meter) {
    let most = meter.workers().min(cores());
    let stage = |index| work(index, ROUNDS);
    let counts = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64];
    for workers in counts.into_iter().filter(|&workers| workers <= most) {
        meter.point(MAPS, workers as u64, Items::ThatFit, stage, ways::ordered_maps(ROUNDS, workers));
    }
    for workers in counts.into_iter().filter(|&workers| workers <= most) {
        meter.point(POOLS, workers as u64, Items::ThatFit, stage, ways::pools(ROUNDS, workers));
    }
}

fn verdicts(numbers: &Numbers) -> Vec<String> {
    let ours = [(MAPS, PIPELINE), (POOLS, SUBMIT), (POOLS, SUBMIT_MANY)];
    let verdict = |(panel, case): (&str, &str)| {
        let most = numbers.points(panel).into_iter().next_back()?;
        let percent = numbers.shown(panel, case, most, Y::OfLinear)?;
        Some(format!("{panel}: {case}: {percent:.0} % of linear with {most} workers."))
    };
    ours.into_iter().filter_map(verdict).collect()
}
