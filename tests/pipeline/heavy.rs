//! Heavy items amid light ones run side by side: each waits for a moment to see another one run.

use std::sync::{Condvar, Mutex};
use std::time::Duration;

use gristmill::{CancellationToken, Pipeline};

use super::support::within_limit;

/// How long a heavy item takes if it sees no other one.
const HEAVY: Duration = Duration::from_millis(200);

#[derive(Default)]
struct Meeting {
    /// How many have come, and how many of them saw another one.
    counts: Mutex<(usize, usize)>,
    came: Condvar,
}

impl Meeting {
    /// Returns when as many have come as make this pair whole, or after [`HEAVY`].
    fn meet(&self) {
        let mut counts = self.counts.lock().unwrap();
        counts.0 += 1;
        let whole = counts.0.div_ceil(2) * 2;
        self.came.notify_all();
        let (mut counts, _) = self.came.wait_timeout_while(counts, HEAVY, |counts| counts.0 < whole).unwrap();
        if counts.0 >= whole {
            counts.1 += 1;
        }
    }
}

/// Twenty heavy items from `first` on, `apart` items from one to the next.
fn heavy_side_by_side(light: u64, first: u64, apart: u64) {
    within_limit(move || {
        for workers in [2, 4, 16] {
            let meeting = Meeting::default();
            Pipeline::from_iter(0..light)
                .workers(workers)
                .map("grind", |number| {
                    if number >= first && (number - first) % apart == 0 && (number - first) / apart < 20 {
                        meeting.meet();
                    }
                })
                .for_each("drop", drop)
                .run(&CancellationToken::new())
                .unwrap();
            let (came, met) = meeting.counts.into_inner().unwrap();
            // The first one holds the light ones' chunk that it is in; from then on they travel alone.
            assert!(
                came == 20 && met >= 12,
                "{met} of {came} ran beside another one, with {workers} workers"
            );
        }
    });
}

#[test]
fn heavy_items_spread_among_light_ones_run_side_by_side() {
    heavy_side_by_side(10_000, 250, 487);
}

#[test]
fn heavy_items_in_a_row_run_side_by_side() {
    heavy_side_by_side(10_000, 5000, 1);
}

#[test]
fn heavy_items_after_many_light_ones_run_side_by_side() {
    heavy_side_by_side(100_020, 100_000, 1);
}

#[test]
fn heavy_items_close_together_run_side_by_side() {
    heavy_side_by_side(100_500, 100_000, 20);
}
