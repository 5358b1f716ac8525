//! The pipeline in every order of events that the scheduler finds: order, window, endings, wake-ups.
//!
//! Time-outs are switched off, so a lost wake-up is a deadlock, and a deadlock is a failure.
#![cfg(gristmill_shuttle)]

use std::sync::Arc;

use gristmill::pipeline::PipelineMonitor;
use gristmill::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use gristmill::sync::channel::bounded;
use gristmill::sync::{fault, model as execution, thread};
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

/// Counts the live ones.
struct Counted(Arc<AtomicUsize>, usize);

impl Counted {
    fn new(alive: &Arc<AtomicUsize>, value: usize) -> Self {
        alive.fetch_add(1, SeqCst);
        Self(Arc::clone(alive), value)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        assert!(self.0.fetch_sub(1, SeqCst) > 0, "dropped twice");
    }
}

/// A source that fails the test when it is read too far ahead.
fn windowed(items: usize, window: usize, left: &Arc<AtomicUsize>) -> impl Iterator<Item = usize> + use<> {
    let left = Arc::clone(left);
    (0..items).inspect(move |item| {
        assert!(item + 1 - left.load(SeqCst) <= window, "read further than the window");
    })
}

#[test]
fn ordered_run_gives_every_item_in_order_and_keeps_the_window() {
    for (workers, window) in [(2, 1), (2, 4), (3, 2), (3, 12)] {
        check_row(&format!("ordered, {workers} workers, window {window}"), 4, move || {
            let left = Arc::new(AtomicUsize::new(0));
            let mut seen = Vec::new();
            let report = Pipeline::from_iter(windowed(7, window, &left))
                .workers(workers)
                .window(window)
                .map("double", |item| item * 2)
                .for_each("note", |item| {
                    seen.push(item);
                    left.fetch_add(1, SeqCst);
                })
                .run(&CancellationToken::new())
                .unwrap();
            assert_eq!(seen, (0..7).map(|item| item * 2).collect::<Vec<_>>());
            assert_eq!((report.read(), report.finished()), (7, 7));
        });
    }
}

#[test]
fn unordered_run_gives_every_item_once() {
    check("unordered", || {
        let mut seen = Pipeline::from_iter(0..7_usize)
            .workers(3)
            .window(12)
            .unordered()
            .map("double", |item| item * 2)
            .collect::<Vec<_>>()
            .run(&CancellationToken::new())
            .unwrap()
            .0;
        seen.sort_unstable();
        assert_eq!(seen, (0..7).map(|item| item * 2).collect::<Vec<_>>());
    });
}

#[test]
fn serial_stages_see_the_order_and_the_window_spans_all_segments() {
    for window in [1, 4, 12] {
        check_row(&format!("two segments, window {window}"), 3, move || {
            let left = Arc::new(AtomicUsize::new(0));
            let gone = Arc::clone(&left);
            let (mut first, mut last) = (Vec::new(), Vec::new());
            Pipeline::from_iter(windowed(6, window, &left))
                .workers(3)
                .window(window)
                .flat_map("twice", |item| [item, item])
                .serial("number", |item| {
                    first.push(item);
                    (first.len(), item)
                })
                .filter("even", move |(number, item)| {
                    // The second copy of an odd item leaves here.
                    if item % 2 == 1 && number % 2 == 0 {
                        gone.fetch_max(item + 1, SeqCst);
                    }
                    item % 2 == 0
                })
                .for_each("note", |(number, item)| {
                    last.push((number, item));
                    if number % 2 == 0 {
                        left.fetch_max(item + 1, SeqCst);
                    }
                })
                .run(&CancellationToken::new())
                .unwrap();
            assert_eq!(first, [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5]);
            assert_eq!(last, [(1, 0), (2, 0), (5, 2), (6, 2), (9, 4), (10, 4)]);
        });
    }
}

/// Pieces of a chunk whose credit lies with the last of them: where order is not kept that one may come first, and the run must not
/// take itself for finished then.
#[test]
fn unordered_run_behind_a_serial_stage_loses_nothing() {
    for window in [2, 6, 12] {
        check_row(&format!("unordered behind a serial stage, window {window}"), 3, move || {
            let (mut seen, report) = Pipeline::from_iter(0..4_usize)
                .workers(3)
                .window(window)
                .unordered()
                .flat_map("twice", |item| [item, item])
                .serial("serial", |item| item)
                .map("pass", |item| item)
                .collect::<Vec<_>>()
                .run(&CancellationToken::new())
                .unwrap();
            seen.sort_unstable();
            assert_eq!(seen, [0, 0, 1, 1, 2, 2, 3, 3]);
            assert_eq!(report.finished(), 4);
        });
    }
}

