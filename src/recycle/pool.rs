//! The pool: filled, emptied, closed and looked at. How objects are taken is in `take`.

use std::convert::Infallible;
use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;

use super::entry::Lease;
use super::error::TakeError;
use super::report::ObjectPoolReport;
use super::store::Store;
use crate::panics;
use crate::semaphore::OwnedPermit;

pub(super) type Create<T, E> = Box<dyn Fn() -> Result<T, E> + Send + Sync>;

/// Keeps objects that are costly to make, lends them out one holder at a time, and never has more than its capacity of them.
///
/// For buffers, encoders, connections. Use it by reference, from scoped threads, or in an `Arc`; [`OwnedPooled`](super::OwnedPooled) is what may outlive the
/// borrow. Not for what each worker of a pool needs all the time: that is the workers' state
/// ([`ThreadPoolBuilder::worker_state`](crate::ThreadPoolBuilder::worker_state)). Not for what is cheap to make: an allocation of some kilobytes costs little
/// more than a turn here. Not for bounding how many things happen at once: that is a [`Semaphore`](crate::Semaphore).
///
/// # Examples
/// ```
/// use gristmill::ObjectPool;
///
/// let buffers = ObjectPool::builder(4, || Vec::with_capacity(1 << 16))
///     .reset(|buffer: &mut Vec<u8>| {
///         buffer.clear();
///         buffer.capacity() <= 1 << 20 // one that has grown too large is not kept
///     })
///     .build()?;
/// {
///     let mut buffer = buffers.take()?;
///     buffer.extend_from_slice(b"grist");
/// } // returned
/// let buffer = buffers.take()?; // the same one
/// assert!(buffer.is_empty() && buffer.capacity() >= 1 << 16);
/// assert_eq!((buffers.report().created, buffers.report().reused), (1, 1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// With a hook that can fail, its error is in that of [`take`](Self::take):
///
/// ```
/// use gristmill::{ObjectPool, TakeError};
///
/// let connections = ObjectPool::try_builder(8, || "127.0.0.1:port".parse::<std::net::SocketAddr>()).build()?;
/// let error = connections.take().unwrap_err();
/// assert!(matches!(error, TakeError::Create(_)));
/// assert_eq!(error.to_string(), "no object could be made: invalid socket address syntax");
/// assert_eq!(connections.report().in_use, 0); // its place is free again
/// # Ok::<(), gristmill::ObjectPoolError>(())
/// ```
///
/// # Which object
/// An idle one, if there is one; only then one is made. Each thread is given back what it returned last, as long as nobody else needed it;
/// otherwise it is the most recently used one of those that no thread has kept, so that what is not needed stays idle and can expire.
///
/// # Turns
/// When as many objects are in use as there may be, callers queue, first come first served, and are passed by nobody; see
/// [`Semaphore`](crate::Semaphore#turns), whose queue it is. While somebody queues, what comes back goes to the first of them. One whose
/// turn has come may have to make an object, if the one that came back was dropped.
///
/// # Hooks
/// They run on the thread that takes or returns, one after the other for each object, and with nothing locked. A hook that fails or panics costs no place: of `create` the
/// caller gets the error or the [`Panic`](crate::Panic); an object whose `check` or `reset` panics is dropped; what panics in `dispose` or in the
/// object's own `Drop` goes to the panic hook and no further.
///
/// A hook may use the pool, as any holder may. The object that it is about, made or dropped, has its place meanwhile: with a capacity of one,
/// [`take`](Self::take) in a hook waits for itself, as it does for who holds the only object, and [`try_take`](Self::try_take) is refused.
///
/// # Memory order
/// Whoever takes an object sees what was done by those who held it before.
///
/// The words are the crate's: `try_x` does not wait, `x` waits, `x_timeout` waits for a time at most, `x_with` until a token is
/// cancelled. Time-outs are on the system's clock, whatever the [pool's](super::ObjectPoolBuilder::clock).
///
/// # Cost
/// Taking an object that the same thread returned, and returning it: four atomic operations on memory of that thread's
/// (`benches/versus.rs`, object pool). With a time after which objects expire, two readings of the clock more. An object lies in a box of the pool's from when it is
/// made, so it may be large. For each core there are two caches of 128 bytes.
pub struct ObjectPool<T, E = Infallible> {
    pub(super) store: Arc<Store<T>>,
    pub(super) create: Create<T, E>,
}

