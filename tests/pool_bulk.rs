//! Many tasks at once, and loops over slices and iterators.
#![cfg(not(any(gristmill_shuttle, gristmill_loom)))]

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Barrier, Mutex, mpsc};
use std::time::Duration;

use gristmill::{
    BulkError, CancellationToken, ManyHandle, Refusal, Saturation, Shutdown, ShutdownReport, TaskError,
    ThreadPool,
};
use proptest::prelude::*;

fn pool(workers: usize, bound: usize) -> ThreadPool {
    ThreadPool::builder().workers(workers).queue_bound(bound).build().expect("good settings")
}

fn closes(report: &ShutdownReport<'_>) {
    assert!(report.is_complete());
    let ends = report.succeeded() + report.panicked() + report.cancelled() + report.returned();
    assert_eq!((report.submitted(), report.pending()), (ends, 0), "{report}");
}

/// Occupies the only worker until the token is cancelled; returns once it does.
fn hold(pool: &ThreadPool) -> CancellationToken {
    let (release, (came, arrival)) = (CancellationToken::new(), mpsc::channel());
    let held = release.clone();
    drop(pool.submit(move || {
        came.send(()).expect("awaited");
        held.wait();
    }));
    arrival.recv().expect("the worker is free");
    release
}

#[test]
fn results_come_in_the_order_of_submission() {
    for (workers, bound, count) in [(1, 1, 10), (2, 1, 100), (2, 7, 1000), (3, 1024, 100_000)] {
        let pool = pool(workers, bound);
        let results = pool.submit_many((0..count).map(|i| move || i)).expect("open").wait();
        let values: Vec<usize> = results.into_iter().map(|result| result.expect("no panic")).collect();
        assert_eq!(values, (0..count).collect::<Vec<_>>());
        let report = pool.shutdown(Shutdown::Drain);
        closes(&report);
        assert_eq!(report.succeeded(), count as u64);
    }
}

#[test]
fn iterator_without_a_known_length_is_submitted_whole() {
    let pool = pool(2, 64);
    let odd = (0..10_000).filter(|i| i % 2 == 1).map(|i| move || i);
    let handle = pool.submit_many(odd).expect("open");
    assert_eq!(handle.len(), 5000);
    assert_eq!(handle.wait().into_iter().map(|result| result.expect("no panic")).sum::<i32>(), 25_000_000);
}

#[test]
fn nothing_to_submit_is_finished_at_once_even_on_a_closed_pool() {
    let pool = pool(1, 1);
    pool.close();
    let handle = pool.submit_many(Vec::<fn() -> u8>::new()).expect("nothing was refused");
    assert!(handle.is_empty() && handle.is_finished());
    assert!(!handle.cancel());
    assert!(handle.wait().is_empty());
    assert_eq!(pool.shutdown(Shutdown::Drain).submitted(), 0);
}

#[test]
fn pool_whose_workers_have_gone_refuses_and_loses_nothing() {
    let pool = pool(2, 8);
    pool.close();
    while pool.workers() > 0 {
        std::thread::yield_now();
    }
    assert!(pool.submit_many(Vec::<fn() -> u8>::new()).expect("nothing was refused").is_finished());
    let refused = pool.submit_many((0..3).map(|i| move || i)).map(drop).expect_err("closed");
    let (accepted, rest, _) = refused.into_parts();
    assert_eq!((accepted.len(), rest.map(|task| task()).collect::<Vec<_>>()), (0, vec![0, 1, 2]));
    assert!(matches!(pool.map(&[1, 2], |i| i + 1), Err(BulkError::Refused { .. })));
    assert!(matches!(pool.for_each_iter(0..3, drop), Err(BulkError::Refused { .. })));
}

#[test]
fn panic_costs_its_own_task_only_wherever_it_is() {
    for position in [0, 1, 63, 64, 500, 999] {
        let pool = pool(2, 1024);
        let tasks = (0..1000).map(move |i| move || if i == position { panic!("task {i}") } else { i });
        let results = pool.submit_many(tasks).expect("open").wait();
        for (i, result) in results.into_iter().enumerate() {
            match result {
                Ok(value) => assert_eq!(value, i),
                Err(TaskError::Panicked(panic)) => {
                    assert_eq!((i, panic.message()), (position, format!("task {position}").as_str()));
                }
                Err(other) => panic!("{other}"),
            }
        }
        let report = pool.shutdown(Shutdown::Drain);
        closes(&report);
        assert_eq!((report.succeeded(), report.panicked()), (999, 1));
    }
}

