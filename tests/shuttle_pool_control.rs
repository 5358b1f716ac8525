//! Whole pools in seeded schedules: keys, caps, pause, purge and changes of size, against everything that races them.
//!
//! Time-outs are forbidden: a lost wake-up is then a deadlock.
#![cfg(gristmill_shuttle)]

use std::sync::atomic::Ordering::SeqCst;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gristmill::pool::KeyFailed;
use gristmill::sync::atomic::{AtomicBool, AtomicUsize};
use gristmill::sync::channel;
use gristmill::sync::model as execution;
use gristmill::sync::thread::yield_now;
use gristmill::{
    AdaptiveSize, CancelOutcome, KeyFailure, ManualClock, RateLimiter, ResizeError, Shutdown, TaskError,
    TaskHandle, ThreadPool, ThreadPoolBuilder,
};

#[path = "support/model.rs"]
mod model;
use model::check;
#[path = "support/model_pool.rs"]
mod model_pool;
use model_pool::{closes, spawn};

fn builder(workers: usize, bound: usize) -> ThreadPoolBuilder<'static> {
    ThreadPool::builder().workers(workers).queue_bound(bound).key_bound(bound)
}

fn pool(builder: ThreadPoolBuilder<'static>) -> Arc<ThreadPool> {
    Arc::new(builder.build().expect("good settings"))
}

/// Ends the pool; the counts close. An abort waits for its grace only, and the second call for the rest.
fn end(pool: &ThreadPool, mode: Shutdown) -> usize {
    let report = pool.shutdown(mode);
    let last = pool.shutdown(Shutdown::Drain);
    closes(&last);
    report.tasks().len() + last.tasks().len()
}

/// Notes what runs in it, one at a time.
#[derive(Clone, Default)]
struct Alone(Arc<(AtomicBool, Mutex<Vec<usize>>)>);

impl Alone {
    fn enter(&self, i: usize) {
        assert!(!self.0.0.swap(true, SeqCst), "another one is inside");
        yield_now();
        self.0.1.lock().expect("no panic while it is held").push(i);
        assert!(self.0.0.swap(false, SeqCst));
    }

    fn entered(&self) -> Vec<usize> {
        self.0.1.lock().expect("no panic while it is held").clone()
    }
}

#[test]
fn key_excludes_keeps_the_order_and_loses_no_turn_when_tasks_are_cancelled() {
    check("key_excludes_keeps_the_order_and_loses_no_turn_when_tasks_are_cancelled", || {
        execution::forbid_timeouts();
        let (pool, alone) = (pool(builder(2, 8)), Alone::default());
        let submit = |i| {
            let alone = alone.clone();
            pool.task().key(1).submit(move |_| alone.enter(i)).expect("open")
        };
        let first: Vec<_> = (0..2).map(submit).collect();
        let canceller = spawn(move || {
            let prevented: Vec<_> =
                first.iter().map(|handle| handle.cancel() == CancelOutcome::Prevented).collect();
            let ends: Vec<_> = first.into_iter().map(|handle| handle.wait().is_err()).collect();
            assert_eq!(prevented, ends);
            prevented
        });
        let rest: Vec<_> = (2..4).map(submit).collect();
        for handle in rest {
            handle.wait().expect("its turn comes");
        }
        let prevented = canceller.join().expect("no panic");
        let expected: Vec<_> = (0..4).filter(|i| *i >= 2 || !prevented[*i]).collect();
        assert_eq!(alone.entered(), expected);
        end(&pool, Shutdown::Drain);
    });
}

