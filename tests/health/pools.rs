//! Pools.

use std::sync::mpsc;
use std::time::{Duration, Instant};

use gristmill::{
    AdaptiveSize, Degradation, Health, HealthStatus, KeyFailure, Runner, Saturation, Shutdown, ThreadPool,
};

use crate::gate::{Gate, LONG, ended, occupy, spawn};

/// Asks until it is so.
fn until(pool: &ThreadPool, threshold: Duration, what: impl Fn(&Health) -> bool) -> Health {
    let limit = Instant::now() + LONG;
    loop {
        let health = pool.health(threshold);
        if what(&health) {
            return health;
        }
        assert!(Instant::now() < limit, "{health}");
        std::thread::yield_now();
    }
}

#[test]
fn pool_without_work_is_healthy_whatever_the_threshold() {
    let pool = ThreadPool::builder().workers(2).build().unwrap();
    for threshold in [Duration::ZERO, Duration::from_nanos(1), LONG, Duration::MAX] {
        assert!(pool.health(threshold).is_healthy());
    }
    ended(pool.submit(|| 7).unwrap()).unwrap();
    pool.wait().unwrap();
    assert_eq!(pool.health(Duration::ZERO), Health::default());
    let text = ThreadPool::scope(|pool| pool.health(Duration::ZERO).to_string()).unwrap();
    assert_eq!(text, "healthy");
}

#[test]
fn task_is_stuck_from_the_threshold_on_with_worker_name_and_start() {
    let pool = ThreadPool::builder().workers(2).build().unwrap();
    let before = Instant::now();
    let (gate, pass) = Gate::new();
    let task = pool.task().name("resize 17.png").submit(|_| pass()).unwrap();
    gate.wait();
    let worker = pool.snapshot().workers().iter().position(|worker| worker.running().is_some()).unwrap();
    let health = pool.health(Duration::ZERO);
    let [call] = health.stuck() else { panic!("{health}") };
    assert_eq!((call.runner(), call.name()), (Runner::Worker(worker), "resize 17.png"));
    assert!(call.since() >= before && call.since() <= Instant::now());
    assert_eq!((health.status(), health.degradations()), (HealthStatus::Stuck, [].as_slice()));
    assert!(health.to_string().starts_with(&format!("stuck: worker {worker} runs \"resize 17.png\" for ")));
    // It has been running for as long as that, and goes on: whoever asks again is told the same.
    let threshold = call.elapsed();
    let again = pool.health(threshold);
    assert_eq!((again.stuck()[0].since(), again.stuck()[0].runner()), (call.since(), call.runner()));
    assert!(again.stuck()[0].elapsed() >= threshold);
    assert!(pool.health(LONG * 1000).is_healthy() && pool.health(Duration::MAX).is_healthy());
    gate.open();
    ended(task).unwrap();
    pool.wait().unwrap();
    assert!(pool.health(Duration::ZERO).is_healthy());
}

#[test]
fn longest_call_comes_first_and_the_next_one_of_a_worker_has_another_start() {
    let pool = ThreadPool::builder().workers(2).build().unwrap();
    let hold = |name: &str| {
        let (gate, pass) = Gate::new();
        let task = pool.task().name(name).submit(|_| pass()).unwrap();
        gate.wait();
        (gate, task)
    };
    let (first, second) = (hold("first"), hold("second"));
    let health = pool.health(Duration::ZERO);
    let names: Vec<_> = health.stuck().iter().map(gristmill::StuckCall::name).collect();
    assert_eq!(names, ["first", "second"]);
    first.0.open();
    ended(first.1).unwrap();
    let third = hold("third");
    let now = pool.health(Duration::ZERO);
    let names: Vec<_> = now.stuck().iter().map(gristmill::StuckCall::name).collect();
    assert_eq!(names, ["second", "third"]);
    assert_eq!(now.stuck()[0].since(), health.stuck()[1].since());
    assert_eq!(now.stuck()[1].runner(), health.stuck()[0].runner());
    assert!(now.stuck()[1].since() > health.stuck()[0].since());
    for (gate, task) in [second, third] {
        gate.open();
        ended(task).unwrap();
    }
}

#[test]
fn plain_closure_is_known_since_it_was_first_looked_at() {
    let pool = ThreadPool::builder().workers(1).build().unwrap();
    let (gate, task) = occupy(&pool);
    let first = pool.health(Duration::ZERO).stuck()[0].clone();
    assert_eq!((first.name(), first.runner()), ("task", Runner::Worker(0)));
    let threshold = first.elapsed() + Duration::from_millis(1);
    let health = until(&pool, threshold, Health::is_stuck);
    assert_eq!(health.stuck()[0].since(), first.since());
    gate.open();
    ended(task).unwrap();
}

#[test]
fn task_that_its_submitter_runs_is_stuck_there() {
    let builder = ThreadPool::builder().workers(1).queue_bound(1).saturation(Saturation::CallerRuns);
    let pool = std::sync::Arc::new(builder.build().unwrap());
    let (worker, on_worker) = occupy(&pool);
    let waiting = pool.submit(|| ()).unwrap();
    let (gate, pass) = Gate::new();
    let caller = std::sync::Arc::clone(&pool);
    let running = spawn(move || caller.task().name("own").submit(|_| pass()).map(drop).unwrap());
    gate.wait();
    let health = pool.health(Duration::ZERO);
    let call = health.stuck().iter().find(|call| call.runner() == Runner::Submitter).unwrap();
    assert_eq!((call.name(), health.stuck().len()), ("own", 2));
    assert!(call.to_string().starts_with("its submitter runs \"own\" for "));
    gate.open();
    running.join().unwrap();
    worker.open();
    ended(on_worker).unwrap();
    ended(waiting).unwrap();
}

