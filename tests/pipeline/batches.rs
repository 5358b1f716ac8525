//! Batches: whole, in order, flushed at the end, bounded, and nothing lost whatever ends the run.

use std::sync::atomic::{AtomicUsize, Ordering};

use gristmill::pipeline::StageKind;
use gristmill::{CancellationToken, Pipeline, PipelineErrorKind};

use super::support::{Ledger, grid, grind, vague, within_limit};

const ITEMS: u64 = 1000;

/// What gathering `items` by `count` gives.
fn chunks(items: &[u64], count: usize) -> Vec<Vec<u64>> {
    items.chunks(count).map(<[u64]>::to_vec).collect()
}

#[test]
fn batches_are_neighbours_in_order_and_the_last_is_the_rest() {
    for (workers, window) in grid() {
        for count in [1, 2, 7, 300, 5000] {
            let run = move || {
                Pipeline::from_iter(vague(0..ITEMS))
                    .workers(workers)
                    .window(window)
                    .inspect("uneven", |item| _ = grind(item % 64))
                    .batch(count)
                    .collect::<Vec<_>>()
                    .run(&CancellationToken::new())
                    .unwrap()
            };
            let (batches, report) = within_limit(run);
            let all: Vec<_> = (0..ITEMS).collect();
            assert_eq!(batches, chunks(&all, count), "{workers} workers, window {window}");
            assert_eq!((report.read(), report.finished(), report.unfinished()), (ITEMS, ITEMS, 0));
            let stage = report.stage("batch").unwrap();
            assert_eq!((stage.kind(), stage.items_in()), (StageKind::Serial, ITEMS));
            assert_eq!(stage.items_out(), batches.len() as u64);
        }
    }
}

#[test]
fn stages_before_and_after_a_batch_may_filter_and_multiply() {
    for (workers, window) in grid() {
        let run = move || {
            Pipeline::from_iter(0..ITEMS)
                .workers(workers)
                .window(window)
                .filter("few", |item| item % 100 == 0)
                .flat_map("thrice", |item| [item, item + 1, item + 2])
                .batch(4)
                .flat_map("open", |batch| batch)
                .filter("even", |item| item % 2 == 0)
                .batch_by_key(3, |item| item / 500)
                .collect::<Vec<_>>()
                .run(&CancellationToken::new())
                .unwrap()
                .0
        };
        let even: Vec<u64> = (0..ITEMS).step_by(100).flat_map(|item| [item, item + 2]).collect();
        let (low, high) = even.split_at(10);
        let expected = [chunks(low, 3), chunks(high, 3)].concat();
        assert_eq!(within_limit(run), expected, "{workers} workers, window {window}");
    }
}

#[test]
fn weight_closes_a_batch_before_it_is_too_heavy() {
    let weights = [3, 4, 5, 20, 0, 10, 1, 9, u64::MAX, u64::MAX, 2];
    for (workers, window) in grid() {
        let (batches, _) = Pipeline::from_slice(&weights)
            .workers(workers)
            .window(window)
            .batch_by_weight(10, |weight| **weight)
            .map("own", |batch| batch.into_iter().copied().collect::<Vec<_>>())
            .collect::<Vec<_>>()
            .run(&CancellationToken::new())
            .unwrap();
        let expected: [&[u64]; 8] = [&[3, 4], &[5], &[20], &[0, 10], &[1, 9], &[u64::MAX], &[u64::MAX], &[2]];
        assert_eq!(batches, expected);
    }
}

