//! A pool's snapshot in figures.

use std::time::Duration;

use super::counters::Totals;
use super::report::ShutdownReport;
use super::snapshot::{Snapshot, WorkerSnapshot};
use crate::observe::{Measured, Measurement, Measuring, metrics, per_second, share};

impl Snapshot {
    /// How many tasks ran to their end: they succeeded, failed or panicked.
    pub fn finished(&self) -> u64 {
        self.succeeded() + self.failed() + self.panicked()
    }

    /// The share of tasks that failed or panicked in those that [finished](Self::finished), 0 to 1.
    pub fn error_rate(&self) -> f64 {
        share(self.failed() + self.panicked(), self.finished())
    }

    /// As [`error_rate`](Self::error_rate), of the tasks that finished since an earlier snapshot of the same pool.
    pub fn error_rate_since(&self, earlier: &Self) -> f64 {
        let errors = |snapshot: &Self| snapshot.failed() + snapshot.panicked();
        let finished = self.finished().saturating_sub(earlier.finished());
        share(errors(self).saturating_sub(errors(earlier)), finished)
    }

    /// How many tasks finished in a second, since an earlier snapshot of the same pool.
    pub fn throughput_since(&self, earlier: &Self) -> f64 {
        let time = self.at().saturating_duration_since(earlier.at());
        per_second(self.finished().saturating_sub(earlier.finished()), time)
    }

    /// The share of their time in which the workers had work, 0 to 1: of those that are there, since each came.
    pub fn utilisation(&self) -> f64 {
        busy_share(self.workers().iter().map(|worker| (worker.there(), worker.idle())))
    }

    /// As [`utilisation`](Self::utilisation), since an earlier snapshot of the same pool; a worker that has come meanwhile counts since then.
    pub fn utilisation_since(&self, earlier: &Self) -> f64 {
        let since = |worker: &WorkerSnapshot| {
            let before = earlier.workers().iter().find(|before| before.is_same(worker));
            let (there, idle) =
                before.map_or_else(Default::default, |before| (before.there(), before.idle()));
            (worker.there().saturating_sub(there), worker.idle().saturating_sub(idle))
        };
        busy_share(self.workers().iter().map(since))
    }
}

fn busy_share(times: impl Iterator<Item = (Duration, Duration)>) -> f64 {
    let (mut there, mut idle) = (Duration::ZERO, Duration::ZERO);
    for (of_one, idle_of_one) in times {
        there = there.saturating_add(of_one);
        idle = idle.saturating_add(idle_of_one.min(of_one));
    }
    if there.is_zero() { 0.0 } else { 1.0 - idle.as_secs_f64() / there.as_secs_f64() }
}

fn measure_totals(totals: &Totals, measuring: &mut Measuring<'_>) {
    let Totals { submitted, started, succeeded, failed, panicked, cancelled, returned } = *totals;
    let outcomes = [
        ("succeeded", succeeded),
        ("failed", failed),
        ("panicked", panicked),
        ("cancelled", cancelled),
        ("returned", returned),
    ];
    measuring
        .add(&metrics::POOL_SUBMITTED, submitted)
        .add(&metrics::POOL_STARTED, started)
        .split(&metrics::POOL_TASKS, &[], outcomes)
        .add(&metrics::POOL_ERRORS, share(failed + panicked, succeeded + failed + panicked));
}

/// The counts, which go on where those of a [`Snapshot`] were.
impl Measured for ShutdownReport<'_> {
    fn measure(&self, visit: &mut dyn FnMut(Measurement<'_>)) {
        measure_totals(&self.totals, &mut Measuring(visit));
    }
}

impl Measured for Snapshot {
    fn measure(&self, visit: &mut dyn FnMut(Measurement<'_>)) {
        let mut measuring = Measuring(visit);
        measure_totals(self.totals(), &mut measuring);
        measuring
            .add(&metrics::POOL_QUEUED, self.queued())
            .add(&metrics::POOL_RUNNING, self.running())
            .add(&metrics::POOL_WORKERS, self.workers().len())
            .add(&metrics::POOL_UTILISATION, self.utilisation());
        for (priority, queued) in self.queued_by_priority() {
            measuring.with(&metrics::POOL_QUEUE, &[&priority.to_string()], *queued);
        }
        for worker in self.workers() {
            let index = worker.worker().to_string();
            measuring.with(&metrics::POOL_WORKER_STARTED, &[&index], worker.started()).with(
                &metrics::POOL_WORKER_UTILISATION,
                &[&index],
                worker.utilisation(),
            );
        }
        let wait = [&metrics::POOL_WAIT, &metrics::POOL_WAIT_MAX, &metrics::POOL_WAIT_COUNT];
        let run = [&metrics::POOL_RUN, &metrics::POOL_RUN_MAX, &metrics::POOL_RUN_COUNT];
        measuring.quantiles(wait, &[], self.wait_time()).quantiles(run, &[], self.run_time());
    }
}