#[test]
fn full_queue_and_busy_workers_are_no_fault() {
    let pool = ThreadPool::builder().workers(1).queue_bound(2).build().unwrap();
    let (gate, task) = occupy(&pool);
    let queued = [pool.try_submit(|| ()).unwrap(), pool.try_submit(|| ()).unwrap()];
    assert!(pool.try_submit(|| ()).is_err());
    assert!(pool.health(LONG).is_healthy());
    gate.open();
    ended(task).unwrap();
    for task in queued {
        ended(task).unwrap();
    }
}

#[test]
fn adaptive_pool_below_its_largest_size_is_healthy() {
    let pool = ThreadPool::builder().adaptive(AdaptiveSize::between(1, 8)).build().unwrap();
    assert!(pool.health(LONG).is_healthy());
    assert!(ThreadPool::builder().workers(4).build().unwrap().health(LONG).is_healthy());
}

#[test]
fn workers_that_could_not_be_had_are_missing_until_a_resize_has_them_or_asks_for_fewer() {
    let builder =
        ThreadPool::builder().workers(2).worker_state(|worker| assert!(worker < 2, "no state"), |_, ()| ());
    let pool = builder.build().unwrap();
    pool.resize(4).unwrap_err();
    let missing = [Degradation::MissingWorkers { present: 2, wanted: 4 }];
    let health = pool.health(LONG);
    assert_eq!((health.status(), health.degradations()), (HealthStatus::Degraded, missing.as_slice()));
    assert_eq!(health.to_string(), "degraded: 2 of 4 workers");
    pool.resize(2).unwrap();
    assert!(pool.health(LONG).is_healthy());
    pool.resize(3).unwrap_err();
    assert_eq!(pool.health(LONG).to_string(), "degraded: 2 of 3 workers");
    let submitter = pool.submitter().clone();
    assert!(pool.shutdown(Shutdown::Drain).is_complete());
    assert!(submitter.health(Duration::ZERO).is_healthy(), "it has ended");
}

#[test]
fn panic_of_a_hook_shows_until_a_report_takes_it() {
    let builder = ThreadPool::builder().workers(1).name("mill").on_worker_start(|_| panic!("bad start"));
    let pool = builder.build().unwrap();
    let health = until(&pool, LONG, |health| !health.is_healthy());
    let [Degradation::HookPanicked { panics: 1, first }] = health.degradations() else { panic!("{health}") };
    assert!(first.contains("start hook of worker 0 of pool mill") && first.contains("bad start"), "{first}");
    let submitter = pool.submitter().clone();
    assert_eq!(pool.shutdown(Shutdown::Drain).worker_panics().len(), 1);
    assert!(submitter.health(LONG).is_healthy());
}

#[test]
fn pause_is_a_fault_only_while_tasks_wait() {
    let pool = ThreadPool::builder().workers(1).build().unwrap();
    pool.pause();
    assert!(pool.health(Duration::ZERO).is_healthy());
    let tasks = [pool.submit(|| ()).unwrap(), pool.submit(|| ()).unwrap()];
    assert_eq!(pool.health(LONG).degradations(), [Degradation::Paused { queued: 2 }]);
    assert_eq!(pool.health(LONG).to_string(), "degraded: paused with 2 tasks queued");
    pool.resume();
    for task in tasks {
        ended(task).unwrap();
    }
    assert!(pool.health(LONG).is_healthy());
}

#[test]
fn held_keys_show_until_they_are_released() {
    let pool = ThreadPool::builder().workers(1).on_key_failure(KeyFailure::Hold).build().unwrap();
    let bad = pool.task().key("account 7").fallible().submit(|_| Err::<(), _>("overdrawn")).unwrap();
    let rest = pool.task().key("account 7").submit(|_| ()).unwrap();
    ended(bad).unwrap().unwrap_err();
    assert_eq!(pool.health(LONG).to_string(), "degraded: 1 key held");
    assert!(pool.release_key("account 7"));
    ended(rest).unwrap();
    assert!(pool.health(LONG).is_healthy());
}

#[test]
fn stuck_task_of_a_pool_that_shuts_down_shows() {
    let pool = ThreadPool::builder().workers(1).build().unwrap();
    let submitter = pool.submitter().clone();
    let (gate, task) = occupy(&pool);
    let (say, said) = mpsc::channel();
    let ending = spawn(move || say.send(pool.shutdown(Shutdown::Drain).is_complete()).unwrap());
    while !submitter.is_closed() {
        std::thread::yield_now();
    }
    assert!(submitter.health(Duration::ZERO).is_stuck() && submitter.health(LONG).is_healthy());
    gate.open();
    assert!(said.recv_timeout(LONG).unwrap());
    ending.join().unwrap();
    ended(task).unwrap();
    assert_eq!(submitter.health(Duration::ZERO), Health::default());
}
