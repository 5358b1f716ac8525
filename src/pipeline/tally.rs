//! Adds up what the workers counted, once each has ended.

use super::report::StageReport;
use super::timed::Calls;
use super::timeline::Spans;
use crate::observe::Histogram;
use crate::sync::time::Duration;

/// The stages' counts while they are being added up.
#[derive(Debug)]
pub struct Tally {
    pub(super) stages: Vec<StageReport>,
    /// Failures and panics of the worker that is being settled, by stage; taken off what left the stage.
    pub(super) failed: Vec<u64>,
    /// Time that workers had nothing to do.
    pub(super) idle: Duration,
    /// The calls that were timed, by stage.
    pub(super) timed: Vec<Calls>,
    /// From being read to leaving.
    pub(super) latency: Histogram,
    /// The spans of each worker, if they are recorded.
    pub(super) spans: Vec<(usize, Spans)>,
}

impl Tally {
    pub(super) fn new(stages: Vec<StageReport>) -> Self {
        let failed = vec![0; stages.len()];
        let timed = vec![Calls::default(); stages.len()];
        Self { stages, failed, idle: Duration::ZERO, timed, latency: Histogram::default(), spans: Vec::new() }
    }

    /// Adds one worker's items to a parallel stage. `emitted` is what it counted; without it, what entered and did not fail also left.
    pub(super) fn parallel(&mut self, stage: usize, entered: u64, emitted: Option<u64>) -> u64 {
        let failed = self.failed[stage];
        let left = emitted.unwrap_or(entered - failed);
        let report = &mut self.stages[stage];
        report.items_in += entered;
        report.items_out += left;
        report.failed += failed;
        left
    }

    /// Divides a segment's measured time between its stages by the shares of the timed calls; evenly if none was timed.
    pub(super) fn divide(&mut self, stages: std::ops::Range<usize>, busy: Duration, timed: &[Calls]) {
        let total: f64 = stages.clone().map(|stage| timed[stage].total().as_secs_f64()).sum();
        #[allow(clippy::cast_precision_loss)] // a handful of stages
        let even = 1.0 / stages.len().max(1) as f64;
        for stage in stages {
            let share = if total > 0.0 { timed[stage].total().as_secs_f64() / total } else { even };
            self.stages[stage].busy += busy.mul_f64(share);
            self.timed[stage].add(&timed[stage]);
        }
    }
}
