//! What can be wrong with a pool's settings, and why no object was given.

use std::fmt;

use crate::cancel::Cancelled;
use crate::panics::Panic;
use crate::semaphore::AcquireError;

/// Why the settings of an object pool were refused; nothing was made.
///
/// ```
/// use gristmill::{ObjectPool, ObjectPoolError};
///
/// let error = ObjectPool::builder(0, Vec::<u8>::new).build().unwrap_err();
/// assert!(matches!(error, ObjectPoolError::ZeroCapacity));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ObjectPoolError {
    /// A capacity of zero.
    #[error("a pool of zero objects would never give one")]
    ZeroCapacity,
}

/// Why no object was given. Whatever it says: the caller holds nothing, and its place is free for others.
///
/// `E` is what the create hook fails with; for hooks that do not fail it is [`Infallible`](std::convert::Infallible).
///
/// ```
/// use gristmill::{ObjectPool, TakeError};
///
/// let buffers = ObjectPool::builder(1, Vec::<u8>::new).build()?;
/// let held = buffers.take()?;
/// assert!(buffers.try_take().unwrap_err().is_not_now());
/// drop(held);
/// let numbers = ObjectPool::try_builder(1, || "x".parse::<u32>()).build()?;
/// match numbers.take().unwrap_err() {
///     TakeError::Create(error) => assert_eq!(error.to_string(), "invalid digit found in string"),
///     other => unreachable!("{other}"),
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum TakeError<E> {
    /// A call that does not wait found as many objects in use as there may be, or others queue. The next call may succeed.
    NotNow,
    /// The time was over before its turn came. The pool is as it was without the call, and the next one queues at the end.
    TimedOut,
    /// The token given to the wait was cancelled, before the call or before its turn came. The pool is as it was without the call.
    Cancelled(Cancelled),
    /// The pool is closed, by a call before or during the wait: nobody is given an object any more.
    Closed,
    /// There was no idle object, and the create hook failed, with this. The next call tries it again.
    Create(E),
    /// There was no idle object, and the create hook panicked. The next call tries it again.
    CreatePanicked(Panic),
}

impl<E> TakeError<E> {
    /// The pool's places are a semaphore's permits.
    pub(super) fn refused(error: AcquireError) -> Self {
        match error {
            AcquireError::NotNow => Self::NotNow,
            AcquireError::TimedOut => Self::TimedOut,
            AcquireError::Cancelled(cause) => Self::Cancelled(cause),
            AcquireError::Closed => Self::Closed,
            AcquireError::ExceedsCapacity { .. } => {
                unreachable!("one permit is asked for, there is one at least, and the number stays")
            }
        }
    }

    /// The create hook's own error, if it is that.
    pub fn create(&self) -> Option<&E> {
        match self {
            Self::Create(error) => Some(error),
            _ => None,
        }
    }

    /// Whether it was refused because no object is free now.
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

    /// Whether the pool is closed.
    pub fn is_closed(&self) -> bool {
        matches!(self, Self::Closed)
    }
}

impl<E: fmt::Display> fmt::Display for TakeError<E> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotNow => formatter.write_str("no object is free now"),
            Self::TimedOut => formatter.write_str("no object was free in time"),
            Self::Cancelled(_) => formatter.write_str("the wait for an object was cancelled"),
            Self::Closed => formatter.write_str("the object pool is closed"),
            Self::Create(error) => write!(formatter, "no object could be made: {error}"),
            Self::CreatePanicked(panic) => write!(formatter, "no object could be made: {panic}"),
        }
    }
}

/// The text has that of the create hook's error in it; the source is the one behind that.
impl<E: std::error::Error + 'static> std::error::Error for TakeError<E> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Cancelled(cause) => Some(cause),
            Self::Create(error) => error.source(),
            _ => None,
        }
    }
}
