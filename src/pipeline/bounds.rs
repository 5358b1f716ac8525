//! How much of everything may be inside a run at once.

use std::sync::Arc;

use super::weight::WeightWindow;

/// What bounds how much is inside.
#[derive(Debug)]
pub(super) struct Bounds {
    pub(super) window: usize,
    pub(super) weight: Option<Arc<WeightWindow>>,
    /// How many results of each stage that expands items there may be.
    pub(super) expansions: Vec<usize>,
    /// Whether something waits for its time.
    pub(super) timed: bool,
}
