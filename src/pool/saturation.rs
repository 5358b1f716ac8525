//! What happens to a submission while the queue is full.

/// What [`submit`](super::Submitter::submit) does while the queue is full.
///
/// `try_submit` and `submit_timeout` say themselves what they do, and a worker that submits to its own full pool runs the task at
/// once, whatever is chosen here: it would wait for itself.
///
/// ```
/// use std::thread;
/// use gristmill::{Saturation, ThreadPool};
///
/// let pool = ThreadPool::builder().queue_bound(1).saturation(Saturation::CallerRuns).build()?;
/// pool.pause();
/// let queued = pool.submit(|| thread::current().id())?;
/// let run_here = pool.submit(|| thread::current().id())?;
/// assert_eq!(run_here.wait()?, thread::current().id());
/// pool.resume();
/// assert_ne!(queued.wait()?, thread::current().id());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Saturation {
    /// Waits for space: the producer is slowed down to what the workers can do.
    #[default]
    Block,
    /// Refuses; the task comes back in the [`SubmitError`](super::SubmitError).
    Reject,
    /// Runs the task on the calling thread before `submit` returns: the producer works instead of waiting. A task with a key waits
    /// for space all the same, since it may not pass others of its key.
    ///
    /// Not for pools with a [worker state](super::ThreadPoolBuilder::worker_state), which the caller has not.
    CallerRuns,
}
