//! Where submitters wait while the queue is full.
//!
//! Waking a submitter for every freed slot costs a wake-up per task. So submitters sleep until the queue is half empty
//! and are then all woken at once: a few wake-ups per thousand tasks.
//!
//! # Invariants
//! 1. A submitter raises `blocked` under `lock` before it tries the queue once more, and sleeps without letting go of
//!    the lock in between.
//! 2. A worker looks at `blocked` after every pop ([`Space::offer`], a hint without a fence), and once more, after a fence,
//!    when it has found the queue empty ([`Space::offer_all`]). A submitter missed by all hints is found by the second
//!    look, because the queue cannot stay full without workers, and workers cannot park without that look.
//! 3. Liveness needs no time-out (by 2). The naps are for another case: every worker stuck in a long task while the
//!    queue is between half full and full. A slot that was freed just before is then used after a nap, not never.
//!
//! Lock order: `lock` before the pool's other locks (the attempt runs under it).

use std::time::Duration;

use crate::sync::atomic::{AtomicBool, Ordering, fence};
use crate::sync::time::{self, Instant};
use crate::sync::{Condvar, Mutex, Padded};

/// The first and the longest nap of a blocked submitter (invariant 3).
const NAPS: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(16));

#[derive(Debug)]
pub(super) struct Space {
    blocked: Padded<AtomicBool>,
    lock: Mutex<()>,
    freed: Condvar,
}

impl Space {
    pub(super) fn new() -> Self {
        Self { blocked: Padded(AtomicBool::new(false)), lock: Mutex::new(()), freed: Condvar::new() }
    }

    /// After a pop: wakes the blocked submitters if the queue is half empty.
    #[inline]
    pub(super) fn offer(&self, half_empty: impl FnOnce() -> bool) {
        if self.blocked.0.load(Ordering::Relaxed) && half_empty() {
            self.offer_all();
        }
    }

    /// Wakes the blocked submitters, if there are any: the queue is empty, or their wait has to end.
    pub(super) fn offer_all(&self) {
        fence(Ordering::SeqCst);
        if self.blocked.0.load(Ordering::Relaxed) && self.blocked.0.swap(false, Ordering::SeqCst) {
            drop(self.lock.lock());
            self.freed.notify_all();
        }
    }

    /// Tries until `attempt` gives an answer or `deadline` has passed (`None`: no limit; then there is one answer).
    pub(super) fn wait<R>(
        &self,
        deadline: Option<Instant>,
        mut attempt: impl FnMut() -> Option<R>,
    ) -> Option<R> {
        let (mut nap, longest) = NAPS;
        let mut guard = self.lock.lock();
        loop {
            self.blocked.0.store(true, Ordering::SeqCst);
            fence(Ordering::SeqCst);
            if let Some(answer) = attempt() {
                return Some(answer);
            }
            let left = deadline.map(|deadline| deadline.saturating_duration_since(time::now()));
            if left.is_some_and(|left| left.is_zero()) {
                return None;
            }
            self.freed.wait_for(&mut guard, left.map_or(nap, |left| left.min(nap)));
            nap = (nap * 2).min(longest);
        }
    }
}
