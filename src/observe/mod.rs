//! What was measured: samples of the workers, and the quantiles of them.
//!
//! Measuring must cost the measured nothing that shows: each worker writes into memory of its own, and whoever reads pays
//! for the rest.

mod histogram;
#[cfg(any(gristmill_shuttle, gristmill_loom))]
#[doc(hidden)]
pub mod model;
mod quantiles;
mod samples;

pub(crate) use histogram::Histogram;
pub use quantiles::Quantiles;
pub(crate) use samples::Samples;

#[cfg(all(test, not(any(gristmill_shuttle, gristmill_loom))))]
mod tests;
