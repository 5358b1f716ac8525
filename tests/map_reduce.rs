//! What map-reduce promises: order, associativity only, bounded memory, and the errors of all loops.
#![cfg(not(any(gristmill_shuttle, gristmill_loom)))]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use gristmill::pool::BulkError;
use gristmill::{CancellationToken, ThreadPool};
use proptest::prelude::*;

fn pool(workers: usize) -> ThreadPool {
    ThreadPool::builder().workers(workers).build().expect("good settings")
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn strings_are_joined_in_order(items in prop::collection::vec(0..100_u32, 0..300), workers in 1..5_usize) {
        let model = items.iter().map(u32::to_string).reduce(|left, right| left + &right);
        let joined = pool(workers).map_reduce_iter(items.clone(), |item| item.to_string(), |left, right| left + &right);
        assert_eq!(joined.expect("no panic"), model);
        let joined = ThreadPool::builder()
            .workers(workers)
            .scope(|pool| pool.map_reduce(&items, u32::to_string, |left, right| left + &right));
        assert_eq!(joined.expect("good settings").expect("no panic"), model);
    }
}

#[test]
fn results_alive_at_once_are_bounded_by_the_workers() {
    struct Counted(Arc<(AtomicUsize, AtomicUsize)>, u64);
    impl Counted {
        fn new(counts: &Arc<(AtomicUsize, AtomicUsize)>, value: u64) -> Self {
            let now = counts.0.fetch_add(1, SeqCst) + 1;
            counts.1.fetch_max(now, SeqCst);
            Self(Arc::clone(counts), value)
        }
    }
    impl Drop for Counted {
        fn drop(&mut self) {
            self.0.0.fetch_sub(1, SeqCst);
        }
    }
    let (count, workers) = (if cfg!(miri) { 200 } else { 100_000 }, 3);
    let counts = Arc::new((AtomicUsize::new(0), AtomicUsize::new(0)));
    let (mapping, reducing) = (Arc::clone(&counts), Arc::clone(&counts));
    let sum = pool(workers).map_reduce_iter(
        0..count,
        move |item| Counted::new(&mapping, item),
        move |left, right| Counted::new(&reducing, left.1 + right.1),
    );
    assert_eq!(sum.expect("no panic").expect("there are items").1, count * (count - 1) / 2);
    // Per worker two operands and their result, or the next item's; and what is put down, one more than workers.
    let most = counts.1.load(SeqCst);
    assert!(most <= 3 * workers + workers + 1, "{most}");
    assert_eq!(counts.0.load(SeqCst), 0, "nothing is left");
}

#[test]
fn nothing_reduces_to_nothing_and_one_is_not_reduced() {
    let pool = pool(2);
    let never = |_: u8, _: u8| unreachable!("there are no two");
    assert_eq!(pool.map_reduce_iter([], |item| item, never).expect("no panic"), None);
    assert_eq!(pool.map_reduce_iter([7], |item| item, never).expect("no panic"), Some(7));
}

#[test]
fn panics_of_either_function_are_errors() {
    let pool = pool(2);
    let error =
        pool.map_reduce_iter(0..100, |item| assert_ne!(item, 50), |(), ()| ()).expect_err("it panics");
    assert_eq!(error.index(), Some(50));
    let error = pool.map_reduce_iter(0..100, |item| item, |_, _| panic!("no sum")).expect_err("it panics");
    assert!(matches!(&error, BulkError::Panicked { source, .. } if source.to_string().contains("no sum")));
}

/// Panics when it is dropped.
struct Bomb(u32);

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("a bomb");
    }
}

/// Lets a bomb through unharmed, as results and items go.
fn defuse(bomb: Bomb) -> u32 {
    let value = bomb.0;
    std::mem::forget(bomb);
    value
}

#[test]
fn drops_that_panic_neither_abort_nor_hide_the_first_panic() {
    // One worker and one range at most: the accumulator is there, and so are the items behind the one that panics.
    for workers in [1, 3] {
        let pool = pool(workers);
        let fails = |item: u32| {
            assert_ne!(item, 50, "the function");
            Bomb(item)
        };
        let join = |left, right| Bomb(defuse(left).max(defuse(right)));
        let error = pool.map_reduce_iter(0..100, fails, join).err().expect("it panics");
        assert_eq!(error.index(), Some(50));
        let items = || (0..100).map(Bomb);
        let error = pool.map_reduce_iter(items(), move |item| fails(defuse(item)), join).err();
        assert_eq!(error.expect("it panics").index(), Some(50));
        let error = pool.map_iter(items(), move |item| fails(defuse(item))).err();
        assert_eq!(error.expect("it panics").index(), Some(50));
        let error = pool.for_each_iter(items(), move |item| assert!(fails(defuse(item)).0 < 100)).err();
        assert_eq!(error.expect("it panics").index(), Some(0), "the drop of the first result");
        let fails = move |item: &'static u32| fails(*item);
        let numbers: &'static [u32] = &[48, 49, 50, 51];
        let error = pool.map_reduce(numbers, fails, join).err();
        assert_eq!(error.expect("it panics").index(), Some(2));
        let error = pool.map(numbers, fails).err();
        assert_eq!(error.expect("it panics").index(), Some(2));
        assert_eq!(pool.map_iter([1], |item| item).expect("the pool is well"), [1]);
    }
}

#[test]
fn functions_whose_drops_panic_lose_no_error() {
    let pool = pool(2);
    let bomb = Bomb(0);
    let fails = move |item: u32| {
        let _ = &bomb;
        assert_ne!(item, 5, "the function");
    };
    let error = pool.map_reduce_iter(0..10, fails, |(), ()| ()).expect_err("it panics");
    assert_eq!(error.index(), Some(5));
}

#[test]
fn cancelled_token_ends_it() {
    let pool = pool(2);
    let token = CancellationToken::new();
    let inner = token.clone();
    let stop = move |item: u64| {
        if item == 1000 {
            inner.cancel();
        }
        item
    };
    let error = pool.map_reduce_iter_with(&token, 0.., stop, u64::wrapping_add).expect_err("it has no end");
    assert!(matches!(error, BulkError::Cancelled { .. }) && error.done() > 0);
    let items: &'static [u8] = &[1, 2];
    let error =
        pool.map_reduce_with(&token, items, |item| *item, |left, _| left).expect_err("cancelled before");
    assert_eq!(error.done(), 0);
}

#[test]
fn panic_of_what_an_iterator_says_of_its_length_is_a_panic_of_the_iterator() {
    /// Says how long it is so often.
    struct Unsure(std::cell::Cell<u32>);
    impl Iterator for Unsure {
        type Item = u32;
        fn next(&mut self) -> Option<u32> {
            Some(1)
        }
        fn size_hint(&self) -> (usize, Option<usize>) {
            self.0.set(self.0.get().checked_sub(1).expect("unsure"));
            (0, None)
        }
    }
    for workers in [1, 2] {
        let pool = pool(workers);
        for times in 1..12 {
            let unsure = || Unsure(std::cell::Cell::new(times));
            for error in [
                pool.map_iter(unsure(), |item| item).err(),
                pool.map_reduce_iter(unsure(), |item| item, u32::max).err(),
                pool.for_each_iter(unsure(), drop).err(),
            ] {
                let error = error.expect("it panics");
                assert!(
                    matches!(&error, BulkError::Panicked { source, .. } if source.message() == "unsure"),
                    "{error}"
                );
            }
            assert_eq!(pool.map_iter([1], |item| item).expect("the pool is well"), [1]);
        }
    }
}
