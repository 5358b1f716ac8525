//! No thread of a run outlives it, however it ends. Alone in its process, so that it can count.
#![cfg(all(target_os = "linux", not(any(gristmill_shuttle, gristmill_loom))))]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use gristmill::sync::time;
use gristmill::{CancellationToken, Pipeline};

fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").expect("this is Linux").count()
}

/// The system may show a joined thread for a moment longer.
fn threads_settle_at(wanted: usize) -> bool {
    let limit = time::now() + Duration::from_secs(5);
    while threads() != wanted && time::now() < limit {
        std::thread::yield_now();
    }
    threads() == wanted
}

fn threads_of_a_blocking_stage_end_too(before: usize, workers: usize) {
    const OWN: usize = 3;
    for ending in ["success", "error", "panic", "cancellation", "drop"] {
        let token = CancellationToken::new();
        let during = AtomicUsize::new(0);
        let pipeline = || Pipeline::from_iter(0..100_u64).workers(workers);
        let call = |number| {
            during.fetch_max(threads(), Ordering::Relaxed);
            match ending {
                "error" if number == 50 => return Err("error"),
                "panic" => assert_ne!(number, 50),
                "cancellation" if number == 50 => _ = token.cancel(),
                _ => {}
            }
            Ok(number)
        };
        if ending == "drop" {
            let mut numbers =
                pipeline().blocking("wait", OWN, |number| number).into_iter_with(&token).expect("it can run");
            assert!(matches!(numbers.next(), Some(Ok(0))));
            assert_eq!(threads(), before + workers - 1 + OWN);
        } else {
            let outcome = pipeline().try_blocking("wait", OWN, call).for_each("sink", drop).run(&token);
            assert_eq!(outcome.is_err(), ending != "success");
            assert!(during.into_inner() < before + workers + OWN, "more threads than were asked for");
        }
        assert!(threads_settle_at(before), "{ending} with {workers} workers");
    }
}

#[test]
fn no_thread_is_left_after_success_error_panic_cancellation_drop_or_leak() {
    let before = threads();
    for workers in [2, 4, 16] {
        for ending in 0..8 {
            let token = CancellationToken::new();
            let during = std::sync::atomic::AtomicUsize::new(0);
            let end = |number: u64| {
                during.fetch_max(threads(), std::sync::atomic::Ordering::Relaxed);
                match ending {
                    1 if number == 50 => return Err("error"),
                    2 => assert_ne!(number, 50),
                    3 if number == 50 => _ = token.cancel(),
                    _ => {}
                }
                Ok(number)
            };
            let pipeline = Pipeline::from_iter(0..100).workers(workers).try_map("end", end);
            match ending {
                0..4 => assert_eq!(pipeline.for_each("sink", drop).run(&token).is_err(), ending > 0),
                4 => _ = pipeline.with_iter(&token, |mut numbers| numbers.next()),
                5 => _ = pipeline.with_iter(&token, |numbers| std::mem::forget(numbers)),
                6 => {
                    let body = || pipeline.with_iter(&token, |_| panic!("body"));
                    assert!(catch_unwind(AssertUnwindSafe(body)).is_err());
                }
                _ => {
                    let mut numbers = Pipeline::from_iter(0..100)
                        .workers(workers)
                        .map("pass", |number| number)
                        .into_iter_with(&token)
                        .unwrap();
                    assert_eq!(numbers.next().unwrap().unwrap(), 0);
                    assert_eq!(threads(), before + workers - 1);
                    drop(numbers);
                }
            }
            assert!(threads_settle_at(before), "ending {ending} with {workers} workers");
        }
        threads_of_a_blocking_stage_end_too(before, workers);
    }
}
