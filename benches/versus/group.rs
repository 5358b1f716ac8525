//! An error group of empty tasks: what a task costs besides its work.

use super::{
    goals::Goal,
    harness::{Bench, Group},
    peers, tally,
};
use gristmill::{ErrorGroup, ThreadPool};
use std::convert::Infallible;

const TASKS: u32 = 200_000;
const LIMIT: usize = 2;

pub(crate) fn run(bench: &mut Bench) {
    let title = format!("error group, limit {LIMIT}, empty tasks");
    if !bench.wants(&title) {
        return;
    }
    let tasks = bench.items(TASKS);
    let count = u64::from(tasks);
    let mut group = Group::new(title, tasks, "task");
    group.yardstick("of the fastest peer");

    peers_of_a_group(&mut group, count);
    group.case("gristmill, threads of its own", count, move || {
        let group = ErrorGroup::<(), Infallible>::builder().limit(LIMIT).build().expect("threads");
        spawn_all(&group, count);
        group.into_report().succeeded()
    });
    group.case("gristmill, threads of its own, no queue, as Go", count, move || {
        let group = ErrorGroup::<(), Infallible>::builder().limit(LIMIT).queue_bound(0).build();
        let group = group.expect("threads");
        spawn_all(&group, count);
        group.into_report().succeeded()
    });
    group.case("gristmill, borrowing, threads of its own", count, move || {
        let builder = ErrorGroup::<(), Infallible>::builder().limit(LIMIT);
        let report = builder.scope(|group| {
            spawn_all(&group, count);
            group.into_report()
        });
        report.expect("threads").succeeded()
    });
    let pool = ThreadPool::builder().workers(LIMIT).build().expect("threads");
    group.case("gristmill, on a pool", count, move || {
        let group = ErrorGroup::<(), Infallible>::builder().limit(LIMIT).on(&pool).expect("a limit");
        spawn_all(&group, count);
        group.into_report().succeeded()
    });
    // Half of what Go's errgroup took on the machine that the goal was set on.
    group.goal("gristmill, threads of its own", Goal::Nanoseconds(191.0));
    bench.run(group);
}

fn spawn_all(group: &ErrorGroup<'_, (), Infallible>, count: u64) {
    for _ in 0..count {
        group.spawn(|| Ok(())).expect("nobody cancels it");
    }
}

/// None of them knows an error, a limit of its own or a cancellation; each runs an empty closure on two threads.
fn peers_of_a_group(group: &mut Group<'_>, count: u64) {
    let task = || tally::add(0);
    group
        .case("crossbeam by hand, boxed closures, two threads", count, move || {
            peers::with_raw_pool(LIMIT, |jobs| {
                for _ in 0..count {
                    jobs.send(Box::new(task)).expect("the workers run until the queue is closed");
                }
            });
            taken()
        })
        .as_yardstick();
    let pool = threadpool::ThreadPool::new(LIMIT);
    group
        .case("threadpool, no bound", count, move || {
            (0..count).for_each(|_| pool.execute(task));
            pool.join();
            taken()
        })
        .as_yardstick();
    let pool = peers::rayon(LIMIT);
    group
        .case("rayon `in_place_scope` and `spawn`, no bound", count, move || {
            pool.in_place_scope(|scope| (0..count).for_each(|_| scope.spawn(move |_| task())));
            taken()
        })
        .as_yardstick();
}

/// How many tasks there were.
fn taken() -> u64 {
    let tasks = tally::tasks();
    tally::take();
    tasks
}
