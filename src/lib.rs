//! Structured concurrency for CPU-bound batch jobs on operating-system threads.

pub mod panics;
#[doc(hidden)]
pub mod sync;
mod wakeup;
