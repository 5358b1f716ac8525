//! `flat_map_bounded`: many items of one, in order, and only so many at a time.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use gristmill::pipeline::UndoneInputs;
use gristmill::{CancellationToken, Pipeline, PipelineControl, PipelineErrorKind};

use super::support::{Ledger, counts_close, grid, grind, vague, within_limit};

/// What becomes of an item: none, one, or many.
fn copies(number: u64) -> u64 {
    [0, 1, 7, 40, 0][usize::try_from(number % 5).unwrap()]
}

fn expanded(numbers: u64) -> Vec<(u64, u64)> {
    (0..numbers).flat_map(|number| (0..copies(number)).map(move |copy| (number, copy))).collect()
}

#[test]
fn results_are_those_of_flat_map_and_in_their_order() {
    for most in [1, 2, 30, usize::MAX] {
        for (workers, window) in grid() {
            let (results, report) = Pipeline::from_iter(0..200_u64)
                .workers(workers)
                .window(window)
                .flat_map_bounded("copy", most, |number| (0..copies(number)).map(move |copy| (number, copy)))
                .map("grind", |pair| {
                    grind(10);
                    pair
                })
                .collect::<Vec<_>>()
                .run(&CancellationToken::new())
                .unwrap();
            assert_eq!(results, expanded(200));
            counts_close(&report);
            let stage = report.stage("copy").unwrap();
            assert_eq!((stage.items_in(), stage.items_out()), (200, results.len() as u64));
            assert_eq!((report.read(), report.finished()), (200, 200));
        }
    }
}

#[test]
fn no_more_results_are_on_their_way_than_the_bound_allows() {
    for (workers, window) in grid() {
        for most in [1, 3, 100] {
            let ledger = Ledger::default();
            Pipeline::from_iter(0..3)
                .workers(workers)
                .window(window)
                .flat_map_bounded("make", most, |_| (0..2000).map(|number| ledger.item(number)))
                .filter("most", |item| item.number % 3 != 0)
                .map("same", |item| item)
                .serial("pass", |item| item)
                .keyed_unordered("keyed", |item| item.number % 7, |item| item)
                .for_each("drop", drop)
                .run(&CancellationToken::new())
                .unwrap();
            assert!(ledger.peak() <= most, "{} with a bound of {most}", ledger.peak());
            assert_eq!((ledger.made(), ledger.live()), (6000, 0));
        }
    }
}

#[test]
fn stages_of_all_kinds_may_follow_within_a_small_bound() {
    for (workers, window) in grid() {
        for most in [1, 5] {
            within_limit(move || {
                let (sum, report) = Pipeline::from_iter(0..30_u64)
                    .workers(workers)
                    .window(window)
                    .flat_map_bounded("tens", most, |number| (0..10).map(move |digit| number * 10 + digit))
                    .batch(32) // more than the bound
                    .map("same", |batch| batch)
                    .flat_map_bounded("apart", most, |batch| batch)
                    .keyed("keyed", |number| number % 3, |number| number)
                    .batch_by_weight(100, |number| *number)
                    .flat_map_bounded("again", most, |batch| {
                        batch.into_iter().filter(|number| number % 2 == 0)
                    })
                    .serial("serial", |number| number)
                    .keyed_unordered("passing", |number| number % 5, |number| number)
                    .unordered()
                    .fold("add", 0, |sum, number| sum + number)
                    .run(&CancellationToken::new())
                    .unwrap();
                assert_eq!(sum, (0..300).filter(|number| number % 2 == 0).sum::<u64>());
                counts_close(&report);
                assert_eq!(report.finished(), 30);
            });
        }
    }
}

#[test]
fn batch_larger_than_the_bound_holds_what_comes_on_top() {
    let ledger = Ledger::default();
    Pipeline::from_iter(0..1)
        .workers(2)
        .flat_map_bounded("make", 10, |_| (0..1000).map(|number| ledger.item(number)))
        .batch(50)
        .for_each("drop", drop)
        .run(&CancellationToken::new())
        .unwrap();
    assert!(ledger.peak() <= 50 + 10, "{} items", ledger.peak());
    assert_eq!(ledger.made(), 1000);
}

