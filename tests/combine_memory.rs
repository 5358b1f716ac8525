//! What a wait keeps of handles that have been taken: nothing. Counted by an allocator that is in this process only.
#![cfg(not(any(gristmill_shuttle, gristmill_loom)))]

use std::time::Duration;

use allocation_counter::measure;
use gristmill::Waitable;
use gristmill::combine::{after, as_completed};
use gristmill::waitable::ready;

/// The counter counts the allocations of the thread that asks, which does everything here.
#[test]
fn million_handles_pushed_and_taken_leave_nothing() {
    type Boxed = Box<dyn Waitable<Output = u32>>;
    let oldest: Boxed = Box::new(after(Duration::MAX).map(|_| 0));
    let mut ends = as_completed([oldest]);
    let left = measure(|| {
        for value in 1..=1_000_000 {
            let index = ends.push(Box::new(ready(value)));
            assert_eq!(ends.next(), Some((index, value)));
        }
    });
    assert!(left.bytes_max <= 16 * 1024, "{} bytes at the most", left.bytes_max);
    assert!(left.bytes_current <= 16 * 1024, "{} bytes left", left.bytes_current);
    assert_eq!(ends.into_rest().len(), 1, "the oldest is still waited for");
}
