//! The window by weight.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use gristmill::pipeline::UndoneInputs;
use gristmill::{CancellationToken, Pipeline, PipelineControl, PipelineErrorKind};

use super::support::{counts_close, grid, grind, within_limit};

/// What the items weigh together that exist, and the most there was at once, of which one alone may be more than the limit.
#[derive(Default)]
struct Scales {
    now: AtomicU64,
    peak: AtomicU64,
}

struct Load {
    weight: u64,
    scales: Arc<Scales>,
}

impl Load {
    /// Takes up its weight once it is being worked on.
    fn new(weight: u64, scales: &Arc<Scales>) -> Self {
        let now = scales.now.fetch_add(weight, Ordering::SeqCst) + weight;
        scales.peak.fetch_max(now, Ordering::SeqCst);
        Self { weight, scales: Arc::clone(scales) }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.scales.now.fetch_sub(self.weight, Ordering::SeqCst);
    }
}

const WEIGHTS: [u64; 7] = [1, 30, 0, 99, 7, 100, 2];

fn weight(number: u64) -> u64 {
    WEIGHTS[usize::try_from(number % 7).unwrap()]
}

#[test]
fn items_inside_never_weigh_more_than_the_limit() {
    for (workers, window) in grid() {
        for ordered in [true, false] {
            let scales = Arc::new(Scales::default());
            let pipeline = Pipeline::from_iter(0..700_u64)
                .workers(workers)
                .window(window)
                .window_by_weight(100, |number| weight(*number))
                .map("load", |number| Load::new(weight(number), &scales))
                .filter("most", |load| load.weight != 7)
                .serial("pass", |load| load)
                .keyed_unordered("keyed", |load| load.weight, |load| load);
            let pipeline = if ordered { pipeline } else { pipeline.unordered() };
            let report = pipeline.for_each("drop", drop).run(&CancellationToken::new()).unwrap();
            assert!(scales.peak.load(Ordering::SeqCst) <= 100);
            assert_eq!(scales.now.load(Ordering::SeqCst), 0);
            assert_eq!((report.read(), report.finished()), (700, 700));
            counts_close(&report);
        }
    }
}

#[test]
fn item_that_weighs_more_than_the_limit_goes_alone() {
    for (workers, window) in grid() {
        for limit in [1, 50, u64::MAX] {
            let scales = Arc::new(Scales::default());
            let heavy = limit.min(u64::MAX / 4);
            let (results, _) = Pipeline::from_iter(0..200_u64)
                .workers(workers)
                .window(window)
                .window_by_weight(limit, |number| if number % 10 == 3 { u64::MAX } else { 1 })
                .map("load", |number| {
                    let alone = number % 10 == 3;
                    let load = Load::new(if alone { heavy } else { 1 }, &scales);
                    grind(100);
                    let now = scales.now.load(Ordering::SeqCst);
                    assert!(!alone || now == heavy, "{now}");
                    drop(load);
                    number
                })
                .collect::<Vec<_>>()
                .run(&CancellationToken::new())
                .unwrap();
            assert!(results.into_iter().eq(0..200));
        }
    }
}

#[test]
fn batch_that_weighs_more_than_the_limit_fills() {
    for (workers, window) in grid() {
        let (batches, _) = within_limit(move || {
            Pipeline::from_iter(0..100_u64)
                .workers(workers)
                .window(window)
                .window_by_weight(3, |_| u64::MAX)
                .filter("even", |number| number % 2 == 0)
                .batch(20)
                .map("count", |batch| batch.len())
                .collect::<Vec<_>>()
                .run(&CancellationToken::new())
                .unwrap()
        });
        assert_eq!(batches, [20, 20, 10]);
    }
}

