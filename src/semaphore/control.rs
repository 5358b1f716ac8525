//! The semaphore: made, changed, closed and looked at. How permits are taken is in `acquire`.

use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};

use super::core::Core;
use super::error::to_usize;
use super::pace::Pace;
use crate::sync::const_where_it_ships;

/// Lets at most so many things happen at once; each holds a permit, or as many as it weighs.
///
/// Use it by reference, from scoped threads or in a `static`, or in an `Arc` where permits have to outlive a borrow
/// ([`OwnedPermit`](super::OwnedPermit)). Not for limiting how many start in a period: that is a
/// [`RateLimiter`](crate::policy::RateLimiter). Not for a fixed number of workers with a queue of tasks: that is a pool. To run over a
/// list with so many at once, there is [`map`](Self::map).
///
/// # Examples
/// ```
/// use gristmill::Semaphore;
///
/// let memory = Semaphore::new(1000); // megabytes
/// let small = memory.acquire_many(200)?;
/// let large = memory.acquire_many(800)?;
/// assert!(memory.try_acquire().unwrap_err().is_not_now());
/// drop(small);
/// assert_eq!(memory.available(), 200);
/// assert_eq!(
///     memory.acquire_many(1001).unwrap_err().to_string(),
///     "1001 permits at once are more than the capacity of 1000"
/// );
/// # drop(large);
/// # Ok::<(), gristmill::AcquireError>(())
/// ```
///
/// # Turns
/// Who queues is served first come, first served, whatever the weights, and is passed by nobody: not by
/// [`try_acquire`](Self::try_acquire), not by one who comes late and wants less. So a request for many permits is not starved by small ones;
/// it holds up those behind it until it has them. One who is cancelled or whose time is over leaves without a trace, and those behind
/// move up.
///
/// A caller that finds no permit does not queue at once: for some microseconds (20 attempts, then 4 that yield the core first) it asks
/// again, and is refused like everybody else while somebody queues. Callers in that moment have no order among each other. With more
/// threads than cores this makes a busy semaphore several times as fast, since serving in the order of the calls means a thread
/// switch for each. [`strict`](Self::strict) makes one that queues at once.
///
/// # Capacity
/// It can be changed while permits are held. Raised, it lets those who wait move up at once. Lowered below what is held, it takes nothing away from
/// anybody: permits that come back are not given out again until fewer are held than the new capacity. Whoever asks for more than the
/// capacity is refused at once, and whoever waits for more than it was lowered to is refused then; with a capacity of 0 everybody is, until
/// it is raised. The largest capacity is [`MAX_CAPACITY`](Self::MAX_CAPACITY), as good as no limit; a larger one counts as that.
///
/// # Memory order
/// Whoever takes a permit sees what was done under permits that were given back before.
///
/// The words are the crate's: `try_x` does not wait, `x` waits, `x_timeout` waits for a time at most, `x_with` until a token is
/// cancelled; `many` takes several permits at once.
///
/// # Cost
/// Taking a free permit and giving it back: two atomic operations, 0.6 times what tokio's `try_acquire` takes and 0.4 times async-lock's
/// (`benches/versus.rs`, semaphore; two cores).
pub struct Semaphore {
    pub(super) core: Core,
}

/// What a [`Semaphore`] said at one moment.
///
/// ```
/// use gristmill::Semaphore;
///
/// let semaphore = Semaphore::new(4);
/// let permit = semaphore.acquire_many(3)?;
/// let now = semaphore.snapshot();
/// assert_eq!((now.capacity, now.held, now.available, now.waiting), (4, 3, 1, 0));
/// assert_eq!(now.utilisation(), 0.75);
/// # drop(permit);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SemaphoreSnapshot {
    /// How many permits there are.
    pub capacity: usize,
    /// How many of them nobody holds. Some can be available while others wait: the first of them wants more than that.
    pub available: usize,
    /// How many are held; more than the capacity, if that was lowered below it.
    pub held: usize,
    /// How many callers queue.
    pub waiting: usize,
    /// Whether it is closed.
    pub is_closed: bool,
}

impl Semaphore {
    /// The largest capacity: 2⁶⁰ - 1, or `usize::MAX` where that is less.
    pub const MAX_CAPACITY: usize = if usize::BITS == 64 { usize::MAX >> 4 } else { usize::MAX };

