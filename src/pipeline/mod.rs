//! A stream of items through stages, in bounded memory, on all cores, in order.

mod builder;
mod chunk;
mod core;
mod deliver;
mod error;
mod feed;
mod iter;
mod pace;
mod plan;
mod reader;
mod ready;
mod report;
mod run;
mod segment;
mod sink;
mod source;
mod step;
mod tally;
mod turn;
mod worker;

pub use builder::Pipeline;
pub use error::{PipelineError, PipelineErrorKind};
pub use iter::{PipelineIter, Results};
pub use ready::{LocalPipeline, ReadyPipeline};
pub use report::{Report, StageKind, StageReport};
