//! Records of finished tasks: a batch that was killed goes on where it was. With the feature `journal`.
//!
//! Kill the process at any instant and start it again with the same command: finished tasks give their recorded result without being run again, in the
//! order in which they completed the first time, and the rest runs.
//!
//! # A task may run twice
//! A process that dies after a handler has returned and before the result is recorded leaves no trace of that run, and the next process runs the task
//! again: at most as many as there are workers, and what the [queue](JournalBuilder::queue_bound) of the journal holds. **Effects outside of the journal must
//! be such that doing them twice is the same as once.** The result, though, is recorded once, and is told only after it is recorded.
//!
//! # Parts
//! | You want | Use |
//! |---|---|
//! | a journal in a file | [`Journal::open`] |
//! | a batch in it, by its name | [`Journal::scope`] |
//! | a function whose results are recorded | [`Scope::handler`] |
//! | to run it on a pool | [`Handler::submit`] |
//! | to run it here: in a stage of a pipeline, in a task of a group | [`Handler::run`], and the handle further on |
//! | steps in a row, each of which needs the one before | [`Handler::call`] |
//! | all of them, the first, each as it ends | [`combine`](crate::combine) over [`DurableHandle`]s |
//! | a timer that waits only for what remains | [`Scope::after`] |
//! | results that are files | [`OutputFile`] and [`HandlerOptions::accept_if`] |
//! | to look inside, to verify, to forget, to make small | [`Journal::entries`], [`Journal::verify`], [`Journal::forget`], [`Journal::compact`] |
//!
//! ```
//! use gristmill::ThreadPool;
//! use gristmill::combine::as_completed;
//! use gristmill::journal::Journal;
//!
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("squares.journal");
//! let journal = Journal::open(path)?;
//! let pool = ThreadPool::new()?;
//! let scope = journal.scope("squares");
//! let square = scope.handler("square", 1, |_, number: &u64| Ok(number * number));
//! let handles = (0..10_u64).map(|number| square.submit(&pool, number, number)).collect::<Result<Vec<_>, _>>()?;
//! for (index, square) in as_completed(handles) {
//!     assert_eq!(square?, (index * index) as u64);
//! }
//! assert_eq!(scope.report().run, 10);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # In a pipeline, in a group
//! A stage, or a task of a group, runs the handler where it is, and gives the handle on: so no worker stands still for a commit. A pipeline waits for the
//! handles in a blocking stage, which has a thread of its own (in a sink that waits, a worker would do it: with two of them, half of the work), and what
//! waits is bounded by the window; a group's results are the handles.
//!
//! ```
//! use gristmill::journal::{CallError, DurableHandle, Journal};
//! use gristmill::{CancellationToken, ErrorGroup, Pipeline};
//!
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("squares.journal");
//! let journal = Journal::open(path)?;
//! let scope = journal.scope("squares");
//! let square = scope.handler("square", 1, |_, number: &u64| Ok(number * number));
//! let (squares, _) = Pipeline::from_iter(0..10_u64)
//!     .try_map("square", |number| Ok::<_, CallError<u64>>(square.run(number, number)?))
//!     .try_blocking("recorded", 1, |handle: DurableHandle<u64>| Ok(handle.wait()?))
//!     .in_order()
//!     .collect::<Vec<u64>>()
//!     .run(&CancellationToken::new())?;
//! assert_eq!(squares.iter().sum::<u64>(), 285);
//!
//! let cube = scope.handler("cube", 1, |_, number: &u64| Ok(number * number * number));
//! let group = ErrorGroup::builder().build()?;
//! for number in 0..10 {
//!     let cube = cube.clone();
//!     group.spawn(move || cube.run(number, number)).expect("it is open");
//! }
//! let cubes: Result<Vec<u64>, _> = group.into_results()?.into_iter().map(DurableHandle::wait).collect();
//! assert_eq!(cubes?.into_iter().sum::<u64>(), 2025);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What a task is known by
//! By its scope, its handler's name and version, and its key; never by its position, and never by a time. The version is a number that you raise when the
//! meaning of the code has changed. A hash of the encoded input is recorded too: if the input has changed, the task runs again, or the call is
//! [refused](ChangedInput). A key is used once in a run: a second use is refused, unless another run of the scope has used the key in between, for the
//! journal remembers the last user only. Then it is a use like that of a new run, and with another input the task runs again.
//!
//! # What is recorded
//! Values, failures that the handler calls [terminal](HandlerError::terminal), panics with their message, and crash loops: tasks in the midst of which the
//! process died so many times [in a row](HandlerOptions::crash_limit): runs that ended in order do not count. Of a message, the first 64 KiB. Failures that may be retried are not, nor is a task that was cancelled.
//!
//! # What waits
//! A handle is waited for with a time or a token, and [`Journal::flush`] with a [time](Journal::flush_timeout). These wait for the disk with neither: a
//! worker, [`Handler::run`] or a replay while the [queue](JournalBuilder::queue_bound) is full; [`Handler::call`] for its commit; [`Scope::after`], and a call
//! with [`HandlerOptions::accept_if`], until their record is written or read; [`Journal::close`] and the drop of a journal; and all that looks inside, verifies,
//! forgets or compacts. A disk that hangs holds them all.
//!
//! # What survives what
//! [`Durability`] says it. The file is a valid prefix of what was told at any time: an error of the disk stops the journal
//! ([`Journal::failure`]), nothing is told after it, and the file opens again when the cause is gone.
//!
//! Not for a file system over a network, whose locks and whose syncs cannot be relied on.
//!
//! # Sources
//! The rules are those of [Restate](https://restate.dev)'s journal (record, then tell; the order of completion is replayed; terminal and retryable errors),
//! with explicit keys in the place of positions. The store is `SQLite`'s, with checksums of our own: it does not notice a flipped bit in a value.

mod builder;
mod committer;
mod core;
mod counts;
mod delivery;
mod error;
mod index;
mod look;
mod marks;
mod opening;
mod order;
mod output;
mod place;
#[doc(hidden)]
pub mod probe;
mod queue;
mod record;
mod scope;
mod scope_run;
mod shared;
mod side;
mod store;
mod task;

pub use builder::{Durability, Journal, JournalBuilder};
pub use error::{JournalError, JournalErrorKind};
pub use look::{
    Entries, EntryCounts, EntryKind, ExportError, Forgotten, JobStatistics, JournalDamage, JournalEntry,
    Keep, Salvaged, Selection, Statistics, Verification,
};
pub use opening::Opening;
pub use output::{OutputError, OutputFile, WrittenFile};
pub use scope::{Scope, ScopeReport};
pub use task::{
    CallContext, CallError, CallRefusal, ChangedInput, DurableError, DurableErrorKind, DurableHandle,
    DurableTimer, Handler, HandlerError, HandlerOptions, RefusedCall, ScopedDurableHandle,
};
