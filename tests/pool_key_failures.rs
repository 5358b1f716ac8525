//! What becomes of the rest of a key after one of its tasks has failed.
#![cfg(not(any(gristmill_shuttle, gristmill_loom)))]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use gristmill::pool::KeyFailed;
use gristmill::{KeyFailure, Refusal, Shutdown, TaskError, TaskHandle, ThreadPool};

#[path = "support/gate.rs"]
mod gate;
use gate::{Gate, Log, ended};

/// How a task fails.
#[derive(Clone, Copy, Debug)]
enum Way {
    Panic,
    Err,
}

fn pool(on_failure: KeyFailure) -> ThreadPool {
    let builder = ThreadPool::builder().workers(2).queue_bound(64).key_bound(8);
    builder.on_key_failure(on_failure).build().expect("good settings")
}

/// A task of this key that fails when the gate is opened.
fn failing(pool: &ThreadPool, key: u32, way: Way) -> (Gate, TaskHandle<Result<(), &'static str>>) {
    let (gate, pass) = Gate::new();
    let task = pool.task().key(key).fallible().submit(move |_| {
        pass();
        match way {
            Way::Panic => panic!("crack"),
            Way::Err => Err("crack"),
        }
    });
    gate.wait();
    (gate, task.expect("open"))
}

fn failed(handle: TaskHandle<Result<(), &'static str>>) -> bool {
    match ended(handle) {
        Ok(result) => result == Err("crack"),
        Err(error) => error.is_panicked(),
    }
}

fn was_dropped_for_its_key<T>(handle: TaskHandle<T>) -> bool {
    let Err(TaskError::Cancelled { cause, .. }) = ended(handle) else { return false };
    cause.cause().is_some_and(<dyn std::error::Error + Send + Sync>::is::<KeyFailed>)
}

#[test]
fn continue_runs_the_rest_as_if_nothing_had_happened() {
    for way in [Way::Panic, Way::Err] {
        let pool = pool(KeyFailure::Continue);
        let (gate, bad) = failing(&pool, 1, way);
        let log = Log::new();
        let rest: Vec<_> = (0..3)
            .map(|i| {
                let log = log.clone();
                pool.task().key(1_u32).submit(move |_| log.add(i)).expect("open")
            })
            .collect();
        gate.open();
        assert!(failed(bad), "{way:?}");
        for handle in rest {
            ended(handle).expect("it runs");
        }
        assert_eq!(log.all(), [0, 1, 2], "{way:?}");
    }
}

#[test]
fn drop_rest_ends_what_waits_with_the_cause_and_runs_what_comes_later() {
    for way in [Way::Panic, Way::Err] {
        let pool = pool(KeyFailure::DropRest);
        let (gate, bad) = failing(&pool, 1, way);
        let (captured, other_gate) = (Arc::new(()), failing(&pool, 2, way));
        let rest: Vec<_> = (0..3)
            .map(|_| {
                let captured = Arc::clone(&captured);
                pool.task().key(1_u32).submit(move |_| drop(captured)).expect("open")
            })
            .collect();
        let of_other_key = pool.task().key(3_u32).submit(|_| 7).expect("open");
        gate.open();
        assert!(failed(bad), "{way:?}");
        assert!(rest.into_iter().all(was_dropped_for_its_key), "{way:?}");
        // The other worker is held: the one that drops them comes to this afterwards.
        assert_eq!(ended(of_other_key).expect("another key"), 7, "{way:?}");
        assert_eq!(Arc::strong_count(&captured), 1, "{way:?}: their closures are dropped");
        assert_eq!(
            ended(pool.task().key(1_u32).submit(|_| 8).expect("open")).expect("it came later"),
            8,
            "{way:?}"
        );
        let (gate, bad) = other_gate;
        gate.open();
        assert!(failed(bad), "{way:?}");
        let report = pool.shutdown(Shutdown::Drain);
        assert_eq!((report.submitted(), report.cancelled(), report.succeeded()), (7, 3, 2), "{way:?}");
        assert_eq!(report.failed() + report.panicked(), 2, "{way:?}");
    }
}

