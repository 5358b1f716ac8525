//! The figures of the report: what one item takes, from end to end and in each stage; who starved and who was blocked; what waited where.
// The tests spin for a while by the clock: nothing waits for it.
#![allow(clippy::disallowed_methods)]

use std::sync::Mutex;
use std::time::{Duration, Instant};

use gristmill::pipeline::{Report, StageKind};
use gristmill::{CancellationToken, Pipeline};

use super::support::{grid, grind, vague};

/// Keeps the worker busy for at least that long; gives for how long.
fn spin(least: Duration) -> Duration {
    let start = Instant::now();
    while start.elapsed() < least {
        grind(100);
    }
    start.elapsed()
}

/// Longer than the time between two samples of a worker.
const HEAVY: Duration = Duration::from_micros(120);

/// What holds of every run.
fn check(report: &Report) {
    let mut busy = Duration::ZERO;
    for stage in report.stages() {
        let latency = stage.latency();
        assert!(latency.p50() <= latency.p90() && latency.p90() <= latency.p99(), "{report}");
        assert!(latency.p99() <= latency.max() && latency.max() <= report.elapsed(), "{report}");
        // A timed item of a row stands for others that may have been fewer.
        assert!(stage.kind() == StageKind::Parallel || latency.count() <= stage.items_in(), "{report}");
        assert!(stage.starved() + stage.blocked() <= report.idle(), "{report}");
        busy += stage.busy();
    }
    let workers = u32::try_from(report.workers()).unwrap();
    assert!(busy + report.idle() <= report.elapsed() * workers, "{report}");
    assert!(report.latency().max() <= report.elapsed(), "{report}");
    let samples = report.queue_samples();
    assert!(samples.len() <= 512 && samples.windows(2).all(|pair| pair[0].at() < pair[1].at()));
    for sample in samples {
        assert_eq!(sample.queued().len(), report.stages().len());
        assert!(sample.at() <= report.elapsed());
    }
}

#[test]
fn figures_agree_with_each_other_in_every_run() {
    for (workers, window) in grid() {
        for ordered in [true, false] {
            let pipeline = Pipeline::from_iter(0..1000_u64).workers(workers).window(window);
            let pipeline = if ordered { pipeline } else { pipeline.unordered() };
            let report = pipeline
                .map("grind", |number| number + grind(number % 300))
                .filter("some", |number| number % 3 > 0)
                .batch(3)
                .flat_map("apart", |batch| batch)
                .serial("serial", |number| number)
                .for_each("sink", |number| _ = grind(number % 100))
                .run(&CancellationToken::new())
                .unwrap();
            check(&report);
            let through = report.stage("sink").unwrap().items_out();
            assert_eq!(report.latency().count(), through, "every item that reaches the sink counts");
            assert!(report.stages().iter().all(|stage| stage.latency().count() > 0), "{report}");
        }
    }
}

#[test]
fn every_item_is_timed_where_each_takes_long() {
    for workers in [1, 2, 4] {
        let slowest = Mutex::new(Duration::ZERO);
        let heavy = |_: &u64| {
            let took = spin(HEAVY);
            let mut slowest = slowest.lock().unwrap();
            *slowest = slowest.max(took);
        };
        let report = Pipeline::from_iter(0..40_u64)
            .workers(workers)
            .inspect("heavy", heavy)
            .serial("light", |number| number)
            .for_each("sink", |_| _ = spin(HEAVY))
            .run(&CancellationToken::new())
            .unwrap();
        check(&report);
        let latency = |name| report.stage(name).unwrap().latency();
        assert_eq!((latency("heavy").count(), latency("sink").count()), (40, 40), "{report}");
        assert!(latency("heavy").p50() >= HEAVY && latency("sink").p50() >= HEAVY, "{report}");
        assert!(latency("heavy").max() >= *slowest.lock().unwrap(), "{report}");
        assert!(report.latency().p50() >= 2 * HEAVY, "{report}");
    }
}

