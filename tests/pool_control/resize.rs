//! Changing the number of workers while the pool runs.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use gristmill::pool::MAX_WORKERS;
use gristmill::{ResizeError, Shutdown, ThreadPool};

use crate::gate::{Gate, LONG, Log, ended, occupy, spawn};

fn pool(name: &str, workers: usize) -> Arc<ThreadPool> {
    let builder = ThreadPool::builder().workers(workers).queue_bound(256).name(name);
    Arc::new(builder.build().expect("good settings"))
}

/// The threads of the pool with this name, as the system sees them.
#[cfg(target_os = "linux")]
fn threads(name: &str) -> usize {
    let is_ours = |entry: std::io::Result<std::fs::DirEntry>| {
        let comm = std::fs::read_to_string(entry.expect("an entry is readable").path().join("comm"));
        comm.is_ok_and(|comm| comm.starts_with(&format!("{name}-")))
    };
    std::fs::read_dir("/proc/self/task").expect("Linux has it").map(is_ours).filter(|is| *is).count()
}

/// As many threads as `wanted`. The system may show a joined thread for a moment longer, and a new one has its name only when it runs.
#[cfg(target_os = "linux")]
#[track_caller]
fn assert_threads(name: &str, wanted: usize) {
    let limit = gristmill::sync::time::now() + LONG;
    while threads(name) != wanted && gristmill::sync::time::now() < limit {
        thread::yield_now();
    }
    assert_eq!(threads(name), wanted);
}

#[cfg(not(target_os = "linux"))]
fn assert_threads(_name: &str, _wanted: usize) {}

#[test]
fn growth_runs_queued_work_at_once() {
    let pool = pool("grow", 1);
    let (gate, running) = occupy(&pool);
    // Three tasks that need each other: only with three more workers they meet.
    let meeting = Arc::new(Barrier::new(3));
    let handles: Vec<_> = (0..3)
        .map(|_| {
            let meeting = Arc::clone(&meeting);
            pool.submit(move || meeting.wait().is_leader()).expect("open")
        })
        .collect();
    pool.resize(4).expect("threads can be had");
    let leaders = handles.into_iter().map(|handle| ended(handle).expect("they meet"));
    assert_eq!(leaders.filter(|leads| *leads).count(), 1);
    assert_eq!(pool.workers(), 4);
    assert_threads("grow", 4);
    gate.open();
    ended(running).expect("it finishes");
}

#[test]
fn shrinking_lets_running_tasks_finish_joins_the_leavers_and_loses_nothing() {
    let pool = pool("shrink", 4);
    let held: Vec<_> = (0..4).map(|_| occupy(&pool)).collect();
    let log = Log::new();
    let queued: Vec<_> = (0..100)
        .map(|i| {
            let log = log.clone();
            pool.submit(move || log.add(i)).expect("open")
        })
        .collect();
    let shrinking = {
        let pool = Arc::clone(&pool);
        spawn(move || pool.resize(1))
    };
    for (gate, running) in held {
        gate.open();
        ended(running).expect("it finishes");
    }
    shrinking.join().expect("it does not panic").expect("open");
    assert_eq!(pool.workers(), 1);
    assert_threads("shrink", 1);
    for handle in queued {
        ended(handle).expect("it runs");
    }
    let mut ran = log.all();
    ran.sort_unstable();
    assert_eq!(ran, (0..100).collect::<Vec<_>>());
    assert_eq!(pool.shutdown(Shutdown::Drain).succeeded(), 104);
}

/// `resize` returns after the leavers' last hook, every time.
#[test]
fn leavers_have_left_when_resize_returns() {
    for _ in 0..300 {
        let stopped = Arc::new(AtomicUsize::new(0));
        let stop = Arc::clone(&stopped);
        let builder = ThreadPool::builder().workers(4).on_worker_stop(move |_| {
            thread::yield_now();
            stop.fetch_add(1, Ordering::SeqCst);
        });
        let pool = builder.build().expect("good settings");
        pool.resize(1).expect("open");
        assert_eq!(stopped.load(Ordering::SeqCst), 3);
    }
}

