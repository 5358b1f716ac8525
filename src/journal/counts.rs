//! What a run of a scope has done.

use crate::sync::atomic::{AtomicU64, Ordering};

// Relaxed: figures to look at, which order nothing.
#[derive(Default)]
pub(super) struct Counts {
    pub(super) replayed: AtomicU64,
    pub(super) run: AtomicU64,
    pub(super) unrecorded: AtomicU64,
}

impl Counts {
    pub(super) fn count_replay(&self) {
        self.replayed.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_run(&self, is_recorded: bool) {
        let counter = if is_recorded { &self.run } else { &self.unrecorded };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}
