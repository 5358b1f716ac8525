//! What a pool's builder decides about its queue, besides the bound.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::distribution::Distribution;
use super::keys::KeyFailure;
use super::saturation::Saturation;
use super::site::PanicHook;
use crate::policy::RateLimiter;

/// How much a level of priority is worth by default, in submissions; at least the default bound of a queue, so that of tasks
/// that are queued at the same time the higher one starts first unless the pool is oversubscribed for long.
pub(super) const DEFAULT_AGEING: u64 = 1024;

#[derive(Clone)]
pub(super) struct Rules<'env> {
    pub(super) saturation: Saturation,
    pub(super) distribution: Distribution,
    pub(super) ageing: u64,
    pub(super) caps: BTreeMap<i8, usize>,
    /// The most tasks that may wait for one key; `None`: a quarter of the queue's bound.
    pub(super) key_bound: Option<usize>,
    pub(super) on_key_failure: KeyFailure,
    pub(super) on_panic: Option<Arc<PanicHook<'env>>>,
    pub(super) rate: Option<RateLimiter>,
}

impl Default for Rules<'_> {
    fn default() -> Self {
        Self {
            saturation: Saturation::default(),
            distribution: Distribution::default(),
            ageing: DEFAULT_AGEING,
            caps: BTreeMap::new(),
            key_bound: None,
            on_key_failure: KeyFailure::default(),
            on_panic: None,
            rate: None,
        }
    }
}

impl fmt::Debug for Rules<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Rules")
            .field("saturation", &self.saturation)
            .field("distribution", &self.distribution)
            .field("ageing", &self.ageing)
            .field("caps", &self.caps)
            .field("key_bound", &self.key_bound)
            .field("on_key_failure", &self.on_key_failure)
            .finish_non_exhaustive()
    }
}
