//! What holds whatever is measured.

use std::time::Duration;

use gristmill::AdaptiveSize;
use gristmill::pool::adaptive::Sample;
use proptest::prelude::*;

use crate::support::{TICK, controller};

fn durations() -> impl Strategy<Value = Duration> {
    prop_oneof![
        1 => Just(Duration::ZERO),
        1 => Just(Duration::from_nanos(1)),
        4 => Just(TICK),
        1 => (0..10_000_u64).prop_map(Duration::from_millis),
        1 => Just(Duration::MAX),
    ]
}

fn anything() -> impl Strategy<Value = Sample> {
    let sizes = || prop_oneof![4 => 0..80_usize, 1 => any::<usize>()];
    let numbers = || prop_oneof![4 => 0..100_000_u64, 1 => any::<u64>()];
    (durations(), sizes(), sizes(), numbers(), numbers()).prop_map(
        |(elapsed, workers, queued, busy_milli, started)| Sample {
            elapsed,
            workers,
            queued,
            busy_milli,
            started,
        },
    )
}

/// A measurement of a pool that has the workers that it should have.
#[derive(Clone, Copy, Debug)]
struct Moment {
    is_long: bool,
    queued: usize,
    busy_percent: u64,
    started: u64,
}

/// Moments come in runs, so that something lasts now and then.
fn moments() -> impl Strategy<Value = Vec<Moment>> {
    let moment = (
        any::<bool>(),
        prop_oneof![Just(0), 1..100_usize],
        prop_oneof![Just(0), Just(100), 0..=100_u64],
        0..500_u64,
    )
        .prop_map(|(is_long, queued, busy_percent, started)| Moment {
            is_long,
            queued,
            busy_percent,
            started,
        });
    let run = (moment, 1..80_usize).prop_map(|(moment, length)| vec![moment; length]);
    prop::collection::vec(run, 1..20).prop_map(|runs| runs.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn decision_is_within_the_bounds_whatever_is_measured(
        measurements in prop::collection::vec(anything(), 0..200),
        min in 1..30_usize,
        span in 0..30_usize,
    ) {
        let mut controller = controller(AdaptiveSize::between(min, min + span));
        for measured in &measurements {
            let size = controller.decide(measured);
            prop_assert!((min..=min + span).contains(&size), "{size} after {measured:?}");
        }
    }

    #[test]
    fn measurement_of_no_time_changes_nothing(
        measurements in prop::collection::vec((anything(), prop::option::of(anything())), 1..100),
    ) {
        let mut disturbed = controller(AdaptiveSize::between(1, 64));
        let mut other = disturbed.clone();
        for (at, (measured, empty)) in measurements.iter().enumerate() {
            // The first of all says where the size starts.
            if let Some(empty) = empty.filter(|_| at > 0) {
                disturbed.decide(&Sample { elapsed: Duration::ZERO, ..empty });
            }
            prop_assert_eq!(disturbed.decide(measured), other.decide(measured));
        }
    }

    #[test]
    fn every_change_follows_a_backlog_or_an_idleness_that_lasted(moments in moments(), start in 1..64_usize) {
        let mut controller = controller(AdaptiveSize::between(1, 64));
        let (mut size, mut backlog, mut idleness, mut since) = (start, Duration::ZERO, Duration::ZERO, 0);
        let mut came_from = None;
        for Moment { is_long, queued, busy_percent, started } in moments {
            let elapsed = if is_long { 3 * TICK } else { TICK };
            let busy_milli = size as u64 * 10 * busy_percent;
            let measured = Sample { elapsed, workers: size, queued, busy_milli, started };
            // The model: how long each has lasted, with two ticks at most for a measurement.
            let counted = elapsed.min(2 * TICK);
            backlog = if queued > 0 && busy_percent >= 90 { backlog + counted } else { Duration::ZERO };
            let is_idle = busy_milli.div_ceil(750) * 4 <= size as u64 * 3;
            idleness = if is_idle { idleness + counted } else { Duration::ZERO };
            since += 1;
            let next = controller.decide(&measured);
            let grown_back = next < size && came_from == Some(next) && backlog > Duration::ZERO;
            if next > size || grown_back {
                prop_assert!(backlog >= 2 * TICK, "{size} to {next} after a backlog of {backlog:?}");
                prop_assert!(since > 1, "in a single measurement");
                prop_assert!(next <= 2 * size);
            } else if next < size {
                prop_assert!(idleness >= 50 * TICK, "{size} to {next} after idleness of {idleness:?}");
            }
            if next != size {
                came_from = Some(size).filter(|_| next > size);
                (size, backlog, idleness, since) = (next, Duration::ZERO, Duration::ZERO, 0);
            }
        }
    }
}
