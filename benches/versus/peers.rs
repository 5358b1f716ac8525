//! The pools that several groups compare with, each with its number of workers and nothing else set.

use crossbeam_channel::{Sender, bounded};
use std::{thread, time::Duration};

/// Bound of every queue that has one.
pub(crate) const QUEUE: usize = 1024;

/// A closure as the hand-written pool queues it.
pub(crate) type Job = Box<dyn FnOnce() + Send>;

/// A pool in ten lines: threads that run boxed closures from a bounded channel until it is closed.
pub(crate) fn with_raw_pool(workers: usize, submit: impl FnOnce(&Sender<Job>)) {
    let (jobs, queue) = bounded::<Job>(QUEUE);
    thread::scope(|scope| {
        for _ in 0..workers {
            let queue = queue.clone();
            scope.spawn(move || queue.iter().for_each(|job| job()));
        }
        submit(&jobs);
        drop(jobs);
    });
}

pub(crate) fn rayon(workers: usize) -> rayon::ThreadPool {
    rayon::ThreadPoolBuilder::new().num_threads(workers).build().expect("rayon's pool starts")
}

/// Of a fixed size, so that it keeps its threads alive whatever the time given here.
pub(crate) fn rusty_pool(workers: usize) -> rusty_pool::ThreadPool {
    rusty_pool::ThreadPool::new(workers, workers, Duration::MAX)
}

/// For `spawn_blocking`: as many blocking threads as there are workers. The one thread for futures stays idle.
pub(crate) fn tokio(workers: usize) -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .max_blocking_threads(workers)
        .build()
        .expect("tokio's runtime starts")
}

pub(crate) fn paralight(
    workers: usize,
    range_strategy: paralight::threads::RangeStrategy,
) -> paralight::threads::ThreadPool {
    paralight::threads::ThreadPoolBuilder {
        num_threads: workers.try_into().expect("there is a worker"),
        range_strategy,
        cpu_pinning: paralight::threads::CpuPinningPolicy::No,
    }
    .build()
}
