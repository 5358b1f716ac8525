//! Batches in every order of events that the scheduler finds: the rest is passed on when the source ends, whoever ends it, and
//! every ending drops every item once.
//!
//! Time-outs are switched off, so a rest that nobody passes on is a deadlock.
#![cfg(gristmill_shuttle)]

use std::sync::Arc;

use gristmill::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use gristmill::sync::{model as execution, thread};
use gristmill::{CancellationToken, Pipeline, PipelineErrorKind};

#[path = "support/model.rs"]
mod model;

/// What happens, and at which item.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Event {
    Nothing,
    FailsBefore,
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
struct Counted(Arc<AtomicUsize>, usize);

impl Drop for Counted {
    fn drop(&mut self) {
        assert!(self.0.fetch_sub(1, SeqCst) > 0, "dropped twice");
    }
}

const ITEMS: usize = 5;

fn run(window: usize, count: usize, unordered: bool, event: Event, at: usize) {
    let alive = Arc::new(AtomicUsize::new(0));
    let source = Arc::clone(&alive);
    let items = (0..ITEMS).map(move |item| {
        source.fetch_add(1, SeqCst);
        Counted(Arc::clone(&source), item)
    });
    let token = CancellationToken::new();
    let stop = token.clone();
    let mut seen = Vec::new();
    let pipeline = Pipeline::from_iter(items).workers(2).window(window);
    let pipeline = if unordered { pipeline.unordered() } else { pipeline };
    let outcome = pipeline
        .try_map("before", move |item| match event {
            Event::FailsBefore if item.1 == at => Err("before"),
            Event::Cancels if item.1 == at => {
                stop.cancel();
                Ok(item)
            }
            _ => Ok(item),
        })
        .batch_by_weight(count as u64, move |item| {
            assert!(event != Event::Panics || item.1 != at, "weight");
            1
        })
        .try_map("after", move |batch| {
            let fails = event == Event::FailsAfter && batch.iter().any(|item| item.1 == at);
            if fails { Err("after") } else { Ok(batch) }
        })
        .for_each("note", |batch| seen.extend(batch.iter().map(|item| item.1)))
        .run(&token);
    if !unordered {
        assert!(seen.iter().copied().eq(0..seen.len()), "a prefix: {seen:?}");
    }
    seen.sort_unstable();
    seen.dedup();
    match outcome {
        Ok(report) => {
            assert_eq!((event == Event::Nothing || event == Event::Cancels, seen.len()), (true, ITEMS));
            assert_eq!((report.read(), report.finished()), (ITEMS as u64, ITEMS as u64));
        }
        Err(error) => {
            let index = match error.kind() {
                PipelineErrorKind::Cancelled(_) => None,
                PipelineErrorKind::Failed { index, .. } | PipelineErrorKind::Panicked { index, .. } => {
                    usize::try_from(*index).ok()
                }
                other => panic!("{other}"),
            };
            let expected = match event {
                Event::Nothing => panic!("{error}"),
                Event::Cancels => None,
                Event::FailsBefore | Event::Panics => Some(at),
                Event::FailsAfter => Some(at / count * count),
            };
            assert_eq!(index, expected);
            if let (Some(index), false) = (index, unordered) {
                assert_eq!((seen.len(), error.report().finished()), (index, index as u64));
            }
        }
    }
    assert_eq!(alive.load(SeqCst), 0);
}

fn every_step(event: Event) {
    let rows = [(1, 2, false), (3, 2, false), (3, 4, true)];
    for (window, count, unordered) in rows {
        // In the middle of a batch, and the last of all.
        let places: &[usize] = if event == Event::Nothing { &[0] } else { &[1, ITEMS - 1] };
        let name = format!("{event:?}, window {window}, batches of {count}, unordered {unordered}");
        check(&name, rows.len(), move || {
            for at in places {
                run(window, count, unordered, event, *at);
            }
        });
    }
}

#[test]
fn end_of_the_source_passes_the_rest_on() {
    every_step(Event::Nothing);
}

#[test]
fn error_before_a_batch_passes_on_what_was_before() {
    every_step(Event::FailsBefore);
}

#[test]
fn error_after_a_batch_ends_the_run() {
    every_step(Event::FailsAfter);
}

#[test]
fn panic_of_a_weight_passes_on_what_was_before() {
    every_step(Event::Panics);
}

#[test]
fn cancellation_drops_what_is_held() {
    every_step(Event::Cancels);
}

/// Two batches, and items that share one source item: the second must not take the run for finished while the first holds the rest.
#[test]
fn batches_of_batches_lose_nothing() {
    for window in [1, 4] {
        check(&format!("batches of batches, window {window}"), 2, move || {
            let (mut seen, report) = Pipeline::from_iter(0..4_usize)
                .workers(2)
                .window(window)
                .unordered()
                .flat_map("twice", |item| [item, item])
                .batch(3)
                .filter("not the first", |batch| batch[0] != 0)
                .batch(2)
                .flat_map("open", |batches| batches.into_iter().flatten())
                .collect::<Vec<_>>()
                .run(&CancellationToken::new())
                .unwrap();
            seen.sort_unstable();
            assert_eq!((seen, report.finished()), (vec![1, 2, 2, 3, 3], 4));
        });
    }
}
