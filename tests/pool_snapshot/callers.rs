//! Tasks that do not run on a worker of their own: on the submitter's thread, or inside another task.

use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use gristmill::{Saturation, Shutdown, ThreadPool, ThreadPoolBuilder};

use crate::gate::{Gate, LONG, ended, occupy, spawn};
use crate::{closes, until};

/// A pool whose worker is busy and whose queue is full, and a thread that runs the task `grind` itself until the gate is opened.
fn caller(builder: ThreadPoolBuilder<'static>) -> (Arc<ThreadPool>, [Gate; 2], std::thread::JoinHandle<()>) {
    let builder = builder.workers(1).queue_bound(1).saturation(Saturation::CallerRuns);
    let pool = Arc::new(builder.build().expect("good settings"));
    let (held, running) = occupy(&pool);
    drop((running, pool.submit(|| ()).expect("there is one place")));
    let (gate, pass) = Gate::new();
    let caller = {
        let pool = Arc::clone(&pool);
        spawn(move || drop(pool.task().name("grind").submit(|_| pass()).expect("the caller runs it")))
    };
    gate.wait();
    (pool, [held, gate], caller)
}

#[test]
fn task_that_its_submitter_runs_is_seen_and_counted() {
    let (pool, [held, gate], caller) = caller(ThreadPool::builder());
    let now = pool.snapshot();
    closes(&now);
    assert_eq!((now.running(), now.queued()), (2, 1));
    let [grind] = now.callers() else { panic!("one of them: {now}") };
    assert_eq!((grind.name(), grind.worker()), ("grind", None));
    let first = grind.elapsed();
    assert!(now.to_string().contains("its submitter runs grind for "), "{now}");
    assert!(pool.snapshot().callers()[0].elapsed() >= first);
    gate.open();
    caller.join().expect("it does not panic");
    let now = pool.snapshot();
    assert!(now.callers().is_empty());
    assert_eq!((now.succeeded(), now.running()), (1, 1));
    held.open();
    pool.wait().expect("nothing is cancelled");
    let now = pool.snapshot();
    assert_eq!((now.started(), now.workers()[0].started()), (3, 2), "the caller's is none of the worker's");
}

#[test]
fn task_that_its_submitter_runs_is_among_the_stuck() {
    let (pool, [held, gate], caller) = caller(ThreadPool::builder().stop_grace(Duration::ZERO));
    let report = pool.shutdown(Shutdown::Abort);
    assert!(!report.is_complete());
    let stuck: Vec<_> = report.stuck().iter().map(|task| (task.name(), task.worker())).collect();
    assert_eq!(stuck, [("task", Some(0)), ("grind", None)]);
    assert_eq!(report.pending(), 2);
    assert!(report.to_string().contains("grind still runs on its submitter's thread after "), "{report}");
    gate.open();
    held.open();
    caller.join().expect("it does not panic");
    let report = pool.shutdown(Shutdown::Drain);
    assert!(report.is_complete() && report.stuck().is_empty());
}

#[test]
fn slow_task_that_its_submitter_runs_is_told_of() {
    let (told, slow) = mpsc::channel();
    let builder = ThreadPool::builder().slow_task(Duration::from_millis(5), move |task| {
        let _ = told.send((task.name().to_owned(), task.worker()));
    });
    let (pool, [held, gate], caller) = caller(builder);
    let mut all = [slow.recv_timeout(LONG).expect("one"), slow.recv_timeout(LONG).expect("the other")];
    all.sort();
    assert_eq!(all, [("grind".to_owned(), None), ("task".to_owned(), Some(0))]);
    gate.open();
    held.open();
    caller.join().expect("it does not panic");
    drop(pool);
    assert!(slow.try_recv().is_err(), "once each");
}

#[test]
fn task_that_runs_inside_another_is_counted_and_the_outer_one_named() {
    let pool = Arc::new(ThreadPool::builder().workers(1).queue_bound(1).build().expect("good settings"));
    for full in [true, false] {
        let (gate, pass) = Gate::new();
        let submitter = pool.submitter().clone();
        let outer = pool.task().name("outer").submit(move |_| {
            if full {
                drop(submitter.try_submit(|| ()).expect("the one place"));
            }
            // Run at its submission, since the queue is full, or by the wait.
            submitter.task().name("inner").submit(|_| pass()).expect("open").wait().expect("it succeeds");
        });
        gate.wait();
        let now = pool.snapshot();
        closes(&now);
        let named = now.workers()[0].running().map(|task| task.name().to_owned());
        assert_eq!((now.running(), named.as_deref()), (2, Some("outer")), "{now}");
        assert!(now.callers().is_empty(), "its worker runs it");
        gate.open();
        ended(outer.expect("open")).expect("it succeeds");
        pool.wait().expect("nothing is cancelled");
    }
    until("it rests", || pool.snapshot().workers()[0].running().is_none());
}
