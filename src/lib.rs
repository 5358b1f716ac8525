//! Structured concurrency for CPU-bound batch jobs on operating-system threads.
//!
//! No async, no global runtime, no hidden threads: when a call returns, no thread of it is left running.
//!
//! # Floors
//!
//! A module imports only from the floors below it and from its own folder; a test holds `src/` to this list.
//!
//! ```text
//! floor 3  pool      workers over a bounded queue: submit, wait, cancel, shut down
//! floor 1  cancel    tokens: the right to be told to stop, with cause and deadline
//! floor 0  panics    a caught panic as a value
//!          wakeup    how workers park and are woken
//! ground   sync      the one door to locks, atomics, channels, threads and the clock
//! ```

// The README's example is compiled and run with the doc tests.
#![cfg_attr(doctest, doc = include_str!("../README.md"))]

pub mod cancel;
pub mod panics;
pub mod pipeline;
pub mod pool;
#[doc(hidden)]
pub mod sync;
mod wakeup;

pub use cancel::{CancelKind, CancelOnDrop, CancellationToken, Cancelled, Registration};
pub use panics::{Panic, PanicLocation};
pub use pipeline::{Pipeline, PipelineError, PipelineErrorKind, Report};
pub use pool::{
    BuildError, CancelOutcome, Refusal, ReturnedTask, ScopedPool, ScopedTaskHandle, Shutdown, ShutdownReport,
    StuckTask, SubmitError, Submitter, TaskContext, TaskError, TaskHandle, TaskOptions, ThreadPool,
    ThreadPoolBuilder, WaitCancelled, WaitError,
};
