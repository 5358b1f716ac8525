//! Cancellation: whenever it comes and wherever it comes from, the run ends soon, with the cause, and everything is dropped.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use gristmill::{CancelKind, CancellationToken, Pipeline, PipelineError, PipelineErrorKind};

use super::support::{LIMIT, Ledger, grid, within_limit};

#[track_caller]
fn assert_operator<E: std::fmt::Debug>(error: PipelineError<E>) {
    assert!(error.is_cancelled(), "{error:?}");
    assert_eq!((error.stage(), error.index()), (None, None));
    let PipelineErrorKind::Cancelled(cancelled) = error.into_kind() else { unreachable!() };
    assert_eq!(cancelled.kind(), CancelKind::Cancelled);
    assert_eq!(cancelled.cause().unwrap().to_string(), "the operator");
}

#[test]
fn run_that_is_cancelled_before_it_begins_reads_nothing() {
    for (workers, window) in grid() {
        let token = CancellationToken::new();
        token.cancel_with("the operator");
        let source = || (0..10).inspect(|_| panic!("it was read"));
        let pipeline = || Pipeline::from_iter(source()).workers(workers).window(window);
        let error = pipeline().for_each("sink", drop).run(&token).unwrap_err();
        assert_eq!(error.report().read(), 0);
        assert_operator(error);
        assert_operator(pipeline().serial("s", |n| n).for_each_local("sink", drop).run(&token).unwrap_err());
        let (count, outcome) = pipeline().with_iter(&token, |numbers| numbers.count());
        assert_eq!(count, Some(0));
        assert_operator(outcome.unwrap_err());
        let mut numbers = pipeline().into_iter_with(&token).unwrap();
        assert_operator(numbers.next().unwrap().unwrap_err());
        assert!(numbers.next().is_none());
        let (sender, receiver) = crossbeam_channel::bounded(4);
        (0..4).for_each(|number| sender.send(number).unwrap());
        let other = receiver.clone();
        assert_operator(Pipeline::from_receiver(receiver).for_each("sink", drop).run(&token).unwrap_err());
        assert_eq!(other.len(), 4);
    }
}

#[test]
fn run_can_be_cancelled_from_each_of_its_parts() {
    for (workers, window) in grid() {
        for place in 0..5 {
            let ledger = Ledger::default();
            let token = CancellationToken::new();
            let check = |here: usize, number: u64| {
                if here == place && number == 300 {
                    assert!(token.cancel_with("the operator"));
                }
            };
            let mut seen = 0;
            let source = (0..).map(|number| {
                check(0, number);
                ledger.item(number)
            });
            let error = Pipeline::from_iter(source)
                .workers(workers)
                .window(window)
                .inspect("one", |item| check(1, item.number))
                .serial("two", |item| {
                    check(2, item.number);
                    item
                })
                .map_init(
                    "three",
                    || (),
                    |(), item| {
                        check(3, item.number);
                        item
                    },
                )
                .for_each("four", |item| {
                    assert_eq!(item.number, seen);
                    seen += 1;
                    check(4, item.number);
                })
                .run(&token)
                .unwrap_err();
            let report = error.report().clone();
            assert_operator(error);
            assert_eq!(report.finished(), seen, "{report}");
            assert_eq!(report.read(), ledger.made() as u64);
            assert_eq!(report.stage("four").unwrap().items_out(), seen);
            if place == 4 {
                assert_eq!(seen, 301, "not one more after the item that cancelled");
            }
            assert_eq!(ledger.live(), 0);
        }
    }
}

#[test]
fn deadline_ends_a_run_that_would_go_on_for_ever() {
    within_limit(|| {
        for workers in [1, 4] {
            let token = CancellationToken::with_timeout(Duration::from_millis(30));
            let error = Pipeline::from_iter(0_u64..)
                .workers(workers)
                .map("pass", |number| number)
                .for_each("sink", drop)
                .run(&token)
                .unwrap_err();
            let PipelineErrorKind::Cancelled(cancelled) = error.kind() else { panic!("{error:?}") };
            assert_eq!(cancelled.kind(), CancelKind::DeadlineExceeded);
        }
    });
}

/// Runs `run` and cancels it once `begun` has been rung.
fn cancel_when_it_waits(
    run: impl FnOnce(&CancellationToken, mpsc::Sender<()>) -> PipelineError + Send + 'static,
) {
    within_limit(|| {
        let token = CancellationToken::new();
        let (ring, begun) = mpsc::channel();
        std::thread::scope(|scope| {
            let operator = &token;
            scope.spawn(move || {
                begun.recv_timeout(LIMIT).unwrap();
                operator.cancel_with("the operator");
            });
            assert_operator(run(operator, ring));
        });
    });
}

