//! Chunks of tasks, and loops, in seeded schedules: sharing, aborts, cancels and waiters that race.
#![cfg(gristmill_shuttle)]

use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;

use gristmill::sync::atomic::AtomicUsize;
use gristmill::sync::model as execution;
use gristmill::{BulkError, CancellationToken, Shutdown, TaskError, ThreadPool};

#[path = "support/model.rs"]
mod model;
use model::check;
#[path = "support/model_pool.rs"]
mod model_pool;
use model_pool::{closes, pool, spawn};

#[test]
fn chunk_is_shared_and_each_task_runs_once() {
    check("chunk_is_shared_and_each_task_runs_once", || {
        execution::forbid_timeouts();
        let (pool, ran) = (pool(2, 8), Arc::new(AtomicUsize::new(0)));
        let tasks: Vec<_> = (0..5)
            .map(|i| {
                let ran = Arc::clone(&ran);
                move || (i, ran.fetch_add(1, SeqCst))
            })
            .collect();
        // Without a known length, so that chunks grow to 4.
        let results = pool.submit_many(tasks.into_iter().filter(|_| true)).expect("open").wait();
        let order: Vec<_> = results.into_iter().map(|result| result.expect("no panic").0).collect();
        assert_eq!(order, [0, 1, 2, 3, 4]);
        assert_eq!(ran.load(SeqCst), 5);
        let report = pool.shutdown(Shutdown::Drain);
        closes(&report);
        assert_eq!((report.succeeded(), pool.queued()), (5, 0));
    });
}

#[test]
fn first_task_of_a_chunk_may_wait_for_the_last() {
    check("first_task_of_a_chunk_may_wait_for_the_last", || {
        execution::forbid_timeouts();
        let (pool, last) = (pool(2, 8), CancellationToken::new());
        // Chunks of 1, 2 and 4: the third one's first and last.
        let tasks: Vec<_> = (0..7)
            .map(|i| {
                let last = last.clone();
                move || match i {
                    3 => i + usize::from(last.wait().cause().is_some()),
                    6 => i + usize::from(!last.cancel()),
                    _ => i,
                }
            })
            .collect();
        let results = pool.submit_many(tasks.into_iter().filter(|_| true)).expect("open").wait();
        assert!(results.into_iter().map(|result| result.expect("no panic")).eq(0..7));
        closes(&pool.shutdown(Shutdown::Drain));
    });
}

#[test]
fn abort_that_races_a_chunk_runs_or_returns_each_task() {
    check("abort_that_races_a_chunk_runs_or_returns_each_task", || {
        execution::forbid_timeouts();
        let (pool, ran) = (pool(2, 4), Arc::new(AtomicUsize::new(0)));
        let submitter = {
            let (pool, ran) = (Arc::clone(&pool), Arc::clone(&ran));
            spawn(move || {
                let tasks: Vec<_> = (0..5)
                    .map(|_| {
                        let ran = Arc::clone(&ran);
                        move || ran.fetch_add(1, SeqCst)
                    })
                    .collect();
                match pool.submit_many(tasks.into_iter().filter(|_| true)) {
                    Ok(handle) => (handle, 0),
                    Err(error) => {
                        let (handle, rest, _) = error.into_parts();
                        (handle, rest.count())
                    }
                }
            })
        };
        let report = pool.shutdown(Shutdown::Abort);
        let (handle, refused) = submitter.join().expect("no panic");
        assert_eq!(handle.len() + refused, 5);
        let accepted = handle.len() as u64;
        let (mut succeeded, mut returned) = (0, 0);
        for result in handle.wait() {
            match result {
                Ok(_) => succeeded += 1,
                Err(TaskError::Returned { .. }) => returned += 1,
                Err(other) => panic!("{other}"),
            }
        }
        let last = pool.shutdown(Shutdown::Drain);
        closes(&last);
        assert_eq!((last.submitted(), last.succeeded(), last.returned()), (accepted, succeeded, returned));
        assert_eq!((report.tasks().len() + last.tasks().len()) as u64, returned);
        assert_eq!(ran.load(SeqCst) as u64, succeeded);
        assert_eq!(pool.queued(), 0);
    });
}

