//! What cannot be brought about from outside: threads that cannot be created, and a worker caught between two steps.

use std::mem;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::core::Core;
use super::gate::{Gate, Phase};
use super::rules::Rules;
use super::seat::Seat;
use super::{AdaptiveSize, BuildError, Distribution, ResizeError, Shutdown, Submitter, ThreadPool};
use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::fault::fail_spawn_at;
use crate::sync::{channel, thread};
use crate::waitable::{Help, Waitable};

const WORKERS: usize = 4;

#[test]
fn kth_thread_that_cannot_be_created_fails_the_build_and_the_others_are_joined() {
    for k in 1..=WORKERS {
        let (started, stopped) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (start, stop) = (Arc::clone(&started), Arc::clone(&stopped));
        let builder = ThreadPool::builder()
            .workers(WORKERS)
            .on_worker_start(move |_| {
                start.fetch_add(1, Ordering::SeqCst);
            })
            .on_worker_stop(move |_| {
                stop.fetch_add(1, Ordering::SeqCst);
            });
        let fault = fail_spawn_at(k);
        let error = builder.build().map(drop).unwrap_err();
        drop(fault);
        let BuildError::Thread { worker, source } = error else { panic!("it says what failed: {error}") };
        assert_eq!((worker, source.kind()), (k - 1, std::io::ErrorKind::WouldBlock));
        // Joined: whatever the threads do has happened when `build` returns.
        let counts = [&started, &stopped].map(|count| count.load(Ordering::SeqCst));
        assert_eq!(counts, [k - 1, k - 1], "k = {k}");
        assert_eq!(Arc::strong_count(&started), 1, "nothing of the pool is left");
    }
}

#[test]
fn scope_whose_kth_thread_cannot_be_created_never_calls_its_body() {
    for k in 1..=WORKERS {
        let live = AtomicUsize::new(0);
        let fault = fail_spawn_at(k);
        let built = ThreadPool::builder()
            .workers(WORKERS)
            .worker_state(
                |_| live.fetch_add(1, Ordering::SeqCst),
                |_, _| {
                    live.fetch_sub(1, Ordering::SeqCst);
                },
            )
            .scope(|_| panic!("there is no pool"));
        drop(fault);
        assert!(matches!(built, Err(BuildError::Thread { worker, .. }) if worker == k - 1));
        assert_eq!(live.load(Ordering::SeqCst), 0);
    }
}

#[test]
fn worker_of_a_stopping_pool_hands_back_what_it_takes_from_the_queue() {
    let core = Arc::new(Core::new(
        Gate::new(Arc::from("unmanned"), 1, Duration::ZERO, None, false),
        Rules::default(),
    ));
    core.seat(0);
    let handle = Submitter::<()>::new(Arc::clone(&core)).submit(|| panic!("it ran")).expect("open");
    let task = core.next(0, &mut false).expect("it was queued");
    core.advance(Phase::Stopping);
    let seat = Seat::new(Arc::clone(&core.gate), 0, Rc::new(()));
    core.execute(task, &core.desk(&seat));
    let result: Result<(), _> = handle.wait();
    assert!(result.unwrap_err().is_returned());
    assert_eq!(core.take_returned().len(), 1);
    core.gate.settle(); // as the worker does when it finds the queue empty
    assert!(core.gate.is_finished());
}

/// A pool with places for workers and no threads: what is queued stays until the test takes it.
fn unmanned(workers: usize, distribution: Distribution) -> Arc<Core<'static>> {
    let one_each = distribution != Distribution::Shared;
    let gate = Gate::new(Arc::from("unmanned"), 64, Duration::ZERO, None, one_each);
    let core = Arc::new(Core::new(gate, Rules { distribution, ..Rules::default() }));
    (0..workers).for_each(|worker| core.seat(worker));
    core
}

#[test]
fn pool_grows_for_what_more_workers_could_start_and_not_for_what_waits_for_its_key() {
    let core = unmanned(1, Distribution::Shared);
    let pool = Submitter::<()>::new(Arc::clone(&core));
    assert_eq!(core.takeable(), 0);
    let keyed: Vec<_> = (0..4).map(|_| pool.task().key("mill").submit(|_| ()).expect("room")).collect();
    assert_eq!((core.queued(), core.takeable()), (4, 1), "three wait for the first");
    let plain: Vec<_> = (0..2).map(|_| pool.submit(|| ()).expect("room")).collect();
    assert_eq!((core.queued(), core.takeable()), (6, 3));
    core.pause();
    assert_eq!(core.takeable(), 0, "in a pause nothing starts");
    core.resume();
    assert_eq!(core.takeable(), 3);
    assert_eq!(core.purge().len(), 6);
    assert_eq!((core.queued(), core.takeable()), (0, 0));
    drop((keyed, plain));
}

#[test]
fn pool_of_queues_for_one_worker_each_grows_for_what_lies_in_any_of_them() {
    let core = unmanned(2, Distribution::RoundRobin);
    let pool = Submitter::<()>::new(Arc::clone(&core));
    let tasks: Vec<_> = (0..2).map(|_| pool.submit(|| ()).expect("room")).collect();
    assert_eq!(core.takeable(), 2);
    let first = core.next(0, &mut false).expect("one of the two is its own");
    assert_eq!(core.takeable(), 1, "that of the other one, though the first has nothing left");
    let seat = Seat::new(Arc::clone(&core.gate), 0, Rc::new(()));
    core.execute(first, &core.desk(&seat));
    assert_eq!(core.purge().len(), 1);
    assert_eq!(core.takeable(), 0);
    drop(tasks);
}

