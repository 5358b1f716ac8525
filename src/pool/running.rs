//! Which task each worker runs, and since when: for the report of those that will not stop.
//!
//! Reading the clock costs a tenth of an empty task. So only tasks that are timed anyway, tasks that were given a context (those that
//! have names) and tasks that start in a closed pool are stamped at their start; another one is stamped when somebody looks
//! ([`Running::stamp`]), and its age is a lower bound.
//!
//! Each worker writes its own line and nobody waits for it; the one other writer stamps by compare-and-exchange what is
//! unstamped, which can only be a task that still runs or a later plain one. A reader looks at the start twice and reads again if it
//! changed in between, so that a name is never paired with another task's start.

use std::sync::Arc;
use std::time::Duration;

use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::time::{self, Instant};
use crate::sync::{Mutex, Padded, Slots};

/// Stands for "no task".
const NOTHING: u64 = 0;
/// Stands for a task whose start was not stamped.
const UNSTAMPED: u64 = 1;

#[derive(Debug, Default)]
pub(super) struct Line {
    /// Nanoseconds from `epoch` to the task's start, plus two.
    since: AtomicU64,
    name: Mutex<Option<Arc<str>>>,
}

impl Line {
    /// The worker begins a task. Tasks that it runs while it waits inside this one are part of it.
    #[inline]
    pub(super) fn begin(&self, since: Option<u64>, name: Option<&Arc<str>>) {
        if let Some(name) = name {
            *self.name.lock() = Some(Arc::clone(name));
        }
        self.since.store(since.unwrap_or(UNSTAMPED), Ordering::Release);
    }

    /// The worker has ended the task that it began last.
    #[inline]
    pub(super) fn end(&self, named: bool) {
        self.since.store(NOTHING, Ordering::Release);
        if named {
            *self.name.lock() = None;
        }
    }
}

#[derive(Debug)]
pub(super) struct Running {
    epoch: Instant,
    lines: Slots<Padded<Line>>,
}

/// One running task, as a reader saw it.
#[derive(Debug)]
pub(super) struct Sighting {
    pub(super) worker: usize,
    pub(super) name: Option<Arc<str>>,
    pub(super) elapsed: Duration,
    /// When it started; tells two tasks of one worker apart.
    pub(super) since: u64,
}

impl Running {
    pub(super) fn new() -> Self {
        Self { epoch: time::now(), lines: Slots::new(0) }
    }

    /// Makes lines for so many workers.
    pub(super) fn grow(&self, workers: usize) {
        self.lines.grow(workers);
    }

    fn clock(&self) -> Duration {
        time::now().saturating_duration_since(self.epoch)
    }

    /// Nanoseconds since the pool's start, plus two, so that there is room for what is no instant.
    #[inline]
    pub(super) fn now(&self) -> u64 {
        u64::try_from(self.clock().as_nanos()).map_or(u64::MAX, |nanos| nanos.saturating_add(2))
    }

    /// The line of a worker.
    pub(super) fn line(&self, worker: usize) -> &Line {
        self.lines.at(worker)
    }

    /// Stamps what runs unstamped.
    pub(super) fn stamp(&self) {
        let now = self.now();
        for line in self.lines.iter() {
            let _ = line.0.since.compare_exchange(UNSTAMPED, now, Ordering::AcqRel, Ordering::Relaxed);
        }
    }

    /// The tasks that run now, by worker.
    pub(super) fn sightings(&self) -> Vec<Sighting> {
        self.stamp();
        let now = self.clock();
        let mut seen = Vec::new();
        for (worker, line) in self.lines.iter().enumerate() {
            loop {
                let since = line.since.load(Ordering::Acquire);
                let name = line.name.lock().clone();
                if line.since.load(Ordering::Acquire) != since {
                    continue;
                }
                if since != NOTHING {
                    let elapsed = now.saturating_sub(Duration::from_nanos(since.saturating_sub(2)));
                    seen.push(Sighting { worker, name, elapsed, since });
                }
                break;
            }
        }
        seen
    }
}