#[test]
fn error_that_is_not_said_to_be_a_failure_is_none() {
    let pool = pool(KeyFailure::DropRest);
    let (gate, pass) = Gate::new();
    let result = pool.task().key(1_u32).submit(move |_| {
        pass();
        Err::<(), _>("of no interest")
    });
    let rest = pool.task().key(1_u32).submit(|_| 7).expect("open");
    gate.open();
    assert_eq!(ended(result.expect("open")).expect("it ran"), Err("of no interest"));
    assert_eq!(ended(rest).expect("it runs"), 7);
    assert_eq!(pool.shutdown(Shutdown::Drain).succeeded(), 2);
}

#[test]
fn task_that_is_cancelled_or_handed_back_is_no_failure_of_its_key() {
    let pool = pool(KeyFailure::DropRest);
    pool.pause();
    let first = pool.task().key(1_u32).submit(|_| 1).expect("open");
    let second = pool.task().key(1_u32).submit(|_| 2).expect("open");
    assert_eq!(first.cancel(), gristmill::CancelOutcome::Prevented);
    pool.resume();
    assert_eq!(ended(second).expect("it runs"), 2);
}

#[test]
fn fallible_error_counts_as_failed_and_the_report_closes() {
    let pool = pool(KeyFailure::Continue);
    let tasks: Vec<_> = (0..9)
        .map(|i| {
            pool.task().fallible().submit(move |_| if i % 3 == 0 { Err(i) } else { Ok(i) }).expect("open")
        })
        .collect();
    for (i, task) in tasks.into_iter().enumerate() {
        assert_eq!(ended(task).expect("it ran").is_err(), i % 3 == 0);
    }
    drop(pool.submit(|| Err::<(), _>(1)).expect("a plain task succeeds, whatever it returns"));
    let report = pool.shutdown(Shutdown::Drain);
    assert_eq!((report.submitted(), report.succeeded(), report.failed(), report.pending()), (10, 7, 3, 0));
    assert!(report.to_string().contains("3 failed"), "{report}");
}

#[test]
fn held_key_runs_nothing_until_it_is_released_and_then_in_order() {
    for way in [Way::Panic, Way::Err] {
        let pool = pool(KeyFailure::Hold);
        let (gate, bad) = failing(&pool, 1, way);
        let log = Log::new();
        let submit = |i| {
            let log = log.clone();
            pool.task().key(1_u32).submit(move |_| log.add(i)).expect("open")
        };
        let mut rest: Vec<_> = (0..2).map(submit).collect();
        gate.open();
        assert!(failed(bad), "{way:?}");
        let held = pool.held_keys();
        assert_eq!(held.len(), 1);
        assert_eq!(held[0].downcast_ref::<u32>(), Some(&1));
        rest.extend((2..4).map(submit)); // also what comes later waits
        assert_eq!(ended(pool.task().key(2_u32).submit(|_| 7).expect("open")).expect("another key runs"), 7);
        assert_eq!((pool.queued(), log.all()), (4, vec![]), "{way:?}");
        assert!(!pool.release_key(2_u32) && !pool.release_key(1_u64), "they are not held");
        assert!(pool.release_key(1_u32));
        assert!(pool.held_keys().is_empty() && !pool.release_key(1_u32));
        for handle in rest {
            ended(handle).expect("its turn");
        }
        assert_eq!((pool.queued(), log.all()), (0, vec![0, 1, 2, 3]), "{way:?}: none holds a place any more");
    }
}

#[test]
fn key_that_is_held_with_nothing_behind_it_is_idle_when_released_or_taken() {
    for take in [false, true] {
        let pool = pool(KeyFailure::Hold);
        let (gate, bad) = failing(&pool, 1, Way::Err);
        gate.open();
        assert!(failed(bad));
        if take {
            assert!(pool.take_key(1_u32).is_empty());
        } else {
            assert!(pool.release_key(1_u32));
        }
        assert!(pool.held_keys().is_empty());
        assert_eq!(ended(pool.task().key(1_u32).submit(|_| 7).expect("open")).expect("it runs"), 7);
    }
}

