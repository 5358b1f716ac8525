//! The error policies of pipelines in every order of events that the scheduler finds: what is dropped, told, sent, and what ends the run.
//!
//! Time-outs are switched off, so a lost wake-up is a deadlock, and a deadlock is a failure.
#![cfg(gristmill_shuttle)]

use std::sync::Arc;

use gristmill::pipeline::{ErrorLog, FailedItem};
use gristmill::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use gristmill::sync::channel::bounded;
use gristmill::sync::{model as execution, thread};
use gristmill::{CancellationToken, Pipeline, PipelineErrorKind};

#[path = "support/model.rs"]
mod model;

fn check(name: &str, body: impl Fn() + Send + Sync + 'static) {
    check_row(name, 1, body);
}

/// One of the `rows` of a test, which share its executions.
fn check_row(name: &str, rows: usize, body: impl Fn() + Send + Sync + 'static) {
    model::check_share(name, rows, move || {
        execution::forbid_timeouts();
        // Some bodies run on one thread alone, and the PCT scheduler refuses what has no concurrency.
        let other = spawn(|| ());
        body();
        other.join().expect("it does nothing");
    });
}

fn spawn<T: Send + 'static>(run: impl FnOnce() -> T + Send + 'static) -> thread::JoinHandle<T> {
    thread::Builder::new().spawn(run).expect("no fault is asked for")
}

/// Counts the live ones; a clone is one more.
#[derive(Debug)]
struct Counted(Arc<AtomicUsize>, usize);

impl Counted {
    fn new(alive: &Arc<AtomicUsize>, value: usize) -> Self {
        alive.fetch_add(1, SeqCst);
        Self(Arc::clone(alive), value)
    }
}

impl Clone for Counted {
    fn clone(&self) -> Self {
        Self::new(&self.0, self.1)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        assert!(self.0.fetch_sub(1, SeqCst) > 0, "dropped twice");
    }
}

fn odd_fail(item: usize) -> Result<usize, usize> {
    if item % 2 == 1 { Err(item) } else { Ok(item) }
}

#[test]
fn skipped_items_leave_the_window_and_the_others_come_in_order() {
    for window in [1, 3, 12] {
        check_row(&format!("skip, window {window}"), 3, move || {
            let (seen, report) = Pipeline::from_iter(0..7)
                .workers(3)
                .window(window)
                .try_map("odd", odd_fail)
                .skip_errors()
                .collect::<Vec<_>>()
                .run(&CancellationToken::new())
                .unwrap();
            assert_eq!(seen, [0, 2, 4, 6]);
            assert_eq!((report.read(), report.finished(), report.stages()[1].failed()), (7, 7, 3));
        });
    }
}

#[test]
fn run_ends_where_all_or_the_last_fail_in_front_of_whatever_follows() {
    for least in [0, 4] {
        for ordered in [false, true] {
            check_row(&format!("items from {least} on fail, ordered: {ordered}"), 4, move || {
                let pipeline = Pipeline::from_iter(0..6_usize).workers(2).window(4);
                let pipeline = if ordered { pipeline } else { pipeline.unordered() };
                let (mut seen, report) = pipeline
                    .try_map("late", |item| if item >= least { Err("late") } else { Ok(item) })
                    .skip_errors()
                    .batch(3)
                    .try_serial("first", |batch| if batch[0] == 0 { Err("first") } else { Ok(batch) })
                    .skip_errors()
                    .flat_map("open", |batch| batch)
                    .collect::<Vec<_>>()
                    .run(&CancellationToken::new())
                    .unwrap();
                seen.sort_unstable();
                let left: Vec<_> = (0..least).skip(3).collect();
                assert_eq!(seen, left);
                assert_eq!(
                    (report.read(), report.finished(), report.stages()[1].failed()),
                    (6, 6, 6 - least as u64)
                );
            });
        }
    }
}

