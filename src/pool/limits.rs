//! The largest settings that a pool takes.

/// The largest number of workers that a pool may have.
pub const MAX_WORKERS: usize = 1 << 16;

/// The largest bound that a queue may have. The queue grows as it is used, some 32 bytes a place.
pub const MAX_QUEUE_BOUND: usize = 1 << 24;

/// How many submissions a thread runs itself, each inside the other, before it refuses.
pub(super) const MAX_INLINE: usize = 64;

/// How many panics of hooks a pool keeps for its report.
pub(super) const MAX_PANICS: usize = 1000;
