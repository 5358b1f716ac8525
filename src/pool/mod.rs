//! The worker pool: a fixed number of threads over one bounded queue.
//!
//! Use it for tasks that are submitted one by one and whose results are wanted one by one. For a stream of items through
//! stages, in order, a pipeline needs less code; for one loop over a slice that is already in memory, rayon's parallel iterators do.
//!
//! * Every accepted task ends as exactly one of: succeeded, panicked, cancelled, handed back; the [`ShutdownReport`] counts them.
//! * A panic ends its task and becomes a [`TaskError`]; the worker lives on.
//! * The queue is bounded. [`submit`](Submitter::submit) waits for space, [`try_submit`](Submitter::try_submit) refuses, and the task
//!   comes back in the [`SubmitError`].
//! * Every wait can be ended, by a time-out and by a token.
//! * Tasks may submit to their own pool and wait: that cannot deadlock, with one worker and a queue of one either.
//!
//! # How it works
//! The queue is a crossbeam channel used only through calls that do not block. Idle workers park on their own: a submission
//! wakes one of them, and only if none is awake and looking for work already. Submitters that found the queue full are woken
//! together when it is half empty. A task is one allocation, which holds the closure, later the result, and whoever waits.

mod builder;
mod context;
mod control;
mod core;
mod counters;
mod error;
mod gate;
mod handle;
mod limits;
#[cfg(gristmill_loom)]
#[doc(hidden)]
pub mod model;
mod options;
mod owned;
mod quiet;
mod report;
mod running;
mod scope;
mod seat;
mod shutdown;
mod space;
mod start;
mod submitter;
mod task;
mod worker;

pub use builder::ThreadPoolBuilder;
pub use context::TaskContext;
pub use error::{BuildError, Refusal, SubmitError, TaskError, WaitCancelled, WaitError};
pub use handle::{CancelOutcome, ScopedTaskHandle, TaskHandle};
pub use limits::{MAX_QUEUE_BOUND, MAX_WORKERS};
pub use options::TaskOptions;
pub use owned::ThreadPool;
pub use report::{ReturnedTask, ShutdownReport, StuckTask};
pub use scope::ScopedPool;
pub use shutdown::Shutdown;
pub use submitter::Submitter;

#[cfg(all(test, not(any(gristmill_shuttle, gristmill_loom))))]
mod tests;
