//! The threads of a blocking stage, as the rest of the run sees them.

use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::wakeup::WakeUp;

/// See the module.
#[derive(Debug)]
pub(super) struct Crew {
    /// The number of the stage.
    pub(super) stage: usize,
    /// How many threads it is to have.
    pub(super) wanted: usize,
    /// How many it has; settled before the first item is read.
    there: AtomicUsize,
    /// Where they park when no item waits.
    pub(super) bell: WakeUp,
}

impl Crew {
    pub(super) fn new(stage: usize, wanted: usize) -> Self {
        Self { stage, wanted, there: AtomicUsize::new(0), bell: WakeUp::new() }
    }

    /// So many threads could be created.
    pub(super) fn settle(&self, threads: usize) {
        self.there.store(threads, Ordering::SeqCst);
    }

    pub(super) fn threads(&self) -> usize {
        self.there.load(Ordering::Relaxed)
    }

    /// Whether there is any; otherwise the workers do its work.
    #[inline]
    pub(super) fn is_there(&self) -> bool {
        self.threads() > 0
    }
}
