//! Who gets which task: round robin, least loaded, by key; waiting, priorities, pause and change of size with queues of one's own.
#![cfg(not(any(gristmill_shuttle, gristmill_loom)))]

#[path = "support/gate.rs"]
mod gate;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use gate::{Gate, LONG, Log, ended, spawn};
use gristmill::{
    BuildError, Distribution, ResizeError, Shutdown, Submitter, TaskHandle, ThreadPool, ThreadPoolBuilder,
};

fn builder(workers: usize, distribution: Distribution) -> ThreadPoolBuilder<'static> {
    ThreadPool::builder().workers(workers).queue_bound(256).distribution(distribution)
}

fn pool(workers: usize, distribution: Distribution) -> ThreadPool {
    builder(workers, distribution).build().expect("good settings")
}

/// Submits a task that says on which worker it ran.
fn where_it_runs(pool: &Submitter<'static>) -> TaskHandle<usize> {
    pool.task().submit(|context| context.worker().expect("a worker runs it")).expect("open")
}

fn workers_of(handles: Vec<TaskHandle<usize>>) -> Vec<usize> {
    handles.into_iter().map(|handle| ended(handle).expect("it succeeds")).collect()
}

/// Submits a task that comes to a gate, and says on which worker.
fn hold(pool: &Submitter<'static>) -> (Gate, TaskHandle<usize>) {
    let (gate, pass) = Gate::new();
    let held = pool.task().submit(move |context| {
        pass();
        context.worker().expect("a worker runs it")
    });
    gate.wait();
    (gate, held.expect("open"))
}

#[test]
fn round_robin_gives_each_worker_its_turn_whoever_is_busy() {
    let pool = pool(3, Distribution::RoundRobin);
    let tasks = (0..12).map(|_| where_it_runs(&pool)).collect();
    assert_eq!(workers_of(tasks), [0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2]);
    let (gate, held) = hold(&pool); // worker 0
    let tasks: Vec<_> = (0..5).map(|_| where_it_runs(&pool)).collect();
    let mut tasks = tasks.into_iter();
    assert_eq!(workers_of(tasks.by_ref().take(2).collect()), [1, 2]);
    let waits = tasks.next().expect("five");
    assert_eq!(workers_of(tasks.collect()), [1, 2]);
    assert!(!waits.is_finished(), "the others are idle, and still it waits for its own");
    assert_eq!(pool.queued(), 1);
    gate.open();
    assert_eq!((ended(held).expect("it finishes"), ended(waits).expect("its turn")), (0, 0));
}

#[test]
fn least_loaded_goes_round_among_equals() {
    let pool = pool(3, Distribution::LeastLoaded);
    pool.pause();
    let tasks = (0..6).map(|_| where_it_runs(&pool)).collect();
    pool.resume();
    assert_eq!(workers_of(tasks), [0, 1, 2, 0, 1, 2]);
}

#[test]
fn least_loaded_counts_what_runs_and_what_waits() {
    let pool = pool(3, Distribution::LeastLoaded);
    let (one, first) = hold(&pool);
    let (two, second) = hold(&pool);
    let (three, third) = hold(&pool);
    let tasks: Vec<_> = (0..6).map(|_| where_it_runs(&pool)).collect();
    [one, two, three].into_iter().for_each(Gate::open);
    assert_eq!(workers_of(vec![first, second, third]), [0, 1, 2]);
    assert_eq!(workers_of(tasks), [0, 1, 2, 0, 1, 2]);
}

/// Each new task goes to the one that is free, as long as the other has more.
#[test]
fn least_loaded_passes_over_a_busy_worker_with_tasks_behind() {
    let pool = pool(2, Distribution::LeastLoaded);
    pool.pause();
    let (gate, pass) = Gate::new();
    let held = pool.submit(pass).expect("open"); // worker 0
    let other = where_it_runs(&pool); // worker 1
    let behind = where_it_runs(&pool); // worker 0
    pool.resume();
    gate.wait();
    assert_eq!(ended(other).expect("it succeeds"), 1);
    // Worker 0 has two; worker 1 has one at most, should it not have come back to its queue yet.
    for _ in 0..20 {
        assert_eq!(ended(where_it_runs(&pool)).expect("it succeeds"), 1);
    }
    assert!(!behind.is_finished());
    gate.open();
    ended(held).expect("it finishes");
    assert_eq!(ended(behind).expect("its turn"), 0);
}

