//! One sender and many receivers, many receivers as one: [`Router`] and [`Merge`].
//!
//! Both work in the threads that call them, on bounded channels. What goes through a pipeline with a fixed shape needs neither: its stages hand over by themselves.

mod attempt;
mod core;
mod cut;
mod door;
mod error;
mod id;
mod input;
mod keys;
mod lane;
mod lines;
mod measured;
mod merge;
mod numbered;
mod patience;
mod policy;
mod rotation;
mod router;
mod send;
mod sight;
mod sorted;
mod table;

pub use door::MergeHandle;
pub use error::{CapacityError, ReceiveError, RouteError, RouteErrorKind};
pub use id::{LaneId, LaneRule, LaneSnapshot, RouterSnapshot};
pub use input::MergeInput;
pub use lane::Lane;
pub use merge::Merge;
pub use router::Router;
pub use sight::{InputSnapshot, MergeMonitor, MergeSnapshot};

pub(crate) use keys::{Hashed, hash};
