//! Tasks with keys: one at a time per key, in submission order, different keys in parallel.
#![cfg(not(any(gristmill_shuttle, gristmill_loom)))]

use std::hash::{Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, mpsc};
use std::thread;
use std::time::Duration;

use gristmill::{BuildError, Refusal, Shutdown, TaskHandle, ThreadPool, ThreadPoolBuilder};

#[path = "support/gate.rs"]
mod gate;
use gate::{Gate, LONG, Log, ended, occupy, spawn};

fn builder<'env>(workers: usize) -> ThreadPoolBuilder<'env> {
    ThreadPool::builder().workers(workers).queue_bound(4096).key_bound(4096)
}

fn pool(workers: usize) -> ThreadPool {
    builder(workers).build().expect("good settings")
}

/// Occupies the key until the gate is opened; returns once it does.
#[track_caller]
fn occupy_key<K: Hash + Eq + Send + Sync + 'static>(pool: &ThreadPool, key: K) -> (Gate, TaskHandle<()>) {
    let (gate, pass) = Gate::new();
    let running = pool.task().key(key).submit(move |_| pass()).expect("open");
    gate.wait();
    (gate, running)
}

#[test]
fn tasks_of_one_key_run_one_at_a_time_in_submission_order() {
    const KEYS: usize = 5;
    let pool = pool(4);
    let inside: Arc<[AtomicBool; KEYS]> = Arc::default();
    let logs: [Log<usize>; KEYS] = std::array::from_fn(|_| Log::new());
    let handles: Vec<_> = (0..1000)
        .map(|i| {
            let (key, inside, log) = (i % KEYS, Arc::clone(&inside), logs[i % KEYS].clone());
            let task = pool.task().key(key).submit(move |_| {
                assert!(!inside[key].swap(true, Ordering::SeqCst), "another task of the key is inside");
                log.add(i);
                thread::yield_now();
                assert!(inside[key].swap(false, Ordering::SeqCst));
            });
            task.expect("open")
        })
        .collect();
    for handle in handles {
        ended(handle).expect("it is alone");
    }
    for (key, log) in logs.into_iter().enumerate() {
        assert_eq!(log.all(), (0..1000).filter(|i| i % KEYS == key).collect::<Vec<_>>());
    }
}

#[test]
fn different_keys_run_in_parallel_on_as_many_workers() {
    let pool = pool(4);
    for _ in 0..20 {
        let meeting = Arc::new(Barrier::new(4));
        let handles: Vec<_> = (0..4)
            .map(|key| {
                let meeting = Arc::clone(&meeting);
                pool.task().key(key).submit(move |_| _ = meeting.wait()).expect("open")
            })
            .collect();
        for handle in handles {
            ended(handle).expect("they meet");
        }
    }
}

/// All of these keys have one hash.
#[derive(Clone, Debug, PartialEq, Eq)]
struct SameHash(u32);

impl Hash for SameHash {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u8(0);
    }
}

#[test]
fn keys_with_equal_hashes_that_are_not_equal_run_in_parallel() {
    let pool = pool(3);
    let (gate, running) = occupy_key(&pool, SameHash(0));
    let parked = pool.task().key(SameHash(0)).submit(|_| 0).expect("open");
    let meeting = Arc::new(Barrier::new(2));
    let others = [1, 2].map(|key| {
        let meeting = Arc::clone(&meeting);
        pool.task().key(SameHash(key)).submit(move |_| _ = meeting.wait()).expect("open")
    });
    for handle in others {
        ended(handle).expect("they meet");
    }
    assert!(!parked.is_finished(), "its own key is busy");
    gate.open();
    ended(running).expect("it finishes");
    assert_eq!(ended(parked).expect("its turn"), 0);
}

#[test]
fn keys_of_different_types_are_different() {
    let pool = pool(2);
    let (gate, running) = occupy_key(&pool, 1_u32);
    assert_eq!(ended(pool.task().key(1_u64).submit(|_| 7).expect("open")).expect("it is another key"), 7);
    gate.open();
    ended(running).expect("it finishes");
}

