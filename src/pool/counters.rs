//! What became of the tasks, counted without a cache line that all threads write.
//!
//! Submissions are counted in lanes (a thread keeps to one), ends in the line of the worker that brought them about or,
//! where no worker did, in a lane. Reading sums them up.
//!
//! # Invariants
//! 1. A task is counted as submitted before anybody can end it, and as ended exactly once, by whoever decided its end.
//! 2. Both sums only grow, but for attempts that were refused: they are taken back, and never seen as ended.
//! 3. So when the ended sum is read first and the submitted sum, read after it, is the same, there was an instant
//!    between the two readings at which no task was pending.

use crate::sync::Padded;
use crate::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use crate::sync::thread;

/// Lanes for threads that are not workers. More submitting threads than this share lanes, and pay for it.
/// Few under a model checker, which tracks each atomic.
const LANES: usize = if cfg!(any(gristmill_shuttle, gristmill_loom)) { 2 } else { 16 };

/// How often the sums are read again before they are believed not to close, which would be a bug.
const REREADS: u32 = 10_000;

/// How a task ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Succeeded,
    Panicked,
    Cancelled,
    Returned,
}

const OUTCOMES: [Outcome; 4] = [Outcome::Succeeded, Outcome::Panicked, Outcome::Cancelled, Outcome::Returned];

#[derive(Debug, Default)]
struct Line {
    submitted: AtomicU64,
    ended: [AtomicU64; OUTCOMES.len()],
}

/// The counts of one pool.
#[derive(Debug)]
pub(super) struct Counters {
    workers: Box<[Padded<Line>]>,
    lanes: [Padded<Line>; LANES],
}

/// The sums of all lines, read one after the other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Totals {
    pub(super) submitted: u64,
    pub(super) succeeded: u64,
    pub(super) panicked: u64,
    pub(super) cancelled: u64,
    pub(super) returned: u64,
}

impl Totals {
    pub(super) fn ended(&self) -> u64 {
        self.succeeded + self.panicked + self.cancelled + self.returned
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
    pub(super) fn new(workers: usize) -> Self {
        Self {
            workers: (0..workers).map(|_| Padded(Line::default())).collect(),
            lanes: std::array::from_fn(|_| Padded(Line::default())),
        }
    }

    /// Counts an attempt to submit; `SeqCst`, because the submitter reads the pool's phase next, and whoever closes the
    /// pool writes the phase and then reads this: one of the two sees the other.
    #[inline]
    pub(super) fn submit(&self) -> usize {
        let lane = lane();
        self.lanes[lane].0.submitted.fetch_add(1, Ordering::SeqCst);
        lane
    }

    /// Takes an attempt back that was refused.
    pub(super) fn refuse(&self, lane: usize) {
        self.lanes[lane].0.submitted.fetch_sub(1, Ordering::SeqCst);
    }

    /// Counts the end of a task, by the given worker of this pool (which must be the calling thread) or by an outsider.
    #[inline]
    pub(super) fn end(&self, outcome: Outcome, worker: Option<usize>) {
        // Release pairs with the Acquire in `sum`: what the task wrote, and its submission, are visible with its end.
        match worker {
            Some(index) => {
                // Only this worker writes this line: no read-modify-write is needed.
                let count = &self.workers[index].0.ended[outcome as usize];
                count.store(count.load(Ordering::Relaxed) + 1, Ordering::Release);
            }
            None => {
                self.lanes[lane()].0.ended[outcome as usize].fetch_add(1, Ordering::Release);
            }
        }
    }

    fn lines(&self) -> impl Iterator<Item = &Line> {
        self.workers.iter().chain(&self.lanes).map(|line| &line.0)
    }

    fn sum_ended(&self, outcome: Outcome) -> u64 {
        self.lines().map(|line| line.ended[outcome as usize].load(Ordering::Acquire)).sum()
    }

    /// Ends first, submissions after (invariant 3).
    pub(super) fn totals(&self) -> Totals {
        let [succeeded, panicked, cancelled, returned] = OUTCOMES.map(|outcome| self.sum_ended(outcome));
        let submitted = self.lanes.iter().map(|lane| lane.0.submitted.load(Ordering::Acquire)).sum();
        Totals { submitted, succeeded, panicked, cancelled, returned }
    }

    /// The sums of a pool that is closed and quiet. A submission that is being refused at this moment is counted for some
    /// nanoseconds; the sums are read again until it is not.
    pub(super) fn closed(&self) -> Totals {
        for _ in 0..REREADS {
            let totals = self.totals();
            if totals.submitted == totals.ended() {
                return totals;
            }
            thread::yield_now();
        }
        self.totals()
    }

    /// Whether there was an instant during this call at which every accepted task had ended.
    pub(super) fn quiet(&self) -> bool {
        let totals = self.totals();
        totals.submitted == totals.ended()
    }
}
