//! Entries of the queue that stand for several tasks: in sight while tasks have not started, and giving their places back one after
//! the other.

use super::core::Core;
use super::gate::Phase;
use super::task::{Entry, Queued};

impl<'env> Core<'env> {
    /// Puts an entry that stands for more tasks into sight again, and wakes somebody for it; false if the pool is stopping, and
    /// the entry is to be handed back.
    pub(super) fn lay_open(&self, task: Queued<'env>, worker: usize) -> bool {
        let mut store = self.queue.lock();
        // Under the lock: whoever drains the queue has moved the phase on before.
        if self.gate.phase() == Phase::Stopping {
            return false;
        }
        self.queue.lay_open(&mut store, worker, Entry { task, queued_at: 0 });
        drop(store);
        self.gate.bells.ring(None);
        true
    }

    /// Takes back what was laid open, if nobody else has taken it.
    pub(super) fn take_back(&self, worker: usize, is_it: impl FnOnce(&Queued<'env>) -> bool) {
        self.queue.take_back(worker, |entry| is_it(&entry.task));
    }

    /// Gives back places that an entry holds besides its own.
    pub(super) fn release(&self, places: usize) {
        if places > 0 {
            self.queue.release(places);
            self.gate.space.offer(|| self.queue.is_roomy());
        }
    }
}
