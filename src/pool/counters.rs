//! What became of the tasks, counted without a cache line that all threads write.
//!
//! Submissions are counted under the lock of the queue, which their thread holds anyway; starts and ends in the line of the
//! worker that brought them about or, where no worker did, in a lane (a thread keeps to one). Reading sums them up.
//!
//! # Invariants
//! 1. A task is counted as submitted before anybody can start or end it, as started before it ends by running, and as ended
//!    exactly once, by whoever decided its end.
//! 2. All sums only grow.
//! 3. So when the ended sum is read first and the submitted sum, read after it, is the same, there was an instant
//!    between the two readings at which no task was pending.

use crate::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use crate::sync::{Padded, Slots};
use crate::trace::TaskEnd;

/// Lanes for threads that are not workers. More threads than this share lanes, and pay for it.
/// Few under a model checker, which tracks each atomic.
const LANES: usize = if cfg!(any(gristmill_shuttle, gristmill_loom)) { 2 } else { 16 };

/// How often a line is read again that changes meanwhile.
const REREADS: u32 = 8;

/// How a task ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Succeeded,
    Failed,
    Panicked,
    Cancelled,
    Returned,
}

impl From<Outcome> for TaskEnd {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Succeeded => Self::Ok,
            Outcome::Failed => Self::Failed,
            Outcome::Panicked => Self::Panicked,
            Outcome::Cancelled => Self::Cancelled,
            Outcome::Returned => Self::Returned,
        }
    }
}

const OUTCOMES: [Outcome; 5] =
    [Outcome::Succeeded, Outcome::Failed, Outcome::Panicked, Outcome::Cancelled, Outcome::Returned];

/// What one worker, or the threads of one lane, have counted.
#[derive(Debug, Default)]
pub(super) struct Line {
    started: AtomicU64,
    ended: [AtomicU64; OUTCOMES.len()],
}

impl Line {
    /// The ends and the starts. Read again while ends come in between, which would show as tasks that run; a line that never
    /// stands still is taken as it is after a few times.
    fn read(&self) -> ([u64; OUTCOMES.len()], u64) {
        let ends = || OUTCOMES.map(|outcome| self.ended[outcome as usize].load(Ordering::Acquire));
        let mut before = ends();
        for _ in 0..REREADS {
            let started = self.started.load(Ordering::Acquire);
            let after = ends();
            if after == before {
                return (before, started);
            }
            before = after;
        }
        (before, self.started.load(Ordering::Acquire))
    }
}

/// The counts of one pool.
#[derive(Debug)]
pub(super) struct Counters {
    submitted: Padded<AtomicU64>,
    workers: Slots<Padded<Line>>,
    lanes: [Padded<Line>; LANES],
}

/// The sums of all lines, read one after the other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Totals {
    pub(super) submitted: u64,
    pub(super) started: u64,
    pub(super) succeeded: u64,
    pub(super) failed: u64,
    pub(super) panicked: u64,
    pub(super) cancelled: u64,
    pub(super) returned: u64,
}

impl Totals {
    pub(super) fn ended(&self) -> u64 {
        self.succeeded + self.failed + self.panicked + self.cancelled + self.returned
    }

    /// How many have not started. By the order of reading (see [`Counters::totals`]) not below zero.
    pub(super) fn queued(&self) -> u64 {
        self.submitted - self.started - self.cancelled - self.returned
    }

    /// How many are running; as [`queued`](Self::queued).
    pub(super) fn running(&self) -> u64 {
        self.started - self.succeeded - self.failed - self.panicked
    }
}

crate::sync::process_static! {
    static NEXT_LANE: AtomicUsize = AtomicUsize::new(0);
}
crate::sync::thread_local! {
    static LANE: usize = NEXT_LANE.fetch_add(1, Ordering::Relaxed) % LANES;
}

/// The calling thread's lane. A thread whose locals are already gone shares the first one.
fn lane() -> usize {
    LANE.try_with(|lane| *lane).unwrap_or(0)
}

impl Counters {
    pub(super) fn new() -> Self {
        Self {
            submitted: Padded(AtomicU64::new(0)),
            workers: Slots::new(0),
            lanes: std::array::from_fn(|_| Padded(Line::default())),
        }
    }

    /// Makes lines for so many workers.
    pub(super) fn grow(&self, workers: usize) {
        self.workers.grow(workers);
    }

    /// Counts `tasks` accepted submissions, under the lock of the queue; the first one's number.
    #[inline]
    pub(super) fn submit(&self, tasks: u64) -> u64 {
        let number = self.submitted.load(Ordering::Relaxed);
        // Release pairs with the Acquire in `totals`: see `settle` in `gate`.
        self.submitted.store(number + tasks, Ordering::Release);
        number
    }

    /// How many tasks were accepted; a hint.
    #[inline]
    pub(super) fn submitted(&self) -> u64 {
        self.submitted.load(Ordering::Relaxed)
    }

    /// The line of a worker.
    pub(super) fn line(&self, worker: usize) -> &Line {
        self.workers.at(worker)
    }

    /// Counts the start of a task, as [`end`](Self::end) does its end.
    #[inline]
    pub(super) fn start(&self, line: Option<&Line>) {
        match line {
            Some(line) => raise(&line.started, 1),
            None => _ = self.lanes[lane()].started.fetch_add(1, Ordering::Release),
        }
    }

    /// Counts the end of a task, in the line of the calling worker, or for an outsider.
    #[inline]
    pub(super) fn end(&self, outcome: Outcome, line: Option<&Line>) {
        // Release pairs with the Acquire in `sum`: what the task wrote, and its submission, are visible with its end.
        match line {
            Some(line) => raise(&line.ended[outcome as usize], 1),
            None => _ = self.lanes[lane()].ended[outcome as usize].fetch_add(1, Ordering::Release),
        }
    }

    fn lines(&self) -> impl Iterator<Item = &Line> {
        self.workers.iter().chain(&self.lanes).map(|line| &line.0)
    }

    /// How many tasks a worker has started.
    pub(super) fn started(&self, worker: usize) -> u64 {
        self.workers.at(worker).started.load(Ordering::Relaxed)
    }

    /// Ends first, starts next, line by line, and submissions last (invariants 1 and 3): so no difference is below zero.
    pub(super) fn totals(&self) -> Totals {
        let mut sums = [0; OUTCOMES.len()];
        let mut started = 0;
        for line in self.lines() {
            let (ends, starts) = line.read();
            sums.iter_mut().zip(ends).for_each(|(sum, count)| *sum += count);
            started += starts;
        }
        let [succeeded, failed, panicked, cancelled, returned] = sums;
        let submitted = self.submitted.load(Ordering::Acquire);
        Totals { submitted, started, succeeded, failed, panicked, cancelled, returned }
    }

    /// Whether there was an instant during this call at which every accepted task had ended.
    pub(super) fn quiet(&self) -> bool {
        let totals = self.totals();
        totals.submitted == totals.ended()
    }
}

/// Only the calling worker writes its line: no read-modify-write is needed.
#[inline]
fn raise(count: &AtomicU64, by: u64) {
    count.store(count.load(Ordering::Relaxed) + by, Ordering::Release);
}