#[test]
fn submitters_of_one_key_and_of_others_lose_no_wake_up() {
    check("submitters_of_one_key_and_of_others_lose_no_wake_up", || {
        execution::forbid_timeouts();
        let (pool, alone) = (pool(builder(2, 2)), Alone::default());
        let submitters: Vec<_> = (0..2)
            .map(|who| {
                let (pool, alone) = (Arc::clone(&pool), alone.clone());
                spawn(move || {
                    let handles: Vec<_> = (0..2)
                        .map(|i| {
                            let alone = alone.clone();
                            pool.task().key(1).submit(move |_| alone.enter(who * 2 + i)).expect("open")
                        })
                        .collect();
                    pool.task().key(2 + who).submit(|_| ()).expect("open").wait().expect("another key");
                    for handle in handles {
                        handle.wait().expect("its turn comes");
                    }
                })
            })
            .collect();
        for submitter in submitters {
            submitter.join().expect("no panic");
        }
        let entered = alone.entered();
        let of = |who: usize| entered.iter().copied().filter(|i| i / 2 == who).collect::<Vec<_>>();
        assert_eq!((of(0), of(1)), (vec![0, 1], vec![2, 3]), "each submitter's in its order");
        end(&pool, Shutdown::Drain);
    });
}

#[test]
fn waiting_tasks_help_their_keys_along() {
    check("waiting_tasks_help_their_keys_along", || {
        execution::forbid_timeouts();
        let (pool, alone) = (pool(builder(2, 8)), Alone::default());
        let outer: Vec<_> = (0..2)
            .map(|who| {
                let (submitter, alone) = (pool.submitter().clone(), alone.clone());
                let task = move || {
                    let inner: Vec<_> = (0..2)
                        .map(|i| {
                            let alone = alone.clone();
                            submitter.task().key(1).submit(move |_| alone.enter(who * 2 + i)).expect("open")
                        })
                        .collect();
                    // The last one first: those ahead have to be run or waited for.
                    inner.into_iter().rev().for_each(|handle| handle.wait().expect("its turn comes"));
                };
                pool.submit(task).expect("open")
            })
            .collect();
        for handle in outer {
            handle.wait().expect("no panic");
        }
        assert_eq!(alone.entered().len(), 4);
        end(&pool, Shutdown::Drain);
    });
}

#[test]
fn rest_of_a_failed_key_is_dropped_or_came_later() {
    check("rest_of_a_failed_key_is_dropped_or_came_later", || {
        execution::forbid_timeouts();
        let (pool, alone) = (pool(builder(2, 8).on_key_failure(KeyFailure::DropRest)), Alone::default());
        let bad = pool.task().key(1).fallible().submit(|_| Err::<(), ()>(())).expect("open");
        let submitter = {
            let (pool, alone) = (Arc::clone(&pool), alone.clone());
            spawn(move || {
                let handles: Vec<_> = (0..3)
                    .map(|i| {
                        let alone = alone.clone();
                        pool.task().key(1).submit(move |_| alone.enter(i)).expect("open")
                    })
                    .collect();
                let is_dropped = |handle: TaskHandle<()>| match handle.wait() {
                    Ok(()) => false,
                    Err(TaskError::Cancelled { cause, .. }) => {
                        let cause = cause.cause().expect("it has one");
                        assert!(cause.is::<KeyFailed>());
                        true
                    }
                    Err(other) => panic!("{other}"),
                };
                handles.into_iter().map(is_dropped).collect::<Vec<_>>()
            })
        };
        assert_eq!(bad.wait().expect("it ran"), Err(()));
        let dropped = submitter.join().expect("no panic");
        assert!(
            dropped.is_sorted_by_key(|dropped| !dropped),
            "those that waited at that moment: {dropped:?}"
        );
        let ran: Vec<_> = (0..3).filter(|i| !dropped[*i]).collect();
        assert_eq!(alone.entered(), ran);
        end(&pool, Shutdown::Drain);
    });
}

#[test]
fn submission_that_waits_for_space_lets_its_key_s_failed_task_leave() {
    check("submission_that_waits_for_space_lets_its_key_s_failed_task_leave", || {
        execution::forbid_timeouts();
        let pool = pool(builder(1, 1));
        let failing = pool.task().key(1).fallible().submit(|_| Err::<(), _>("spilt")).expect("open");
        let other = pool.submit(|| ()).expect("open");
        // It finds the failed task over and still in its line, and has to wake blocked submitters: itself.
        let next = pool.task().key(1).submit(|_| ()).expect("open");
        assert!(failing.wait().expect("no panic").is_err());
        other.wait().expect("no panic");
        next.wait().expect("its turn comes");
        end(&pool, Shutdown::Drain);
    });
}

