//! What is measured of each worker: how long tasks waited and ran, and how long it had nothing to do.
//!
//! Reading the clock three times for each task, and keeping what it says, would cost as much as an empty one. So while tasks are short one in
//! [`EVERY`] is timed, and all of them otherwise. Idleness is measured at its ends, which come seldom while there is work.
//!
//! Each worker writes its own line, without read-modify-writes; readers take what is there.

use std::time::Duration;

use crate::observe::{Quantiles, Samples};
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::{Padded, Slots};

/// While tasks are short, one in so many is timed.
pub(super) const EVERY: u64 = 64;

/// How many of the latest times are kept for each worker. Few under a model checker, which tracks each atomic.
const KEPT: usize = if cfg!(any(gristmill_shuttle, gristmill_loom)) { 2 } else { 256 };

/// Instants are nanoseconds since the pool's start, as [`Running::now`](super::running::Running::now) gives them; 0 is none.
#[derive(Debug)]
struct Meter {
    wait: Samples,
    run: Samples,
    /// When the worker came.
    since: AtomicU64,
    /// Nanoseconds without work that are over.
    idle: AtomicU64,
    /// Since when it has none.
    idle_since: AtomicU64,
    is_there: AtomicU64,
}

impl Default for Meter {
    fn default() -> Self {
        let zero = || AtomicU64::new(0);
        let (wait, run) = (Samples::new(KEPT), Samples::new(KEPT));
        Self { wait, run, since: zero(), idle: zero(), idle_since: zero(), is_there: zero() }
    }
}

#[derive(Debug)]
pub(super) struct Meters {
    lines: Slots<Padded<Meter>>,
}

/// How a worker spent its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Spent {
    /// When it came: tells it from the one whose place it took.
    pub(super) since: u64,
    pub(super) there: Duration,
    pub(super) idle: Duration,
    /// For how long it has had nothing to do, if it has nothing.
    pub(super) idle_now: Option<Duration>,
}

impl Meters {
    pub(super) fn new() -> Self {
        Self { lines: Slots::new(0) }
    }

    /// Makes lines for so many workers.
    pub(super) fn grow(&self, workers: usize) {
        self.lines.grow(workers);
    }

    /// A worker has come, and rests until it is ready for work. Called by who hires it: its thread has not started.
    pub(super) fn came(&self, worker: usize, now: u64) {
        let line = self.lines.at(worker);
        line.since.store(now, Ordering::Relaxed);
        line.idle.store(0, Ordering::Relaxed);
        line.idle_since.store(now, Ordering::Relaxed);
        line.is_there.store(1, Ordering::Release);
    }

    /// A worker has gone.
    pub(super) fn gone(&self, worker: usize) {
        self.lines.at(worker).is_there.store(0, Ordering::Release);
    }

    /// The worker has nothing to do from now on.
    pub(super) fn rests(&self, worker: usize, now: u64) {
        self.lines.at(worker).idle_since.store(now, Ordering::Release);
    }

    /// The worker looks for work again.
    pub(super) fn rested(&self, worker: usize, now: u64) {
        let line = self.lines.at(worker);
        let since = line.idle_since.load(Ordering::Relaxed);
        let idle = line.idle.load(Ordering::Relaxed) + now.saturating_sub(since);
        // The sum first: a reader in between counts this rest twice, for some nanoseconds, and never forgets it.
        line.idle.store(idle, Ordering::Release);
        line.idle_since.store(0, Ordering::Release);
    }

    /// The worker was idle for so long, without having rested.
    pub(super) fn lingered(&self, worker: usize, nanoseconds: u64) {
        let line = self.lines.at(worker);
        line.idle.store(line.idle.load(Ordering::Relaxed) + nanoseconds, Ordering::Release);
    }

    /// A task waited for so long (if that was measured), and ran for so long.
    pub(super) fn record(&self, worker: usize, waited: Option<u64>, ran: u64) {
        let line = self.lines.at(worker);
        if let Some(waited) = waited {
            line.wait.record(waited);
        }
        line.run.record(ran);
    }

    pub(super) fn wait_times(&self) -> Quantiles {
        Quantiles::of(self.lines.iter().map(|line| &line.wait))
    }

    pub(super) fn run_times(&self) -> Quantiles {
        Quantiles::of(self.lines.iter().map(|line| &line.run))
    }

    /// How a worker has spent its time until `now`; `None` if it is not there.
    pub(super) fn spent(&self, worker: usize, now: u64) -> Option<Spent> {
        let line = self.lines.at(worker);
        if line.is_there.load(Ordering::Acquire) == 0 {
            return None;
        }
        let since = line.idle_since.load(Ordering::Acquire);
        let idle_now = (since > 0).then(|| Duration::from_nanos(now.saturating_sub(since)));
        let idle = Duration::from_nanos(line.idle.load(Ordering::Acquire)) + idle_now.unwrap_or_default();
        let came = line.since.load(Ordering::Relaxed);
        let there = Duration::from_nanos(now.saturating_sub(came));
        Some(Spent { since: came, there, idle: idle.min(there), idle_now })
    }

    /// For how long the workers that are there have been there, and idle, in all.
    pub(super) fn sums(&self, now: u64) -> (Duration, Duration) {
        let spent = (0..self.len()).filter_map(|worker| self.spent(worker, now));
        spent.fold(Default::default(), |(there, idle), spent| (there + spent.there, idle + spent.idle))
    }

    /// How many lines there are.
    pub(super) fn len(&self) -> usize {
        self.lines.len()
    }
}
