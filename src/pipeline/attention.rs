//! What a worker looks at between two items.

use crate::cancel::Poll;
use crate::sync::atomic::{AtomicBool, Ordering};

/// The flags themselves, fetched before a loop over items of nanoseconds, which would feel the way to them.
#[derive(Clone, Copy)]
pub(super) struct Attention<'a> {
    pub(super) hungry: &'a AtomicBool,
    pub(super) stop: &'a AtomicBool,
    pub(super) caller: Poll<'a>,
}

impl Attention<'_> {
    /// Whether a worker in the middle of a block should look up: somebody is idle, or the caller has cancelled. Asked after every item.
    #[inline]
    pub(super) fn is_wanted(self) -> bool {
        self.hungry.load(Ordering::Relaxed) || self.caller.is_cancelled()
    }

    /// Whether the run is over, or about to be: [`Run::stopped`](super::run::Run::stopped) has the answer. Asked after every item.
    #[inline]
    pub(super) fn may_be_over(self) -> bool {
        self.stop.load(Ordering::Acquire) || self.caller.is_cancelled()
    }
}
