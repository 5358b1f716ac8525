//! Building a pool: each setting, its default, and the reason for it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::distribution::Distribution;
use super::error::BuildError;
use super::limits::{MAX_QUEUE_BOUND, MAX_WORKERS};
use super::rules::Rules;
use super::saturation::Saturation;
use super::sizing;
use super::supervisor::Watch;
use super::worker::Plan;
use crate::cancel::CancellationToken;
use crate::sync::thread;

/// Long enough that workers do not run dry while a submitter has lost its core for a few milliseconds of short tasks, and
/// short enough that what is queued stays below a megabyte at a few hundred bytes a task.
const DEFAULT_QUEUE_BOUND: usize = 1024;

/// A task that polls its token does so every few milliseconds; one that has not stopped after a second is worth a report.
const DEFAULT_STOP_GRACE: Duration = Duration::from_secs(1);

const DEFAULT_NAME: &str = "gristmill";

/// Settings of a pool; made by [`ThreadPool::builder`](super::ThreadPool::builder).
///
/// | setting | default | why |
/// |---|---|---|
/// | [`workers`](Self::workers) | the cores this process may use | more threads than cores only add switches to CPU-bound work |
/// | [`queue_bound`](Self::queue_bound) | 1024 tasks | bridges a submitter's pause, and stays below a megabyte |
/// | [`name`](Self::name) | `gristmill` | threads are `gristmill-0`, `gristmill-1` … in debuggers and `ps` |
/// | [`stack_size`](Self::stack_size) | the platform's | |
/// | [`stop_grace`](Self::stop_grace) | 1 s | tasks that poll their token stop sooner; the others get reported |
/// | [`saturation`](Self::saturation) | block | slows the producer down, loses nothing |
/// | [`distribution`](Self::distribution) | shared queue | no worker is idle while a task waits |
/// | [`ageing`](Self::ageing) | 1024 submissions a level | of what is queued at the same time the higher priority starts first |
/// | [`key_bound`](Self::key_bound) | a quarter of the queue | a busy key leaves places to others |
/// | [`on_key_failure`](Self::on_key_failure) | continue | |
/// | [`adaptive`](Self::adaptive) | no | a batch that computes wants its cores all the time |
/// | [`token`](Self::token), hooks, rates, caps, [`worker_state`](Self::worker_state) | none | |
///
/// ```
/// use gristmill::ThreadPool;
///
/// let pool = ThreadPool::builder().workers(2).queue_bound(16).name("mill").build()?;
/// let name = pool.submit(|| std::thread::current().name().map(str::to_owned))?;
/// assert!(name.wait()?.is_some_and(|name| name.starts_with("mill-")));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a builder does nothing until `build` or `scope`"]
pub struct ThreadPoolBuilder<'env, S = ()> {
    pub(super) workers: Option<usize>,
    pub(super) queue_bound: usize,
    pub(super) name: Arc<str>,
    pub(super) stack_size: Option<usize>,
    pub(super) stop_grace: Duration,
    pub(super) token: Option<CancellationToken>,
    pub(super) plan: Plan<'env, S>,
    pub(super) rules: Rules<'env>,
    pub(super) watch: Watch<'env>,
    /// Whether `build` waits for the workers' states.
    pub(super) await_state: bool,
}

impl ThreadPoolBuilder<'_> {
    pub(super) fn new() -> Self {
        Self {
            workers: None,
            queue_bound: DEFAULT_QUEUE_BOUND,
            name: Arc::from(DEFAULT_NAME),
            stack_size: None,
            stop_grace: DEFAULT_STOP_GRACE,
            token: None,
            plan: Plan { on_start: None, on_stop: None, make: Arc::new(|_| ()), finish: None },
            rules: Rules::default(),
            watch: Watch::default(),
            await_state: false,
        }
    }
}

