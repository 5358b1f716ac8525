//! Pause and resume.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use gristmill::{Saturation, Shutdown, ThreadPool};

use crate::gate::{Gate, LONG, Log, ended, occupy, spawn};

fn pool(workers: usize) -> ThreadPool {
    ThreadPool::builder().workers(workers).queue_bound(64).build().expect("good settings")
}

#[test]
fn running_task_finishes_and_the_queue_holds_until_resume() {
    let pool = pool(2);
    let (gate, running) = occupy(&pool);
    pool.pause();
    assert!(pool.is_paused());
    let log = Log::new();
    let queued: Vec<_> = (0..10)
        .map(|i| {
            let log = log.clone();
            pool.submit(move || log.add(i)).expect("a paused pool takes tasks")
        })
        .collect();
    gate.open();
    ended(running).expect("it finishes");
    assert_eq!((pool.queued(), log.all()), (10, vec![]));
    pool.resume();
    assert!(!pool.is_paused());
    for handle in queued {
        ended(handle).expect("it succeeds");
    }
    assert_eq!(log.all().len(), 10);
}

/// Whatever the workers do at that moment: what is submitted after `pause` has returned does not start.
#[test]
fn nothing_that_is_submitted_to_a_paused_pool_starts() {
    let pool = pool(2);
    for round in 0..2000 {
        // Workers that park, search or have just run something.
        for _ in 0..round % 3 {
            drop(pool.submit(|| ()).expect("open"));
        }
        pool.pause();
        let (resumed, is_resumed) = mpsc::channel();
        let late = pool.submit(move || is_resumed.try_recv()).expect("open");
        if round % 2 == 0 {
            thread::yield_now();
        }
        resumed.send(()).expect("the task holds the other end");
        pool.resume();
        assert_eq!(ended(late).expect("it succeeds"), Ok(()), "it started while the pool was paused");
    }
}

#[test]
fn pausing_twice_needs_one_resume_and_a_resume_more_changes_nothing() {
    let pool = pool(1);
    pool.resume();
    assert!(!pool.is_paused());
    pool.pause();
    pool.pause();
    let task = pool.submit(|| 7).expect("open");
    pool.resume();
    pool.resume();
    assert_eq!(ended(task).expect("it succeeds"), 7);
}

#[test]
fn task_that_runs_in_a_paused_pool_still_runs_what_it_waits_for() {
    let pool = pool(1);
    let (gate, pass) = Gate::new();
    let submitter = pool.submitter().clone();
    let outer = pool.submit(move || {
        pass();
        assert!(submitter.is_paused());
        let inner = submitter.clone();
        let middle =
            submitter.submit(move || inner.submit(|| 3).expect("open").wait().expect("it succeeds") + 20);
        middle.expect("open").wait().expect("it succeeds") + 100
    });
    gate.wait();
    pool.pause();
    let other = pool.submit(|| ()).expect("open");
    gate.open();
    assert_eq!(ended(outer.expect("open")).expect("it succeeds"), 123);
    assert!(!other.is_finished(), "nobody waits for it");
    pool.resume();
    ended(other).expect("it succeeds");
}

#[test]
fn full_queue_of_a_paused_pool_refuses_and_blocks_as_any_other() {
    let builder = ThreadPool::builder().workers(1).queue_bound(1).saturation(Saturation::Block);
    let pool = builder.build().expect("good settings");
    pool.pause();
    let first = pool.submit(|| 1).expect("there is one place");
    assert!(pool.try_submit(|| 2).unwrap_err().is_full());
    assert!(pool.submit_timeout(|| 2, Duration::ZERO).unwrap_err().is_timed_out());
    thread::scope(|scope| {
        let blocked = scope.spawn(|| ended(pool.submit(|| 2).expect("open")).expect("it succeeds"));
        pool.resume();
        assert_eq!(blocked.join().expect("it does not panic"), 2);
    });
    assert_eq!(ended(first).expect("it succeeds"), 1);
}

