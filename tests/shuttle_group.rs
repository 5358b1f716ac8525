//! Error groups in seeded schedules: races of spawning, failing, cancelling, waiting and dropping.
//!
//! Time-outs are forbidden where a wake-up is all that may be relied on: a lost one is then a deadlock.
#![cfg(gristmill_shuttle)]

use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use gristmill::sync::atomic::{AtomicBool, AtomicUsize};
use gristmill::sync::thread::{self, Builder, JoinHandle};
use gristmill::sync::{fault, model as execution};
use gristmill::{
    CancellationToken, Done, ErrorGroup, GroupBuildError, GroupErrorKind, PolicyError, Semaphore, Shutdown,
    ThreadPool,
};

#[path = "support/model.rs"]
mod model;
use model::check;

type Group<'env> = ErrorGroup<'env, u32, String>;

fn spawn<T: Send + 'static>(run: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    Builder::new().spawn(run).expect("no fault is asked for")
}

fn own(limit: usize, bound: usize) -> Group<'static> {
    Group::builder().limit(limit).queue_bound(bound).build().expect("good settings")
}

#[test]
fn limit_holds_and_nothing_is_lost_whoever_spawns() {
    check("limit_holds_and_nothing_is_lost_whoever_spawns", || {
        execution::forbid_timeouts();
        let group = own(2, 1);
        let running = Arc::new(AtomicUsize::new(0));
        let spawners: Vec<_> = (0..2)
            .map(|_| {
                let (spawner, running) = (group.spawner().clone(), Arc::clone(&running));
                spawn(move || {
                    for value in 0..2 {
                        let running = Arc::clone(&running);
                        let answer = spawner.spawn(move || {
                            // The oracle is where the limit has to hold.
                            assert!(running.fetch_add(1, SeqCst) < 2, "more than two run");
                            running.fetch_sub(1, SeqCst);
                            Ok(value)
                        });
                        answer.expect("nobody cancels it");
                    }
                })
            })
            .collect();
        for thread in spawners {
            thread.join().expect("no panic");
        }
        assert_eq!(group.into_results().expect("all succeed").len(), 4);
    });
}

#[test]
fn cause_is_the_failure_before_the_cancellation_and_never_a_reaction() {
    check("cause_is_the_failure_before_the_cancellation_and_never_a_reaction", || {
        execution::forbid_timeouts();
        let group = own(2, 2);
        let failed = Arc::new(AtomicBool::new(false));
        let first = Arc::clone(&failed);
        let reacting = group.task().spawn(move |context| {
            if context.token().is_cancelled() {
                assert!(first.load(SeqCst), "cancelled by a failure that has happened");
                return Err("reaction".to_owned());
            }
            Ok(0)
        });
        reacting.expect("open");
        let failing = group.spawn(move || {
            failed.store(true, SeqCst);
            Err("cause".to_owned())
        });
        failing.expect("nothing has failed yet");
        let refused = group.spawn(|| Ok(2)).is_err();
        let error = group.wait().expect_err("one fails");
        assert_eq!(
            (error.index(), error.cause().and_then(|cause| cause.error())),
            (Some(1), Some(&"cause".to_owned()))
        );
        assert!(error.reactions().iter().all(|failure| failure.index() == 0));
        let report = group.into_report();
        assert_eq!((report.spawned(), report.failures().len()), (3 - u64::from(refused), 1));
    });
}

#[test]
fn panic_wakes_whoever_waits_for_the_groups_token() {
    check("panic_wakes_whoever_waits_for_the_groups_token", || {
        execution::forbid_timeouts();
        let group = own(2, 2);
        group.task().spawn(|context| Err(context.token().wait().to_string())).expect("open");
        group.spawn(|| panic!("stone")).expect("open");
        let error = group.wait().expect_err("one panics");
        assert_eq!((error.kind(), error.index()), (GroupErrorKind::Panicked, Some(1)));
        // Taken up first, it may find the group over all the same, and never start.
        assert_eq!(error.reactions().len() as u64 + group.into_report().cancelled(), 1);
    });
}