#[test]
fn every_task_takes_a_place_and_the_iterator_is_not_pulled_ahead() {
    let pool = Arc::new(pool(1, 8));
    let release = hold(&pool);
    let pulled = Arc::new(AtomicUsize::new(0));
    let submitter = {
        let (pool, pulled) = (Arc::clone(&pool), Arc::clone(&pulled));
        std::thread::Builder::new().spawn(move || {
            let tasks = (0..1000).map(move |i| {
                pulled.fetch_add(1, SeqCst);
                move || i
            });
            pool.submit_many(tasks).expect("open").wait().len()
        })
    };
    while pool.queued() < 5 {
        std::thread::yield_now();
    }
    for _ in 0..1000 {
        assert!(pool.queued() <= 8);
        assert!(pulled.load(SeqCst) <= 8 + 4, "the queue, and the chunk that waits");
        std::thread::yield_now();
    }
    release.cancel();
    assert_eq!(submitter.expect("a thread").join().expect("no panic"), 1000);
}

#[test]
fn places_are_free_again_when_all_is_done() {
    let pool = pool(2, 16);
    for _ in 0..100 {
        pool.submit_many((0..100).map(|i| move || i)).expect("open").wait();
        pool.map_iter(0..100, |i| i).expect("open");
    }
    pool.wait().expect("no token");
    let release = CancellationToken::new();
    let (came, arrivals) = mpsc::channel();
    for _ in 0..2 {
        let (held, came) = (release.clone(), came.clone());
        drop(pool.submit(move || {
            came.send(()).expect("awaited");
            held.wait();
        }));
        arrivals.recv().expect("a worker is free");
    }
    let accepted = (0..17).filter(|_| pool.try_submit(|| ()).is_ok()).count();
    release.cancel();
    assert_eq!(accepted, 16, "no place is lost, none is given out twice");
}

#[test]
fn two_tasks_meet_on_two_workers() {
    let pool = pool(2, 1024);
    let barrier = Arc::new(Barrier::new(2));
    let tasks = (0..2).map(|_| {
        let barrier = Arc::clone(&barrier);
        move || barrier.wait().is_leader()
    });
    let leaders = pool.submit_many(tasks).expect("open").wait();
    assert_eq!(leaders.into_iter().filter(|leader| *leader.as_ref().expect("no panic")).count(), 1);
}

#[test]
fn refused_half_way_gives_back_the_rest_and_the_handle_of_the_others() {
    let pool = pool(1, 1024);
    let submitter = pool.submitter().clone();
    let tasks = (0..1000_u32).map(move |i| {
        if i == 300 {
            submitter.close();
        }
        move || i
    });
    let error = pool.submit_many(tasks).expect_err("closed half way");
    assert!(error.to_string().contains("the pool is closed"), "{error}");
    let accepted = error.accepted();
    let (handle, rest, _) = error.into_parts();
    assert!(accepted <= 300 && handle.len() == accepted);
    let mut values: Vec<u32> = handle.wait().into_iter().map(|result| result.expect("no panic")).collect();
    assert_eq!(values.len(), accepted);
    values.extend(rest.map(|task| task()));
    assert_eq!(values, (0..1000).collect::<Vec<_>>(), "nothing is lost, nothing is there twice");
    closes(&pool.shutdown(Shutdown::Drain));
}

#[test]
fn panic_of_the_iterator_comes_out_and_what_it_gave_runs() {
    let pool = pool(2, 1024);
    let ran = Arc::new(AtomicUsize::new(0));
    let noted = Arc::clone(&ran);
    let tasks = (0..100).map(move |i| {
        assert!(i < 77, "the iterator is broken");
        let noted = Arc::clone(&noted);
        move || noted.fetch_add(1, SeqCst)
    });
    let outcome =
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| pool.submit_many(tasks).map(drop)));
    assert!(outcome.is_err());
    let report = pool.shutdown(Shutdown::Drain);
    closes(&report);
    assert_eq!((report.succeeded(), ran.load(SeqCst)), (77, 77));
}

