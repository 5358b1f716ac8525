//! What bounds a pipeline besides the window, in every order of events that the scheduler finds: a stage that expands items, a window by weight,
//! and the time of a batch. Room that is freed without anybody seeing it is a deadlock, and so is a batch that nobody passes on.
#![cfg(gristmill_shuttle)]

use std::sync::Arc;

use gristmill::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use gristmill::sync::channel::bounded;
use gristmill::sync::time::Duration;
use gristmill::sync::{model as execution, thread};
use gristmill::{CancellationToken, Pipeline, PipelineErrorKind};

#[path = "support/model.rs"]
mod model;

/// `rows`: how many rows a test has, which share its executions.
fn check(name: &str, rows: usize, timeouts: bool, body: impl Fn() + Send + Sync + 'static) {
    model::check_share(name, rows, move || {
        if !timeouts {
            execution::forbid_timeouts();
        }
        // With a window of 1 everything runs on one thread, and the PCT scheduler refuses what has no concurrency.
        let other = thread::Builder::new().spawn(|| ()).expect("no fault is asked for");
        body();
        other.join().expect("it does nothing");
    });
}

/// Takes up room as long as it lives; never more than there is.
struct Load {
    number: usize,
    weight: usize,
    inside: Arc<AtomicUsize>,
}