#[test]
fn hot_key_parks_no_worker_and_starves_no_other_key() {
    let pool = pool(2);
    let (gate, running) = occupy_key(&pool, "hot");
    let hot: Vec<_> = (0..100).map(|_| pool.task().key("hot").submit(|_| ()).expect("open")).collect();
    for i in 0..50 {
        // One after the other: the second worker is free for each.
        assert_eq!(ended(pool.task().key(i).submit(move |_| i).expect("open")).expect("it runs"), i);
        assert_eq!(ended(pool.submit(move || i).expect("open")).expect("it runs"), i);
    }
    assert_eq!((pool.queued(), hot.iter().filter(|handle| handle.is_finished()).count()), (100, 0));
    gate.open();
    ended(running).expect("it finishes");
    for handle in hot {
        ended(handle).expect("its turn");
    }
}

/// Not behind what was submitted while it waited for its key.
#[test]
fn task_whose_turn_comes_goes_by_the_number_of_its_submission() {
    let pool = pool(1);
    let log = Log::new();
    let (gate, running) = occupy_key(&pool, 1);
    let add = |i: usize| {
        let log = log.clone();
        move || log.add(i)
    };
    let parked: Vec<_> = (0..3)
        .map(|i| {
            let add = add(i);
            pool.task().key(1).submit(move |_| add()).expect("open")
        })
        .collect();
    let plain: Vec<_> = (3..103).map(|i| pool.submit(add(i)).expect("open")).collect();
    gate.open();
    parked.into_iter().chain(plain).chain([running]).for_each(|handle| ended(handle).expect("it runs"));
    let order = log.all();
    assert_eq!(order[0], 0, "the worker comes to the queue after the key has gone on");
    // The others of the key go on behind what the worker had taken already, not behind the whole queue.
    let place = |i: usize| order.iter().position(|at| *at == i).expect("it ran");
    assert!(place(1) <= 32 && place(2) <= 64, "{order:?}");
}

#[test]
fn task_of_a_key_goes_by_its_priority_when_its_turn_has_come() {
    let pool = pool(1);
    let log = Log::new();
    pool.pause();
    for (i, key, priority) in [(0, 1, 0), (1, 1, 9), (2, 2, 1), (3, 2, -1), (4, 3, 0)] {
        let log = log.clone();
        drop(pool.task().key(key).priority(priority).submit(move |_| log.add(i)).expect("open"));
    }
    drop(pool.shutdown(Shutdown::Drain));
    // 1 is high, but behind 0 of its key; 2 is the highest whose turn it is.
    assert_eq!(log.all(), [2, 0, 1, 4, 3]);
}

#[test]
fn full_key_refuses_and_gives_the_task_back() {
    let pool = ThreadPool::builder().workers(2).queue_bound(64).key_bound(2).build().expect("good settings");
    let (gate, running) = occupy_key(&pool, 1);
    let parked: Vec<_> =
        (0..2).map(|i| pool.task().key(1).submit(move |_| i).expect("there is room")).collect();
    let refused = pool.task().key(1).try_submit(|_| 2).map(drop).unwrap_err();
    assert!(refused.is_full() && matches!(refused.refusal(), Refusal::KeyFull), "{:?}", refused.refusal());
    let refused = pool.task().key(1).submit_timeout(|_| 2, Duration::ZERO).map(drop).unwrap_err();
    assert!(refused.is_timed_out());
    assert_eq!(
        ended(pool.task().key(2).try_submit(|_| 3).expect("another key has room")).expect("it runs"),
        3
    );
    assert_eq!(ended(pool.try_submit(|| 4).expect("the queue has room")).expect("it runs"), 4);
    thread::scope(|scope| {
        let blocked =
            scope.spawn(|| ended(pool.task().key(1).submit(|_| 2).expect("open")).expect("its turn"));
        gate.open();
        assert_eq!(blocked.join().expect("it does not panic"), 2);
    });
    ended(running).expect("it finishes");
    let values: Vec<_> = parked.into_iter().map(|handle| ended(handle).expect("its turn")).collect();
    assert_eq!(values, [0, 1]);
    assert_eq!(pool.shutdown(Shutdown::Drain).submitted(), 6, "refused tasks do not count");
}

