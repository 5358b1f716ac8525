//! The size beyond which growing was in vain, and for how long that is believed.

use std::time::Duration;

/// How often the time of belief doubles at most: 64 times the first.
const DOUBLINGS: u32 = 6;

/// What is remembered of growths in vain.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Ceiling {
    /// The size to which it went back; 0 if there is none.
    size: usize,
    doublings: u32,
    left: Duration,
}

impl Ceiling {
    /// Time goes by.
    pub(super) fn age(&mut self, elapsed: Duration) {
        // A ceiling for ever stays one.
        if self.left < Duration::MAX {
            self.left = self.left.saturating_sub(elapsed);
        }
    }

    /// A growth beyond `size` was in vain. It is believed for `remember`, twice as long each time that it is the same size
    /// again.
    pub(super) fn set(&mut self, size: usize, remember: Duration) {
        let doublings = if self.size == size { (self.doublings + 1).min(DOUBLINGS) } else { 0 };
        *self = Self { size, doublings, left: remember.saturating_mul(1 << doublings) };
    }

    /// A size above it has turned out to be useful.
    pub(super) fn lift(&mut self, useful: usize) {
        if useful > self.size {
            *self = Self::default();
        }
    }

    /// Whether growing beyond this size was in vain the last time. If it is tried again, chance must not make it look
    /// useful: many tries would make that likely.
    pub(super) fn doubts(&self, size: usize) -> bool {
        self.size == size
    }

    /// The largest size to try now.
    pub(super) fn limit(&self, max: usize) -> usize {
        if self.left.is_zero() { max } else { max.min(self.size) }
    }
}
