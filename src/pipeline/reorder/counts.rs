//! What one thread counts of such a stage.

use super::super::error::What;
use super::super::tally::Tally;
use super::super::timed::Calls;
use crate::sync::time::Duration;

/// See the module.
#[derive(Debug, Default)]
pub struct Counts {
    pub(in super::super) passed: u64,
    pub(in super::super) dropped: u64,
    pub(in super::super) failed: u64,
    pub(in super::super) panicked: u64,
    pub(in super::super) busy: Duration,
    pub(in super::super) waiting: Duration,
}

impl Counts {
    /// How many items have come.
    pub(in super::super) fn worked(&self) -> u64 {
        self.passed + self.dropped + self.failed + self.panicked
    }

    /// One item did not get through.
    pub(super) fn miss<E>(&mut self, what: &What<E>) {
        match what {
            What::Panic(_) => self.panicked += 1,
            _ => self.failed += 1,
        }
    }

    pub(in super::super) fn add_to(&self, stage: usize, calls: &Calls, tally: &mut Tally) {
        tally.timed[stage].add(calls);
        let report = &mut tally.stages[stage];
        report.items_in += self.worked();
        report.items_out += self.passed;
        report.filtered += self.dropped;
        report.failed += self.failed;
        report.panicked += self.panicked;
        report.busy += self.busy;
        report.waiting += self.waiting;
    }
}
