//! Workers that have left the pool and whose threads wait to be joined.
//!
//! Lock order: `left`, then the queue's lock.

use std::mem;

use crate::sync::time::{self, Instant};
use crate::sync::{Condvar, Mutex};

#[derive(Debug)]
pub(super) struct Leavers {
    left: Mutex<Vec<usize>>,
    changed: Condvar,
}

impl Leavers {
    pub(super) fn new() -> Self {
        Self { left: Mutex::new(Vec::new()), changed: Condvar::new() }
    }

    /// A worker leaves if `leaves` says so: it takes no more tasks, and its thread ends. Asked under the lock, so that whoever
    /// sees in the pool that it has left finds it here.
    pub(super) fn add_if(&self, worker: usize, leaves: impl FnOnce() -> bool) -> bool {
        let mut left = self.left.lock();
        let leaves = leaves();
        if leaves {
            left.push(worker);
            self.changed.notify_all();
        }
        leaves
    }

    /// Has those who wait ask again: what they wait for has changed.
    pub(super) fn recheck(&self) {
        drop(self.left.lock());
        self.changed.notify_all();
    }

    /// Those who left since the last call.
    pub(super) fn take(&self) -> Vec<usize> {
        mem::take(&mut *self.left.lock())
    }

    /// Waits until `enough`, asked again whenever somebody has left or the aim has changed; false at the deadline.
    pub(super) fn wait(&self, deadline: Option<Instant>, mut enough: impl FnMut() -> bool) -> bool {
        let mut left = self.left.lock();
        while !enough() {
            match deadline {
                None => self.changed.wait(&mut left),
                Some(deadline) => {
                    let rest = deadline.saturating_duration_since(time::now());
                    if rest.is_zero() {
                        return false;
                    }
                    self.changed.wait_for(&mut left, rest);
                }
            }
        }
        true
    }
}
