//! Which task each worker runs, and since when: for the report of those that will not stop.
//!
//! Each worker writes its own line and nobody waits for it. A reader looks at the start twice and reads again if it
//! changed in between, so that a name is never paired with another task's start.

use std::sync::Arc;
use std::time::Duration;

use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::time::{self, Instant};
use crate::sync::{Mutex, Padded};

/// Stands for "no task".
const NOTHING: u64 = 0;

#[derive(Debug, Default)]
struct Line {
    /// Nanoseconds from `epoch` to the task's start, plus one.
    since: AtomicU64,
    name: Mutex<Option<Arc<str>>>,
}

#[derive(Debug)]
pub(super) struct Running {
    epoch: Instant,
    lines: Box<[Padded<Line>]>,
}

/// One running task, as a reader saw it.
#[derive(Debug)]
pub(super) struct Sighting {
    pub(super) worker: usize,
    pub(super) name: Option<Arc<str>>,
    pub(super) elapsed: Duration,
}

impl Running {
    pub(super) fn new(workers: usize) -> Self {
        Self { epoch: time::now(), lines: (0..workers).map(|_| Padded(Line::default())).collect() }
    }

    fn clock(&self) -> Duration {
        time::now().saturating_duration_since(self.epoch)
    }

    /// The worker begins a task. Tasks that it runs while it waits inside this one are part of it.
    #[inline]
    pub(super) fn begin(&self, worker: usize, name: Option<&Arc<str>>) {
        let line = &self.lines[worker].0;
        if let Some(name) = name {
            *line.name.lock() = Some(Arc::clone(name));
        }
        let nanos = u64::try_from(self.clock().as_nanos()).unwrap_or(u64::MAX - 1);
        line.since.store(nanos + 1, Ordering::Release);
    }

    /// The worker has ended the task that it began last.
    #[inline]
    pub(super) fn end(&self, worker: usize, named: bool) {
        let line = &self.lines[worker].0;
        line.since.store(NOTHING, Ordering::Release);
        if named {
            *line.name.lock() = None;
        }
    }

    /// The tasks that run now, by worker.
    pub(super) fn sightings(&self) -> Vec<Sighting> {
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
                    let elapsed = now.saturating_sub(Duration::from_nanos(since - 1));
                    seen.push(Sighting { worker, name, elapsed });
                }
                break;
            }
        }
        seen
    }
}