#[test]
fn kth_thread_that_cannot_be_created_at_growth_leaves_the_workers_that_there_are() {
    for k in 1..=3 {
        let pool = ThreadPool::builder().workers(2).build().expect("good settings");
        let fault = fail_spawn_at(k);
        let result = pool.resize(5);
        drop(fault);
        let Err(ResizeError::Thread { worker, source }) = result else { panic!("{result:?}") };
        assert_eq!((worker, source.kind()), (k + 1, std::io::ErrorKind::WouldBlock));
        assert_eq!(pool.workers(), 2 + k - 1);
        // All of them work: as many tasks as workers meet.
        let met = Arc::new(AtomicUsize::new(0));
        let attend = |_| {
            let met = Arc::clone(&met);
            let meeting = move || {
                met.fetch_add(1, Ordering::SeqCst);
                while met.load(Ordering::SeqCst) <= k {
                    thread::yield_now();
                }
            };
            pool.submit(meeting).expect("open")
        };
        (0..=k).map(attend).collect::<Vec<_>>().into_iter().for_each(|task| task.wait().expect("they meet"));
        pool.resize(5).expect("nothing fails any more");
        assert_eq!(pool.workers(), 5);
        pool.resize(1).expect("open");
        assert_eq!(pool.workers(), 1);
        assert!(pool.shutdown(Shutdown::Drain).is_complete());
    }
}

#[test]
fn watching_thread_that_cannot_be_created_fails_the_build_and_the_workers_are_joined() {
    let stopped = Arc::new(AtomicUsize::new(0));
    let stop = Arc::clone(&stopped);
    let builder = ThreadPool::builder().workers(2).slow_task(Duration::MAX, |_| ());
    let builder = builder.on_worker_stop(move |_| {
        stop.fetch_add(1, Ordering::SeqCst);
    });
    let fault = fail_spawn_at(3);
    let error = builder.build().map(drop).unwrap_err();
    drop(fault);
    assert!(matches!(error, BuildError::Supervisor { .. }), "{error}");
    assert_eq!((stopped.load(Ordering::SeqCst), Arc::strong_count(&stopped)), (2, 1));
}

#[test]
fn adaptive_pool_goes_on_when_a_thread_cannot_be_created_and_has_it_later() {
    let size = AdaptiveSize::between(1, 2);
    let soon = Duration::from_millis(2);
    let size = size.tick(Duration::from_millis(1)).grow_after(soon).judge_within(soon).remember(soon);
    let failed = Arc::new(AtomicUsize::new(0));
    let fails = Arc::clone(&failed);
    // The hook is called by the thread that hires.
    let builder = ThreadPool::builder().workers(1).adaptive(size).slow_task(soon, move |_| {
        if fails.fetch_add(1, Ordering::SeqCst) == 0 {
            mem::forget(fail_spawn_at(1));
        }
    });
    let pool = builder.build().expect("good settings");
    let (go, goes) = channel::bounded::<()>(0);
    let held = pool.submit(move || goes.recv().is_err()).expect("open");
    while failed.load(Ordering::SeqCst) == 0 {
        thread::yield_now();
    }
    // A backlog: the first thread for it cannot be had.
    assert_eq!(pool.submit(|| 7).expect("open").wait().expect("by the second worker, in the end"), 7);
    assert_eq!(pool.workers(), 2);
    drop(go);
    assert!(held.wait().expect("it does not panic"));
    let report = pool.shutdown(Shutdown::Drain);
    assert!(report.is_complete());
    assert_eq!((report.submitted(), report.succeeded()), (2, 2));
}

#[test]
fn worker_that_never_began_is_not_waited_for() {
    let pool = ThreadPool::builder().workers(1).build().expect("good settings");
    let fault = fail_spawn_at(1);
    assert!(pool.resize(2).is_err());
    drop(fault);
    // Its index is taken by a worker that lives on: nobody may join that one.
    pool.resize(2).expect("nothing fails any more");
    pool.resize(2).expect("no change");
    assert_eq!(pool.submit(|| 7).expect("open").wait().expect("it runs"), 7);
    assert_eq!(pool.core().gate.leavers.take(), Vec::<usize>::new());
}

#[test]
fn worker_that_is_asked_for_help_again_and_again_registers_once() {
    let pool = Arc::new(
        ThreadPool::builder().workers(2).queue_bound(8).key_bound(8).build().expect("good settings"),
    );
    let (open, opened) = channel::bounded::<()>(1);
    let (coming, came) = channel::bounded::<()>(1);
    let held = pool.task().key(1).submit(move |_| {
        let _ = coming.send(());
        let _ = opened.recv();
    });
    came.recv().expect("it starts");
    let inner = Arc::clone(&pool);
    let asks = pool.submit(move || {
        let behind = inner.task().key(1).submit(|_| ()).expect("open");
        for _ in 0..1000 {
            assert_eq!(behind.help(), Help::Later(None), "what is ahead runs elsewhere");
        }
        let helpers = inner.core().keys.helpers.lock().len();
        drop(open);
        behind.wait().expect("its turn comes");
        helpers
    });
    assert_eq!(asks.expect("open").wait().expect("no panic"), 1);
    held.expect("open").wait().expect("no panic");
}