#[test]
fn spawn_that_waits_is_woken_by_an_end_or_by_a_cancel() {
    check("spawn_that_waits_is_woken_by_an_end_or_by_a_cancel", || {
        execution::forbid_timeouts();
        let group = own(1, 0);
        let canceller = {
            let spawner = group.spawner().clone();
            spawn(move || spawner.cancel())
        };
        let accepted = (0..3)
            .filter(|value| {
                let value = *value;
                group.spawn(move || Ok(value)).is_ok()
            })
            .count();
        assert!(canceller.join().expect("no panic"));
        let answer = group.wait();
        let report = group.into_report();
        assert_eq!((report.spawned(), report.failed()), (accepted as u64, 0));
        assert_eq!(answer.is_ok(), accepted == 3 && report.cancelled() == 0);
    });
}

#[test]
fn waiters_agree_and_no_task_runs_after_an_answer() {
    check("waiters_agree_and_no_task_runs_after_an_answer", || {
        execution::forbid_timeouts();
        let group = Arc::new(own(2, 1));
        let (over, late) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let spawner = {
            let (group, over, late) = (group.spawner().clone(), Arc::clone(&over), Arc::clone(&late));
            spawn(move || {
                (0..2)
                    .filter(|_| {
                        let (over, late) = (Arc::clone(&over), Arc::clone(&late));
                        let task = move || {
                            late.fetch_or(over.load(SeqCst), SeqCst);
                            Err("x".to_owned())
                        };
                        group.spawn(task).is_ok()
                    })
                    .count()
            })
        };
        let other = {
            let group = Arc::clone(&group);
            spawn(move || group.wait().map_err(|error| error.index()))
        };
        let mine = group.wait().map_err(|error| error.index());
        over.store(true, SeqCst);
        assert_eq!(other.join().expect("no panic"), mine);
        let accepted = spawner.join().expect("no panic");
        assert!(!late.load(SeqCst));
        assert_eq!(mine.is_ok(), accepted == 0);
    });
}

#[test]
fn group_on_the_pool_of_its_waiter_cannot_deadlock() {
    check("group_on_the_pool_of_its_waiter_cannot_deadlock", || {
        let pool = ThreadPool::builder().workers(1).queue_bound(1).build().expect("a worker");
        let submitter = pool.submitter().clone();
        let outer = pool.submit(move || {
            let group = Group::builder().limit(2).queue_bound(0).on(&submitter).expect("a limit");
            (0..3).for_each(|value| group.spawn(move || Ok(value)).expect("open"));
            group.into_results().expect("all succeed")
        });
        assert_eq!(outer.expect("open").wait().expect("no panic"), [0, 1, 2]);
    });
}

#[test]
fn waiter_that_helps_counts_against_the_limit() {
    check("waiter_that_helps_counts_against_the_limit", || {
        let pool = ThreadPool::builder().workers(2).build().expect("workers");
        let submitter = pool.submitter().clone();
        let outer = pool.submit(move || {
            let group = Group::builder().limit(1).queue_bound(2).on(&submitter).expect("a limit");
            let running = Arc::new(AtomicUsize::new(0));
            for value in 0..3 {
                let running = Arc::clone(&running);
                let task = move || {
                    assert_eq!(running.fetch_add(1, SeqCst), 0, "two run");
                    running.fetch_sub(1, SeqCst);
                    Ok(value)
                };
                group.spawn(task).expect("open");
            }
            group.into_results().expect("no two ran at a time")
        });
        assert_eq!(outer.expect("open").wait().expect("no panic"), [0, 1, 2]);
    });
}