#[test]
fn log_takes_so_many_and_one_more_ends_the_run_at_its_item() {
    check("collect", || {
        let log = ErrorLog::new(1);
        let mut seen = Vec::new();
        let error = Pipeline::from_iter(0..6_usize)
            .workers(2)
            .window(8)
            .try_map("odd", odd_fail)
            .collect_errors(&log)
            .for_each("see", |item| seen.push(item))
            .run(&CancellationToken::new())
            .unwrap_err();
        let index = usize::try_from(error.index().unwrap()).unwrap();
        let told = log.take();
        assert_eq!(told.len(), 1);
        assert!(told[0].error != index && told[0].index == told[0].error as u64);
        assert_eq!(seen, (0..index).step_by(2).collect::<Vec<_>>());
        assert_eq!(error.into_error(), Some(index));
    });
}

#[test]
fn every_failure_reaches_a_slow_receiver_with_its_item_and_the_channel_ends_with_the_run() {
    for room in [0, 1] {
        for serial in [false, true] {
            check_row(&format!("divert, room for {room}, serial: {serial}"), 4, move || {
                let alive = Arc::new(AtomicUsize::new(0));
                let source = Arc::clone(&alive);
                let (sender, receiver) = bounded::<FailedItem<Counted, usize>>(room);
                let receiving = spawn(move || {
                    let mut items: Vec<_> =
                        receiver.into_iter().map(|it| (it.index, it.item.1, it.error)).collect();
                    items.sort_unstable();
                    items
                });
                let pipeline = Pipeline::from_iter((0..6).map(move |item| Counted::new(&source, item)));
                let pipeline = pipeline.workers(2).window(4);
                let token = CancellationToken::new();
                let fail = |item: Counted| odd_fail(item.1);
                let (seen, report) = if serial {
                    pipeline
                        .try_serial("odd", fail)
                        .divert_errors(sender)
                        .collect::<Vec<_>>()
                        .run(&token)
                        .unwrap()
                } else {
                    pipeline
                        .try_map("odd", fail)
                        .divert_errors(sender)
                        .collect::<Vec<_>>()
                        .run(&token)
                        .unwrap()
                };
                assert_eq!(seen, [0, 2, 4]);
                assert_eq!((report.finished(), report.stages()[1].failed()), (6, 3));
                assert_eq!(receiving.join().unwrap(), [(1, 1, 1), (3, 3, 3), (5, 5, 5)]);
                assert_eq!(alive.load(SeqCst), 0);
            });
        }
    }
}

#[test]
fn cancel_at_any_moment_ends_a_run_that_diverts_and_drops_every_item_once() {
    for receives in [false, true] {
        check_row(&format!("divert and cancel, somebody receives: {receives}"), 2, move || {
            let alive = Arc::new(AtomicUsize::new(0));
            let source = Arc::clone(&alive);
            let (sender, receiver) = bounded::<FailedItem<Counted, usize>>(1);
            let receiver_left = receiver.clone();
            let receiving =
                receives.then(|| spawn(move || receiver.into_iter().map(|failed| failed.index).collect()));
            let token = CancellationToken::new();
            let canceller = spawn({
                let token = token.clone();
                move || token.cancel()
            });
            let mut seen = Vec::new();
            let outcome = Pipeline::from_iter((0..6).map(move |item| Counted::new(&source, item)))
                .workers(2)
                .window(4)
                .try_map("odd", |item: Counted| odd_fail(item.1).map(|_| item))
                .divert_errors(sender)
                .serial("serial", |item| item)
                .for_each("see", |item| seen.push(item.1))
                .run(&token);
            canceller.join().unwrap();
            assert_eq!(seen, [0, 2, 4][..seen.len()], "a prefix");
            match outcome {
                Ok(report) => assert_eq!((report.finished(), seen.len()), (6, 3)),
                Err(error) => assert!(error.is_cancelled(), "{error:?}"),
            }
            let mut told: Vec<u64> = receiving.map(|receiving| receiving.join().unwrap()).unwrap_or_default();
            told.extend(receiver_left.into_iter().map(|failed| failed.index));
            told.sort_unstable();
            told.windows(2).for_each(|pair| assert_ne!(pair[0], pair[1], "told twice"));
            assert!(told.iter().all(|index| index % 2 == 1), "{told:?}");
            assert_eq!(alive.load(SeqCst), 0);
        });
    }
}

