//! What was measured: samples of the workers, the quantiles of them, one form for what all parts tell of themselves, and what is said of
//! their health.
//!
//! Measuring must cost the measured nothing that shows: each worker writes into memory of its own, and whoever reads pays
//! for the rest.

mod health;
mod histogram;
mod measurement;
pub(crate) mod metrics;
#[cfg(any(gristmill_shuttle, gristmill_loom))]
#[doc(hidden)]
pub mod model;
mod quantiles;
mod samples;

pub use health::{Degradation, Health, HealthStatus, Runner, StuckCall};
pub(crate) use histogram::Histogram;
pub use measurement::{Measured, Measurement, Metric, MetricKind, MetricValue, Unit};
pub(crate) use measurement::{Measuring, per_second, share};
pub use metrics::METRICS;
pub use quantiles::Quantiles;
pub(crate) use samples::Samples;

#[cfg(all(test, not(any(gristmill_shuttle, gristmill_loom))))]
mod tests;