#[test]
fn abort_hands_back_every_task_that_has_not_started() {
    let pool = ThreadPool::builder().workers(1).queue_bound(1024).stop_grace(Duration::ZERO);
    let pool = pool.build().expect("good settings");
    let (came, arrival) = mpsc::channel();
    let (open, held) = mpsc::channel::<()>();
    let held = Arc::new(Mutex::new(held));
    let ran = Arc::new(AtomicUsize::new(0));
    let tasks = (0..200).map(|i| {
        let (came, held, ran) = (came.clone(), Arc::clone(&held), Arc::clone(&ran));
        move || {
            ran.fetch_add(1, SeqCst);
            if i == 0 {
                came.send(()).expect("awaited");
                // Until the pool has stopped.
                held.lock().expect("not poisoned").recv().expect_err("it is dropped");
            }
        }
    });
    let handle = pool.submit_many(tasks).expect("open");
    arrival.recv().expect("the first task runs");
    let first = pool.shutdown(Shutdown::Abort);
    assert!(!first.is_complete());
    drop(open);
    let report = pool.shutdown(Shutdown::Drain);
    closes(&report);
    let results = handle.wait();
    let returned = results.iter().filter(|result| result.as_ref().is_err_and(TaskError::is_returned)).count();
    assert_eq!(results.len(), 200);
    assert_eq!(returned, 199);
    // What the worker has taken already comes with the second.
    assert_eq!((report.returned(), first.tasks().len() + report.tasks().len()), (199, 199));
    assert_eq!(ran.load(SeqCst), 1);
    for task in first.into_tasks().into_iter().chain(report.into_tasks()) {
        task.run().expect("no panic");
    }
    assert_eq!(ran.load(SeqCst), 200);
}

/// Of 64 tasks the 13th holds the only worker, which has some after it in its hand, until what it gives is dropped.
fn in_the_midst(pool: &ThreadPool, ran: &Arc<AtomicUsize>) -> (ManyHandle<'static, ()>, mpsc::Sender<()>) {
    let (came, arrival) = mpsc::channel();
    let (open, held) = mpsc::channel::<()>();
    let held = Arc::new(Mutex::new(held));
    let tasks = (0..64).map(|i| {
        let (came, held, ran) = (came.clone(), Arc::clone(&held), Arc::clone(ran));
        move || {
            ran.fetch_add(1, SeqCst);
            if i == 12 {
                came.send(()).expect("awaited");
                held.lock().expect("not poisoned").recv().expect_err("it is dropped");
            }
        }
    });
    let handle = pool.submit_many(tasks).expect("open");
    arrival.recv().expect("the 13th runs");
    (handle, open)
}

#[test]
fn what_a_chunk_hands_back_twice_is_given_out_once() {
    // By one report.
    let pool = pool(1, 1024);
    let ran = Arc::default();
    let (handle, open) = in_the_midst(&pool, &ran);
    let report = std::thread::scope(|scope| {
        let stopping = scope.spawn(|| pool.shutdown(Shutdown::Abort));
        while pool.queued() > 0 {
            std::thread::yield_now();
        }
        drop(open);
        stopping.join().expect("no panic")
    });
    closes(&report);
    let returned = handle.wait().iter().filter(|result| result.is_err()).count();
    assert_eq!((report.returned(), report.tasks().len()), (returned as u64, returned));
    for task in report.into_tasks() {
        task.run().expect("no panic");
    }
    assert_eq!(ran.load(SeqCst), 64, "each of them once");
}

#[test]
fn purged_tasks_that_are_kept_are_not_dropped_by_a_later_purge() {
    let pool = pool(1, 1024);
    let ran = Arc::default();
    let (handle, open) = in_the_midst(&pool, &ran);
    let kept = pool.purge();
    assert!(!kept.is_empty());
    pool.pause();
    drop(open);
    // What was in the worker's hand is back in the queue, or has run: either way it is not what was kept.
    while pool.snapshot().running() > 0 {
        std::thread::yield_now();
    }
    let later = pool.purge().len();
    let before = ran.load(SeqCst);
    assert_eq!(before + kept.len() + later, 64);
    for task in kept {
        task.run().expect("no panic");
    }
    assert_eq!(ran.load(SeqCst), 64 - later);
    pool.resume();
    assert_eq!(handle.wait().len(), 64);
}

