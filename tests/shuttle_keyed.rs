//! Keyed stages in every order of events that the scheduler finds: items of one key never overlap and keep their order, results come out
//! in order where that is asked for, and every ending drops every item once.
//!
//! Time-outs are switched off, so a result that nobody passes on is a deadlock.
#![cfg(gristmill_shuttle)]

use std::sync::Arc;

use gristmill::pipeline::ItemError;
use gristmill::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use gristmill::sync::{model as execution, thread};
use gristmill::{CancellationToken, Pipeline, PipelineErrorKind, Report};

#[path = "support/model.rs"]
mod model;

/// What happens, and at which item.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Event {
    Nothing,
    FailsBefore,
    Fails,
    FailsAlone,
    FailsAfter,
    Panics,
    Cancels,
}

/// `rows`: how many rows a test has, which share its executions.
fn check(name: &str, rows: usize, body: impl Fn() + Send + Sync + 'static) {
    model::check_share(name, rows, move || {
        execution::forbid_timeouts();
        // With a window of 1 everything runs on one thread, and the PCT scheduler refuses what has no concurrency.
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
const KEYS: usize = 2;

fn run(window: usize, ordered: bool, event: Event, at: usize) {
    let alive = Arc::new(AtomicUsize::new(0));
    let source = Arc::clone(&alive);
    let items = (0..ITEMS).map(move |item| {
        source.fetch_add(1, SeqCst);
        Counted(Arc::clone(&source), item)
    });
    let token = CancellationToken::new();
    let stop = token.clone();
    let lanes: Arc<Vec<(AtomicUsize, AtomicUsize)>> =
        Arc::new((0..KEYS).map(|_| Default::default()).collect());
    let mut seen = Vec::new();
    let pipeline =
        Pipeline::from_iter(items).workers(2).window(window).try_map("before", move |item| match event {
            Event::FailsBefore if item.1 == at => Err("before"),
            Event::Cancels if item.1 == at => {
                stop.cancel();
                Ok(item)
            }
            _ => Ok(item),
        });
    let key = |item: &Counted| item.1 % KEYS;
    let call = move |item: Counted| {
        let (busy, last) = &lanes[item.1 % KEYS];
        assert_eq!(busy.fetch_add(1, SeqCst), 0, "two of a key at once");
        assert!(last.swap(item.1 + 1, SeqCst) <= item.1, "out of order");
        thread::yield_now();
        assert_eq!(busy.fetch_sub(1, SeqCst), 1);
        assert!(event != Event::Panics || item.1 != at, "call");
        let fails = matches!(event, Event::Fails | Event::FailsAlone) && item.1 == at;
        if fails { Err("call") } else { Ok(item) }
    };
    // The rest of the key goes with the item that fails alone; any other failure ends the run.
    let decide = move |_: ItemError<&'static str>| {
        if event == Event::FailsAlone { Ok(()) } else { Err("call") }
    };
    let after =
        move |item: Counted| if event == Event::FailsAfter && item.1 == at { Err("after") } else { Ok(item) };
    let outcome = if ordered {
        let keyed = pipeline.try_keyed("keyed", key, call).handle_errors(decide).drop_rest_of_key();
        keyed.try_map("after", after).for_each("note", |item| seen.push(item.1)).run(&token)
    } else {
        let keyed = pipeline.try_keyed_unordered("keyed", key, call).handle_errors(decide).drop_rest_of_key();
        keyed.try_map("after", after).unordered().for_each("note", |item| seen.push(item.1)).run(&token)
    };
    let expected: Vec<_> = (0..ITEMS)
        .filter(|item| event != Event::FailsAlone || *item < at || item % KEYS != at % KEYS)
        .collect();
    if ordered {
        assert!(expected.starts_with(&seen), "{seen:?} of {expected:?}");
    }
    seen.sort_unstable();
    assert!(seen.windows(2).all(|pair| pair[0] < pair[1]), "{seen:?}");
    let closes = |report: &Report| {
        for pair in report.stages().windows(2) {
            assert_eq!(pair[0].items_out(), pair[1].items_in(), "{report}");
            assert!(pair[1].passed() == pair[1].items_out(), "{report}");
        }
    };
    match outcome {
        Ok(report) => {
            let ends_well = matches!(event, Event::Nothing | Event::FailsAlone | Event::Cancels);
            assert!(ends_well && seen == expected, "{seen:?}");
            assert_eq!((report.read(), report.finished()), (ITEMS as u64, ITEMS as u64));
            closes(&report);
        }
        Err(error) => {
            let index = match error.kind() {
                PipelineErrorKind::Cancelled(_) => None,
                PipelineErrorKind::Failed { index, .. } | PipelineErrorKind::Panicked { index, .. } => {
                    Some(*index)
                }
                other => panic!("{other:?}"),
            };
            assert_eq!(index, (event != Event::Cancels).then_some(at as u64), "{event:?}");
            if ordered && event != Event::Cancels {
                assert_eq!(seen.len(), at, "{event:?}");
            }
            closes(error.report());
        }
    }
    assert_eq!(alive.load(SeqCst), 0, "{event:?}");
}

fn check_event(name: &str, event: Event) {
    let rows = [(1, true, 2), (3, true, 3), (3, false, 1), (ITEMS, true, 1)];
    for (window, ordered, at) in rows {
        check(name, rows.len(), move || run(window, ordered, event, at));
    }
}

#[test]
fn every_item_comes_through_once() {
    check_event("every_item_comes_through_once", Event::Nothing);
}

#[test]
fn error_in_front_of_the_keys() {
    check_event("error_in_front_of_the_keys", Event::FailsBefore);
}

#[test]
fn error_in_the_keyed_stage() {
    check_event("error_in_the_keyed_stage", Event::Fails);
}

#[test]
fn error_that_drops_the_rest_of_its_key() {
    check_event("error_that_drops_the_rest_of_its_key", Event::FailsAlone);
}

#[test]
fn error_behind_the_keys() {
    check_event("error_behind_the_keys", Event::FailsAfter);
}

#[test]
fn panic_in_the_keyed_stage() {
    check_event("panic_in_the_keyed_stage", Event::Panics);
}

#[test]
fn cancellation() {
    check_event("cancellation", Event::Cancels);
}

/// The failed item's credit leaves with the chunk it was in, before the failure has come to whoever takes the results.
#[test]
fn failure_in_front_of_the_keys_reaches_the_thread_that_owns_the_sink() {
    for (lazy, items) in [(false, 1), (true, 1), (false, 2), (true, 2)] {
        check(&format!("failure in front, lazy {lazy}, {items} items"), 4, move || {
            let pipeline = Pipeline::from_iter(0..items)
                .workers(2)
                .window(4)
                .try_serial("fail", move |item| if item + 1 == items { Err("no") } else { Ok(item) })
                .keyed("keyed", |item| item % KEYS, |item| item);
            let token = CancellationToken::new();
            let outcome = if lazy {
                pipeline.with_iter(&token, |results| results.count()).1.map(drop)
            } else {
                pipeline.for_each_local("see", drop).run(&token).map(drop)
            };
            assert_eq!(outcome.unwrap_err().index(), Some(items as u64 - 1));
        });
    }
}
