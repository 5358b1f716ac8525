//! Whole pools in seeded schedules: races of submitting, waiting, cancelling and shutting down.
//!
//! Time-outs are forbidden where a wake-up is all that may be relied on: a lost one is then a deadlock.
#![cfg(gristmill_shuttle)]

use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use gristmill::sync::atomic::{AtomicBool, AtomicUsize};
use gristmill::sync::thread::{self, JoinHandle};
use gristmill::sync::{Mutex, fault, model as execution};
use gristmill::{
    BuildError, CancelOutcome, CancellationToken, Semaphore, Shutdown, TaskError, ThreadPool, WaitError,
};

#[path = "support/model.rs"]
mod model;
use model::check;
#[path = "support/model_pool.rs"]
mod model_pool;
use model_pool::{closes, pool, spawn};

#[test]
fn submit_that_races_a_drain_is_run_or_refused() {
    check("submit_that_races_a_drain_is_run_or_refused", || {
        execution::forbid_timeouts();
        let (pool, ran) = (pool(2, 1), Arc::new(AtomicUsize::new(0)));
        let submitters: Vec<_> = (0..2)
            .map(|_| {
                let (pool, ran) = (Arc::clone(&pool), Arc::clone(&ran));
                spawn(move || {
                    let mut accepted = 0;
                    for _ in 0..2 {
                        let ran = Arc::clone(&ran);
                        match pool.submit(move || ran.fetch_add(1, SeqCst)) {
                            Ok(handle) => {
                                accepted += 1;
                                drop(handle);
                            }
                            Err(error) => assert!(error.is_closed()),
                        }
                    }
                    accepted
                })
            })
            .collect();
        let report = pool.shutdown(Shutdown::Drain);
        closes(&report);
        let at_return = ran.load(SeqCst) as u64;
        let accepted: u64 = submitters.into_iter().map(|thread| thread.join().expect("no panic")).sum();
        assert_eq!((report.submitted(), report.succeeded(), at_return), (accepted, accepted, accepted));
    });
}

#[test]
fn every_task_is_run_or_handed_back_when_an_abort_races_submitters() {
    check("every_task_is_run_or_handed_back_when_an_abort_races_submitters", || {
        execution::forbid_timeouts();
        let pool = pool(2, 1);
        let submitter = {
            let pool = Arc::clone(&pool);
            spawn(move || (0..3).filter_map(|i| pool.submit(move || i).ok()).collect::<Vec<_>>())
        };
        let report = pool.shutdown(Shutdown::Abort);
        let handles = submitter.join().expect("no panic");
        let (mut succeeded, mut returned) = (0, 0);
        let accepted = handles.len() as u64;
        for handle in handles {
            match handle.wait() {
                Ok(_) => succeeded += 1,
                Err(TaskError::Returned { .. }) => returned += 1,
                Err(other) => panic!("{other}"),
            }
        }
        // An abort waits for its grace only; the second call waits for what is left.
        let last = pool.shutdown(Shutdown::Drain);
        closes(&last);
        assert_eq!((last.submitted(), last.succeeded(), last.returned()), (accepted, succeeded, returned));
        assert_eq!((report.tasks().len() + last.tasks().len()) as u64, returned);
    });
}

#[test]
fn cancel_that_races_the_start_decides_it() {
    check("cancel_that_races_the_start_decides_it", || {
        let (pool, ran) = (pool(1, 2), Arc::new(AtomicBool::new(false)));
        let noted = Arc::clone(&ran);
        let handle = pool.submit(move || noted.store(true, SeqCst)).expect("open");
        let outcome = handle.cancel();
        let result = handle.wait();
        match outcome {
            CancelOutcome::Prevented => {
                assert!(result.is_err_and(|error| error.is_cancelled()) && !ran.load(SeqCst));
            }
            CancelOutcome::RunsOn | CancelOutcome::Finished => assert!(result.is_ok() && ran.load(SeqCst)),
            other => panic!("{other:?}"),
        }
        let report = pool.shutdown(Shutdown::Drain);
        closes(&report);
        assert_eq!(report.cancelled(), u64::from(outcome == CancelOutcome::Prevented));
    });
}