#[test]
fn equal_keys_go_to_one_worker_and_tasks_without_a_key_go_round() {
    let pool = pool(3, Distribution::ByKey);
    let mut homes: BTreeMap<u32, usize> = BTreeMap::new();
    for round in 0..4 {
        let tasks: Vec<_> = (0..40_u32)
            .map(|key| {
                let task = pool.task().key(key);
                task.submit(|context| context.worker().expect("a worker runs it")).expect("open")
            })
            .collect();
        for (key, worker) in (0..).zip(workers_of(tasks)) {
            assert_eq!(*homes.entry(key).or_insert(worker), worker, "key {key}, round {round}");
        }
        let tasks = (0..6).map(|_| where_it_runs(&pool)).collect();
        assert_eq!(workers_of(tasks), [0, 1, 2, 0, 1, 2], "keys take nobody's turn");
    }
    let used: std::collections::BTreeSet<_> = homes.values().collect();
    assert_eq!(used.len(), 3, "forty keys on three workers");
}

/// The keyed tasks run one at a time, in order, on the key's worker also when they had to wait for their key.
#[test]
fn task_that_waited_for_its_key_runs_on_the_keys_worker() {
    let pool = pool(3, Distribution::ByKey);
    let (gate, pass) = Gate::new();
    let log = Log::new();
    let first = pool.task().key("k").submit(move |context| {
        pass();
        context.worker().expect("a worker runs it")
    });
    gate.wait();
    let parked: Vec<_> = (0..10)
        .map(|i| {
            let log = log.clone();
            let task = pool.task().key("k").submit(move |context| {
                log.add(i);
                context.worker().expect("a worker runs it")
            });
            task.expect("open")
        })
        .collect();
    gate.open();
    let home = ended(first.expect("open")).expect("it finishes");
    assert_eq!(workers_of(parked), [home; 10]);
    assert_eq!(log.all(), (0..10).collect::<Vec<_>>());
}

#[test]
fn task_that_waits_for_one_bound_to_its_own_worker_or_another_idle_one_does_not_hang() {
    for distribution in [Distribution::RoundRobin, Distribution::LeastLoaded, Distribution::ByKey] {
        for workers in [1, 2] {
            let pool = pool(workers, distribution);
            let submitter = pool.submitter().clone();
            let outer = pool.submit(move || {
                let inner: Vec<_> = (0..6).map(|_| where_it_runs(&submitter)).collect();
                inner.into_iter().map(|task| task.wait().expect("it runs")).collect::<Vec<_>>()
            });
            let ran_on = ended(outer.expect("open")).expect("it does not hang");
            assert!(ran_on.len() == 6 && ran_on.iter().all(|worker| *worker < workers));
            assert_eq!(pool.shutdown(Shutdown::Drain).succeeded(), 7);
        }
    }
}

#[test]
fn task_that_waits_for_one_behind_a_busy_worker_runs_it_itself() {
    let pool = pool(2, Distribution::RoundRobin);
    let (gate, held) = hold(&pool); // worker 0
    let submitter = pool.submitter().clone();
    let outer = pool.task().submit(move |context| {
        let inner = where_it_runs(&submitter); // for worker 0, which is busy
        (context.worker(), inner.wait().expect("it runs here"))
    });
    assert_eq!(ended(outer.expect("open")).expect("it does not hang"), (Some(1), 1));
    gate.open();
    ended(held).expect("it finishes");
}

#[test]
fn priorities_decide_within_a_workers_own_queue() {
    for distribution in [Distribution::RoundRobin, Distribution::LeastLoaded] {
        let pool = pool(2, distribution);
        pool.pause();
        let log = Log::new();
        for i in 0..24_i8 {
            let log = log.clone();
            let priority = i / 2 % 3;
            let task = pool.task().priority(priority).submit(move |context| {
                log.add((context.worker().expect("a worker runs it"), priority, i));
            });
            drop(task.expect("open"));
        }
        pool.resume();
        pool.wait_timeout(LONG).expect("all end");
        for worker in 0..2 {
            let mine: Vec<_> = log.all().into_iter().filter(|(at, ..)| *at == worker).collect();
            let mut sorted = mine.clone();
            sorted.sort_by_key(|(_, priority, i)| (-priority, *i));
            assert_eq!(mine, sorted);
            assert_eq!(mine.len(), 12);
        }
    }
}