#[test]
fn default_bound_of_a_key_is_a_quarter_of_the_queue() {
    let pool = ThreadPool::builder().workers(1).queue_bound(10).build().expect("good settings");
    let (gate, running) = occupy_key(&pool, 1);
    let parked: Vec<_> =
        (0..3).map(|_| pool.task().key(1).try_submit(|_| ()).expect("10 / 4, rounded up")).collect();
    assert!(matches!(pool.task().key(1).try_submit(|_| ()).unwrap_err().refusal(), Refusal::KeyFull));
    gate.open();
    parked.into_iter().chain([running]).for_each(|handle| ended(handle).expect("its turn"));
}

#[test]
fn bound_of_zero_for_keys_is_refused() {
    let refused = ThreadPool::builder().key_bound(0).build().map(drop).unwrap_err();
    assert!(matches!(refused, BuildError::KeyBound), "{refused}");
    drop(ThreadPool::builder().workers(1).key_bound(usize::MAX).build().expect("as good as none"));
}

#[test]
fn parked_tasks_count_for_the_bound_of_the_queue() {
    let pool = ThreadPool::builder().workers(1).queue_bound(3).key_bound(9).build().expect("good settings");
    let (gate, running) = occupy_key(&pool, 1);
    let parked: Vec<_> =
        (0..3).map(|_| pool.task().key(1).try_submit(|_| ()).expect("there is room")).collect();
    assert_eq!(pool.queued(), 3);
    assert!(matches!(pool.task().key(1).try_submit(|_| ()).unwrap_err().refusal(), Refusal::Full));
    assert!(matches!(pool.try_submit(|| ()).unwrap_err().refusal(), Refusal::Full));
    gate.open();
    parked.into_iter().chain([running]).for_each(|handle| ended(handle).expect("its turn"));
    pool.wait_timeout(LONG).expect("all have ended");
    assert_eq!(pool.queued(), 0);
}

#[test]
fn worker_with_a_full_pool_runs_a_keyed_task_whose_key_is_idle_and_is_told_if_it_is_busy() {
    let pool = ThreadPool::builder().workers(1).queue_bound(1).build().expect("good settings");
    let submitter = pool.submitter().clone();
    let outer = pool.task().key("mine").submit(move |_| {
        let queued = submitter.task().key("queued").submit(|_| 1).expect("there is one place");
        let inline = submitter.task().key("idle").submit(|_| 2).expect("it runs at once");
        assert!(inline.is_finished());
        for busy in ["mine", "queued"] {
            let refused = submitter.task().key(busy).submit(|_| 3).map(drop).unwrap_err();
            assert!(
                refused.is_full() && matches!(refused.refusal(), Refusal::KeyBusy),
                "{:?}",
                refused.refusal()
            );
        }
        let again = submitter.task().key("idle").submit(|_| 4).expect("idle again");
        [queued, inline, again].map(|handle| handle.wait().expect("it succeeds"))
    });
    assert_eq!(ended(outer.expect("open")).expect("it succeeds"), [1, 2, 4]);
    assert_eq!(pool.shutdown(Shutdown::Drain).submitted(), 4);
}

#[test]
fn task_that_is_cancelled_while_it_waits_for_its_key_is_passed_over() {
    let pool = pool(1);
    let (gate, running) = occupy_key(&pool, 1);
    let log = Log::new();
    let parked: Vec<_> = (0..5)
        .map(|i| {
            let log = log.clone();
            pool.task().key(1).submit(move |_| log.add(i)).expect("open")
        })
        .collect();
    for i in [0, 2, 3] {
        assert_eq!(parked[i].cancel(), gristmill::CancelOutcome::Prevented);
        assert!(parked[i].is_finished());
    }
    gate.open();
    ended(running).expect("it finishes");
    let cancelled: Vec<_> =
        parked.into_iter().map(|handle| ended(handle).is_err_and(|error| error.is_cancelled())).collect();
    assert_eq!(cancelled, [true, false, true, true, false]);
    assert_eq!(log.all(), [1, 4]);
    assert_eq!(pool.shutdown(Shutdown::Drain).cancelled(), 3);
}

/// Cancelled when its turn has come, before a worker came to it: its key goes on all the same.
#[test]
fn task_that_is_cancelled_in_the_queue_lets_its_key_go_on() {
    let pool = pool(1);
    let (gate, running) = occupy(&pool);
    let first = pool.task().key(1).submit(|_| 1).expect("open");
    let second = pool.task().key(1).submit(|_| 2).expect("open");
    assert_eq!(first.cancel(), gristmill::CancelOutcome::Prevented);
    gate.open();
    ended(running).expect("it finishes");
    assert!(ended(first).unwrap_err().is_cancelled());
    assert_eq!(ended(second).expect("its turn"), 2);
}

