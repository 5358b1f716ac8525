//! An object pool's report in figures.

use super::report::{Discarded, ObjectPoolReport};
use crate::observe::{Measured, Measurement, Measuring, metrics, share};

impl ObjectPoolReport {
    /// Objects in use for each that there may be, 0 to 1.
    pub fn utilisation(&self) -> f64 {
        share(self.in_use as u64, self.capacity as u64)
    }
}

impl Measured for ObjectPoolReport {
    fn measure(&self, visit: &mut dyn FnMut(Measurement<'_>)) {
        let Discarded { expired, failed_check, failed_reset, panicked, by_holder, cleared } = self.discarded;
        let discarded = [
            ("expired", expired),
            ("failed_check", failed_check),
            ("failed_reset", failed_reset),
            ("panicked", panicked),
            ("by_holder", by_holder),
            ("cleared", cleared),
        ];
        let denied =
            [("refused", self.refused), ("timed_out", self.timed_out), ("cancelled", self.cancelled)];
        Measuring(visit)
            .add(&metrics::OBJECTS_CAPACITY, self.capacity)
            .add(&metrics::OBJECTS_IN_USE, self.in_use)
            .add(&metrics::OBJECTS_IDLE, self.idle)
            .add(&metrics::OBJECTS_WAITING, self.waiting)
            .add(&metrics::OBJECTS_UTILISATION, self.utilisation())
            .add(&metrics::OBJECTS_CREATED, self.created)
            .add(&metrics::OBJECTS_REUSED, self.reused)
            .add(&metrics::OBJECTS_DETACHED, self.detached)
            .split(&metrics::OBJECTS_DISCARDED, &[], discarded)
            .add(&metrics::OBJECTS_FAILURES, self.create_failures)
            .split(&metrics::OBJECTS_DENIED, &[], denied)
            .add(&metrics::OBJECTS_WAITED, self.waited)
            .add(&metrics::OBJECTS_WAIT, self.wait_time)
            .add(&metrics::OBJECTS_CLOSED, self.is_closed);
    }
}
