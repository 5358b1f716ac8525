//! Objects that are used again: a bounded pool of buffers, encoders or connections.

mod builder;
mod caches;
mod entry;
mod error;
mod expiry;
mod hooks;
mod idle;
mod measured;
mod pool;
mod pooled;
mod report;
mod store;
mod take;
mod upkeep;

pub use builder::ObjectPoolBuilder;
pub use error::{ObjectPoolError, TakeError};
pub use pool::ObjectPool;
pub use pooled::{OwnedPooled, Pooled};
pub use report::{Discarded, ObjectPoolReport};
