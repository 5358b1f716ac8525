//! What a pool is doing now: counts, times, and each worker's share.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::core::Core;
use super::counters::Totals;
use super::error::UNNAMED;
use super::meters::Spent;
use super::submitter::Submitter;
use crate::observe::Quantiles;
use crate::sync::time::{self, Instant};

/// A pool at one moment, by [`Submitter::snapshot`].
///
/// The counts close: `submitted` is the sum of `succeeded`, `failed`, `panicked`, `cancelled`, `returned`, `queued` and `running`. They
/// are read one after the other while the pool works, in an order in which none can come out too large: a task that moves on meanwhile is seen
/// where it was or where it went, never twice and never nowhere.
///
/// ```
/// use gristmill::ThreadPool;
///
/// let pool = ThreadPool::builder().workers(2).build()?;
/// let before = pool.snapshot();
/// pool.task().fallible().submit(|_| "x".parse::<u32>())?.wait()?.unwrap_err();
/// pool.submit(|| 42)?.wait()?;
/// pool.wait()?;
/// let now = pool.snapshot();
/// assert_eq!((now.submitted(), now.succeeded(), now.failed(), now.queued()), (2, 1, 1, 0));
/// assert_eq!(now.error_rate_since(&before), 0.5);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    at: Instant,
    totals: Totals,
    queued_by_priority: BTreeMap<i8, usize>,
    wait_time: Quantiles,
    run_time: Quantiles,
    workers: Vec<WorkerSnapshot>,
    callers: Vec<RunningTask>,
}

impl Snapshot {
    /// When it was taken.
    pub fn at(&self) -> Instant {
        self.at
    }

    pub(super) fn totals(&self) -> &Totals {
        &self.totals
    }

    /// How many tasks were accepted.
    pub fn submitted(&self) -> u64 {
        self.totals.submitted
    }

    /// How many tasks have started.
    pub fn started(&self) -> u64 {
        self.totals.started
    }

    /// How many tasks ran to their end, and did not fail.
    pub fn succeeded(&self) -> u64 {
        self.totals.succeeded
    }

    /// How many [fallible](super::TaskOptions::fallible) tasks returned an `Err`.
    pub fn failed(&self) -> u64 {
        self.totals.failed
    }

    /// How many tasks panicked.
    pub fn panicked(&self) -> u64 {
        self.totals.panicked
    }

    /// How many tasks were cancelled before they started.
    pub fn cancelled(&self) -> u64 {
        self.totals.cancelled
    }

    /// How many tasks were handed back before they started.
    pub fn returned(&self) -> u64 {
        self.totals.returned
    }

    /// How many tasks have not started, those included that wait for their key.
    pub fn queued(&self) -> u64 {
        self.totals.queued()
    }

    /// How many tasks are running.
    pub fn running(&self) -> u64 {
        self.totals.running()
    }

    /// What is in the queue, by priority: in sum what [`Submitter::queued`] says, less the tasks that wait for their key. A task that was
    /// cancelled counts until a worker comes to it, so while others cancel, the sum may be above [`queued`](Self::queued).
    pub fn queued_by_priority(&self) -> &BTreeMap<i8, usize> {
        &self.queued_by_priority
    }

    /// How long tasks waited from their acceptance to their start, the time included in which they waited for their key or a rate, or in
    /// which the pool was paused. While tasks take less than 20 microseconds on average, one in 64 is timed, and all of them otherwise.
    /// Those are not that a submitter or a waiting task runs itself, nor those of [`submit_many`](Submitter::submit_many) and the like.
    ///
    /// A worker notes the times of a task right after its end: who has just got its result may not find them here yet.
    pub fn wait_time(&self) -> Quantiles {
        self.wait_time
    }

    /// How long tasks ran; see [`wait_time`](Self::wait_time) for which are timed. Of those submitted together a worker may run several
    /// at once while they are short: these are one measurement, their average.
    pub fn run_time(&self) -> Quantiles {
        self.run_time
    }

    /// The workers that are there, by index: how even their shares are. [`started`](Self::started) is the sum of theirs, of those that
    /// have left, and of what submitters ran themselves.
    pub fn workers(&self) -> &[WorkerSnapshot] {
        &self.workers
    }

    /// The tasks that their submitters run themselves at the moment, since the queue was full
    /// ([`Saturation::CallerRuns`](super::Saturation::CallerRuns)), the oldest first.
    pub fn callers(&self) -> &[RunningTask] {
        &self.callers
    }
}

impl fmt::Display for Snapshot {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Totals { submitted, succeeded, failed, panicked, cancelled, returned, .. } = self.totals;
        writeln!(
            formatter,
            "{submitted} tasks: {} queued, {} running, {succeeded} succeeded, {failed} failed, {panicked} panicked, \
             {cancelled} cancelled, {returned} handed back",
            self.queued(),
            self.running(),
        )?;
        writeln!(formatter, "waited: {}", self.wait_time)?;
        write!(formatter, "ran: {}", self.run_time)?;
        for worker in &self.workers {
            write!(formatter, "\n{worker}")?;
        }
        for task in &self.callers {
            write!(formatter, "\nits submitter runs {task}")?;
        }
        Ok(())
    }
}

/// One worker in a [`Snapshot`].
///
/// ```
/// use gristmill::ThreadPool;
///
/// let pool = ThreadPool::builder().workers(2).build()?;
/// pool.submit(|| 42)?.wait()?;
/// pool.wait()?;
/// let now = pool.snapshot();
/// assert_eq!(now.workers().iter().map(|worker| worker.started()).sum::<u64>(), 1);
/// assert!(now.workers().iter().all(|worker| worker.running().is_none()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerSnapshot {
    worker: usize,
    started: u64,
    since: u64,
    there: Duration,
    idle: Duration,
    running: Option<RunningTask>,
    idle_for: Option<Duration>,
}

