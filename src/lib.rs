//! Structured concurrency for CPU-bound batch jobs on operating-system threads.

pub mod cancel;
pub mod panics;
#[doc(hidden)]
pub mod sync;
mod wakeup;

pub use cancel::{CancelKind, CancelOnDrop, CancellationToken, Cancelled, Registration};
