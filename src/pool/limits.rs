//! The largest settings that a pool takes.

/// The largest number of workers that a pool may have.
pub const MAX_WORKERS: usize = 1 << 16;

/// The largest bound that a queue may have. The queue is allocated whole at the start, some 16 bytes a place.
pub const MAX_QUEUE_BOUND: usize = 1 << 24;