#[test]
fn cap_on_a_priority_needs_the_shared_queue() {
    for distribution in [Distribution::RoundRobin, Distribution::LeastLoaded, Distribution::ByKey] {
        let refused = builder(2, distribution).priority_cap(3, 1).build().map(drop).unwrap_err();
        assert!(matches!(refused, BuildError::CapsNeedSharedQueue), "{refused}");
    }
    drop(builder(2, Distribution::Shared).priority_cap(3, 1).build().expect("good settings"));
}

#[test]
fn purge_gives_back_the_order_of_submission_across_the_workers() {
    for distribution in [Distribution::RoundRobin, Distribution::LeastLoaded, Distribution::ByKey] {
        let pool = pool(3, distribution);
        pool.pause();
        let tasks: Vec<_> = (0..50_i8)
            .map(|i| {
                let task = pool.task().name(i.to_string()).priority(i % 4);
                let task = if i % 3 == 0 { task.key(i % 6) } else { task };
                task.submit(|_| ()).expect("open")
            })
            .collect();
        assert_eq!(pool.queued(), 50);
        let names: Vec<_> = pool.purge().iter().map(|task| task.name().to_string()).collect();
        assert_eq!(names, (0..50).map(|i| i.to_string()).collect::<Vec<_>>());
        assert!(tasks.into_iter().all(|task| ended(task).unwrap_err().is_returned()));
        assert_eq!((pool.queued(), pool.snapshot().queued()), (0, 0));
        pool.resume();
        assert!(ended(where_it_runs(&pool)).expect("it goes on") < 3);
    }
}

#[test]
fn what_a_leaving_worker_had_goes_to_the_others_and_none_is_lost() {
    for distribution in [Distribution::RoundRobin, Distribution::LeastLoaded, Distribution::ByKey] {
        let pool = pool(4, distribution);
        pool.pause();
        let runs = Arc::new(AtomicUsize::new(0));
        let tasks: Vec<_> = (0..100_u32)
            .map(|i| {
                let runs = Arc::clone(&runs);
                let task = if i % 2 == 0 { pool.task().key(i) } else { pool.task() };
                let task = task.submit(move |context| {
                    runs.fetch_add(1, Ordering::SeqCst);
                    context.worker().expect("a worker runs it")
                });
                task.expect("open")
            })
            .collect();
        pool.resize_timeout(2, LONG).expect("they are idle");
        assert_eq!((pool.workers(), pool.queued()), (2, 100));
        pool.resume();
        let mut there = workers_of(tasks);
        assert_eq!(runs.load(Ordering::SeqCst), 100, "each ran once");
        there.sort_unstable();
        there.dedup();
        assert!(there.len() <= 2, "only those who stayed: {there:?}");
        let next = workers_of((0..4).map(|_| where_it_runs(&pool)).collect());
        assert!(next.iter().all(|worker| there.contains(worker)));
    }
}

#[test]
fn queue_of_a_busy_worker_that_has_to_leave_is_run_by_the_others_when_it_goes() {
    let pool = pool(2, Distribution::RoundRobin);
    let (one, first) = hold(&pool);
    let (two, second) = hold(&pool);
    let tasks: Vec<_> = (0..6).map(|_| where_it_runs(&pool)).collect();
    pool.try_resize(1).expect("open");
    one.open(); // whoever comes first leaves, the other one stays
    let left = ended(first).expect("it finishes");
    while pool.workers() > 1 {
        thread::yield_now();
    }
    assert_eq!(pool.queued(), 6);
    two.open();
    let stays = ended(second).expect("it finishes");
    assert_ne!(left, stays);
    assert_eq!(workers_of(tasks), [stays; 6]);
}

#[test]
fn worker_that_comes_gets_new_tasks_and_leaves_the_old_ones() {
    let pool = pool(1, Distribution::RoundRobin);
    let (gate, held) = hold(&pool);
    let old: Vec<_> = (0..3).map(|_| where_it_runs(&pool)).collect();
    pool.resize(2).expect("open");
    let mut new: Vec<_> = (0..2).map(|_| where_it_runs(&pool)).collect();
    assert_eq!(ended(new.remove(0)).expect("it does not wait for the busy one"), 1);
    assert!(old.iter().all(|task| !task.is_finished()), "they belong to the busy one");
    gate.open();
    assert_eq!(ended(held).expect("it finishes"), 0);
    assert_eq!(workers_of(old), [0, 0, 0]);
    assert_eq!(workers_of(new), [0]);
}

