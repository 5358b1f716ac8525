//! The claim of a recorded key, until it is sure that the record is what the call comes to.

use std::sync::Arc;

use crate::journal::core::Recorded;
use crate::journal::scope_run::ScopeRun;

/// Dropped without [`keep`](Self::keep), it gives the key back: the same run can use it again.
pub(super) struct ClaimOfRecorded {
    inside: Option<(Arc<ScopeRun>, Recorded)>,
}

impl ClaimOfRecorded {
    pub(super) fn new(scope: &Arc<ScopeRun>, recorded: Recorded) -> Self {
        Self { inside: Some((Arc::clone(scope), recorded)) }
    }

    /// The key is used.
    pub(super) fn keep(mut self) {
        self.inside = None;
    }
}

impl Drop for ClaimOfRecorded {
    fn drop(&mut self) {
        if let Some((scope, recorded)) = self.inside.take() {
            scope.core.release(scope.run, &recorded);
        }
    }
}
