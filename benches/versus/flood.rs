//! Many small tasks through a pool, submitted one by one as fast as it takes them.

use super::{
    crowd, floods,
    goals::Goal,
    grind::{any_order, unordered_sum, work},
    harness::{Bench, Group},
    ours, peers, tally,
};
use crossbeam_channel::bounded;
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

/// Rounds per task, and tasks per round: empty ones, and such as the queue should hardly be felt with.
const SIZES: [(u32, u32); 2] = [(0, 200_000), (1000, 50_000)];

pub(crate) fn run(bench: &mut Bench) {
    for (rounds, tasks) in SIZES {
        let title = format!("flood of tasks, {rounds} rounds per task");
        flood(bench, title, rounds, tasks, bench.workers());
    }
    for (rounds, tasks) in SIZES {
        let title = format!("{} workers, flood of tasks, {rounds} rounds per task", crowd::WORKERS);
        flood(bench, title, rounds, tasks, crowd::WORKERS);
    }
}

fn flood(bench: &mut Bench, title: String, rounds: u32, tasks: u32, workers: usize) {
    if !bench.wants(&title) {
        return;
    }
    let tasks = bench.items(tasks);
    let mut group = Group::new(title, tasks, "task");
    if rounds > 0 {
        let expected = unordered_sum(tasks, rounds);
        group.case("loop", expected, move || {
            (0..u64::from(tasks)).map(|index| work(index, rounds)).fold(0, any_order)
        });
        group.ideal(workers);
    }
    group.yardstick("of the fastest without handles");
    without_handles(&mut group, tasks, rounds, workers);
    with_handles(&mut group, tasks, rounds, workers);
    ours::flood(&mut group, tasks, rounds, workers);
    if workers < crowd::WORKERS {
        if rounds == 0 {
            group.goal("gristmill, with handles", Goal::OfFastest(0.7));
            group.goal("gristmill `submit_many`", Goal::Nanoseconds(30.0));
        } else {
            group.goal("gristmill, with handles", Goal::OverIdeal(8.0));
            group.goal("gristmill `submit_many`", Goal::OverIdeal(3.0));
        }
    }
    bench.run(group);
}

/// Pools that run a closure and tell nothing of it: what the task computed goes to the tally.
fn without_handles(group: &mut Group<'_>, tasks: u32, rounds: u32, workers: usize) {
    let count = u64::from(tasks);
    let expected = unordered_sum(tasks, rounds);
    let task = move |index| move || tally::add(work(index, rounds));

    let name = "crossbeam by hand, boxed closures, no handles";
    group.case(name, expected, move || floods::boxed(workers, count, task)).as_yardstick();
    // The only one that pays for its results as its user would: what the tally spares the others.
    group.case("crossbeam by hand, boxed closures, one shared sum", expected, move || {
        let sum = Arc::new(AtomicU64::new(0));
        peers::with_raw_pool(workers, |jobs| {
            for index in 0..count {
                let sum = Arc::clone(&sum);
                let job = Box::new(move || _ = sum.fetch_add(work(index, rounds), Relaxed));
                jobs.send(job).expect("the workers run until the queue is closed");
            }
        });
        sum.load(Relaxed)
    });
    let pool = threadpool::ThreadPool::new(workers);
    let name = "threadpool, no handles, no bound";
    group.case(name, expected, move || floods::threadpool(&pool, count, task)).as_yardstick();
    let pool = peers::rayon(workers);
    let name = "rayon `scope` and `spawn` from inside, no handles, no bound";
    group.case(name, expected, move || floods::rayon_scope(&pool, count, task)).as_yardstick();
    let pool = peers::rayon(workers);
    let name = "rayon `in_place_scope` and `spawn`, no handles, no bound";
    group
        .case(name, expected, move || {
            pool.in_place_scope(|scope| (0..count).for_each(|index| scope.spawn(move |_| task(index)())));
            tally::take()
        })
        .as_yardstick();
    let pool = peers::rayon(workers);
    let name = "rayon `spawn`, results through a channel, no bound";
    group
        .case(name, expected, move || {
            // As wide as there are tasks: rayon's threads must not wait for the caller, which still spawns.
            let (sender, results) = bounded(tasks as usize);
            for index in 0..count {
                let sender = sender.clone();
                pool.spawn(move || sender.send(work(index, rounds)).expect("the caller still receives"));
            }
            drop(sender);
            results.iter().fold(0, any_order)
        })
        .as_yardstick();
    let pool = peers::rusty_pool(workers);
    group
        .case("rusty_pool `execute`, no handles, no bound", expected, move || {
            floods::rusty_pool(&pool, count, task)
        })
        .as_yardstick();
}

/// Pools that hand out a result handle per task: all are kept, and waited for in order.
fn with_handles(group: &mut Group<'_>, tasks: u32, rounds: u32, workers: usize) {
    let count = u64::from(tasks);
    let expected = unordered_sum(tasks, rounds);
    let task = move |index| move || work(index, rounds);

    let pool = peers::rusty_pool(workers);
    group.case("rusty_pool `evaluate`, with handles, no bound", expected, move || {
        floods::rusty_pool_with_handles(&pool, count, task)
    });
    let runtime = peers::tokio(workers);
    group.case("tokio `spawn_blocking`, with handles, no bound", expected, move || {
        let handles: Vec<_> = (0..count).map(|index| runtime.spawn_blocking(task(index))).collect();
        runtime.block_on(async {
            let mut sum = 0;
            for handle in handles {
                sum = any_order(sum, handle.await.expect("the task does not panic"));
            }
            sum
        })
    });
}
