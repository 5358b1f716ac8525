//! The error group: tasks that succeed or fail as one.
//!
//! Use it for some things to be done in parallel, of which each may fail: the first failure cancels the rest, and is the one that you get.
//! For results that are wanted one by one use a pool, for a stream of items a pipeline.
//!
//! * The answer is the failure that made the others stop, with its task's index and name. What tasks make of being cancelled is kept
//!   apart, in [`GroupError::reactions`].
//! * At most [`limit`](ErrorGroupBuilder::limit) tasks run at a time, and at most [`queue_bound`](ErrorGroupBuilder::queue_bound) wait.
//!   [`spawn`](Spawner::spawn) waits for room and [`try_spawn`](Spawner::try_spawn) refuses; the task comes back in the [`SpawnError`].
//! * Cancelling a group is cancelling its token: what has not started never does, and what runs finds its own token cancelled. A group in
//!   a group is given a token from above; cancelling goes downward only.
//! * A panic is a failure like any other, at once; or it ends the group and is [resumed](ErrorGroupBuilder::resume_panics) by the wait.
//! * When a wait has given the answer, no task runs, spawning is refused, and every other wait gives the same.
//! * A refusal that matters is remembered: a group that was cancelled or whose pool was closed before it took all tasks fails. So
//!   `group.spawn(task).ok()` is enough where the wait is looked at.
//!
//! # Tasks with different results
//! All tasks of a group return the same type. Let those that find different things return an `enum`, or write into a place of their own and
//! return `()`: in a [`scope`](ErrorGroupBuilder::scope) a task may borrow it.
//!
//! ```
//! use gristmill::ErrorGroup;
//!
//! let (mut price, mut stock) = (0.0, 0);
//! let answer = ErrorGroup::<(), String>::builder().limit(2).scope(|group| {
//!     group.spawn(|| Ok(price = 9.95)).ok();
//!     group.spawn(|| Ok(stock = 3)).ok();
//!     group.wait()
//! })?;
//! assert!(answer.is_ok());
//! assert_eq!((price, stock), (9.95, 3));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # How many threads
//! As many as cores for tasks that compute. Tasks that wait, for a disk or a network, occupy their thread while they do: give the group as
//! large a [`limit`](ErrorGroupBuilder::limit) as things may be under way at a time, on threads of its own.
//!
//! # Where the tasks run
//! | tasks | on threads of its own | on a pool |
//! |---|---|---|
//! | that own what they use | [`build`](ErrorGroupBuilder::build) | [`on`](ErrorGroupBuilder::on) a [`ThreadPool`](crate::ThreadPool) |
//! | that borrow | [`scope`](ErrorGroupBuilder::scope) | [`on`](ErrorGroupBuilder::on) a [`ScopedPool`](crate::ScopedPool) |
//!
//! # You wrote, now write
//! | Go's `errgroup` | gristmill |
//! |---|---|
//! | `g, ctx := errgroup.WithContext(ctx)` | `let group = ErrorGroup::builder().token(&token).build()?` |
//! | `g.SetLimit(n)` | `.limit(n)` in the builder: it cannot change while tasks run; `.queue_bound(0)` for a spawn that waits until its task can start |
//! | `g.Go(f)` | `group.spawn(f)?`: it can be refused, and then gives the closure back |
//! | `g.TryGo(f)` | `group.try_spawn(f)` |
//! | `ctx.Done()` in a task | `group.task().spawn(\|context\| …)` and `context.token()` |
//! | `g.Wait()` | `group.wait()`; a panic does not end the process |
//!
//! | tokio's `JoinSet` | gristmill |
//! |---|---|
//! | `set.spawn(f)`, results by `join_next` | `group.spawn(f)`, results in the order of spawning by [`into_results`](ErrorGroup::into_results) |
//! | `set.abort_all()` | `group.cancel()`; a running task ends when it looks at its token |
//! | dropping the set aborts the tasks | dropping the group cancels them, and waits |
//! | a `Semaphore` around it | `.limit(n)` |
//!
//! A task group of Trio or Python, which gives all errors, is [`Done::all_finished`] without, and [`GroupError::reactions`] with
//! cancellation.
//!
//! # How it works
//! The group has its own queue, and has a pool run at most `limit` *runners*, closures that take tasks from that queue until it is empty. A
//! group with its own threads is a pool of as many workers. A runner that finds nothing stays for some microseconds while tasks are
//! short, so that a task costs no submission to the pool.

mod builder;
mod context;
mod core;
mod done;
mod error;
#[allow(clippy::module_inception)] // the group itself, among the parts of its module
mod group;
mod guarded;
mod inside;
mod ledger;
mod line;
mod options;
mod patience;
mod refusal;
mod report;
mod snapshot;
mod spawner;
mod waits;

pub use builder::ErrorGroupBuilder;
pub use context::GroupContext;
pub use done::{Done, TaskEnd, Verdict};
pub use error::{FailureKind, GroupBuildError, GroupError, GroupErrorKind, TaskFailure};
pub use group::ErrorGroup;
pub use guarded::GuardedGroupTaskOptions;
pub use options::GroupTaskOptions;
pub use refusal::{GroupRefusal, SpawnError};
pub use report::GroupReport;
pub use snapshot::GroupSnapshot;
pub use spawner::Spawner;

#[cfg(all(test, gristmill_loom))]
mod model;

#[cfg(all(test, not(any(gristmill_shuttle, gristmill_loom))))]
mod tests;
