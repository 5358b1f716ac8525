//! Adds up what the workers counted, once each has ended.

use std::ops::Range;

use super::report::StageReport;
use super::timed::Calls;
use super::timeline::Spans;
use crate::observe::Histogram;
use crate::sync::time::Duration;

/// The stages' counts while they are being added up.
#[derive(Debug)]
pub struct Tally {
    pub(super) stages: Vec<StageReport>,
    /// Failures of the worker that is being settled, by stage; taken off what left the stage.
    pub(super) failed: Vec<u64>,
    /// Its panics, likewise.
    pub(super) panicked: Vec<u64>,
    /// Time that workers had nothing to do.
    pub(super) idle: Duration,
    /// The calls that were timed, by stage.
    pub(super) timed: Vec<Calls>,
    /// From being read to leaving.
    pub(super) latency: Histogram,
    /// The time of each row of fused stages.
    rows: Vec<(Range<usize>, Duration)>,
    /// The spans of each worker, if they are recorded.
    pub(super) spans: Vec<(usize, Spans)>,
}

impl Tally {
    pub(super) fn new(stages: Vec<StageReport>) -> Self {
        let none = vec![0; stages.len()];
        Self {
            timed: vec![Calls::default(); stages.len()],
            stages,
            failed: none.clone(),
            panicked: none,
            idle: Duration::ZERO,
            latency: Histogram::default(),
            rows: Vec::new(),
            spans: Vec::new(),
        }
    }

    /// Adds one worker's items to a parallel stage: what entered and did not fail also left. Gives how many did.
    pub(super) fn parallel(&mut self, stage: usize, entered: u64) -> u64 {
        let left = entered - self.failed[stage] - self.panicked[stage];
        self.add(stage, entered, left)
    }

    /// The same for a stage that has counted the items that it kept; it has dropped the others.
    pub(super) fn filtering(&mut self, stage: usize, entered: u64, kept: u64) -> u64 {
        self.stages[stage].filtered += entered - self.failed[stage] - self.panicked[stage] - kept;
        self.add(stage, entered, kept)
    }

    /// The same for a stage that makes any number of items of one, and has counted them.
    pub(super) fn multiplying(&mut self, stage: usize, entered: u64, emitted: u64) -> u64 {
        self.add(stage, entered, emitted)
    }

    /// The same for the parallel part in front of a stage that counts the items itself: only those that it does not get.
    pub(super) fn before(&mut self, stage: usize, entered: u64) -> u64 {
        let lost = self.failed[stage] + self.panicked[stage];
        self.add(stage, lost, 0);
        entered - lost
    }

    fn add(&mut self, stage: usize, entered: u64, left: u64) -> u64 {
        let report = &mut self.stages[stage];
        report.items_in += entered;
        report.items_out += left;
        report.failed += self.failed[stage];
        report.panicked += self.panicked[stage];
        left
    }

    /// Adds a worker's time in a row of fused stages, and what was timed there.
    pub(super) fn row(&mut self, stages: Range<usize>, busy: Duration, timed: &[Calls]) {
        for stage in stages.clone() {
            self.timed[stage].add(&timed[stage]);
        }
        match self.rows.iter_mut().find(|(row, _)| *row == stages) {
            Some((_, sum)) => *sum += busy,
            None => self.rows.push((stages, busy)),
        }
    }

    /// Divides the time of each row between its stages by the shares of the timed calls; evenly if none was timed.
    pub(super) fn divide(&mut self) {
        for (stages, busy) in std::mem::take(&mut self.rows) {
            let total: f64 = self.timed[stages.clone()].iter().map(Calls::total).sum();
            #[allow(clippy::cast_precision_loss)] // a handful of stages
            let even = 1.0 / stages.len().max(1) as f64;
            for stage in stages {
                let share = if total > 0.0 { self.timed[stage].total() / total } else { even };
                self.stages[stage].busy += busy.mul_f64(share);
            }
        }
    }
}

/// What a stage let out has come to the next; what that has not ended with is undone.
pub(super) fn close_counts(stages: &mut [StageReport]) {
    for next in 1..stages.len() {
        let arrived = stages[next - 1].items_out;
        let stage = &mut stages[next];
        stage.undone = arrived.saturating_sub(stage.items_in);
        stage.items_in += stage.undone;
    }
}
