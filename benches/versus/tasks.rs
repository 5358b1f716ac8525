//! Many small tasks through a pool, with their results; and one task at a time.

use super::{
    grind::{any_order, unordered_sum, work},
    harness::{Bench, Group},
    ours,
};
use crossbeam_channel::{Sender, bounded};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread,
};

/// Bound of every queue that has one.
pub(crate) const QUEUE: usize = 1024;

/// A closure as the hand-written pool queues it.
type Job = Box<dyn FnOnce() + Send>;

pub(crate) fn run(bench: &mut Bench) {
    flood(bench, 0, 200_000);
    flood(bench, 1000, 50_000);
    round_trip(bench);
}

/// `tasks` tasks of `rounds` rounds, submitted as fast as the pool takes them.
fn flood(bench: &mut Bench, rounds: u32, tasks: u32) {
    let title = format!("flood of tasks, {rounds} rounds per task");
    if !bench.wants(&title) {
        return;
    }
    let workers = bench.workers();
    let tasks = bench.items(tasks);
    let count = u64::from(tasks);
    let expected = unordered_sum(tasks, rounds);
    let pools = (rayon_pool(workers), threadpool::ThreadPool::new(workers));

    let mut group = Group::new(title, tasks, "task");
    if rounds > 0 {
        group.case("loop", expected, || (0..count).map(|index| work(index, rounds)).fold(0, any_order));
    }
    group.case("crossbeam by hand, boxed closures, no handles", expected, || {
        let sum = Arc::new(AtomicU64::new(0));
        with_raw_pool(workers, |jobs| {
            for index in 0..count {
                let sum = Arc::clone(&sum);
                let job = Box::new(move || _ = sum.fetch_add(work(index, rounds), Relaxed));
                jobs.send(job).expect("the workers run until the queue is closed");
            }
        });
        sum.load(Relaxed)
    });
    group.case("threadpool, no handles, no bound", expected, || {
        let sum = Arc::new(AtomicU64::new(0));
        for index in 0..count {
            let sum = Arc::clone(&sum);
            pools.1.execute(move || _ = sum.fetch_add(work(index, rounds), Relaxed));
        }
        pools.1.join();
        sum.load(Relaxed)
    });
    group.case("rayon `spawn`, results through a channel, no bound", expected, || {
        // As wide as there are tasks: rayon's threads must not wait for the caller, which still spawns.
        let (sender, results) = bounded(tasks as usize);
        for index in 0..count {
            let sender = sender.clone();
            pools.0.spawn(move || sender.send(work(index, rounds)).expect("the caller still receives"));
        }
        drop(sender);
        results.iter().fold(0, any_order)
    });
    ours::flood(&mut group, tasks, rounds, workers);
    bench.run(group);
}

/// One empty task at a time: submit it, wait for its result, and only then submit the next.
fn round_trip(bench: &mut Bench) {
    let title = "round trip of an empty task";
    if !bench.wants(title) {
        return;
    }
    let workers = bench.workers();
    let trips = bench.items(20_000);
    let count = u64::from(trips);
    let expected = unordered_sum(trips, 0);
    let pools = (rayon_pool(workers), threadpool::ThreadPool::new(workers));

    let mut group = Group::new(title, trips, "trip");
    group.case("crossbeam by hand, reply through a channel", expected, || {
        let mut sum = 0;
        with_raw_pool(workers, |jobs| {
            for index in 0..count {
                let (reply, replied) = bounded(1);
                let job = Box::new(move || reply.send(work(index, 0)).expect("the caller waits"));
                jobs.send(job).expect("the workers run until the queue is closed");
                sum = any_order(sum, replied.recv().expect("the task replies"));
            }
        });
        sum
    });
    group.case("threadpool, `join` after each task", expected, || {
        let sum = Arc::new(AtomicU64::new(0));
        for index in 0..count {
            let sum = Arc::clone(&sum);
            pools.1.execute(move || _ = sum.fetch_add(work(index, 0), Relaxed));
            pools.1.join();
        }
        sum.load(Relaxed)
    });
    group.case("rayon `spawn`, reply through a channel", expected, || {
        let trip = |index| {
            let (reply, replied) = bounded(1);
            pools.0.spawn(move || reply.send(work(index, 0)).expect("the caller waits"));
            replied.recv().expect("the task replies")
        };
        (0..count).map(trip).fold(0, any_order)
    });
    group.case("rayon `install`", expected, || {
        (0..count).map(|index| pools.0.install(move || work(index, 0))).fold(0, any_order)
    });
    ours::round_trip(&mut group, trips, workers);
    bench.run(group);
}

fn rayon_pool(workers: usize) -> rayon::ThreadPool {
    rayon::ThreadPoolBuilder::new().num_threads(workers).build().expect("rayon's pool starts")
}

/// A pool in ten lines: threads that run boxed closures from a bounded channel until it is closed.
fn with_raw_pool(workers: usize, submit: impl FnOnce(&Sender<Job>)) {
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
