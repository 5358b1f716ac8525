//! Whether a pool is well: one call for whoever is on duty, and the counts for whoever shows progress.

use std::sync::Arc;
use std::time::Duration;

use super::core::Core;
use super::submitter::Submitter;
use crate::observe::{Degradation, Health, Runner, StuckCall};

impl<S: 'static> Submitter<'_, S> {
    /// How the pool is: stuck, if a task has been running for `threshold` or longer; degraded, if it works but not as it was asked to;
    /// healthy otherwise.
    ///
    /// **Stuck** is by the running tasks alone, also while the pool shuts down: on a worker, or on the thread of a submitter that found the queue full
    /// ([`Saturation::CallerRuns`](super::Saturation::CallerRuns)). Choose a threshold that no task of the pool should need, and none at all
    /// for tasks that run for as long as the program. `Duration::MAX` finds nothing stuck, and `Duration::ZERO` everything that runs. A task without name and
    /// token may be known to run only since somebody first looked, see [`RunningTask::elapsed`](super::RunningTask::elapsed): where that matters ask
    /// regularly, or have [`Watch::stuck`](crate::Watch::stuck) do it.
    ///
    /// **Degraded** is a pool
    /// - with fewer workers than the last [`resize`](super::ThreadPool::resize) asked for, since a thread could not be created or a worker's state not be
    ///   made; an [adaptive](super::ThreadPoolBuilder::adaptive) one, until it has what it wants or has given up on it;
    /// - one of whose hooks has panicked, or the end of a worker's state, until the report of a shutdown takes the panics;
    /// - that is [paused](Self::pause) while tasks wait;
    /// - that has [held keys](Self::held_keys).
    ///
    /// **Healthy** is all else: a pool without work; one whose queue is full and whose workers are all busy, which is what a bounded queue is for; one whose tasks wait for
    /// a rate, for their key or for a cap; an adaptive one at its limit; one that is closed, drains or has ended. How much is waiting, and for how long, is in the
    /// [snapshot](Self::snapshot).
    ///
    /// # Examples
    /// ```
    /// use std::sync::mpsc::channel;
    /// use std::time::Duration;
    /// use gristmill::{Runner, ThreadPool};
    ///
    /// let pool = ThreadPool::builder().workers(1).build()?;
    /// let (open, gate) = channel::<()>();
    /// let (came, comes) = channel();
    /// let task = pool.task().name("resize 17.png").submit(move |_| (came.send(()), gate.recv()))?;
    /// comes.recv()?;
    /// let health = pool.health(Duration::ZERO); // in earnest, longer than any task should take
    /// let stuck = &health.stuck()[0];
    /// assert_eq!((stuck.runner(), stuck.name()), (Runner::Worker(0), "resize 17.png"));
    /// assert!(health.to_string().starts_with("stuck: worker 0 runs \"resize 17.png\" for "));
    /// drop(open);
    /// task.wait()?.1.unwrap_err();
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Cost
    /// Reads a few words for each worker, and asks for two locks for a moment; less than a [snapshot](Self::snapshot). Linear in the keys that are busy or held.
    pub fn health(&self, threshold: Duration) -> Health {
        health(self.core(), threshold)
    }

    /// What says how many tasks have ended, however, and how many were accepted: never more ended than accepted.
    #[cfg(feature = "progress")]
    pub(crate) fn ended_and_submitted(&self) -> impl Fn() -> (u64, u64) + Send + use<S> {
        let gate = Arc::clone(&self.core().gate); // without what the tasks borrow
        move || {
            let totals = gate.counters.totals();
            (totals.ended(), totals.submitted)
        }
    }
}

fn health(core: &Core<'_>, threshold: Duration) -> Health {
    let gate = &*core.gate;
    let limit = Some(threshold).filter(|threshold| *threshold < Duration::MAX);
    let running = limit.map(|_| core.running()).unwrap_or_default().into_iter();
    let stuck = running.filter(|(task, _)| task.elapsed() >= threshold).map(|(task, since)| StuckCall {
        runner: task.worker.map_or(Runner::Submitter, Runner::Worker),
        name: Arc::clone(&task.name),
        since: gate.running.instant(since),
        elapsed: task.elapsed,
    });
    let mut degradations = Vec::new();
    // At the end the workers leave one by one, as they should.
    if let Some(wanted) = gate.unmet().filter(|_| !gate.is_finished()) {
        let present = core.workers();
        if present < wanted {
            degradations.push(Degradation::MissingWorkers { present, wanted });
        }
    }
    if let Some((panics, first)) = gate.panics_noted() {
        degradations.push(Degradation::HookPanicked { panics, first });
    }
    let queued = gate.counters.totals().queued();
    if queued > 0 && gate.is_paused() {
        degradations.push(Degradation::Paused { queued });
    }
    let keys = core.held_keys().len();
    if keys > 0 {
        degradations.push(Degradation::HeldKeys { keys });
    }
    Health::new(stuck.collect(), degradations)
}