impl<T, E> ObjectPool<T, E> {
    /// Makes objects until `objects` exist, in use or idle, as far as the capacity goes; how many it made.
    ///
    /// It stops early, without an error, where others hold or wait for all places.
    ///
    /// # Examples
    /// ```
    /// use gristmill::ObjectPool;
    ///
    /// let pool = ObjectPool::builder(3, String::new).build()?;
    /// assert_eq!((pool.prefill(2)?, pool.prefill(usize::MAX)?, pool.prefill(3)?), (2, 1, 0));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`TakeError::Create`], [`TakeError::CreatePanicked`], [`TakeError::Closed`]. What it made before stays in the pool.
    pub fn prefill(&self, objects: usize) -> Result<usize, TakeError<E>> {
        let mut made = 0;
        while let Some(permit) = self.store.reserve(objects).map_err(TakeError::refused)? {
            self.store.shelve_new(self.make(permit)?);
            made += 1;
        }
        Ok(made)
    }

    /// Drops the objects that are idle for the [longest time](super::ObjectPoolBuilder::max_idle) or more; how many it were.
    ///
    /// Calls that take or return do so by themselves, once in each such time: this is for pools that nobody uses for a while.
    pub fn evict_expired(&self) -> usize {
        self.store.evict_expired()
    }

    /// Drops all idle objects; how many it were. Those in use are not touched, and are returned as ever.
    pub fn clear(&self) -> usize {
        self.store.clear()
    }

    /// Gives out nothing from now on, refuses those who wait, and drops the idle objects; `true` if this call did it.
    ///
    /// Objects that are held stay valid, and are dropped when they come back. It cannot be opened again. Dropping the pool does the same.
    ///
    /// ```
    /// use gristmill::ObjectPool;
    ///
    /// let buffers = ObjectPool::builder(2, Vec::<u8>::new).build()?;
    /// let held = buffers.take()?;
    /// assert!(buffers.close());
    /// assert!(buffers.take().unwrap_err().is_closed());
    /// assert_eq!(held.len(), 0); // stays valid
    /// drop(held);
    /// assert_eq!(buffers.report().idle, 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn close(&self) -> bool {
        self.store.close()
    }

    /// Whether it is closed.
    pub fn is_closed(&self) -> bool {
        self.store.places.is_closed()
    }

    /// How many objects there may be at once.
    pub fn capacity(&self) -> usize {
        self.store.places.capacity()
    }

    /// What it holds now and did so far. Takes the lock of each thread's cache in turn.
    pub fn report(&self) -> ObjectPoolReport {
        self.store.report()
    }

    /// Runs the create hook for a place; gives it back if there is no object.
    pub(super) fn make(&self, permit: OwnedPermit) -> Result<Lease<T>, TakeError<E>> {
        let error = match panics::catch(|| "the create hook of an object pool", || (self.create)()) {
            Ok(Ok(object)) => return Ok(self.store.fill_place(object, permit)),
            Ok(Err(error)) => TakeError::Create(error),
            Err(panic) => TakeError::CreatePanicked(panic),
        };
        self.store.give_up(permit);
        Err(error)
    }
}

/// Owned objects may still be out: they are dropped when they come back.
impl<T, E> Drop for ObjectPool<T, E> {
    fn drop(&mut self) {
        self.store.close();
    }
}

// No lock: a pool can be printed from anywhere, a hook included.
impl<T, E> fmt::Debug for ObjectPool<T, E> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ObjectPool")
            .field("capacity", &self.capacity())
            .field("closed", &self.is_closed())
            .finish_non_exhaustive()
    }
}

// User code never runs under its locks, so a panic cannot leave it half-changed.
impl<T, E> UnwindSafe for ObjectPool<T, E> {}
impl<T, E> RefUnwindSafe for ObjectPool<T, E> {}
