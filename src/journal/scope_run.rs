//! One run of a scope, as its handlers and timers see it.

use std::sync::Arc;

use super::core::Core;
use super::counts::Counts;

pub(super) struct ScopeRun {
    pub(super) core: Arc<Core>,
    pub(super) name: Arc<str>,
    /// Its number: a key is used once in a run.
    pub(super) run: u32,
    /// Shared with the tasks on their way, which must not keep the journal open.
    pub(super) counts: Arc<Counts>,
}
