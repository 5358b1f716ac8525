//! Who gets which task.

/// How tasks are shared out among the workers.
///
/// All but [`Shared`](Self::Shared) give a task to one worker when it is submitted, and nobody else starts it: a task behind a long one waits,
/// even while others are idle. That is worth it where a worker keeps something that the task needs (a cache, a connection), or where the
/// share of each has to be even. How even it is, a [snapshot](super::Submitter::snapshot) shows, worker by worker.
///
/// ```
/// use gristmill::{Distribution, ThreadPool};
///
/// let pool = ThreadPool::builder().workers(2).distribution(Distribution::RoundRobin).build()?;
/// for n in 0..6 {
///     drop(pool.submit(move || n)?);
/// }
/// pool.wait()?;
/// let shares: Vec<u64> = pool.snapshot().workers().iter().map(|worker| worker.started()).collect();
/// assert_eq!(shares, [3, 3]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Distribution {
    /// One queue; whoever is free takes the next task.
    #[default]
    Shared,
    /// One after the other.
    RoundRobin,
    /// Whoever has the fewest tasks, queued and running.
    LeastLoaded,
    /// Tasks with equal [keys](super::TaskOptions::key) to the same worker, as long as the number of workers does not change; tasks without a key
    /// one after the other. Several keys may share a worker.
    ByKey,
}
