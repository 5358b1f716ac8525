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
///
/// ```
/// use std::sync::Arc;
/// use gristmill::{OwnedPermit, Semaphore};
///
/// struct Connection {
///     _permit: OwnedPermit, // as long as the connection lives
/// }
/// let connections = Arc::new(Semaphore::new(2));
/// let connection = Connection { _permit: connections.acquire_owned(1)? };
/// assert_eq!(connections.available(), 1);
/// drop(connection);
/// assert_eq!(connections.available(), 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
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
    ///
    /// ```
    /// use gristmill::Semaphore;
    ///
    /// let machines = Semaphore::new(3);
    /// machines.acquire()?.forget(); // this one burnt down
    /// assert_eq!((machines.capacity(), machines.available()), (2, 2));
    /// machines.raise_capacity(1);
    /// assert_eq!(machines.available(), 3);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
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
    pub fn merge(&mut self, mut other: Self) -> Result<(), PermitMergeError<S>> {
        if !std::ptr::eq(self.semaphore(), other.semaphore()) {
            return Err(PermitMergeError { permit: other });
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
///
/// ```
/// use gristmill::Semaphore;
///
/// let (memory, disk) = (Semaphore::new(4), Semaphore::new(4));
/// let mut permit = memory.acquire()?;
/// let error = permit.merge(disk.acquire_many(3)?).unwrap_err();
/// assert_eq!(error.into_permit().permits(), 3); // the other one, as it was
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, thiserror::Error)]
#[error("permits of different semaphores cannot be merged")]
pub struct PermitMergeError<S: Borrow<Semaphore>> {
    permit: Permit<S>,
}

impl<S: Borrow<Semaphore>> PermitMergeError<S> {
    /// The permit that was to be added, unchanged.
    pub fn into_permit(self) -> Permit<S> {
        self.permit
    }
}
