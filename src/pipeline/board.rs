//! What a run shows of itself while it goes on: what each worker is at, and what waits in front of each stage.
//!
//! Each worker writes a line of its own, and a queue's length is kept by whoever holds the queue's lock; readers take what is there.

use std::sync::{Arc, OnceLock};

use crate::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use crate::sync::time::{self, Duration, Instant};
use crate::sync::{Mutex, Padded};

use super::queues::Samples;
use super::timed::nanoseconds;

/// What a thread is at that is in no stage's code.
pub(super) const NOWHERE: usize = usize::MAX;

/// A part of the pipeline that works by itself: the source, a row of fused stages, or a stage at which such a row ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Station {
    /// Its first stage, whose number stands for all of them.
    pub(super) first: usize,
    /// One past the last.
    pub(super) end: usize,
    pub(super) kind: StationKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StationKind {
    Source,
    Row,
    /// A stage that runs one item at a time or each for itself, or the sink.
    Point,
}

/// The stations of a pipeline of so many stages, of which these are serial points; the last stage, the sink, is one in any case.
pub(super) fn stations(stages: usize, serial_points: &[usize]) -> Vec<Station> {
    let mut stations = vec![Station { first: 0, end: 1, kind: StationKind::Source }];
    let mut next = 1;
    for point in serial_points.iter().copied().chain(stages.checked_sub(1)).filter(|point| *point > 0) {
        if next < point {
            stations.push(Station { first: next, end: point, kind: StationKind::Row });
        }
        stations.push(Station { first: point, end: point + 1, kind: StationKind::Point });
        next = point + 1;
    }
    stations
}

/// What a thread is at.
#[derive(Debug)]
struct Line {
    /// The first stage of the station, or [`NOWHERE`].
    at: AtomicUsize,
    /// Since when, in nanoseconds since the run's start.
    since: AtomicU64,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Board {
    pub(super) started: Instant,
    pub(super) stations: Vec<Station>,
    queues: Vec<Arc<Padded<AtomicUsize>>>,
    lines: Vec<Padded<Line>>,
    /// The lengths of the queues over time. Workers only try the lock.
    pub(super) samples: Mutex<Samples>,
    /// Whether spans are recorded.
    pub(super) timeline: bool,
    /// The names of the stations.
    pub(super) row_names: Vec<Arc<str>>,
    live: Option<Live>,
}

/// What is counted only where somebody watches.
#[derive(Debug)]
struct Live {
    /// By thread and stage: the items that it has dealt with.
    items: Vec<Padded<Vec<AtomicU64>>>,
    finished: Padded<AtomicU64>,
    /// The length of the run in nanoseconds; 0 while it goes on.
    ended: AtomicU64,
}

/// What a board is for.
#[derive(Debug)]
pub(super) struct Layout<'a> {
    /// The names of the stages.
    pub(super) names: &'a [String],
    pub(super) serial_points: &'a [usize],
    /// The workers, and the threads of blocking stages.
    pub(super) threads: usize,
    pub(super) timeline: bool,
    pub(super) watched: bool,
}

impl Board {
    pub(super) fn new(layout: &Layout<'_>) -> Self {
        let Layout { names, serial_points, threads, timeline, watched } = *layout;
        let stages = names.len();
        let stations = stations(stages, serial_points);
        let row_name = |station: &Station| names[station.first..station.end].join(" + ").into();
        let counts = || Padded((0..stages).map(|_| AtomicU64::new(0)).collect());
        let counters = || Live {
            items: (0..threads).map(|_| counts()).collect(),
            finished: Padded::default(),
            ended: AtomicU64::new(0),
        };
        let line = || Padded(Line { at: AtomicUsize::new(NOWHERE), since: AtomicU64::new(0) });
        Self {
            started: time::now(),
            row_names: stations.iter().map(row_name).collect(),
            stations,
            queues: (0..stages).map(|_| Arc::default()).collect(),
            lines: (0..threads).map(|_| line()).collect(),
            samples: Mutex::new(Samples::new(stages)),
            timeline,
            live: watched.then(counters),
        }
    }