#[test]
fn helper_puts_back_what_would_wait_for_its_own_permit_and_nothing_is_lost() {
    check("helper_puts_back_what_would_wait_for_its_own_permit_and_nothing_is_lost", || {
        execution::forbid_timeouts();
        let pool = ThreadPool::builder().workers(2).build().expect("threads");
        let (bulkhead, token) = (Arc::new(Semaphore::new(1)), CancellationToken::new());
        let group = ErrorGroup::<u32, PolicyError<String>>::builder().limit(1).queue_bound(2).on(&pool);
        let group = Arc::new(group.expect("good settings"));
        let outer = pool.task().under(Arc::clone(&bulkhead)).submit({
            let (group, bulkhead, token) = (Arc::clone(&group), Arc::clone(&bulkhead), token.clone());
            move |_, _| {
                group.task().under(Arc::clone(&bulkhead)).spawn(|_, _| Ok(1)).expect("room");
                group.spawn(|| Ok(2)).expect("room");
                // The first task needs the permit of this one, so only the token can end it.
                assert!(group.wait_with(&token).is_err());
                Ok::<_, String>(())
            }
        });
        let canceller = spawn(move || token.cancel());
        outer.expect("room").wait().expect("no panic").expect("no failure");
        canceller.join().expect("no panic");
        assert!(group.wait().is_ok());
        assert_eq!(group.snapshot().succeeded(), 2);
    });
}

#[test]
fn two_groups_share_a_small_pool() {
    check("two_groups_share_a_small_pool", || {
        let pool = Arc::new(ThreadPool::builder().workers(2).queue_bound(1).build().expect("workers"));
        let threads: Vec<_> = (0..2)
            .map(|_| {
                let pool = Arc::clone(&pool);
                spawn(move || {
                    let group = Group::builder().limit(2).queue_bound(1).on(&pool).expect("a limit");
                    (0..2).for_each(|value| group.spawn(move || Ok(value)).expect("open"));
                    group.into_results().expect("all succeed")
                })
            })
            .collect();
        for thread in threads {
            assert_eq!(thread.join().expect("no panic"), [0, 1]);
        }
    });
}

#[test]
fn runner_that_is_purged_while_tasks_come_is_hired_anew() {
    check("runner_that_is_purged_while_tasks_come_is_hired_anew", || {
        let pool = Arc::new(ThreadPool::builder().workers(1).queue_bound(1).build().expect("a worker"));
        let group = Arc::new(Group::builder().limit(1).queue_bound(2).on(&pool).expect("a limit"));
        let other = {
            let pool = Arc::clone(&pool);
            spawn(move || (0..2).for_each(|_| drop(pool.purge())))
        };
        let spawner = {
            let group = Arc::clone(&group);
            spawn(move || group.spawn(|| Ok(1)).expect("room"))
        };
        group.spawn(|| Ok(2)).expect("room");
        other.join().expect("no panic");
        spawner.join().expect("no panic");
        while group.pending() > 0 {
            thread::yield_now(); // nobody waits for the group
        }
        group.wait().expect("success");
    });
}

#[test]
fn helper_that_goes_leaves_a_runner_to_whoever_spawns_meanwhile() {
    check("helper_that_goes_leaves_a_runner_to_whoever_spawns_meanwhile", || {
        let pool = Arc::new(ThreadPool::builder().workers(1).queue_bound(1).build().expect("a worker"));
        let group = Arc::new(Group::builder().limit(1).queue_bound(3).on(&pool).expect("a limit"));
        let (inner, token) = (Arc::clone(&group), CancellationToken::new());
        let outer = pool.submit(move || {
            let stop = token.clone();
            inner.spawn(move || Ok(u32::from(stop.cancel()))).expect("room");
            inner.wait_with(&token).is_ok()
        });
        // While the helper is at work, or has gone.
        group.spawn(|| Ok(2)).expect("room");
        outer.expect("open").wait().expect("no panic");
        while group.pending() > 0 {
            thread::yield_now();
        }
        group.wait().expect("success");
    });
}

#[test]
fn deadline_that_no_thread_watches_ends_a_wait_and_a_spawn() {
    check("deadline_that_no_thread_watches_ends_a_wait_and_a_spawn", || {
        let (token, above) = {
            let _fault = fault::fail_spawn_at(1);
            let token = CancellationToken::with_timeout(Duration::from_millis(1));
            let _fault = fault::fail_spawn_at(1);
            (token, CancellationToken::with_timeout(Duration::from_millis(1)))
        };
        let stop = CancellationToken::new();
        let group = own(1, 0);
        let until = stop.clone();
        group.spawn(move || Err(until.wait().to_string())).expect("a place");
        let fault = fault::fail_spawn_at(1); // the wait's own attempt to have it watched fails as well
        assert!(group.wait_with(&token).is_err());
        drop(fault);
        let inner = Group::builder().limit(1).queue_bound(0).token(&above).build().expect("a thread");
        let until = stop.clone();
        drop(inner.spawn(move || Err(until.wait().to_string()))); // in time, or not
        let _fault = fault::fail_spawn_at(1);
        assert!(inner.spawn(|| Ok(1)).expect_err("there is no room, or no time").is_cancelled());
        stop.cancel();
    });
}

