//! Calls that ended, counted by how.

/// How one call ended, as far as the windows are concerned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) failed: bool,
    pub(super) slow: bool,
}

/// So many calls, and of those so many that failed and so many that were slow; one may be both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) calls: u64,
    pub(super) failures: u64,
    pub(super) slow: u64,
}

impl Tally {
    #[inline]
    pub(super) fn add(&mut self, mark: Mark) {
        self.calls += 1;
        self.failures += u64::from(mark.failed);
        self.slow += u64::from(mark.slow);
    }

    /// Takes one out that was added before.
    #[inline]
    pub(super) fn remove(&mut self, mark: Mark) {
        self.calls -= 1;
        self.failures -= u64::from(mark.failed);
        self.slow -= u64::from(mark.slow);
    }

    /// Takes those out that were added before.
    pub(super) fn subtract(&mut self, others: Self) {
        self.calls -= others.calls;
        self.failures -= others.failures;
        self.slow -= others.slow;
    }
}

/// Which share `part` is of `whole`; `whole` is not 0.
///
/// A quotient of two whole numbers is rounded as the literal of a share is: 55 of 100 is 0.55 exactly, whereas 0.55 * 100 is above 55.
#[allow(clippy::cast_precision_loss)] // not below 2^53 calls
pub(super) fn share(part: u64, whole: u64) -> f64 {
    part as f64 / whole as f64
}