#[test]
fn take_key_gives_back_what_waits_and_the_key_is_idle() {
    let pool = pool(KeyFailure::Hold);
    let (gate, bad) = failing(&pool, 1, Way::Panic);
    let ran = Arc::new(AtomicUsize::new(0));
    let rest: Vec<_> = (0..4)
        .map(|i| {
            let ran = Arc::clone(&ran);
            let task = pool.task().key(1_u32).name(format!("{i}"));
            task.submit(move |_| ran.fetch_add(1, Ordering::SeqCst)).expect("open")
        })
        .collect();
    assert!(pool.take_key(1_u32).is_empty(), "it is busy, not held");
    assert_eq!(rest[1].cancel(), gristmill::CancelOutcome::Prevented);
    gate.open();
    assert!(failed(bad));
    let returned = pool.take_key(1_u32);
    assert_eq!(returned.iter().map(|task| task.name().to_string()).collect::<Vec<_>>(), ["0", "2", "3"]);
    let ends: Vec<_> = rest.into_iter().map(|handle| ended(handle).unwrap_err().is_returned()).collect();
    assert_eq!(ends, [true, false, true, true]);
    assert_eq!((pool.queued(), ran.load(Ordering::SeqCst)), (0, 0));
    for task in returned {
        task.run().expect("it does not panic");
    }
    assert_eq!(ran.load(Ordering::SeqCst), 3);
    assert_eq!(ended(pool.task().key(1_u32).submit(|_| 7).expect("open")).expect("idle"), 7);
    let report = pool.shutdown(Shutdown::Drain);
    assert_eq!((report.submitted(), report.returned(), report.cancelled()), (6, 3, 1));
}

#[test]
fn held_key_that_is_full_refuses_and_lets_a_blocked_submission_in_when_released() {
    let pool = pool(KeyFailure::Hold);
    let (gate, bad) = failing(&pool, 1, Way::Err);
    let rest: Vec<_> =
        (0..8).map(|_| pool.task().key(1_u32).submit(|_| ()).expect("there is room")).collect();
    gate.open();
    assert!(failed(bad));
    assert!(matches!(pool.task().key(1_u32).try_submit(|_| ()).unwrap_err().refusal(), Refusal::KeyFull));
    thread::scope(|scope| {
        let blocked =
            scope.spawn(|| ended(pool.task().key(1_u32).submit(|_| 7).expect("open")).expect("its turn"));
        assert!(pool.release_key(1_u32));
        assert_eq!(blocked.join().expect("it does not panic"), 7);
    });
    for handle in rest {
        ended(handle).expect("its turn");
    }
}

/// In a closed pool nobody would let it go on: what waits is handed back, whether the key was held before or fails then.
#[test]
fn end_of_the_pool_hands_back_what_waits_for_a_held_key() {
    for before in [true, false] {
        for drop_it in [true, false] {
            let pool = pool(KeyFailure::Hold);
            let (gate, bad) = failing(&pool, 1, Way::Panic);
            let ran = Arc::new(AtomicBool::new(false));
            let rest: Vec<_> = (0..3)
                .map(|_| {
                    let ran = Arc::clone(&ran);
                    pool.task().key(1_u32).submit(move |_| ran.store(true, Ordering::SeqCst)).expect("open")
                })
                .collect();
            if before {
                gate.open();
                assert!(failed(bad));
                pool.close();
            } else {
                pool.close();
                gate.open();
                assert!(failed(bad));
            }
            assert!(rest.into_iter().all(|handle| ended(handle).unwrap_err().is_returned()));
            if drop_it {
                drop(pool);
            } else {
                let report = pool.shutdown(Shutdown::Drain);
                assert!(report.is_complete());
                assert_eq!((report.submitted(), report.panicked(), report.returned()), (4, 1, 3));
                assert_eq!(report.tasks().len(), 3);
            }
            assert!(!ran.load(Ordering::SeqCst), "{before} {drop_it}");
        }
    }
}

/// The task that waits in another one is let go on by the release, on the same worker if it is the only one.
#[test]
fn task_that_waits_for_a_held_key_goes_on_when_it_is_released() {
    let builder = ThreadPool::builder().workers(1).on_key_failure(KeyFailure::Hold);
    let pool = builder.build().expect("good settings");
    let (gate, bad) = failing(&pool, 1, Way::Err);
    let behind = pool.task().key(1_u32).submit(|_| 7).expect("open");
    let (second, pass) = Gate::new();
    let outer = pool.submit(move || {
        pass();
        behind.wait().expect("its turn")
    });
    gate.open();
    assert!(failed(bad));
    second.wait();
    second.open();
    assert!(pool.release_key(1_u32));
    assert_eq!(ended(outer.expect("open")).expect("it does not hang"), 7);
}