impl WorkerSnapshot {
    /// The worker's index, from 0.
    pub fn worker(&self) -> usize {
        self.worker
    }

    /// How many tasks it has started; a worker that came in place of another one counts on.
    pub fn started(&self) -> u64 {
        self.started
    }

    /// The share of its time in which it had work, 0 to 1.
    pub fn utilisation(&self) -> f64 {
        if self.there.is_zero() { 0.0 } else { 1.0 - self.idle.as_secs_f64() / self.there.as_secs_f64() }
    }

    /// Whether that was the same worker, and not another one in its place.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        (self.worker, self.since) == (other.worker, other.since)
    }

    /// For how long the worker has been there.
    pub fn there(&self) -> Duration {
        self.there
    }

    /// For how long it has had nothing to do in all.
    pub fn idle(&self) -> Duration {
        self.idle
    }

    /// What it runs, and since when; `None` if nothing.
    pub fn running(&self) -> Option<&RunningTask> {
        self.running.as_ref()
    }

    /// For how long it has had nothing to do, if it has nothing.
    pub fn idle_for(&self) -> Option<Duration> {
        self.idle_for
    }
}

impl fmt::Display for WorkerSnapshot {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { worker, started, .. } = self;
        write!(formatter, "worker {worker}: {started} started, {:.0} % busy", self.utilisation() * 100.0)?;
        match (&self.running, self.idle_for) {
            (Some(task), _) => write!(formatter, ", runs {task}"),
            (None, Some(idle)) => write!(formatter, ", idle for {idle:?}"),
            (None, None) => Ok(()),
        }
    }
}

/// A task that runs at the moment, on a worker or on the thread that submitted it.
///
/// ```
/// use std::sync::mpsc;
/// use gristmill::ThreadPool;
///
/// let pool = ThreadPool::builder().workers(1).build()?;
/// let (started, starts) = mpsc::channel();
/// let (release, released) = mpsc::channel::<()>();
/// let task = pool.task().name("resize").submit(move |_| (started.send(()), released.recv()))?;
/// starts.recv()?;
/// let now = pool.snapshot();
/// let running = now.workers()[0].running().expect("it waits for its release");
/// assert_eq!((running.name(), running.worker()), ("resize", Some(0)));
/// drop(release);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunningTask {
    pub(super) name: Arc<str>,
    pub(super) worker: Option<usize>,
    pub(super) elapsed: Duration,
}

impl RunningTask {
    /// The task's name; `task` if it was given none. A task that runs another one itself, because it waits for it or found the queue
    /// full, is named, not the other.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The index of the worker that runs it, from 0; `None` if its submitter runs it
    /// ([`Saturation::CallerRuns`](super::Saturation::CallerRuns)).
    pub fn worker(&self) -> Option<usize> {
        self.worker
    }

    /// For how long it has been running: exact for tasks that were submitted with [`Submitter::task`] and for tasks that are
    /// timed (see [`Snapshot::wait_time`]); for another one, since somebody first looked.
    pub fn elapsed(&self) -> Duration {
        self.elapsed
    }
}

impl fmt::Display for RunningTask {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} for {:?}", self.name, self.elapsed)
    }
}

impl<S: 'static> Submitter<'_, S> {
    /// What the pool is doing now: counts, waiting and running times, and each worker's share; also which worker runs what, and since when, so
    /// that a stuck one shows.
    ///
    /// ```
    /// use gristmill::ThreadPool;
    ///
    /// let pool = ThreadPool::builder().workers(2).build()?;
    /// for i in 0..100 {
    ///     drop(pool.submit(move || i)?);
    /// }
    /// pool.wait()?;
    /// let now = pool.snapshot();
    /// assert_eq!((now.submitted(), now.succeeded(), now.queued(), now.running()), (100, 100, 0, 0));
    /// println!("{now}");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Cost
    /// Nothing is counted for it that is not counted anyway, and workers are not stopped. It sorts the latest 256 times of each worker.
    pub fn snapshot(&self) -> Snapshot {
        snapshot(self.core())
    }
}

fn snapshot(core: &Core<'_>) -> Snapshot {
    let gate = &*core.gate;
    let queued_by_priority = core.queued_by_priority();
    let totals = gate.counters.totals();
    let at = time::now();
    let now = gate.running.now();
    let (mut running, mut callers) = (BTreeMap::new(), Vec::new());
    for (task, _) in core.running() {
        match task.worker {
            Some(worker) => _ = running.insert(worker, task),
            None => callers.push(task),
        }
    }
    let worker = |worker| {
        let spent = gate.meters.spent(worker, now)?;
        let running = running.remove(&worker);
        let idle_for = spent.idle_now.filter(|_| running.is_none());
        let started = gate.counters.started(worker);
        let Spent { since, there, idle, .. } = spent;
        Some(WorkerSnapshot { worker, started, since, there, idle, running, idle_for })
    };
    let workers = (0..gate.meters.len()).filter_map(worker).collect();
    Snapshot {
        at,
        totals,
        queued_by_priority,
        wait_time: gate.meters.wait_times(),
        run_time: gate.meters.run_times(),
        workers,
        callers,
    }
}

impl Core<'_> {
    /// What runs now, each with what tells it from the next task of the same worker.
    pub(super) fn running(&self) -> Vec<(RunningTask, u64)> {
        let named = |name: Option<Arc<str>>| name.unwrap_or_else(|| Arc::from(UNNAMED));
        let sightings = self.gate.running.sightings().into_iter();
        sightings
            .map(|seen| {
                let task = RunningTask { name: named(seen.name), worker: seen.worker, elapsed: seen.elapsed };
                (task, seen.since)
            })
            .collect()
    }
}
