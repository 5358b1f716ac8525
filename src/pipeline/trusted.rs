//! A source, and how many items at a time are read from it before the others can take them.

use super::source::Readiness;
use super::timed::Pulse;
use crate::sync::time::Duration;

/// A chunk that takes longer than this to read has met a pause.
const PAUSE: Duration = Duration::from_micros(70);

/// Items without a pause before a source is read in longer bursts, at first; four times as many after each pause.
const FIRST_PENALTY: usize = 256;
const HIGHEST_PENALTY: usize = 1 << 16;

/// The source and how far it is trusted not to block.
pub(super) struct Trusted<S> {
    pub(super) source: S,
    /// Items read between two publications.
    pub(super) trust: usize,
    /// Items read so far.
    pub(super) read: usize,
    /// Items read without a pause since `trust` last fell.
    good: usize,
    penalty: usize,
    pub(super) pulse: Pulse,
}

impl<S> Trusted<S> {
    pub(super) fn new(source: S) -> Self {
        Self { source, trust: 1, read: 0, good: 0, penalty: FIRST_PENALTY, pulse: Pulse::default() }
    }

    /// So many items were read in such a time.
    pub(super) fn learn(&mut self, readiness: Readiness, got: usize, spent: Duration) {
        if spent > PAUSE {
            (self.trust, self.good) = (1, 0);
            self.penalty = (self.penalty * 4).min(HIGHEST_PENALTY);
        } else if readiness == Readiness::Ready {
            self.good += got;
            if self.good > self.penalty {
                self.trust = self.trust.saturating_mul(2);
            }
        }
    }
}
