//! Against the work per item, from a nanosecond to a millisecond: from where on is a way worth its overhead?

use super::{
    curve::{Curve, View, X, Y, no_verdicts},
    meter::{Items, Meter},
    ways,
};
use crate::versus::grind::work;

const MAPS: &str = "an ordered map";
const POOLS: &str = "a pool with many tasks";
/// Rounds per item; one takes one to two and a half nanoseconds.
const ROUNDS: [u32; 12] = [0, 3, 10, 30, 100, 300, 1000, 3000, 10_000, 30_000, 100_000, 400_000];

pub(crate) const CURVE: Curve = Curve {
    name: "work",
    x_axis: "work per item: what the loop takes",
    x: X::TimeOfLoop,
    views: &[
        View { panel: MAPS, y: Y::Time },
        View { panel: MAPS, y: Y::OfLoop },
        View { panel: POOLS, y: Y::OfLoop },
    ],
    measure,
    verdicts: no_verdicts,
};

fn measure(meter: &mut Meter) {
    let workers = meter.workers();
    for rounds in ROUNDS {
        let stage = |index| work(index, rounds);
        meter.point(MAPS, rounds.into(), Items::ThatFit, stage, ways::ordered_maps(rounds, workers));
    }
    for rounds in ROUNDS {
        let stage = |index| work(index, rounds);
        meter.point(POOLS, rounds.into(), Items::ThatFit, stage, ways::pools(rounds, workers));
    }
}