#[test]
fn token_reaches_a_task_whether_it_runs_or_not() {
    check("token_reaches_a_task_whether_it_runs_or_not", || {
        execution::forbid_timeouts();
        let pool = pool(1, 2);
        let given = CancellationToken::new();
        let handle = pool.task().token(&given).submit(|context| context.token().wait()).expect("open");
        let canceller = spawn(move || given.cancel_with("enough"));
        match handle.wait() {
            Ok(cause) | Err(TaskError::Cancelled { cause, .. }) => {
                assert_eq!(cause.cause().map(ToString::to_string).as_deref(), Some("enough"));
            }
            Err(other) => panic!("{other}"),
        }
        assert!(canceller.join().expect("no panic"));
        closes(&pool.shutdown(Shutdown::Drain));
    });
}

#[test]
fn nested_wait_needs_one_worker_and_one_place() {
    check("nested_wait_needs_one_worker_and_one_place", || {
        execution::forbid_timeouts();
        let pool = pool(1, 1);
        let outer: Vec<_> = (0..2)
            .map(|i| {
                let submitter = pool.submitter().clone();
                let nested = move || {
                    let inner = submitter.clone();
                    let middle = submitter.submit(move || inner.submit(move || i).expect("open").wait());
                    let other = submitter.submit(|| 10).expect("open");
                    middle.expect("open").wait().expect("no panic").expect("no panic")
                        + other.wait().expect("no panic")
                };
                pool.submit(nested).expect("open")
            })
            .collect();
        let sum: i32 = outer.into_iter().map(|handle| handle.wait().expect("no panic")).sum();
        assert_eq!(sum, 21);
        let report = pool.shutdown(Shutdown::Drain);
        closes(&report);
        assert_eq!(report.succeeded(), 8);
    });
}

#[test]
fn no_wake_up_is_lost_between_submitters_workers_and_waiters() {
    check("no_wake_up_is_lost_between_submitters_workers_and_waiters", || {
        execution::forbid_timeouts();
        let pool = pool(2, 1);
        let submitters: Vec<_> = (0..2)
            .map(|_| {
                let pool = Arc::clone(&pool);
                spawn(move || {
                    let handles: Vec<_> = (0..2).map(|i| pool.submit(move || i).expect("open")).collect();
                    handles.into_iter().map(|handle| handle.wait().expect("no panic")).sum::<i32>()
                })
            })
            .collect();
        for submitter in submitters {
            assert_eq!(submitter.join().expect("no panic"), 1);
        }
        closes(&pool.shutdown(Shutdown::Drain));
    });
}

#[test]
fn wait_for_all_returns_when_all_have_ended_and_not_before() {
    check("wait_for_all_returns_when_all_have_ended_and_not_before", || {
        execution::forbid_timeouts();
        let (pool, ran) = (pool(2, 2), Arc::new(AtomicUsize::new(0)));
        let mut handles = Vec::new();
        for _ in 0..3 {
            let ran = Arc::clone(&ran);
            handles.push(pool.submit(move || ran.fetch_add(1, SeqCst)).expect("open"));
        }
        let waiter = {
            let pool = Arc::clone(&pool);
            spawn(move || pool.wait())
        };
        let prevented = usize::from(handles[2].cancel() == CancelOutcome::Prevented);
        pool.wait().expect("no token");
        assert_eq!(ran.load(SeqCst) + prevented, 3);
        assert!(handles.iter().all(gristmill::TaskHandle::is_finished));
        waiter.join().expect("no panic").expect("no token");
        closes(&pool.shutdown(Shutdown::Drain));
    });
}