#[test]
fn held_key_goes_on_when_released_or_comes_back_when_the_pool_ends() {
    for release in [true, false] {
        check("held_key_goes_on_when_released_or_comes_back_when_the_pool_ends", move || {
            execution::forbid_timeouts();
            let (pool, alone) = (pool(builder(2, 8).on_key_failure(KeyFailure::Hold)), Alone::default());
            let bad = pool.task().key(1).fallible().submit(|_| Err::<(), ()>(())).expect("open");
            let rest: Vec<_> = (0..2)
                .map(|i| {
                    let alone = alone.clone();
                    pool.task().key(1).submit(move |_| alone.enter(i)).expect("open")
                })
                .collect();
            if release {
                let releaser = {
                    let pool = Arc::clone(&pool);
                    spawn(move || {
                        while !pool.release_key(1) {
                            yield_now();
                        }
                    })
                };
                for handle in rest {
                    handle.wait().expect("its turn comes");
                }
                releaser.join().expect("no panic");
                assert_eq!(alone.entered(), [0, 1]);
                assert_eq!(end(&pool, Shutdown::Drain), 0);
            } else {
                assert_eq!(end(&pool, Shutdown::Drain), 2, "held before or after the pool was closed");
                assert!(rest.into_iter().all(|handle| handle.wait().unwrap_err().is_returned()));
            }
            assert_eq!(bad.wait().expect("it ran"), Err(()));
        });
    }
}

#[test]
fn who_has_seen_a_failure_finds_the_key_held() {
    for ask in 0..3 {
        check("who_has_seen_a_failure_finds_the_key_held", move || {
            execution::forbid_timeouts();
            let (pool, alone) = (pool(builder(2, 8).on_key_failure(KeyFailure::Hold)), Alone::default());
            let bad = pool.task().key(1).fallible().submit(|_| Err::<(), ()>(())).expect("open");
            let behind = {
                let alone = alone.clone();
                pool.task().key(1).submit(move |_| alone.enter(1)).expect("open")
            };
            assert_eq!(bad.wait().expect("it ran"), Err(()));
            match ask {
                0 => assert_eq!(pool.held_keys().len(), 1),
                1 => assert_eq!(pool.take_key(1).len(), 1),
                _ => {}
            }
            assert_eq!(pool.release_key(1), ask != 1, "what was taken is idle");
            assert_eq!(behind.wait().is_ok(), ask != 1);
            assert_eq!(alone.entered().len(), usize::from(ask != 1));
            assert_eq!(end(&pool, Shutdown::Drain), 0);
        });
    }
}

#[test]
fn abort_and_purge_take_what_waits_for_its_key_and_lose_none() {
    for abort in [true, false] {
        check("abort_and_purge_take_what_waits_for_its_key_and_lose_none", move || {
            execution::forbid_timeouts();
            let (pool, alone) = (pool(builder(2, 8)), Alone::default());
            let submitter = {
                let (pool, alone) = (Arc::clone(&pool), alone.clone());
                spawn(move || {
                    // Task 1 has no key and may overlap with those that have.
                    (0..4)
                        .filter_map(|i| {
                            let alone = alone.clone();
                            let (task, run) = (pool.task(), move || {
                                if i != 1 {
                                    alone.enter(i);
                                }
                            });
                            let submitted = if i == 1 {
                                task.priority(1).submit(move |_| run()).ok()
                            } else {
                                task.key(1).submit(move |_| run()).ok()
                            };
                            submitted.map(|handle| (i, handle))
                        })
                        .filter(|(i, _)| *i != 1)
                        .collect::<Vec<_>>()
                })
            };
            let early = if abort { end(&pool, Shutdown::Abort) } else { pool.purge().len() };
            let handles = submitter.join().expect("no panic");
            let mut ran = Vec::new();
            let mut returned = 0;
            for (i, handle) in handles {
                match handle.wait() {
                    Ok(()) => ran.push(i),
                    Err(error) => {
                        assert!(error.is_returned());
                        returned += 1;
                    }
                }
            }
            let late = end(&pool, Shutdown::Drain);
            assert!((returned..=returned + 1).contains(&(early + late)), "one more, without a handle here");
            assert_eq!(alone.entered(), ran, "in submission order");
        });
    }
}

