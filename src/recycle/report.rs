//! What an object pool did.

use crate::sync::time::Duration;

/// What an [`ObjectPool`](super::ObjectPool) holds and did so far.
///
/// The parts are read one after the other, so while others take and return, sums may be off by what they do meanwhile. When nothing
/// moves, `created` is `in_use + idle + detached + discarded.total()`.
///
/// ```
/// use gristmill::ObjectPool;
///
/// let buffers = ObjectPool::builder(4, Vec::<u8>::new).build()?;
/// drop(buffers.take()?);
/// let held = buffers.take()?;
/// let report = buffers.report();
/// assert_eq!((report.created, report.reused, report.in_use), (1, 1, 1));
/// assert_eq!(report.utilisation(), 0.25);
/// # drop(held);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ObjectPoolReport {
    /// How many objects there may be at once.
    pub capacity: usize,
    /// Objects that are held, being made or being dropped.
    pub in_use: usize,
    /// Objects that could be taken.
    pub idle: usize,
    /// Calls that queue now.
    pub waiting: usize,
    /// Objects that were made.
    pub created: u64,
    /// How often an object was taken that had been used, or [made in advance](super::ObjectPool::prefill), before.
    pub reused: u64,
    /// Objects that were [detached](super::Pooled::detach).
    pub detached: u64,
    /// Objects that were dropped, by reason.
    pub discarded: Discarded,
    /// How often the create hook failed or panicked.
    pub create_failures: u64,
    /// Calls that did not wait and were refused.
    pub refused: u64,
    /// Calls whose time was over before their turn came.
    pub timed_out: u64,
    /// Calls that a token ended.
    pub cancelled: u64,
    /// Calls that had to wait and whose wait has ended, in whatever way; one with a time-out of zero is one.
    pub waited: u64,
    /// How long they waited, all together, on the pool's clock.
    pub wait_time: Duration,
    /// Whether it is closed.
    pub is_closed: bool,
}

/// Objects that an [`ObjectPool`](super::ObjectPool) dropped, each counted for one reason.
///
/// ```
/// use gristmill::{ObjectPool, Pooled};
///
/// let buffers = ObjectPool::builder(4, Vec::<u8>::new).reset(|buffer| buffer.capacity() < 1000).build()?;
/// buffers.take()?.reserve(5000); // too large to be kept
/// Pooled::discard(buffers.take()?);
/// let discarded = buffers.report().discarded;
/// assert_eq!((discarded.failed_reset, discarded.by_holder, discarded.total()), (1, 1, 2));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Discarded {
    /// Idle for too long.
    pub expired: u64,
    /// The check hook refused it or panicked.
    pub failed_check: u64,
    /// The reset hook refused it or panicked.
    pub failed_reset: u64,
    /// Its holder panicked.
    pub panicked: u64,
    /// Its holder [discarded](super::Pooled::discard) it.
    pub by_holder: u64,
    /// The pool was [cleared](super::ObjectPool::clear), or closed.
    pub cleared: u64,
}

impl Discarded {
    /// All of them.
    pub fn total(&self) -> u64 {
        let Self { expired, failed_check, failed_reset, panicked, by_holder, cleared } = *self;
        expired + failed_check + failed_reset + panicked + by_holder + cleared
    }
}