#[test]
fn blocked_submit_ends_when_the_pool_is_closed_or_cancelled() {
    for cancel in [false, true] {
        check("blocked_submit_ends_when_the_pool_is_closed_or_cancelled", move || {
            execution::forbid_timeouts();
            let (token, open) = (CancellationToken::new(), CancellationToken::new());
            let builder = ThreadPool::builder().workers(1).queue_bound(1).token(&token);
            let pool = Arc::new(builder.build().expect("good settings"));
            let held = open.clone();
            let mut handles = vec![pool.submit(move || drop(held.wait())).expect("open")];
            let submitter = {
                let pool = Arc::clone(&pool);
                spawn(move || (0..3).map(|_| pool.submit(|| ())).collect::<Vec<_>>())
            };
            if cancel {
                token.cancel();
            } else {
                pool.close();
            }
            let attempts = submitter.join().expect("no panic");
            assert!(attempts[2].is_err(), "the worker is held, and there is one place");
            for attempt in attempts {
                match attempt {
                    Ok(handle) => handles.push(handle),
                    Err(error) => assert!(if cancel { error.is_cancelled() } else { error.is_closed() }),
                }
            }
            open.cancel();
            let accepted = handles.len() as u64;
            let succeeded = handles.into_iter().filter_map(|handle| handle.wait().ok()).count() as u64;
            let report = pool.shutdown(Shutdown::Drain);
            closes(&report);
            assert_eq!((report.submitted(), report.succeeded()), (accepted, succeeded));
            assert!(cancel || succeeded == accepted);
        });
    }
}

#[test]
fn pool_token_ends_all_waits() {
    check("pool_token_ends_all_waits", || {
        execution::forbid_timeouts();
        let token = CancellationToken::new();
        let pool =
            Arc::new(ThreadPool::builder().workers(1).queue_bound(2).token(&token).build().expect("good"));
        let running = pool.task().submit(|context| drop(context.token().wait())).expect("open");
        let queued = pool.submit(|| ()).expect("open");
        let idle = {
            let pool = Arc::clone(&pool);
            spawn(move || pool.wait())
        };
        let waiter = spawn(move || queued.wait());
        token.cancel();
        let idle = idle.join().expect("no panic");
        assert!(matches!(idle, Ok(()) | Err(WaitError::Cancelled(_))));
        assert!(waiter.join().expect("no panic").is_err_and(|error| error.is_cancelled()));
        drop(running.wait()); // ended by its token, or never started
        closes(&pool.shutdown(Shutdown::Drain));
    });
}

#[test]
fn wait_that_a_token_ends_gives_the_handle_or_the_result() {
    check("wait_that_a_token_ends_gives_the_handle_or_the_result", || {
        execution::forbid_timeouts();
        let pool = pool(1, 1);
        let token = CancellationToken::new();
        let handle = pool.submit(|| 7).expect("open");
        let canceller = {
            let token = token.clone();
            spawn(move || token.cancel())
        };
        let value = match handle.wait_with(&token) {
            Ok(result) => result,
            Err(ended) => ended.into_handle().wait(),
        };
        assert_eq!(value.expect("no panic"), 7);
        canceller.join().expect("no panic");
        drop(pool);
    });
}

#[test]
fn timed_waits_give_back_what_they_were_given() {
    check("timed_waits_give_back_what_they_were_given", || {
        let pool = pool(1, 1);
        let first = pool.submit(|| 1).expect("open");
        let second = match pool.submit_timeout(|| 2, Duration::from_millis(1)) {
            Ok(handle) => handle,
            Err(refused) => {
                assert!(refused.is_timed_out());
                pool.submit(refused.into_task()).expect("open")
            }
        };
        let first = first.wait_timeout(Duration::from_millis(1)).unwrap_or_else(gristmill::TaskHandle::wait);
        assert_eq!((first.expect("no panic"), second.wait().expect("no panic")), (1, 2));
        let report = pool.shutdown(Shutdown::DrainFor(Duration::from_millis(1)));
        drop(report);
        closes(&pool.shutdown(Shutdown::Drain));
    });
}

#[test]
fn pool_dropped_by_its_last_task_ends_by_itself() {
    check("pool_dropped_by_its_last_task_ends_by_itself", || {
        execution::forbid_timeouts();
        let pool = pool(2, 1);
        let (ran, own) = (Arc::new(AtomicUsize::new(0)), Arc::clone(&pool));
        let noted = Arc::clone(&ran);
        let dropping = pool.submit(move || drop(own)).expect("open");
        let other = pool.submit(move || noted.fetch_add(1, SeqCst)).expect("open");
        drop(pool);
        dropping.wait().expect("no panic");
        other.wait().expect("no panic");
        assert_eq!(ran.load(SeqCst), 1);
    });
}