#[test]
fn wait_for_a_channel_ends() {
    for (workers, window) in grid() {
        for local in [false, true] {
            cancel_when_it_waits(move |token, ring| {
                let (sender, receiver) = crossbeam_channel::bounded(10);
                sender.send(()).unwrap();
                let pipeline = Pipeline::from_receiver(receiver)
                    .workers(workers)
                    .window(window)
                    .inspect("ring", |()| ring.send(()).unwrap());
                let error = if local {
                    pipeline.for_each_local("sink", drop).run(token).unwrap_err()
                } else {
                    pipeline.for_each("sink", drop).run(token).unwrap_err()
                };
                drop(sender);
                error
            });
        }
    }
}

#[test]
fn wait_for_room_in_a_channel_ends() {
    for (workers, window) in grid() {
        cancel_when_it_waits(move |token, ring| {
            let (sender, receiver) = crossbeam_channel::bounded(2);
            let error = Pipeline::from_iter(0..)
                .workers(workers)
                .window(window)
                .inspect("ring", |number: &u64| _ = (*number == 2).then(|| ring.send(()).unwrap()))
                .send(sender)
                .run(token)
                .unwrap_err();
            // The cancellation may come before the first two are sent, but not after a third.
            assert!(receiver.len() <= 2);
            assert_eq!(error.report().finished(), receiver.len() as u64);
            error
        });
    }
}

#[test]
fn run_whose_body_does_not_pull_ends_when_the_body_does() {
    for (workers, window) in grid() {
        cancel_when_it_waits(move |token, ring| {
            let (_, outcome) = Pipeline::from_iter(0_u64..).workers(workers).window(window).with_iter(
                token,
                |mut numbers| {
                    assert_eq!(numbers.next(), Some(0));
                    ring.send(()).unwrap();
                    token.wait();
                    assert!(numbers.count() <= window);
                },
            );
            outcome.unwrap_err()
        });
    }
}

#[test]
fn no_more_than_one_item_for_each_worker_is_begun_after_the_cancellation() {
    for workers in [1, 2, 4, 16] {
        let token = CancellationToken::new();
        let begun_after = AtomicUsize::new(0);
        let error = Pipeline::from_iter(0..100_100_u64)
            .workers(workers)
            .map("light, then heavy", |number| {
                if number >= 100_000 {
                    if token.is_cancelled() {
                        begun_after.fetch_add(1, Ordering::SeqCst);
                    }
                    token.cancel_with("the operator");
                }
            })
            .for_each("sink", drop)
            .run(&token)
            .unwrap_err();
        assert_operator(error);
        let begun_after = begun_after.into_inner();
        assert!(
            begun_after < workers,
            "{begun_after} items begun after the cancellation with {workers} workers"
        );
    }
}

#[test]
fn cancellation_is_seen_between_the_many_that_one_item_gives() {
    for workers in [1, 2, 4, 16] {
        let token = CancellationToken::new();
        let begun_after = AtomicUsize::new(0);
        let error = Pipeline::from_iter(0..100)
            .workers(workers)
            .flat_map("many", |_| 0..10_000)
            .map("grind", |_| {
                if token.is_cancelled() {
                    begun_after.fetch_add(1, Ordering::SeqCst);
                }
                token.cancel_with("the operator");
            })
            .for_each("sink", drop)
            .run(&token)
            .unwrap_err();
        assert_operator(error);
        let begun_after = begun_after.into_inner();
        assert!(begun_after < workers, "{begun_after} begun after the cancellation with {workers} workers");
    }
}

#[test]
fn item_under_way_is_waited_for_and_no_other_is_begun() {
    within_limit(|| {
        let token = CancellationToken::new();
        let (ring, begun) = mpsc::channel();
        let begun = Mutex::new(begun);
        let (finished, started) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let error = Pipeline::from_iter(0..100)
            .workers(2)
            .map("heavy", |number| {
                started.fetch_add(1, Ordering::SeqCst);
                if number == 0 {
                    ring.send(()).unwrap();
                    token.wait();
                } else {
                    if let Ok(()) = begun.lock().unwrap().recv_timeout(LIMIT) {
                        token.cancel_with("the operator");
                    }
                    token.wait();
                }
                finished.fetch_add(1, Ordering::SeqCst);
            })
            .for_each("sink", drop)
            .run(&token)
            .unwrap_err();
        assert_operator(error);
        assert_eq!((started.into_inner(), finished.into_inner()), (2, 2));
    });
}

#[test]
fn run_cancelled_at_an_item_of_whose_successors_nothing_is_known_is_cancelled() {
    let token = CancellationToken::new();
    let sink = |number| _ = (number == 99).then(|| token.cancel());
    let report = Pipeline::from_iter(0..100).workers(1).window(1).for_each("sink", sink).run(&token);
    // The source has not been asked for more yet: whether it had any nobody knows.
    assert!(report.is_err_and(|error| error.report().finished() == 100));
}
