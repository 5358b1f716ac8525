//! Blocking stages in every order of events that the scheduler finds: every item comes through once, results come out in order where that is asked
//! for, every ending ends all threads and drops every item once, and threads that cannot be created are done without.
//!
//! Time-outs are switched off, so a thread that nobody wakes is a deadlock.
#![cfg(gristmill_shuttle)]

use std::sync::Arc;

use gristmill::pipeline::ItemError;
use gristmill::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use gristmill::sync::{channel, fault, model as execution, thread};
use gristmill::{CancellationToken, Pipeline, PipelineErrorKind, Report};

#[path = "support/model.rs"]
mod model;

/// What happens, and at which item.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Event {
    Nothing,
    FailsBefore,
    Fails,
    /// This one and all that come after it, and the run goes on.
    FailsAlone,
    FailsAfter,
    Panics,
    Cancels,
}

#[derive(Clone, Copy, Debug)]
struct Setting {
    workers: usize,
    window: usize,
    threads: usize,
    ordered: bool,
    /// The event's item.
    at: usize,
}

/// `rows`: how many rows a test has, which share its executions.
fn check(name: &str, rows: usize, body: impl Fn() + Send + Sync + 'static) {
    model::check_share(name, rows, move || {
        execution::forbid_timeouts();
        // The PCT scheduler refuses what has no concurrency.
        let other = thread::Builder::new().spawn(|| ()).expect("no fault is asked for");
        body();
        other.join().expect("it does nothing");
    });
}

/// Counts the live ones.
#[derive(Debug)]
struct Counted(Arc<AtomicUsize>, usize);

impl Drop for Counted {
    fn drop(&mut self) {
        assert!(self.0.fetch_sub(1, SeqCst) > 0, "dropped twice");
    }
}

const ITEMS: usize = 5;

/// Runs all items; gives the threads that the stage had.
fn run(setting: Setting, event: Event) -> usize {
    let Setting { workers, window, threads, ordered, at } = setting;
    let alive = Arc::new(AtomicUsize::new(0));
    let source = Arc::clone(&alive);
    let items = (0..ITEMS).map(move |item| {
        source.fetch_add(1, SeqCst);
        Counted(Arc::clone(&source), item)
    });
    let token = CancellationToken::new();
    let stop = token.clone();
    let under_way = Arc::new(AtomicUsize::new(0));
    let (busy, most) = (Arc::clone(&under_way), threads.max(workers));
    let mut seen = Vec::new();
    let pipeline = Pipeline::from_iter(items).workers(workers).window(window);
    let pipeline = pipeline.try_map("before", move |item| {
        if event == Event::FailsBefore && item.1 == at { Err("before") } else { Ok(item) }
    });
    let call = move |item: Counted| {
        assert!(busy.fetch_add(1, SeqCst) < most, "more calls at once than threads");
        // Long enough for the workers to have fallen asleep, where nothing but the end of this call is left to wake them.
        let rounds = if event == Event::FailsAlone && item.1 + 1 == ITEMS { 120 } else { 1 };
        for _ in 0..rounds {
            thread::yield_now();
        }
        if event == Event::Cancels && item.1 == at {
            stop.cancel();
        }
        busy.fetch_sub(1, SeqCst);
        assert!(event != Event::Panics || item.1 != at, "call");
        match event {
            Event::Fails if item.1 == at => Err("call"),
            Event::FailsAlone if item.1 >= at => Err("call"),
            _ => Ok(item),
        }
    };
    let decide = move |_: ItemError<&'static str>| {
        if event == Event::FailsAlone { Ok(()) } else { Err("call") }
    };
    let after =
        move |item: Counted| if event == Event::FailsAfter && item.1 == at { Err("after") } else { Ok(item) };
    // The last batch is passed on by whoever finds that no more comes.
    let outcome = if ordered {
        let blocking = pipeline.try_blocking("wait", threads, call).handle_errors(decide).batch(2);
        let blocking = blocking.flat_map("unpack", |batch| batch).try_map("after", after);
        blocking.for_each("note", |item| seen.push(item.1)).run(&token)
    } else {
        let blocking = pipeline.try_blocking_unordered("wait", threads, call).handle_errors(decide).batch(2);
        let blocking = blocking.flat_map("unpack", |batch| batch).try_map("after", after);
        blocking.unordered().for_each("note", |item| seen.push(item.1)).run(&token)
    };
    let last = if event == Event::FailsAlone { at } else { ITEMS };
    let expected: Vec<_> = (0..last).collect();
    if ordered {
        assert!(expected.starts_with(&seen), "{seen:?} of {expected:?}");
    }
    seen.sort_unstable();
    assert!(seen.windows(2).all(|pair| pair[0] < pair[1]), "{seen:?}");
    let closes = |report: &Report| {
        for pair in report.stages().windows(2) {
            assert_eq!(pair[0].items_out(), pair[1].items_in(), "{report}");
            assert!(pair[1].passed() <= pair[1].items_in(), "{report}");
        }
    };
    let there = |report: &Report| report.stage("wait").map_or(0, gristmill::pipeline::StageReport::threads);
    let there = match &outcome {
        Ok(report) => {
            let ends_well = matches!(event, Event::Nothing | Event::FailsAlone | Event::Cancels);
            assert!(ends_well && seen == expected, "{seen:?}");
            assert_eq!((report.read(), report.finished()), (ITEMS as u64, ITEMS as u64));
            closes(report);
            there(report)
        }
        Err(error) => {
            let index = match error.kind() {
                PipelineErrorKind::Cancelled(_) => None,
                PipelineErrorKind::Failed { index, .. } | PipelineErrorKind::Panicked { index, .. } => {
                    Some(*index)
                }
                other => panic!("{other:?}"),
            };
            // Behind batches an item has the index of the first one in its batch.
            if event != Event::FailsAfter {
                assert_eq!(index, (event != Event::Cancels).then_some(at as u64), "{event:?}");
            }
            if ordered && event != Event::Cancels {
                assert_eq!(seen.len(), at, "{event:?}");
            }
            closes(error.report());
            there(error.report())
        }
    };
    assert_eq!((under_way.load(SeqCst), alive.load(SeqCst)), (0, 0), "{event:?}");
    there
}

