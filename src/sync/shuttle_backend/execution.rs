//! What belongs to one execution: the virtual clock's offset, the time-out switch, thread numbers.
//!
//! The fields are the standard library's: shuttle must not switch tasks inside this bookkeeping.

use std::sync::atomic::{AtomicBool, AtomicU64};

/// The state of one execution; made anew for each.
#[derive(Debug, Default)]
pub(super) struct Execution {
    /// How far the virtual clock is past the process's base instant, in nanoseconds.
    pub(super) clock_offset: AtomicU64,
    /// Set when time-outs must not fire.
    pub(super) timeouts_forbidden: AtomicBool,
    /// The number of the next thread.
    pub(super) next_thread: AtomicU64,
}

shuttle::lazy_static! {
    static ref CURRENT: Execution = Execution::default();
}

/// The running execution; `None` outside of one, and while shuttle itself is at work.
pub(super) fn current() -> Option<&'static Execution> {
    shuttle::current::try_get_current_task().map(|_| &*CURRENT)
}
