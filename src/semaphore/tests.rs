//! What can be seen from inside only: how many threads a loop starts, and what it does without them.

use super::Semaphore;
use crate::sync::{fault, thread};

/// On how many threads besides the calling one a loop ran whose `k`-th thread could not be created.
fn threads_without(k: usize) -> usize {
    let _fault = fault::fail_spawn_at(k);
    let here = thread::current().id();
    let mut ran = Semaphore::new(4).map(0..20, |_| thread::current().id()).expect("it needs no more");
    assert_eq!(ran.len(), 20);
    ran.retain(|id| *id != here);
    ran.sort_unstable_by_key(|id| format!("{id:?}"));
    ran.dedup();
    ran.len()
}

#[test]
fn loop_that_cannot_have_a_thread_does_with_those_that_it_has() {
    assert_eq!(threads_without(1), 0, "the calling thread does all of it");
    assert!(threads_without(2) <= 1, "the next ones are not tried");
    assert!(threads_without(3) <= 2);
}

#[test]
fn loop_has_as_many_threads_as_it_can_use_and_no_more_than_the_limit() {
    assert_eq!(Semaphore::new(3).loop_threads(10), 3);
    assert_eq!(Semaphore::new(10).loop_threads(3), 3);
    assert_eq!(Semaphore::new(0).loop_threads(3), 0);
    assert_eq!(Semaphore::new(usize::MAX).loop_threads(usize::MAX), Semaphore::MAX_LOOP_THREADS);
}
