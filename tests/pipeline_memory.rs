//! Memory does not grow with the number of items. Alone in its process: it replaces the allocator.
#![cfg(not(any(gristmill_shuttle, gristmill_loom)))]

use gristmill::{CancellationToken, Pipeline};

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
fn memory_is_the_same_for_fifty_times_the_items() {
    for window in [1, 2, 64, 1024] {
        peak(100, window, |number| number); // the panic hook and the like are there from now on
        let (few, many) = (peak(2000, window, Box::new), peak(100_000, window, Box::new));
        assert!(many <= few * 2 + 1000, "{few} bytes, then {many}, with a window of {window}");
    }
}

#[test]
fn memory_is_the_same_for_fifty_times_the_items_without_size() {
    for window in [1, 2, 64, 1024] {
        peak(100, window, drop);
        let (few, many) = (peak(2000, window, drop), peak(100_000, window, drop));
        assert!(many <= few * 2 + 1000, "{few} bytes, then {many}, with a window of {window}");
    }
}
