//! The window and its quantiles against a list that is sorted.

use std::time::Duration;

use proptest::prelude::*;

use super::quantiles::Quantiles;
use super::samples::{Samples, Totals};

fn recorded(capacity: usize, values: &[u64]) -> Samples {
    let samples = Samples::new(capacity);
    for value in values {
        samples.record(*value);
    }
    samples
}

fn read(samples: &Samples) -> (Vec<u64>, Totals) {
    let mut recent = Vec::new();
    let totals = samples.copy_into(&mut recent);
    recent.sort_unstable();
    (recent, totals)
}

/// The smallest value that at least `percent` of all values do not exceed: the definition, word for word.
fn percentile(values: &[u64], percent: usize) -> u64 {
    let enough =
        |limit: &&u64| values.iter().filter(|value| *value <= *limit).count() * 100 >= percent * values.len();
    values.iter().filter(enough).min().copied().unwrap_or(0)
}

fn in_nanoseconds(quantiles: &Quantiles) -> [u128; 4] {
    [quantiles.p50(), quantiles.p90(), quantiles.p99(), quantiles.max()].map(|duration| duration.as_nanos())
}

#[test]
fn quantiles_of_nothing_are_zero() {
    assert_eq!(Quantiles::of([]), Quantiles::default());
    assert_eq!(Quantiles::of([&Samples::new(1), &Samples::new(256)]), Quantiles::default());
    assert_eq!(read(&Samples::new(4)), (Vec::new(), Totals::default()));
}

#[test]
fn one_sample_is_every_quantile() {
    for value in [0, 1, 1500, u64::MAX] {
        let quantiles = Quantiles::of([&recorded(8, &[value])]);
        assert_eq!(quantiles.count(), 1);
        assert_eq!(in_nanoseconds(&quantiles), [u128::from(value); 4]);
    }
}

#[test]
fn ring_of_one_place_keeps_the_last_sample_and_the_maximum_of_all() {
    assert_eq!(read(&recorded(1, &[5, 9, 2])), (vec![2], Totals { count: 3, max: 9 }));
}

#[test]
fn hundred_samples_have_the_quantiles_that_their_ranks_name() {
    let values: Vec<u64> = (1..=100).rev().collect();
    assert_eq!(in_nanoseconds(&Quantiles::of([&recorded(128, &values)])), [50, 90, 99, 100]);
    // 90.9 and 99.99 are rounded up to whole ranks.
    let values: Vec<u64> = (1..=101).collect();
    assert_eq!(in_nanoseconds(&Quantiles::of([&recorded(128, &values)])), [51, 91, 100, 101]);
}

#[test]
fn maximum_outlives_its_sample() {
    let values: Vec<u64> = std::iter::once(7_000).chain(0..16).collect();
    let quantiles = Quantiles::of([&recorded(16, &values)]);
    assert_eq!((quantiles.count(), in_nanoseconds(&quantiles)), (17, [7, 14, 15, 7_000]));
}

#[test]
fn largest_samples_are_kept_whole() {
    let quantiles = Quantiles::of([&recorded(4, &[u64::MAX; 9]), &recorded(4, &[u64::MAX - 1])]);
    assert_eq!(quantiles.p50(), Duration::from_nanos(u64::MAX));
    assert_eq!((quantiles.max(), quantiles.count()), (Duration::from_nanos(u64::MAX), 10));
}

#[test]
fn quantiles_are_printed_in_one_line() {
    let quantiles = Quantiles::of([&recorded(4, &[1_500, 2_000_000])]);
    assert_eq!(quantiles.to_string(), "2 measured, p50 1.5µs, p90 2ms, p99 2ms, max 2ms");
}

#[test]
#[should_panic(expected = "the capacity of a ring is a power of two, not 100")]
fn ring_of_another_size_is_refused() {
    drop(Samples::new(100));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn ring_keeps_exactly_the_most_recent_samples(bits in 0_u32..9, values in prop::collection::vec(any::<u64>(), 0..600)) {
        let capacity = 1_usize << bits;
        let (recent, totals) = read(&recorded(capacity, &values));
        let mut expected = values[values.len().saturating_sub(capacity)..].to_vec();
        expected.sort_unstable();
        prop_assert_eq!(recent, expected);
        prop_assert_eq!(totals, Totals { count: values.len() as u64, max: values.iter().max().copied().unwrap_or(0) });
    }

    #[test]
    fn quantiles_are_those_of_the_merged_windows(
        workers in prop::collection::vec(prop::collection::vec(prop_oneof![0..50_u64, any::<u64>()], 0..24), 0..5),
    ) {
        let rings: Vec<Samples> = workers.iter().map(|values| recorded(8, values)).collect();
        let quantiles = Quantiles::of(&rings);
        let merged: Vec<u64> = workers.iter().flat_map(|values| &values[values.len().saturating_sub(8)..]).copied().collect();
        let all = workers.concat();
        let [p50, p90, p99] = [50, 90, 99].map(|percent| u128::from(percentile(&merged, percent)));
        let max = u128::from(all.iter().max().copied().unwrap_or(0));
        prop_assert_eq!(in_nanoseconds(&quantiles), [p50, p90, p99, max]);
        prop_assert_eq!(quantiles.count(), all.len() as u64);
    }
}
