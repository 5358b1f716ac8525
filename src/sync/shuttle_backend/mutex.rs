//! Shuttle's mutex in `parking_lot`'s shape: no poisoning, `try_lock` answers an `Option`.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::PoisonError;

/// A lock around a value.
#[derive(Default)]
pub struct Mutex<T> {
    // Boxed: shuttle's own is ten times the size of what ships, and would make every type around it a large one.
    inner: Box<shuttle::sync::Mutex<T>>,
}

/// Access to a locked value; unlocks when dropped.
#[must_use = "dropping it unlocks"]
pub struct MutexGuard<'a, T> {
    mutex: &'a Mutex<T>,
    // Absent only while a condition variable has the lock released.
    inner: Option<shuttle::sync::MutexGuard<'a, T>>,
}

impl<T> Mutex<T> {
    /// An unlocked value.
    pub fn new(value: T) -> Self {
        Self { inner: Box::new(shuttle::sync::Mutex::new(value)) }
    }

    /// Waits for the lock.
    pub fn lock(&self) -> MutexGuard<'_, T> {
        MutexGuard { mutex: self, inner: Some(self.acquire()) }
    }

    /// Takes the lock if it is free now.
    pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        use std::sync::TryLockError::{Poisoned, WouldBlock};
        match self.inner.try_lock() {
            Ok(inner) => Some(MutexGuard { mutex: self, inner: Some(inner) }),
            Err(Poisoned(poison)) => Some(MutexGuard { mutex: self, inner: Some(poison.into_inner()) }),
            Err(WouldBlock) => None,
        }
    }

    /// The value, without locking: the borrow shows that nobody holds the lock.
    pub fn get_mut(&mut self) -> &mut T {
        self.inner.get_mut().unwrap_or_else(PoisonError::into_inner)
    }

    /// The value back.
    pub fn into_inner(self) -> T {
        self.inner.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    fn acquire(&self) -> shuttle::sync::MutexGuard<'_, T> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> fmt::Debug for Mutex<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Mutex").finish_non_exhaustive()
    }
}

impl<T> MutexGuard<'_, T> {
    /// Unlocks while `wait` runs.
    pub(super) fn unlocked<R>(&mut self, wait: impl FnOnce() -> R) -> R {
        drop(self.inner.take());
        let answer = wait();
        self.inner = Some(self.mutex.acquire());
        answer
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
