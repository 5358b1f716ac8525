//! A condition variable that wakes any waiter, wakes spuriously, and times out at any step.

use std::sync::{Arc, Mutex as StdMutex, MutexGuard as StdMutexGuard, PoisonError};
use std::time::{Duration, Instant};

use shuttle::rand::{Rng, thread_rng};

use super::mutex::MutexGuard;
use super::patience::{self, Ending};
use super::time;
use super::waiter::Waiter;

/// Waits for notifications, beside a [`Mutex`](super::Mutex).
#[derive(Debug, Default)]
pub struct Condvar {
    // Those who wait and have not been notified. The standard library's lock: never held across a switch of tasks.
    waiters: StdMutex<Vec<Arc<Waiter>>>,
}

/// Whether a wait ended by its time-out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WaitTimeoutResult(bool);

impl WaitTimeoutResult {
    /// Whether the time-out ended the wait.
    pub fn timed_out(self) -> bool {
        self.0
    }
}

impl Condvar {
    /// Nobody waits.
    pub fn new() -> Self {
        Self::default()
    }

    fn waiters(&self) -> StdMutexGuard<'_, Vec<Arc<Waiter>>> {
        self.waiters.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Unlocks, waits for a notification, locks again; may return without one.
    pub fn wait<T>(&self, guard: &mut MutexGuard<'_, T>) {
        self.wait_to(guard, None);
    }

    /// [`wait`](Self::wait), at most for `timeout`; one too long for the clock is none.
    pub fn wait_for<T>(&self, guard: &mut MutexGuard<'_, T>, timeout: Duration) -> WaitTimeoutResult {
        self.wait_to(guard, time::now().checked_add(timeout))
    }

    /// [`wait`](Self::wait), at most until `deadline`.
    pub fn wait_until<T>(&self, guard: &mut MutexGuard<'_, T>, deadline: Instant) -> WaitTimeoutResult {
        self.wait_to(guard, Some(deadline))
    }

    fn wait_to<T>(&self, guard: &mut MutexGuard<'_, T>, deadline: Option<Instant>) -> WaitTimeoutResult {
        if deadline.is_some_and(|deadline| deadline <= time::now()) {
            guard.unlocked(patience::switch);
            return WaitTimeoutResult(true);
        }
        let waiter = Arc::new(Waiter::default());
        self.waiters().push(Arc::clone(&waiter));
        let ending = guard.unlocked(|| {
            let ending = patience::wait(&waiter, deadline);
            self.waiters().retain(|other| !Arc::ptr_eq(other, &waiter));
            ending
        });
        WaitTimeoutResult(ending == Ending::TimedOut)
    }

    /// Wakes one of those who wait, whichever.
    pub fn notify_one(&self) {
        patience::switch();
        let mut waiters = self.waiters();
        if !waiters.is_empty() {
            let chosen = thread_rng().gen_range(0..waiters.len());
            waiters.swap_remove(chosen).notify();
        }
    }

    /// Wakes all who wait.
    pub fn notify_all(&self) {
        patience::switch();
        self.waiters().drain(..).for_each(|waiter| waiter.notify());
    }
}
