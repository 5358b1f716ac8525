//! Routers and merges in figures.

use super::id::RouterSnapshot;
use super::sight::MergeSnapshot;
use crate::observe::{Measured, Measurement, Measuring, metrics};

impl Measured for RouterSnapshot {
    fn measure(&self, visit: &mut dyn FnMut(Measurement<'_>)) {
        let alive = self.lanes.iter().filter(|lane| lane.is_alive).count();
        let mut measuring = Measuring(visit);
        measuring
            .add(&metrics::ROUTER_SENT, self.sent)
            .add(&metrics::ROUTER_REFUSED, self.refused)
            .add(&metrics::ROUTER_MISSED, self.missed)
            .add(&metrics::ROUTER_QUEUED, self.queued)
            .add(&metrics::ROUTER_UNDELIVERED, self.undelivered)
            .split(&metrics::ROUTER_LANES, &[], [("alive", alive), ("dead", self.lanes.len() - alive)]);
        for lane in &self.lanes {
            let id = lane.id.0.to_string();
            measuring
                .with(&metrics::LANE_SENT, &[&id], lane.sent)
                .with(&metrics::LANE_MISSED, &[&id], lane.missed)
                .with(&metrics::LANE_QUEUED, &[&id], lane.queued);
        }
    }
}

impl Measured for MergeSnapshot {
    fn measure(&self, visit: &mut dyn FnMut(Measurement<'_>)) {
        let mut measuring = Measuring(visit);
        measuring
            .add(&metrics::MERGE_RECEIVED, self.received)
            .add(&metrics::MERGE_ADDED, self.added)
            .add(&metrics::MERGE_ENDED, self.ended)
            .add(&metrics::MERGE_INPUTS, self.inputs.len())
            .add(&metrics::MERGE_QUEUED, self.queued());
        for input in &self.inputs {
            measuring.with(&metrics::MERGE_INPUT_QUEUED, &[&input.input.to_string()], input.queued);
        }
    }
}