#[test]
fn empty_source_gives_no_batch_and_zero_is_refused() {
    let run =
        |count| Pipeline::from_iter(0..0_u8).batch(count).collect::<Vec<_>>().run(&CancellationToken::new());
    assert_eq!(run(3).unwrap().0, Vec::<Vec<u8>>::new());
    let refused = run(0).unwrap_err();
    assert!(matches!(refused.kind(), PipelineErrorKind::InvalidSetting { setting: "batch" }));
    let refused = Pipeline::from_iter(0..3)
        .batch_by_weight(0, |_| 1)
        .collect::<Vec<_>>()
        .run(&CancellationToken::new())
        .unwrap_err();
    assert!(matches!(refused.kind(), PipelineErrorKind::InvalidSetting { setting: "batch_by_weight" }));
    let refused = Pipeline::from_iter(0..3)
        .batch_by_key(0, |_| ())
        .collect::<Vec<_>>()
        .run(&CancellationToken::new())
        .unwrap_err();
    assert!(matches!(refused.kind(), PipelineErrorKind::InvalidSetting { setting: "batch_by_key" }));
    assert_eq!(run(usize::MAX).unwrap().1.finished(), 0);
}

#[test]
fn only_the_batch_that_is_being_filled_comes_on_top_of_the_window() {
    const COUNT: usize = 50;
    for (workers, window) in grid() {
        let (ledger, outside) = (Ledger::default(), AtomicUsize::new(0));
        Pipeline::from_iter((0..ITEMS).map(|number| ledger.item(number)))
            .workers(workers)
            .window(window)
            .batch(COUNT)
            .map("grind", |batch| {
                grind(500);
                batch
            })
            .for_each("drop", |batch| {
                outside.fetch_add(batch.len(), Ordering::SeqCst);
                drop(batch);
            })
            .run(&CancellationToken::new())
            .unwrap();
        assert_eq!((ledger.live(), outside.load(Ordering::SeqCst)), (0, 1000));
        assert!(ledger.peak() <= window + 2 * COUNT, "{} with a window of {window}", ledger.peak());
    }
}

#[test]
fn error_before_a_batch_comes_after_the_items_before_it() {
    for (workers, window) in grid() {
        let mut seen = Vec::new();
        let error = Pipeline::from_iter(0..ITEMS)
            .workers(workers)
            .window(window)
            .try_map("check", |item| if item == 508 { Err("508") } else { Ok(item) })
            .batch(100)
            .for_each("note", |batch| seen.extend(batch))
            .run(&CancellationToken::new())
            .unwrap_err();
        assert_eq!((error.stage(), error.index()), (Some("check"), Some(508)));
        assert!(seen.iter().copied().eq(0..508), "{workers} workers, window {window}: {} seen", seen.len());
        assert_eq!(error.report().finished(), 508);
    }
}

#[test]
fn error_behind_a_filter_in_front_of_a_batch_is_the_error() {
    for (workers, window) in grid() {
        for (at, count) in [(3, 2), (508, 100), (0, 1), (999, 1000)] {
            let mut seen = Vec::new();
            let error = Pipeline::from_iter(0..ITEMS)
                .workers(workers)
                .window(window)
                .filter("all", |_| true)
                .try_map("check", |item| if item == at { Err("x") } else { Ok(item) })
                .batch(count)
                .for_each("note", |batch| seen.extend(batch))
                .run(&CancellationToken::new())
                .unwrap_err();
            assert_eq!((error.stage(), error.index()), (Some("check"), Some(at)), "{error}");
            assert!(seen.into_iter().eq(0..at), "{workers} workers, window {window}");
            assert_eq!(error.report().finished(), at);
        }
    }
}

#[test]
fn nothing_behind_a_full_batch_ends_the_run() {
    for (workers, window) in grid() {
        for (kept, count) in [(0, 1), (1, 1), (10, 5), (10, 3), (999, 999)] {
            let run = move || {
                Pipeline::from_iter(0..ITEMS)
                    .workers(workers)
                    .window(window)
                    .filter("first", move |item| *item < kept)
                    .batch(count)
                    .collect::<Vec<_>>()
                    .run(&CancellationToken::new())
                    .unwrap()
            };
            let (batches, report) = within_limit(run);
            assert_eq!(batches, chunks(&(0..kept).collect::<Vec<_>>(), count));
            assert_eq!(report.finished(), ITEMS);
        }
    }
}

