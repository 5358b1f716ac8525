//! The orderings of a ring of samples that is read while its worker writes: all executions.
#![cfg(gristmill_loom)]

use std::sync::Arc;

use gristmill::observe::model::Ring;
use gristmill::sync::thread::{self, Builder};

#[path = "support/model.rs"]
mod model;
use model::check;

#[test]
fn reader_sees_only_what_was_recorded_and_a_maximum_above_it() {
    check("reader_sees_only_what_was_recorded_and_a_maximum_above_it", || {
        let ring = Arc::new(Ring::new(2));
        let writer = {
            let ring = Arc::clone(&ring);
            Builder::new().spawn(move || (3..6).for_each(|value| ring.record(value))).unwrap()
        };
        // Without this, loom looks at a single execution: the one in which the reader comes first.
        thread::yield_now();
        let (recent, count, max) = ring.read();
        assert_eq!(recent.len() as u64, count.min(2));
        for value in recent {
            assert!([3, 4, 5].contains(&value), "{value} was never recorded");
            assert!(value <= max, "{value} is above the maximum {max}");
        }
        writer.join().unwrap();
        assert_eq!(ring.read().1, 3);
    });
}
