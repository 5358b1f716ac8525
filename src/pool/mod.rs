//! The worker pool: threads over one bounded queue.
//!
//! Use it for tasks that are submitted one by one and whose results are wanted one by one. For a stream of items through
//! stages, in order, a pipeline needs less code; for one loop over a slice that is already in memory, rayon's parallel iterators do.
//!
//! * Every accepted task ends as exactly one of: succeeded, failed, panicked, cancelled, handed back; the [`ShutdownReport`] counts them.
//! * A panic ends its task and becomes a [`TaskError`]; the worker lives on.
//! * The queue is bounded. [`submit`](Submitter::submit) waits for space, [`try_submit`](Submitter::try_submit) refuses, and the task
//!   comes back in the [`SubmitError`].
//! * Every wait can be ended, by a time-out and by a token.
//! * Tasks may submit to their own pool and wait: that cannot deadlock, with one worker and a queue of one either. (Circles of
//!   waits can, as with threads: through another pool, through a [key](TaskOptions::key), or through threads that a task starts and waits for. Those of a
//!   [pipeline](crate::Pipeline) that a task runs are such threads: if a stage waits for tasks of the same pool, and all workers run such pipelines, nobody is
//!   left. Give the pipeline one worker, which is the task's own, or the stage another pool.)
//!
//! # What can be chosen
//! | question | where |
//! |---|---|
//! | what happens when the queue is full | [`ThreadPoolBuilder::saturation`] |
//! | what starts first, and how many of a kind at once | [`TaskOptions::priority`], [`ageing`](ThreadPoolBuilder::ageing), [`priority_cap`](ThreadPoolBuilder::priority_cap) |
//! | what must not run at the same time | [`TaskOptions::key`], [`on_key_failure`](ThreadPoolBuilder::on_key_failure) |
//! | how many starts in how much time | [`TaskOptions::rate`], [`ThreadPoolBuilder::rate`] |
//! | which worker gets what | [`ThreadPoolBuilder::distribution`] |
//! | how many workers | [`workers`](ThreadPoolBuilder::workers), [`cpu_bound`](ThreadPoolBuilder::cpu_bound) and the like, [`resize`](ThreadPool::resize), [`adaptive`](ThreadPoolBuilder::adaptive) |
//! | many tasks at once, loops | [`Submitter::submit_many`], [`Submitter::map`], [`Submitter::for_each`] |
//! | holding and emptying the queue | [`Submitter::pause`], [`Submitter::purge`] |
//! | what goes on, and what is stuck | [`Submitter::health`], [`Submitter::snapshot`], [`slow_task`](ThreadPoolBuilder::slow_task) |
//!
//! # How it works
//! The queue is a list under a lock. A worker takes several tasks at once; the rest of its batch stays in sight, and idle workers take from it. Idle
//! workers park on their own: a submission wakes one of them, and only if none is awake and looking for work already. Submitters that
//! found the queue full are woken together when it is half empty. A task is one allocation, which holds the closure, later the result,
//! and whoever waits.

pub mod adaptive;
mod bells;
mod builder;
mod bulk;
mod context;
mod control;
mod core;
mod counters;
mod crew;
mod desk;
mod discipline;
mod distribution;
mod error;
mod fifo;
mod gate;
mod guarded;
mod handle;
mod health;
mod held;
mod hold;
#[cfg(feature = "journal")]
mod job;
mod judgement;
mod key_lines;
mod keyed;
mod keys;
mod lanes;
mod leavers;
mod limits;
mod measured;
mod meters;
#[cfg(gristmill_loom)]
#[doc(hidden)]
pub mod model;
mod options;
mod owned;
mod pace;
mod parking;
mod queue;
mod quiet;
mod rated;
mod report;
mod resize;
mod returns;
mod rules;
mod running;
mod saturation;
mod scope;
mod seat;
mod shared_entry;
mod shutdown;
mod site;
mod sizing;
mod snapshot;
mod space;
mod start;
mod submitter;
mod supervisor;
mod task;
mod threads;
mod waitable;
mod waiter;
mod watching;
mod worker;

pub use adaptive::AdaptiveSize;
pub use builder::ThreadPoolBuilder;
pub use bulk::{BulkError, ManyHandle, SubmitManyError, Unsubmitted};
pub use context::TaskContext;
pub use distribution::Distribution;
pub use error::{
    BuildError, KeyFailed, Refusal, ResizeError, SubmitError, TaskError, WaitCancelled, WaitError,
};
pub use guarded::GuardedTaskOptions;
pub use handle::{CancelOutcome, ScopedTaskHandle, TaskHandle};
#[cfg(feature = "journal")]
pub(crate) use job::{Job, JobContext, JobEnd, JobFailed, JobPatience};
pub use judgement::{AnyResult, ErrFails, Judgement};
pub use keys::{Key, KeyFailure};
pub use limits::{MAX_QUEUE_BOUND, MAX_WORKERS};
pub use options::TaskOptions;
pub use owned::ThreadPool;
pub(crate) use pace::Pace;
pub use report::{ReturnedTask, ShutdownReport, StuckTask};
pub use saturation::Saturation;
pub use scope::ScopedPool;
#[cfg(feature = "journal")]
pub(crate) use seat::is_worker;
pub use shutdown::Shutdown;
pub use snapshot::{RunningTask, Snapshot, WorkerSnapshot};
pub use submitter::Submitter;
pub(crate) use task::drop_quietly;

#[cfg(all(test, not(any(gristmill_shuttle, gristmill_loom))))]
mod tests;