/// One worker: whoever waits has to run what is ahead of the task that it waits for.
#[test]
fn waiting_task_runs_what_is_ahead_in_the_other_key() {
    let pool = pool(1);
    let submitter = pool.submitter().clone();
    let log = Log::new();
    let noted = log.clone();
    let outer = pool.task().key("outer").submit(move |_| {
        let mut inner = (0..4).map(|i| {
            let log = noted.clone();
            submitter.task().key("inner").submit(move |_| log.add(i)).expect("open")
        });
        let inner: Vec<_> = inner.by_ref().collect();
        let stranger = submitter.submit(|| ()).expect("open");
        let [_first, _second, third, last] = <[_; 4]>::try_from(inner).expect("four");
        third.wait().expect("it ran here");
        assert_eq!(noted.all(), [0, 1, 2], "what is ahead, in order, and nothing else");
        assert!(!last.is_finished() && !stranger.is_finished());
    });
    ended(outer.expect("open")).expect("it does not hang");
    drop(pool.shutdown(Shutdown::Drain));
    assert_eq!(log.all(), [0, 1, 2, 3]);
}

#[test]
fn waiting_task_waits_while_what_is_ahead_runs_on_another_worker() {
    let pool = pool(2);
    let (gate, running) = occupy_key(&pool, "busy");
    let submitter = pool.submitter().clone();
    let (ready, started) = mpsc::channel();
    let outer = pool.submit(move || {
        let last = submitter.task().key("busy").submit(|_| 7).expect("open");
        ready.send(()).expect("the test waits for it");
        last.wait().expect("its turn")
    });
    started.recv_timeout(LONG).expect("it is about to wait");
    gate.open();
    ended(running).expect("it finishes");
    assert_eq!(ended(outer.expect("open")).expect("it does not hang"), 7);
}

#[test]
fn waiting_for_a_later_task_of_the_own_key_panics_and_says_why() {
    let pool = pool(1);
    let submitter = pool.submitter().clone();
    let outer = pool.task().key(1).submit(move |_| {
        let later = submitter.task().key(1).submit(|_| 7).expect("open");
        later.wait().expect("never")
    });
    let gristmill::TaskError::Panicked(panic) = ended(outer.expect("open")).unwrap_err() else {
        panic!("it panics")
    };
    assert!(panic.message().contains("a task of its own key"), "{}", panic.message());
    assert_eq!(ended(pool.task().key(1).submit(|_| 8).expect("open")).expect("the key goes on"), 8);
    let report = pool.shutdown(Shutdown::Drain);
    assert_eq!((report.succeeded(), report.panicked()), (2, 1));
}

#[test]
fn drop_of_the_pool_runs_what_waits_for_its_key_and_an_abort_hands_it_back() {
    for abort in [false, true] {
        let pool = pool(2);
        let (gate, running) = occupy_key(&pool, 1);
        let log = Log::new();
        let parked: Vec<_> = (0..50)
            .map(|i| {
                let log = log.clone();
                pool.task().key(1).name(i.to_string()).submit(move |_| log.add(i)).expect("open")
            })
            .collect();
        if abort {
            let aborting = spawn(move || {
                let report = pool.shutdown(Shutdown::Abort);
                (report, pool)
            });
            for handle in parked {
                assert!(ended(handle).unwrap_err().is_returned());
            }
            gate.open();
            let (report, pool) = aborting.join().expect("it does not panic");
            let names: Vec<_> = report.tasks().iter().map(|task| task.name().to_string()).collect();
            assert_eq!(names, (0..50).map(|i| i.to_string()).collect::<Vec<_>>());
            assert!(pool.shutdown(Shutdown::Drain).is_complete());
            assert!(log.all().is_empty());
        } else {
            gate.open();
            drop(pool);
            assert_eq!(log.all(), (0..50).collect::<Vec<_>>());
            for handle in parked {
                ended(handle).expect("its turn");
            }
        }
        ended(running).expect("it finishes");
    }
}

