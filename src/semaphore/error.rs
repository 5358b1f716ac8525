//! Why permits were not given.

use crate::cancel::Cancelled;

/// Why permits were not given.
///
/// Whatever it says: none was taken, the caller is not in the queue any more, and those who were behind it there have moved up.
///
/// ```
/// use gristmill::{AcquireError, Semaphore};
///
/// let semaphore = Semaphore::new(4);
/// match semaphore.try_acquire_many(5).unwrap_err() {
///     AcquireError::ExceedsCapacity { permits, capacity } => assert_eq!((permits, capacity), (5, 4)),
///     other => unreachable!("{other}"),
/// }
/// semaphore.close();
/// assert!(semaphore.acquire().unwrap_err().is_closed());
/// ```
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AcquireError {
    /// A call that does not wait could not have them: at some moment during the call others queued, or fewer were available than it
    /// asked for. The next call may succeed.
    #[error("the permits are not available now")]
    NotNow,
    /// The time was over before its turn came. The semaphore is as it was without the call, and the next one queues at the end.
    #[error("the permits were not available in time")]
    TimedOut,
    /// The token given to the wait was cancelled, before the call or before its turn came. It stays so: with this token every further call
    /// ends at once. The semaphore is as it was without the call.
    #[error("the wait for permits was cancelled")]
    Cancelled(#[source] Cancelled),
    /// More permits than the capacity, when it was called or once that was lowered during the wait: they would never be there at once. So it
    /// stays until the capacity is [raised](crate::Semaphore::raise_capacity), or fewer are asked for.
    #[error("{permits} permits at once are more than the capacity of {capacity}")]
    ExceedsCapacity {
        /// The permits that were asked for.
        permits: usize,
        /// The capacity at the time.
        capacity: usize,
    },
    /// The semaphore is closed, by a call before or during the wait: nobody is given permits any more. It stays so; permits that are
    /// held stay valid.
    #[error("the semaphore is closed")]
    Closed,
}

impl AcquireError {
    pub(super) fn exceeds(permits: u64, capacity: u64) -> Self {
        Self::ExceedsCapacity { permits: to_usize(permits), capacity: to_usize(capacity) }
    }

    /// Whether it was refused because the permits are not available now.
    pub fn is_not_now(&self) -> bool {
        matches!(self, Self::NotNow)
    }

    /// Whether the time was over.
    pub fn is_timed_out(&self) -> bool {
        matches!(self, Self::TimedOut)
    }

    /// Whether a token ended the wait.
    pub fn is_cancelled(&self) -> bool {
        matches!(self, Self::Cancelled(_))
    }

    /// Whether more was asked for than the capacity.
    pub fn is_exceeds_capacity(&self) -> bool {
        matches!(self, Self::ExceedsCapacity { .. })
    }

    /// Whether the semaphore is closed.
    pub fn is_closed(&self) -> bool {
        matches!(self, Self::Closed)
    }
}

/// Counts are of 64 bits inside; what users see came from a `usize`, or is a sum of such that is cut off there.
pub(super) fn to_usize(permits: u64) -> usize {
    usize::try_from(permits).unwrap_or(usize::MAX)
}
