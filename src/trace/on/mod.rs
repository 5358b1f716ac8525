//! The spans, with the feature: the only place that names the `tracing` crate.

mod batch;
mod guard;
mod run;
mod task;

pub(crate) use self::batch::BatchSpan;
pub(crate) use self::run::RunSpans;
pub(crate) use self::task::TaskSpan;
