//! Holding a pool's queue, letting it go on, and emptying it.

use super::report::ReturnedTask;
use super::submitter::Submitter;

impl<'env, S: 'static> Submitter<'env, S> {
    /// Keeps the workers from starting queued tasks. What runs finishes, and may still run tasks that it waits for; submissions
    /// are accepted until the queue is full.
    ///
    /// Pausing twice changes nothing. A shutdown and the drop of the pool resume it, since they would wait for ever, and from then on
    /// this changes nothing. A worker that is about to start a task may still do so after this call.
    ///
    /// ```
    /// use std::time::Duration;
    /// use gristmill::ThreadPool;
    ///
    /// let pool = ThreadPool::new()?;
    /// pool.pause();
    /// let task = pool.submit(|| 7)?;
    /// let task = task.wait_timeout(Duration::from_millis(1)).unwrap_err(); // it does not start
    /// pool.resume();
    /// assert_eq!(task.wait()?, 7);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn pause(&self) {
        self.core().pause();
    }

    /// Lets the workers go on after [`pause`](Self::pause); otherwise changes nothing.
    pub fn resume(&self) {
        self.core().resume();
    }

    /// Whether the pool is paused.
    pub fn is_paused(&self) -> bool {
        self.core().gate.is_paused()
    }

    /// Takes every task that has not started out of the queue and gives them back, oldest first. Their handles end with
    /// [`TaskError::Returned`](super::TaskError::Returned). The pool stays open, what runs goes on, and
    /// [held keys](Self::held_keys) stay held.
    ///
    /// ```
    /// use gristmill::ThreadPool;
    ///
    /// let pool = ThreadPool::new()?;
    /// pool.pause();
    /// let task = pool.submit(|| println!("grist"))?;
    /// let unstarted = pool.purge();
    /// assert_eq!(unstarted.len(), 1);
    /// assert!(task.wait().is_err_and(|error| error.is_returned()));
    /// for task in unstarted {
    ///     task.run()?; // here, on this thread
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn purge(&self) -> Vec<ReturnedTask<'env>> {
        self.core().purge().into_iter().flat_map(ReturnedTask::each).collect()
    }
}
