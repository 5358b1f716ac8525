//! Ordered maps over the numbers below a bound, as the users of the peers write them.

use super::grind::{any_order, in_order};
use pariter::IteratorExt as _;
use rayon::iter::{IntoParallelIterator as _, ParallelBridge as _, ParallelIterator as _};

/// With the bound that it sets itself, which is twice the workers.
pub(crate) fn pariter(
    items: u64,
    workers: usize,
    stage: impl Fn(u64) -> u64 + Clone + Send + 'static,
) -> u64 {
    (0..items).parallel_map_custom(|options| options.threads(workers), stage).fold(0, in_order)
}

/// Without an order and without a bound.
pub(crate) fn par_bridge(
    pool: &rayon::ThreadPool,
    items: u64,
    stage: impl Fn(u64) -> u64 + Sync + Send,
) -> u64 {
    pool.install(|| (0..items).par_bridge().map(stage).reduce(|| 0, any_order))
}

/// With all items and all results in memory.
pub(crate) fn par_iter(
    pool: &rayon::ThreadPool,
    items: u64,
    stage: impl Fn(u64) -> u64 + Sync + Send,
) -> u64 {
    let inputs: Vec<u64> = (0..items).collect();
    let results: Vec<u64> = pool.install(|| inputs.into_par_iter().map(stage).collect());
    results.into_iter().fold(0, in_order)
}