#[test]
fn receiver_that_leaves_half_way_ends_the_run_with_the_failure_that_was_not_sent() {
    check("receiver leaves", || {
        let (sender, receiver) = bounded(1);
        let leaving = spawn(move || receiver.recv().map(|failed: FailedItem<usize, usize>| failed.index));
        let error = Pipeline::from_iter(0..12)
            .workers(2)
            .window(4)
            .try_map("odd", odd_fail)
            .divert_errors(sender)
            .for_each("drop", drop)
            .run(&CancellationToken::new())
            .unwrap_err();
        let first = leaving.join().unwrap().unwrap();
        let index = error.index().unwrap();
        assert!(index % 2 == 1 && index != first);
        assert_eq!(error.report().finished(), index);
        match error.into_kind() {
            PipelineErrorKind::ReceiverGone { source, .. } => {
                assert_eq!(source.map(|error| error as u64), Some(index));
            }
            other => panic!("{other:?}"),
        }
    });
}

#[test]
fn failure_further_down_ends_a_wait_for_room() {
    check("the sink fails while failures wait", || {
        let (sender, receiver) = bounded(1);
        let error = Pipeline::from_iter(0..6)
            .workers(2)
            .window(6)
            .try_map("later", |item| if item > 0 { Err("later") } else { Ok(item) })
            .divert_errors(sender)
            .try_for_each("sink", |_| Err("first"))
            .run(&CancellationToken::new());
        assert_eq!(error.unwrap_err().into_error(), Some("first"));
        assert!(receiver.into_iter().count() <= 1);
    });
}

/// The stage sees the cancellation before the run does: what it returns then is a reaction.
#[test]
fn reaction_to_a_cancellation_is_told_to_nobody() {
    for serial in [false, true] {
        check_row(&format!("reaction, serial: {serial}"), 2, move || {
            let log = ErrorLog::new(9);
            let token = CancellationToken::new();
            let canceller = spawn({
                let token = token.clone();
                move || token.cancel()
            });
            let react = |item: usize| {
                if token.is_cancelled() { Err("reaction") } else { odd_fail(item).map_err(|_| "odd") }
            };
            let pipeline = Pipeline::from_iter(0..6).workers(2).window(6);
            let outcome = if serial {
                pipeline.try_serial("react", react).collect_errors(&log).for_each("drop", drop).run(&token)
            } else {
                pipeline.try_map("react", react).collect_errors(&log).for_each("drop", drop).run(&token)
            };
            canceller.join().unwrap();
            let told = log.take();
            assert!(told.iter().all(|failed| failed.error == "odd" && failed.index % 2 == 1), "{told:?}");
            match outcome {
                Ok(report) => assert_eq!((report.finished(), told.len()), (6, 3)),
                Err(error) => assert!(error.is_cancelled(), "{error:?}"),
            }
        });
    }
}

#[test]
fn receiver_that_goes_in_reaction_to_the_cancellation_is_not_the_cause() {
    for diverts in [false, true] {
        check_row(&format!("receiver goes after a cancellation, diverts: {diverts}"), 2, move || {
            let (sender, failed) = bounded(1);
            let (results, outlet) = bounded(1);
            let token = CancellationToken::new();
            let canceller = spawn({
                let token = token.clone();
                move || {
                    token.cancel();
                    drop((failed, outlet));
                }
            });
            let error = Pipeline::from_iter(0..4)
                .workers(2)
                .try_map("map", move |item: usize| if diverts { Err(item) } else { Ok(item) })
                .divert_errors(sender)
                .send(results)
                .run(&token)
                .unwrap_err();
            assert!(error.is_cancelled(), "{error:?}");
            canceller.join().unwrap();
        });
    }
}
