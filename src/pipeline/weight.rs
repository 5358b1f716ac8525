//! The window by weight: how much the items together weigh that are between the source and the sink.
//!
//! # Invariants
//! 1. `taken - released - held <= limit`, unless one item alone weighs more: only a reader adds to `taken`, there is one at a time, and it looks
//!    at the others before.
//! 2. While an item waits for room something is inside, whose leaving has somebody look again: one that nothing is inside with always fits.

use crate::sync::Padded;
use crate::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// How much may be inside, and how much is.
#[derive(Debug)]
pub(super) struct WeightWindow {
    limit: u64,
    taken: Padded<AtomicU64>,
    released: Padded<AtomicU64>,
    /// Weight of items that are held in batches which are being filled; reading goes on for them.
    held: AtomicU64,
    /// Another one has been set after it.
    is_lifted: AtomicBool,
    /// The weight of the item that waits for room; at least 1, as nobody knows what the next one weighs.
    next: AtomicU64,
}

impl WeightWindow {
    pub(super) fn new(limit: u64) -> Self {
        Self {
            limit,
            taken: Padded(AtomicU64::new(0)),
            released: Padded(AtomicU64::new(0)),
            held: AtomicU64::new(0),
            is_lifted: AtomicBool::new(false),
            next: AtomicU64::new(1),
        }
    }

    fn inside(&self) -> u64 {
        // What leaves first: a stale value only makes the room too small.
        let released = self.released.load(Ordering::SeqCst);
        let held = self.held.load(Ordering::SeqCst);
        // What batches hold may weigh more than a number holds; what is inside does not.
        self.taken.load(Ordering::SeqCst).wrapping_sub(released).wrapping_sub(held)
    }

    /// Whether an item of that weight may go in now.
    fn fits(&self, weight: u64) -> bool {
        let inside = self.inside();
        inside == 0 || inside.checked_add(weight).is_some_and(|sum| sum <= self.limit)
    }

    /// Whether the item that waits may go in, or the next one may be read.
    pub(super) fn has_room(&self) -> bool {
        self.fits(self.next.load(Ordering::SeqCst))
    }

    /// Lets an item in, for the reader; `None` if it has to wait. Gives what it is taken to weigh: one that weighs more than the limit goes
    /// alone all the same.
    pub(super) fn enter(&self, weight: u64) -> Option<u64> {
        if self.is_lifted.load(Ordering::Relaxed) {
            return Some(0);
        }
        let weight = weight.min(self.limit);
        if !self.fits(weight) {
            self.next.store(weight.max(1), Ordering::SeqCst);
            return None;
        }
        self.next.store(1, Ordering::SeqCst);
        self.taken.fetch_add(weight, Ordering::SeqCst);
        Some(weight)
    }

    /// Lets everything in from now on; before the run begins.
    pub(super) fn lift(&self) {
        self.is_lifted.store(true, Ordering::Relaxed);
    }

    pub(super) fn release(&self, weight: u64) {
        self.released.fetch_add(weight, Ordering::SeqCst);
    }

    /// A stage that held so much `before` holds so much `now`.
    pub(super) fn hold(&self, before: u64, now: u64) {
        self.held.fetch_add(now.wrapping_sub(before), Ordering::SeqCst);
    }
}