/// Tasks were given to a worker whose state was still being made, and that then never came; the pool was closed meanwhile.
#[test]
fn tasks_of_a_worker_that_never_came_run_elsewhere_even_if_the_pool_is_closed() {
    for close in [false, true] {
        let (gate, pass) = Gate::new();
        let pass = std::sync::Mutex::new(Some(pass));
        let builder = builder(1, Distribution::RoundRobin).worker_state(
            move |worker| {
                if worker == 1 {
                    let pass = pass.lock().expect("not poisoned").take();
                    pass.expect("it is made once")();
                    panic!("no state");
                }
            },
            |_, ()| (),
        );
        let pool = Arc::new(builder.build().expect("good settings"));
        let growing = {
            let pool = Arc::clone(&pool);
            spawn(move || pool.resize(2))
        };
        gate.wait();
        let worker = || pool.task().submit(|context| context.worker().expect("a worker runs it"));
        let tasks: Vec<_> = (0..6).map(|_| worker().expect("open")).collect();
        if close {
            pool.close();
        }
        gate.open();
        let result = growing.join().expect("it does not panic");
        assert!(matches!(result, Err(ResizeError::State { worker: 1, .. })), "{result:?}");
        assert_eq!(workers_of(tasks), [0; 6]);
        let pool = Arc::into_inner(pool).expect("nobody else has it");
        let report = pool.shutdown(Shutdown::DrainFor(LONG));
        assert_eq!((report.succeeded(), report.is_complete()), (6, true));
    }
}

#[test]
fn snapshot_shows_the_shares() {
    let pool = pool(3, Distribution::RoundRobin);
    workers_of((0..30).map(|_| where_it_runs(&pool)).collect());
    let shares: Vec<_> = pool.snapshot().workers().iter().map(|one| (one.worker(), one.started())).collect();
    assert_eq!(shares, [(0, 10), (1, 10), (2, 10)]);
    let (gate, held) = hold(&pool);
    workers_of((0..2).map(|_| where_it_runs(&pool)).collect());
    let waiting: Vec<_> = (0..3).map(|_| where_it_runs(&pool)).collect();
    let snapshot = pool.snapshot();
    assert_eq!(snapshot.workers()[0].running().and_then(gristmill::RunningTask::worker), Some(0));
    assert!(snapshot.queued() >= 1 && snapshot.queued_by_priority().get(&0).is_some_and(|tasks| *tasks >= 1));
    gate.open();
    ended(held).expect("it finishes");
    workers_of(waiting);
}

#[test]
fn shutdowns_account_for_all_tasks_of_all_workers() {
    for distribution in [Distribution::RoundRobin, Distribution::LeastLoaded, Distribution::ByKey] {
        for abort in [false, true] {
            let pool = pool(3, distribution);
            pool.pause();
            let tasks: Vec<_> = (0..60).map(|_| where_it_runs(&pool)).collect();
            let report = pool.shutdown(if abort { Shutdown::Abort } else { Shutdown::Drain });
            assert!(report.is_complete());
            let counts = (report.succeeded(), report.returned(), report.tasks().len());
            assert_eq!(counts, if abort { (0, 60, 60) } else { (60, 0, 0) });
            for task in tasks {
                assert_eq!(ended(task).is_err(), abort);
            }
        }
    }
}

#[test]
fn storm_of_sizes_loses_no_task_of_any_worker() {
    for distribution in [Distribution::RoundRobin, Distribution::LeastLoaded, Distribution::ByKey] {
        let pool = Arc::new(pool(2, distribution));
        let runs = Arc::new(AtomicUsize::new(0));
        let resizing = {
            let pool = Arc::clone(&pool);
            spawn(move || (0..60).for_each(|i| pool.resize(1 + i * 7 % 5).expect("open")))
        };
        let tasks: Vec<_> = (0..2000_u32)
            .map(|i| {
                let runs = Arc::clone(&runs);
                let task = if i % 3 == 0 { pool.task().key(i % 11) } else { pool.task() };
                task.submit(move |_| runs.fetch_add(1, Ordering::SeqCst)).expect("open")
            })
            .collect();
        resizing.join().expect("it does not panic");
        for task in tasks {
            ended(task).expect("it ran");
        }
        assert_eq!(runs.load(Ordering::SeqCst), 2000);
    }
}
