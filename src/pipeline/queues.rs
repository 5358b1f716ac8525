//! The lengths of a run's queues over time, in a buffer that halves its resolution when it is full.

use crate::sync::time::Duration;

/// The most samples that are kept.
const MOST: usize = 512;

/// Time between two samples at first. Short under a model checker, whose clock hardly moves.
const FIRST_PERIOD: Duration = if cfg!(any(gristmill_shuttle, gristmill_loom)) {
    Duration::from_micros(2)
} else {
    Duration::from_millis(1)
};

/// What waited where at one moment of a run, in a [`Report`](super::Report).
///
/// ```
/// use gristmill::{CancellationToken, Pipeline};
///
/// let report = Pipeline::from_iter(0..1000)
///     .window(16)
///     .map("double", |n| n * 2)
///     .for_each("drop", drop)
///     .run(&CancellationToken::new())?;
/// for sample in report.queue_samples() {
///     assert!(sample.in_flight() <= 16 && sample.at() <= report.elapsed());
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueSample {
    at: Duration,
    in_flight: usize,
    queued: Box<[usize]>,
}

impl QueueSample {
    /// When it was taken, since the start of the run.
    pub fn at(&self) -> Duration {
        self.at
    }

    /// How many items had been read from the source and had not left.
    pub fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// How many items waited in front of each stage, in the order of [`Report::stages`](super::Report::stages): chunks that were let through
    /// or given back, in front of parallel stages; results that waited for their turn, in front of a serial stage or the sink. Nothing
    /// waits in front of the source, nor within a row of parallel stages.
    pub fn queued(&self) -> &[usize] {
        &self.queued
    }
}

/// The samples of a run.
#[derive(Debug)]
pub(super) struct Samples {
    stages: usize,
    kept: Vec<QueueSample>,
    period: Duration,
    next: Duration,
}

impl Samples {
    pub(super) fn new(stages: usize) -> Self {
        Self { stages, kept: Vec::new(), period: FIRST_PERIOD, next: Duration::ZERO }
    }

    /// Takes a sample if one is due; gives when the next one is.
    pub(super) fn take(
        &mut self,
        at: Duration,
        in_flight: usize,
        queued: impl Fn(usize) -> usize,
    ) -> Duration {
        if at < self.next {
            return self.next;
        }
        if self.kept.len() == MOST {
            let mut number = 0;
            self.kept.retain(|_| {
                number += 1;
                number % 2 == 1
            });
            self.period = self.period.saturating_mul(2);
        }
        self.kept.push(QueueSample { at, in_flight, queued: (0..self.stages).map(queued).collect() });
        self.next = at.saturating_add(self.period);
        self.next
    }

    pub(super) fn into_samples(self) -> Vec<QueueSample> {
        self.kept
    }
}

#[cfg(all(test, not(any(gristmill_shuttle, gristmill_loom))))]
mod tests {
    use super::*;

    #[test]
    fn first_look_is_a_sample_and_the_next_one_comes_after_the_period() {
        let mut samples = Samples::new(2);
        let next = samples.take(Duration::ZERO, 3, |stage| stage * 10);
        assert_eq!(next, FIRST_PERIOD);
        assert_eq!(samples.take(FIRST_PERIOD / 2, 9, |_| 9), FIRST_PERIOD);
        samples.take(FIRST_PERIOD * 3, 4, |stage| stage);
        let samples = samples.into_samples();
        let seen: Vec<_> =
            samples.iter().map(|one| (one.at(), one.in_flight(), one.queued().to_vec())).collect();
        assert_eq!(seen, [(Duration::ZERO, 3, vec![0, 10]), (FIRST_PERIOD * 3, 4, vec![0, 1])]);
    }

    #[test]
    fn run_of_any_length_fits_and_its_samples_are_spread_evenly() {
        for looks in [1, 511, 512, 513, 100_000] {
            let mut samples = Samples::new(1);
            for look in 0..looks {
                samples.take(FIRST_PERIOD * look, usize::try_from(look).unwrap(), |_| 0);
            }
            let samples = samples.into_samples();
            assert!(
                samples.len() <= MOST && samples.len() >= MOST.min(looks as usize) / 2,
                "{}",
                samples.len()
            );
            assert_eq!(samples[0].at(), Duration::ZERO);
            let gaps: Vec<_> =
                samples.windows(2).map(|pair| pair[1].at().saturating_sub(pair[0].at())).collect();
            let (shortest, longest) = (gaps.iter().min(), gaps.iter().max());
            assert!(longest <= shortest.map(|gap| *gap * 2).as_ref(), "{shortest:?} to {longest:?}");
        }
    }

    #[test]
    fn clock_that_stands_at_its_end_is_no_overflow() {
        let mut samples = Samples::new(1);
        assert_eq!(samples.take(Duration::MAX, 1, |_| 1), Duration::MAX);
        assert_eq!(samples.take(Duration::MAX, 1, |_| 1), Duration::MAX);
    }
}
