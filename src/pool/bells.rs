//! Whom to wake for a task: anybody, or the worker that it belongs to.

use crate::sync::{Padded, Slots};
use crate::wakeup::WakeUp;

#[derive(Debug)]
pub(super) struct Bells {
    /// For workers that share a queue.
    shared: WakeUp,
    /// By worker, where each has a queue of its own; with one bell the wrong one might wake.
    own: Option<Slots<Padded<WakeUp>>>,
}

impl Bells {
    pub(super) fn new(one_each: bool) -> Self {
        Self { shared: WakeUp::new(), own: one_each.then(|| Slots::new(0)) }
    }

    /// Makes bells for so many workers.
    pub(super) fn grow(&self, workers: usize) {
        if let Some(own) = &self.own {
            own.grow(workers);
        }
    }

    /// The bell that a worker listens to.
    #[inline]
    pub(super) fn of(&self, worker: usize) -> &WakeUp {
        self.own.as_ref().map_or(&self.shared, |own| own.at(worker))
    }

    /// Rings for a task that was queued under the lock, for that worker or for any.
    #[inline]
    pub(super) fn ring(&self, owner: Option<usize>) {
        match (&self.own, owner) {
            (None, _) => _ = self.shared.wake_one_after_lock(),
            (Some(own), Some(owner)) => _ = own.at(owner).wake_one_after_lock(),
            (Some(_), None) => {}
        }
    }

    pub(super) fn wake_all(&self) {
        match &self.own {
            None => self.shared.wake_all(),
            Some(own) => own.iter().for_each(|bell| bell.wake_all()),
        }
    }

    /// How many workers are parked and not yet woken; a hint.
    pub(super) fn idle(&self) -> usize {
        match &self.own {
            None => self.shared.idle(),
            Some(own) => own.iter().map(|bell| bell.idle()).sum(),
        }
    }

    /// Whether each worker has a queue of its own.
    #[inline]
    pub(super) fn are_own(&self) -> bool {
        self.own.is_some()
    }
}