#[test]
fn leaver_gives_its_batch_to_those_who_stay() {
    let pool = pool("batch", 2);
    let (other, stays) = occupy(&pool);
    let (first, one) = occupy(&pool);
    // The worker that goes on takes these as one batch, and is held by the first of them.
    let (second, pass) = Gate::new();
    let holding = pool.submit(pass).expect("open");
    let behind: Vec<_> = (0..20).map(|i| pool.submit(move || i).expect("open")).collect();
    first.open();
    second.wait();
    pool.try_resize(1).expect("open");
    second.open(); // it leaves now: the one that stays is held, and has to find the batch when it goes on
    let gone = pool.resize_timeout(1, LONG);
    gone.expect("it has left");
    assert!(behind.iter().all(|handle| !handle.is_finished()), "no worker was free to run them");
    other.open();
    let sum: i32 = behind.into_iter().map(|handle| ended(handle).expect("it runs")).sum();
    assert_eq!(sum, 190);
    for handle in [one, stays, holding] {
        ended(handle).expect("it finishes");
    }
}

#[test]
fn size_out_of_range_is_refused_and_changes_nothing() {
    let pool = pool("range", 2);
    for workers in [0, MAX_WORKERS + 1, usize::MAX] {
        for result in
            [pool.resize(workers), pool.try_resize(workers), pool.resize_timeout(workers, Duration::ZERO)]
        {
            let Err(ResizeError::Workers { workers: asked }) = result else { panic!("{result:?}") };
            assert_eq!(asked, workers);
        }
    }
    assert_eq!(pool.workers(), 2);
    assert_eq!(ended(pool.submit(|| 1).expect("open")).expect("it succeeds"), 1);
    pool.resize(2).expect("the same size is no change");
    assert_threads("range", 2);
}

#[test]
fn closed_pool_keeps_its_size() {
    let pool = pool("closed", 2);
    let (gate, running) = occupy(&pool);
    pool.close();
    for workers in [1, 2, 3] {
        assert!(matches!(pool.resize(workers), Err(ResizeError::Closed)));
        assert!(matches!(pool.try_resize(workers), Err(ResizeError::Closed)));
    }
    gate.open();
    ended(running).expect("it finishes");
    assert!(pool.shutdown(Shutdown::Drain).is_complete());
    assert!(matches!(pool.resize(4), Err(ResizeError::Closed)));
}

#[test]
fn task_changes_the_size_of_its_own_pool() {
    let pool = pool("inside", 1);
    let own = Arc::clone(&pool);
    let sizes = pool.submit(move || {
        own.resize(3).expect("threads can be had");
        let (gate, pass) = Gate::new();
        let other = own.submit(pass).expect("open");
        gate.wait(); // another worker runs it: this one is here
        own.resize(1).expect("it does not wait for itself");
        gate.open();
        other.wait().expect("it succeeds");
        own.resize_timeout(1, LONG).expect("nor with a time-out");
    });
    ended(sizes.expect("open")).expect("it does not panic");
    pool.resize(1).expect("from outside it waits");
    assert_eq!(pool.workers(), 1);
    assert_threads("inside", 1);
    assert_eq!(ended(pool.submit(|| 7).expect("open")).expect("one is left"), 7);
}

#[test]
fn time_out_of_a_resize_passes_while_a_task_runs_and_the_worker_leaves_after_it() {
    let pool = pool("timeout", 2);
    let (first, one) = occupy(&pool);
    let (second, two) = occupy(&pool);
    for timeout in [Duration::ZERO, Duration::from_millis(1)] {
        let result = pool.resize_timeout(1, timeout);
        assert!(matches!(result, Err(ResizeError::TimedOut { workers: 2 })), "{result:?}");
    }
    first.open();
    ended(one).expect("it finishes");
    pool.resize_timeout(1, Duration::MAX).expect("one is free to leave");
    assert_eq!(pool.workers(), 1);
    second.open();
    ended(two).expect("it finishes");
    assert_eq!(ended(pool.submit(|| 7).expect("open")).expect("one is left"), 7);
    assert_threads("timeout", 1);
}

