//! How long single calls of a stage take: one every 50 microseconds is timed while they are short, and every one otherwise.
//!
//! Timing each of them would cost more than a light stage does, and the average of a chunk would hide the slow ones. By time and not by
//! number, so that the cost is bounded whatever the items cost.

use crate::observe::{Histogram, Quantiles};
use crate::sync::time::{self, Duration, Instant};

/// Time between two calls that are timed, of each worker or of each stage that runs one item at a time.
pub(super) const EVERY: Duration = Duration::from_micros(50);

pub(super) fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// The timed calls of one stage.
#[derive(Clone, Debug, Default)]
pub(super) struct Calls {
    times: Histogram,
    total: Duration,
    /// Of the item that is being worked on, where its time comes in parts.
    open: Duration,
}

impl Calls {
    /// One item took so long.
    pub(super) fn record(&mut self, took: Duration) {
        self.times.record(nanoseconds(took), 1);
        self.total = self.total.saturating_add(took);
    }

    /// An item begins whose time comes in parts.
    pub(super) fn open(&mut self) {
        self.open = Duration::ZERO;
    }

    /// A part of its time.
    pub(super) fn part(&mut self, took: Duration) {
        self.open = self.open.saturating_add(took);
    }

    /// The item is through.
    pub(super) fn close(&mut self) {
        self.record(self.open);
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.times.add(&other.times);
        self.total = self.total.saturating_add(other.total);
    }

    pub(super) fn total(&self) -> Duration {
        self.total
    }

    pub(super) fn quantiles(&self) -> Quantiles {
        Quantiles::of_all(&self.times)
    }
}

/// The calls of a stage that runs one item at a time, and when the next one is to be timed.
#[derive(Debug, Default)]
pub(super) struct Pulse {
    pub(super) calls: Calls,
    due: Option<Instant>,
}

impl Pulse {
    /// The start of a call that is to be timed, if it is; `now` is a recent reading of the clock.
    #[inline]
    pub(super) fn start(&self, now: Instant) -> Option<Instant> {
        if self.due.is_none_or(|due| now >= due) { Some(time::now()) } else { None }
    }

    /// A call that began at `start` has dealt with `items` items, each of which is taken to have taken its share. The start of the next
    /// call, if that is to be timed too.
    pub(super) fn end(&mut self, start: Instant, items: usize) -> Option<Instant> {
        let now = time::now();
        let took = now.saturating_duration_since(start);
        if let Some(items) = u32::try_from(items).ok().filter(|items| *items > 0) {
            self.calls.record(took / items);
        }
        let due = start + EVERY;
        self.due = Some(due);
        (now >= due).then_some(now)
    }
}
