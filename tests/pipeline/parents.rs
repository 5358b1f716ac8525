//! The window counts an item that was expanded until the last of what it became is through: parents that are alive, whatever stage comes after
//! `flat_map_bounded`.

// A slow call sleeps: how many parents come in meanwhile is the question.
#![allow(clippy::disallowed_methods)]

use std::sync::Arc;
use std::time::Duration;

use gristmill::{CancellationToken, Clock, Pipeline, Report, SystemClock};

use super::support::{Item, Ledger, counts_close, within_limit};

const PARENTS: u64 = 30;

/// None, some, and more than a bound has room for.
fn copies(number: u64) -> u64 {
    [2, 0, 1, 130, 3, 0, 2, 5][usize::try_from(number % 8).unwrap()]
}

type Part = (Arc<Item>, u64);

fn parts(item: Item) -> impl Iterator<Item = Part> + Send {
    let (copies, item) = (copies(item.number), Arc::new(item));
    (0..copies).map(move |copy| (Arc::clone(&item), copy))
}

/// What a slow stage does: some of the first results take until the window is broken, or long enough for that.
fn hold(ledger: &Ledger, window: usize, (item, copy): &Part) {
    let slow = matches!(item.number, 0 | 2 | 19) && *copy == 0;
    let end = SystemClock.now() + Duration::from_millis(5);
    while slow && ledger.live() <= window && SystemClock.now() < end {
        std::thread::sleep(Duration::from_micros(100));
    }
}

#[derive(Clone, Copy, Debug)]
enum After {
    Keyed,
    KeyedByParent,
    Blocking,
    FilterThenBlocking,
    SerialThenKeyed,
    SerialThenMap,
    KeyedThenSerialThenMap,
    BatchThenMap,
    ExpandedAgainThenBlocking,
    SkippedThenBlocking,
    KeyedUnordered,
    BlockingUnordered,
}

impl After {
    fn keeps_order(self) -> bool {
        !matches!(self, Self::KeyedUnordered | Self::BlockingUnordered)
    }

    /// Which of the results the sink sees.
    fn sees(self, number: u64, copy: u64) -> bool {
        match self {
            // No result of some, and not the last of most.
            Self::FilterThenBlocking | Self::SkippedThenBlocking => number % 3 != 0 && copy % 2 == 0,
            _ => true,
        }
    }
}

/// Gives what the sink saw, and the most parents that were alive at once.
fn run(after: After, workers: usize, window: usize, most: usize) -> (Vec<(u64, u64)>, usize, Report) {
    let (ledger, mut seen) = (Ledger::default(), Vec::new());
    let slow = |part: Part| {
        hold(&ledger, window, &part);
        part
    };
    let sink = |(item, copy): Part| seen.push((item.number, copy));
    let kept = |item: &Item, copy: u64| after.sees(item.number, copy);
    let pipeline = Pipeline::from_iter(0..PARENTS)
        .workers(workers)
        .window(window)
        .map("load", |number| ledger.item(number))
        .flat_map_bounded("expand", most, parts);
    let token = CancellationToken::new();
    macro_rules! see {
        ($pipeline:expr) => {
            $pipeline.for_each("see", sink).run(&token).unwrap()
        };
    }
    let report = match after {
        After::Keyed => see!(pipeline.keyed("slow", |(_, copy)| copy % 7, slow)),
        After::KeyedByParent => see!(pipeline.keyed("slow", |(item, _)| item.number, slow)),
        After::Blocking => see!(pipeline.blocking("slow", 2, slow)),
        After::FilterThenBlocking => {
            see!(pipeline.filter("kept", |(item, copy)| kept(item, *copy)).blocking("slow", 2, slow))
        }
        After::SerialThenKeyed => {
            see!(pipeline.serial("pass", |part| part).keyed("slow", |(_, copy)| copy % 7, slow))
        }
        After::SerialThenMap => see!(pipeline.serial("pass", |part| part).map("slow", slow)),
        After::KeyedThenSerialThenMap => {
            let keyed = pipeline.keyed("keyed", |(_, copy)| copy % 7, |part| part);
            see!(keyed.serial("pass", |part| part).map("slow", slow))
        }
        After::BatchThenMap => {
            see!(pipeline.batch(1).flat_map("apart", |batch| batch).map("slow", slow))
        }
        After::ExpandedAgainThenBlocking => {
            see!(pipeline.flat_map_bounded("again", 3, Some).blocking("slow", 2, slow))
        }
        After::SkippedThenBlocking => {
            let keep =
                |(item, copy): Part| if kept(&item, copy) { Ok((item, copy)) } else { Err("not this one") };
            see!(
                pipeline
                    .try_keyed("some", |(_, copy)| copy % 7, keep)
                    .skip_errors()
                    .blocking("slow", 2, slow)
            )
        }
        After::KeyedUnordered => see!(pipeline.keyed_unordered("slow", |(_, copy)| copy % 7, slow)),
        After::BlockingUnordered => see!(pipeline.blocking_unordered("slow", 2, slow)),
    };
    assert_eq!(ledger.live(), 0);
    (seen, ledger.peak(), report)
}

/// Asserts what the window promises.
fn check(after: After) {
    for (workers, window) in [(1, 1), (1, 2), (1, 8), (3, 1), (3, 2), (3, 8)] {
        for most in [1, 4, 1000] {
            let (mut seen, peak, report) = within_limit(move || run(after, workers, window, most));
            let shape = format!("{after:?}, {workers} workers, a window of {window}, a bound of {most}");
            // Where no order is kept, what is left of a parent may have come in one chunk with the end of the one before, and count as that.
            let allowed = if after.keeps_order() { window } else { 2 * window };
            assert!(peak <= allowed, "{peak} parents alive: {shape}");
            if !after.keeps_order() {
                seen.sort_unstable();
            }
            let all = (0..PARENTS).flat_map(|number| (0..copies(number)).map(move |copy| (number, copy)));
            let expected: Vec<_> = all.filter(|(number, copy)| after.sees(*number, *copy)).collect();
            assert_eq!(seen, expected, "{shape}");
            counts_close(&report);
            assert_eq!((report.read(), report.finished()), (PARENTS, PARENTS), "{shape}");
        }
    }
}

#[test]
fn parents_alive_are_within_the_window_where_their_parts_have_keys() {
    check(After::Keyed);
    check(After::KeyedByParent);
}

#[test]
fn parents_alive_are_within_the_window_where_their_parts_wait_on_threads() {
    check(After::Blocking);
}

#[test]
fn parents_alive_are_within_the_window_where_parts_are_dropped() {
    check(After::FilterThenBlocking);
    check(After::SkippedThenBlocking);
}

#[test]
fn parents_alive_are_within_the_window_behind_a_serial_stage() {
    check(After::SerialThenKeyed);
    check(After::SerialThenMap);
    check(After::KeyedThenSerialThenMap);
}

#[test]
fn parents_alive_are_within_the_window_behind_a_batch() {
    check(After::BatchThenMap);
}

#[test]
fn parents_alive_are_within_the_window_where_parts_are_expanded_again() {
    check(After::ExpandedAgainThenBlocking);
}

#[test]
fn parents_alive_are_bounded_by_the_window_where_no_order_is_kept() {
    check(After::KeyedUnordered);
    check(After::BlockingUnordered);
}
