//! Running work again after it failed: how often, after which pauses, for how long in all, and for whose account.

mod backoff;
mod builder;
mod call;
mod error;
mod gave_up;
mod jitter;
mod policy;
mod report;
mod sleep;

pub use backoff::Backoff;
pub use builder::RetryBuilder;
pub use error::RetryBuildError;
pub use gave_up::{GaveUp, GaveUpReason};
pub use jitter::Jitter;
pub use policy::Retry;
pub use report::RetryReport;