#[test]
fn who_sees_the_token_above_first_is_no_cause() {
    check("who_sees_the_token_above_first_is_no_cause", || {
        let above = CancellationToken::new();
        let group = Group::builder().limit(1).queue_bound(1).token(&above).build().expect("a thread");
        let seen = above.clone();
        let task = move || if seen.is_cancelled() { Err("reaction".to_owned()) } else { Ok(1) };
        group.spawn(task).expect("nobody has cancelled it");
        let canceller = spawn(move || above.cancel());
        if let Err(error) = group.wait() {
            assert_eq!((error.kind(), error.cause().is_none()), (GroupErrorKind::Cancelled, true));
        }
        assert!(canceller.join().expect("no panic"));
    });
}

#[test]
fn pool_that_aborts_ends_the_group() {
    check("pool_that_aborts_ends_the_group", || {
        let pool = Arc::new(ThreadPool::builder().workers(1).build().expect("a worker"));
        let group = Group::builder().limit(1).queue_bound(1).on(&pool).expect("a limit");
        let ending = {
            let pool = Arc::clone(&pool);
            spawn(move || drop(pool.shutdown(Shutdown::Abort)))
        };
        let accepted = (0..2).filter(|_| group.spawn(|| Ok(1)).is_ok()).count();
        let answer = group.wait();
        ending.join().expect("no panic");
        let report = group.into_report();
        assert_eq!(report.spawned(), accepted as u64);
        assert_eq!(report.succeeded() + report.cancelled(), report.spawned());
        assert!(answer.is_err() || report.cancelled() == 0);
    });
}

#[test]
fn token_above_the_pool_ends_the_group_wherever_its_cancellation_has_come() {
    check("token_above_the_pool_ends_the_group_wherever_its_cancellation_has_come", || {
        let token = CancellationToken::new();
        // Children that are told before the pool is.
        let _elder: Vec<_> = (0..3).map(|_| token.child()).collect();
        let pool = ThreadPool::builder().workers(1).token(&token).build().expect("a worker");
        let group = Group::builder().limit(1).queue_bound(2).on(&pool).expect("a limit");
        let canceller = spawn(move || token.cancel());
        let accepted = (0..3).filter(|_| group.spawn(|| Ok(1)).is_ok()).count();
        let answer = group.wait();
        assert!(canceller.join().expect("no panic"));
        let report = group.into_report();
        assert_eq!(report.spawned(), accepted as u64);
        assert_eq!(answer.is_ok(), report.succeeded() == 3);
    });
}

#[test]
fn drop_waits_for_what_runs() {
    check("drop_waits_for_what_runs", || {
        execution::forbid_timeouts();
        let inside = Arc::new(AtomicUsize::new(0));
        let group = Group::builder().limit(2).done(Done::all_finished()).build().expect("threads");
        for _ in 0..3 {
            let inside = Arc::clone(&inside);
            let task = move || {
                inside.fetch_add(1, SeqCst);
                inside.fetch_sub(1, SeqCst);
                Ok(1)
            };
            group.spawn(task).expect("open");
        }
        drop(group);
        assert_eq!((inside.load(SeqCst), Arc::strong_count(&inside)), (0, 1));
    });
}

#[test]
fn threads_that_cannot_be_created_leave_nothing() {
    check("threads_that_cannot_be_created_leave_nothing", || {
        for k in 1..=2 {
            let _fault = fault::fail_spawn_at(k);
            let refused = Group::builder().limit(2).build();
            assert!(matches!(refused, Err(GroupBuildError::Threads(_))));
        }
        let group = own(1, 1);
        group.spawn(|| Ok(3)).expect("open");
        assert_eq!(group.into_results().expect("success"), [3]);
    });
}
