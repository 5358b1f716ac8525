//! Structured concurrency for CPU-bound batch jobs on operating-system threads.
//!
//! No async, no global runtime: when a call returns, no thread of it is left running. (Deadlines share one helper thread, which is
//! gone a moment after the last of them.)
//!
//! # Which to use
//!
//! | You have | Use |
//! |---|---|
//! | items from an iterator, a channel or a slice that go through steps; results in order; bounded memory | [`Pipeline`] |
//! | tasks that come up over time, each with a result to wait for | [`ThreadPool`] |
//! | the same, where tasks borrow from the caller's stack | [`ThreadPool::scope`] |
//! | tasks that belong together: the first failure ends the others, at most so many at once | [`ErrorGroup`] |
//! | several tasks as one: all of them, the first, each as it ends, a race, a fallback, a hedge, a timer among them | [`combine`] |
//! | a parallel map and one result, joined in order | [`Submitter::map_reduce`] |
//! | one stream of items for several receivers: in turn, by load, by key, to all; receivers that come and go | [`Router`] |
//! | several channels as one: in turn, by rank, sorted, by number | [`Merge`] |
//! | so many starts in so much time, at most | [`RateLimiter`] |
//! | the same for each of many keys | [`KeyedRateLimiter`] |
//! | work that fails now and then and should be run again: after pauses, so often, for so long, within a budget | [`Retry`] |
//! | calls to something that may be down: stop them for a while when too many fail, then try a few | [`CircuitBreaker`] |
//! | tasks or the calls of a stage under such rules, one within the other | [`Policy`], [`TaskOptions::under`], [`Pipeline::try_map_under`] |
//! | so many things at once, at most, each with its weight; a loop over a list with so many at once | [`Semaphore`] |
//! | buffers, encoders, connections to be used again, at most so many of them | [`ObjectPool`] |
//! | to know whether a pool or a pipeline is well, or which task is stuck where | [`Submitter::health`], [`PipelineMonitor::health`](pipeline::PipelineMonitor::health), [`Watch::stuck`] |
//! | a progress bar of a pipeline or a pool | `Progress`, with the feature `progress` |
//! | something to look at now and then while it runs | [`Watch`] |
//! | to be told when a figure is too high for too long | [`Alerts`] |
//! | figures for a dashboard or Prometheus | [`Measured`], and with the feature `metrics` `watch::Publisher` |
//! | something to stop early, by hand, at a deadline or with a cause; your own loops included | [`CancellationToken`] |
//! | what is logged, under the task, run and stage it belongs to, whichever thread ran it (feature `tracing`) | [`trace`] |
//! | everything in a `Vec` already, no need for bounds, order of effects or cancellation | rayon |
//! | thousands of sockets or timers to wait for | an async runtime |
//!
//! # Example
//!
//! The first failure ends the run, and the error says where it was:
//!
//! ```
//! use gristmill::{CancellationToken, Pipeline};
//!
//! let outcome = Pipeline::from_iter(["12", "30", "oops", "7"])
//!     .try_map("parse", |line: &str| line.parse::<u64>())
//!     .collect::<Vec<_>>()
//!     .run(&CancellationToken::new());
//! let error = outcome.unwrap_err();
//! assert_eq!(error.to_string(), "parse failed at item 2: invalid digit found in string");
//! assert_eq!((error.stage(), error.index()), (Some("parse"), Some(2)));
//! ```
//!
//! # Floors
//!
//! A module imports only from the floors below it and from its own folder; a test holds `src/` to this list.
//!
//! ```text
//! floor 7  watch     looking at running parts now and then
//! floor 6  pipeline  stages, order, window, report
//!          journal   records of finished tasks: a batch that was killed goes on where it was
//! floor 5  group     tasks that succeed or fail as one: first error, limit, results in order
//!          combine   several handles as one: all, first, as completed, race, fallback, timers
//! floor 4  pool      workers over a bounded queue: submit, wait, cancel, shut down
//! floor 3  policy    rules that are put around work: rate, bulkhead, retry, breaker, time limit
//!          recycle   objects that are used again: a bounded pool of them
//! floor 2  semaphore at most so many at once, in turn
//!          fan       one sender and many lanes, many inputs as one: router, merge
//! floor 1  cancel    tokens: the right to be told to stop, with cause and deadline
//!          trace     spans of tasks, runs and stages, where they are wanted
//! floor 0  observe   samples of the workers, their quantiles, and one form for the figures of all parts
//!          panics    a caught panic as a value
//!          wakeup    how workers park and are woken
//!          clock     the time that policies read: the system's, or moved by hand in tests
//!          waitable  what ends once and can be waited for, and how its end is told
//! ground   sync      the one door to locks, atomics, channels, threads and the clock
//! ```