    const_where_it_ships! {
        /// With so many permits. Zero refuses everybody until the capacity is raised; more than [`MAX_CAPACITY`](Self::MAX_CAPACITY)
        /// counts as that.
        ///
        /// # Examples
        /// ```
        /// use gristmill::Semaphore;
        ///
        /// static CONNECTIONS: Semaphore = Semaphore::new(4);
        ///
        /// let _permit = CONNECTIONS.acquire()?;
        /// assert_eq!(CONNECTIONS.available(), 3);
        /// # Ok::<(), gristmill::AcquireError>(())
        /// ```
        pub fn new(capacity: usize) -> Self {
            Self { core: Core::new(capacity as u64, Pace::Courteous) }
        }

        /// As [`new`](Self::new), but every caller that finds no permit queues at once, so that permits are given in the order of
        /// the calls.
        ///
        /// Worth its price where that order is part of the result, or where the longest wait counts more than the throughput.
        ///
        /// # Cost
        /// With eight threads on two permits and two cores each turn is a thread switch: some fifteen times what [`new`](Self::new) costs
        /// there, and a third of what tokio's semaphore does (`benches/versus.rs`, semaphore).
        pub fn strict(capacity: usize) -> Self {
            Self { core: Core::new(capacity as u64, Pace::Strict) }
        }
    }

    /// How many permits there are, held or not.
    pub fn capacity(&self) -> usize {
        to_usize(self.core.capacity())
    }

    /// How many permits nobody holds; a hint, since it may change at any time.
    pub fn available(&self) -> usize {
        to_usize(self.core.read().available())
    }

    /// Sets how many permits there are; see [Capacity](Self#capacity). More than [`MAX_CAPACITY`](Self::MAX_CAPACITY) counts as that.
    ///
    /// # Examples
    /// ```
    /// use gristmill::Semaphore;
    ///
    /// let semaphore = Semaphore::new(3);
    /// let (first, second) = (semaphore.acquire()?, semaphore.acquire()?);
    /// semaphore.set_capacity(1);
    /// let now = semaphore.snapshot();
    /// assert_eq!((now.capacity, now.held, now.available), (1, 2, 0));
    /// drop(first);
    /// assert!(semaphore.try_acquire().is_err(), "one is held, and one is all there are");
    /// drop(second);
    /// assert!(semaphore.try_acquire().is_ok());
    /// # Ok::<(), gristmill::AcquireError>(())
    /// ```
    pub fn set_capacity(&self, capacity: usize) {
        self.core.change_capacity(|_| capacity as u64);
    }

    /// Adds so many permits to those that there are, up to [`MAX_CAPACITY`](Self::MAX_CAPACITY); see [Capacity](Self#capacity).
    pub fn raise_capacity(&self, permits: usize) {
        self.core.change_capacity(|capacity| capacity.saturating_add(permits as u64));
    }

    /// Takes so many permits from those that there are, down to none; see [Capacity](Self#capacity).
    pub fn lower_capacity(&self, permits: usize) {
        self.core.change_capacity(|capacity| capacity.saturating_sub(permits as u64));
    }

    /// Refuses everybody from now on, those who wait included; `true` if this call did it, `false` if it was closed before.
    ///
    /// Permits that are held stay so, and may be given back at any time. It cannot be opened again.
    ///
    /// ```
    /// use gristmill::Semaphore;
    ///
    /// let semaphore = Semaphore::new(1);
    /// let permit = semaphore.acquire()?;
    /// assert!(semaphore.close());
    /// assert!(semaphore.acquire().unwrap_err().is_closed());
    /// drop(permit); // may be given back at any time
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn close(&self) -> bool {
        self.core.close()
    }

    /// Whether it is closed.
    pub fn is_closed(&self) -> bool {
        self.core.read().is_closed()
    }

    /// The state at one moment. Waits for a lock, for as long as it takes others to queue or to be woken.
    pub fn snapshot(&self) -> SemaphoreSnapshot {
        let (reading, capacity, waiting) = self.core.read_all();
        SemaphoreSnapshot {
            capacity: to_usize(capacity),
            available: to_usize(reading.available()),
            held: to_usize(reading.held(capacity)),
            waiting,
            is_closed: reading.is_closed(),
        }
    }
}

// No lock: a semaphore can be printed from anywhere, a panic hook included. The parts are read one after the other.
impl fmt::Debug for Semaphore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reading = self.core.read();
        formatter
            .debug_struct("Semaphore")
            .field("capacity", &self.capacity())
            .field("available", &reading.available())
            .field("queued", &reading.is_queued())
            .field("closed", &reading.is_closed())
            .finish_non_exhaustive()
    }
}

// User code never runs under its lock, so a panic cannot leave it half-changed.
impl UnwindSafe for Semaphore {}
impl RefUnwindSafe for Semaphore {}
