//! Keys that are held after a failure, for inspection.

use std::hash::Hash;

use super::keys::Key;
use super::report::ReturnedTask;
use super::submitter::Submitter;

impl<'env, S: 'static> Submitter<'env, S> {
    /// The keys that are held because a task of theirs failed, in the order in which they became busy. Empty unless the pool was
    /// built with [`KeyFailure::Hold`](super::KeyFailure::Hold).
    ///
    /// Whoever has seen the failure, by the task's handle or in the counts, finds its key here, and may release or take it.
    ///
    /// When the pool is closed, what waits for a held key is handed back, and so it is after every later failure.
    ///
    /// ```
    /// use gristmill::{KeyFailure, ThreadPool};
    ///
    /// let pool = ThreadPool::builder().workers(1).on_key_failure(KeyFailure::Hold).build()?;
    /// let bad = pool.task().key("account 7").fallible().submit(|_| Err::<(), _>("overdrawn"))?;
    /// let rest = pool.task().key("account 7").submit(|_| "booked")?;
    /// assert_eq!(bad.wait()?, Err("overdrawn"));
    /// assert_eq!(pool.held_keys()[0].downcast_ref(), Some(&"account 7"));
    /// pool.release_key("account 7"); // or `take_key`, to have the rest back
    /// assert_eq!(rest.wait()?, "booked");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Cost
    /// Linear in the keys that are busy or held.
    pub fn held_keys(&self) -> Vec<Key> {
        self.core().held_keys()
    }

    /// Lets a held key go on with the next of its tasks; false if it is not held.
    ///
    /// # Panics
    /// If the key's `Hash` or `Eq` does; then nothing has changed.
    pub fn release_key<K: Hash + Eq + Send + Sync + 'static>(&self, key: K) -> bool {
        self.core().release_key(&Key::new(key))
    }

    /// Takes what waits for a held key, oldest first; the key is idle then, and its next task runs. Empty if it is not held.
    ///
    /// ```
    /// use gristmill::{KeyFailure, ThreadPool};
    ///
    /// let pool = ThreadPool::builder().on_key_failure(KeyFailure::Hold).build()?;
    /// let first = pool.task().key(7).fallible().submit(|_| "x".parse::<u32>())?;
    /// assert!(first.wait()?.is_err());
    /// let rest = pool.task().key(7).name("step 2").submit(|_| ())?;
    /// let taken = pool.take_key(7);
    /// assert_eq!((taken.len(), &*taken[0].name()), (1, "step 2"));
    /// assert!(rest.wait().is_err_and(|error| error.is_returned()));
    /// assert!(pool.held_keys().is_empty()); // the next task of the key runs
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Panics
    /// If the key's `Hash` or `Eq` does; then nothing has changed.
    pub fn take_key<K: Hash + Eq + Send + Sync + 'static>(&self, key: K) -> Vec<ReturnedTask<'env>> {
        self.core().take_key(&Key::new(key)).into_iter().flat_map(ReturnedTask::each).collect()
    }
}
