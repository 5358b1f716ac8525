//! The lazy forms: pulled in part, dropped, leaked, asked again after the end, asked for their report.

use gristmill::{CancellationToken, Pipeline};

use super::support::{Ledger, grid};

#[test]
fn iterator_gives_the_results_in_order_and_then_none_for_ever() {
    for (workers, window) in grid() {
        let mut numbers = Pipeline::from_iter(0..3000)
            .workers(workers)
            .window(window)
            .map("double", |number| number * 2)
            .into_iter_with(&CancellationToken::new())
            .unwrap();
        for number in 0..3000 {
            assert_eq!(numbers.next().unwrap().unwrap(), number * 2);
        }
        assert!((0..5).all(|_| numbers.next().is_none()));
        let report = numbers.finish().unwrap();
        assert_eq!((report.read(), report.finished(), report.unfinished()), (3000, 3000, 0));
        assert_eq!(report.stage("iterator").unwrap().items_in(), 3000);
    }
}

#[test]
fn results_end_with_none_for_ever_and_the_report_is_complete() {
    for (workers, window) in grid() {
        let (count, outcome) = Pipeline::from_iter(0..3000)
            .workers(workers)
            .window(window)
            .serial("pass", |number| number)
            .map("double", |number| number * 2)
            .with_iter(&CancellationToken::new(), |mut numbers| {
                let count = numbers.by_ref().zip(0..).map(|(is, number)| assert_eq!(is, number * 2)).count();
                assert!((0..5).all(|_| numbers.next().is_none()));
                count
            });
        assert_eq!((count, outcome.unwrap().finished()), (Some(3000), 3000));
    }
}

#[test]
fn iterator_dropped_early_drops_every_item_and_is_no_error() {
    for (workers, window) in grid() {
        let ledger: &'static Ledger = Box::leak(Box::default());
        for taken in [0, 1, 100] {
            let source = || (0..3000).map(|number| ledger.item(number));
            let make =
                || Pipeline::from_iter(source()).workers(workers).window(window).map("pass", |item| item);
            let mut items = make().into_iter_with(&CancellationToken::new()).unwrap();
            assert!(items.by_ref().take(taken).map(|item| item.unwrap().number).eq(0..taken as u64));
            drop(items);
            assert_eq!(ledger.live(), 0);
            let mut items = make().into_iter_with(&CancellationToken::new()).unwrap();
            assert_eq!(items.by_ref().take(taken).count(), taken);
            let report = items.finish().unwrap();
            assert_eq!(report.read(), report.finished() + report.unfinished());
            assert!(report.read() <= (taken + window) as u64);
            assert_eq!(ledger.live(), 0);
            let (count, outcome) =
                make().with_iter(&CancellationToken::new(), |items| items.take(taken).count());
            assert_eq!(count, Some(taken));
            outcome.unwrap();
            assert_eq!(ledger.live(), 0);
        }
    }
}

#[test]
fn report_of_a_partly_pulled_iterator_counts_what_was_pulled() {
    for (workers, window) in grid() {
        for taken in [0, 1, 100, 3000] {
            let (_, outcome) = Pipeline::from_iter(0..3000)
                .workers(workers)
                .window(window)
                .map("pass", |number| number)
                .with_iter(&CancellationToken::new(), |numbers| numbers.take(taken).count());
            let report = outcome.unwrap();
            assert_eq!(report.finished(), taken as u64, "{workers} workers, window {window}\n{report}");
            let iterator = report.stage("iterator").unwrap();
            assert_eq!((iterator.passed(), iterator.items_out()), (taken as u64, taken as u64));
        }
    }
}

#[test]
fn results_that_are_leaked_keep_no_thread_and_give_the_report() {
    for (workers, window) in grid() {
        for taken in [0, 1, 100] {
            let (_, outcome) = Pipeline::from_iter(0..3000)
                .workers(workers)
                .window(window)
                .map("pass", |number| number)
                .with_iter(&CancellationToken::new(), |mut numbers| {
                    assert_eq!(numbers.by_ref().take(taken).count(), taken);
                    std::mem::forget(numbers);
                });
            let report = outcome.unwrap();
            assert_eq!(report.read(), report.finished() + report.unfinished());
        }
    }
}

#[test]
fn cancelled_run_ends_the_iterators_with_the_cancellation() {
    for (workers, window) in grid() {
        let token = CancellationToken::new();
        let mut numbers = Pipeline::from_iter(0..)
            .workers(workers)
            .window(window)
            .map("pass", |number: u64| number)
            .into_iter_with(&token)
            .unwrap();
        assert_eq!(numbers.by_ref().take(100).filter_map(Result::ok).count(), 100);
        token.cancel_with("enough");
        let last = numbers.by_ref().last().unwrap();
        assert!(last.unwrap_err().is_cancelled());
        assert!(numbers.next().is_none());

        let token = CancellationToken::new();
        let (rest, outcome) = Pipeline::from_iter(0..)
            .workers(workers)
            .window(window)
            .map("pass", |number: u64| number)
            .with_iter(&token, |mut numbers| {
                assert_eq!(numbers.by_ref().take(100).count(), 100);
                token.cancel_with("enough");
                numbers.count()
            });
        assert!(rest.unwrap() <= window);
        assert!(outcome.unwrap_err().is_cancelled());
    }
}

#[test]
fn body_that_stops_after_a_cancellation_gets_the_cancellation_all_the_same() {
    for (workers, window) in grid() {
        let token = CancellationToken::new();
        let (_, outcome) = Pipeline::from_iter(0..)
            .workers(workers)
            .window(window)
            .map("pass", |number: u64| number)
            .with_iter(&token, |mut numbers| {
                numbers.next();
                token.cancel_with("enough");
            });
        assert!(outcome.unwrap_err().is_cancelled());
    }
}
