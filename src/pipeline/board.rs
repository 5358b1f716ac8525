//! What a run shows of itself while it goes on: what each worker is at, and what waits in front of each stage.
//!
//! Each worker writes a line of its own, and a queue's length is kept by whoever holds the queue's lock; readers take what is there.
//!
//! Since when a worker has been in its present call is known exactly where it read the clock before it, which it does for heavy calls. Before
//! the others it only notes that it has moved: who looks takes that note away, and knows at the next look whether the call is still the same.
//!
//! Lock order: `looks` is a leaf, and no worker takes it.

use std::sync::{Arc, OnceLock};

use crate::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use crate::sync::time::{self, Duration, Instant};
use crate::sync::{Mutex, Padded};

use super::queues::Samples;
use super::staff::Staff;
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
    /// Since when it has been there, or in a later call; in nanoseconds since the run's start.
    since: AtomicU64,
    /// It has gone on to another call since somebody looked.
    moved: AtomicBool,
}

/// Notes that a thread goes on to another call at the same place. Fetched before a loop over light calls, which would feel the way to the line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Steps<'a> {
    line: &'a Line,
    started: Instant,
}

impl Steps<'_> {
    /// Another call begins, for which the clock was read.
    #[inline]
    pub(super) fn timed(&self, now: Instant) {
        let since = nanoseconds(now.saturating_duration_since(self.started));
        self.line.since.store(since, Ordering::Relaxed);
    }

    /// Another call begins, for which it was not: one of [`STRIDE`] is noted, by a number that goes up or down with each. (Measured: noting all of
    /// them costs 2 ns for each item, which is a fifth of a light one.)
    #[inline]
    pub(super) fn plain(&self, number: usize) {
        if number % STRIDE == 0 {
            self.line.moved.store(true, Ordering::Relaxed);
        }
    }

    /// Another call begins; `timed`, if the clock was read for it, and otherwise the number of calls until the next one of that kind.
    #[inline]
    pub(super) fn call(&self, timed: Option<Instant>, left: usize) {
        match timed {
            Some(now) => self.timed(now),
            None => self.plain(left),
        }
    }
}

/// Calls between two notes, where the clock is not read.
const STRIDE: usize = 8;

