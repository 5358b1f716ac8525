//! Where submitters wait while the queue is full.
//!
//! Waking a submitter for every freed slot costs a wake-up per task. So submitters sleep until the queue is half empty
//! and are then all woken at once: a few wake-ups per thousand tasks.
//!
//! # Invariants
//! 1. A submitter raises `blocked` and notes the round, tries the queue once more, and sleeps only if no round has begun since. Whoever
//!    wakes begins a round. So no wake-up falls between the attempt and the sleep.
//! 2. A worker looks at `blocked` whenever it comes to the queue ([`Space::offer`], a hint without a fence), and once more, after a fence,
//!    when it has found the queue empty ([`Space::offer_all`]). A submitter missed by all hints is found by the second
//!    look, because the queue cannot stay full without workers, and workers cannot park without that look.
//! 3. Liveness needs no time-out (by 2). The naps are for another case: every worker stuck in a long task while the
//!    queue is between half full and full. A place that was freed just before is then used after a nap, not never.
//!
//! Why naps and no wake-up in that case: places become free where nobody looks, by a pop from a worker's own list and by each task of
//! a chunk. A wake-up that can be relied on would cost a fence and a look there for every task, and a system call for every task that is about as
//! long as a wake-up. A nap costs a blocked submitter alone some sixty looks a second.
//!
//! Lock order: `round` is a leaf. The attempt runs without it: it takes other locks, calls the `Eq` of keys, and may have to wake
//! submitters itself.

use std::time::Duration;

use crate::sync::atomic::{AtomicBool, Ordering, fence};
use crate::sync::time::{self, Instant};
use crate::sync::{Condvar, Mutex, Padded};

/// The first and the longest nap of a blocked submitter (invariant 3).
const NAPS: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(16));

#[derive(Debug)]
pub(super) struct Space {
    blocked: Padded<AtomicBool>,
    round: Mutex<u64>,
    freed: Condvar,
}

impl Space {
    pub(super) fn new() -> Self {
        Self { blocked: Padded(AtomicBool::new(false)), round: Mutex::new(0), freed: Condvar::new() }
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
            *self.round.lock() += 1;
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
        loop {
            let before = self.begin();
            if let Some(answer) = attempt() {
                return Some(answer);
            }
            let left = deadline.map(|deadline| deadline.saturating_duration_since(time::now()));
            if left.is_some_and(|left| left.is_zero()) {
                return None;
            }
            let mut round = self.round.lock();
            if *round == before {
                self.freed.wait_for(&mut round, left.map_or(nap, |left| left.min(nap)));
                nap = (nap * 2).min(longest);
            }
        }
    }

    /// Makes the calling submitter known; the round before its attempt.
    fn begin(&self) -> u64 {
        let round = self.round.lock();
        self.blocked.0.store(true, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        *round
    }
}