#[test]
fn no_more_is_finished_than_was_read() {
    for (workers, window) in grid() {
        let source = [Ok(0), Ok(1), Ok(2), Err("x")];
        let error = Pipeline::from_try_iter(source)
            .workers(workers)
            .window(window)
            .unordered()
            .batch(1)
            .for_each("drop", drop)
            .run(&CancellationToken::new())
            .unwrap_err();
        // Without an order the failure may overtake a batch.
        assert_eq!((error.report().read(), error.report().finished().max(3)), (4, 3), "{error}");
        let (token, mut batches) = (CancellationToken::new(), 0);
        let error = Pipeline::from_iter(0..ITEMS)
            .workers(workers)
            .window(window)
            .filter("odd", |item| item % 2 == 1)
            .batch(1)
            .for_each("stop", |_| {
                batches += 1;
                if batches == 3 {
                    token.cancel();
                }
            })
            .run(&token)
            .unwrap_err();
        let report = error.report();
        let ended = report.stage("odd").unwrap().filtered() + report.stage("stop").unwrap().passed();
        assert!(report.finished() <= ended, "{report}");
    }
}

#[test]
fn batches_of_batches_count_for_the_window_until_they_have_left() {
    for (workers, window) in [(1, 1), (2, 8), (4, 64)] {
        let ledger = Ledger::default();
        let token = CancellationToken::new();
        let error = Pipeline::from_iter((0..ITEMS).map(|number| ledger.item(number)))
            .workers(workers)
            .window(window)
            .batch(10)
            .map("weigh", |batch| batch.len())
            .batch(10)
            .for_each("stop", |_| _ = token.cancel())
            .run(&token)
            .unwrap_err();
        let finished = error.report().finished();
        assert!(finished <= 100, "one batch of a hundred has left, and {finished} are said to have");
    }
}

#[test]
fn items_of_one_source_item_do_not_switch_the_window_off() {
    let read = AtomicUsize::new(0);
    let mut most = 0;
    Pipeline::from_iter((0..40_usize).inspect(|_| _ = read.fetch_add(1, Ordering::SeqCst)))
        .workers(2)
        .window(1)
        .flat_map("many", |item| std::iter::repeat_n(item, 1001))
        .batch(1000)
        .for_each("look", |batch| {
            grind(2000);
            most = most.max(read.load(Ordering::SeqCst) - batch[0]);
        })
        .run(&CancellationToken::new())
        .unwrap();
    assert!(most <= 4, "{most} source items were read while one batch was in the sink");
}

#[test]
fn error_after_a_batch_names_its_first_item() {
    for (workers, window) in grid() {
        let mut seen = 0;
        let error = Pipeline::from_iter(0..ITEMS)
            .workers(workers)
            .window(window)
            .batch(100)
            .try_map("load", |batch| if batch.contains(&555) { Err("full") } else { Ok(batch) })
            .for_each("note", |batch| seen += batch.len())
            .run(&CancellationToken::new())
            .unwrap_err();
        assert_eq!((error.stage(), error.index(), seen), (Some("load"), Some(500), 500));
        assert_eq!(error.report().finished(), 500);
    }
}

#[test]
fn panic_of_the_weight_or_the_key_ends_the_run_behind_what_was_before() {
    for (workers, window) in grid() {
        let mut seen = Vec::new();
        let error = Pipeline::from_iter(0..ITEMS)
            .workers(workers)
            .window(window)
            .batch_by_weight(100, |item| {
                assert!(*item != 333, "too odd");
                1
            })
            .for_each("note", |batch| seen.extend(batch))
            .run(&CancellationToken::new())
            .unwrap_err();
        assert!(matches!(error.kind(), PipelineErrorKind::Panicked { index: 333, .. }), "{error}");
        assert_eq!(error.stage(), Some("batch"));
        assert!(seen.into_iter().eq(0..333));
        let stage = error.report().stage("batch").unwrap().clone();
        assert_eq!((stage.passed(), stage.items_out(), stage.failed(), stage.panicked()), (333, 4, 0, 1));
    }
}

