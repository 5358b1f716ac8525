//! A semaphore's snapshot in figures.

use super::control::SemaphoreSnapshot;
use crate::observe::{Measured, Measurement, Measuring, metrics, share};

impl SemaphoreSnapshot {
    /// Permits held for each that there is: 0 to 1, and above 1 after the capacity was lowered below what is held; 0 with a capacity of 0.
    pub fn utilisation(&self) -> f64 {
        share(self.held as u64, self.capacity as u64)
    }
}

impl Measured for SemaphoreSnapshot {
    fn measure(&self, visit: &mut dyn FnMut(Measurement<'_>)) {
        Measuring(visit)
            .add(&metrics::SEMAPHORE_CAPACITY, self.capacity)
            .add(&metrics::SEMAPHORE_AVAILABLE, self.available)
            .add(&metrics::SEMAPHORE_HELD, self.held)
            .add(&metrics::SEMAPHORE_WAITING, self.waiting)
            .add(&metrics::SEMAPHORE_UTILISATION, self.utilisation())
            .add(&metrics::SEMAPHORE_CLOSED, self.is_closed);
    }
}
