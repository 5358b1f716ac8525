//! How often each duration was measured, over a whole run, in memory that does not grow with it.
//!
//! Log-linear buckets: each power of two is divided into [`PARTS`] equal ones, so that a bucket is never wider than 1/32 of the values
//! in it; below 64 each value has a bucket of its own. This is the bucketing of `HdrHistogram` (G. Tene, <https://hdrhistogram.org>).

/// Buckets for each power of two, as a power of two.
const BITS: u32 = 5;
const PARTS: u64 = 1 << BITS;

/// Counts of nanoseconds. One thread writes; several are [added](Self::add) up when their threads have ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Histogram {
    /// Up to the highest bucket that was needed: at most 1920.
    counts: Vec<u64>,
    count: u64,
    max: u64,
}

/// The bucket of a value.
fn bucket(value: u64) -> usize {
    let octave = value.max(PARTS).ilog2() - BITS;
    // The part within the octave has its highest bit set from the second octave on: that bit counts the octaves.
    usize::try_from(u64::from(octave) * PARTS + (value >> octave)).unwrap_or(usize::MAX)
}

/// The highest value of a bucket.
fn highest(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    let octave = (bucket / PARTS).saturating_sub(1);
    let part = bucket - octave * PARTS;
    // In this order, so that the very highest does not overflow.
    (part << octave) + ((1 << octave) - 1)
}

impl Histogram {
    /// Counts `times` measurements of so many nanoseconds.
    #[inline]
    pub(crate) fn record(&mut self, nanoseconds: u64, times: u64) {
        if times == 0 {
            return;
        }
        let bucket = bucket(nanoseconds);
        if bucket >= self.counts.len() {
            self.counts.resize(bucket + 1, 0);
        }
        self.counts[bucket] = self.counts[bucket].saturating_add(times);
        self.count = self.count.saturating_add(times);
        self.max = self.max.max(nanoseconds);
    }

    /// Adds what another one counted.
    pub(crate) fn add(&mut self, other: &Self) {
        if other.counts.len() > self.counts.len() {
            self.counts.resize(other.counts.len(), 0);
        }
        for (mine, others) in self.counts.iter_mut().zip(&other.counts) {
            *mine = mine.saturating_add(*others);
        }
        self.count = self.count.saturating_add(other.count);
        self.max = self.max.max(other.max);
    }

    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    pub(crate) fn max(&self) -> u64 {
        self.max
    }

    /// The value at rank `ceil(percent / 100 * n)`, counted from 1, or up to 1/32 more, and never more than the maximum; zero if there is
    /// none.
    pub(crate) fn percentile(&self, percent: u64) -> u64 {
        let rank = (u128::from(self.count) * u128::from(percent)).div_ceil(100);
        let mut seen = 0_u128;
        for (bucket, count) in self.counts.iter().enumerate() {
            seen += u128::from(*count);
            if *count > 0 && seen >= rank {
                return highest(bucket).min(self.max);
            }
        }
        self.max
    }
}

#[cfg(all(test, not(any(gristmill_shuttle, gristmill_loom))))]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(values: &[u64]) -> Histogram {
        let mut histogram = Histogram::default();
        for value in values {
            histogram.record(*value, 1);
        }
        histogram
    }

    #[test]
    fn every_value_lies_in_its_bucket_and_buckets_follow_each_other_without_a_gap() {
        for next in 1..=bucket(u64::MAX) {
            let first = highest(next - 1) + 1;
            assert_eq!((bucket(first), bucket(highest(next))), (next, next));
            assert!(highest(next) - first <= first / PARTS, "bucket {next} is too wide");
        }
        assert_eq!((bucket(0), highest(0), highest(bucket(u64::MAX))), (0, 0, u64::MAX));
        assert_eq!(bucket(u64::MAX), 1919);
    }

    #[test]
    fn small_values_are_exact() {
        let histogram = of(&(0..64).collect::<Vec<_>>());
        assert_eq!([1, 50, 90, 99, 100].map(|percent| histogram.percentile(percent)), [0, 31, 57, 63, 63]);
    }

    #[test]
    fn nothing_measured_is_zero_and_no_count_overflows() {
        assert_eq!((of(&[]).percentile(50), of(&[]).max(), of(&[]).count()), (0, 0, 0));
        let mut histogram = of(&[u64::MAX]);
        histogram.record(7, u64::MAX);
        histogram.record(9, 0);
        histogram.add(&histogram.clone());
        assert_eq!((histogram.count(), histogram.percentile(50), histogram.max()), (u64::MAX, 7, u64::MAX));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn percentiles_are_those_of_the_sorted_values_or_at_most_a_thirty_second_more(
            workers in prop::collection::vec(
                prop::collection::vec(prop_oneof![0..5_000_u64, 0..10_000_000_000_u64, any::<u64>()], 0..60),
                0..5,
            ),
            percent in 1..=100_u64,
        ) {
            let mut all = workers.concat();
            let mut merged = Histogram::default();
            for values in &workers {
                merged.add(&of(values));
            }
            prop_assert_eq!(&merged, &of(&all));
            all.sort_unstable();
            let rank = (all.len() * usize::try_from(percent).unwrap()).div_ceil(100);
            let exact = rank.checked_sub(1).map_or(0, |index| all[index]);
            let found = merged.percentile(percent);
            prop_assert!(found >= exact && found - exact <= exact / PARTS, "{} for {}", found, exact);
            prop_assert_eq!((merged.count(), merged.max()), (all.len() as u64, all.last().copied().unwrap_or(0)));
        }
    }
}
