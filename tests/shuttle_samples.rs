//! A ring of samples that is read while its worker writes.
#![cfg(gristmill_shuttle)]

use std::sync::Arc;
use std::time::Duration;

use gristmill::observe::model::Ring;
use gristmill::sync::thread::Builder;

#[path = "support/model.rs"]
mod model;
use model::{Outcomes, check};

#[test]
fn reader_sees_only_what_was_recorded_and_a_maximum_above_it() {
    let outcomes = Outcomes::default();
    let seen = outcomes.clone();
    check("reader_sees_only_what_was_recorded_and_a_maximum_above_it", move || {
        let ring = Arc::new(Ring::new(2));
        let writer = {
            let ring = Arc::clone(&ring);
            // Every sample is new, rising and falling, and none is the zero that the ring starts with.
            Builder::new().spawn(move || [30, 50, 40, 60, 10].map(|value| ring.record(value))).unwrap()
        };
        let mut before = 0;
        for _ in 0..3 {
            let (recent, count, max) = ring.read();
            assert_eq!(recent.len() as u64, count.min(2));
            assert!(count >= before, "the count went back");
            before = count;
            for value in &recent {
                assert!([30, 50, 40, 60, 10].contains(value), "{value} was never recorded");
                assert!(*value <= max, "{value} is above the maximum {max}");
            }
            seen.add(count);
        }
        writer.join().unwrap();
        let (mut recent, count, max) = ring.read();
        recent.sort_unstable();
        assert_eq!((recent, count, max), (vec![10, 60], 5, 60));
        assert_eq!(ring.quantiles().p50(), Duration::from_nanos(10));
    });
    assert_eq!(outcomes.all(), [0, 1, 2, 3, 4, 5], "the reader came at every moment");
}