impl Load {
    fn new(number: usize, weight: usize, limit: usize, inside: &Arc<AtomicUsize>) -> Self {
        let now = inside.fetch_add(weight, SeqCst) + weight;
        assert!(now <= limit, "{now} of {limit}");
        Self { number, weight, inside: Arc::clone(inside) }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        assert!(self.inside.fetch_sub(self.weight, SeqCst) >= self.weight, "dropped twice");
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Event {
    Nothing,
    Fails,
    PanicsInNext,
    Cancels,
}

const EVENTS: [Event; 4] = [Event::Nothing, Event::Fails, Event::PanicsInNext, Event::Cancels];

/// Three items become 2, 0 and 3; the event is at the fourth result.
fn expand(most: usize, window: usize, ordered: bool, event: Event) {
    let inside = Arc::new(AtomicUsize::new(0));
    let token = CancellationToken::new();
    let (stop, scales) = (token.clone(), Arc::clone(&inside));
    let mut seen = Vec::new();
    let pipeline = Pipeline::from_iter([2_usize, 0, 3].into_iter().enumerate())
        .workers(2)
        .window(window)
        .flat_map_bounded("expand", most, move |(number, count)| {
            let scales = Arc::clone(&scales);
            (0..count).map(move |copy| {
                assert!(event != Event::PanicsInNext || (number, copy) != (2, 1), "next");
                Load::new(number * 10 + copy, 1, most, &scales)
            })
        })
        .filter("not all", |load| load.number != 1)
        .serial("pass", |load| load)
        .try_map("check", move |load| {
            match event {
                Event::Fails if load.number == 21 => return Err("no"),
                Event::Cancels if load.number == 21 => _ = stop.cancel(),
                _ => {}
            }
            Ok(load)
        });
    let pipeline = if ordered { pipeline } else { pipeline.unordered() };
    let outcome = pipeline.for_each("see", |load| seen.push(load.number)).run(&token);
    match outcome {
        Ok(report) => {
            assert!(matches!(event, Event::Nothing | Event::Cancels));
            seen.sort_unstable();
            assert_eq!((seen, report.finished()), (vec![0, 20, 21, 22], 3));
        }
        Err(error) => {
            match (event, error.kind()) {
                (Event::Fails, PipelineErrorKind::Failed { index: 2, .. })
                | (Event::PanicsInNext, PipelineErrorKind::Panicked { index: 2, .. })
                | (Event::Cancels, PipelineErrorKind::Cancelled(_)) => {}
                _ => panic!("{error}"),
            }
            if ordered && event != Event::Cancels {
                assert_eq!(seen, [0, 20]);
            }
        }
    }
    assert_eq!(inside.load(SeqCst), 0);
}

fn expands(event: Event) {
    let bounds = [(1, 3, true), (2, 3, false), (1, 1, true), (2, 3, true)];
    let rows = if event == Event::Nothing { 4 } else { 2 };
    for (most, window, ordered) in bounds.into_iter().take(rows) {
        let name = format!("{event:?}, at most {most}, window {window}, ordered {ordered}");
        check(&name, rows, false, move || expand(most, window, ordered, event));
    }
}

#[test]
fn items_are_expanded_within_their_bound_to_the_end() {
    expands(EVENTS[0]);
}

#[test]
fn error_ends_a_run_that_expands() {
    expands(EVENTS[1]);
}

#[test]
fn panic_of_an_iterator_ends_a_run_that_expands() {
    expands(EVENTS[2]);
}

#[test]
fn cancellation_ends_a_run_that_expands() {
    expands(EVENTS[3]);
}

/// What leaves a stage together has the credit of the first source item and results of the next: those are still on their way when the rest of them is skipped.
#[test]
fn source_items_inside_are_no_more_than_the_window_behind_a_stage_that_puts_in_order_what_is_skipped() {
    check("the rest is skipped", 1, false, || {
        let inside = Arc::new(AtomicUsize::new(0));
        let scales = Arc::clone(&inside);
        let mut seen = 0;
        let report = Pipeline::from_iter((0..4).map(move |number| Load::new(number, 1, 2, &scales)))
            .workers(2)
            .window(2)
            .flat_map("copies", |load| {
                let copies = 1 + load.number % 2;
                let load = Arc::new(load);
                (0..copies).map(move |copy| (Arc::clone(&load), copy))
            })
            .try_keyed(
                "skip",
                |(load, copy)| load.number * 2 + copy,
                |(load, copy)| if copy == 1 { Err("no") } else { Ok(load) },
            )
            .skip_errors()
            .serial("pass", |load| load)
            .map("check", |load| {
                // Long enough for the others to read on, if they may.
                let rounds = if load.number == 0 { 150 } else { 0 };
                (0..rounds).for_each(|_| thread::yield_now());
                load
            })
            .for_each("see", |_| seen += 1)
            .run(&CancellationToken::new());
        assert_eq!((report.expect("they are skipped").finished(), seen), (4, 4));
        assert_eq!(inside.load(SeqCst), 0);
    });
}

/// The second stage takes what the first has given; each has a bound of its own, and a batch between them holds more than both.
#[test]
fn stages_that_expand_one_behind_the_other_do_not_wait_for_each_other() {
    for keyed in [false, true] {
        check(&format!("two that expand, keyed {keyed}"), 2, false, move || {
            let pipeline = Pipeline::from_iter(0..2_usize)
                .workers(2)
                .window(2)
                .flat_map_bounded("twice", 1, |item| [item, item])
                .batch(3)
                .flat_map_bounded("open", 1, |batch| batch);
            let (mut seen, report) = if keyed {
                let pipeline = pipeline.keyed_unordered("key", |item| *item, |item| item);
                pipeline.collect::<Vec<_>>().run(&CancellationToken::new()).unwrap()
            } else {
                pipeline.collect::<Vec<_>>().run(&CancellationToken::new()).unwrap()
            };
            seen.sort_unstable();
            assert_eq!((seen, report.finished()), (vec![0, 0, 1, 1], 2));
        });
    }
}

#[test]
fn items_inside_weigh_no_more_than_the_limit_and_all_get_in() {
    for (window, ordered, event) in [
        (3, true, Event::Nothing),
        (3, false, Event::Nothing),
        (2, true, Event::Fails),
        (3, true, Event::Cancels),
    ] {
        check(&format!("weights, window {window}, ordered {ordered}, {event:?}"), 4, false, move || {
            let inside = Arc::new(AtomicUsize::new(0));
            let scales = Arc::clone(&inside);
            let token = CancellationToken::new();
            let stop = token.clone();
            let mut seen = Vec::new();
            let pipeline = Pipeline::from_iter([1_usize, 2, 0, 3, 1].into_iter().enumerate())
                .workers(2)
                .window(window)
                .window_by_weight(3, |(_, weight)| *weight as u64)
                .map("load", move |(number, weight)| Load::new(number, weight, 3, &scales))
                .filter("not all", |load| load.number != 2)
                .serial("pass", |load| load)
                .try_map("check", move |load| {
                    match event {
                        Event::Fails if load.number == 3 => return Err("no"),
                        Event::Cancels if load.number == 3 => _ = stop.cancel(),
                        _ => {}
                    }
                    Ok(load)
                });
            let pipeline = if ordered { pipeline } else { pipeline.unordered() };
            let outcome = pipeline.for_each("see", |load| seen.push(load.number)).run(&token);
            assert_eq!(inside.load(SeqCst), 0);
            match outcome {
                Ok(report) => {
                    seen.sort_unstable();
                    assert_eq!((seen, report.finished()), (vec![0, 1, 3, 4], 5));
                }
                Err(error) => match (event, error.kind()) {
                    (Event::Fails, PipelineErrorKind::Failed { index: 3, .. }) => assert_eq!(seen, [0, 1]),
                    (Event::Cancels, PipelineErrorKind::Cancelled(_)) => {}
                    _ => panic!("{error}"),
                },
            }
        });
    }
}

/// The next item comes only once the one before has gone through, which waits in a batch that nothing else fills.
#[test]
fn batch_whose_time_has_come_is_passed_on_while_the_source_pauses() {
    for (workers, local) in [(1, false), (2, false), (2, true)] {
        check(&format!("batch time, {workers} workers, local {local}"), 3, true, move || {
            let (sender, receiver) = bounded(1);
            let (saw, seen) = bounded(1);
            let feeder = thread::Builder::new()
                .spawn(move || {
                    for item in 0..2 {
                        sender.send(item).expect("the run is there");
                        assert_eq!(seen.recv(), Ok(vec![item]));
                    }
                })
                .expect("no fault is asked for");
            let pipeline = Pipeline::from_receiver(receiver)
                .workers(workers)
                .window(4)
                .batch(3)
                .batch_timeout(Duration::from_micros(50));
            let see = move |batch| saw.send(batch).expect("the feeder waits");
            let report = if local {
                pipeline.for_each_local("see", see).run(&CancellationToken::new()).unwrap()
            } else {
                pipeline.for_each("see", see).run(&CancellationToken::new()).unwrap()
            };
            assert_eq!(report.finished(), 2);
            feeder.join().expect("it has seen both");
        });
    }
}

/// One worker is in a call, another waits in `next`, and each waits for a batch that only its time lets go: a third has to.
#[test]
fn idle_worker_passes_on_a_batch_whose_time_has_come_while_the_others_are_in_calls() {
    check("batch time, all others in calls", 1, true, || {
        let (saw, seen) = bounded(2);
        let waits = seen.clone();
        let mut given = 0;
        let source = std::iter::from_fn(move || {
            given += 1;
            if given == 1 {
                return Some(0);
            }
            waits.recv().expect("the single one goes through");
            None
        });
        let report = Pipeline::from_iter(source)
            .workers(3)
            .window(8)
            .flat_map("three", |item| [item; 3])
            .batch(2)
            .batch_timeout(Duration::from_micros(50))
            .map("wait", move |batch| {
                if batch.len() == 2 {
                    seen.recv().expect("the single one goes through");
                } else {
                    saw.send(()).expect("both wait");
                    saw.send(()).expect("both wait");
                }
            })
            .for_each("drop", drop)
            .run(&CancellationToken::new())
            .unwrap();
        assert_eq!(report.finished(), 1);
    });
}

/// The other worker waits in the channel already when the first item of a batch comes, and the one that has put it there goes into a call.
#[test]
fn worker_that_waits_for_a_channel_hears_of_a_batch_that_has_a_time() {
    check("batch time, the other waits in the channel", 1, true, || {
        let (sender, receiver) = bounded(2);
        let (saw, seen) = bounded(2);
        let (enters, entered) = bounded(2);
        let end = seen.clone();
        let feeder = thread::Builder::new()
            .spawn(move || {
                sender.send(0).expect("the run is there");
                entered.recv().expect("the first is in a batch");
                sender.send(1).expect("the run is there");
                end.recv().expect("the first goes through");
            })
            .expect("no fault is asked for");
        let report = Pipeline::from_receiver(receiver)
            .workers(2)
            .window(8)
            .map("wait", move |item| {
                if item == 1 {
                    seen.recv().expect("the first goes through");
                }
                item
            })
            .batch_by_weight(2, move |_| {
                _ = enters.send(()); // nobody waits for the second
                1
            })
            .batch_timeout(Duration::from_micros(50))
            .for_each("see", move |batch: Vec<i32>| {
                if batch[0] == 0 && batch.len() == 1 {
                    saw.send(()).expect("both wait");
                    saw.send(()).expect("both wait");
                }
            })
            .run(&CancellationToken::new())
            .unwrap();
        assert_eq!(report.finished(), 2);
        feeder.join().expect("it has seen it");
    });
}

/// One worker waits in `next`, and two go into calls, of which one knew when a batch is due and would have passed it on: the fourth, which sleeps, has to
/// hear of it.
#[test]
fn worker_that_would_have_passed_on_a_batch_tells_another_before_it_goes_into_a_call() {
    check("batch time, all who know it in calls", 1, true, || {
        let (saw, seen) = bounded(3);
        let waits = seen.clone();
        let mut given = 0;
        let source = std::iter::from_fn(move || {
            given += 1;
            if given == 3 {
                waits.recv().expect("the first goes through");
            }
            (given < 3).then_some(given)
        });
        let report = Pipeline::from_iter(source)
            .workers(4)
            .window(8)
            .flat_map("parts", |item| vec![item; item]) // one, which is held in a batch, and two
            .serial("pass", |part| part)
            .map("wait", move |part| {
                if part == 2 {
                    seen.recv().expect("the first goes through");
                }
                part
            })
            .batch(4)
            .batch_timeout(Duration::from_micros(50))
            .for_each("see", move |batch| {
                if batch == [1] {
                    (0..3).for_each(|_| saw.send(()).expect("all of them wait"));
                }
            })
            .run(&CancellationToken::new())
            .unwrap();
        assert_eq!(report.finished(), 2);
    });
}

/// The results of one item lie in front of a stage, or are still to be given: the worker that has put them there takes one, and the other one waits in the
/// channel.
#[test]
fn worker_that_waits_for_a_channel_hears_of_work_that_lies_in_front_of_a_stage() {
    for (workers, bounded_stage) in [(2, false), (3, false), (2, true), (3, true)] {
        check(&format!("work while {workers} wait in the channel, {bounded_stage}"), 4, false, move || {
            let (sender, receiver) = bounded(1);
            let meetings: [_; 2] = std::array::from_fn(|_| bounded(1));
            let (both, end) = bounded(1);
            let feeder = thread::Builder::new()
                .spawn(move || {
                    sender.send(0).expect("the run is there");
                    end.recv().expect("both go through");
                })
                .expect("no fault is asked for");
            let meet = move |part: usize| {
                meetings[part].0.send(()).expect("the other comes");
                meetings[1 - part].1.recv().expect("the other comes");
                part
            };
            let see = move |part| {
                if part == 1 {
                    both.send(()).expect("the feeder waits");
                }
            };
            let (pipeline, token) =
                (Pipeline::from_receiver(receiver).workers(workers).window(8), CancellationToken::new());
            let report = if bounded_stage {
                pipeline
                    .flat_map_bounded("two", 4, |_| [0, 1])
                    .map("meet", meet)
                    .for_each("see", see)
                    .run(&token)
            } else {
                let pipeline = pipeline.flat_map("two", |_| [0, 1]).serial("pass", |part| part);
                pipeline.map("meet", meet).for_each("see", see).run(&token)
            };
            let report = report.unwrap();
            assert_eq!(report.finished(), 1);
            feeder.join().expect("it has seen it");
        });
    }
}

/// A worker goes from one call of a serial stage to the next, which waits for what the first one let through; the other one waits in the channel.
#[test]
fn worker_that_waits_for_a_channel_hears_of_what_a_slow_serial_stage_has_let_through() {
    check("work behind a slow serial stage", 1, false, || {
        let (sender, receiver) = bounded(2);
        let ((passed, first), (both, end)) = (bounded(1), bounded(1));
        let feeder = thread::Builder::new()
            .spawn(move || {
                (0..2).for_each(|item| sender.send(item).expect("the run is there"));
                end.recv().expect("both go through");
            })
            .expect("no fault is asked for");
        let report = Pipeline::from_receiver(receiver)
            .workers(2)
            .window(8)
            .serial("slow", move |item: usize| {
                if item == 0 {
                    execution::advance(Duration::from_millis(1));
                } else {
                    first.recv().expect("the first goes on");
                }
                item
            })
            .map("pass", move |item| {
                if item == 0 {
                    passed.send(()).expect("the second waits");
                }
                item
            })
            .for_each("see", move |item| {
                if item == 1 {
                    both.send(()).expect("the feeder waits");
                }
            })
            .run(&CancellationToken::new())
            .unwrap();
        assert_eq!(report.finished(), 2);
        feeder.join().expect("it has seen it");
    });
}