#[test]
fn cap_that_frees_wakes_who_can_go_on() {
    check("cap_that_frees_wakes_who_can_go_on", || {
        execution::forbid_timeouts();
        let pool = pool(builder(2, 8).priority_cap(1, 1));
        let (alone, others) = (Alone::default(), Arc::new(AtomicUsize::new(0)));
        let capped: Vec<_> = (0..3)
            .map(|i| {
                let alone = alone.clone();
                pool.task().priority(1).submit(move |_| alone.enter(i)).expect("open")
            })
            .collect();
        let noted = Arc::clone(&others);
        let other = pool.submit(move || noted.fetch_add(1, SeqCst)).expect("open");
        for handle in capped {
            handle.wait().expect("its turn comes");
        }
        other.wait().expect("no cap");
        assert_eq!((alone.entered(), others.load(SeqCst)), (vec![0, 1, 2], 1));
        end(&pool, Shutdown::Drain);
    });
}

#[test]
fn batches_that_are_stolen_given_back_and_put_in_order_lose_nothing() {
    check("batches_that_are_stolen_given_back_and_put_in_order_lose_nothing", || {
        execution::forbid_timeouts();
        let (pool, ran) = (pool(builder(2, 16)), Arc::new(AtomicUsize::new(0)));
        let mut handles = Vec::new();
        for i in 0..6_u32 {
            let ran = Arc::clone(&ran);
            let run = move || ran.fetch_add(1 << (4 * i), SeqCst);
            handles.push(if i == 4 {
                pool.task().priority(1).submit(move |_| run()).expect("open")
            } else {
                pool.submit(run).expect("open")
            });
        }
        let resizer = {
            let pool = Arc::clone(&pool);
            spawn(move || pool.resize(1))
        };
        for handle in handles {
            handle.wait().expect("it runs");
        }
        resizer.join().expect("no panic").expect("open");
        assert_eq!(ran.load(SeqCst), 0x11_1111, "each once");
        end(&pool, Shutdown::Drain);
    });
}

#[test]
fn resize_that_races_submissions_runs_them_all_and_joins_who_leaves() {
    check("resize_that_races_submissions_runs_them_all_and_joins_who_leaves", || {
        execution::forbid_timeouts();
        let stopped = Arc::new(AtomicUsize::new(0));
        let stops = Arc::clone(&stopped);
        let pool = pool(builder(1, 1).on_worker_stop(move |_| {
            yield_now();
            stops.fetch_add(1, SeqCst);
        }));
        let submitter = {
            let pool = Arc::clone(&pool);
            spawn(move || {
                let handles: Vec<_> = (0..3).map(|i| pool.submit(move || i).expect("open")).collect();
                handles.into_iter().map(|handle| handle.wait().expect("it runs")).sum::<i32>()
            })
        };
        pool.resize(3).expect("open");
        assert_eq!(pool.workers(), 3);
        pool.resize(1).expect("open");
        assert_eq!((pool.workers(), stopped.load(SeqCst)), (1, 2), "their threads are gone");
        assert_eq!(submitter.join().expect("no panic"), 3);
        end(&pool, Shutdown::Drain);
        assert_eq!(stopped.load(SeqCst), 3);
    });
}