#[test]
fn cancel_ends_what_has_not_started() {
    let pool = pool(1, 1024);
    let release = hold(&pool);
    let alive = Arc::new(());
    let tasks = (0..100).map(|i| {
        let alive = Arc::clone(&alive);
        move || {
            drop(alive);
            i
        }
    });
    let handle = pool.submit_many(tasks).expect("open");
    assert!(!handle.is_finished());
    let handle = handle.try_wait().expect_err("the worker is held");
    let handle = handle.wait_timeout(Duration::from_millis(1)).expect_err("the worker is held");
    let ended = CancellationToken::new();
    ended.cancel();
    let handle = handle.wait_with(&ended).expect_err("the token is cancelled").into_handle();
    assert!(handle.cancel());
    assert!(!handle.cancel() && handle.is_finished());
    assert_eq!(Arc::strong_count(&alive), 1, "the closures are dropped before cancel returns");
    assert!(handle.wait().iter().all(|result| result.as_ref().is_err_and(TaskError::is_cancelled)));
    release.cancel();
    let report = pool.shutdown(Shutdown::Drain);
    closes(&report);
    assert_eq!(report.cancelled(), 100);
}

struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("bomb");
    }
}

#[test]
fn detached_tasks_run_and_drops_that_panic_cost_nothing() {
    let pool = pool(1, 1024);
    let release = hold(&pool);
    let ran = Arc::new(AtomicUsize::new(0));
    let tasks = (0..10).map(|_| {
        let ran = Arc::clone(&ran);
        move || {
            ran.fetch_add(1, SeqCst);
            Bomb
        }
    });
    drop(pool.submit_many(tasks).expect("open"));
    let captured = (0..10).map(|_| {
        let bomb = Bomb;
        move || {
            let _bomb = &bomb;
        }
    });
    pool.submit_many(captured).expect("open").cancel();
    release.cancel();
    let report = pool.shutdown(Shutdown::Drain);
    closes(&report);
    assert_eq!((ran.load(SeqCst), report.cancelled()), (10, 10));
}

#[test]
fn nested_batches_and_loops_need_one_worker_and_one_place() {
    let pool = pool(1, 1);
    let outer = pool.submitter().clone();
    let task = pool.submit(move || {
        let inner = outer.clone();
        let nested = outer.submit_many((0..10_usize).map(move |i| {
            let inner = inner.clone();
            move || inner.map_iter(0..i, |k| k).expect("open").len()
        }));
        let lens = nested.expect("open").wait().into_iter().map(|result| result.expect("no panic"));
        lens.sum::<usize>() + outer.map_iter(0..5, |k| k).expect("open").len()
    });
    assert_eq!(task.expect("open").wait().expect("no panic"), 50);
    closes(&pool.shutdown(Shutdown::Drain));
}

#[test]
fn loops_give_every_item_once_and_in_order() {
    for workers in [1, 2, 5] {
        for count in [1, 2, 3, 100, 100_000_usize] {
            let items: Vec<usize> = (0..count).collect();
            let seen: Vec<AtomicUsize> = items.iter().map(|_| AtomicUsize::new(0)).collect();
            let mut into = vec![7; count];
            ThreadPool::builder()
                .workers(workers)
                .scope(|pool| {
                    assert_eq!(pool.map(&items, |item| item * 2).expect("no panic").len(), count);
                    assert!(pool.map(&items, |item| *item).expect("no panic") == items);
                    pool.map_into(&items, &mut into, |item| *item).expect("no panic");
                    assert!(pool.map_iter(&items, |item| *item).expect("no panic") == items);
                    let odd = pool.map_iter(items.iter().filter(|item| **item % 2 == 1), |item| *item);
                    assert_eq!(odd.expect("no panic"), (0..count).filter(|i| i % 2 == 1).collect::<Vec<_>>());
                    pool.for_each(&items, |item| _ = seen[*item].fetch_add(1, SeqCst)).expect("no panic");
                    pool.for_each_iter(0..count, |i| _ = seen[i].fetch_add(1, SeqCst)).expect("no panic");
                })
                .expect("good settings");
            assert!(into == items);
            assert!(seen.iter().all(|times| times.load(SeqCst) == 2));
        }
    }
}

#[test]
fn nothing_to_loop_over_does_not_touch_the_pool() {
    let pool = pool(1, 1);
    pool.close();
    assert!(pool.map(&[] as &[u8], |byte| *byte).expect("empty").is_empty());
    pool.for_each(&[] as &[u8], |_| ()).expect("empty");
    assert!(pool.map_iter(Vec::<u8>::new(), |byte| byte).expect("empty").is_empty());
    pool.map_into(&[], &mut [], |byte: &u8| *byte).expect("empty");
    assert_eq!(pool.shutdown(Shutdown::Drain).submitted(), 0);
}