#[test]
fn first_error_in_order_is_returned_after_an_exact_prefix() {
    check("error", || {
        let alive = Arc::new(AtomicUsize::new(0));
        let source = Arc::clone(&alive);
        let mut seen = Vec::new();
        let error = Pipeline::from_iter((0..9).map(move |item| Counted::new(&source, item)))
            .workers(3)
            .window(12)
            .try_map("fail at 3 and 5", |item| if matches!(item.1, 3 | 5) { Err(item.1) } else { Ok(item) })
            .for_each("note", |item| seen.push(item.1))
            .run(&CancellationToken::new())
            .unwrap_err();
        assert_eq!(seen, [0, 1, 2]);
        assert_eq!((error.stage(), error.index()), (Some("fail at 3 and 5"), Some(3)));
        assert!(matches!(error.kind(), PipelineErrorKind::Failed { source: 3, .. }));
        assert_eq!(error.report().finished(), 3);
        assert_eq!(alive.load(SeqCst), 0, "every item is dropped");
    });
}

#[test]
fn failure_anywhere_ends_the_run_at_its_item() {
    for place in ["source", "stage", "serial", "below", "sink"] {
        check_row(&format!("panic in the {place}"), 5, move || {
            let boom = move |here: &str, item: usize| assert!(here != place || item != 2, "boom");
            let mut seen = Vec::new();
            let error = Pipeline::from_iter((0..6).inspect(move |item| boom("source", *item)))
                .workers(2)
                .window(8)
                .inspect("stage", move |item| boom("stage", *item))
                .serial("serial", move |item| {
                    boom("serial", item);
                    item
                })
                .inspect("below", move |item| boom("below", *item))
                .for_each("sink", |item| {
                    boom("sink", item);
                    seen.push(item);
                })
                .run(&CancellationToken::new())
                .unwrap_err();
            assert!(error.is_panic());
            assert_eq!((error.stage(), error.index()), (Some(place), Some(2)));
            assert_eq!(seen, [0, 1]);
            assert_eq!(error.report().finished(), 2);
        });
    }
}

#[test]
fn cancel_at_any_moment_ends_the_run_and_drops_every_item_once() {
    check("cancel", || {
        let alive = Arc::new(AtomicUsize::new(0));
        let source = Arc::clone(&alive);
        let token = CancellationToken::new();
        let canceller = spawn({
            let token = token.clone();
            move || token.cancel()
        });
        let mut seen = Vec::new();
        let outcome = Pipeline::from_iter((0..5).map(move |item| Counted::new(&source, item)))
            .workers(2)
            .window(4)
            .map("pass", |item| item)
            .serial("serial", |item| item)
            .map("pass", |item| item)
            .for_each("note", |item| seen.push(item.1))
            .run(&token);
        assert!(canceller.join().unwrap());
        assert_eq!(seen, (0..seen.len()).collect::<Vec<_>>(), "a prefix");
        match outcome {
            Ok(report) => assert_eq!((report.finished(), seen.len()), (5, 5)),
            Err(error) => {
                assert!(error.is_cancelled());
                assert_eq!(error.report().finished(), seen.len() as u64);
            }
        }
        assert_eq!(alive.load(SeqCst), 0);
    });
}

/// The sender sends an item only when the one before has come out: a pipeline that keeps an item back for company, or forgets to
/// wake somebody for it, hangs.
#[test]
fn lone_item_from_a_channel_is_never_kept_back() {
    for workers in [1, 2, 3] {
        check_row(&format!("lone items from a channel, {workers} workers"), 3, move || {
            let (sender, receiver) = bounded(4);
            let (came, comes) = bounded(4);
            let feeder = spawn(move || {
                for item in 0..4 {
                    sender.send(item).unwrap();
                    assert_eq!(comes.recv(), Ok(item));
                }
            });
            Pipeline::from_receiver(receiver)
                .workers(workers)
                .map("pass", |item| item)
                .for_each("tell", |item| came.send(item).unwrap())
                .run(&CancellationToken::new())
                .unwrap();
            feeder.join().unwrap();
        });
    }
}

#[test]
fn lone_item_from_a_blocking_iterator_is_never_kept_back() {
    for workers in [1, 2, 3] {
        check_row(&format!("lone items from an iterator, {workers} workers"), 3, move || {
            let (sender, receiver) = bounded(4);
            let (came, comes) = bounded(4);
            let feeder = spawn(move || {
                for item in 0..4 {
                    sender.send(item).unwrap();
                    assert_eq!(comes.recv(), Ok(item));
                }
            });
            Pipeline::from_iter(receiver)
                .source_may_block()
                .workers(workers)
                .map("pass", |item| item)
                .for_each("tell", |item| came.send(item).unwrap())
                .run(&CancellationToken::new())
                .unwrap();
            feeder.join().unwrap();
        });
    }
}

#[test]
fn cancel_ends_a_wait_for_a_channel_on_either_side() {
    check("cancel while the source waits", || {
        let (_sender, receiver) = bounded::<usize>(1);
        let token = CancellationToken::new();
        let canceller = spawn({
            let token = token.clone();
            move || token.cancel()
        });
        let error =
            Pipeline::from_receiver(receiver).workers(2).for_each("none", drop).run(&token).unwrap_err();
        assert!(error.is_cancelled());
        canceller.join().unwrap();
    });
    check("cancel while the sink waits", || {
        let (sender, receiver) = bounded(1);
        let token = CancellationToken::new();
        let canceller = spawn({
            let token = token.clone();
            move || token.cancel()
        });
        let error = Pipeline::from_iter(0..5).workers(2).send(sender).run(&token).unwrap_err();
        assert!(error.is_cancelled());
        assert!(receiver.into_iter().count() <= 1);
        canceller.join().unwrap();
    });
}

