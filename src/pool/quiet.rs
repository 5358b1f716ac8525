//! Waiting until every accepted task has ended.
//!
//! # Invariants
//! 1. Whoever may have ended the last task fences and then looks at `waiting` ([`Quiet::is_awaited`]); a waiter raises
//!    `waiting`, fences, and then looks at the counts. One of the two sees the other.
//! 2. The condition is looked at, and notified, under `lock`, so no notification falls between a look and the wait.
//!
//! Lock order: `lock` is a leaf but for what `done` takes (nothing in this crate).

use crate::sync::atomic::{AtomicUsize, Ordering, fence};
use crate::sync::time::{self, Instant};
use crate::sync::{Condvar, Mutex};

#[derive(Debug)]
pub(super) struct Quiet {
    waiting: AtomicUsize,
    lock: Mutex<()>,
    changed: Condvar,
}

impl Quiet {
    pub(super) fn new() -> Self {
        Self { waiting: AtomicUsize::new(0), lock: Mutex::new(()), changed: Condvar::new() }
    }

    /// Whether anybody waits; after a fence by the caller (invariant 1).
    pub(super) fn is_awaited(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) > 0
    }

    pub(super) fn notify(&self) {
        drop(self.lock.lock());
        self.changed.notify_all();
    }

    /// Waits until `done` gives an answer, asked again after every notification, or until `deadline` (`None`: no limit).
    pub(super) fn wait<R>(
        &self,
        deadline: Option<Instant>,
        mut done: impl FnMut() -> Option<R>,
    ) -> Option<R> {
        let mut guard = self.lock.lock();
        self.waiting.fetch_add(1, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        let answer = loop {
            if let Some(answer) = done() {
                break Some(answer);
            }
            match deadline {
                None => self.changed.wait(&mut guard),
                Some(deadline) => {
                    let left = deadline.saturating_duration_since(time::now());
                    if left.is_zero() {
                        break None;
                    }
                    self.changed.wait_for(&mut guard, left);
                }
            }
        };
        self.waiting.fetch_sub(1, Ordering::SeqCst);
        answer
    }
}