#[test]
fn items_without_size_work_in_any_number() {
    let pool = pool(2, 4);
    let items: &'static [()] = &[(); 1 << 20];
    assert_eq!(pool.map(items, |()| ()).expect("no panic").len(), 1 << 20);
    assert_eq!(pool.submit_many((0..1000).map(|_| || ())).expect("open").wait().len(), 1000);
    // More than would end in a life time: the token does.
    let (endless, token) = (&[(); usize::MAX], CancellationToken::new());
    let (stop, count) = (token.clone(), Arc::new(AtomicUsize::new(0)));
    let counted = pool.for_each_with(&token, endless, move |()| {
        if count.fetch_add(1, SeqCst) == 1000 {
            stop.cancel();
        }
    });
    assert!(matches!(counted, Err(BulkError::Cancelled { done, .. }) if done >= 1000));
}

#[test]
fn panic_ends_a_loop_with_the_index_of_its_item() {
    let items: &'static [usize] = Vec::leak((0..1000).collect());
    for position in [0, 1, 500, 999] {
        let pool = pool(2, 4);
        let check = |error: BulkError| {
            assert_eq!(error.index(), Some(position));
            assert!(error.done() < 1000);
            assert!(error.to_string().starts_with(&format!("item {position} panicked")), "{error}");
            let BulkError::Panicked { source, .. } = &error else { panic!("{error}") };
            assert!(error.to_string().ends_with(source.message()), "{error}");
        };
        let f = move |item: &usize| {
            assert_ne!(*item, position);
            *item
        };
        check(pool.map(items, f).expect_err("a panic"));
        check(pool.for_each(items, move |item| _ = f(item)).expect_err("a panic"));
        check(pool.map_iter(0..1000, move |item| f(&item)).expect_err("a panic"));
        check(pool.for_each_iter(0..1000, move |item| _ = f(&item)).expect_err("a panic"));
        check(pool.map_into(items, Vec::leak(vec![0; 1000]), f).expect_err("a panic"));
        let broken = (0..1000).inspect(move |i| assert_ne!(*i, position));
        check(pool.map_iter(broken, |i| i).expect_err("a panic"));
        let report = pool.shutdown(Shutdown::Drain);
        closes(&report);
        assert_eq!(report.panicked(), 0, "the loop's jobs catch it");
    }
}

#[test]
fn slices_of_different_lengths_are_refused_before_anything_runs() {
    let pool = pool(1, 1);
    let error = pool.map_into(&[1, 2, 3], Vec::leak(vec![0; 2]), |_| unreachable!()).expect_err("3 into 2");
    assert!(matches!(error, BulkError::Lengths { items: 3, out: 2 }), "{error}");
    assert_eq!(pool.shutdown(Shutdown::Drain).submitted(), 0);
}

/// With no place in the queue the caller does the first job, and that may be all of it: what ends the loop afterwards ends nothing.
#[test]
fn loop_that_the_caller_did_alone_is_done_although_it_is_cancelled_then() {
    let pool = ThreadPool::builder().workers(2).queue_bound(1).saturation(Saturation::CallerRuns);
    let pool = pool.build().expect("good settings");
    let held = [hold(&pool), hold(&pool)];
    let filler = pool.try_submit(|| ()).expect("there is one place");
    let token = CancellationToken::new();
    let stop = token.clone();
    let doubled = pool.map_with(&token, &[1, 2, 3], move |number| {
        if *number == 3 {
            stop.cancel();
        }
        number * 2
    });
    assert_eq!(doubled.expect("nothing was left to cancel"), [2, 4, 6]);
    let token = CancellationToken::new();
    let stop = token.clone();
    let error = pool.for_each_with(&token, &[1, 2, 3], move |number| {
        stop.cancel();
        assert_eq!(*number, 0, "the first");
    });
    let error = error.expect_err("it panicked");
    assert!(matches!(error, BulkError::Panicked { index: 0, done: 0, .. }), "{error}");
    for release in &held {
        release.cancel();
    }
    filler.wait().expect("no panic");
    closes(&pool.shutdown(Shutdown::Drain));
}

#[test]
fn closed_or_cancelled_pool_refuses_a_loop() {
    let closed = pool(1, 1);
    closed.close();
    assert!(matches!(
        closed.map(&[1], |i| *i),
        Err(BulkError::Refused { refusal: gristmill::Refusal::Closed })
    ));
    let token = CancellationToken::new();
    let cancelled = ThreadPool::builder().workers(1).token(&token).build().expect("good settings");
    token.cancel_with("enough");
    let error = cancelled.map(&[1], |i| *i).expect_err("cancelled");
    assert!(
        matches!(&error, BulkError::Cancelled { done: 0, source } if source.cause().is_some()),
        "{error}"
    );
}