#[test]
fn resizes_that_race_each_other_and_a_shutdown_end() {
    check("resizes_that_race_each_other_and_a_shutdown_end", || {
        execution::forbid_timeouts();
        let stopped = Arc::new(AtomicUsize::new(0));
        let (started, stops) = (Arc::new(AtomicUsize::new(0)), Arc::clone(&stopped));
        let starts = Arc::clone(&started);
        let settings = builder(2, 2).on_worker_start(move |_| _ = starts.fetch_add(1, SeqCst));
        let pool = pool(settings.on_worker_stop(move |_| _ = stops.fetch_add(1, SeqCst)));
        let task = pool.submit(|| 7).expect("open");
        let resizers: Vec<_> = [1, 3]
            .map(|workers| {
                let pool = Arc::clone(&pool);
                spawn(move || match pool.resize(workers) {
                    Ok(()) | Err(ResizeError::Closed) => {}
                    Err(other) => panic!("{other}"),
                })
            })
            .into();
        closes(&pool.shutdown(Shutdown::Drain));
        assert_eq!(task.wait().expect("it runs"), 7);
        for thread in resizers {
            thread.join().expect("no panic");
        }
        assert_eq!(started.load(SeqCst), stopped.load(SeqCst));
    });
}

/// The task changes the size while another thread waits for it to leave.
#[test]
fn resize_inside_a_task_and_outside_do_not_wait_for_each_other() {
    check("resize_inside_a_task_and_outside_do_not_wait_for_each_other", || {
        execution::forbid_timeouts();
        let pool = pool(builder(2, 2));
        let own = Arc::clone(&pool);
        let task = pool.submit(move || own.resize(2).expect("open")).expect("open");
        let other = pool.submit(|| ()).expect("open");
        pool.resize(1).expect("open");
        task.wait().expect("it does not wait for itself");
        other.wait().expect("it runs");
        end(&pool, Shutdown::Drain);
    });
}

#[test]
fn watched_pool_whose_hook_resizes_it_ends_with_all_its_threads() {
    check("watched_pool_whose_hook_resizes_it_ends_with_all_its_threads", || {
        let slot: Arc<Mutex<Option<Arc<ThreadPool>>>> = Arc::default();
        let (filled, there) = (Arc::clone(&slot), Arc::new(AtomicUsize::new(0)));
        let (starts, stops) = (Arc::clone(&there), Arc::clone(&there));
        let (told, tells) = channel::bounded::<()>(1);
        let moment = Duration::from_millis(1);
        let size = AdaptiveSize::between(1, 2).tick(moment).grow_after(moment).judge_within(moment);
        let settings = builder(1, 4).adaptive(size).slow_task(moment, move |_| {
            let pool = slot.lock().expect("no panic while it is held").take();
            if let Some(pool) = pool {
                told.send(()).expect("the task waits");
                let _ = pool.resize(2);
            }
        });
        let settings = settings.on_worker_start(move |_| _ = starts.fetch_add(1, SeqCst));
        let pool = pool(settings.on_worker_stop(move |_| _ = stops.fetch_sub(1, SeqCst)));
        *filled.lock().expect("no panic while it is held") = Some(Arc::clone(&pool));
        let first = pool.submit(move || tells.recv().expect("it is told of")).expect("open");
        let ran: Vec<_> = (0..2).map(|i| pool.submit(move || i).expect("open")).collect();
        let other = {
            let pool = Arc::clone(&pool);
            spawn(move || drop(pool.shutdown(Shutdown::Drain)))
        };
        end(&pool, Shutdown::Drain);
        assert_eq!(there.load(SeqCst), 0, "whoever came has gone when a shutdown returns");
        other.join().expect("no panic");
        first.wait().expect("no panic");
        assert!(ran.into_iter().all(|handle| handle.wait().is_ok()));
        drop(filled.lock().expect("no panic while it is held").take());
    });
}

#[test]
fn task_that_is_submitted_after_a_pause_starts_after_the_resume() {
    check("task_that_is_submitted_after_a_pause_starts_after_the_resume", || {
        execution::forbid_timeouts();
        let pool = pool(builder(2, 4));
        let before = pool.submit(|| ()).expect("open");
        pool.pause();
        let resumed = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&resumed);
        let late = pool.submit(move || seen.load(SeqCst)).expect("open");
        (0..5).for_each(|_| yield_now());
        resumed.store(true, SeqCst);
        pool.resume();
        assert!(late.wait().expect("it runs"), "it started while the pool was paused");
        before.wait().expect("it runs");
        end(&pool, Shutdown::Drain);
    });
}