#[test]
fn failure_after_it_names_the_item_of_the_source_and_nothing_after_it_is_seen() {
    for (workers, window) in grid() {
        let mut seen = Vec::new();
        let error = Pipeline::from_iter(0..100_u64)
            .workers(workers)
            .window(window)
            .flat_map_bounded("copy", 20, |number| (0..10_u64).map(move |copy| (number, copy)))
            .try_map("check", |pair| if pair == (42, 3) { Err("no") } else { Ok(pair) })
            .for_each("see", |pair| seen.push(pair))
            .run(&CancellationToken::new())
            .unwrap_err();
        assert_eq!((error.stage(), error.index()), (Some("check"), Some(42)));
        let before = (0..42).flat_map(|number| (0..10).map(move |copy| (number, copy)));
        assert!(seen.into_iter().eq(before.chain((0..3).map(|copy| (42, copy)))));
        counts_close(error.report());
    }
}

/// An iterator that panics where it is told to.
struct Trap {
    left: u32,
    in_next: bool,
    in_drop: bool,
}

impl Iterator for Trap {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        assert!(!self.in_next || self.left != 2, "in next");
        self.left = self.left.checked_sub(1)?;
        Some(self.left)
    }
}

impl Drop for Trap {
    fn drop(&mut self) {
        assert!(!self.in_drop, "in drop");
    }
}

#[test]
fn panic_in_the_call_the_iterator_or_its_destructor_ends_the_run_after_what_came_before() {
    for (place, given) in [("call", 0), ("next", 2), ("drop", 4)] {
        for (workers, window) in grid() {
            let mut seen = 0;
            let error = Pipeline::from_iter(0..100)
                .workers(workers)
                .window(window)
                .flat_map_bounded("trap", 3, |number| {
                    let sprung = number == 42;
                    assert!(!(sprung && place == "call"), "in call");
                    Trap { left: 4, in_next: sprung && place == "next", in_drop: sprung && place == "drop" }
                })
                .for_each("count", |_| seen += 1)
                .run(&CancellationToken::new())
                .unwrap_err();
            let PipelineErrorKind::Panicked { index, panic } = error.kind() else { panic!("{error}") };
            assert_eq!((*index, panic.name(), panic.message()), (42, "trap", format!("in {place}").as_str()));
            assert_eq!(seen, 42 * 4 + given, "{place}");
            counts_close(error.report());
            assert_eq!(error.report().stage("trap").unwrap().panicked(), 1);
        }
    }
}

#[test]
fn item_that_never_ends_is_given_up_when_the_run_is_cancelled() {
    for (workers, window) in grid() {
        within_limit(move || {
            let token = CancellationToken::new();
            let mut seen = 0;
            let error = Pipeline::from_iter(0..3)
                .workers(workers)
                .window(window)
                .flat_map_bounded("endless", 16, |_| 0..)
                .for_each("count", |_: u64| {
                    seen += 1;
                    if seen == 500 {
                        token.cancel();
                    }
                })
                .run(&token)
                .unwrap_err();
            assert!(matches!(error.kind(), PipelineErrorKind::Cancelled(_)), "{error}");
            assert_eq!(seen, 500);
            counts_close(error.report());
        });
    }
}

#[test]
fn what_has_been_read_is_expanded_to_its_end_when_the_source_is_closed() {
    for (workers, window) in grid() {
        let control = PipelineControl::new();
        let (results, report) = Pipeline::from_iter(vague(0..1_000_000_u64))
            .workers(workers)
            .window(window)
            .controlled_by(&control)
            .flat_map_bounded("hundred", 8, |number| (0..100).map(move |copy| number * 100 + copy))
            .inspect("close", |number| {
                if *number == 250 {
                    control.close();
                }
            })
            .collect::<Vec<_>>()
            .run(&CancellationToken::new())
            .unwrap();
        assert!(results.iter().copied().eq(0..report.read() * 100));
        assert_eq!(report.finished(), report.read());
        assert!(report.read() < 1_000_000);
    }
}

