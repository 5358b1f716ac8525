//! Many tasks submitted one by one, as the users of the peers write them.
//!
//! `task` makes the closure of a number. Where the pool has no handles the closure adds its result to the tally.

use super::{grind::any_order, peers, tally};
use rusty_pool::JoinHandle;
use std::thread;

/// Boxed closures through the hand-written pool, which is started and ended with them.
pub(crate) fn boxed<F: FnOnce() + Send + 'static>(
    workers: usize,
    tasks: u64,
    task: impl Fn(u64) -> F,
) -> u64 {
    peers::with_raw_pool(workers, |jobs| {
        for index in 0..tasks {
            jobs.send(Box::new(task(index))).expect("the workers run until the queue is closed");
        }
    });
    tally::take()
}

pub(crate) fn threadpool<F: FnOnce() + Send + 'static>(
    pool: &threadpool::ThreadPool,
    tasks: u64,
    task: impl Fn(u64) -> F,
) -> u64 {
    (0..tasks).for_each(|index| pool.execute(task(index)));
    pool.join();
    tally::take()
}

/// Spawned from one of its own workers.
pub(crate) fn rayon_scope<F: FnOnce() + Send>(
    pool: &rayon::ThreadPool,
    tasks: u64,
    task: impl Fn(u64) -> F + Sync,
) -> u64 {
    let task = &task;
    pool.scope(|scope| (0..tasks).for_each(|index| scope.spawn(move |_| task(index)())));
    tally::take()
}

pub(crate) fn rusty_pool<F: FnOnce() + Send + 'static>(
    pool: &rusty_pool::ThreadPool,
    tasks: u64,
    task: impl Fn(u64) -> F,
) -> u64 {
    (0..tasks).for_each(|index| pool.execute(task(index)));
    pool.join();
    // Its `join` may return while a worker has taken the last task and not yet said that it is busy.
    while tally::tasks() < tasks {
        thread::yield_now();
    }
    tally::take()
}

/// All handles kept, and waited for in order.
pub(crate) fn rusty_pool_with_handles<F: FnOnce() -> u64 + Send + 'static>(
    pool: &rusty_pool::ThreadPool,
    tasks: u64,
    task: impl Fn(u64) -> F,
) -> u64 {
    let handles: Vec<_> = (0..tasks).map(|index| pool.evaluate(task(index))).collect();
    handles.into_iter().map(JoinHandle::await_complete).fold(0, any_order)
}