#[test]
fn pauses_that_race_submissions_and_the_end_hold_nobody_up() {
    check("pauses_that_race_submissions_and_the_end_hold_nobody_up", || {
        execution::forbid_timeouts();
        let pool = pool(builder(2, 1));
        let pauser = {
            let submitter = pool.submitter().clone();
            spawn(move || {
                submitter.pause();
                submitter.resume();
                submitter.pause();
            })
        };
        let submitter = {
            let pool = Arc::clone(&pool);
            spawn(move || (0..2).filter_map(|i| pool.try_submit(move || i).ok()).collect::<Vec<_>>())
        };
        let report = pool.shutdown(Shutdown::Drain);
        closes(&report);
        let handles = submitter.join().expect("no panic");
        assert_eq!(report.succeeded(), handles.len() as u64);
        for handle in handles {
            _ = handle.wait().expect("it ran");
        }
        pauser.join().expect("no panic");
    });
}

#[test]
fn workers_of_a_paused_pool_leave_when_it_is_closed_and_empty() {
    check("workers_of_a_paused_pool_leave_when_it_is_closed_and_empty", || {
        execution::forbid_timeouts();
        let (stopped, stops) = gristmill::sync::channel::bounded(2);
        let pool = pool(builder(2, 4).on_worker_stop(move |worker| stopped.send(worker).expect("awaited")));
        pool.pause();
        let unstarted = pool.submit(|| ()).expect("open");
        pool.close();
        assert_eq!(pool.purge().len(), 1);
        assert!(unstarted.wait().unwrap_err().is_returned());
        for _ in 0..2 {
            stops.recv().expect("it leaves");
        }
        end(&pool, Shutdown::Drain);
    });
}

#[test]
fn purge_that_races_the_workers_takes_what_has_not_started() {
    check("purge_that_races_the_workers_takes_what_has_not_started", || {
        execution::forbid_timeouts();
        let (pool, ran) = (pool(builder(2, 8)), Arc::new(AtomicUsize::new(0)));
        let handles: Vec<_> = (0..5)
            .map(|_| {
                let ran = Arc::clone(&ran);
                pool.submit(move || ran.fetch_add(1, SeqCst)).expect("open")
            })
            .collect();
        let second = {
            let submitter = pool.submitter().clone();
            spawn(move || submitter.purge().len())
        };
        let first = pool.purge().len();
        let returned = first + second.join().expect("no panic");
        let ends: Vec<_> = handles.into_iter().map(|handle| handle.wait().is_err()).collect();
        assert_eq!(ends.iter().filter(|is_returned| **is_returned).count(), returned);
        assert_eq!(ran.load(SeqCst), 5 - returned, "each is run or given back, once");
        let report = pool.shutdown(Shutdown::Drain);
        closes(&report);
        assert_eq!(report.returned(), returned as u64);
    });
}

/// A worker asks for a rated task's permit with the queue let go of; the lanes look empty then, and what is queued meanwhile is in a list.
#[test]
fn task_that_is_queued_while_a_rated_one_is_refused_is_not_stranded() {
    check("task_that_is_queued_while_a_rated_one_is_refused_is_not_stranded", || {
        execution::forbid_timeouts();
        let clock = ManualClock::new(); // it stands still
        let limiter = RateLimiter::builder(1, Duration::from_secs(1)).clock(clock.clone()).build();
        let limiter = limiter.expect("it is a rate");
        limiter.try_acquire().expect("the first");
        let pool = pool(builder(1, 8));
        let rated = pool.task().rate(&limiter).submit(|_| 1).expect("room");
        for plain in 0..2 {
            assert_eq!(pool.submit(move || plain).expect("room").wait().expect("no panic"), plain);
        }
        clock.advance(Duration::from_secs(1));
        assert_eq!(rated.wait().expect("it has its permit"), 1);
        end(&pool, Shutdown::Drain);
    });
}