#[test]
fn scope_ends_after_its_tasks() {
    check("scope_ends_after_its_tasks", || {
        execution::forbid_timeouts();
        let ran = AtomicUsize::new(0);
        let result = ThreadPool::builder().workers(2).queue_bound(1).scope(|pool| {
            for _ in 0..3 {
                drop(pool.submit(|| ran.fetch_add(1, SeqCst)).expect("open"));
            }
        });
        result.expect("good settings");
        assert_eq!(ran.load(SeqCst), 3);
    });
}

#[test]
fn failed_thread_or_state_leaves_nothing_behind() {
    check("failed_thread_or_state_leaves_nothing_behind", || {
        execution::forbid_timeouts();
        let live = Arc::new(AtomicUsize::new(0));
        for k in 1..=3 {
            let (made, ended) = (Arc::clone(&live), Arc::clone(&live));
            let builder = ThreadPool::builder().workers(2).worker_state(
                move |_| made.fetch_add(1, SeqCst),
                move |_, _| {
                    ended.fetch_sub(1, SeqCst);
                },
            );
            let fault = fault::fail_spawn_at(k);
            let built = builder.build();
            drop(fault);
            match built {
                Err(BuildError::Thread { worker, .. }) => assert_eq!(worker + 1, k),
                other => assert!(k == 3 && other.is_ok()),
            }
            assert_eq!(live.load(SeqCst), 0, "joined, and its states ended");
        }
    });
}

/// Cancels a token whose first callback waits for the end of what waits under the token itself.
fn cancel_with_a_callback_that_joins<T: Send + 'static>(
    token: &CancellationToken,
    waits: impl FnOnce() -> T + Send + 'static,
) -> T {
    let thread = Arc::new(Mutex::new(None));
    let (joins, ended) = (Arc::clone(&thread), Arc::new(Mutex::new(None)));
    let ends = Arc::clone(&ended);
    let callback = token.on_cancel(move |_| {
        let thread: JoinHandle<T> = joins.lock().take().expect("it was started before");
        *ends.lock() = thread.join().ok();
    });
    *thread.lock() = Some(spawn(waits));
    token.cancel();
    drop(callback);
    let ended = ended.lock().take();
    ended.expect("it has ended without a panic")
}

#[test]
fn callback_may_wait_for_whoever_waits_under_its_token() {
    check("callback_may_wait_for_whoever_waits_under_its_token", || {
        execution::forbid_timeouts();
        let (pool, token) = (pool(1, 1), CancellationToken::new());
        let semaphore = Arc::new(Semaphore::new(1));
        let held = semaphore.acquire_owned(1).expect("it is free");
        let (inside, with) = (Arc::clone(&semaphore), token.clone());
        let task = pool.submit(move || inside.acquire_with(&with).is_err()).expect("open");
        let (waits, with) = (Arc::clone(&pool), token.child());
        assert!(cancel_with_a_callback_that_joins(&token, move || match waits.wait_with(&with) {
            Ok(()) | Err(WaitError::Cancelled(_)) => task.wait().expect("no panic"),
            Err(error) => panic!("{error}"),
        }));
        drop((pool, held));
    });
}

#[test]
fn callback_may_wait_for_a_task_that_polls_a_token_linked_to_its_own() {
    check("callback_may_wait_for_a_task_that_polls_a_token_linked_to_its_own", || {
        execution::forbid_timeouts();
        let token = CancellationToken::new();
        let pool =
            ThreadPool::builder().workers(1).queue_bound(1).token(&token).build().expect("good settings");
        let own = CancellationToken::new();
        let polls = pool.task().token(&own).submit(|context| {
            while !context.token().is_cancelled() {
                thread::yield_now();
            }
        });
        let task = polls.expect("open");
        // It may have been cancelled before it began.
        assert!(cancel_with_a_callback_that_joins(&token, move || task
            .wait()
            .map_or_else(|error| error.is_cancelled(), |()| true)));
        assert!(!own.is_cancelled());
        drop(pool);
    });
}
