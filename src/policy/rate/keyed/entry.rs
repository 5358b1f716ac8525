//! What is kept of a key.

use super::super::gcra::Scale;
use super::super::line::Line;
use crate::sync::thread::Thread;
use crate::sync::time::Instant;

#[derive(Debug)]
pub(super) struct KeyLine {
    pub(super) line: Line,
    pub(super) standing: Standing,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Standing {
    Kept { listed: u128 },
    Pending { arrival: u64 },
}

/// What is to be done once the lock is released.
pub(super) struct After<K> {
    /// A key to drop: that runs code of the user's.
    pub(super) gone: Option<K>,
    /// Threads whose place is another one now.
    pub(super) wake: [Option<Thread>; 2],
}

impl<K> After<K> {
    pub(super) fn nothing() -> Self {
        Self { gone: None, wake: [None, None] }
    }

    /// Answers the key to drop, which the caller does where nothing is lost if that panics, or uses the limiter.
    #[must_use = "dropping it runs code of the user's"]
    pub(super) fn act(self) -> Option<K> {
        self.wake.iter().flatten().for_each(Thread::unpark);
        self.gone
    }
}

impl KeyLine {
    /// The tick at which all that it took is paid off, and all that those who wait want.
    pub(super) fn paid_off(&self, scale: &Scale, now: Instant) -> u128 {
        if self.line.queue.is_empty() {
            return self.line.gcra.tat();
        }
        self.line.gcra.paid_off(scale, self.line.queue.permits(), now).unwrap_or(u128::MAX)
    }
}
