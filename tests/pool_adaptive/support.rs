//! Feeding a controller, and reading what it decided.

use std::time::Duration;

use gristmill::AdaptiveSize;
use gristmill::pool::adaptive::{Controller, Sample};

pub(crate) const TICK: Duration = Duration::from_millis(100);

pub(crate) fn controller(settings: AdaptiveSize) -> Controller {
    Controller::new(settings).expect("good settings")
}

/// All workers busy with tasks of 10 ms, and more queued.
pub(crate) fn backlog(workers: usize) -> Sample {
    let (busy_milli, started) = (1000 * workers as u64, 10 * workers as u64);
    Sample { elapsed: TICK, workers, queued: 1000, busy_milli, started }
}

/// Nothing to do.
pub(crate) fn nothing(workers: usize) -> Sample {
    Sample { elapsed: TICK, workers, ..Sample::default() }
}

/// How often a series of sizes goes the other way than its change before.
pub(crate) fn turns(sizes: &[usize]) -> usize {
    let moves: Vec<bool> =
        sizes.windows(2).filter(|pair| pair[0] != pair[1]).map(|pair| pair[0] < pair[1]).collect();
    moves.windows(2).filter(|pair| pair[0] != pair[1]).count()
}

/// The sizes without repetitions.
pub(crate) fn steps(sizes: &[usize]) -> Vec<usize> {
    let mut steps = sizes.to_vec();
    steps.dedup();
    steps
}

#[test]
fn turns_are_changes_of_direction() {
    assert_eq!(turns(&[1, 1, 2, 2, 4, 8]), 0);
    assert_eq!(turns(&[1, 4, 4, 2, 2, 1, 1]), 1);
    assert_eq!(turns(&[1, 2, 1, 2]), 2);
    assert_eq!(steps(&[1, 1, 2, 2, 1]), [1, 2, 1]);
}