#[test]
fn lazy_iterator_and_local_sink_take_expanded_items() {
    for (workers, window) in grid() {
        let seen = std::cell::Cell::new(0);
        Pipeline::from_iter(0..50)
            .workers(workers)
            .window(window)
            .flat_map_bounded("hundred", 9, |_| 0..100_usize)
            .for_each_local("count", |_| seen.set(seen.get() + 1))
            .run(&CancellationToken::new())
            .unwrap();
        assert_eq!(seen.get(), 5000);
        let (first, _) = Pipeline::from_iter(0..50)
            .workers(workers)
            .window(window)
            .flat_map_bounded("endless", 9, std::iter::repeat)
            .with_iter(&CancellationToken::new(), |items| items.take(300).collect::<Vec<_>>());
        assert_eq!(first.unwrap(), [0; 300]);
    }
}

#[test]
fn what_is_not_expanded_is_dropped_once() {
    let ledger = Ledger::default();
    let undone = UndoneInputs::new();
    let error = Pipeline::from_iter((0..100).map(|number| ledger.item(number)))
        .workers(2)
        .window(10)
        .return_undone(&undone)
        .flat_map_bounded("parts", 2, |item| {
            let item = Arc::new(item);
            (0..5).map(move |_| Arc::clone(&item))
        })
        .try_for_each("check", |item| if item.number == 20 { Err("enough") } else { Ok(()) })
        .run(&CancellationToken::new())
        .unwrap_err();
    assert_eq!(error.index(), Some(20));
    drop(undone.take());
    assert_eq!(ledger.live(), 0);
    counts_close(error.report());
}

#[test]
fn iterators_run_one_at_a_time_and_in_order() {
    let at_work = AtomicUsize::new(0);
    let order = Mutex::new(Vec::new());
    Pipeline::from_iter(0..500_u32)
        .workers(4)
        .flat_map_bounded("look", 64, |number| {
            assert_eq!(at_work.fetch_add(1, Ordering::SeqCst), 0, "two at once");
            order.lock().unwrap().push(number);
            grind(50);
            at_work.fetch_sub(1, Ordering::SeqCst);
            0..3
        })
        .map("grind", |_: u32| grind(50))
        .unordered()
        .for_each("drop", drop)
        .run(&CancellationToken::new())
        .unwrap();
    assert!(order.into_inner().unwrap().into_iter().eq(0..500));
}

#[test]
fn bound_of_zero_is_refused() {
    let error = Pipeline::from_iter(0..3)
        .flat_map_bounded("none", 0, Some)
        .for_each("drop", drop)
        .run(&CancellationToken::new())
        .unwrap_err();
    assert!(
        matches!(error.kind(), PipelineErrorKind::InvalidSetting { setting: "flat_map_bounded" }),
        "{error}"
    );
}

/// A worker that has gone idle asks for a share once, and is answered once.
#[test]
fn results_go_on_in_chunks_after_somebody_has_asked_for_a_share() {
    const RESULTS: u64 = 100_000;
    thread_local! {
        /// Results given since the last was worked on.
        static IN_A_ROW: Cell<u64> = const { Cell::new(0) };
    }
    let most = AtomicU64::new(0);
    Pipeline::from_iter(0..1)
        .workers(2)
        .flat_map_bounded("give", 256, |_: u64| {
            (0..RESULTS).inspect(|result| {
                IN_A_ROW.set(IN_A_ROW.get() + 1);
                if *result > RESULTS / 2 {
                    most.fetch_max(IN_A_ROW.get(), Ordering::SeqCst);
                }
            })
        })
        .map("work", |result| {
            IN_A_ROW.set(0);
            if result == 1000 {
                // What may be given meanwhile is soon, and the other worker has nothing to do then.
                (0..1_000_000).for_each(|_| std::hint::spin_loop());
            }
        })
        .for_each("drop", drop)
        .run(&CancellationToken::new())
        .expect("nothing fails");
    assert!(most.into_inner() > 1, "each went alone");
}
