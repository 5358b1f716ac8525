//! What wakes a select that waits for several channels.

use std::sync::Arc;

use super::super::{Condvar, Mutex};
use super::limit::Limit;

/// Wakes one waiting select; set once, by the first channel that changes.
pub(super) struct Signal {
    fired: Mutex<bool>,
    changed: Condvar,
}

impl Signal {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { fired: Mutex::new(false), changed: Condvar::new() })
    }

    pub(super) fn fire(&self) {
        *self.fired.lock() = true;
        self.changed.notify_all();
    }

    /// Waits until fired; true if the limit was reached instead.
    pub(super) fn wait(&self, limit: Limit) -> bool {
        let mut fired = self.fired.lock();
        while !*fired {
            match limit {
                Limit::Now => return true,
                Limit::Never => self.changed.wait(&mut fired),
                Limit::Until(deadline) => {
                    if self.changed.wait_until(&mut fired, deadline).timed_out() {
                        return !*fired;
                    }
                }
            }
        }
        false
    }
}
