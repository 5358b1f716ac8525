//! The threads of a blocking stage, as the rest of the run sees them, and how a worker is heard that sleeps in the source.

use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::channel::{Receiver, Sender, bounded};
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

/// Interrupts a worker that waits in a channel for the next item: there is work, or a batch has a time from now on, and nobody else may see to it.
#[derive(Debug)]
pub(super) struct Nudges(Option<(Sender<()>, Receiver<()>)>);

impl Nudges {
    /// `needed`: there is another worker, a stage that has threads, or a batch with a time.
    pub(super) fn new(needed: bool) -> Self {
        Self(needed.then(|| bounded(1)))
    }

    /// Called once the work is there.
    pub(super) fn send(&self) {
        if let Some((sender, _)) = &self.0 {
            // A full one is as good: it has not been looked at.
            _ = sender.try_send(());
        }
    }

    pub(super) fn receiver(&self) -> Option<Receiver<()>> {
        self.0.as_ref().map(|(_, receiver)| receiver.clone())
    }
}