#[test]
fn loop_that_is_refused_drops_what_it_captured_without_a_trace() {
    let capturing = || {
        let captured = Bomb;
        move |_: &i32| _ = &captured
    };
    let pool = pool(1, 1);
    let token = CancellationToken::new();
    token.cancel();
    let error = pool.for_each_with(&token, &[1], capturing()).expect_err("cancelled before it began");
    assert!(matches!(error, BulkError::Cancelled { done: 0, .. }), "{error}");
    pool.close();
    let error = pool.for_each(&[1], capturing()).expect_err("closed");
    assert!(matches!(error, BulkError::Refused { refusal: Refusal::Closed }), "{error}");
}

#[test]
fn abort_ends_a_loop() {
    let pool = Arc::new(pool(2, 4));
    let (came, arrival) = mpsc::sync_channel(1);
    let looping = {
        let pool = Arc::clone(&pool);
        std::thread::Builder::new().spawn(move || {
            pool.for_each_iter(0_u64.., move |_| {
                let _ = came.try_send(());
            })
        })
    };
    arrival.recv().expect("it loops");
    let report = pool.shutdown(Shutdown::Abort);
    let outcome = looping.expect("a thread").join().expect("no panic");
    assert!(matches!(outcome, Err(BulkError::Stopped { done }) if done > 0));
    drop(report);
    closes(&pool.shutdown(Shutdown::Drain));
}

#[test]
fn busy_workers_do_not_hold_a_loop_up() {
    let pool = pool(2, 4);
    let release = hold(&pool);
    // One worker is held; the other does all, and nobody waits for the first.
    let results = pool.map_iter(0..1000, |i| i).expect("no panic");
    assert_eq!(results.len(), 1000);
    release.cancel();
    let report = pool.shutdown(Shutdown::Drain);
    closes(&report);
    assert_eq!(report.succeeded(), report.submitted());
}

/// A test that fails lets the worker go.
struct Opens(CancellationToken);

impl Drop for Opens {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

#[test]
fn token_of_a_loop_ends_its_wait_for_a_place() {
    let pool = pool(1, 1);
    let _gate = Opens(hold(&pool));
    drop(pool.submit(|| ()).expect("one place"));
    for deadline in [false, true] {
        let token = if deadline {
            CancellationToken::with_timeout(Duration::from_millis(2))
        } else {
            CancellationToken::new()
        };
        let (loops, stop) = (&pool, token.clone());
        std::thread::scope(|scope| {
            let waits = scope.spawn(move || {
                let map = loops.map_with(&token, &[1, 2, 3], |item| *item).map(drop);
                let reduce = loops.map_reduce_with(&token, &[1, 2, 3], |item| *item, |a, b| a + b).map(drop);
                let each = loops.for_each_with(&token, &[1, 2, 3], |item| drop(item.to_string()));
                [map, reduce, each]
            });
            assert!(deadline || stop.cancel());
            for outcome in waits.join().expect("no panic") {
                assert!(matches!(outcome, Err(BulkError::Cancelled { done: 0, .. })), "{outcome:?}");
            }
        });
    }
}

#[test]
fn what_a_loop_captured_is_dropped_when_it_returns() {
    let pool = pool(2, 4);
    let alive = Arc::new(());
    let held = Arc::clone(&alive);
    pool.for_each_iter(0..100, move |_| _ = &held).expect("no panic");
    assert_eq!(Arc::strong_count(&alive), 1);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn loop_does_what_a_sequential_one_does(
        items in prop::collection::vec((any::<u16>(), 0_u8..100), 0..400),
        workers in 1_usize..4,
        bound in 1_usize..6,
        panics in any::<bool>(),
    ) {
        let spin = |cost: u8| (0..u32::from(cost) * 10).fold(1_u32, |x, i| std::hint::black_box(x.wrapping_mul(31) ^ i));
        let f = |(value, cost): &(u16, u8)| {
            assert!(!panics || *cost != 7, "cost 7");
            spin(*cost);
            u32::from(*value) + 1
        };
        let first = items.iter().position(|(_, cost)| panics && *cost == 7);
        let expected: Vec<u32> = items.iter().map(|(value, _)| u32::from(*value) + 1).collect();
        ThreadPool::builder().workers(workers).queue_bound(bound).scope(|pool| {
            let by_tasks = pool.submit_many(items.iter().map(|item| move || f(item))).expect("open").wait();
            for ((result, value), (_, cost)) in by_tasks.iter().zip(&expected).zip(&items) {
                match result {
                    Ok(got) => assert_eq!(got, value),
                    Err(error) => assert!(error.is_panicked() && panics && *cost == 7),
                }
            }
            assert_eq!(by_tasks.len(), items.len());
            for result in [pool.map(&items, f), pool.map_iter(&items, f)] {
                match (result, first) {
                    (Ok(values), None) => assert_eq!(values, expected),
                    (Err(BulkError::Panicked { index, done, .. }), Some(_)) => {
                        assert!(items[index].1 == 7 && done < items.len());
                    }
                    (other, _) => panic!("{other:?}"),
                }
            }
        }).expect("good settings");
    }
}

#[test]
fn task_that_waits_for_its_own_batch_panics_and_says_so() {
    const LONG: Duration = Duration::from_secs(60);
    let pool = ThreadPool::builder().workers(1).build().expect("a worker");
    let (give, given) = std::sync::mpsc::channel::<gristmill::pool::ManyHandle<'static, bool>>();
    let given = std::sync::Mutex::new(given);
    let (tell, told) = std::sync::mpsc::channel();
    let wait = move || {
        let own = given.lock().expect("not poisoned").recv().expect("it is given");
        assert!(!own.is_empty() && own.len() == 1);
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| own.wait_timeout(LONG)));
        tell.send(caught.is_err_and(|panic| {
            panic.downcast_ref::<&str>().is_some_and(|text| text.contains("belongs to"))
        }))
        .expect("awaited");
        true
    };
    give.send(pool.submit_many([wait]).expect("open")).expect("it is taken");
    assert_eq!(told.recv_timeout(LONG), Ok(true));
}

