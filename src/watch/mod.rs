//! Looking at running parts now and then, and doing something about what is seen.
//!
//! [`Watch`] is the thread that looks. What it sees with are the snapshots of the parts: [`Submitter::snapshot`](crate::Submitter::snapshot),
//! [`PipelineMonitor::snapshot`](crate::pipeline::PipelineMonitor::snapshot) and the like. [`Alerts`] are rules over them, which call back when they come
//! true. With the feature `metrics` there is a `Publisher`, which hands their figures to an exporter, for Prometheus say; with the feature `progress`, bars of
//! pipelines and pools.

mod alerts;
mod every;
mod look;
#[cfg(feature = "progress")]
mod progress;
#[cfg(feature = "metrics")]
mod publisher;
mod stuck;
mod threshold;

pub use alerts::{Alert, Alerts};
pub use every::{Watch, WatchError};
pub use look::Look;
#[cfg(feature = "progress")]
pub use progress::Progress;
#[cfg(feature = "metrics")]
pub use publisher::{LabelError, Publisher};
pub use threshold::{Threshold, ThresholdError};
