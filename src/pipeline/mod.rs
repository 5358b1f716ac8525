//! A stream of items through stages: on all cores, in order, in bounded memory, and over as soon as something fails.
//!
//! ```
//! use gristmill::{CancellationToken, Pipeline};
//!
//! let text = "3 grains\n\n5 sacks\n";
//! let mut total = 0;
//! let report = Pipeline::from_iter(text.lines())
//!     .window(256)
//!     .filter("not empty", |line: &&str| !line.is_empty())
//!     .try_map("parse", |line| line.split(' ').next().unwrap_or("").parse::<u32>())
//!     .for_each("add", |count| total += count)
//!     .run(&CancellationToken::new())?;
//! assert_eq!(total, 8);
//! println!("{report}");
//! # Ok::<(), gristmill::PipelineError<std::num::ParseIntError>>(())
//! ```
//!
//! # What holds
//! - The source is never read more than the window ahead of what has left, items that wait for an earlier one included; only a batch
//!   that is being filled comes on top, and a little where [no order is kept](Pipeline::unordered). It may be
//!   [by weight](Pipeline::window_by_weight) too, and what a [`flat_map_bounded`](Pipeline::flat_map_bounded) makes of the items has a bound of its own.
//! - The sink takes one item at a time, in the order of the source unless [`unordered`](Pipeline::unordered) is asked for.
//! - The first error, panic or cancellation ends the run: what had been read is given up, `run` returns, no thread is left. The
//!   error names the stage and the item's index; in an ordered run the sink has seen exactly what comes before it.
//! - A stage that can fail may be given a policy instead: items that fail are [skipped](Pipeline::skip_errors),
//!   [recorded](Pipeline::collect_errors) up to so many, [sent](Pipeline::divert_errors) into a channel with their error, or a
//!   [closure](Pipeline::handle_errors) decides. The others go on in order. Panics and cancellation end the run in any case.
//! - An item that has been read is never kept back for company: a lone item goes through at once, unless a stage
//!   [gathers batches](Pipeline::batch).
//! - The counts of every stage close, however the run ends: [`StageReport::items_in`].
//! - A [`PipelineControl`] closes the source while the pipeline runs; what has been read goes through, and what was not begun at an early end can be
//!   [taken back](Pipeline::return_undone).
//! - Nothing needs to be `'static`: stages, source and sink may borrow.
//!
//! # How it runs
//! The calling thread is a worker; the others are started for the run. A worker takes the work that is furthest downstream: a
//! chunk of items that lies ready, or else one that it reads from the source. It carries the chunk through all neighbouring
//! parallel stages at once, and whoever holds the next chunk in order runs the serial stage or the sink for it, and for those that
//! wait behind it. So no stage has threads of its own to be tuned, and nothing is handed over that need not be. The exception are stages that
//! [wait](Pipeline::blocking) for a disk or a server: how many of their calls are under way is theirs to say, and takes no worker.
//!
//! Chunks adapt to the measured cost of the items: about 50 microseconds of work, many light items or one heavy one. A chunk that
//! turns out heavier is given back in pieces as soon as a worker is idle.
//!
//! The caller-is-a-worker and token-per-item ideas are oneTBB's `parallel_pipeline` (window as live tokens, items carried through
//! stages by one thread); chunking by measured time and giving back are ours. `docs/performance.md` has the figures.

mod attention;
mod batch;
mod batches;
mod blocking;
mod blocks;
mod board;
mod bottleneck;
mod bounds;
mod branch;
mod builder;
mod calls;
mod chunk;
mod control;
mod core;
mod credit;
mod crew;
#[cfg(feature = "serde")]
mod data;
mod deliver;
mod error;
mod error_log;
mod error_policy;
mod expand;
mod expansion;
mod expansions;
mod failed_item;
mod feed;
mod flow;
mod gather;
mod guarded;
mod guards;
mod hand;
mod handing;
mod health;
mod iter;
mod keyed;
mod keys;
mod last_stage;
mod linked;
mod logbook;
mod measured;
mod merged;
mod monitor;
mod origins;
mod pace;
mod plan;
mod policies;
mod puller;
mod queues;
mod reader;
mod ready;
mod reorder;
mod report;
mod run;
mod run_end;
mod segment;
mod sending;
mod serial;
mod short;
mod sink;
mod sinks;
mod source;
mod staff;
mod stages;
mod step;
mod svg;
mod table;
mod tally;
mod timed;
mod timeline;
mod trusted;
mod turn;
mod undone;
mod upstream;
mod weighed;
mod weight;
mod worker;

pub use bottleneck::{Bottleneck, Next};
pub use builder::Pipeline;
pub use control::{DrainTimedOut, PipelineControl};
pub use error::{PipelineError, PipelineErrorKind};
pub use error_log::ErrorLog;
pub use failed_item::{FailedItem, ItemError};
pub use iter::{PipelineIter, Results};
pub use monitor::{PipelineMonitor, PipelineSnapshot, RowSnapshot};
pub use queues::QueueSample;
pub use ready::{LocalPipeline, ReadyPipeline};
pub use report::{Report, StageKind, StageReport};
pub use timeline::{Span, Timeline};
pub use undone::UndoneInputs;
