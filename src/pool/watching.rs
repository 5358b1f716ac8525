//! Settings for which a pool needs a thread that watches it.

use std::sync::Arc;
use std::time::Duration;

use super::adaptive::AdaptiveSize;
use super::builder::ThreadPoolBuilder;
use super::snapshot::RunningTask;

impl<'env, S: 'static> ThreadPoolBuilder<'env, S> {
    /// Lets the number of workers follow the load: more while a backlog lasts and more workers bring more, fewer after lasting
    /// idleness. [`AdaptiveSize`] has the rules. The pool starts with what [`workers`](Self::workers) says, or its default, brought into
    /// the range. One more thread, `name-supervisor`, measures and decides.
    ///
    /// For tasks that wait (disk, network); tasks that compute are best served by a fixed number, the cores.
    ///
    /// ```
    /// use gristmill::{AdaptiveSize, ThreadPool};
    ///
    /// let pool = ThreadPool::builder().adaptive(AdaptiveSize::between(1, 8)).build()?;
    /// assert!((1..=8).contains(&pool.workers()));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn adaptive(mut self, size: AdaptiveSize) -> Self {
        self.watch.size = Some(size);
        self
    }

    /// Calls `hook`, once, for each task that runs for `limit` or longer: which one, on which worker, since when. The task goes on.
    ///
    /// One more thread, `name-supervisor`, looks four times within the limit, at most once a millisecond, and calls the hook: within a
    /// quarter of the limit, or within half of it for a plain closure, whose start may be unknown until the first look.
    /// `Duration::ZERO` is an error at `build`. A panic of the hook is kept for the report.
    ///
    /// The hook may look at the pool, submit to it and [resize](super::ThreadPool::resize) it. It cannot wait for the pool, as little as
    /// a task can; the end of the pool waits for a call that is under way.
    ///
    /// ```
    /// use std::sync::mpsc::channel;
    /// use std::time::Duration;
    /// use gristmill::ThreadPool;
    ///
    /// let (told, slow) = channel();
    /// let pool = ThreadPool::builder()
    ///     .slow_task(Duration::from_millis(5), move |task| told.send(task.name().to_owned()).unwrap())
    ///     .build()?;
    /// let stuck = pool.task().name("resize 17.png").submit(move |_| slow.recv())?;
    /// assert_eq!(stuck.wait()??, "resize 17.png"); // it was told of itself
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn slow_task(mut self, limit: Duration, hook: impl Fn(&RunningTask) + Send + Sync + 'env) -> Self {
        self.watch.slow = Some((limit, Arc::new(hook)));
        self
    }
}
