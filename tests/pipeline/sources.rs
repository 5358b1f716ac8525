//! Sources of every size and kind, and runs inside and beside other runs.

use std::num::NonZeroUsize;

use gristmill::{CancellationToken, Pipeline, ThreadPool};

use super::support::{grid, grind, within_limit};

#[test]
fn empty_source_and_lone_item_go_through_every_form() {
    for (workers, window) in grid().chain([(2, usize::MAX), (1000, 4096)]) {
        for items in [0, 1] {
            let token = CancellationToken::new();
            let pipeline =
                || Pipeline::from_iter(0..items).workers(workers).window(window).serial("s", |n: u64| n);
            assert_eq!(pipeline().for_each("sink", drop).run(&token).unwrap().finished(), items);
            assert_eq!(pipeline().for_each_local("sink", drop).run(&token).unwrap().finished(), items);
            let (list, report) = pipeline().collect::<Vec<_>>().run(&token).unwrap();
            assert_eq!((list.len() as u64, report.read()), (items, items));
            let (least, _) = pipeline().reduce("least", u64::min).run(&token).unwrap();
            assert_eq!(least, (items == 1).then_some(0));
            assert_eq!(
                pipeline().with_iter(&token, |numbers| numbers.count()).0,
                usize::try_from(items).ok()
            );
            assert_eq!(pipeline().into_iter_with(&token).unwrap().count() as u64, items);
        }
    }
}

#[test]
fn items_without_size_and_huge_items_go_through() {
    for (workers, window) in grid() {
        let token = CancellationToken::new();
        let (count, _) = Pipeline::from_iter(std::iter::repeat_n((), 5000))
            .workers(workers)
            .window(window)
            .serial("s", |()| ())
            .filter("f", |()| true)
            .fold("count", 0, |count, ()| count + 1)
            .run(&token)
            .unwrap();
        assert_eq!(count, 5000);
        let (list, _) = Pipeline::from_iter((0..50_u8).map(|number| [number; 10_000]))
            .workers(workers)
            .window(window)
            .serial("s", |item| item)
            .map("m", |item| item[9999])
            .collect::<Vec<_>>()
            .run(&token)
            .unwrap();
        assert!(list.into_iter().eq(0..50));
    }
}

#[test]
fn million_items_through_a_small_window_arrive_in_order() {
    let mut next = 0;
    let report = Pipeline::from_iter(0..1_000_000_u64)
        .workers(4)
        .window(64)
        .map("pass", |number| number)
        .for_each("check", |number| {
            assert_eq!(number, next);
            next += 1;
        })
        .run(&CancellationToken::new())
        .unwrap();
    assert_eq!((report.finished(), next), (1_000_000, 1_000_000));
}

#[test]
fn source_is_not_asked_again_after_its_end() {
    struct Unfused(u64);
    impl Iterator for Unfused {
        type Item = u64;
        fn next(&mut self) -> Option<u64> {
            self.0 += 1;
            assert!(self.0 <= 101, "asked after the end");
            (self.0 != 101).then_some(self.0)
        }
    }
    for (workers, window) in grid() {
        let report = Pipeline::from_iter(Unfused(0))
            .workers(workers)
            .window(window)
            .for_each("drop", drop)
            .run(&CancellationToken::new())
            .unwrap();
        assert_eq!(report.read(), 100);
    }
}

#[test]
fn channel_keeps_what_an_ended_run_has_not_read() {
    let (sender, receiver) = crossbeam_channel::bounded(1000);
    (0..1000).for_each(|number| sender.send(number).unwrap());
    let other = receiver.clone();
    let error = Pipeline::from_receiver(receiver)
        .window(16)
        .try_for_each("fail", |number| if number == 100 { Err("bad") } else { Ok(()) })
        .run(&CancellationToken::new())
        .unwrap_err();
    assert_eq!(error.report().read() + other.len() as u64, 1000);
    assert!(other.len() >= 1000 - 100 - 16);
}

#[test]
fn pipeline_runs_inside_a_stage_of_another() {
    within_limit(|| {
        let token = CancellationToken::new();
        let (sums, _) = Pipeline::from_iter(1..=20_u64)
            .workers(4)
            .map("inner", |number| {
                Pipeline::from_iter(0..number * 100)
                    .workers(2)
                    .map("grind", |number| (number, grind(10)).0)
                    .fold("add", 0, |sum, number| sum + number)
                    .run(&token)
                    .unwrap()
                    .0
            })
            .collect::<Vec<_>>()
            .run(&token)
            .unwrap();
        assert!(sums.into_iter().eq((1..=20).map(|number: u64| (0..number * 100).sum::<u64>())));
        // The panic of an inner one names the inner stage, and is the outer one's to report.
        let error = Pipeline::from_iter(0..10)
            .map("outer", |number| {
                Pipeline::from_iter(0..10)
                    .inspect("inner", |inner| assert_ne!((number, *inner), (5, 5)))
                    .for_each("sink", drop)
                    .run(&token)
            })
            .try_for_each("sink", |outcome| outcome.map(drop))
            .run(&token)
            .unwrap_err();
        assert_eq!((error.stage(), error.index()), (Some("sink"), Some(5)));
        let inner = error.into_error().unwrap();
        assert_eq!((inner.stage(), inner.index()), (Some("inner"), Some(5)));
    });
}

#[test]
fn pipelines_run_in_the_tasks_of_a_pool_and_beside_each_other() {
    within_limit(|| {
        let pool = ThreadPool::builder().workers(2).build().unwrap();
        let handles: Vec<_> = (0..8_u64)
            .map(|task| {
                pool.submit(move || {
                    Pipeline::from_iter(0..10_000)
                        .workers(2)
                        .map("add", move |number| number + task)
                        .fold("sum", 0, |sum, number| sum + number)
                        .run(&CancellationToken::new())
                        .unwrap()
                        .0
                })
                .unwrap()
            })
            .collect();
        for (task, handle) in (0..).zip(handles) {
            assert_eq!(handle.wait().unwrap(), 9999 * 5000 + task * 10_000);
        }
    });
}

#[test]
fn default_workers_are_the_cores() {
    let report = Pipeline::from_iter(0..10).for_each("drop", drop).run(&CancellationToken::new()).unwrap();
    let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    assert_eq!((report.workers(), report.missing_workers()), (cores, 0));
}