    pub(super) fn since_start(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.started)
    }

    /// The worker is at that station from now on.
    #[inline]
    pub(super) fn enter(&self, worker: usize, stage: usize, now: Instant) {
        let line = &self.lines[worker];
        line.since.store(nanoseconds(self.since_start(now)), Ordering::Relaxed);
        line.at.store(stage, Ordering::Relaxed);
    }

    #[inline]
    pub(super) fn leave(&self, worker: usize) {
        self.lines[worker].at.store(NOWHERE, Ordering::Relaxed);
    }

    /// The worker has dealt with so many items there.
    #[inline]
    pub(super) fn count(&self, worker: usize, stage: usize, items: usize) {
        if let Some(live) = &self.live {
            // Only this worker writes it: no read-modify-write is needed.
            let count = &live.items[worker][stage];
            count.store(count.load(Ordering::Relaxed) + items as u64, Ordering::Release);
        }
    }

    /// So many items have left.
    #[inline]
    pub(super) fn finish(&self, items: usize) {
        if let Some(live) = &self.live {
            live.finished.fetch_add(items as u64, Ordering::Release);
        }
    }

    /// The run is over.
    pub(super) fn end(&self, elapsed: Duration) {
        if let Some(live) = &self.live {
            live.ended.store(nanoseconds(elapsed).max(1), Ordering::Release);
        }
    }

    /// How long the run was, if it is over.
    pub(super) fn ended(&self) -> Option<Duration> {
        let ended = self.live.as_ref()?.ended.load(Ordering::Acquire);
        (ended > 0).then(|| Duration::from_nanos(ended))
    }

    pub(super) fn finished(&self) -> u64 {
        self.live.as_ref().map_or(0, |live| live.finished.load(Ordering::Acquire))
    }

    /// How many items have been dealt with at the station of that first stage.
    pub(super) fn dealt_with(&self, stage: usize) -> u64 {
        let counts = self.live.iter().flat_map(|live| &live.items);
        counts.map(|counts| counts[stage].load(Ordering::Acquire)).sum()
    }

    /// Where each worker is, and since when.
    pub(super) fn places(&self) -> impl Iterator<Item = (usize, Duration)> {
        self.lines.iter().map(|line| {
            (line.at.load(Ordering::Relaxed), Duration::from_nanos(line.since.load(Ordering::Relaxed)))
        })
    }

    pub(super) fn threads(&self) -> usize {
        self.lines.len()
    }

    pub(super) fn stages(&self) -> usize {
        self.queues.len()
    }

    /// How many items wait in front of a stage.
    pub(super) fn queued(&self, stage: usize) -> usize {
        self.queues[stage].load(Ordering::Relaxed)
    }

    /// The stations that have a worker, by the number of their first stage.
    pub(super) fn at_work(&self) -> impl Iterator<Item = usize> {
        self.lines.iter().map(|line| line.at.load(Ordering::Relaxed)).filter(|at| *at != NOWHERE)
    }
}

/// How many items wait in one place in front of a stage. Before the run has begun nothing is counted.
#[derive(Debug, Default)]
pub(super) struct Gauge(OnceLock<Arc<Padded<AtomicUsize>>>);

impl Gauge {
    /// The run begins: counts for that stage from now on.
    pub(super) fn begin(&self, board: &Board, stage: usize) {
        _ = self.0.set(Arc::clone(&board.queues[stage]));
    }

    pub(super) fn add(&self, items: usize) {
        if let Some(queue) = self.0.get() {
            queue.fetch_add(items, Ordering::Relaxed);
        }
    }

    /// Takes off what was added before.
    pub(super) fn sub(&self, items: usize) {
        if let Some(queue) = self.0.get() {
            queue.fetch_sub(items, Ordering::Relaxed);
        }
    }
}

#[cfg(all(test, not(any(gristmill_shuttle, gristmill_loom))))]
mod tests {
    use super::StationKind::{Point, Row, Source};
    use super::*;

    #[test]
    fn stations_cover_all_stages_in_order() {
        let named = |stages, points: &[usize]| -> Vec<_> {
            stations(stages, points)
                .iter()
                .map(|station| (station.first, station.end, station.kind))
                .collect()
        };
        assert_eq!(named(1, &[]), [(0, 1, Source)]);
        assert_eq!(named(2, &[]), [(0, 1, Source), (1, 2, Point)]);
        assert_eq!(named(4, &[]), [(0, 1, Source), (1, 3, Row), (3, 4, Point)]);
        let whole = named(6, &[1, 4]);
        assert_eq!(whole, [(0, 1, Source), (1, 2, Point), (2, 4, Row), (4, 5, Point), (5, 6, Point)]);
    }
}