/// A change of size that waits for a task must not keep others from the size, least of all that task.
#[test]
fn waiting_resize_holds_nobody_up() {
    let pool = pool("waiting", 2);
    let (gate, pass) = Gate::new();
    let own = Arc::clone(&pool);
    let resizing_task = pool.submit(move || {
        pass();
        let _ = format!("{own:?}");
        own.try_resize(2)
    });
    gate.wait();
    let (other, two) = occupy(&pool);
    let (ready, started) = mpsc::channel();
    let waiting = {
        let pool = Arc::clone(&pool);
        spawn(move || {
            ready.send(()).expect("the test waits for it");
            pool.resize(1)
        })
    };
    started.recv_timeout(LONG).expect("it is about to wait");
    (0..100).for_each(|_| thread::yield_now()); // if it is late, the claim is easier, but no other
    let result = pool.resize_timeout(1, Duration::ZERO);
    assert!(matches!(result, Err(ResizeError::TimedOut { workers: 2 })), "{result:?}");
    gate.open();
    ended(resizing_task.expect("open")).expect("it does not panic").expect("it changes the size");
    waiting.join().expect("it does not panic").expect("one has left, or need not any more");
    other.open();
    ended(two).expect("it finishes");
    pool.resize(2).expect("threads can be had");
    assert_eq!(pool.workers(), 2);
}

#[test]
fn workers_told_to_leave_stay_if_the_pool_grows_before_they_could() {
    let pool = pool("stay", 3);
    let held: Vec<_> = (0..3).map(|_| occupy(&pool)).collect();
    pool.try_resize(1).expect("open");
    assert_eq!(pool.workers(), 3, "they count until they have left");
    pool.resize(4).expect("one more");
    assert_eq!(pool.workers(), 4);
    for (gate, running) in held {
        gate.open();
        ended(running).expect("it finishes");
    }
    let meeting = Arc::new(Barrier::new(4));
    let meet = |_| {
        let meeting = Arc::clone(&meeting);
        pool.submit(move || _ = meeting.wait()).expect("open")
    };
    (0..4)
        .map(meet)
        .collect::<Vec<_>>()
        .into_iter()
        .for_each(|handle| ended(handle).expect("all four are there"));
    assert_threads("stay", 4);
}

#[test]
fn paused_pool_changes_its_size_and_stays_paused() {
    let pool = pool("paused", 3);
    pool.pause();
    let task = pool.submit(|| 7).expect("open");
    pool.resize(1).expect("those who leave are idle");
    assert_eq!(pool.workers(), 1);
    pool.resize(3).expect("threads can be had");
    assert!(!task.is_finished() && pool.is_paused());
    pool.resume();
    assert_eq!(ended(task).expect("it succeeds"), 7);
}

#[test]
fn states_are_made_and_finished_once_per_worker_that_came_and_left() {
    let (built, finished) = (Log::new(), Log::new());
    let (make, finish) = (built.clone(), finished.clone());
    let serial = AtomicUsize::new(0);
    let builder = ThreadPool::builder().workers(1).worker_state(
        move |worker| {
            let serial = serial.fetch_add(1, Ordering::SeqCst);
            make.add((serial, worker, thread::current().id()));
            serial
        },
        move |worker, serial| finish.add((serial, worker, thread::current().id())),
    );
    let pool = builder.build().expect("good settings");
    for workers in [4, 2, 5, 1, 3] {
        pool.resize(workers).expect("open");
        let living = built.all().len() - finished.all().len();
        assert_eq!(living, workers, "built before and finished when `resize` returns");
    }
    assert!(pool.shutdown(Shutdown::Drain).is_complete());
    let (mut built, mut finished) = (built.all(), finished.all());
    built.sort_by_key(|(serial, ..)| *serial);
    finished.sort_by_key(|(serial, ..)| *serial);
    assert_eq!(built, finished);
    assert_eq!(built.len(), 1 + 3 + 3 + 2);
    let mut by_index = BTreeMap::new();
    for (_, worker, _) in &built {
        *by_index.entry(*worker).or_insert(0) += 1;
    }
    assert!(
        by_index.keys().all(|worker| *worker < 5),
        "indices of those who left are used again: {by_index:?}"
    );
}

