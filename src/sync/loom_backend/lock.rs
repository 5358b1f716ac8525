//! Loom's mutex and condition variable in `parking_lot`'s shape.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use super::time;

/// A lock around a value.
#[derive(Default)]
pub struct Mutex<T> {
    inner: loom::sync::Mutex<T>,
}

/// Access to a locked value; unlocks when dropped.
#[must_use = "dropping it unlocks"]
pub struct MutexGuard<'a, T> {
    mutex: &'a Mutex<T>,
    // Absent only while a condition variable has the lock released.
    inner: Option<loom::sync::MutexGuard<'a, T>>,
}

impl<T> Mutex<T> {
    /// An unlocked value.
    pub fn new(value: T) -> Self {
        Self { inner: loom::sync::Mutex::new(value) }
    }

    /// Waits for the lock.
    #[track_caller]
    pub fn lock(&self) -> MutexGuard<'_, T> {
        MutexGuard { mutex: self, inner: Some(self.acquire()) }
    }

    /// Takes the lock if it is free now.
    #[track_caller]
    pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        Some(MutexGuard { mutex: self, inner: Some(self.inner.try_lock().ok()?) })
    }

    /// The value, without locking: the borrow shows that nobody holds the lock.
    pub fn get_mut(&mut self) -> &mut T {
        self.inner.get_mut().unwrap_or_else(PoisonError::into_inner)
    }

    /// The value back.
    pub fn into_inner(self) -> T {
        self.inner.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    #[track_caller]
    fn acquire(&self) -> loom::sync::MutexGuard<'_, T> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> fmt::Debug for Mutex<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Mutex").finish_non_exhaustive()
    }
}

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.inner.as_deref().expect("locked outside of a wait")
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.inner.as_deref_mut().expect("locked outside of a wait")
    }
}

impl<T: fmt::Debug> fmt::Debug for MutexGuard<'_, T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, formatter)
    }
}

/// Waits for notifications, beside a [`Mutex`].
#[derive(Debug, Default)]
pub struct Condvar {
    inner: loom::sync::Condvar,
}

/// Whether a wait ended by its time-out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WaitTimeoutResult(bool);

impl WaitTimeoutResult {
    /// Whether the time-out ended the wait: here only if its deadline had passed before it began.
    pub fn timed_out(self) -> bool {
        self.0
    }
}

impl Condvar {
    /// Nobody waits.
    pub fn new() -> Self {
        Self { inner: loom::sync::Condvar::new() }
    }

    /// Unlocks, waits for a notification, locks again.
    #[track_caller]
    pub fn wait<T>(&self, guard: &mut MutexGuard<'_, T>) {
        let inner = guard.inner.take().expect("locked outside of a wait");
        guard.inner = Some(self.inner.wait(inner).unwrap_or_else(PoisonError::into_inner));
    }

    /// [`wait`](Self::wait), since loom has no time-outs; but one of zero has passed already.
    #[track_caller]
    pub fn wait_for<T>(&self, guard: &mut MutexGuard<'_, T>, timeout: Duration) -> WaitTimeoutResult {
        self.wait_or_pass(guard, timeout.is_zero())
    }

    /// [`wait`](Self::wait), since loom has no time-outs; but a deadline may have passed already.
    #[track_caller]
    pub fn wait_until<T>(&self, guard: &mut MutexGuard<'_, T>, deadline: Instant) -> WaitTimeoutResult {
        self.wait_or_pass(guard, deadline <= time::now())
    }

    #[track_caller]
    fn wait_or_pass<T>(&self, guard: &mut MutexGuard<'_, T>, passed: bool) -> WaitTimeoutResult {
        if passed {
            guard.inner = None;
            guard.inner = Some(guard.mutex.acquire());
        } else {
            self.wait(guard);
        }
        WaitTimeoutResult(passed)
    }

    /// Wakes the one that has waited longest.
    #[track_caller]
    pub fn notify_one(&self) {
        self.inner.notify_one();
    }

    /// Wakes all who wait.
    #[track_caller]
    pub fn notify_all(&self) {
        self.inner.notify_all();
    }
}
