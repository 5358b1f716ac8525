//! The ring of samples by itself, so that its protocol can be checked. Not part of what ships.

use super::quantiles::Quantiles;
use super::samples::Samples;

/// A ring with one writer.
#[derive(Debug)]
pub struct Ring(Samples);

impl Ring {
    /// See `Samples::new`.
    pub fn new(capacity: usize) -> Self {
        Self(Samples::new(capacity))
    }

    /// See `Samples::record`.
    pub fn record(&self, nanoseconds: u64) {
        self.0.record(nanoseconds);
    }

    /// The recent samples, the number of all, and the maximum.
    pub fn read(&self) -> (Vec<u64>, u64, u64) {
        let mut recent = Vec::new();
        let totals = self.0.copy_into(&mut recent);
        (recent, totals.count, totals.max)
    }

    /// See `Quantiles::of`.
    pub fn quantiles(&self) -> Quantiles {
        Quantiles::of([&self.0])
    }
}
