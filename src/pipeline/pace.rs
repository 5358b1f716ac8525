//! How many items travel as one: as many as take a chunk's worth of time, measured.
//!
//! The estimate is a decaying peak, so that one heavy item among thousands of light ones makes chunks small at once and lets them
//! grow again over some fifty chunks.

use crate::sync::Padded;
use crate::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use crate::sync::time::Duration;

/// The time aimed at per chunk, in nanoseconds. (Measured: 20 us cost 2 % more at 1 000-round items; at 100 us a lone heavy item
/// holds its neighbours for longer.)
const TARGET: u64 = 50_000;

/// Nanoseconds from which an item is heavy.
const HEAVY: u64 = 2_000;

/// The size of a segment's chunks.
#[derive(Debug)]
pub(super) struct Pace {
    chunk: Padded<AtomicUsize>,
    item_nanos: AtomicU64,
}

/// What remains to be done with a chunk that takes longer than it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Overdue {
    No,
    /// Longer than one chunk should take: worth splitting if a worker is idle.
    IfAsked,
    /// So long that it is given back in any case.
    Yes,
}

impl Pace {
    pub(super) fn new() -> Self {
        Self { chunk: Padded(AtomicUsize::new(1)), item_nanos: AtomicU64::new(0) }
    }

    #[inline]
    pub(super) fn chunk(&self) -> usize {
        self.chunk.load(Ordering::Relaxed)
    }

    /// What an item takes, in nanoseconds.
    #[inline]
    pub(super) fn item_nanoseconds(&self) -> u64 {
        self.item_nanos.load(Ordering::Relaxed)
    }

    /// Whether what is left of some items is worth waking somebody who waits in the source, rather than one who sleeps: he is lost to it for a while, and light items
    /// are back before he comes. (Measured, on two cores: calling him for items of ten nanoseconds made a run with a serial stage behind a channel a third
    /// slower.) One who has seen none yet takes them to be.
    #[inline]
    pub(super) fn is_heavy(&self) -> bool {
        !(1..HEAVY).contains(&self.item_nanoseconds())
    }

    /// How many items to run between two looks at the clock: a quarter of a chunk's time.
    #[inline]
    pub(super) fn block(&self) -> usize {
        let nanos = self.item_nanos.load(Ordering::Relaxed).max(1);
        usize::try_from(TARGET / 4 / nanos).unwrap_or(usize::MAX).max(1)
    }

    pub(super) fn overdue(spent: Duration) -> Overdue {
        let nanos = nanos(spent);
        if nanos > 4 * TARGET {
            Overdue::Yes
        } else if nanos > TARGET {
            Overdue::IfAsked
        } else {
            Overdue::No
        }
    }

    /// Learns from `items` items that took `spent`, the longest block of them `worst`; gives the new size, at most `largest`.
    pub(super) fn learn(&self, items: usize, spent: Duration, worst: Duration, largest: usize) -> usize {
        let old = self.item_nanos.load(Ordering::Relaxed);
        let mut nanos_each = nanos(spent) / items.max(1) as u64;
        if nanos(worst) > 2 * TARGET {
            nanos_each = nanos(worst); // one item may have taken all of it
        }
        let nanos_each = nanos_each.max(old - old / 8).max(1);
        if nanos_each != old {
            self.item_nanos.store(nanos_each, Ordering::Relaxed);
        }
        let current = self.chunk();
        let fits = usize::try_from(TARGET / nanos_each).unwrap_or(usize::MAX);
        let next = fits.min(current.saturating_mul(2)).min(largest).max(1);
        if next != current {
            self.chunk.store(next, Ordering::Relaxed);
        }
        next
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
