//! Memory does not grow with the number of items. Alone in its process: it replaces the allocator.
#![cfg(not(any(gristmill_shuttle, gristmill_loom)))]

use gristmill::{CancellationToken, Pipeline};

/// What the figures of a report may take in a long run: 512 samples of the queues, and counts of durations up to a second in some twenty
/// histograms, while they grow. A quarter of a byte for each item would be more.
const FIGURES: u64 = 100_000;
const MANY: u64 = 400_000;

/// The most bytes that a run of `items` items had on its (only) thread.
fn peak<T: Send>(items: u64, window: usize, call: impl Fn(u64) -> T + Send + Sync) -> u64 {
    let run = || {
        Pipeline::from_iter(0..items)
            .workers(1)
            .window(window)
            .map("map", call)
            .for_each("drop", drop)
            .run(&CancellationToken::new())
            .expect("nothing fails");
    };
    allocation_counter::measure(run).bytes_max
}

#[test]
fn memory_does_not_grow_with_the_items() {
    for window in [1, 2, 64, 1024] {
        peak(100, window, |number| number); // the panic hook and the like are there from now on
        let (few, many) = (peak(2000, window, Box::new), peak(MANY, window, Box::new));
        assert!(many <= few * 2 + FIGURES, "{few} bytes, then {many}, with a window of {window}");
    }
}

#[test]
fn memory_does_not_grow_with_the_items_without_size() {
    for window in [1, 2, 64, 1024] {
        peak(100, window, drop);
        let (few, many) = (peak(2000, window, drop), peak(MANY, window, drop));
        assert!(many <= few * 2 + FIGURES, "{few} bytes, then {many}, with a window of {window}");
    }
}

#[test]
fn memory_does_not_grow_with_the_items_that_are_dropped_in_front_of_a_serial_stage() {
    for window in [64, 1024] {
        let peak = |items: u64| {
            let run = || {
                Pipeline::from_iter(0..items)
                    .workers(1)
                    .window(window)
                    .filter("rare", |number| number % 100 == 0)
                    .serial("serial", |number| number)
                    .for_each("drop", drop)
                    .run(&CancellationToken::new())
                    .expect("nothing fails");
            };
            allocation_counter::measure(run).bytes_max
        };
        peak(100);
        let (few, many) = (peak(2000), peak(10 * MANY));
        assert!(many <= few * 2 + FIGURES, "{few} bytes, then {many}, with a window of {window}");
    }
}