#[test]
fn refusal_says_that_it_is_the_key_that_has_no_space() {
    let pool = ThreadPool::builder().workers(1).queue_bound(64).key_bound(1).build().expect("good settings");
    let (gate, running) = occupy_key(&pool, 1);
    let parked = pool.task().key(1).submit(|_| ()).expect("one may wait");
    let refused = pool.task().key(1).try_submit(|_| ()).unwrap_err();
    let text = "the task was not accepted: as many tasks as may wait for the same key already do";
    assert_eq!(refused.to_string(), text);
    let late = pool.task().key(1).submit_timeout(|_| (), Duration::ZERO).unwrap_err();
    let text = "the task was not accepted: there was still no space when the time was over";
    assert_eq!((late.to_string().as_str(), late.is_timed_out()), (text, true));
    let purged = pool.purge();
    let error = ended(parked).unwrap_err();
    assert_eq!((error.to_string().as_str(), purged.len()), ("task was handed back before it started", 1));
    gate.open();
    ended(running).expect("it finishes");
}

/// Equality that panics on demand.
#[derive(Clone)]
struct Fragile(Arc<AtomicBool>);

impl PartialEq for Fragile {
    fn eq(&self, other: &Self) -> bool {
        assert!(!self.0.load(Ordering::SeqCst) && !other.0.load(Ordering::SeqCst), "crack");
        true
    }
}

impl Eq for Fragile {}

impl Hash for Fragile {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

#[test]
fn key_whose_equality_panics_costs_its_submission_and_nothing_else() {
    let pool = pool(2);
    let breaks = Arc::new(AtomicBool::new(false));
    let key = || Fragile(Arc::clone(&breaks));
    let (gate, running) = occupy_key(&pool, key());
    let parked = pool.task().key(key()).submit(|_| 1).expect("open");
    let drops = Arc::new(());
    breaks.store(true, Ordering::SeqCst);
    for _ in 0..3 {
        let captured = Arc::clone(&drops);
        let submission = catch_unwind(AssertUnwindSafe(|| {
            pool.task().key(key()).submit(move |_| drop(captured)).map(drop)
        }));
        assert!(submission.is_err(), "the panic is the submitter's");
        assert!(catch_unwind(AssertUnwindSafe(|| pool.release_key(key()))).is_err());
    }
    assert_eq!(Arc::strong_count(&drops), 1, "the tasks were dropped");
    gate.open(); // its end compares nothing
    ended(running).expect("it finishes");
    assert_eq!(ended(parked).expect("its turn"), 1);
    breaks.store(false, Ordering::SeqCst);
    assert_eq!(ended(pool.task().key(key()).submit(|_| 2).expect("open")).expect("it runs"), 2);
    let report = pool.shutdown(Shutdown::Drain);
    assert_eq!((report.submitted(), report.succeeded()), (3, 3));
}

/// Panics when dropped.
#[derive(PartialEq, Eq, Hash)]
struct Grenade(u32);

impl Drop for Grenade {
    fn drop(&mut self) {
        assert!(thread::panicking(), "dropped");
    }
}

#[test]
fn key_whose_drop_panics_kills_no_worker() {
    let pool = pool(1);
    pool.pause();
    for i in 0..10 {
        drop(pool.task().key(Grenade(i)).submit(move |_| i).expect("open")); // the worker is the last that has it
    }
    pool.resume();
    assert_eq!(ended(pool.submit(|| 7).expect("open")).expect("the worker lives"), 7);
    let report = pool.shutdown(Shutdown::Drain);
    assert!(report.is_complete());
    assert_eq!(report.succeeded(), 11);
}

#[test]
fn keys_work_with_borrowed_data() {
    let total = AtomicUsize::new(0);
    let scope = builder(3).scope(|pool| {
        for i in 0..300 {
            let total = &total;
            let task = pool.task().key(()).submit(move |_| {
                let before = total.load(Ordering::Relaxed); // no two at a time: nothing is lost
                thread::yield_now();
                total.store(before + i, Ordering::Relaxed);
            });
            drop(task.expect("open"));
        }
    });
    scope.expect("good settings");
    assert_eq!(total.into_inner(), (0..300).sum::<usize>());
}
