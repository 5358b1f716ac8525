//! Whether a pipeline is well: one call for whoever is on duty.

use std::sync::Arc;

use crate::observe::{Degradation, Health, Runner, StuckCall};
use crate::sync::time::Duration;

use super::monitor::{PipelineMonitor, PipelineSnapshot};
use super::staff::{self, Place};

impl PipelineMonitor {
    /// How the pipeline is: stuck, if a call of a stage or of the sink has not returned for `threshold` or longer; degraded, if it runs but not as it
    /// was asked to; healthy otherwise. Asks the rules of [`when`](Self::when), too, as [`snapshot`](Self::snapshot) does.
    ///
    /// **Stuck** is a worker, or a thread of a [blocking](crate::Pipeline::blocking) stage, that is inside one call: also one that waits there, for a
    /// full channel behind the sink, say. So where nothing moves although there is work, it says who holds it up. Who takes the results from an
    /// iterator counts as inside `iterator`, from one result to the next, if others wait behind it. `Duration::MAX` finds nothing stuck, and `Duration::ZERO` every call.
    ///
    /// The clock is not read before each of many light calls. A first look may take several calls for one, if all of them are much heavier than those before; whoever
    /// looks again knows of each worker whether it has moved on by eight calls since, and then the error is at most the time between two looks.
    ///
    /// **Degraded** is a run
    /// - that has fewer workers than it was to have, or a blocking stage of which has fewer threads, since they could not be created;
    /// - whose monitor has rules that panicked: they are not asked any more.
    ///
    /// **Healthy** is all else: one that has not begun, or has ended, however; one that waits for its source, for as long as it likes; one whose queues are full. Failed items
    /// are for the [report](super::Report) and the error policies.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use gristmill::pipeline::PipelineMonitor;
    /// use gristmill::{CancellationToken, Pipeline};
    ///
    /// let monitor = PipelineMonitor::new();
    /// assert!(monitor.health(Duration::ZERO).is_healthy()); // nothing runs
    /// let inside = monitor.clone();
    /// Pipeline::from_iter(["17.png"])
    ///     .workers(1)
    ///     .monitored_by(&monitor)
    ///     .map("resize", move |_| inside.health(Duration::ZERO).to_string()) // in earnest, longer than any call should take
    ///     .for_each("say", |health| assert!(health.starts_with("stuck: worker 0 runs \"resize\" for "), "{health}"))
    ///     .run(&CancellationToken::new())?;
    /// # Ok::<(), gristmill::PipelineError>(())
    /// ```
    ///
    /// # Cost
    /// That of a [snapshot](Self::snapshot).
    pub fn health(&self, threshold: Duration) -> Health {
        self.snapshot().health(threshold)
    }
}

impl PipelineSnapshot {
    /// How the pipeline was at that moment; see [`PipelineMonitor::health`].
    pub fn health(&self, threshold: Duration) -> Health {
        if self.has_ended() || !self.has_begun() {
            return Health::new(Vec::new(), self.broken_rules().into_iter().collect());
        }
        Health::new(self.stuck(threshold), self.missing().chain(self.broken_rules()).collect())
    }

    fn stuck(&self, threshold: Duration) -> Vec<StuckCall> {
        let Some(started) = self.started.filter(|_| threshold < Duration::MAX) else { return Vec::new() };
        let call = |(thread, (row, elapsed)): (usize, (usize, Duration))| {
            let runner = match staff::place(&self.threads, thread) {
                Place::Worker(worker) => Runner::Worker(worker),
                Place::StageThread(number) => Runner::StageThread(number),
            };
            let since = started.checked_add(self.elapsed.saturating_sub(elapsed))?;
            Some(StuckCall { runner, name: Arc::clone(&self.rows[row].name), since, elapsed })
        };
        let last = self.rows.len().saturating_sub(1);
        let threads = self.workers.iter().enumerate();
        threads
            .filter_map(|(thread, at)| Some((thread, (*at)?)))
            // The source may wait; and who takes the results may take his time, as long as none waits for him.
            .filter(|(_, (row, _))| {
                *row > 0 && !(self.is_pulled && *row == last && self.rows[last].queued == 0)
            })
            .filter(|(_, (_, elapsed))| *elapsed >= threshold)
            .filter_map(call)
            .collect()
    }

    /// Threads that there should be and are not.
    fn missing(&self) -> impl Iterator<Item = Degradation> {
        self.threads.iter().filter(|count| count.present < count.wanted).map(|count| {
            let (present, wanted) = (count.present, count.wanted);
            match count.stage.and_then(|stage| self.rows.iter().find(|row| row.stage == stage)) {
                Some(row) => Degradation::MissingThreads { stage: Arc::clone(&row.name), present, wanted },
                None => Degradation::MissingWorkers { present, wanted },
            }
        })
    }

    fn broken_rules(&self) -> Option<Degradation> {
        let (panics, first) = self.broken.clone()?;
        Some(Degradation::HookPanicked { panics, first })
    }
}

#[cfg(all(test, not(any(gristmill_shuttle, gristmill_loom))))]
mod tests {
    use super::*;
    use crate::observe::Measured;
    use crate::sync::fault;
    use crate::{CancellationToken, Pipeline};

    #[test]
    fn threads_that_cannot_be_created_degrade_the_run_and_not_its_end() {
        let monitor = PipelineMonitor::new();
        let inside = monitor.clone();
        let fault = fault::fail_every_spawn();
        let (mut seen, mut figures) = (Health::default(), Vec::new());
        let outcome = Pipeline::from_iter(0..3)
            .workers(4)
            .window(8)
            .monitored_by(&monitor)
            .blocking("fetch", 2, |number| number)
            .for_each("sink", |_| {
                seen = inside.health(Duration::MAX);
                let names = ["workers", "workers_missing", "workers_busy", "utilisation_ratio"];
                let now = inside.snapshot();
                figures = names.map(|name| now.measured(&format!("gristmill_pipeline_{name}"), &[])).to_vec();
            })
            .run(&CancellationToken::new());
        drop(fault);
        assert_eq!(outcome.expect("it does without them").missing_workers(), 3);
        let missing = [
            Degradation::MissingWorkers { present: 1, wanted: 4 },
            Degradation::MissingThreads { stage: "fetch".into(), present: 0, wanted: 2 },
        ];
        assert_eq!(seen.degradations(), missing);
        // One is there, and it looks.
        assert_eq!(figures, [1.0, 5.0, 1.0, 1.0].map(Some));
        assert_eq!(seen.to_string(), "degraded: 1 of 4 workers, 0 of 2 threads of \"fetch\"");
        assert!(monitor.health(Duration::ZERO).is_healthy());
    }

    #[test]
    #[cfg_attr(miri, ignore = "it makes places for more threads than Miri gets through")]
    fn as_many_threads_as_there_are_numbers_are_asked_for_in_vain_and_not_counted_out() {
        let fault = fault::fail_every_spawn();
        let outcome = Pipeline::from_iter(0..3)
            .workers(usize::MAX)
            .window(usize::MAX)
            .blocking("fetch", usize::MAX, |number| number)
            .keyed("same", |number: &u32| *number, |number| number)
            .for_each("sink", drop)
            .run(&CancellationToken::new());
        drop(fault);
        let report = outcome.expect("the caller does it alone");
        assert_eq!((report.workers(), report.missing_workers(), report.finished()), (1, 65_535, 3));
    }
}
