//! Against the number of stages: what does a hop between two of them cost?

use super::{
    curve::{Curve, View, X, Y, no_verdicts},
    looks::{BY_HAND, PARITER, PIPELINE},
    meter::{Items, Meter, Way},
    ways,
};
use crate::versus::{
    by_hand,
    grind::{Sum::InOrder, grind, in_order},
    plain::SOUND,
};
use gristmill::{CancellationToken, Pipeline};
use pariter::IteratorExt as _;

const PANELS: [(&str, u32); 2] = [("10 rounds per stage", 10), ("1000 rounds per stage", 1000)];

pub(crate) const CURVE: Curve = Curve {
    name: "stages",
    x_axis: "number of stages",
    x: X::Each,
    views: &[View { panel: PANELS[0].0, y: Y::Time }, View { panel: PANELS[1].0, y: Y::Time }],
    measure,
    verdicts: no_verdicts,
};

fn measure(meter: &mut Meter) {
    let workers = meter.workers();
    for (panel, rounds) in PANELS {
        for stages in 1..=8 {
            let all = move |index| (0..stages).fold(index, |value, _| stage(value, rounds));
            let mut ways = vec![
                ways::plain_loop(all),
                Way::new(PARITER, InOrder, move |items| pariter(items.into(), stages, rounds, workers)),
                Way::new(BY_HAND, InOrder, move |items| by_hand(items.into(), stages, rounds, workers)),
                // Its author puts the stages into one function by hand, as do those of rayon's loops.
                ways::in_chunks(ways::CHUNK, workers, all),
            ];
            ways.extend(ways::with_rayon(workers, all));
            ways.push(Way::new(PIPELINE, InOrder, move |items| {
                pipeline(items.into(), stages, rounds, workers)
            }));
            meter.point(panel, stages as u64, Items::ThatFit, all, ways);
        }
    }
}

/// One more than the value goes in: zero is a fixed point of the work.
fn stage(value: u64, rounds: u32) -> u64 {
    grind(value.wrapping_add(1), rounds)
}

/// One map, with threads of its own, for each stage.
fn pariter(items: u64, stages: usize, rounds: u32, workers: usize) -> u64 {
    type Values = Box<dyn Iterator<Item = u64> + Send>;
    let add_stage = |values: Values, _| -> Values {
        let map = move |value| stage(value, rounds);
        Box::new(values.parallel_map_custom(|options| options.threads(workers), map))
    };
    (0..stages).fold(Box::new(0..items) as Values, add_stage).fold(0, in_order)
}

/// The workers, and a channel, for each stage.
fn by_hand(items: u64, stages: usize, rounds: u32, workers: usize) -> u64 {
    let stages = vec![move |value| stage(value, rounds); stages];
    by_hand::workers_per_stage(items, by_hand::ITEMS_BOUND, workers, &stages)
}

/// Adds as many maps as there are numbers, each for the stage of that number.
macro_rules! mapped {
    ($pipeline:expr, $rounds:ident;) => { $pipeline };
    ($pipeline:expr, $rounds:ident; $name:literal $($rest:literal)*) => {
        mapped!($pipeline.map($name, move |value| stage(value, $rounds)), $rounds; $($rest)*)
    };
}

/// One map for each stage, all with the same workers.
fn pipeline(items: u64, stages: usize, rounds: u32, workers: usize) -> u64 {
    let mut sum = 0;
    macro_rules! run {
        ($($name:literal)*) => {
            mapped!(Pipeline::from_iter(0..items).workers(workers), rounds; $($name)*)
                .for_each("sum", |value| sum = in_order(sum, value))
                .run(&CancellationToken::new())
        };
    }
    let report = match stages {
        1 => run!("1"),
        2 => run!("1" "2"),
        3 => run!("1" "2" "3"),
        4 => run!("1" "2" "3" "4"),
        5 => run!("1" "2" "3" "4" "5"),
        6 => run!("1" "2" "3" "4" "5" "6"),
        7 => run!("1" "2" "3" "4" "5" "6" "7"),
        8 => run!("1" "2" "3" "4" "5" "6" "7" "8"),
        _ => unreachable!("the curve ends at eight stages"),
    };
    report.expect(SOUND);
    sum
}
