//! What is held, and given back when it is dropped.

use std::borrow::Borrow;
use std::fmt;
use std::mem;
use std::sync::Arc;

use super::control::Semaphore;
use super::error::to_usize;

/// Permits that are held; dropping it gives them back, and wakes whoever is due then.
///
/// `S` is how it refers to its semaphore: `Permit<&Semaphore>` borrows, [`OwnedPermit`] keeps it alive. Its drop never panics and runs no
/// code of the user's; it takes a lock only while others queue.
///
/// # Examples
/// ```
/// use gristmill::Semaphore;
///
/// let semaphore = Semaphore::new(10);
/// let mut permit = semaphore.acquire_many(5)?;
/// let part = permit.split(2).expect("it holds five");
/// assert_eq!((permit.permits(), part.permits()), (3, 2));
/// drop(part); // two come back
/// permit.merge(semaphore.acquire_many(7)?).expect("it is of the same semaphore");
/// assert_eq!((permit.permits(), semaphore.available()), (10, 0));
/// # drop(permit);
/// # Ok::<(), gristmill::AcquireError>(())
/// ```
#[must_use = "dropping it gives the permits back"]
pub struct Permit<S: Borrow<Semaphore>> {
    semaphore: S,
    permits: u64,
}

/// A permit that may outlive the borrow of its semaphore, which it keeps alive.
pub type OwnedPermit = Permit<Arc<Semaphore>>;

impl<S: Borrow<Semaphore>> Permit<S> {
    /// For permits that were taken from it.
    #[inline]
    pub(super) fn new(semaphore: S, permits: u64) -> Self {
        Self { semaphore, permits }
    }

    /// How many permits it holds.
    pub fn permits(&self) -> usize {
        to_usize(self.permits)
    }

    /// The semaphore that it is of.
    pub fn semaphore(&self) -> &Semaphore {
        self.semaphore.borrow()
    }

    /// Never gives the permits back: they cease to exist, and the semaphore's capacity is as much smaller (but not below zero).
    ///
    /// So a request that could never be granted after it is refused and does not wait for ever; see
    /// [Capacity](Semaphore#capacity). [`raise_capacity`](Semaphore::raise_capacity) is the way back.
    pub fn forget(mut self) {
        let permits = mem::take(&mut self.permits);
        if permits > 0 {
            self.semaphore().core.forget(permits);
        }
    }

    /// Takes `permits` of them into a permit of their own; `None`, and nothing changes, if it holds fewer. It may be left with none.
    pub fn split(&mut self, permits: usize) -> Option<Self>
    where
        S: Clone,
    {
        let left = self.permits.checked_sub(permits as u64)?;
        let part = Self::new(self.semaphore.clone(), permits as u64);
        self.permits = left;
        Some(part)
    }

    /// Adds those of another permit, which is used up; it is easiest begun with a permit of
    /// [nothing](Semaphore::try_acquire_many).
    ///
    /// # Errors
    /// The other one is of another semaphore. Nothing changes, and the error has it.
    pub fn merge(&mut self, mut other: Self) -> Result<(), MergeError<S>> {
        if !std::ptr::eq(self.semaphore(), other.semaphore()) {
            return Err(MergeError { permit: other });
        }
        self.permits += mem::take(&mut other.permits);
        Ok(())
    }
}

impl<S: Borrow<Semaphore>> Drop for Permit<S> {
    #[inline]
    fn drop(&mut self) {
        if self.permits > 0 {
            self.semaphore.borrow().core.give(self.permits);
        }
    }
}

impl<S: Borrow<Semaphore>> fmt::Debug for Permit<S> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Permit").field("permits", &self.permits).finish_non_exhaustive()
    }
}

/// Two permits could not be merged because they are of different semaphores.
///
/// Dropping it drops the permit that was to be added, and so gives that back.
#[derive(Debug, thiserror::Error)]
#[error("permits of different semaphores cannot be merged")]
pub struct MergeError<S: Borrow<Semaphore>> {
    permit: Permit<S>,
}

impl<S: Borrow<Semaphore>> MergeError<S> {
    /// The permit that was to be added, unchanged.
    pub fn into_permit(self) -> Permit<S> {
        self.permit
    }
}
