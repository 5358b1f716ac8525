//! How a lane of a shared queue learns that it is removed: its channel goes on for the others.

use std::convert::Infallible;
use std::sync::Arc;

use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::channel::{Receiver, Sender, bounded};

/// Tells one lane of a shared queue to stop; the queue itself goes on.
pub(super) struct Cut {
    is_removed: Arc<AtomicBool>,
    /// Wakes the lane by being dropped: after a removal, and with the router.
    _wake: Sender<Infallible>,
}

/// The lane's side of it.
pub(super) struct Cutting {
    is_removed: Arc<AtomicBool>,
    pub(super) woken: Receiver<Infallible>,
}

impl Cut {
    /// Before it is dropped.
    pub(super) fn remove(&self) {
        self.is_removed.store(true, Ordering::Relaxed);
    }
}

impl Cutting {
    pub(super) fn pair() -> (Cut, Self) {
        let is_removed = Arc::new(AtomicBool::new(false));
        let (wake, woken) = bounded(1);
        (Cut { is_removed: Arc::clone(&is_removed), _wake: wake }, Self { is_removed, woken })
    }

    pub(super) fn is_removed(&self) -> bool {
        // Relaxed: it is set before `woken` is disconnected, and carries nothing.
        self.is_removed.load(Ordering::Relaxed)
    }
}
