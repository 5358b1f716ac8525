//! The pool that owns its threads and all that its tasks use.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use super::report::ShutdownReport;
use super::shutdown::Shutdown;
use super::submitter::Submitter;
use super::threads::Threads;

/// Worker threads over one bounded queue.
///
/// Submitting and waiting are methods of [`Submitter`], to which this dereferences.
///
/// Dropping the pool drains it: it takes no more tasks, runs all that it has, and joins its threads. To stop early, or to
/// have a limit on the wait, [`shutdown`](Self::shutdown) first. A pool that is dropped by one of its own tasks cannot join
/// the thread it is on: it closes, and its threads drain the queue and end by themselves.
///
/// ```
/// use gristmill::ThreadPool;
///
/// let pool = ThreadPool::new()?;
/// let handles: Vec<_> = (0..4).map(|i| pool.submit(move || i * i)).collect::<Result<_, _>>()?;
/// let squares: Vec<i32> = handles.into_iter().map(|handle| handle.wait()).collect::<Result<_, _>>()?;
/// assert_eq!(squares, [0, 1, 4, 9]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct ThreadPool<S: 'static = ()> {
    pub(super) submitter: Submitter<'static, S>,
    pub(super) threads: Arc<Threads<'static>>,
}

impl<S: 'static> ThreadPool<S> {
    pub(super) fn new_owner(submitter: Submitter<'static, S>, threads: Arc<Threads<'static>>) -> Self {
        Self { submitter, threads }
    }

    /// The pool's submitter; clone it to hand it to tasks and other threads.
    pub fn submitter(&self) -> &Submitter<'static, S> {
        &self.submitter
    }

    /// Ends the pool in the given way and says what became of its tasks.
    ///
    /// If the report [is complete](ShutdownReport::is_complete), every task has ended and every thread is gone. If tasks would not
    /// stop in time, it names them, and their threads go on: call this again to wait longer, with
    /// [`Shutdown::Drain`] without limit; [`detach`](Self::detach) them; or drop the pool, which waits.
    ///
    /// Calling it again gives the counts as they are then. Of several calls, each waits until what it asks for is done.
    ///
    /// Called from one of the pool's own tasks it cannot wait for itself: it closes the pool (`Abort` and a drain time of zero also hand back and
    /// cancel), returns at once, and the report is not complete.
    ///
    /// ```
    /// use gristmill::{Shutdown, ThreadPool};
    ///
    /// let pool = ThreadPool::new()?;
    /// for i in 0..100 {
    ///     drop(pool.submit(move || i)?); // detached
    /// }
    /// let report = pool.shutdown(Shutdown::Drain);
    /// assert_eq!((report.submitted(), report.succeeded()), (100, 100));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn shutdown(&self, mode: Shutdown) -> ShutdownReport<'static> {
        self.threads.shutdown(self.submitter.core(), mode)
    }

    /// Closes the pool and lets its threads go: they drain the queue and end by themselves. For tasks that will not stop,
    /// when the program would rather end than wait.
    pub fn detach(self) {
        self.close();
        self.threads.let_go();
        // What is left for the drop is nothing to wait for: see there.
    }
}

impl<S: 'static> Deref for ThreadPool<S> {
    type Target = Submitter<'static, S>;

    fn deref(&self) -> &Self::Target {
        &self.submitter
    }
}

impl<S: 'static> Drop for ThreadPool<S> {
    fn drop(&mut self) {
        self.threads.drain_on_drop(self.submitter.core());
    }
}

impl<S: 'static> fmt::Debug for ThreadPool<S> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ThreadPool")
            .field("submitter", &self.submitter)
            .field("threads", &self.threads)
            .finish()
    }
}