// The README's example is compiled and run with the doc tests.
#![cfg_attr(doctest, doc = include_str!("../README.md"))]

pub mod cancel;
pub mod clock;
pub mod combine;
pub mod fan;
pub mod group;
// The feature needs a newer compiler than the rest: locks on files came with 1.89.
#[cfg(feature = "journal")]
#[clippy::msrv = "1.89"]
pub mod journal;
pub mod observe;
pub mod panics;
pub mod pipeline;
pub mod policy;
pub mod pool;
pub mod recycle;
pub mod semaphore;
#[doc(hidden)]
pub mod sync;
pub mod trace;
pub mod waitable;
mod wakeup;
pub mod watch;

pub use cancel::{CancelKind, CancelOnDrop, CancellationToken, Cancelled, Registration};
pub use clock::{Clock, ManualClock, SystemClock};
pub use combine::Timer;
pub use fan::{Lane, LaneRule, Merge, ReceiveError, RouteError, Router};
pub use group::{
    Done, ErrorGroup, ErrorGroupBuilder, FailureKind, GroupBuildError, GroupContext, GroupError,
    GroupErrorKind, GroupRefusal, GroupReport, GroupSnapshot, GroupTaskOptions, GuardedGroupTaskOptions,
    SpawnError, Spawner, TaskEnd, TaskFailure, Verdict,
};
pub use observe::{Degradation, Health, HealthStatus, Measured, Measurement, Quantiles, Runner, StuckCall};
pub use panics::{Panic, PanicLocation};
pub use pipeline::{Pipeline, PipelineControl, PipelineError, PipelineErrorKind, Report};
pub use policy::{
    Around, Attempt, AttemptBudget, Backoff, BreakerChange, BreakerError, BreakerOpen, BreakerPermit,
    BreakerReport, BreakerState, CircuitBreaker, CircuitBreakerBuilder, CountingBreaker, Entry, GaveUp,
    GaveUpReason, Jitter, KeyRate, KeyedRateLimiter, KeyedRateLimiterBuilder, KeyedRateReport, Nest, Policy,
    PolicyError, RateError, RateLimited, RateLimiter, RateLimiterBuilder, RateReport, Reservation, Retry,
    RetryBuildError, RetryBuilder, RetryReport, TerminalIf, TimeLimit,
};
pub use pool::{
    AdaptiveSize, BuildError, BulkError, CancelOutcome, Distribution, GuardedTaskOptions, Key, KeyFailed,
    KeyFailure, ManyHandle, Refusal, ResizeError, ReturnedTask, RunningTask, Saturation, ScopedPool,
    ScopedTaskHandle, Shutdown, ShutdownReport, Snapshot, StuckTask, SubmitError, SubmitManyError, Submitter,
    TaskContext, TaskError, TaskHandle, TaskOptions, ThreadPool, ThreadPoolBuilder, WaitCancelled, WaitError,
    WorkerSnapshot,
};
pub use recycle::{
    Discarded, ObjectPool, ObjectPoolBuilder, ObjectPoolError, ObjectPoolReport, OwnedPooled, Pooled,
    TakeError,
};
pub use semaphore::{
    AcquireError, LimitedError, OwnedPermit, Permit, PermitMergeError, Semaphore, SemaphoreSnapshot,
};
pub use waitable::{Help, Signal, Waitable};
#[cfg(feature = "progress")]
pub use watch::Progress;
pub use watch::{Alert, Alerts, Look, Threshold, ThresholdError, Watch, WatchError};
