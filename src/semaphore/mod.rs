//! At most so many at once: a semaphore with weights and a queue that nobody passes.

mod acquire;
mod control;
mod core;
mod error;
mod limited;
mod looped;
mod measured;
mod pace;
mod permit;
mod queue;
#[cfg(all(test, not(any(gristmill_shuttle, gristmill_loom))))]
mod tests;
mod waiter;
mod word;

pub use control::{Semaphore, SemaphoreSnapshot};
pub use error::AcquireError;
pub use limited::LimitedError;
pub use permit::{OwnedPermit, Permit, PermitMergeError};