#[test]
fn many_workers_share_one_batch() {
    let workers = std::thread::available_parallelism().map_or(4, NonZeroUsize::get).max(4);
    let pool = pool(workers, 100_000);
    let ran = Arc::new(AtomicUsize::new(0));
    let tasks = (0..50_000).map(|_| {
        let ran = Arc::clone(&ran);
        move || ran.fetch_add(1, SeqCst)
    });
    let mut numbers: Vec<usize> = pool
        .submit_many(tasks)
        .expect("open")
        .wait()
        .into_iter()
        .map(|result| result.expect("no panic"))
        .collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..50_000).collect::<Vec<_>>(), "each ran once");
}

/// What became of the tasks of a submission that was refused half way: their values in order, those given back run here.
fn values<I, F>(error: gristmill::SubmitManyError<'_, I, u32>) -> (usize, Vec<u32>)
where
    I: Iterator<Item = F>,
    F: FnOnce() -> u32,
{
    let (handle, rest, _) = error.into_parts();
    let accepted = handle.len();
    let mut values: Vec<u32> = handle.wait().into_iter().map(|result| result.expect("no panic")).collect();
    values.extend(rest.map(|task| task()));
    (accepted, values)
}

#[test]
fn what_does_not_fit_now_is_given_back_and_all_that_fits_is_accepted() {
    for bound in [1, 2, 7, 64, 100] {
        let pool = pool(1, bound);
        let held = hold(&pool);
        let error =
            pool.try_submit_many((0..1000_u32).map(|i| move || i)).expect_err("there are fewer places");
        let another = pool.try_submit(|| ()).map(drop);
        held.cancel();
        assert!(matches!(error.refusal(), Refusal::Full), "{error}");
        assert!(another.is_err_and(|refused| refused.is_full()));
        let (accepted, values) = values(error);
        assert_eq!(accepted, bound, "all places are used");
        assert_eq!(values, (0..1000).collect::<Vec<_>>());
        closes(&pool.shutdown(Shutdown::Drain));
    }
    let roomy = pool(1, 100);
    let handle = roomy.try_submit_many((0..100_u32).map(|i| move || i)).map_err(|error| error.to_string());
    assert_eq!(handle.expect("there is space for all").wait().len(), 100);
}

#[test]
fn time_ends_a_submission_of_many_and_what_fits_is_accepted() {
    let pool = pool(1, 10);
    let held = hold(&pool);
    let timeout = Duration::from_millis(20);
    let error = pool.submit_many_timeout((0..100_u32).map(|i| move || i), timeout).expect_err("it is full");
    assert!(matches!(error.refusal(), Refusal::TimedOut), "{error}");
    held.cancel();
    let (accepted, values) = values(error);
    assert_eq!(accepted, 10);
    assert_eq!(values, (0..100).collect::<Vec<_>>());
    let tasks = (0..100_u32).map(|i| move || i);
    let handle = pool.submit_many_timeout(tasks, Duration::MAX).map_err(|error| error.to_string());
    assert_eq!(handle.expect("the worker makes space").wait().len(), 100);
    closes(&pool.shutdown(Shutdown::Drain));
}

#[test]
fn token_ends_a_submission_of_many_and_not_what_was_accepted() {
    let pool = pool(1, 10);
    let held = hold(&pool);
    let token = CancellationToken::new();
    let canceller = token.clone();
    // Past the places: cancelled while it waits for one, or right before.
    let tasks = (0..100_u32).map(move |i| {
        if i == 10 {
            canceller.cancel();
        }
        move || i
    });
    let error = pool.submit_many_with(tasks, &token).expect_err("cancelled");
    assert!(matches!(error.refusal(), Refusal::Cancelled(_)), "{error}");
    held.cancel();
    let (accepted, values) = values(error);
    assert!(accepted <= 10);
    assert_eq!(values, (0..100).collect::<Vec<_>>());
    // Cancelled before: nothing is accepted, though there is space.
    let error = pool.submit_many_with((0..3_u32).map(|i| move || i), &token).expect_err("cancelled");
    assert_eq!(error.accepted(), 0);
    closes(&pool.shutdown(Shutdown::Drain));
}

#[test]
fn token_ends_the_wait_of_a_submission_of_many() {
    let pool = pool(1, 1);
    let held = hold(&pool);
    let token = CancellationToken::new();
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| {
            let outcome = pool.submit_many_with((0..100_u32).map(|i| move || i), &token);
            held.cancel();
            outcome.map_err(|error| matches!(error.refusal(), Refusal::Cancelled(_))).map(drop)
        });
        // The only place is taken by its first task; the second waits for it, or is about to.
        while pool.queued() == 0 {
            std::thread::yield_now();
        }
        token.cancel();
        assert_eq!(waits.join().expect("no panic"), Err(true));
    });
}