impl<'env, S: 'static> ThreadPoolBuilder<'env, S> {
    /// The number of workers, 1 to [`MAX_WORKERS`]. Zero is an error at `build`: a pool without workers would accept tasks
    /// and never run them.
    pub fn workers(mut self, workers: usize) -> Self {
        self.workers = Some(workers);
        self
    }

    /// One worker for each core that this process may use, which is the default: for work that computes all the time, where
    /// one more worker only adds switches.
    ///
    /// The cores are counted at this call. On Linux these are the cores of the calling thread's affinity mask, at most the
    /// quota of the process's own cgroup, of which a fraction is rounded up (1.5 cores are 2, 0.2 are 1); quotas of enclosing
    /// cgroups are not seen, and where there is a quota the first count in the process stays. Of the four presets and
    /// [`workers`](Self::workers), the last one called counts.
    ///
    /// ```
    /// use gristmill::ThreadPool;
    ///
    /// let pool = ThreadPool::builder().cpu_bound().name("hash").build()?; // or io_bound(), mixed(), physical_cores()
    /// # drop(pool);
    /// # Ok::<(), gristmill::BuildError>(())
    /// ```
    pub fn cpu_bound(self) -> Self {
        self.workers(sizing::cpu_bound(thread::available_cores()))
    }

    /// Two workers for each core that this process may use (counted as for [`cpu_bound`](Self::cpu_bound)): for tasks that
    /// wait about as long as they compute, such as reading a file and hashing it. Tasks that mostly wait want more:
    /// [`workers`](Self::workers) with cores times one plus the ratio of waiting to computing.
    pub fn io_bound(self) -> Self {
        self.workers(sizing::io_bound(thread::available_cores()))
    }

    /// One and a half workers for each core that this process may use (counted as for [`cpu_bound`](Self::cpu_bound)),
    /// rounded up: 2 for one core, 5 for three. For tasks that compute with some waiting in between.
    pub fn mixed(self) -> Self {
        self.workers(sizing::mixed(thread::available_cores()))
    }

    /// One worker for each physical core of the machine, at most as many as [`cpu_bound`](Self::cpu_bound): for work whose
    /// bottleneck is shared by the hardware threads of a core, such as its floating-point units or its caches.
    ///
    /// An affinity mask limits the number, but does not say which cores it names: with a mask of the two hardware threads
    /// of one core these are two workers. Where the platform does not tell physical cores, all cores count.
    pub fn physical_cores(self) -> Self {
        self.workers(sizing::physical_cores(thread::physical_cores(), thread::available_cores()))
    }

    /// How many tasks may be queued, 1 to [`MAX_QUEUE_BOUND`]; those that are running do not count. Zero is an error at
    /// `build`: it would mean that a task is handed over only to a worker that is idle at that instant, and `try_submit`
    /// would fail by chance.
    pub fn queue_bound(mut self, bound: usize) -> Self {
        self.queue_bound = bound;
        self
    }

    /// The pool's name; worker `i` runs on a thread named `name-i`.
    pub fn name(mut self, name: impl Into<Arc<str>>) -> Self {
        self.name = name.into();
        self
    }

    /// The stack size of each worker, in bytes.
    pub fn stack_size(mut self, bytes: usize) -> Self {
        self.stack_size = Some(bytes);
        self
    }

    /// How long a shutdown that has cancelled the running tasks waits for them before it reports them as stuck.
    /// `Duration::ZERO` reports at once what is running; `Duration::MAX` waits without limit.
    pub fn stop_grace(mut self, grace: Duration) -> Self {
        self.stop_grace = grace;
        self
    }

    /// A token for the whole pool. When it is cancelled, queued tasks do not start and end as cancelled, the tokens of
    /// running tasks are cancelled, and blocked submissions and waits for all tasks end. The pool itself stays until it is
    /// shut down or dropped, and refuses submissions.
    pub fn token(mut self, token: &CancellationToken) -> Self {
        self.token = Some(token.clone());
        self
    }

    /// Called on each worker's thread before anything else, with the worker's index. A panic in it is kept for the
    /// report; the worker goes on.
    ///
    /// Neither this hook nor that at the end nor the makers of a [`worker_state`](Self::worker_state) are tasks: they must not wait
    /// for the pool, change its size or end it.
    pub fn on_worker_start(mut self, hook: impl Fn(usize) + Send + Sync + 'env) -> Self {
        self.plan.on_start = Some(Arc::new(hook));
        self
    }

    /// Called on each worker's thread after everything else. A panic in it is kept for the report.
    pub fn on_worker_stop(mut self, hook: impl Fn(usize) + Send + Sync + 'env) -> Self {
        self.plan.on_stop = Some(Arc::new(hook));
        self
    }

    /// Gives each worker a state of its own: `make` makes it and `finish` ends it, each once per worker, on the worker's
    /// thread, so that neither `Send` nor a lock is needed. Tasks get it from their
    /// [`TaskContext`](super::TaskContext::state).
    ///
    /// `build` then waits until all states are made. A panic in `make` is an error of `build`, and the states that were
    /// made are ended. A panic in `finish` is kept for the report.
    ///
    /// ```
    /// use gristmill::ThreadPool;
    ///
    /// let pool = ThreadPool::builder()
    ///     .workers(1)
    ///     .worker_state(|_worker| 0_u64, |worker, rounds| println!("worker {worker}: {rounds} rounds"))
    ///     .build()?;
    /// let rounds = pool.task().submit(|context| {
    ///     *context.state() += 10;
    ///     *context.state()
    /// })?;
    /// assert_eq!(rounds.wait()?, 10);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn worker_state<T: 'static>(
        self,
        make: impl Fn(usize) -> T + Send + Sync + 'env,
        finish: impl Fn(usize, T) + Send + Sync + 'env,
    ) -> ThreadPoolBuilder<'env, T> {
        let Self { workers, queue_bound, name, stack_size, stop_grace, token, plan, rules, watch, .. } = self;
        let Plan { on_start, on_stop, .. } = plan;
        let plan = Plan { on_start, on_stop, make: Arc::new(make), finish: Some(Arc::new(finish)) };
        ThreadPoolBuilder {
            workers,
            queue_bound,
            name,
            stack_size,
            stop_grace,
            token,
            plan,
            rules,
            watch,
            await_state: true,
        }
    }

    pub(super) fn check(&self, workers: usize) -> Result<(), BuildError> {
        if !(1..=MAX_WORKERS).contains(&workers) {
            return Err(BuildError::Workers { workers });
        }
        if !(1..=MAX_QUEUE_BOUND).contains(&self.queue_bound) {
            return Err(BuildError::QueueBound { bound: self.queue_bound });
        }
        if self.await_state && self.rules.saturation == Saturation::CallerRuns {
            return Err(BuildError::CallerHasNoState);
        }
        if let Some((priority, _)) = self.rules.caps.iter().find(|(_, cap)| **cap == 0) {
            return Err(BuildError::PriorityCap { priority: *priority });
        }
        if !self.rules.caps.is_empty() && self.rules.distribution != Distribution::Shared {
            return Err(BuildError::CapsNeedSharedQueue);
        }
        if self.watch.slow.as_ref().is_some_and(|(limit, _)| limit.is_zero()) {
            return Err(BuildError::SlowTask);
        }
        if self.rules.key_bound == Some(0) {
            return Err(BuildError::KeyBound);
        }
        // Above this the platform's rounding up to whole pages overflows.
        if let Some(bytes) = self.stack_size.filter(|bytes| isize::try_from(*bytes).is_err()) {
            return Err(BuildError::StackSize { bytes });
        }
        if self.name.contains('\0') {
            return Err(BuildError::Name { name: Arc::clone(&self.name) });
        }
        Ok(())
    }
}

impl<S> fmt::Debug for ThreadPoolBuilder<'_, S> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ThreadPoolBuilder")
            .field("workers", &self.workers)
            .field("queue_bound", &self.queue_bound)
            .field("name", &self.name)
            .field("stack_size", &self.stack_size)
            .field("stop_grace", &self.stop_grace)
            .finish_non_exhaustive()
    }
}
