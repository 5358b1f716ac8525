//! One empty task at a time: submit it, wait for its result, and only then submit the next.

use super::{
    goals::Goal,
    grind::{any_order, unordered_sum, work},
    harness::{Bench, Group},
    ours, peers, tally,
};
use crossbeam_channel::bounded;

pub(crate) fn run(bench: &mut Bench) {
    let title = "round trip of an empty task";
    if !bench.wants(title) {
        return;
    }
    let workers = bench.workers();
    let trips = bench.items(20_000);
    let count = u64::from(trips);
    let expected = unordered_sum(trips, 0);
    let task = |index| move || work(index, 0);

    let mut group = Group::new(title, trips, "trip");
    group.case("crossbeam by hand, reply through a channel", expected, || {
        let mut sum = 0;
        peers::with_raw_pool(workers, |jobs| {
            for index in 0..count {
                let (reply, replied) = bounded(1);
                let job = Box::new(move || reply.send(work(index, 0)).expect("the caller waits"));
                jobs.send(job).expect("the workers run until the queue is closed");
                sum = any_order(sum, replied.recv().expect("the task replies"));
            }
        });
        sum
    });
    let pool = threadpool::ThreadPool::new(workers);
    group.case("threadpool, `join` after each task", expected, move || {
        for index in 0..count {
            pool.execute(move || tally::add(work(index, 0)));
            pool.join();
        }
        tally::take()
    });
    let pool = peers::rayon(workers);
    group.case("rayon `spawn`, reply through a channel", expected, move || {
        let trip = |index| {
            let (reply, replied) = bounded(1);
            pool.spawn(move || reply.send(work(index, 0)).expect("the caller waits"));
            replied.recv().expect("the task replies")
        };
        (0..count).map(trip).fold(0, any_order)
    });
    let pool = peers::rayon(workers);
    group.case("rayon `install`", expected, move || {
        (0..count).map(|index| pool.install(task(index))).fold(0, any_order)
    });
    let pool = peers::rusty_pool(workers);
    group.case("rusty_pool `evaluate`, wait for its handle", expected, move || {
        (0..count).map(|index| pool.evaluate(task(index)).await_complete()).fold(0, any_order)
    });
    let runtime = peers::tokio(workers);
    group.case("tokio `spawn_blocking`, `block_on` its handle", expected, move || {
        let trip = |index| runtime.block_on(runtime.spawn_blocking(task(index)));
        (0..count).map(|index| trip(index).expect("the task does not panic")).fold(0, any_order)
    });
    ours::round_trip(&mut group, trips, workers);
    group.goal("gristmill, submit and wait", Goal::Nanoseconds(2000.0));
    bench.run(group);
}
