//! Quantiles of the samples of several workers, computed when somebody asks.

use std::fmt;
use std::time::Duration;

use super::histogram::Histogram;
use super::samples::{Samples, Totals};

/// How long something took: median, 90th and 99th percentile, and the longest.
///
/// [`count`](Self::count) and [`max`](Self::max) are over all measurements since the start. Of the percentiles there are two kinds, and
/// the method that gives them says which:
///
/// - the recent ones (of a pool) are over the latest measurements of each worker, up to a few hundred, which is what somebody who
///   looks at a running batch wants to know: they are exact for those, and say nothing of earlier ones;
/// - those of the whole run (of a pipeline's report) are over all measurements, and up to 1/32 above the exact ones.
///
/// A percentile is by the nearest rank: of `n` sorted values the p-th percentile is the one at rank `ceil(p / 100 * n)`, so
/// a recent one is always a value that was measured (definition 1 in R. J. Hyndman and Y. Fan, "Sample Quantiles in Statistical
/// Packages", The American Statistician 50(4), 1996).
///
/// Before the first measurement all of it is zero.
///
/// ```
/// use gristmill::ThreadPool;
///
/// let pool = ThreadPool::new()?;
/// for n in 0..10 {
///     drop(pool.submit(move || n)?);
/// }
/// pool.wait()?;
/// let took = pool.snapshot().run_time();
/// assert_eq!(took.count(), 10);
/// assert!(took.p50() <= took.p90() && took.p90() <= took.p99() && took.p99() <= took.max());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quantiles {
    count: u64,
    p50: Duration,
    p90: Duration,
    p99: Duration,
    max: Duration,
}

impl Quantiles {
    /// How much was measured since the start.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The median.
    pub fn p50(&self) -> Duration {
        self.p50
    }

    /// The 90th percentile.
    pub fn p90(&self) -> Duration {
        self.p90
    }

    /// The 99th percentile.
    pub fn p99(&self) -> Duration {
        self.p99
    }

    /// The longest of all measurements since the start, exactly.
    pub fn max(&self) -> Duration {
        self.max
    }

    /// The quantiles over the recent samples of all of these, which may be written meanwhile.
    ///
    /// # Cost
    /// The reader copies and sorts every ring; the writers notice nothing but their lines being read.
    pub(crate) fn of<'a>(workers: impl IntoIterator<Item = &'a Samples>) -> Self {
        let mut recent = Vec::new();
        let mut all = Totals::default();
        for samples in workers {
            let Totals { count, max } = samples.copy_into(&mut recent);
            all = Totals { count: all.count.saturating_add(count), max: all.max.max(max) };
        }
        recent.sort_unstable();
        let [p50, p90, p99] = [50, 90, 99].map(|percent| nearest_rank(&recent, percent));
        let max = Duration::from_nanos(all.max);
        Self { count: all.count, p50, p90, p99, max }
    }

    /// The quantiles over everything that was counted.
    pub(crate) fn of_all(histogram: &Histogram) -> Self {
        let [p50, p90, p99] = [50, 90, 99].map(|percent| Duration::from_nanos(histogram.percentile(percent)));
        Self { count: histogram.count(), p50, p90, p99, max: Duration::from_nanos(histogram.max()) }
    }
}

/// The value at rank `ceil(percent / 100 * n)`, counted from 1; zero if there is none.
fn nearest_rank(sorted: &[u64], percent: usize) -> Duration {
    // In two parts, so that no length overflows.
    let (hundreds, rest) = (sorted.len() / 100, sorted.len() % 100);
    let rank = hundreds * percent + (rest * percent).div_ceil(100);
    Duration::from_nanos(rank.checked_sub(1).map_or(0, |index| sorted[index]))
}

impl fmt::Display for Quantiles {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { count, p50, p90, p99, max } = self;
        write!(formatter, "{count} measured, p50 {p50:?}, p90 {p90:?}, p99 {p99:?}, max {max:?}")
    }
}
