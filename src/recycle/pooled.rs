//! What is held, and returned when it is dropped.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;

use super::entry::Lease;
use super::store::Store;
use crate::sync::thread;

/// An object of a pool that is held; dropping it returns it.
///
/// `Pooled<'_, T>` borrows the pool, [`OwnedPooled`] does not. It may be sent to another thread and be dropped there. What does not concern the object is
/// called as a function, `Pooled::detach(buffer)`, so that it hides no method of the object's.
///
/// # Return
/// The reset hook is run, then the object is idle, or goes to whoever waits. An object whose holder panicked, so that this is dropped by the
/// unwinding, is dropped and not used again: nobody knows what state it was left in. Its place is free in any case. So it is, and the object
/// dropped, if the reset hook refuses it or panics, and if the pool is closed. The drop itself never panics: panics of the hook's or of the
/// object's own drop go to the panic hook and no further. It runs those two on the thread on which it is dropped.
///
/// One that is leaked, by [`std::mem::forget`], keeps its place for good.
///
/// # Examples
/// ```
/// use gristmill::{ObjectPool, Pooled};
///
/// let pool = ObjectPool::builder(2, || vec![0_u8; 1024]).build()?;
/// let (mut first, second) = (pool.take()?, pool.take()?);
/// first[0] = 7;
/// let kept: Vec<u8> = Pooled::detach(first); // for good: the pool may make another one
/// Pooled::discard(second);
/// assert_eq!((kept[0], pool.report().idle, pool.report().in_use), (7, 0, 0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "dropping it returns the object"]
pub struct Pooled<'a, T> {
    store: Reference<'a, T>,
    /// There until it is returned.
    lease: Option<Lease<T>>,
    /// It was taken during an unwinding: dropping it says nothing about its holder.
    taken_in_panic: bool,
}

/// An object of a pool that may outlive the borrow, and even the pool: then it is dropped when it comes back.
///
/// # Examples
/// ```
/// use gristmill::{ObjectPool, OwnedPooled};
///
/// let pool = ObjectPool::builder(2, String::new).build()?;
/// let mut text: OwnedPooled<String> = pool.take_owned()?;
/// let thread = std::thread::spawn(move || text.push_str("elsewhere")); // returned at the end of it
/// thread.join().unwrap();
/// assert_eq!(pool.report().idle, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub type OwnedPooled<T> = Pooled<'static, T>;

enum Reference<'a, T> {
    Borrowed(&'a Store<T>),
    Owned(Arc<Store<T>>),
}

const IS_THERE: &str = "an object is there until it is returned";

impl<'a, T> Pooled<'a, T> {
    #[inline]
    pub(super) fn borrowed(store: &'a Store<T>, lease: Lease<T>) -> Self {
        Self::new(Reference::Borrowed(store), lease)
    }

    pub(super) fn owned(store: Arc<Store<T>>, lease: Lease<T>) -> Self {
        Self::new(Reference::Owned(store), lease)
    }

    #[inline]
    fn new(store: Reference<'a, T>, lease: Lease<T>) -> Self {
        Self { store, lease: Some(lease), taken_in_panic: thread::panicking() }
    }

    fn take_lease(&mut self) -> Lease<T> {
        self.lease.take().expect(IS_THERE)
    }

    /// Takes the object out of the pool for good; its place is free, without a call of any hook.
    ///
    /// ```
    /// use gristmill::{ObjectPool, Pooled};
    ///
    /// let buffers = ObjectPool::builder(1, Vec::<u8>::new).build()?;
    /// let mut buffer = buffers.take()?;
    /// buffer.extend(b"flour");
    /// let page: Vec<u8> = Pooled::detach(buffer); // to be kept
    /// assert!(buffers.try_take().is_ok_and(|buffer| buffer.is_empty())); // another one
    /// assert_eq!(page, b"flour");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn detach(mut this: Self) -> T {
        let lease = this.take_lease();
        this.store.get().detach(lease)
    }

    /// Drops the object instead of returning it; its place is free then. For one that is known to be broken.
    pub fn discard(mut this: Self) {
        let lease = this.take_lease();
        drop(this.store.get().discard(lease, |discarded| &mut discarded.by_holder));
    }
}

impl<T> Reference<'_, T> {
    #[inline]
    fn get(&self) -> &Store<T> {
        match self {
            Self::Borrowed(store) => store,
            Self::Owned(store) => store,
        }
    }
}

// As the pool; what a panic leaves of the object is the object's own matter.
impl<T: UnwindSafe> UnwindSafe for Pooled<'_, T> {}
impl<T: RefUnwindSafe> RefUnwindSafe for Pooled<'_, T> {}

impl<T> Drop for Pooled<'_, T> {
    #[inline]
    fn drop(&mut self) {
        let Some(lease) = self.lease.take() else { return };
        let store = self.store.get();
        if thread::panicking() && !self.taken_in_panic {
            drop(store.discard(lease, |discarded| &mut discarded.panicked));
        } else {
            store.put_back(lease);
        }
    }
}

impl<T> Deref for Pooled<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        self.lease.as_ref().expect(IS_THERE).object()
    }
}

impl<T> DerefMut for Pooled<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        self.lease.as_mut().expect(IS_THERE).object_mut()
    }
}

impl<T: fmt::Debug> fmt::Debug for Pooled<'_, T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, formatter)
    }
}
