//! Against the window: how many items must be on their way for a way to be fast?

use super::{
    curve::{Curve, View, X, Y, no_verdicts},
    looks::{BY_HAND, PARITER, PIPELINE},
    meter::{Items, Meter, Way},
    ways,
};
use crate::versus::{
    by_hand,
    grind::{Sum::InOrder, in_order, work},
    plain,
};
use pariter::IteratorExt as _;

const PANELS: [(&str, u32); 2] = [("10 rounds per item", 10), ("1000 rounds per item", 1000)];
const WINDOWS: [u32; 7] = [16, 64, 256, 1024, 4096, 16_384, 65_536];

pub(crate) const CURVE: Curve = Curve {
    name: "window",
    x_axis: "items on their way at once, at most",
    x: X::Each,
    views: &[View { panel: PANELS[0].0, y: Y::Time }, View { panel: PANELS[1].0, y: Y::Time }],
    measure,
    verdicts: no_verdicts,
};

fn measure(meter: &mut Meter) {
    let workers = meter.workers();
    for (panel, rounds) in PANELS {
        for window in WINDOWS {
            let stage = move |index| work(index, rounds);
            meter.point(panel, window.into(), Items::ThatFit, stage, bounded(window, rounds, workers));
        }
    }
}

/// Those that can be bounded. What waits for an earlier item is in the window of ours and of pariter, and on top by hand.
fn bounded(window: u32, rounds: u32, workers: usize) -> Vec<Way> {
    let stage = move |index| work(index, rounds);
    let size = window as usize;
    vec![
        ways::plain_loop(stage),
        Way::new(PARITER, InOrder, move |items| pariter_in(size, items.into(), rounds, workers)),
        // Two channels.
        Way::new(BY_HAND, InOrder, move |items| by_hand::per_item(items.into(), size / 2, workers, stage)),
        // Two channels of eight chunks.
        ways::in_chunks(window / 16, workers, stage),
        Way::new(PIPELINE, InOrder, move |items| plain::in_window(items, rounds, workers, Some(size))),
    ]
}

fn pariter_in(window: usize, items: u64, rounds: u32, workers: usize) -> u64 {
    let stage = move |index| work(index, rounds);
    let map = (0..items).parallel_map_custom(|options| options.threads(workers).buffer_size(window), stage);
    map.fold(0, in_order)
}