#[test]
fn item_that_is_called_for_in_parts_is_one_measurement() {
    let report = Pipeline::from_iter(0..20_u64)
        .workers(1)
        .flat_map("expand", |number| (0..4).map(move |part| (number, part)).inspect(|_| _ = spin(HEAVY / 2)))
        .map("each", |pair| {
            spin(HEAVY);
            pair
        })
        .filter("none", |_| false)
        .for_each("sink", drop)
        .run(&CancellationToken::new())
        .unwrap();
    let expand = report.stage("expand").unwrap().latency();
    assert_eq!((expand.count(), report.stage("each").unwrap().latency().count()), (20, 80), "{report}");
    assert!(expand.p50() >= 2 * HEAVY, "{report}");
    assert_eq!(report.latency().count(), 0, "nothing reaches the sink");
}

#[test]
fn results_of_items_that_become_many_stand_for_no_more_than_there_are() {
    let report = Pipeline::from_iter(0..30_u64)
        .workers(1)
        .flat_map("hundred", |number| (0..100).map(move |part| number + part))
        .map("first", |number| number + 1)
        .flat_map("fifty", |number| (0..50).map(move |part| number ^ part))
        .map("second", |number| number + 1)
        .for_each("sink", drop)
        .run(&CancellationToken::new())
        .unwrap();
    check(&report);
    for (name, items) in [("hundred", 30), ("first", 3_000), ("fifty", 3_000), ("second", 150_000)] {
        let stage = report.stage(name).unwrap();
        assert_eq!(stage.items_in(), items);
        assert!((1..=items).contains(&stage.latency().count()), "{report}");
    }
}

#[test]
fn slow_source_starves_every_stage_and_blocks_none() {
    let report = Pipeline::from_iter(vague(0..200_u64).inspect(|_| _ = spin(HEAVY)))
        .workers(2)
        .map("parse", |number| number + 1)
        .serial("number", |number| number)
        .map("format", |number| number + 1)
        .for_each("sink", drop)
        .run(&CancellationToken::new())
        .unwrap();
    check(&report);
    let source = &report.stages()[0];
    assert_eq!((source.starved(), source.blocked()), (Duration::ZERO, Duration::ZERO), "{report}");
    assert!(source.latency().count() == 200 && source.latency().p50() >= HEAVY, "{report}");
    for stage in &report.stages()[1..] {
        assert!(stage.starved() > stage.blocked(), "{report}");
    }
}

#[test]
fn slow_sink_blocks_every_stage_before_it_and_starves_none() {
    let report = Pipeline::from_iter(0..200_u64)
        .workers(2)
        .window(8)
        .map("parse", |number| number + 1)
        .serial("number", |number| number)
        .map("format", |number| number + 1)
        .for_each("sink", |_| _ = spin(HEAVY))
        .run(&CancellationToken::new())
        .unwrap();
    check(&report);
    assert!(report.queue_samples().iter().all(|sample| sample.in_flight() <= 8 && sample.queued()[4] <= 8));
    let (sink, others) = report.stages().split_last().unwrap();
    assert!(sink.blocked().is_zero() && sink.starved() < report.idle() / 2, "{report}");
    for stage in others {
        assert!(stage.blocked() > stage.starved(), "{report}");
    }
}

#[test]
fn slow_serial_stage_blocks_what_comes_before_it_and_starves_what_comes_after() {
    let report = Pipeline::from_iter(0..200_u64)
        .workers(2)
        .window(8)
        .map("before", |number| number + 1)
        .serial("slow", |number| {
            spin(HEAVY);
            number
        })
        .map("after", |number| number + 1)
        .for_each("sink", drop)
        .run(&CancellationToken::new())
        .unwrap();
    check(&report);
    let stage = |name| report.stage(name).unwrap();
    assert!(stage("before").blocked() > stage("before").starved(), "{report}");
    // Not zero: the sink holds it up as long as its thread is kept from running.
    assert!(stage("slow").blocked() < stage("before").blocked(), "{report}");
    assert!(stage("slow").starved() < stage("slow").busy(), "{report}");
    for after in ["after", "sink"] {
        assert!(stage(after).starved() > stage(after).blocked(), "{report}");
    }
}

