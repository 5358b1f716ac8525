//! The pool whose tasks may borrow: its threads are those of a scope.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use super::report::ShutdownReport;
use super::shutdown::Shutdown;
use super::submitter::Submitter;
use super::threads::Threads;

/// A pool for borrowed data, inside [`ThreadPoolBuilder::scope`](super::ThreadPoolBuilder::scope).
///
/// It does what [`ThreadPool`](super::ThreadPool) does; its tasks may borrow for `'env`, whatever outlives the scope. Submitting and
/// waiting are methods of [`Submitter`], to which this dereferences. A task that submits to the same pool takes a clone of the
/// submitter along, since the pool itself does not outlive the scope.
///
/// ```
/// use gristmill::ThreadPool;
///
/// let text = String::from("one two three");
/// let words = ThreadPool::scope(|pool| {
///     let count = pool.submit(|| text.split(' ').count()).ok()?; // borrows
///     count.wait().ok()
/// })?;
/// assert_eq!(words, Some(3));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct ScopedPool<'scope, 'env, S: 'static = ()> {
    pub(super) submitter: Submitter<'env, S>,
    pub(super) threads: Arc<Threads<'scope>>,
}

impl<'scope, 'env, S: 'static> ScopedPool<'scope, 'env, S> {
    pub(super) fn new(submitter: Submitter<'env, S>, threads: Arc<Threads<'scope>>) -> Self {
        Self { submitter, threads }
    }

    /// The pool's submitter; clone it to hand it to tasks.
    pub fn submitter(&self) -> &Submitter<'env, S> {
        &self.submitter
    }

    /// As [`ThreadPool::shutdown`](super::ThreadPool::shutdown). Whatever the report says, the scope itself does not end before every thread has.
    #[track_caller]
    pub fn shutdown(&self, mode: Shutdown) -> ShutdownReport<'env> {
        self.threads.shutdown(self.submitter.core(), mode)
    }
}

impl<'env, S: 'static> Deref for ScopedPool<'_, 'env, S> {
    type Target = Submitter<'env, S>;

    fn deref(&self) -> &Self::Target {
        &self.submitter
    }
}

impl<S: 'static> Drop for ScopedPool<'_, '_, S> {
    fn drop(&mut self) {
        self.threads.drain_on_drop(self.submitter.core());
    }
}

impl<S: 'static> fmt::Debug for ScopedPool<'_, '_, S> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ScopedPool")
            .field("submitter", &self.submitter)
            .field("threads", &self.threads)
            .finish()
    }
}
