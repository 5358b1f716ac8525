//! How long a call on a channel may wait.

use super::super::time::Instant;

/// How long a call may wait.
#[derive(Clone, Copy, Debug)]
pub(super) enum Limit {
    Now,
    Until(Instant),
    Never,
}

impl Limit {
    /// The limit after a wait: none of it is left if it timed out, and then one last look is due.
    pub(super) fn after(self, timed_out: bool) -> Self {
        if timed_out { Self::Now } else { self }
    }
}