#[test]
fn own_worker_runs_what_does_not_fit_unless_it_only_tries() {
    let pool = pool(1, 2);
    let submitter = pool.submitter().clone();
    let nested = pool.submit(move || {
        let all = submitter.submit_many_timeout((0..20_u32).map(|i| move || i), Duration::MAX);
        let all = all.map_err(|error| error.to_string()).expect("it helps itself").wait().len();
        let tried = submitter.try_submit_many((0..20_u32).map(|i| move || i)).expect_err("two places");
        (all, values(tried))
    });
    let (all, (accepted, values)) = nested.expect("open").wait().expect("no panic");
    // What the worker has run itself may still have its place, until it looks into the queue again.
    assert!(accepted <= 2, "{accepted}");
    assert_eq!((all, values), (20, (0..20).collect::<Vec<_>>()));
}

#[test]
fn token_ends_loops_over_iterators_and_into_slices() {
    let pool = pool(2, 16);
    let token = CancellationToken::new();
    let (canceller, endless) = (token.clone(), 0..usize::MAX);
    let ends = pool.for_each_iter_with(&token, endless.clone(), move |i| {
        if i == 100 {
            canceller.cancel();
        }
    });
    assert!(matches!(ends, Err(BulkError::Cancelled { .. })), "{ends:?}");
    // Cancelled before: nothing is done.
    let ends = pool.map_iter_with(&token, endless, |i| i);
    assert!(matches!(ends, Err(BulkError::Cancelled { done: 0, .. })), "{ends:?}");
    let (numbers, mut out) = ([1, 2, 3], [0; 3]);
    let ends = ThreadPool::scope(|pool| pool.map_into_with(&token, &numbers, &mut out, |number| number * 2));
    assert!(matches!(ends, Ok(Err(BulkError::Cancelled { done: 0, .. }))), "{ends:?}");
    assert_eq!(out, [0; 3]);
    let token = CancellationToken::new();
    assert_eq!(pool.map_iter_with(&token, 0..100, |i| i + 1).expect("open"), (1..101).collect::<Vec<_>>());
    ThreadPool::scope(|pool| pool.map_into_with(&token, &numbers, &mut out, |number| number * 2))
        .expect("threads")
        .expect("open");
    assert_eq!(out, [2, 4, 6]);
}