#[test]
fn error_ends_a_source_that_waits_for_its_channel() {
    check("error while the source waits", || {
        let (sender, receiver) = bounded(4);
        sender.send(1).unwrap();
        let error = Pipeline::from_receiver(receiver)
            .workers(2)
            .try_for_each("refuse", |item| if item == 1 { Err("no") } else { Ok(()) })
            .run(&CancellationToken::new())
            .unwrap_err();
        assert_eq!(error.into_error(), Some("no"));
        drop(sender);
    });
}

#[test]
fn sink_without_a_receiver_ends_the_run() {
    check("receiver gone", || {
        let (sender, receiver) = bounded(1);
        let taker = spawn(move || receiver.recv());
        let outcome = Pipeline::from_iter(0..4).workers(2).send(sender).run(&CancellationToken::new());
        let error = outcome.unwrap_err();
        assert!(matches!(error.kind(), PipelineErrorKind::ReceiverGone { .. }), "{error:?}");
        assert_eq!(taker.join().unwrap(), Ok(0));
    });
}

#[test]
fn thread_bound_sink_runs_on_the_callers_thread_alone() {
    check("thread-bound sink", || {
        let caller = thread::current().id();
        let mut seen = Vec::new();
        Pipeline::from_iter(0..6)
            .workers(3)
            .window(12)
            .map("pass", |item| item)
            .for_each_local("note", |item| {
                assert_eq!(thread::current().id(), caller);
                seen.push(item);
            })
            .run(&CancellationToken::new())
            .unwrap();
        assert_eq!(seen, [0, 1, 2, 3, 4, 5]);
    });
}

#[test]
fn lazy_iterator_gives_every_item_in_order_and_may_stop_early() {
    for take in [0, 2, 6] {
        check_row(&format!("lazy iterator, {take} of 6"), 3, move || {
            let alive = Arc::new(AtomicUsize::new(0));
            let source = Arc::clone(&alive);
            let (seen, outcome) = Pipeline::from_iter((0..6).map(move |item| Counted::new(&source, item)))
                .workers(2)
                .window(8)
                .map("pass", |item| item)
                .with_iter(&CancellationToken::new(), |items| items.take(take).map(|item| item.1).collect());
            outcome.unwrap();
            assert_eq!(seen, Some((0..take).collect::<Vec<_>>()));
            assert_eq!(alive.load(SeqCst), 0);
        });
        check_row(&format!("lazy iterator with threads of its own, {take} of 6"), 3, move || {
            let items = Pipeline::from_iter(0..6)
                .workers(2)
                .window(8)
                .into_iter_with(&CancellationToken::new())
                .unwrap();
            let seen: Vec<_> = items.take(take).map(Result::unwrap).collect();
            assert_eq!(seen, (0..take).collect::<Vec<_>>());
        });
    }
}

#[test]
fn run_goes_on_without_the_threads_that_cannot_be_created() {
    for failing in 1..=2 {
        check_row(&format!("thread {failing} cannot be created"), 2, move || {
            let _fault = fault::fail_spawn_at(failing);
            let (seen, report) = Pipeline::from_iter(0..5)
                .workers(3)
                .window(12)
                .map("pass", |item| item)
                .collect::<Vec<_>>()
                .run(&CancellationToken::new())
                .unwrap();
            assert_eq!(seen, [0, 1, 2, 3, 4]);
            assert_eq!((report.workers(), report.missing_workers()), (failing, 3 - failing));
        });
    }
}

#[test]
fn who_looks_at_a_running_pipeline_sees_no_more_finished_than_read_and_each_crossing_once() {
    check("monitored", || {
        let monitor = PipelineMonitor::new();
        let calls = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&calls);
        monitor.when(
            "half",
            |now| now.finished() >= 3,
            |_| false,
            move |_| {
                count.fetch_add(1, SeqCst);
            },
        );
        let watched = monitor.clone();
        let looker = spawn(move || {
            for _ in 0..3 {
                let now = watched.snapshot();
                assert!(now.finished() <= now.read() && now.read() <= 6, "{now}");
                thread::yield_now();
            }
        });
        let report = Pipeline::from_iter(0..6_usize)
            .workers(2)
            .window(4)
            .monitored_by(&monitor)
            .map("double", |item| item * 2)
            .serial("number", |item| item)
            .for_each("drop", drop)
            .run(&CancellationToken::new())
            .unwrap();
        looker.join().expect("what it claims holds");
        let after = monitor.snapshot();
        assert!(after.has_ended() && (after.read(), after.finished()) == (6, 6), "{after}");
        assert!(after.rows().iter().all(|row| row.items() == 6 && row.queued() == 0), "{after}");
        assert_eq!(calls.load(SeqCst), 1);
        for stage in report.stages() {
            assert!(stage.starved() + stage.blocked() <= report.idle(), "{report}");
        }
    });
}