#[test]
fn item_that_waits_for_room_goes_through_when_the_source_is_closed() {
    for (workers, window) in grid() {
        within_limit(move || {
            let (sender, receiver) = crossbeam_channel::bounded(10);
            for number in 0..10 {
                sender.send(number).unwrap();
            }
            let control = PipelineControl::new();
            let (results, report) = Pipeline::from_receiver(receiver.clone())
                .workers(workers)
                .window(window)
                .controlled_by(&control)
                .window_by_weight(10, |_| 10)
                .inspect("close", |number| {
                    if *number == 4 {
                        control.close();
                    }
                })
                .collect::<Vec<_>>()
                .run(&CancellationToken::new())
                .unwrap();
            let rest: Vec<_> = receiver.try_iter().collect();
            assert!(results.iter().chain(&rest).copied().eq(0..10), "{results:?} {rest:?}");
            assert_eq!(report.finished(), results.len() as u64);
            drop(sender);
        });
    }
}

#[test]
fn item_that_waits_for_room_is_given_back_when_the_run_fails() {
    for (workers, window) in grid() {
        let undone = UndoneInputs::new();
        let mut numbers = 0..10;
        let error = Pipeline::from_iter(&mut numbers)
            .workers(workers)
            .window(window)
            .window_by_weight(10, |_| 10)
            .return_undone(&undone)
            .try_map("refuse", |number| if number == 4 { Err("four") } else { Ok(number) })
            .for_each("drop", drop)
            .run(&CancellationToken::new())
            .unwrap_err();
        assert_eq!(error.index(), Some(4));
        let back: Vec<_> = undone
            .take()
            .into_iter()
            .map(|(index, number)| {
                assert_eq!(index, number);
                number
            })
            .collect();
        assert!(back.into_iter().chain(numbers).eq(5..10));
        counts_close(error.report());
    }
}

#[test]
fn items_weigh_by_themselves_in_a_bounded_expansion() {
    let scales = Arc::new(Scales::default());
    let (count, report) = Pipeline::from_iter(0..50_u64)
        .workers(2)
        .window_by_weight(100, |number| weight(*number))
        .map("load", |number| Arc::new(Load::new(weight(number), &scales)))
        .flat_map_bounded("parts", 8, |load| (0..20).map(move |_| Arc::clone(&load)))
        .fold("count", 0, |count, _| count + 1)
        .run(&CancellationToken::new())
        .unwrap();
    assert_eq!((count, report.finished()), (1000, 50));
    assert!(scales.peak.load(Ordering::SeqCst) <= 100);
}

#[test]
fn limit_of_zero_is_refused() {
    let pipeline = Pipeline::from_iter(0..3).window_by_weight(0, |_| 1);
    let error = pipeline.for_each("drop", drop).run(&CancellationToken::new()).unwrap_err();
    let refused = matches!(error.kind(), PipelineErrorKind::InvalidSetting { setting: "window_by_weight" });
    assert!(refused, "{error}");
}

#[test]
fn of_two_limits_the_last_is_the_one() {
    let scales = Arc::new(Scales::default());
    let report = Pipeline::from_iter(0..500_u64)
        .workers(4)
        .window_by_weight(2, |_| 1)
        .window_by_weight(100, |number| weight(*number))
        .map("load", |number| {
            let load = Load::new(weight(number), &scales);
            grind(200);
            load
        })
        .for_each("drop", drop)
        .run(&CancellationToken::new())
        .unwrap();
    assert_eq!(report.finished(), 500);
    assert!(scales.peak.load(Ordering::SeqCst) <= 100);
}

#[test]
fn panic_while_weighing_ends_the_run_as_one_of_the_source() {
    let error = Pipeline::from_iter(0..10)
        .window_by_weight(5, |number| if *number == 6 { panic!("too heavy") } else { 1 })
        .for_each("drop", drop)
        .run(&CancellationToken::new())
        .unwrap_err();
    let PipelineErrorKind::Panicked { index, panic } = error.kind() else { panic!("{error}") };
    assert_eq!((*index, panic.name()), (6, "source"));
    counts_close(error.report());
}