#[test]
fn state_that_cannot_be_made_at_growth_leaves_the_workers_that_there_are() {
    let broken = Arc::new(Mutex::new(None));
    let breaks = Arc::clone(&broken);
    let finished = Log::new();
    let finish = finished.clone();
    let builder = ThreadPool::builder().workers(2).worker_state(
        move |worker| {
            let broken = *breaks.lock().expect("not poisoned");
            assert_ne!(broken, Some(worker), "no stone");
        },
        move |worker, ()| finish.add(worker),
    );
    let pool = builder.build().expect("good settings");
    *broken.lock().expect("not poisoned") = Some(3);
    let result = pool.resize(5);
    let Err(ResizeError::State { worker, source }) = result else { panic!("{result:?}") };
    assert_eq!(worker, 3);
    assert!(source.message().contains("no stone"));
    assert_eq!((pool.workers(), finished.all()), (4, vec![]));
    *broken.lock().expect("not poisoned") = None;
    pool.resize(5).expect("the index is free again");
    assert_eq!(pool.workers(), 5);
    pool.resize(2).expect("open");
    assert_eq!((pool.workers(), finished.all().len()), (2, 3));
    assert_eq!(ended(pool.submit(|| 7).expect("open")).expect("it succeeds"), 7);
    let report = pool.shutdown(Shutdown::Drain);
    assert!(report.is_complete() && report.worker_panics().is_empty(), "the error had it");
}

#[test]
fn resize_that_races_a_shutdown_is_done_or_refused_and_no_thread_is_left() {
    for round in 0..60 {
        let name = format!("race{round}");
        let pool = pool(&name, 2);
        let (ready, started) = mpsc::channel();
        let resizers: Vec<_> = [1, 4]
            .map(|workers| {
                let (pool, ready) = (Arc::clone(&pool), ready.clone());
                spawn(move || {
                    ready.send(()).expect("the test waits for it");
                    for _ in 0..5 {
                        match pool.resize(workers) {
                            Ok(()) | Err(ResizeError::Closed) => {}
                            Err(other) => panic!("{other}"),
                        }
                    }
                })
            })
            .into();
        let handles: Vec<_> = (0..20).map(|i| pool.submit(move || i).expect("open")).collect();
        (0..2).for_each(|_| started.recv_timeout(LONG).expect("two resizers"));
        (0..round % 20).for_each(|_| thread::yield_now());
        let report = pool.shutdown(Shutdown::Drain);
        assert!(report.is_complete());
        assert_eq!(report.succeeded(), 20);
        for handle in handles {
            _ = ended(handle).expect("it ran");
        }
        for thread in resizers {
            thread.join().expect("it does not panic");
        }
        assert_threads(&name, 0);
    }
}

#[test]
fn scoped_pool_changes_its_size_too() {
    let numbers: Vec<u64> = (0..100).collect();
    let sum = ThreadPool::builder().workers(1).scope(|pool| {
        pool.resize(3).expect("threads can be had");
        let halves: Vec<_> = numbers
            .chunks(10)
            .map(|half| pool.submit(move || half.iter().sum::<u64>()).expect("open"))
            .collect();
        pool.resize(1).expect("open");
        assert_eq!(pool.workers(), 1);
        halves.into_iter().map(|half| half.wait().expect("it succeeds")).sum::<u64>()
    });
    assert_eq!(sum.expect("good settings"), 4950);
}
