//! Under a constant load the size turns at most once, tries that are in vain aside, and so comes to rest.

use std::time::Duration;

use gristmill::AdaptiveSize;
use proptest::prelude::*;

use crate::simulator::{Simulator, Work, sizes};
use crate::support::{steps, turns};

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn constant_load_turns_the_size_at_most_once(
        service_ms in prop::sample::select(vec![2_u32, 5, 10, 20, 50]),
        cores in prop::option::of(1_usize..12),
        load_milli in 0_u32..30_000,
        queued in prop::sample::select(vec![0_usize, 10, 1_000]),
        start in 1_usize..40,
        (min, span) in (1_usize..5, 0_usize..40),
    ) {
        let max = min + span;
        let service = f64::from(service_ms) / 1000.0;
        let rate = f64::from(load_milli) / 1000.0 / service;
        let mut simulator = Simulator::new(Work { service, cores, is_random: false }, start.clamp(min, max));
        simulator.queue(queued);
        // Nothing is tried twice.
        let settings = AdaptiveSize::between(min, max).remember(Duration::MAX);
        let sizes = sizes(settings, simulator, Duration::from_secs(200), |_| rate);
        prop_assert!(turns(&sizes) <= 1, "{:?}", steps(&sizes));
        prop_assert!(steps(&sizes).len() <= 20, "{:?}", steps(&sizes));
    }
}

#[test]
fn growth_in_vain_is_tried_after_doubled_times() {
    let mut simulator = Simulator::new(Work { service: 0.01, cores: Some(4), is_random: false }, 4);
    simulator.queue(10_000_000);
    let settings = AdaptiveSize::between(4, 8).remember(Duration::from_secs(10));
    let sizes = sizes(settings, simulator, Duration::from_secs(1800), |_| 0.0);
    let tries: Vec<usize> = sizes
        .windows(2)
        .enumerate()
        .filter(|(_, pair)| pair[0] < pair[1])
        .map(|(tick, _)| tick / 10)
        .collect();
    let waits: Vec<usize> = tries.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let expected = [10, 20, 40, 80, 160, 320, 640];
    assert_eq!(waits.len(), expected.len(), "{tries:?}");
    for (wait, expected) in waits.iter().zip(expected) {
        // And until the end of the measuring that goes on then, which takes four seconds at most.
        assert!((expected..=expected + 5).contains(wait), "{waits:?}");
    }
}
