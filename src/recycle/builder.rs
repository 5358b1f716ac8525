//! Making a pool: its hooks and settings.

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;

use super::error::ObjectPoolError;
use super::hooks::Hooks;
use super::pool::{Create, ObjectPool};
use super::store::Store;
use crate::clock::{Clock, SystemClock};
use crate::panics;
use crate::semaphore::Semaphore;
use crate::sync::time::Duration;

impl<T> ObjectPool<T> {
    /// A pool of at most `capacity` objects, which `create` makes when there is none to use again.
    ///
    /// 1 to [`Semaphore::MAX_CAPACITY`]; more counts as that, and is as good as no limit. Nothing is allocated for it in advance.
    pub fn builder(
        capacity: usize,
        create: impl Fn() -> T + Send + Sync + 'static,
    ) -> ObjectPoolBuilder<T, Infallible> {
        Self::try_builder(capacity, move || Ok(create()))
    }
}

impl<T, E> ObjectPool<T, E> {
    /// As [`builder`](ObjectPool::builder), with a `create` that can fail.
    pub fn try_builder(
        capacity: usize,
        create: impl Fn() -> Result<T, E> + Send + Sync + 'static,
    ) -> ObjectPoolBuilder<T, E> {
        ObjectPoolBuilder {
            capacity,
            create: Box::new(create),
            hooks: Hooks { check: None, reset: None, dispose: None },
            max_idle: None,
            clock: Arc::new(SystemClock),
        }
    }
}

/// Builds an [`ObjectPool`]; made by [`ObjectPool::builder`] and [`ObjectPool::try_builder`].
#[must_use = "a builder does nothing until `build`"]
pub struct ObjectPoolBuilder<T, E = Infallible> {
    capacity: usize,
    create: Create<T, E>,
    hooks: Hooks<T>,
    max_idle: Option<Duration>,
    clock: Arc<dyn Clock>,
}

impl<T, E> ObjectPoolBuilder<T, E> {
    /// Whether an idle object may still be used, asked each time before it is; if not, it is dropped, and the next one is taken or made. All
    /// may be, unless it is set.
    ///
    /// Not asked of objects that were just made. One whose check panics is dropped, too.
    ///
    /// ```
    /// use gristmill::ObjectPool;
    ///
    /// // A connection may break while it is idle.
    /// let connections = ObjectPool::builder(1, || Some("connected")).check(|connection| connection.is_some()).build()?;
    /// *connections.take()? = None;
    /// assert_eq!(*connections.take()?, Some("connected")); // a new one
    /// assert_eq!(connections.report().discarded.failed_check, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn check(mut self, check: impl Fn(&mut T) -> bool + Send + Sync + 'static) -> Self {
        self.hooks.check = Some(Box::new(check));
        self
    }

    /// Makes a returned object as good as new, or says by `false` that it is broken: then it is dropped. Nothing is done, unless it is set.
    ///
    /// One whose reset panics is dropped, too. Not run for an object that its holder discarded, or whose holder panicked.
    pub fn reset(mut self, reset: impl Fn(&mut T) -> bool + Send + Sync + 'static) -> Self {
        self.hooks.reset = Some(Box::new(reset));
        self
    }

    /// Ends an object that the pool gives up, for whatever reason; it is dropped, unless this is set.
    ///
    /// Not run for objects that were [detached](super::Pooled::detach).
    ///
    /// ```
    /// use gristmill::ObjectPool;
    ///
    /// let (tell, told) = std::sync::mpsc::channel();
    /// let files = ObjectPool::builder(1, || "spool file").dispose(move |file| tell.send(file).unwrap()).build()?;
    /// drop(files.take()?); // comes back
    /// assert!(told.try_recv().is_err());
    /// files.clear();
    /// assert_eq!(told.try_recv()?, "spool file");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn dispose(mut self, dispose: impl Fn(T) + Send + Sync + 'static) -> Self {
        self.hooks.dispose = Some(Box::new(dispose));
        self
    }

    /// How long an object may be idle; for ever, unless it is set. Zero keeps nothing; more than 584 years is for ever.
    ///
    /// One that was idle for so long or longer is never given out. It is dropped when a call comes upon it, by the first call that takes or returns
    /// once it has been idle for twice as long, or by [`evict_expired`](ObjectPool::evict_expired): the pool has no thread of its own.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use gristmill::{ManualClock, ObjectPool};
    ///
    /// let clock = ManualClock::new(); // leave it out for the system's
    /// let pool = ObjectPool::builder(2, String::new).max_idle(Duration::from_secs(60)).clock(clock.clone()).build()?;
    /// drop(pool.take()?);
    /// clock.advance(Duration::from_secs(60));
    /// drop(pool.take()?); // another one
    /// assert_eq!((pool.report().created, pool.report().discarded.expired), (2, 1));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn max_idle(mut self, time: Duration) -> Self {
        self.max_idle = Some(time);
        self
    }

    /// The clock by which objects expire and waits are measured; the system's unless it is set. Tests give a clone of a
    /// [`ManualClock`](crate::clock::ManualClock).
    ///
    /// Not the one that ends a wait: time-outs and the deadlines of tokens are on the system's clock in any case, as everywhere where threads queue for
    /// permits.
    pub fn clock(mut self, clock: impl Clock + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// The pool, with no objects yet.
    ///
    /// # Errors
    /// The capacity is 0.
    pub fn build(self) -> Result<ObjectPool<T, E>, ObjectPoolError> {
        if self.capacity == 0 {
            return Err(ObjectPoolError::ZeroCapacity);
        }
        panics::note_locations();
        let capacity = self.capacity.min(Semaphore::MAX_CAPACITY);
        let store = Store::new(capacity, self.hooks, self.max_idle, self.clock);
        Ok(ObjectPool { store: Arc::new(store), create: self.create })
    }
}

impl<T, E> fmt::Debug for ObjectPoolBuilder<T, E> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ObjectPoolBuilder")
            .field("capacity", &self.capacity)
            .field("max_idle", &self.max_idle)
            .field("clock", &self.clock)
            .finish_non_exhaustive()
    }
}
