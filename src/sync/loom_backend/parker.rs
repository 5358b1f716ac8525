//! Park tokens on a lock and a condition variable.
//!
//! Loom's own `unpark` makes a thread runnable whatever it waits for, a lock or a condition variable included, which
//! loom then takes for a fault of its own. A token of one's own reaches only those who park.

use super::lock::{Condvar, Mutex};

#[derive(Debug)]
pub(super) struct Parker {
    token: Mutex<bool>,
    given: Condvar,
}

impl Parker {
    pub(super) fn new() -> Self {
        Self { token: Mutex::new(false), given: Condvar::new() }
    }

    pub(super) fn park(&self) {
        let mut token = self.token.lock();
        while !*token {
            self.given.wait(&mut token);
        }
        *token = false;
    }

    /// Takes the token if it is there.
    pub(super) fn poll(&self) {
        *self.token.lock() = false;
    }

    pub(super) fn unpark(&self) {
        *self.token.lock() = true;
        self.given.notify_one();
    }
}