fn check_event(name: &str, event: Event) {
    let rows = [
        (1, 1, 1, true, 2),
        (1, 3, 2, true, 3),
        (2, 1, 1, false, 2),
        (2, 3, 2, false, 1),
        (2, 3, 2, true, 1),
        (2, ITEMS, 1, true, 3),
    ];
    for (workers, window, threads, ordered, at) in rows {
        let setting = Setting { workers, window, threads, ordered, at };
        check(name, rows.len(), move || assert_eq!(run(setting, event), threads));
    }
}

#[test]
fn every_item_comes_through_once() {
    check_event("every_item_comes_through_once", Event::Nothing);
}

#[test]
fn error_in_front_of_the_stage() {
    check_event("error_in_front_of_the_stage", Event::FailsBefore);
}

#[test]
fn error_in_the_stage() {
    check_event("error_in_the_stage", Event::Fails);
}

#[test]
fn errors_that_the_run_goes_on_without() {
    check_event("errors_that_the_run_goes_on_without", Event::FailsAlone);
}

#[test]
fn error_behind_the_stage() {
    check_event("error_behind_the_stage", Event::FailsAfter);
}

#[test]
fn panic_in_the_stage() {
    check_event("panic_in_the_stage", Event::Panics);
}

#[test]
fn cancellation() {
    check_event("cancellation", Event::Cancels);
}

#[test]
fn threads_that_cannot_be_created_are_done_without() {
    for event in [Event::Nothing, Event::FailsAlone, Event::Fails] {
        for (fails_at, there) in [(1, 0), (2, 1), (3, 2)] {
            check("threads_that_cannot_be_created_are_done_without", 9, move || {
                let _fault = fault::fail_spawn_at(fails_at);
                let setting = Setting { workers: 2, window: 3, threads: 2, ordered: true, at: 2 };
                assert_eq!(run(setting, event), there);
            });
        }
        check("only_the_calling_thread_is_there", 3, move || {
            let _fault = fault::fail_every_spawn();
            for ordered in [true, false] {
                let setting = Setting { workers: 2, window: 3, threads: 2, ordered, at: 2 };
                assert_eq!(run(setting, event), 0);
            }
        });
    }
}

/// The source gives an item only when the one before is through, while the only worker waits for it.
#[test]
fn lone_item_goes_through_while_the_source_waits() {
    for workers in [1, 2] {
        check("lone_item_goes_through_while_the_source_waits", 2, move || {
            let (sender, receiver) = channel::bounded(1);
            sender.send(0).expect("there is room");
            let mut sender = Some(sender);
            let mut next = |item: usize| {
                if item < 2 {
                    sender.as_ref().expect("not the last").send(item + 1).expect("it is received");
                } else {
                    sender = None;
                }
            };
            let report = Pipeline::from_receiver(receiver)
                .workers(workers)
                .window(3)
                .blocking("wait", 2, |item| item)
                .for_each("next", &mut next)
                .run(&CancellationToken::new())
                .expect("nothing fails");
            assert_eq!(report.finished(), 3);
        });
    }
}

#[test]
fn iterator_that_is_dropped_half_way_ends_its_threads() {
    for (workers, pulled) in [(1, 0), (1, 2), (2, 1), (2, 4)] {
        check("iterator_that_is_dropped_half_way_ends_its_threads", 4, move || {
            let mut items = Pipeline::from_iter(0..ITEMS)
                .workers(workers)
                .window(3)
                .blocking("wait", 2, |item| item)
                .into_iter_with(&CancellationToken::new())
                .expect("the settings make sense");
            for expected in 0..pulled {
                assert_eq!(items.next().expect("not the last").expect("nothing fails"), expected);
            }
            drop(items);
        });
    }
}
