//! What the committer tells those who wait.

use std::sync::Arc;

use super::error::JournalError;
use super::record::Row;

/// What the committer tells, on its thread, in the order of the numbers, never under one of its locks.
///
/// Once the journal is closed there is no such thread: then whoever asks is told at once, on its own.
pub(super) trait Delivery: Send + Sync {
    fn deliver(self: Arc<Self>, delivered: Delivered);
}

/// See [`Delivery`].
#[derive(Debug)]
pub(super) enum Delivered {
    /// The record is in the journal under this number.
    Recorded { seq: u64 },
    /// What was asked for by `read`, its checksum checked.
    Read(Row),
    /// Nothing was written, and nothing will be: the journal has failed, or this row is damaged, or this payload is too long.
    Failed(JournalError),
}
