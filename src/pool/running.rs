//! Which task each worker runs, and since when; and which tasks their submitters run: for snapshots, for whoever is told of slow tasks, and for
//! the report of those that will not stop.
//!
//! Reading the clock costs a tenth of an empty task. So only tasks that are timed anyway, tasks that were given a context (those that
//! have names) and tasks that start in a closed pool are stamped at their start; another one is stamped when somebody looks
//! ([`Running::stamp`]), and its age is a lower bound.
//!
//! Each worker writes its own line and nobody waits for it; the one other writer stamps by compare-and-exchange what is
//! unstamped, which can only be a task that still runs or a later plain one. A reader looks at the start twice and reads again if it
//! changed in between, so that a name is never paired with another task's start. A task that begins unstamped after the look at its
//! worker has begun is stamped by the reader then: read as it is, it would seem as old as the pool.
//!
//! What a submitter runs stands in a list under a lock: that is no way for many tasks.
//!
//! Lock order: `name` and `callers` are leaves.

use std::collections::BTreeMap;
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

    /// The worker goes on to the next of the tasks that the entry which it began last stands for.
    #[inline]
    pub(super) fn next(&self) {
        self.since.store(UNSTAMPED, Ordering::Release);
    }

    /// The start of what runs, stamped now if it was not; [`NOTHING`] if nothing runs.
    fn stamped(&self, now: impl FnOnce() -> u64) -> u64 {
        let since = self.since.load(Ordering::Acquire);
        if since != UNSTAMPED {
            return since;
        }
        let now = now();
        match self.since.compare_exchange(UNSTAMPED, now, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => now,
            Err(since) => since,
        }
    }
}

#[derive(Debug)]
pub(super) struct Running {
    epoch: Instant,
    lines: Slots<Padded<Line>>,
    callers: Mutex<Callers>,
}

/// What runs on threads that are no workers.
#[derive(Debug, Default)]
struct Callers {
    /// By start.
    tasks: BTreeMap<u64, Option<Arc<str>>>,
    last: u64,
}

/// For as long as it lives, the thread that submitted a task runs it.
pub(super) struct CallerRun<'a> {
    running: &'a Running,
    since: u64,
}

impl Drop for CallerRun<'_> {
    fn drop(&mut self) {
        self.running.callers.lock().tasks.remove(&self.since);
    }
}

/// One running task, as a reader saw it.
#[derive(Debug)]
pub(super) struct Sighting {
    /// `None` if its submitter runs it.
    pub(super) worker: Option<usize>,
    pub(super) name: Option<Arc<str>>,
    pub(super) elapsed: Duration,
    /// When it started; tells two tasks of one worker, or of no worker, apart.
    pub(super) since: u64,
}

impl Running {
    pub(super) fn new() -> Self {
        Self { epoch: time::now(), lines: Slots::new(0), callers: Mutex::new(Callers::default()) }
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

    /// The instant that [`now`](Self::now) gave as a number.
    pub(super) fn instant(&self, since: u64) -> Instant {
        self.epoch.checked_add(Duration::from_nanos(since.saturating_sub(2))).unwrap_or(self.epoch)
    }

    /// The line of a worker.
    pub(super) fn line(&self, worker: usize) -> &Line {
        self.lines.at(worker)
    }

    /// A submitter begins a task.
    pub(super) fn call(&self, name: Option<&Arc<str>>) -> CallerRun<'_> {
        let mut callers = self.callers.lock();
        // No two alike, whatever the clock's grain.
        let since = self.now().max(callers.last + 1);
        callers.last = since;
        callers.tasks.insert(since, name.cloned());
        CallerRun { running: self, since }
    }

    /// Stamps what runs unstamped.
    pub(super) fn stamp(&self) {
        let now = self.now();
        for line in self.lines.iter() {
            line.0.stamped(|| now);
        }
    }

    /// The tasks that run now: those of workers, by worker, and then those of submitters, the oldest first.
    pub(super) fn sightings(&self) -> Vec<Sighting> {
        let mut seen = Vec::new();
        for (worker, line) in self.lines.iter().enumerate() {
            loop {
                let since = line.stamped(|| self.now());
                let name = line.name.lock().clone();
                if line.since.load(Ordering::Acquire) != since {
                    continue;
                }
                if since != NOTHING {
                    seen.push(self.sighting(Some(worker), name, since));
                }
                break;
            }
        }
        let callers = self.callers.lock();
        seen.extend(callers.tasks.iter().map(|(since, name)| self.sighting(None, name.clone(), *since)));
        seen
    }

    fn sighting(&self, worker: Option<usize>, name: Option<Arc<str>>, since: u64) -> Sighting {
        Sighting { worker, name, elapsed: Duration::from_nanos(self.now().saturating_sub(since)), since }
    }
}
