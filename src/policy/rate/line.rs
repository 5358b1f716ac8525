//! One schedule with those who wait for their turn at it: what is under the lock, for a limiter or for a key of one.

use super::error::RateLimited;
use super::gcra::{Gcra, Scale, Slot};
use super::queue::Queue;
use super::report::RateReport;
use super::setting::Rate;
use crate::cancel::Cancelled;
use crate::sync::thread::Thread;
use crate::sync::time::{Duration, Instant};

/// What stands for an instant that the clock cannot express.
const FAR: Duration = Duration::from_secs(30 * 365 * 24 * 3600);

#[derive(Debug)]
pub(super) struct Line {
    pub(super) gcra: Gcra,
    pub(super) queue: Queue,
}

/// One who waits: its place, what it wants, and until when.
#[derive(Clone, Copy)]
pub(super) struct Turn {
    pub(super) ticket: u64,
    pub(super) permits: u32,
    pub(super) limit: Option<Instant>,
}

/// What one who waits does after a look at its place.
pub(super) enum Look {
    /// Parks until then at the latest.
    Wait(Option<Instant>),
    Leave(End),
}

/// How a wait ends.
pub(super) enum End {
    Taken(Slot),
    Cancelled(Cancelled),
    TimedOut,
    Refused(RateLimited),
}

impl Line {
    pub(super) fn new(gcra: Gcra) -> Self {
        Self { gcra, queue: Queue::default() }
    }

    /// Takes permits if they are there and nobody waits.
    #[inline]
    pub(super) fn take_unless_queued(&mut self, scale: &Scale, permits: u32, now: Instant) -> Option<Slot> {
        if self.queue.is_empty() { self.gcra.take(scale, permits, now) } else { None }
    }

    /// The earliest instant for one who comes now, and how far it is.
    pub(super) fn earliest(&self, scale: &Scale, permits: u32, now: Instant) -> (Instant, Duration) {
        expressible(self.gcra.earliest(scale, self.queue.permits(), permits, now), now)
    }

    /// Whether one who waits has to leave, whatever its turn.
    pub(super) fn look_aside(scale: &Scale, turn: &Turn, cancelled: Option<Cancelled>) -> Option<End> {
        match cancelled {
            Some(cause) => Some(End::Cancelled(cause)),
            None => check_weight(scale.rate(), turn.permits).err().map(End::Refused),
        }
    }

    /// What one who waits has to do now.
    pub(super) fn look(&mut self, scale: &Scale, turn: &Turn, now: Instant) -> Look {
        let Turn { ticket, permits, limit } = *turn;
        let is_first = self.queue.is_first(ticket);
        let taken = if is_first { self.gcra.take(scale, permits, now) } else { None };
        if let Some(slot) = taken {
            return Look::Leave(End::Taken(slot));
        }
        if limit.is_some_and(|limit| limit <= now) {
            // If those before are due and only have not woken yet, the turn has come in time: the last of them unparks.
            let before = self.queue.permits_before(ticket);
            let in_time = self.gcra.earliest(scale, before, permits, now).is_some_and(|at| at <= now);
            return if in_time { Look::Wait(None) } else { Look::Leave(End::TimedOut) };
        }
        let due = if is_first { self.gcra.earliest(scale, 0, permits, now) } else { None };
        Look::Wait([due, limit].into_iter().flatten().min())
    }

    /// Takes a waiter out of the queue; the thread to unpark, if another one is the first now.
    pub(super) fn leave(&mut self, ticket: u64, now: Instant, report: &mut RateReport) -> Option<Thread> {
        let was_first = self.queue.is_first(ticket);
        let waited = self.queue.leave(ticket, now);
        report.wait_time = report.wait_time.saturating_add(waited);
        if was_first { self.queue.first() } else { None }
    }
}

impl End {
    /// Counts the end of a wait, and tells the caller; `earliest` is for one who would come now.
    pub(super) fn settle(
        self,
        permits: u32,
        report: &mut RateReport,
        earliest: impl FnOnce() -> (Instant, Duration),
    ) -> Result<Slot, RateLimited> {
        match self {
            Self::Taken(slot) => {
                report.acquired += u64::from(permits);
                Ok(slot)
            }
            Self::Refused(error) => Err(error),
            Self::Cancelled(cause) => {
                report.cancelled += 1;
                Err(RateLimited::Cancelled(cause))
            }
            Self::TimedOut => {
                report.timed_out += 1;
                let (not_before, wait) = earliest();
                Err(RateLimited::TimedOut { not_before, wait })
            }
        }
    }
}

pub(super) fn check_weight(rate: Rate, permits: u32) -> Result<(), RateLimited> {
    let burst = rate.burst();
    if permits > burst { Err(RateLimited::ExceedsBurst { permits, burst }) } else { Ok(()) }
}

/// The instant, or one far away if there is none, and how far it is from `now`.
pub(super) fn expressible(at: Option<Instant>, now: Instant) -> (Instant, Duration) {
    let at = at.or_else(|| now.checked_add(FAR)).unwrap_or(now);
    (at, at.saturating_duration_since(now))
}