#[test]
fn only_worker_leaves_no_stage_starved_or_blocked() {
    let report = Pipeline::from_iter(0..200_u64)
        .workers(1)
        .window(4)
        .map("parse", |number| number + grind(1000))
        .for_each("sink", |_| _ = grind(1000))
        .run(&CancellationToken::new())
        .unwrap();
    check(&report);
    assert!(
        report.stages().iter().all(|stage| stage.blocked() + stage.starved() <= report.elapsed() / 10),
        "{report}"
    );
}

#[test]
fn what_the_caller_of_an_iterator_does_is_his_stage_and_nobody_elses() {
    for workers in [1, 2] {
        let (spent, outcome) = Pipeline::from_iter(0..30_u64)
            .workers(workers)
            .map("light", |number| number + 1)
            .with_iter(&CancellationToken::new(), |results| results.map(|_| spin(HEAVY)).sum::<Duration>());
        let report = outcome.unwrap();
        check(&report);
        let (iterator, spent) = (report.stages().last().unwrap(), spent.unwrap());
        assert_eq!((iterator.kind(), iterator.items_out()), (StageKind::Sink, 30));
        assert!(iterator.busy() >= spent && iterator.latency().p50() >= HEAVY, "{report}");
        // The other worker's time is its own; the caller's adds up to no more than there is.
        let light = report.stage("light").unwrap().busy();
        assert!(light + spent <= report.elapsed() * u32::try_from(report.workers()).unwrap(), "{report}");
    }
}

#[test]
fn iterator_that_is_dropped_early_counts_what_was_taken() {
    let (_, outcome) =
        Pipeline::from_iter(0..1000_u64).workers(1).with_iter(&CancellationToken::new(), |mut results| {
            assert_eq!(results.next(), Some(0));
        });
    let report = outcome.unwrap();
    assert_eq!(report.stages().last().unwrap().items_out(), 1);
    let (_, outcome) = Pipeline::from_iter(0..1000_u64).with_iter(&CancellationToken::new(), |results| {
        spin(HEAVY);
        drop(results);
    });
    let iterator = outcome.unwrap().stages().last().unwrap().clone();
    assert_eq!((iterator.items_out(), iterator.busy(), iterator.latency().count()), (0, Duration::ZERO, 0));
}

#[test]
fn table_shows_the_figures_in_narrow_columns() {
    let report = Pipeline::from_iter(0..100_u64)
        .workers(1)
        .map("grind", |number| number + grind(100))
        .for_each("sink", drop)
        .run(&CancellationToken::new())
        .unwrap();
    let text = report.to_string();
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[1].starts_with("from source to sink: p50 "), "{text}");
    let headings: Vec<&str> = lines[2].split_whitespace().collect();
    let expected = "stage kind in out failed busy used % starved % blocked % p50 p99 max";
    assert_eq!(headings.join(" "), expected);
    assert!(lines[2..6].iter().all(|line| line.chars().count() == lines[2].chars().count()), "{text}");
    assert!(lines[4].starts_with("grind   parallel  100  100       0  "), "{text}");
    assert!(lines[2].len() <= 100, "{text}");
}

#[test]
fn latency_of_a_batch_counts_from_its_earliest_item_and_from_none_of_the_batch_before() {
    // When each call of the source has begun and ended. With one worker and this window an item goes as far as it can before the next call.
    let calls = Mutex::new(Vec::new());
    let mut numbers = 0..6_u64;
    let source = std::iter::from_fn(|| {
        let begun = Instant::now();
        spin(10 * HEAVY);
        calls.lock().unwrap().push((begun, Instant::now()));
        numbers.next()
    });
    let report = Pipeline::from_iter(source)
        .workers(1)
        .window(1)
        .batch(3)
        .for_each("sink", drop)
        .run(&CancellationToken::new())
        .unwrap();
    let calls = calls.into_inner().unwrap();
    assert_eq!((calls.len(), report.latency().count()), (7, 2), "{report}");
    // The first of a batch was read between its call and the next one; the sink was through between the third call and the one after it.
    let least = (calls[2].1 - calls[1].0).max(calls[5].1 - calls[4].0);
    let most = (calls[3].0 - calls[0].1).max(calls[6].0 - calls[3].1);
    let longest = report.latency().max();
    assert!((least..=most).contains(&longest), "{longest:?}, not {least:?} to {most:?}\n{report}");
}
