//! The library's plainest forms, which several benches use: an ordered map, and a pool with many tasks.

use super::{
    grind::{any_order, in_order, work},
    peers,
};
use gristmill::{CancellationToken, Pipeline, ThreadPool};

/// Why no error of these pipelines and tasks is handled: a bench has no use for half a result.
pub(crate) const SOUND: &str = "nothing in it fails";

/// An ordered map with that window, or the default one.
pub(crate) fn in_window(items: u32, rounds: u32, workers: usize, window: Option<usize>) -> u64 {
    let mut source = Pipeline::from_iter(0..u64::from(items)).workers(workers);
    if let Some(window) = window {
        source = source.window(window);
    }
    let mut sum = 0;
    source
        .map("grind", |index| work(index, rounds))
        .for_each("sum", |value| sum = in_order(sum, value))
        .run(&CancellationToken::new())
        .expect(SOUND);
    sum
}

/// A pool with the bounded queue that the hand-written one has.
pub(crate) fn pool(workers: usize) -> ThreadPool {
    ThreadPool::builder().workers(workers).queue_bound(peers::QUEUE).build().expect(SOUND)
}

/// Many tasks submitted one by one, all their handles kept and waited for in order.
pub(crate) fn with_handles(pool: &ThreadPool, tasks: u64, rounds: u32) -> u64 {
    let submit = |index| pool.submit(move || work(index, rounds)).expect(SOUND);
    let handles: Vec<_> = (0..tasks).map(submit).collect();
    handles.into_iter().map(|handle| handle.wait().expect(SOUND)).fold(0, any_order)
}

/// Many tasks in one call.
pub(crate) fn in_one_call(pool: &ThreadPool, tasks: u64, rounds: u32) -> u64 {
    let closures = (0..tasks).map(|index| move || work(index, rounds));
    let results = pool.submit_many(closures).expect(SOUND).wait();
    results.into_iter().map(|result| result.expect(SOUND)).fold(0, any_order)
}