/// What is known of a thread from earlier looks, in nanoseconds since the run's start.
#[derive(Clone, Copy, Debug, Default)]
struct Look {
    last: u64,
    /// The look before the one that found that it had moved: its present call is not older.
    bound: u64,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Board {
    pub(super) started: Instant,
    pub(super) stations: Vec<Station>,
    queues: Vec<Arc<Padded<AtomicUsize>>>,
    lines: Vec<Padded<Line>>,
    looks: Mutex<Vec<Look>>,
    pub(super) staff: Staff,
    /// How many items the source will give, and one; 0 if it does not know.
    expected: AtomicU64,
    /// The caller pulls the results.
    is_pulled: AtomicBool,
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
    pub(super) timeline: bool,
    pub(super) watched: bool,
}

impl Board {
    pub(super) fn new(layout: &Layout<'_>, staff: Staff) -> Self {
        let Layout { names, serial_points, timeline, watched } = *layout;
        let threads = staff.threads();
        let stages = names.len();
        let stations = stations(stages, serial_points);
        let row_name = |station: &Station| names[station.first..station.end].join(" + ").into();
        let counts = || Padded((0..stages).map(|_| AtomicU64::new(0)).collect());
        let counters = || Live {
            items: (0..threads).map(|_| counts()).collect(),
            finished: Padded::default(),
            ended: AtomicU64::new(0),
        };
        let line = || {
            let (at, since) = (AtomicUsize::new(NOWHERE), AtomicU64::new(0));
            Padded(Line { at, since, moved: AtomicBool::new(false) })
        };
        Self {
            started: time::now(),
            row_names: stations.iter().map(row_name).collect(),
            stations,
            queues: (0..stages).map(|_| Arc::default()).collect(),
            lines: (0..threads).map(|_| line()).collect(),
            looks: Mutex::new(vec![Look::default(); threads]),
            staff,
            expected: AtomicU64::new(0),
            is_pulled: AtomicBool::new(false),
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
        self.steps(worker).timed(now);
        // Release: who sees the place sees since when, and not the time of an earlier one.
        self.lines[worker].at.store(stage, Ordering::Release);
    }

    /// Where the worker notes that it goes on to another call.
    #[inline]
    pub(super) fn steps(&self, worker: usize) -> Steps<'_> {
        Steps { line: &self.lines[worker], started: self.started }
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

    /// Where each worker is, and since when it has been in its present call, as far as is known.
    pub(super) fn places(&self) -> Vec<(usize, Duration)> {
        let mut looks = self.looks.lock();
        let now = nanoseconds(self.since_start(time::now()));
        let look = |(line, look): (&Padded<Line>, &mut Look)| {
            let at = line.at.load(Ordering::Acquire);
            let since = line.since.load(Ordering::Relaxed);
            if line.moved.swap(false, Ordering::Relaxed) {
                look.bound = look.last;
            }
            look.last = now;
            (at, Duration::from_nanos(since.max(look.bound)))
        };
        self.lines.iter().zip(looks.iter_mut()).map(look).collect()
    }

    /// The caller pulls the results as that worker: from here on the others fill the window, and then wait for him.
    pub(super) fn begin_pulling(&self, worker: usize, sink: usize) {
        self.is_pulled.store(true, Ordering::Relaxed);
        self.enter(worker, sink, time::now());
    }

    /// Whether the caller pulls the results.
    pub(super) fn is_pulled(&self) -> bool {
        self.is_pulled.load(Ordering::Relaxed)
    }

    /// The source will give so many items.
    pub(super) fn expect(&self, items: usize) {
        self.expected.store((items as u64).saturating_add(1), Ordering::Relaxed);
    }

    /// How many items the source will give, if it knows.
    pub(super) fn expected(&self) -> Option<u64> {
        self.expected.load(Ordering::Relaxed).checked_sub(1)
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

    fn board(threads: usize) -> Board {
        let names = ["source", "sink"].map(str::to_owned);
        let layout = Layout { names: &names, serial_points: &[], timeline: false, watched: true };
        Board::new(&layout, Staff::new(threads, &[]))
    }

    fn since(board: &Board) -> Duration {
        board.places()[0].1
    }

    #[test]
    fn call_that_was_entered_with_the_clock_read_began_then_however_late_somebody_looks() {
        let board = board(1);
        let start = board.started + Duration::from_micros(3);
        board.enter(0, 1, start);
        assert_eq!(board.places(), [(1, Duration::from_micros(3))]);
        board.leave(0);
        assert_eq!(board.places()[0].0, NOWHERE);
        board.enter(0, 1, start);
        board.steps(0).plain(0); // the first of several; nobody has looked in between
        assert!(since(&board) >= Duration::from_micros(3));
    }

    #[test]
    fn call_without_the_clock_is_not_older_than_the_look_before_it_was_seen() {
        let board = board(1);
        board.enter(0, 1, board.started);
        board.steps(0).plain(0);
        assert_eq!(since(&board), Duration::ZERO, "as far as is known");
        let first_look = board.looks.lock()[0].last;
        while board.since_start(time::now()) <= Duration::from_nanos(first_look) {}
        assert_eq!(since(&board), Duration::ZERO, "the same call");
        let second_look = board.looks.lock()[0].last;
        assert!(second_look > first_look);
        board.steps(0).plain(0);
        for _ in 0..3 {
            assert_eq!(since(&board), Duration::from_nanos(second_look), "another one, which is not older");
        }
        let timed = board.started + Duration::from_secs(60);
        board.steps(0).timed(timed);
        assert_eq!(since(&board), Duration::from_secs(60), "and one that is known exactly");
    }
}
