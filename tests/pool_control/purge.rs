//! Emptying the queue: every task that has not started comes back, and no other.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use gristmill::{KeyFailure, Shutdown, TaskHandle, ThreadPool};

use crate::gate::{Log, ended, occupy};

fn pool(workers: usize) -> ThreadPool {
    ThreadPool::builder().workers(workers).queue_bound(256).build().expect("good settings")
}

fn is_returned<T>(handle: TaskHandle<T>) -> bool {
    ended(handle).is_err_and(|error| error.is_returned())
}

#[test]
fn queued_tasks_come_back_in_submission_order_and_run_elsewhere() {
    let pool = pool(1);
    let (gate, running) = occupy(&pool);
    let log = Log::new();
    let handles: Vec<_> = (0..100)
        .map(|i| {
            let log = log.clone();
            let task = pool.task().name(format!("task {i}"));
            task.submit(move |context| log.add((i, context.worker()))).expect("open")
        })
        .collect();
    let returned = pool.purge();
    assert_eq!(pool.queued(), 0);
    let names: Vec<_> = returned.iter().map(|task| task.name().to_string()).collect();
    assert_eq!(names, (0..100).map(|i| format!("task {i}")).collect::<Vec<_>>());
    assert!(handles.into_iter().all(is_returned));
    assert_eq!(log.all(), []);
    for task in returned {
        task.run().expect("it does not panic");
    }
    assert_eq!(log.all(), (0..100).map(|i| (i, None)).collect::<Vec<_>>());

    assert!(pool.purge().is_empty(), "each comes back once, and what runs does not");
    gate.open();
    ended(running).expect("it goes on");
    assert_eq!(ended(pool.submit(|| 7).expect("the pool is open")).expect("it succeeds"), 7);
    let report = pool.shutdown(Shutdown::Drain);
    assert_eq!((report.submitted(), report.succeeded(), report.returned()), (102, 2, 100));
    assert!(report.tasks().is_empty(), "the purge gave them out");
}

/// Plain tasks, priorities, keys with others behind them: one order, that of submission.
#[test]
fn order_of_submission_holds_whatever_the_tasks_priority_and_key() {
    for (priorities, keys) in [(true, true), (false, true), (true, false)] {
        let pool = pool(1);
        let (gate, running) = occupy(&pool);
        let mut handles = Vec::new();
        for i in 0..60_i8 {
            let mut task = pool.task().name(format!("{i}"));
            if priorities && i % 4 == 1 {
                task = task.priority(i % 7 - 3);
            }
            if keys && i % 3 != 0 {
                task = task.key(i % 5);
            }
            handles
                .push(task.submit(|_| panic!("it ran")).map(|handle: TaskHandle<()>| handle).expect("open"));
        }
        let names: Vec<_> = pool.purge().iter().map(|task| task.name().to_string()).collect();
        assert_eq!(names, (0..60).map(|i| i.to_string()).collect::<Vec<_>>(), "{priorities} {keys}");
        assert!(handles.into_iter().all(is_returned));
        gate.open();
        ended(running).expect("it goes on");
    }
}

#[test]
fn batches_that_workers_hold_come_back_too() {
    let pool = pool(2);
    let (first, one) = occupy(&pool);
    let (second, two) = occupy(&pool);
    let started = Arc::new(AtomicUsize::new(0));
    let handles: Vec<_> = (0..200)
        .map(|_| {
            let started = Arc::clone(&started);
            pool.submit(move || started.fetch_add(1, Ordering::SeqCst)).expect("open")
        })
        .collect();
    // The worker that goes on first takes a batch whose first task holds it.
    let (third, pass) = crate::gate::Gate::new();
    let holding = pool.submit(pass).expect("open");
    first.open();
    third.wait();
    let before = started.load(Ordering::SeqCst);
    assert_eq!(before, 200, "one worker runs in submission order");
    let behind: Vec<_> = (0..50).map(|_| pool.submit(|| ()).expect("open")).collect();
    assert_eq!(pool.purge().len(), 50);
    assert!(behind.into_iter().all(is_returned));
    for handle in handles {
        _ = ended(handle).expect("it ran");
    }
    second.open();
    third.open();
    for handle in [one, two, holding] {
        ended(handle).expect("it goes on");
    }
}