#[test]
fn cancelled_run_drops_what_is_held_once() {
    for (workers, window) in grid() {
        let ledger = Ledger::default();
        let token = CancellationToken::new();
        let error = Pipeline::from_iter((0..ITEMS).map(|number| ledger.item(number)))
            .workers(workers)
            .window(window)
            .inspect("stop", |item| assert!(item.number != 400 || token.cancel()))
            .batch(300)
            .for_each("drop", drop)
            .run(&token)
            .unwrap_err();
        assert!(matches!(error.kind(), PipelineErrorKind::Cancelled(_)));
        assert_eq!(ledger.live(), 0);
        assert_eq!(ledger.made() as u64, error.report().read());
        assert!(error.report().finished() <= 300);
    }
}

#[test]
fn iterator_and_local_sink_take_batches_too() {
    for (workers, window) in grid() {
        let pipeline = || Pipeline::from_iter(0..ITEMS).workers(workers).window(window).batch(64);
        let (sizes, outcome) = pipeline()
            .map("size", |batch| batch.len())
            .with_iter(&CancellationToken::new(), |sizes| sizes.collect::<Vec<_>>());
        assert_eq!(outcome.unwrap().finished(), ITEMS);
        let sizes = sizes.expect("the settings are good");
        assert_eq!((sizes.len(), sizes.last()), (16, Some(&40)));
        let mut seen = 0;
        pipeline().for_each_local("add", |batch| seen += batch.len()).run(&CancellationToken::new()).unwrap();
        assert_eq!(seen, 1000);
    }
}

/// A sink that cancels the run at the batch that begins with the fourth item.
fn cancel_at_the_fourth(token: &CancellationToken) -> impl FnMut(Vec<u64>) + Send {
    move |batch: Vec<u64>| assert!(batch[0] != 3 || token.cancel())
}

#[test]
fn batch_finishes_what_it_stands_for_and_not_what_is_held_behind_it() {
    let pairs =
        || Pipeline::from_iter(0..10_u64).workers(1).window(1).flat_map("pair", |number| [number, number]);
    // A pair is closed by the next one, all of which is held then.
    let token = CancellationToken::new();
    let run = pairs().batch_by_key(100, |number| *number).for_each("stop", cancel_at_the_fourth(&token));
    let error = run.run(&token).unwrap_err();
    assert_eq!((error.report().read(), error.report().finished()), (5, 4));
    // By itself: nothing is held.
    let token = CancellationToken::new();
    let run = pairs().batch(2).for_each("stop", cancel_at_the_fourth(&token));
    let error = run.run(&token).unwrap_err();
    assert_eq!((error.report().read(), error.report().finished()), (4, 4));
}

/// The failure comes behind a batch that is dropped, with the credit of its items and no item.
#[test]
fn items_that_were_dropped_in_front_of_a_failure_are_finished_with_the_batch_that_goes_before_it() {
    let error = Pipeline::from_iter(0..10_u64)
        .workers(1)
        .window(1)
        .unordered()
        .try_map("check", |number| if number == 5 { Err("five") } else { Ok(number) })
        .batch(3)
        .filter("first", |batch| batch[0] == 0)
        .batch(10)
        .for_each("drop", drop)
        .run(&CancellationToken::new())
        .unwrap_err();
    assert_eq!((error.index(), error.report().read(), error.report().finished()), (Some(5), 6, 5));
}

/// All source items are through with the first batch, by their count, and the rest is held when the run is cancelled.
#[test]
fn run_is_not_finished_while_a_rest_is_held_for_which_no_source_item_stands() {
    let token = CancellationToken::new();
    let mut seen = Vec::new();
    let end = std::iter::from_fn(|| {
        token.cancel();
        None
    });
    let outcome = Pipeline::from_iter((0..2).chain(end))
        .workers(1)
        .window(1)
        .flat_map("thrice", |number| [number; 3])
        .batch(5)
        .for_each("note", |batch| seen.push(batch))
        .run(&token);
    assert!(outcome.is_err_and(|error| error.is_cancelled()), "the last one is lost");
    assert_eq!(seen, [[0, 0, 0, 1, 1]]);
}
