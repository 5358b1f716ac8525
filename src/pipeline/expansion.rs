//! How many results of a stage that expands items are on their way, and whether it may give more.
//!
//! # Invariants
//! 1. `out - held <= limit`: only the worker that has the stage's `current` adds to `out`, and it looks at the others before.
//! 2. While items wait to be expanded and no result is out somebody may expand: what is out leaves, and whoever frees room looks for work
//!    next, or rings.

use crate::sync::Padded;
use crate::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// The bound of one stage that expands items.
#[derive(Debug)]
pub(super) struct Expansion {
    limit: usize,
    out: Padded<AtomicUsize>,
    /// Results that are held in batches which are being filled; the stage goes on for them.
    held: AtomicUsize,
    /// Items that have come and are not expanded to their ends, and a failure that comes after them.
    waiting: AtomicUsize,
    /// A worker is at it, or it has failed: nothing may come after its failure.
    busy: AtomicBool,
}

impl Expansion {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            limit,
            out: Padded(AtomicUsize::new(0)),
            held: AtomicUsize::new(0),
            waiting: AtomicUsize::new(0),
            busy: AtomicBool::new(false),
        }
    }

    /// How many results it may give now.
    pub(super) fn room(&self) -> usize {
        // `out` first: a stale value only makes the room too small.
        let out = self.out.load(Ordering::SeqCst);
        self.limit.saturating_sub(out.saturating_sub(self.held.load(Ordering::SeqCst)))
    }

    /// The most that one chunk may hold: so that every worker has some.
    pub(super) fn largest_chunk(&self, workers: usize) -> usize {
        (self.limit / workers.saturating_mul(2)).max(1)
    }

    /// Whether a worker that looks now would find something to do.
    pub(super) fn may_expand(&self) -> bool {
        self.is_waiting() && !self.busy.load(Ordering::SeqCst) && self.room() > 0
    }

    /// Whether there is something that has not been expanded to its end.
    pub(super) fn is_waiting(&self) -> bool {
        self.waiting.load(Ordering::SeqCst) > 0
    }

    pub(super) fn come(&self, items: usize) {
        self.waiting.fetch_add(items, Ordering::SeqCst);
    }

    /// So many items are expanded to their ends.
    pub(super) fn end(&self, items: usize) {
        self.waiting.fetch_sub(items, Ordering::SeqCst);
    }

    pub(super) fn set_busy(&self, busy: bool) {
        self.busy.store(busy, Ordering::SeqCst);
    }

    pub(super) fn give(&self, results: usize) {
        self.out.fetch_add(results, Ordering::SeqCst);
    }

    pub(super) fn release(&self, results: usize) {
        self.out.fetch_sub(results, Ordering::SeqCst);
    }

    /// A stage that held so many `before` holds so many `now`.
    pub(super) fn hold(&self, before: usize, now: usize) {
        if now >= before {
            self.held.fetch_add(now - before, Ordering::SeqCst);
        } else {
            self.held.fetch_sub(before - now, Ordering::SeqCst);
        }
    }
}
