//! Settings of the queue: what happens when it is full, in which order tasks start, and what keys mean.

use super::builder::ThreadPoolBuilder;
use super::distribution::Distribution;
use super::keys::KeyFailure;
use super::saturation::Saturation;
use crate::panics::Panic;
use crate::policy::RateLimiter;
use std::sync::Arc;

impl<'env, S: 'static> ThreadPoolBuilder<'env, S> {
    /// What [`submit`](super::Submitter::submit) does while the queue is full.
    ///
    /// ```
    /// use gristmill::{Saturation, ThreadPool};
    ///
    /// let pool = ThreadPool::builder().workers(1).queue_bound(1).saturation(Saturation::Reject).build()?;
    /// pool.pause();
    /// let first = pool.submit(|| 1)?;
    /// let refused = pool.submit(|| 2).map(drop).unwrap_err();
    /// assert!(refused.is_full());
    /// let second = refused.into_task(); // nothing is lost
    /// assert_eq!(second(), 2);
    /// pool.resume();
    /// assert_eq!(first.wait()?, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn saturation(mut self, saturation: Saturation) -> Self {
        self.rules.saturation = saturation;
        self
    }

    /// How tasks are shared out among the workers. A cap on a priority needs the shared queue: with another distribution it is an
    /// error at `build`.
    ///
    /// ```
    /// use gristmill::{Distribution, ThreadPool};
    ///
    /// let pool = ThreadPool::builder().workers(2).distribution(Distribution::RoundRobin).build()?;
    /// let worker = || pool.task().submit(|context| context.worker());
    /// let workers = [worker()?, worker()?, worker()?].map(|worker| worker.wait().unwrap());
    /// assert_eq!(workers, [Some(0), Some(1), Some(0)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn distribution(mut self, distribution: Distribution) -> Self {
        self.rules.distribution = distribution;
        self
    }

    /// What a level of [priority](super::TaskOptions::priority) is worth: `submissions`, 1024 by default.
    ///
    /// A task is overtaken by at most `difference * submissions` later ones, where `difference` is that of the levels: so a low task
    /// under a steady stream of high ones starts after what was queued before it and that many more. `u64::MAX` means that nothing ages
    /// and a low task may wait for ever; 0, that levels do not count.
    ///
    /// ```
    /// use std::sync::Mutex;
    /// use gristmill::ThreadPool;
    ///
    /// let started = Mutex::new(Vec::new());
    /// ThreadPool::builder().workers(1).ageing(2).scope(|pool| {
    ///     pool.pause();
    ///     for (name, priority) in [("low", 0), ("first", 1), ("second", 1), ("third", 1)] {
    ///         let started = &started;
    ///         let _ = pool.task().priority(priority).submit(move |_| started.lock().unwrap().push(name));
    ///     }
    ///     pool.resume();
    /// })?;
    /// assert_eq!(*started.lock().unwrap(), ["first", "second", "low", "third"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn ageing(mut self, submissions: u64) -> Self {
        self.rules.ageing = submissions;
        self
    }

    /// Lets at most `tasks` of that priority run at once, at least 1; others take their workers. No level has a cap by default.
    ///
    /// A task that a waiting task runs itself does not count, nor does one that its submitter runs because the queue is full. With a cap on any level, tasks are taken from the queue one by one.
    pub fn priority_cap(mut self, priority: i8, tasks: usize) -> Self {
        self.rules.caps.insert(priority, tasks);
        self
    }

    /// Lets at most `tasks`, at least 1, wait for each [key](super::TaskOptions::key); the one whose turn it is does not count. A submission
    /// beyond that finds the pool full. By default a quarter of the queue's bound, so that one busy key leaves places to others.
    ///
    /// ```
    /// use gristmill::{Refusal, ThreadPool};
    ///
    /// let pool = ThreadPool::builder().key_bound(1).build()?;
    /// pool.pause();
    /// let turn = pool.task().key("tenant 7").try_submit(|_| 1)?;
    /// let waits = pool.task().key("tenant 7").try_submit(|_| 2)?;
    /// let refused = pool.task().key("tenant 7").try_submit(|_| 3).unwrap_err();
    /// assert!(matches!(refused.refusal(), Refusal::KeyFull));
    /// let other = pool.task().key("tenant 8").try_submit(|_| 4)?; // has places of its own
    /// pool.resume();
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn key_bound(mut self, tasks: usize) -> Self {
        self.rules.key_bound = Some(tasks);
        self
    }

    /// What happens to the tasks that wait for a key when the one before them fails: panics, or, if it was submitted as
    /// [fallible](super::TaskOptions::fallible), returns an `Err`.
    ///
    /// ```
    /// use gristmill::{KeyFailed, KeyFailure, TaskError, ThreadPool};
    ///
    /// let pool = ThreadPool::builder().on_key_failure(KeyFailure::DropRest).build()?;
    /// pool.pause();
    /// let first = pool.task().key("order 7").fallible().submit(|_| "x".parse::<u32>())?;
    /// let second = pool.task().key("order 7").submit(|_| ())?;
    /// pool.resume();
    /// assert!(first.wait()?.is_err());
    /// let Err(TaskError::Cancelled { cause, .. }) = second.wait() else { unreachable!("it is dropped") };
    /// assert!(cause.cause().is_some_and(|why| why.is::<KeyFailed>()));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn on_key_failure(mut self, then: KeyFailure) -> Self {
        self.rules.on_key_failure = then;
        self
    }

    /// Lets tasks start no faster than `limiter` allows, those included that a submitter or a waiting task runs itself. The same limiter may
    /// serve several pools, and anything else; they share its rate. Of a [group](crate::ErrorGroup) on the pool, it is the runners that start by it, and not each task.
    ///
    /// Nobody is blocked meanwhile but the workers: they sleep, the queue fills, and submitters are slowed down by its bound. For a limit on some
    /// tasks only, give them a [rate](super::TaskOptions::rate) of their own.
    ///
    /// ```
    /// use std::time::Duration;
    /// use gristmill::{RateLimiter, ThreadPool};
    ///
    /// let limiter = RateLimiter::builder(1000, Duration::from_secs(1)).burst(20).build()?;
    /// let pool = ThreadPool::builder().rate(&limiter).build()?;
    /// let requests: Vec<_> = (0..30).map(|i| pool.submit(move || i)).collect::<Result<_, _>>()?;
    /// assert_eq!(requests.into_iter().map(|request| request.wait().unwrap()).sum::<i32>(), 435);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn rate(mut self, limiter: &RateLimiter) -> Self {
        self.rules.rate = Some(limiter.clone());
        self
    }

    /// Called with the panic of each task, on the thread it ran on, before its handle sees the result. For logs and alarms: whoever
    /// waits for the task is told in any case. A panic of the hook is kept for the report.
    ///
    /// ```
    /// use std::sync::atomic::{AtomicUsize, Ordering};
    /// use gristmill::ThreadPool;
    ///
    /// let seen = AtomicUsize::new(0);
    /// let count = |_: &gristmill::Panic| _ = seen.fetch_add(1, Ordering::Relaxed);
    /// ThreadPool::builder().on_task_panic(count).scope(|pool| {
    ///     drop(pool.submit(|| panic!("a bad record"))); // detached: nobody waits for it
    /// })?;
    /// assert_eq!(seen.into_inner(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn on_task_panic(mut self, hook: impl Fn(&Panic) + Send + Sync + 'env) -> Self {
        self.rules.on_panic = Some(Arc::new(hook));
        self
    }
}
