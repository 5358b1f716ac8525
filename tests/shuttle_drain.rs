//! Closing a pipeline at any moment: it ends, it finishes what it has read, and what a drain that is cut short gives up is given back or begun.
//!
//! Time-outs are switched off, so a close that nobody notices is a deadlock.
#![cfg(gristmill_shuttle)]

use std::sync::Arc;

use gristmill::pipeline::UndoneInputs;
use gristmill::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use gristmill::sync::{channel, model as execution, thread};
use gristmill::{CancellationToken, Pipeline, PipelineControl};

#[path = "support/model.rs"]
mod model;

/// `rows`: how many rows a test has, which share its executions.
fn check(name: &str, rows: usize, body: impl Fn() + Send + Sync + 'static) {
    model::check_share(name, rows, move || {
        execution::forbid_timeouts();
        body();
    });
}

/// One thread sends and keeps the channel open, another closes the pipeline.
fn close_any_time(window: usize, keyed: bool, local: bool) {
    let (sender, receiver) = channel::bounded(2);
    let control = PipelineControl::new();
    let closer = thread::Builder::new().spawn({
        let control = control.clone();
        move || control.close()
    });
    let producer = thread::Builder::new().spawn(move || {
        for number in 0..4_usize {
            if sender.try_send(number).is_err() {
                break;
            }
        }
        sender
    });
    let mut seen = Vec::new();
    let pipeline = Pipeline::from_receiver(receiver).controlled_by(&control).workers(2).window(window);
    let token = CancellationToken::new();
    let report = if keyed {
        let pipeline = pipeline.keyed("key", |number| number % 2, |number| number).batch(3);
        pipeline.for_each("note", |batch| seen.extend(batch)).run(&token)
    } else {
        let pipeline = pipeline.map("same", |number| number).batch(3);
        if local {
            pipeline.for_each_local("note", |batch| seen.extend(batch)).run(&token)
        } else {
            pipeline.for_each("note", |batch| seen.extend(batch)).run(&token)
        }
    };
    let report = report.expect("closing is no failure");
    assert!(seen.iter().copied().eq(0..seen.len()));
    assert_eq!((report.read(), report.finished()), (seen.len() as u64, seen.len() as u64));
    closer.expect("no fault is asked for").join().expect("no panic");
    drop(producer.expect("no fault is asked for").join().expect("no panic"));
}

#[test]
fn closed_pipeline_ends() {
    for (window, local) in [(1, false), (3, false), (1, true), (3, true)] {
        check("closed_pipeline_ends", 4, move || close_any_time(window, false, local));
    }
}

#[test]
fn closed_pipeline_with_keys_ends() {
    for window in [1, 3] {
        check("closed_pipeline_with_keys_ends", 2, move || close_any_time(window, true, false));
    }
}

#[test]
fn cancelled_drain_gives_back_what_was_not_begun() {
    for (window, ordered) in [(1, true), (3, true), (3, false)] {
        check("cancelled_drain_gives_back_what_was_not_begun", 3, move || {
            let (control, token, undone) =
                (PipelineControl::new(), CancellationToken::new(), UndoneInputs::new());
            let begun = Arc::new(AtomicUsize::new(0));
            let stopper = thread::Builder::new().spawn({
                let (control, token) = (control.clone(), token.clone());
                move || {
                    control.close();
                    thread::yield_now();
                    token.cancel();
                }
            });
            let mut source = 0..5_usize;
            let pipeline = Pipeline::from_iter(&mut source).return_undone(&undone).controlled_by(&control);
            let pipeline = pipeline.workers(2).window(window);
            let pipeline = if ordered { pipeline } else { pipeline.unordered() };
            let outcome = pipeline
                .inspect("begin", {
                    let begun = Arc::clone(&begun);
                    move |number| {
                        begun.fetch_add(1 << (8 * number), SeqCst);
                    }
                })
                .serial("pass", |number| number)
                .for_each("drop", drop)
                .run(&token);
            let mut counts = begun.load(SeqCst);
            for (index, number) in undone.take() {
                assert_eq!(index, number as u64);
                counts += 1 << (8 * number);
            }
            for number in source {
                counts += 1 << (8 * number);
            }
            assert_eq!(counts, 0x01_0101_0101, "each is begun, given back, or not read");
            if let Ok(report) = outcome {
                assert_eq!(report.unfinished(), 0);
            }
            stopper.expect("no fault is asked for").join().expect("no panic");
        });
    }
}

/// A cancellation may come too late; but a run that it cuts short is not a success.
#[test]
fn cancelled_run_succeeds_only_if_every_item_is_through() {
    for (workers, controlled) in [(1, false), (2, false), (2, true)] {
        check("cancelled_run_succeeds_only_if_every_item_is_through", 3, move || {
            let token = CancellationToken::new();
            let canceller = thread::Builder::new().spawn({
                let token = token.clone();
                move || token.cancel()
            });
            let control = PipelineControl::new();
            let pipeline = Pipeline::from_iter(0..4_usize).workers(workers).window(2);
            let pipeline = if controlled { pipeline.controlled_by(&control) } else { pipeline };
            let mut seen = Vec::new();
            let outcome = pipeline
                .try_map("react", |number| if token.is_cancelled() { Err("cancelled") } else { Ok(number) })
                .for_each("note", |number| seen.push(number))
                .run(&token);
            match outcome {
                Ok(report) => {
                    assert_eq!(seen, [0, 1, 2, 3]);
                    assert_eq!(report.read(), 4);
                }
                Err(error) => assert!(error.is_cancelled(), "{error}"),
            }
            canceller.expect("no fault is asked for").join().expect("no panic");
        });
    }
}
