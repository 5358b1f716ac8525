//! What becomes of the rest of a key after one of its tasks failed.

/// What becomes of a key's waiting tasks after one of its tasks has failed.
///
/// Tasks of other keys are not concerned. Use [`Hold`](Self::Hold) only where somebody looks after held keys: their tasks
/// count for the queue's bound until the key is released.
///
/// ```
/// use gristmill::{KeyFailure, ThreadPool};
///
/// let pool = ThreadPool::builder().on_key_failure(KeyFailure::Hold).build()?;
/// let first = pool.task().key("account 7").fallible().submit(|_| "x".parse::<u32>())?;
/// assert!(first.wait()?.is_err());
/// let second = pool.task().key("account 7").submit(|_| 42)?;
/// assert_eq!(pool.held_keys()[0].downcast_ref(), Some(&"account 7"));
/// assert!(pool.release_key("account 7")); // somebody has looked after it
/// assert_eq!(second.wait()?, 42);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum KeyFailure {
    /// The next task of the key runs, as if nothing had happened: for tasks that share a key to keep out of each other's way.
    #[default]
    Continue,
    /// The tasks of the key that wait at this moment are dropped unstarted; those submitted later run. For steps of one piece
    /// of work, of which each needs the one before it.
    DropRest,
    /// No task of the key runs, also none that is submitted later, until the key is released or its tasks are
    /// [taken](crate::pool::Submitter::take_key): for data that somebody has to look at first.
    Hold,
}
