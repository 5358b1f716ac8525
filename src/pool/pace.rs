//! How often a worker comes to the queue while tasks are short.
//!
//! With tasks of some tens of nanoseconds workers are faster than any submitter. A worker that comes back at once then finds
//! a task or two, and each visit takes the queue's cache line away from the submitter, which costs it more than making the
//! task. So a worker that sees several tasks, but less than a batch, and whose tasks are short, waits for a few microseconds
//! before it comes again, without touching anything shared. It counts as searching meanwhile, so nobody pays for waking another.
//!
//! One task at a time (submit, wait, submit) shows as visits that see a single task: then nobody lingers.

use std::time::Duration;

use super::queue::BATCH;
use crate::sync::hint;
use crate::sync::time::{self, Instant};

/// Tasks that take longer than this on average are not worth waiting for.
const SHORT: Duration = Duration::from_micros(1);
/// From here on it does not matter what reading the clock for each of them costs.
const LONG: Duration = Duration::from_micros(20);
const FIRST: Duration = Duration::from_nanos(500);
const LONGEST: Duration = Duration::from_micros(10);

#[derive(Debug)]
pub(crate) struct Pace {
    linger: Duration,
    /// The last visit that found something, and how many tasks have been run since.
    since: Instant,
    ran: u32,
    /// The last visit found one task, and tasks are short: the next one comes as soon as somebody has seen its result.
    pub(super) one_at_a_time: bool,
    /// How long tasks are at the moment.
    pub(super) length: Length,
}

/// How long tasks are, on average.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Length {
    Short = 0,
    Medium = 1,
    /// Also before anything is known.
    Long = 2,
}

impl Pace {
    pub(crate) fn new() -> Self {
        Self {
            linger: Duration::ZERO,
            since: time::now(),
            ran: 0,
            one_at_a_time: false,
            length: Length::Long,
        }
    }

    /// One more task was run.
    #[inline]
    pub(crate) fn ran(&mut self) {
        self.ran += 1;
    }

    #[inline]
    pub(crate) fn lingers(&self) -> bool {
        !self.linger.is_zero()
    }

    /// Waits before the next visit; for how long.
    pub(crate) fn linger(&mut self) -> Duration {
        self.measure(time::now());
        let until = self.since + self.linger;
        while time::now() < until {
            hint::spin_loop();
        }
        self.since = until;
        self.linger
    }

    /// The worker came to the queue, and `seen` tasks lay there.
    pub(crate) fn visited(&mut self, seen: usize) {
        if cfg!(any(gristmill_shuttle, gristmill_loom)) {
            return; // waiting adds nothing but schedules that differ in nothing
        }
        if self.ran > 0 {
            self.measure(time::now());
        }
        self.one_at_a_time = seen <= 1 && self.length == Length::Short;
        self.linger = match seen {
            0 | 1 => Duration::ZERO,
            _ if self.length != Length::Short => Duration::ZERO,
            seen if seen < BATCH => (self.linger * 2).clamp(FIRST, LONGEST),
            seen if seen > 4 * BATCH => self.linger / 2,
            _ => self.linger,
        };
    }

    /// The worker had nothing to do for a while.
    pub(crate) fn rested(&mut self) {
        self.ran = 0;
        self.since = time::now();
    }

    fn measure(&mut self, now: Instant) {
        let tasks = self.ran.max(1);
        let took = now.saturating_duration_since(self.since);
        self.length = match took {
            took if took < SHORT * tasks => Length::Short,
            took if took < LONG * tasks => Length::Medium,
            _ => Length::Long,
        };
        self.since = now;
        self.ran = 0;
    }
}
