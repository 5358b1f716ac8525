//! Spans for the [`tracing`](https://docs.rs/tracing) crate: tasks of a pool, runs of a pipeline and their stages, with the feature `tracing`.
//!
//! There is nothing here to call: with the feature on, pools, groups and pipelines open spans, and whatever subscriber the program has sees
//! them. What is logged inside a task or a stage lies in its span, whichever thread ran it, and the parent of a span is
//! the one that was current where the task was submitted or the run was started. Without the feature there is nothing of it: no field, no branch.
//!
//! Do not turn it on for tasks of a few microseconds of which every one counts while a subscriber listens: a span costs more than
//! such a task. [`submit_many`](crate::Submitter::submit_many) and the loops of a pool have one span for the whole call.
//!
//! # Spans and their fields
//!
//! All are of level `INFO`; fields of what is not known are absent. Times are in nanoseconds.
//!
//! | span | target | fields from the start | fields at the end |
//! |---|---|---|---|
//! | `task` | `gristmill::pool` | `pool`, `name`, `key`, `priority`; when it starts `worker`, `wait_ns` | `run_ns`, `outcome` |
//! | `batch` | `gristmill::pool` | `pool`; when its first task starts `wait_ns` | `run_ns` (summed over the workers); tasks by their end: `succeeded`, `panicked`, `cancelled`, `returned` |
//! | `pipeline` | `gristmill::pipeline` | `workers` | `read`, `finished`, `outcome` |
//! | `stage`, below it | `gristmill::pipeline` | `name`, `kind` | `items_in`, `items_out`, `failed`, `panicked`, `busy_ns`: as in its [report](crate::pipeline::StageReport) |
//!
//! - **`task`**: opened when the task is submitted, entered while it runs, closed before its handle gives the result (of a task that never
//!   started: maybe a moment after). So the time from opening to entering is the wait. Tasks with options, under a policy (one span around all
//!   attempts), of a scope and of a group have one each. The pool's [panic hook](crate::ThreadPoolBuilder::on_task_panic) is called inside it.
//! - **`outcome`** of a task: `ok`, `failed` (an `Err` that [counts](crate::pool::TaskOptions::fallible), or of a group's task), `panicked`; and where it never
//!   started `cancelled`, `returned` (handed back by a shutdown or a purge), `refused` (the submission failed). These have a span, too, with
//!   `wait_ns` and without `worker` and `run_ns`. Of a pipeline: `ok`, `failed`, `panicked`, `cancelled`, `abandoned` (its iterator was dropped).
//! - **`key`**: text and integers are shown; a key of another type is shown as its type and its hash, which is another one in each process. What
//!   must not stand in a log should not be a plain `String`, then.
//! - **`worker`**: absent where the submitter ran the task.
//! - **`batch`**: one for a [`submit_many`](crate::Submitter::submit_many), a `map`, a `for_each` or a `map_reduce`. For a loop the tasks are its jobs, one
//!   for each worker. It is closed when nobody holds any of it: a moment after its last task has ended, and after its handle is gone.
//! - **`stage`**: entered around each call of a parallel stage's closure, also where neighbouring stages run fused; around each chunk of items in a
//!   serial stage, a keyed stage and the sink; around each call of a blocking stage; around each read of the source.
//!   One whose caller pulls the results out himself is not entered for that. Closed at the end of the run.
//!
//! # Which subscriber
//!
//! The one of the thread that submits the task or starts the run. It goes along: also a subscriber of one thread
//! (`tracing::subscriber::with_default`, as in tests) sees what the workers do for that thread. For a task that holds as far as the
//! subscriber wants its span; for a run in any case. A worker's hooks and a run of what was handed back see the global subscriber, if there is one.
//!
//! A subscriber that panics loses the call in which it did so, and the task, the run and their results are as without it. It is called with no
//! lock held but the one that a stage's own closure runs under (a source, `serial_unordered`, `flat_map_bounded`), so it may use the
//! pool that it hears of. What it submits itself has spans, too.
//!
//! To have none of these spans from a subscriber that wants others, filter by target: `info,gristmill=off` for `tracing_subscriber`'s `EnvFilter`.
//!
//! # Example
//!
//! ```
//! # #[cfg(feature = "tracing")] {
//! use gristmill::{CancellationToken, Pipeline, ThreadPool};
//!
//! let pool = ThreadPool::builder().name("mill").build()?;
//! let order = tracing::info_span!("order", id = 17);
//! let grind = order.in_scope(|| {
//!     pool.task().name("grind").key("wheat").submit(|_| {
//!         tracing::info!("grinding"); // in `order`, in `task`
//!         Pipeline::from_iter(1..=3)
//!             .map("mill", |sack| tracing::info!(sack, "milled")) // in `order`, `task`, `pipeline`, `stage`
//!             .for_each("store", drop)
//!             .run(&CancellationToken::new())
//!     })
//! })?;
//! assert_eq!(grind.wait()??.read(), 3);
//! # }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! With `tracing_subscriber::fmt().without_time().init()` that prints
//!
//! ```text
//! INFO order{id=17}:task{pool="mill" name="grind" key=wheat priority=0 worker=1 wait_ns=33951}: show: grinding
//! INFO order{id=17}:task{pool="mill" name="grind" key=wheat priority=0 worker=1 wait_ns=33951}:pipeline{workers=2}:stage{name="mill" kind="parallel"}: show: milled sack=1
//! INFO order{id=17}:task{pool="mill" name="grind" key=wheat priority=0 worker=1 wait_ns=33951}:pipeline{workers=2}:stage{name="mill" kind="parallel"}: show: milled sack=2
//! INFO order{id=17}:task{pool="mill" name="grind" key=wheat priority=0 worker=1 wait_ns=33951}:pipeline{workers=2}:stage{name="mill" kind="parallel"}: show: milled sack=3
//! ```
//!
//! # Cost
//! With the feature on and no subscriber, a task costs a load and a branch where it is submitted and one where it runs, and a pipeline one for each call of
//! a stage's closure. Two builds that took turns on a busy machine of two cores, the third lowest of ten runs each: empty tasks submitted by the thousand 140 ns
//! each with the feature and 142 without; items of 1 000 rounds of xorshift in one stage 894 and 875 ns, in four fused stages of 250 rounds 899 and 893;
//! of 100 rounds in four stages 89.7 and 88.3. Differences of 2 % are within what two runs of one build differ by.
//!
//! With `tracing_subscriber`'s bare registry listening, a task cost about 0.7 microseconds more, an item of 1 000 rounds 2 % more in one stage and
//! 6 % in four fused ones (some 10 ns for each call of a closure). What the subscriber itself does with it comes on top.

// Without the feature, and under a model, nothing reads what the spans would show.
#[cfg_attr(not(all(feature = "tracing", not(any(gristmill_shuttle, gristmill_loom)))), allow(dead_code))]
mod end;
#[cfg(not(all(feature = "tracing", not(any(gristmill_shuttle, gristmill_loom)))))]
mod off;
#[cfg(all(feature = "tracing", not(any(gristmill_shuttle, gristmill_loom))))]
mod on;

pub(crate) use self::end::{StageFigures, TaskEnd};
#[cfg(not(all(feature = "tracing", not(any(gristmill_shuttle, gristmill_loom)))))]
pub(crate) use self::off::{BatchSpan, RunSpans, TaskSpan};
#[cfg(all(feature = "tracing", not(any(gristmill_shuttle, gristmill_loom))))]
pub(crate) use self::on::{BatchSpan, RunSpans, TaskSpan};