#[test]
fn what_lies_behind_a_running_task_in_its_workers_batch_comes_back() {
    let pool = pool(1);
    let (gate, running) = occupy(&pool);
    let (second, pass) = crate::gate::Gate::new();
    let holding = pool.submit(pass).expect("open");
    let behind: Vec<_> = (0..20).map(|_| pool.submit(|| ()).expect("open")).collect();
    gate.open();
    second.wait(); // it took the batch with those behind it
    assert_eq!(pool.queued(), 20);
    assert_eq!(pool.purge().len(), 20);
    assert_eq!(pool.queued(), 0);
    assert!(behind.into_iter().all(is_returned));
    second.open();
    for handle in [running, holding] {
        ended(handle).expect("it goes on");
    }
    assert_eq!(pool.shutdown(Shutdown::Drain).returned(), 20);
}

#[test]
fn tasks_that_wait_for_their_key_come_back_and_the_key_goes_on_afterwards() {
    let pool = pool(2);
    let (gate, pass) = crate::gate::Gate::new();
    let running = pool.task().key("k").submit(move |_| pass()).expect("open");
    gate.wait();
    let parked: Vec<_> = (0..5).map(|_| pool.task().key("k").submit(|_| panic!("it ran"))).collect();
    assert_eq!((pool.queued(), pool.purge().len(), pool.queued()), (5, 5, 0));
    assert!(parked.into_iter().all(|handle: Result<TaskHandle<()>, _>| is_returned(handle.expect("open"))));
    let later = pool.task().key("k").submit(|_| 3).expect("open");
    gate.open();
    ended(running).expect("it goes on");
    assert_eq!(ended(later).expect("it runs after the one that ran"), 3);
    assert_eq!(ended(pool.task().key("k").submit(|_| 4).expect("open")).expect("the key is idle"), 4);
}

/// What a purge takes back is what waits for the key, not the decision to hold it.
#[test]
fn purge_gives_back_what_waits_for_a_held_key_and_leaves_it_held() {
    let builder = ThreadPool::builder().workers(1).on_key_failure(KeyFailure::Hold);
    let pool = builder.build().expect("good settings");
    let failed = pool.task().key(1).fallible().submit(|_| Err::<(), _>("bad")).expect("open");
    let parked = pool.task().key(1).submit(|_| 2).expect("open");
    assert_eq!(ended(failed).expect("it ran"), Err("bad"));
    pool.wait_timeout(std::time::Duration::ZERO).expect_err("one waits");
    assert_eq!(pool.purge().len(), 1);
    assert!(is_returned(parked));
    assert_eq!(pool.held_keys().len(), 1);
    let later = pool.task().key(1).submit(|_| 3).expect("open");
    assert!(pool.release_key(1));
    assert_eq!(ended(later).expect("it runs"), 3);
}

#[test]
fn cancelled_tasks_do_not_come_back() {
    let pool = pool(1);
    pool.pause();
    let handles: Vec<_> =
        (0..6).map(|i| pool.task().name(format!("{i}")).submit(|_| ()).expect("open")).collect();
    let keyed: Vec<_> =
        (6..9).map(|i| pool.task().name(format!("{i}")).key(1).submit(|_| ()).expect("open")).collect();
    for handle in [&handles[0], &handles[3], &keyed[1]] {
        _ = handle.cancel();
    }
    let names: Vec<_> = pool.purge().iter().map(|task| task.name().to_string()).collect();
    assert_eq!(names, ["1", "2", "4", "5", "6", "8"]);
    let cancelled = handles.into_iter().chain(keyed).map(|handle| ended(handle).unwrap_err().is_cancelled());
    assert_eq!(cancelled.filter(|is| *is).count(), 3);
    let report = pool.shutdown(Shutdown::Drain);
    assert_eq!((report.submitted(), report.cancelled(), report.returned()), (9, 3, 6));
}

#[test]
fn purge_makes_room_for_a_blocked_submission() {
    let pool = ThreadPool::builder().workers(1).queue_bound(1).build().expect("good settings");
    let (gate, running) = occupy(&pool);
    let queued = pool.submit(|| 1).expect("there is one place");
    std::thread::scope(|scope| {
        let blocked = scope.spawn(|| pool.submit(|| 2).expect("open"));
        let mut returned = 0;
        let second = loop {
            if blocked.is_finished() {
                break blocked.join().expect("it does not panic");
            }
            returned += pool.purge().len();
        };
        gate.open();
        assert!(is_returned(queued));
        match ended(second) {
            Ok(value) => assert_eq!((value, returned), (2, 1)),
            Err(error) => assert!(error.is_returned() && returned == 2),
        }
    });
    ended(running).expect("it goes on");
}
