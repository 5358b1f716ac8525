//! Who sleeps and whom to wake: the protocol by which workers without work park, and are woken for new work.
//!
//! It knows nothing of queues. A worker that finds no work goes through three states, and two counters say how many
//! are in each: *searching* (looks for work, takes no lock) and *idle* (parked, and not yet woken).
//!
//! # Invariants
//! 1. No lost wake-up. A publisher makes the work visible, then fences, then reads the counters ([`WakeUp::wake_one`]).
//!    A worker changes the counters, then fences, then looks for work once more ([`WakeUp::park_until`]). One of the two sees
//!    the other: either the worker finds the work, or the publisher finds the worker idle.
//! 2. A searcher is worth a wake-up. While somebody is searching, publishers wake nobody: the searcher finds the work
//!    (by 1), and whoever ends a search with work in hand looks whether there is more, and passes the wake-up on
//!    ([`WakeUp::found`]). So at most one worker at a time is woken and not yet working; a burst of a thousand
//!    publications costs a few wake-ups, not a thousand.
//! 3. `idle` goes down, and `searching` up with it, in the waker and under the lock, never in the woken worker: a second
//!    publisher does not count a worker that is already on its way.
//! 4. Wake-ups are counted in `granted`, so neither a spurious wake-up nor a notification that reaches another worker
//!    changes the sums.
//!
//! Lock order: `granted` is a leaf; no user code and no other lock is taken under it.

use crate::sync::atomic::{AtomicUsize, Ordering, fence};
use crate::sync::time::{self, Instant};
use crate::sync::{Condvar, Mutex, Padded};

/// Where workers park, and what publishers of work ring.
#[derive(Debug)]
pub(crate) struct WakeUp {
    counts: Padded<Counts>,
    granted: Mutex<usize>,
    ready: Condvar,
}

/// For how long a worker parks.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Until {
    Woken,
    Instant(Instant),
}

/// On one line: whoever publishes reads both.
#[derive(Debug)]
struct Counts {
    idle: AtomicUsize,
    searching: AtomicUsize,
}

impl Default for WakeUp {
    fn default() -> Self {
        Self::new()
    }
}

impl WakeUp {
    pub(crate) fn new() -> Self {
        Self {
            counts: Padded(Counts { idle: AtomicUsize::new(0), searching: AtomicUsize::new(0) }),
            granted: Mutex::new(0),
            ready: Condvar::new(),
        }
    }

    /// How many workers are parked and not yet woken; a hint, read without a fence.
    #[inline]
    pub(crate) fn idle(&self) -> usize {
        self.counts.idle.load(Ordering::Relaxed)
    }

    /// Whether a worker is searching; a hint, read without a fence.
    #[inline]
    pub(crate) fn is_searched(&self) -> bool {
        self.counts.searching.load(Ordering::Relaxed) > 0
    }

    /// Rings for one piece of work that is already visible; true if a worker was woken.
    #[inline]
    pub(crate) fn wake_one(&self) -> bool {
        // Pairs with the fence in `park_until`: invariant 1.
        fence(Ordering::SeqCst);
        self.wake_one_after_lock()
    }

    /// As [`wake_one`](Self::wake_one), for work that was published under a lock: the one under which `nothing` of
    /// [`park_until`](Self::park_until) looks for work, and under which searches end ([`stop_searching`](Self::stop_searching)). The lock orders
    /// what the fences order otherwise: whichever of the two comes second into it sees what the first has written.
    #[inline]
    pub(crate) fn wake_one_after_lock(&self) -> bool {
        self.counts.idle.load(Ordering::Relaxed) > 0
            && self.counts.searching.load(Ordering::Relaxed) == 0
            && self.wake_parked()
    }

    #[cold]
    fn wake_parked(&self) -> bool {
        let mut granted = self.granted.lock();
        if self.counts.idle.load(Ordering::Relaxed) == 0 || self.counts.searching.load(Ordering::Relaxed) > 0
        {
            return false;
        }
        self.counts.idle.fetch_sub(1, Ordering::SeqCst);
        self.counts.searching.fetch_add(1, Ordering::SeqCst);
        *granted += 1;
        drop(granted);
        self.ready.notify_one();
        true
    }

    /// Wakes every parked worker; for changes of state that each of them has to see (closed, stopped, finished).
    pub(crate) fn wake_all(&self) {
        let mut granted = self.granted.lock();
        let parked = self.counts.idle.swap(0, Ordering::SeqCst);
        self.counts.searching.fetch_add(parked, Ordering::SeqCst);
        *granted += parked;
        drop(granted);
        self.ready.notify_all();
    }

    /// The calling worker found nothing and begins to search.
    #[inline]
    pub(crate) fn start_searching(&self) {
        self.counts.searching.fetch_add(1, Ordering::SeqCst);
    }

    /// The calling worker, which was searching, stops: it has work, or it leaves. `more` says whether there is work for
    /// another one (invariant 2).
    #[inline]
    pub(crate) fn found(&self, more: impl FnOnce() -> bool) {
        self.counts.searching.fetch_sub(1, Ordering::SeqCst);
        // A publisher that saw us searching woke nobody; its work is visible after this fence.
        fence(Ordering::SeqCst);
        if more() {
            self.wake_one();
        }
    }

    /// The first half of [`found`](Self::found), under the lock of the published work; the caller looks under the same lock whether
    /// there is more, and then calls [`wake_one_after_lock`](Self::wake_one_after_lock).
    #[inline]
    pub(crate) fn stop_searching(&self) {
        self.counts.searching.fetch_sub(1, Ordering::SeqCst);
    }

    /// Parks the calling worker, which is searching, at most until what `nothing` says, and not at all if that is `None`; asked once the worker
    /// counts as idle. On return it is searching again.
    pub(crate) fn park_until(&self, nothing: impl FnOnce() -> Option<Until>) {
        let mut granted = self.granted.lock();
        self.counts.idle.fetch_add(1, Ordering::SeqCst);
        self.counts.searching.fetch_sub(1, Ordering::SeqCst);
        // Pairs with the fence in `wake_one`: invariant 1.
        fence(Ordering::SeqCst);
        let Some(until) = nothing() else { return self.go_on() };
        while *granted == 0 {
            match until {
                Until::Woken => self.ready.wait(&mut granted),
                Until::Instant(until) => {
                    let left = until.saturating_duration_since(time::now());
                    if left.is_zero() {
                        return self.go_on();
                    }
                    self.ready.wait_for(&mut granted, left);
                }
            }
        }
        *granted -= 1;
    }

    /// The calling worker searches again without having been woken; under the lock, so that nobody wakes it at the same time.
    fn go_on(&self) {
        self.counts.idle.fetch_sub(1, Ordering::SeqCst);
        self.counts.searching.fetch_add(1, Ordering::SeqCst);
    }
}

#[cfg(all(test, gristmill_loom))]
mod model;

#[cfg(all(test, not(any(gristmill_shuttle, gristmill_loom))))]
mod tests;