#[test]
fn task_of_a_paused_pool_can_be_cancelled() {
    let pool = pool(1);
    pool.pause();
    let task =
        pool.submit(|| panic!("it ran")).map(|handle: gristmill::TaskHandle<()>| handle).expect("open");
    assert_eq!(task.cancel(), gristmill::CancelOutcome::Prevented);
    assert!(ended(task).unwrap_err().is_cancelled());
    pool.wait_timeout(LONG).expect("nothing is pending");
}

#[test]
fn shutdown_and_drop_of_a_paused_pool_run_what_is_queued() {
    let paused = || {
        let pool = pool(2);
        pool.pause();
        let tasks: Vec<_> = (0..40).map(|i| pool.submit(move || i).expect("open")).collect();
        (pool, tasks)
    };
    let all = |tasks: Vec<gristmill::TaskHandle<i32>>| -> i32 {
        tasks.into_iter().map(|handle| ended(handle).expect("it succeeds")).sum()
    };
    let (pool, tasks) = paused();
    let report = pool.shutdown(Shutdown::Drain);
    assert!(report.is_complete());
    assert_eq!((report.succeeded(), all(tasks)), (40, 780));

    let (pool, tasks) = paused();
    assert_eq!(pool.shutdown(Shutdown::DrainFor(LONG)).succeeded(), 40);
    assert_eq!(all(tasks), 780);

    let (pool, tasks) = paused();
    drop(pool);
    assert_eq!(all(tasks), 780);

    let (pool, tasks) = paused();
    pool.detach();
    assert_eq!(all(tasks), 780);

    let (pool, tasks) = paused();
    let report = pool.shutdown(Shutdown::Abort);
    assert!(report.is_complete());
    assert_eq!((report.succeeded(), report.returned(), report.tasks().len()), (0, 40, 40));
    assert!(tasks.into_iter().all(|handle| ended(handle).is_err_and(|error| error.is_returned())));
}

#[test]
fn scope_that_ends_or_unwinds_while_paused_runs_what_is_queued() {
    let log = Log::new();
    let unwound = std::panic::catch_unwind(|| {
        let scope = ThreadPool::builder().workers(1).scope(|pool| {
            pool.pause();
            let log = log.clone();
            drop(pool.submit(move || log.add(1)).expect("open"));
            panic!("the body");
        });
        scope.expect("good settings")
    });
    assert!(unwound.is_err());
    assert_eq!(log.all(), [1]);
}

#[test]
fn pause_after_the_end_has_begun_does_not_hold_the_end_up() {
    let pool = pool(1);
    let (gate, running) = occupy(&pool);
    let queued = pool.submit(|| 1).expect("open");
    let submitter = pool.submitter().clone();
    let ending = spawn(move || pool.shutdown(Shutdown::Drain));
    while !submitter.is_closed() {
        thread::yield_now();
    }
    submitter.pause();
    gate.open();
    ended(running).expect("it finishes");
    assert_eq!(ended(queued).expect("it succeeds"), 1);
    assert_eq!(ending.join().expect("it does not panic").succeeded(), 2);
}

#[test]
fn workers_of_a_paused_pool_leave_when_it_is_closed_and_empty() {
    let (stopped, stops) = mpsc::channel();
    let builder = ThreadPool::builder().workers(3).on_worker_stop(move |worker| {
        let _ = stopped.send(worker);
    });
    let pool = builder.build().expect("good settings");
    pool.pause();
    let unstarted = pool.submit(|| ()).expect("open");
    pool.close();
    assert_eq!(pool.purge().len(), 1);
    assert!(ended(unstarted).unwrap_err().is_returned());
    let mut workers: Vec<_> = (0..3).map(|_| stops.recv_timeout(LONG).expect("it leaves")).collect();
    workers.sort_unstable();
    assert_eq!(workers, [0, 1, 2]);
    assert!(pool.shutdown(Shutdown::Drain).is_complete());
}
