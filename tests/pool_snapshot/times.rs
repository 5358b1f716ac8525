//! How long tasks waited and ran.

use std::sync::mpsc;
use std::time::Duration;

use gristmill::ThreadPool;
use gristmill::observe::Quantiles;
use gristmill::sync::time;

use crate::gate::{Gate, LONG, ended};
use crate::until;

/// Long against the grain of any clock.
const WHILE: Duration = Duration::from_millis(3);

/// Lets time pass: nothing is waited for.
fn pass_time() {
    let (_never, nothing) = mpsc::channel::<()>();
    let start = time::now();
    while start.elapsed() < WHILE {
        let _ = nothing.recv_timeout(WHILE);
    }
}

fn pool() -> ThreadPool {
    ThreadPool::builder().workers(1).build().expect("good settings")
}

fn in_order(times: &Quantiles) {
    assert!(
        times.p50() <= times.p90() && times.p90() <= times.p99() && times.p99() <= times.max(),
        "{times}"
    );
}

#[test]
fn fresh_pool_has_measured_nothing() {
    let now = pool().snapshot();
    assert_eq!((now.wait_time(), now.run_time()), (Quantiles::default(), Quantiles::default()));
    assert_eq!((now.submitted(), now.started()), (0, 0));
}

#[test]
fn run_time_covers_what_the_task_took() {
    let pool = pool();
    let (gate, pass) = Gate::new();
    let task = pool.submit(move || {
        let start = time::now();
        pass();
        start.elapsed()
    });
    gate.wait();
    assert_eq!(pool.snapshot().run_time().count(), 0, "it has not ended");
    pass_time();
    gate.open();
    let took = ended(task.expect("open")).expect("it succeeds");
    until("it is noted", || pool.snapshot().run_time().count() == 1);
    let times = pool.snapshot().run_time();
    assert!(took >= WHILE && times.max() >= took && times.p50() == times.max(), "{times} of {took:?}");
}

#[test]
fn wait_time_covers_a_pause() {
    let pool = pool();
    let before = time::now();
    pool.pause();
    let tasks: Vec<_> = (0..5).map(|i| pool.submit(move || i).expect("open")).collect();
    let start = time::now();
    pass_time();
    let waited = start.elapsed();
    pool.resume();
    assert!(tasks.into_iter().all(|task| ended(task).is_ok()));
    until("all are noted", || pool.snapshot().wait_time().count() == 5);
    let times = pool.snapshot().wait_time();
    in_order(&times);
    assert!(times.p50() >= waited, "each of them waited: {times} of {waited:?}");
    assert!(times.max() <= before.elapsed(), "{times}");
    in_order(&pool.snapshot().run_time());
}

#[test]
fn wait_time_covers_the_wait_for_a_key() {
    let pool = ThreadPool::builder().workers(2).build().expect("good settings");
    let (gate, pass) = Gate::new();
    let first = pool.task().key(1).submit(|_| pass()).expect("open");
    gate.wait();
    let second = pool.task().key(1).submit(|_| ()).expect("open");
    let start = time::now();
    pass_time();
    let waited = start.elapsed();
    gate.open();
    ended(first).expect("it succeeds");
    ended(second).expect("it succeeds");
    until("both are noted", || pool.snapshot().wait_time().count() == 2);
    assert!(pool.snapshot().wait_time().max() >= waited);
}

#[test]
fn task_is_never_older_than_its_pool_has_had_it() {
    let pool = pool();
    ended(pool.submit(pass_time).expect("open")).expect("it succeeds");
    until("its worker is done with it", || pool.snapshot().workers()[0].running().is_none());
    let start = time::now();
    // Tasks so short that they are not timed, and begin while somebody looks.
    for _ in 0..if cfg!(debug_assertions) { 40 } else { 400 } {
        for _ in 0..100 {
            drop(pool.submit(|| ()).expect("open"));
            if let Some(task) = pool.snapshot().workers()[0].running() {
                assert!(task.elapsed() <= start.elapsed(), "{task}, of {:?}", start.elapsed());
            }
        }
    }
    pool.wait_timeout(LONG).expect("they end");
}

#[test]
fn each_of_many_tasks_has_an_age_of_its_own() {
    let pool = pool();
    let submitter = pool.submitter().clone();
    let (note, notes) = mpsc::channel();
    let task = |_| {
        let (submitter, note) = (submitter.clone(), note.clone());
        move || {
            // Somebody looks: from now on the age is known.
            let elapsed = submitter.snapshot().workers()[0].running().map(gristmill::RunningTask::elapsed);
            let looked = time::now();
            pass_time();
            note.send((elapsed.expect("this one"), looked, time::now())).expect("awaited");
        }
    };
    // Of unknown number, so that several share an entry.
    let tasks = (0..16).filter(|_| true).map(task);
    assert!(pool.submit_many(tasks).expect("open").wait().iter().all(Result::is_ok));
    let seen: Vec<_> = notes.try_iter().collect();
    assert_eq!(seen.len(), 16);
    for pair in seen.windows(2) {
        let [(.., ended), (elapsed, looked, _)] = *pair else { unreachable!("two each") };
        assert!(elapsed <= looked.saturating_duration_since(ended), "{elapsed:?} since the one before");
    }
}
