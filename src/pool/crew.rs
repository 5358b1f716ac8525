//! How many workers a pool has and should have, and whether they work: the part of [`Core`] under the queue's lock that is
//! not about tasks.

use std::mem;

use super::core::Core;
use super::gate::{CROWDED, PAUSED};
use super::keyed::key_hash;
use super::queue::Hold;

impl Core<'_> {
    /// How many workers there are; one that was told to leave counts until it has.
    pub(super) fn workers(&self) -> usize {
        self.queue.lock().workers
    }

    /// Makes room for the worker `worker`, and counts it.
    pub(super) fn seat(&self, worker: usize) {
        self.gate.counters.grow(worker + 1);
        self.gate.running.grow(worker + 1);
        self.gate.meters.grow(worker + 1);
        self.gate.bells.grow(worker + 1);
        let mut store = self.queue.lock();
        self.gate.meters.came(worker, self.gate.running.now());
        self.queue.seat(&mut store, worker);
        store.workers += 1;
        store.target = store.target.max(store.workers);
    }

    /// Says how many workers there should be; gives back how many have to leave, and tells them.
    pub(super) fn aim(&self, workers: usize) -> usize {
        let mut store = self.queue.lock();
        store.target = workers;
        let leaving = store.workers.saturating_sub(workers);
        self.gate.flag(CROWDED, leaving > 0);
        drop(store);
        if leaving > 0 {
            self.gate.bells.wake_all();
        }
        self.gate.leavers.recheck();
        leaving
    }

    /// Whether a worker has to leave because there are too many; it is not counted any more then, and what it had not started
    /// is back in the queue.
    pub(super) fn dismiss(&self, worker: usize) -> bool {
        let gone = self.gate.leavers.add_if(worker, || {
            let mut store = self.queue.lock();
            if store.workers <= store.target {
                return false;
            }
            store.workers -= 1;
            self.gate.meters.gone(worker);
            self.gate.flag(CROWDED, store.workers > store.target);
            self.queue.unseat(&mut store, worker, |entry| key_hash(&*entry.task));
            true
        });
        if gone {
            self.wake_heirs();
        }
        gone
    }

    /// A worker ends with the pool, or could not make its state.
    pub(super) fn leave(&self, worker: usize) {
        self.gate.leavers.add_if(worker, || {
            self.drop_seat(worker);
            true
        });
        self.wake_heirs();
    }

    /// A worker never began: there is no thread to join.
    pub(super) fn unseat(&self, worker: usize) {
        self.drop_seat(worker);
        self.gate.leavers.recheck();
        self.wake_heirs();
    }

    fn drop_seat(&self, worker: usize) {
        let mut store = self.queue.lock();
        store.workers -= 1;
        self.gate.meters.gone(worker);
        // It may be the one too many. Never set here: who is to leave is told when that is decided.
        if store.workers <= store.target {
            self.gate.flag(CROWDED, false);
        }
        if !self.gate.is_finished() {
            self.queue.unseat(&mut store, worker, |entry| key_hash(&*entry.task));
        }
    }

    /// Wakes whoever has got a share of what a worker left behind.
    fn wake_heirs(&self) {
        if self.gate.bells.are_own() {
            self.gate.bells.wake_all();
        }
    }

    /// Keeps the workers from taking tasks.
    pub(super) fn pause(&self) {
        self.hold(Hold::Held);
    }

    /// Lets the workers take tasks again.
    pub(super) fn resume(&self) {
        self.hold(Hold::Free);
    }

    /// Resumes a pool that ends, for good: a pause from now on would keep it from its end.
    pub(super) fn resume_for_good(&self) {
        self.hold(Hold::Never);
    }

    fn hold(&self, hold: Hold) {
        let mut store = self.queue.lock();
        if store.hold == Hold::Never {
            return;
        }
        let before = mem::replace(&mut store.hold, hold);
        self.gate.flag(PAUSED, hold == Hold::Held);
        drop(store);
        if before == Hold::Held && hold != before {
            self.gate.bells.wake_all();
        }
    }
}
