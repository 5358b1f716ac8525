//! What the fast paths work on: the permits that are there, and why a fast path must not take any, in one word.

use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::const_where_it_ships;

/// Somebody queues: only what holds the queue's lock takes permits.
const QUEUED: u64 = 1;
/// No permit is given any more.
const CLOSED: u64 = 2;
const FLAGS: u64 = QUEUED | CLOSED;
const SHIFT: u32 = 2;
/// Stands for zero permits: after the capacity was lowered below what is held there are fewer.
const ZERO: u64 = 1 << 60;

/// The most permits there can be. Of 64 bits on every machine, so that 32-bit ones may count bytes.
pub(super) const MOST: u64 = ZERO - 1;

#[derive(Debug)]
pub(super) struct Word(AtomicU64);

/// What the word said at one moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reading(u64);

impl Word {
    const_where_it_ships! {
        pub(super) fn new(permits: u64) -> Self {
            Self(AtomicU64::new((ZERO + permits) << SHIFT))
        }
    }

    /// Takes permits if they are there, nobody queues and nothing is closed.
    #[inline]
    pub(super) fn take(&self, permits: u64) -> bool {
        let mut word = self.0.load(Ordering::Relaxed);
        loop {
            if word & FLAGS != 0 || word >> SHIFT < ZERO.saturating_add(permits) {
                return false;
            }
            // Acquire pairs with the Release in `give`: what was done under these permits before is visible.
            let taken = word - (permits << SHIFT);
            match self.0.compare_exchange_weak(word, taken, Ordering::Acquire, Ordering::Relaxed) {
                Ok(_) => return true,
                Err(now) => word = now,
            }
        }
    }

    /// Gives permits back; true if somebody queues, who may be due now.
    #[inline]
    #[must_use]
    pub(super) fn give(&self, permits: u64) -> bool {
        // Release pairs with the Acquire in `take` and `take_queued`; so it does in `adjust`.
        self.0.fetch_add(permits << SHIFT, Ordering::Release) & QUEUED != 0
    }

    /// Takes permits if they are there, else shuts the fast paths for the caller, who then queues; true if it took. Under the lock
    /// of a queue that is empty.
    pub(super) fn take_or_shut(&self, permits: u64) -> bool {
        let mut word = self.0.load(Ordering::Relaxed);
        loop {
            let fits = Reading(word).available() >= permits;
            // One change of the word, so whoever gives afterwards sees the mark, and whoever gave before was seen here.
            let changed = if fits { word - (permits << SHIFT) } else { word | QUEUED };
            match self.0.compare_exchange_weak(word, changed, Ordering::Acquire, Ordering::Relaxed) {
                Ok(_) => return fits,
                Err(now) => word = now,
            }
        }
    }

    /// Takes permits for the first in the queue; for the last that queues, the same step opens the fast paths. Under the queue's
    /// lock, with the fast paths shut: nobody else takes.
    pub(super) fn take_queued(&self, permits: u64, is_last: bool) -> bool {
        let fits = Reading(self.0.load(Ordering::Acquire)).available() >= permits;
        if fits {
            let mark = if is_last { QUEUED } else { 0 };
            self.0.fetch_sub((permits << SHIFT) + mark, Ordering::Relaxed);
        }
        fits
    }

    /// Opens the fast paths after the last has left the queue without permits. Under the queue's lock.
    pub(super) fn open(&self) {
        self.0.fetch_and(!QUEUED, Ordering::Relaxed);
    }

    /// No permit is given from now on; false if it was closed before. Under the queue's lock.
    pub(super) fn close(&self) -> bool {
        self.0.fetch_or(CLOSED, Ordering::Relaxed) & CLOSED == 0
    }

    /// Adds some permits and takes others away, in one step. Under the queue's lock.
    pub(super) fn adjust(&self, more: u64, less: u64) {
        if more > less {
            self.0.fetch_add((more - less) << SHIFT, Ordering::Release);
        } else {
            self.0.fetch_sub((less - more) << SHIFT, Ordering::Release);
        }
    }

    #[inline]
    pub(super) fn read(&self) -> Reading {
        Reading(self.0.load(Ordering::Relaxed))
    }
}

impl Reading {
    /// The permits that could be taken.
    pub(super) fn available(self) -> u64 {
        (self.0 >> SHIFT).saturating_sub(ZERO)
    }

    /// The permits that are held, if the capacity at that moment was this.
    pub(super) fn held(self, capacity: u64) -> u64 {
        (capacity + ZERO).saturating_sub(self.0 >> SHIFT)
    }

    pub(super) fn is_closed(self) -> bool {
        self.0 & CLOSED != 0
    }

    pub(super) fn is_queued(self) -> bool {
        self.0 & QUEUED != 0
    }
}