#[test]
fn cancel_that_races_workers_decides_each_task_once() {
    check("cancel_that_races_workers_decides_each_task_once", || {
        execution::forbid_timeouts();
        let (pool, ran) = (pool(2, 8), Arc::new(AtomicUsize::new(0)));
        let tasks: Vec<_> = (0..4)
            .map(|_| {
                let ran = Arc::clone(&ran);
                move || ran.fetch_add(1, SeqCst)
            })
            .collect();
        let handle = pool.submit_many(tasks.into_iter().filter(|_| true)).expect("open");
        let any = handle.cancel();
        let results = handle.wait();
        let cancelled = results.iter().filter(|result| result.is_err()).count();
        assert_eq!((cancelled > 0, ran.load(SeqCst)), (any, 4 - cancelled));
        let report = pool.shutdown(Shutdown::Drain);
        closes(&report);
        assert_eq!(report.cancelled(), cancelled as u64);
    });
}

#[test]
fn waiter_that_a_token_ends_has_the_handle_or_the_results() {
    check("waiter_that_a_token_ends_has_the_handle_or_the_results", || {
        execution::forbid_timeouts();
        let (pool, token) = (pool(1, 2), CancellationToken::new());
        let handle = pool.submit_many((0..3).map(|i| move || i)).expect("open");
        let canceller = {
            let token = token.clone();
            spawn(move || token.cancel())
        };
        let results = match handle.wait_with(&token) {
            Ok(results) => results,
            Err(ended) => ended.into_handle().wait(),
        };
        assert!(results.into_iter().map(|result| result.expect("no panic")).eq(0..3));
        canceller.join().expect("no panic");
    });
}

#[test]
fn pool_token_ends_batches_and_loops() {
    check("pool_token_ends_batches_and_loops", || {
        execution::forbid_timeouts();
        let token = CancellationToken::new();
        let builder = ThreadPool::builder().workers(2).queue_bound(2).token(&token);
        let pool = Arc::new(builder.build().expect("good settings"));
        let submitter = {
            let pool = Arc::clone(&pool);
            spawn(move || match pool.submit_many((0..4).map(|i| move || i)) {
                Ok(handle) => handle.wait().len(),
                Err(error) => {
                    let (handle, rest, _) = error.into_parts();
                    handle.wait().len() + rest.count()
                }
            })
        };
        let looping = {
            let pool = Arc::clone(&pool);
            spawn(move || pool.map_iter(0..4, |i| i))
        };
        token.cancel();
        assert_eq!(submitter.join().expect("no panic"), 4);
        match looping.join().expect("no panic") {
            Ok(values) => assert_eq!(values, [0, 1, 2, 3]),
            Err(BulkError::Cancelled { done, .. }) => assert!(done <= 4, "the iterator's end was not seen"),
            Err(other) => panic!("{other}"),
        }
        closes(&pool.shutdown(Shutdown::Drain));
    });
}

#[test]
fn loop_in_a_task_of_a_full_pool_comes_to_its_end() {
    check("loop_in_a_task_of_a_full_pool_comes_to_its_end", || {
        execution::forbid_timeouts();
        let pool = pool(1, 1);
        let handles: Vec<_> = (0..2)
            .map(|_| {
                let submitter = pool.submitter().clone();
                let nested = move || {
                    let many = submitter.submit_many((0..3).map(|i| move || i)).expect("open").wait();
                    submitter.map_iter(0..3, |i| i).expect("open").len() + many.len()
                };
                pool.submit(nested).expect("open")
            })
            .collect();
        for handle in handles {
            assert_eq!(handle.wait().expect("no panic"), 6);
        }
        closes(&pool.shutdown(Shutdown::Drain));
    });
}

#[test]
fn loop_is_in_order_whoever_does_what() {
    check("loop_is_in_order_whoever_does_what", || {
        execution::forbid_timeouts();
        let (pool, items) = (pool(2, 2), Vec::leak((0..5).collect::<Vec<u8>>()));
        assert_eq!(pool.map(items, |item| *item).expect("no panic"), [0, 1, 2, 3, 4]);
        let error = pool.map(items, |item| assert_ne!(*item, 3)).expect_err("a panic");
        assert_eq!(error.index(), Some(3));
        let report = pool.shutdown(Shutdown::Drain);
        closes(&report);
        assert_eq!(report.succeeded(), report.submitted());
    });
}

#[test]
fn abort_that_races_a_loop_ends_it() {
    check("abort_that_races_a_loop_ends_it", || {
        execution::forbid_timeouts();
        let pool = pool(2, 2);
        let looping = {
            let pool = Arc::clone(&pool);
            spawn(move || pool.map_iter(0..3, |i| i))
        };
        drop(pool.shutdown(Shutdown::Abort));
        match looping.join().expect("no panic") {
            Ok(values) => assert_eq!(values, [0, 1, 2]),
            Err(BulkError::Stopped { .. } | BulkError::Refused { .. }) => {}
            Err(other) => panic!("{other}"),
        }
        closes(&pool.shutdown(Shutdown::Drain));
    });
}
