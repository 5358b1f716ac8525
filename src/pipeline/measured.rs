//! A pipeline in figures: while it runs, and at its end.

use super::monitor::PipelineSnapshot;
use super::report::{Report, StageReport};
use crate::observe::{Measured, Measurement, Measuring, metrics, per_second, share};

impl PipelineSnapshot {
    /// The share of the workers, and of the threads of blocking stages, that are at something now, 0 to 1; of those that could be created.
    pub fn utilisation(&self) -> f64 {
        share(self.workers().flatten().count() as u64, self.present() as u64)
    }

    fn present(&self) -> usize {
        self.threads.iter().map(|count| count.present).sum()
    }

    fn missing_threads(&self) -> usize {
        self.threads.iter().map(|count| count.wanted.saturating_sub(count.present)).sum()
    }

    /// How many items left in a second, since an earlier snapshot of the same run.
    pub fn throughput_since(&self, earlier: &Self) -> f64 {
        let time = self.elapsed().saturating_sub(earlier.elapsed());
        per_second(self.finished().saturating_sub(earlier.finished()), time)
    }
}

/// Nothing before a run has begun.
impl Measured for PipelineSnapshot {
    fn measure(&self, visit: &mut dyn FnMut(Measurement<'_>)) {
        if !self.has_begun() {
            return;
        }
        let mut measuring = Measuring(visit);
        measuring
            .add(&metrics::PIPELINE_READ, self.read())
            .add(&metrics::PIPELINE_FINISHED, self.finished())
            .add(&metrics::PIPELINE_IN_FLIGHT, self.in_flight())
            .add(&metrics::PIPELINE_THROUGHPUT, self.rate())
            .add(&metrics::PIPELINE_ELAPSED, self.elapsed())
            .add(&metrics::PIPELINE_WORKERS, self.present())
            .add(&metrics::PIPELINE_MISSING, self.missing_threads())
            .add(&metrics::PIPELINE_BUSY, self.workers().flatten().count())
            .add(&metrics::PIPELINE_UTILISATION, self.utilisation());
        for (position, row) in self.rows().iter().enumerate() {
            let labels = [&*position.to_string(), row.name()];
            measuring.with(&metrics::PIPELINE_ROW_ITEMS, &labels, row.items()).with(
                &metrics::PIPELINE_ROW_QUEUED,
                &labels,
                row.queued(),
            );
        }
    }
}

impl StageReport {
    /// The share of items that the stage failed or panicked at in those that it worked on, 0 to 1.
    pub fn error_rate(&self) -> f64 {
        share(self.failed() + self.panicked(), self.items_in() - self.undone())
    }
}

impl Report {
    /// How many items were finished in a second.
    pub fn throughput(&self) -> f64 {
        per_second(self.finished(), self.elapsed())
    }

    /// Failures and panics in all stages for each item that was read: 0 to 1, unless stages make several items of one.
    pub fn error_rate(&self) -> f64 {
        share(self.stages().iter().map(|stage| stage.failed() + stage.panicked()).sum(), self.read())
    }

    /// The share of the run in which the workers had something to do, 0 to 1.
    pub fn workers_utilisation(&self) -> f64 {
        #[allow(clippy::cast_precision_loss)] // a number of threads
        let there = self.elapsed().as_secs_f64() * self.workers() as f64;
        if there > 0.0 { (1.0 - self.idle().as_secs_f64() / there).max(0.0) } else { 0.0 }
    }
}

impl Measured for Report {
    fn measure(&self, visit: &mut dyn FnMut(Measurement<'_>)) {
        let latency =
            [&metrics::PIPELINE_LATENCY, &metrics::PIPELINE_LATENCY_MAX, &metrics::PIPELINE_LATENCY_COUNT];
        let mut measuring = Measuring(visit);
        measuring
            .add(&metrics::PIPELINE_READ, self.read())
            .add(&metrics::PIPELINE_FINISHED, self.finished())
            .add(&metrics::PIPELINE_IN_FLIGHT, self.unfinished())
            .add(&metrics::PIPELINE_THROUGHPUT, self.throughput())
            .add(&metrics::PIPELINE_ELAPSED, self.elapsed())
            .add(&metrics::PIPELINE_WORKERS, self.workers())
            .add(&metrics::PIPELINE_MISSING, self.missing_workers())
            .add(&metrics::PIPELINE_UTILISATION, self.workers_utilisation())
            .add(&metrics::PIPELINE_ERRORS, self.error_rate())
            .add(&metrics::PIPELINE_IDLE, self.idle())
            .quantiles(latency, &[], self.latency());
        for (position, stage) in self.stages().iter().enumerate() {
            let labels = [&*position.to_string(), stage.name()];
            measuring.with(&metrics::STAGE_UTILISATION, &labels, self.utilisation(stage));
            measure_stage(stage, &labels, &mut measuring);
        }
    }
}

fn measure_stage(stage: &StageReport, labels: &[&str], measuring: &mut Measuring<'_>) {
    let outcomes = [
        ("passed", stage.passed()),
        ("filtered", stage.filtered()),
        ("failed", stage.failed()),
        ("panicked", stage.panicked()),
        ("undone", stage.undone()),
    ];
    let times = [
        ("busy", stage.busy()),
        ("waiting", stage.waiting()),
        ("starved", stage.starved()),
        ("blocked", stage.blocked()),
    ];
    let latency = [&metrics::STAGE_LATENCY, &metrics::STAGE_LATENCY_MAX, &metrics::STAGE_LATENCY_COUNT];
    measuring
        .with(&metrics::STAGE_IN, labels, stage.items_in())
        .with(&metrics::STAGE_OUT, labels, stage.items_out())
        .split(&metrics::STAGE_ITEMS, labels, outcomes)
        .split(&metrics::STAGE_TIME, labels, times)
        .quantiles(latency, labels, stage.latency());
}

#[cfg(all(test, not(any(gristmill_shuttle, gristmill_loom))))]
mod tests {
    use std::borrow::Cow;

    use super::super::report::StageKind;
    use super::*;
    use crate::observe::Quantiles;
    use crate::sync::time::Duration;

    #[test]
    fn error_rate_of_a_stage_counts_its_panics_and_leaves_out_what_it_has_not_begun() {
        let mut stage = StageReport::new(Cow::Borrowed("grind"), StageKind::Parallel);
        (stage.items_in, stage.failed, stage.panicked, stage.undone) = (10, 1, 2, 4);
        assert_eq!(stage.error_rate().to_bits(), 0.5_f64.to_bits());
    }

    /// Of four workers in a run of so many seconds, idle for so many all together.
    fn utilisation(elapsed: u64, idle: u64) -> f64 {
        let report = Report {
            stages: Vec::new(),
            workers: 4,
            missing_workers: 0,
            elapsed: Duration::from_secs(elapsed),
            idle: Duration::from_secs(idle),
            read: 0,
            finished: 0,
            latency: Quantiles::default(),
            queue_samples: Vec::new(),
            timeline: None,
        };
        report.workers_utilisation()
    }

    #[test]
    fn workers_are_used_as_long_as_they_are_not_idle() {
        // Idle for longer than there was time, as sums of readings of the clock may be, is not used at all.
        let runs = [(10, 0), (10, 10), (10, 40), (10, 41), (0, 0), (0, 1)];
        let used = runs.map(|(elapsed, idle)| utilisation(elapsed, idle).to_bits());
        assert_eq!(used, [1.0_f64, 0.75, 0.0, 0.0, 0.0, 0.0].map(f64::to_bits));
    }
}
