//! Panics: whoever they come from, the run ends with an error that says where, the payload is kept, and every item is dropped.

use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, mpsc};

use gristmill::{CancellationToken, Pipeline, PipelineError, PipelineErrorKind, Report};

use super::support::{Item, Ledger, grid, vague, within_limit};

/// A payload that no text stands for.
#[derive(Debug, PartialEq)]
struct Stone(u64);

fn crack(here: bool, number: u64) {
    if here {
        panic_any(Stone(number));
    }
}

#[track_caller]
fn assert_cracked(outcome: Result<Report, PipelineError>, stage: &str, index: u64) {
    let error = outcome.unwrap_err();
    assert!(error.is_panic());
    assert_eq!((error.stage(), error.index()), (Some(stage), Some(index)));
    assert_eq!(error.report().finished(), index);
    assert_eq!(error.report().stage(stage).unwrap().panicked(), 1);
    let PipelineErrorKind::Panicked { panic, .. } = error.into_kind() else { unreachable!() };
    let payload = catch_unwind(AssertUnwindSafe(|| panic.resume())).unwrap_err();
    assert_eq!(payload.downcast_ref(), Some(&Stone(index)));
}

#[test]
fn panic_of_every_place_is_an_error_with_its_payload_and_all_items_are_dropped() {
    const BAD: u64 = 300;
    for (workers, window) in grid() {
        let ledger = Ledger::default();
        let token = CancellationToken::new();
        let check = |here: &str, place: &str, item: &Item| crack(here == place && item.number == BAD, BAD);
        for place in [
            "source",
            "map",
            "filter",
            "filter map",
            "flat map",
            "inspect",
            "shared",
            "init",
            "call",
            "serial",
            "sink",
        ] {
            let source = (0..1000).map(|number| {
                crack(place == "source" && number == BAD, number);
                ledger.item(number)
            });
            let outcome = Pipeline::from_iter(source)
                .workers(workers)
                .window(window)
                .map("map", |item| {
                    check(place, "map", &item);
                    item
                })
                .filter("filter", |item| {
                    check(place, "filter", item);
                    true
                })
                .filter_map("filter map", |item| {
                    check(place, "filter map", &item);
                    Some(item)
                })
                .inspect("inspect", |item| check(place, "inspect", item))
                .serial_unordered("shared", |item| {
                    check(place, "shared", &item);
                    item
                })
                .map_init(
                    "call",
                    || (),
                    |(), item| {
                        check(place, "call", &item);
                        item
                    },
                )
                .serial("serial", |item| {
                    check(place, "serial", &item);
                    item
                })
                .flat_map("flat map", |item| {
                    check(place, "flat map", &item);
                    [item]
                })
                .map_init("init", || crack(place == "init", 0), |(), item| item)
                .for_each("sink", |item| check(place, "sink", &item))
                .run(&token);
            if place == "init" {
                // Each worker makes its own state when it meets its first item.
                assert_eq!(outcome.unwrap_err().stage(), Some("init"));
            } else {
                assert_cracked(outcome, place, BAD);
            }
            assert_eq!(ledger.live(), 0, "after a panic in {place}");
        }
    }
}

/// Panics when it is dropped, unless somebody panics already.
#[derive(Debug)]
struct Fragile(bool);

impl Drop for Fragile {
    fn drop(&mut self) {
        assert!(!self.0 || std::thread::panicking(), "fragile");
    }
}

#[test]
fn panic_in_next_or_drop_of_what_flat_map_gives_is_the_stages() {
    #[allow(dead_code)] // the second is there to be dropped
    struct Shards(u64, Fragile, bool);
    impl Iterator for Shards {
        type Item = u64;
        fn next(&mut self) -> Option<u64> {
            assert!(!self.2, "next");
            self.0 = self.0.checked_sub(1)?;
            Some(self.0)
        }
    }
    for (workers, window) in grid() {
        for (in_next, text) in [(true, "next"), (false, "fragile")] {
            let error = Pipeline::from_iter(0..1000_u64)
                .workers(workers)
                .window(window)
                .flat_map("break", |number| {
                    let bad = number == 300;
                    Shards(2, Fragile(bad && !in_next), bad && in_next)
                })
                .for_each("drop", drop)
                .run(&CancellationToken::new())
                .unwrap_err();
            assert_eq!((error.stage(), error.index()), (Some("break"), Some(300)));
            let PipelineErrorKind::Panicked { panic, .. } = error.kind() else { panic!("{error:?}") };
            assert_eq!(panic.message(), text);
        }
    }
}

#[test]
fn panic_in_the_drop_of_an_item_ends_the_run_wherever_it_is_dropped() {
    for (workers, window) in grid() {
        for place in ["filter", "sink", "map"] {
            let error = Pipeline::from_iter((0..1000).map(|number| (number, Fragile(number == 300))))
                .workers(workers)
                .window(window)
                .filter("filter", |item| place != "filter" || item.0 != 300)
                .map("map", |item| if place == "map" { (item.0, Fragile(false)) } else { item })
                .for_each("sink", drop)
                .run(&CancellationToken::new())
                .unwrap_err();
            assert_eq!((error.stage(), error.index()), (Some(place), Some(300)));
        }
        // In flight, when the run is cancelled: nobody's, but no hang and no abort.
        let token = CancellationToken::new();
        let outcome = Pipeline::from_iter((0..1000).map(|number| (number, Fragile(number == 300))))
            .workers(workers)
            .window(window)
            .try_for_each("sink", |item| {
                if item.0 == 299 {
                    token.cancel();
                }
                std::mem::forget(item);
                Ok::<_, PipelineError>(())
            })
            .run(&token);
        let error = outcome.unwrap_err();
        assert!(error.is_cancelled() || error.is_panic(), "{error:?}");
    }
}

#[test]
fn panic_in_the_drop_of_a_workers_state_or_of_the_source_ends_the_run() {
    for (workers, window) in grid() {
        let error = Pipeline::from_iter(0..100)
            .workers(workers)
            .window(window)
            .map_init("init", || Fragile(true), |_, number| number)
            .for_each("sink", drop)
            .run(&CancellationToken::new())
            .unwrap_err();
        assert!(error.is_panic());
        assert_eq!(error.stage(), Some("a destructor"));

        let fragile = Fragile(true);
        let mut seen = 0;
        let source = (0..100).inspect(move |_| _ = &fragile);
        let error = Pipeline::from_iter(source)
            .workers(workers)
            .window(window)
            .for_each("sink", |_| seen += 1)
            .run(&CancellationToken::new())
            .unwrap_err();
        assert!(error.is_panic());
        assert_eq!(seen, 100);
    }
}

#[test]
fn panic_in_the_drop_of_what_a_sink_holds_ends_the_run_with_an_error() {
    let fragile = Fragile(true);
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        Pipeline::from_iter(0..100).for_each("sink", move |_| _ = &fragile).run(&CancellationToken::new())
    }));
    assert!(outcome.expect("it does not come out of run").unwrap_err().is_panic());
}

#[test]
fn panic_in_the_body_of_with_iter_comes_out_after_all_items_are_dropped() {
    for (workers, window) in grid() {
        let ledger = Ledger::default();
        let payload = catch_unwind(AssertUnwindSafe(|| {
            Pipeline::from_iter((0..1000).map(|number| ledger.item(number)))
                .workers(workers)
                .window(window)
                .map("pass", |item| item)
                .with_iter(&CancellationToken::new(), |items| {
                    for item in items {
                        crack(item.number == 300, 300);
                    }
                })
        }))
        .unwrap_err();
        assert_eq!(payload.downcast_ref(), Some(&Stone(300)));
        assert_eq!(ledger.live(), 0);
    }
}

#[test]
fn source_that_lies_about_its_length_does_no_harm() {
    struct Liar<I>(I, (usize, Option<usize>));
    impl<I: Iterator> Iterator for Liar<I> {
        type Item = I::Item;
        fn next(&mut self) -> Option<I::Item> {
            self.0.next()
        }
        fn size_hint(&self) -> (usize, Option<usize>) {
            self.1
        }
    }
    for (workers, window) in grid().chain([(2, usize::MAX)]) {
        for hint in
            [(0, Some(0)), (10, Some(10)), (usize::MAX, None), (usize::MAX, Some(usize::MAX)), (9, Some(3))]
        {
            for shown in [false, true] {
                let source: Box<dyn Iterator<Item = u64> + Send> = if shown {
                    Box::new(Liar(0..1000_u64, hint))
                } else {
                    Box::new(vague(Liar(0..1000_u64, hint)))
                };
                let (sum, report) = Pipeline::from_iter(source)
                    .workers(workers)
                    .window(window)
                    .fold("add", 0, |sum, number| sum + number)
                    .run(&CancellationToken::new())
                    .unwrap();
                assert_eq!((sum, report.read()), (499_500, 1000));
            }
        }
    }
}

#[test]
fn panic_of_a_source_that_is_asked_for_its_length_is_an_error() {
    /// Says once how long it is.
    struct Shy(AtomicU32, Fragile);
    impl Iterator for Shy {
        type Item = u64;
        fn next(&mut self) -> Option<u64> {
            assert!(!self.1.0, "it is not read");
            None
        }
        fn size_hint(&self) -> (usize, Option<usize>) {
            crack(self.0.fetch_add(1, Ordering::Relaxed) > 0, 0);
            (0, Some(0))
        }
    }
    for (workers, window) in grid() {
        let shy = Shy(AtomicU32::new(0), Fragile(true));
        let error = Pipeline::from_iter(shy)
            .workers(workers)
            .window(window)
            .for_each("sink", drop)
            .run(&CancellationToken::new())
            .unwrap_err();
        assert_eq!((error.stage(), error.index(), error.report().read()), (Some("source"), Some(0), 1));
        let PipelineErrorKind::Panicked { panic, .. } = error.into_kind() else { panic!("no panic") };
        assert_eq!(panic.into_payload().downcast_ref(), Some(&Stone(0)));
    }
}

#[test]
fn panic_in_the_drop_of_a_pipeline_whose_setting_is_refused_stays_inside() {
    let (source, map, sink) = (Fragile(true), Fragile(true), Fragile(true));
    let pipeline = Pipeline::from_iter((0..10).inspect(move |_| _ = &source)).workers(0);
    let pipeline = pipeline.map("map", move |number| {
        _ = &map;
        number
    });
    let error = pipeline.for_each("sink", move |_| _ = &sink).run(&CancellationToken::new()).unwrap_err();
    assert!(matches!(error.kind(), PipelineErrorKind::InvalidSetting { setting: "workers" }), "{error}");
    let sink = Fragile(true);
    let local = Pipeline::from_iter(0..10).window(0).for_each_local("sink", move |_| _ = &sink);
    let error = local.run(&CancellationToken::new()).unwrap_err();
    assert!(matches!(error.kind(), PipelineErrorKind::InvalidSetting { setting: "window" }), "{error}");
}

#[test]
fn payload_whose_drop_panics_hangs_nothing() {
    within_limit(|| {
        let outcome = catch_unwind(|| {
            Pipeline::from_iter(0..1000)
                .workers(4)
                .map("map", |_: u64| panic_any(Fragile(true)))
                .for_each("sink", |(): ()| ())
                .run(&CancellationToken::new())
                .map_err(std::mem::forget)
        });
        assert!(outcome.is_err() || outcome.is_ok_and(|outcome| outcome.is_err()));
    });
}

/// Counts its drops and panics in each, whoever panics already: where two of them get out of one place the program aborts.
#[derive(Clone, Debug)]
struct Brittle(Arc<AtomicU32>, bool);

impl Drop for Brittle {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
        assert!(!self.1, "brittle");
    }
}

#[test]
fn drops_that_panic_of_results_that_are_left_come_out_as_one_and_the_others_are_dropped() {
    // Four results are at hand and an error waits behind them, when the caller has taken the first.
    let start = |results: &Arc<AtomicU32>, errors: &Arc<AtomicU32>| {
        let (results, errors) = (Arc::clone(results), Arc::clone(errors));
        let mut items = Pipeline::from_iter(0..1_u32)
            .flat_map("ten", |_| 0..10_u32)
            .try_map("fifth", move |number| match number {
                5 => Err(Brittle(Arc::clone(&errors), true)),
                number => Ok(Brittle(Arc::clone(&results), number > 0)),
            })
            .into_iter_with(&CancellationToken::new())
            .unwrap();
        drop(items.next().unwrap().unwrap());
        items
    };
    for ends_by_drop in [true, false] {
        let (results, errors) = (Arc::default(), Arc::default());
        let items = start(&results, &errors);
        let payload = catch_unwind(AssertUnwindSafe(|| {
            if ends_by_drop {
                drop(items);
            } else {
                std::mem::forget(items.finish());
            }
        }))
        .expect_err("the first panic of a result comes out");
        assert_eq!(payload.downcast_ref::<&str>(), Some(&"brittle"));
        assert_eq!(results.load(Ordering::SeqCst), 5, "by drop: {ends_by_drop}");
        assert_eq!(errors.load(Ordering::SeqCst), 1, "by drop: {ends_by_drop}");
    }
    // Where no result is left, the error is the caller's, or nobody's.
    let (results, errors) = (Arc::default(), Arc::default());
    let mut items = start(&results, &errors);
    (0..4).for_each(|_| std::mem::forget(items.next().unwrap().unwrap()));
    drop(items);
    assert_eq!((results.load(Ordering::SeqCst), errors.load(Ordering::SeqCst)), (1, 1));
}

#[test]
fn drop_that_panics_of_a_result_behind_a_failure_is_not_what_ends_the_run() {
    for round in 0..100_u32 {
        let (open, gate) = mpsc::channel();
        let gate = Mutex::new(gate);
        let (start, started) = mpsc::channel();
        let started = Mutex::new(started);
        let (fail, failed) = mpsc::channel();
        let failed = Mutex::new(failed);
        let drops = Arc::default();
        let outcome = within_limit({
            let drops = Arc::clone(&drops);
            move || {
                Pipeline::from_iter(0..3_u32)
                    .workers(2)
                    .window(3)
                    .try_blocking("wait", 3, move |number| match number {
                        0 => Ok(Brittle(Arc::default(), false)),
                        1 => {
                            started.lock().unwrap().recv().unwrap();
                            fail.send(()).unwrap();
                            Err("fails")
                        }
                        _ => {
                            start.send(()).unwrap();
                            failed.lock().unwrap().recv().unwrap();
                            // So that in some of the rounds the failure is there first, and waits for its turn.
                            (0..round * 20).for_each(|_| std::hint::spin_loop());
                            open.send(()).unwrap();
                            Ok(Brittle(Arc::clone(&drops), true))
                        }
                    })
                    .for_each("sink", move |_| gate.lock().unwrap().recv().unwrap())
                    .run(&CancellationToken::new())
            }
        });
        let error = outcome.unwrap_err();
        assert!(matches!(error.kind(), PipelineErrorKind::Failed { index: 1, .. }), "{error:?}");
        assert_eq!(drops.load(Ordering::SeqCst), 1);
    }
}

#[test]
fn failure_behind_an_expansion_is_told_though_the_expansions_drop_panics() {
    struct Shards(std::ops::Range<u64>, #[allow(dead_code)] Fragile); // it is there to be dropped
    impl Iterator for Shards {
        type Item = u64;
        fn next(&mut self) -> Option<u64> {
            self.0.next()
        }
    }
    for (workers, window) in grid() {
        let error = Pipeline::from_iter(0..1000_u64)
            .workers(workers)
            .window(window)
            .flat_map("break", |number| Shards(number * 10..number * 10 + 3, Fragile(number == 300)))
            .try_map("check", |number| if number == 3001 { Err("bad") } else { Ok(number) })
            .for_each("drop", drop)
            .run(&CancellationToken::new())
            .unwrap_err();
        assert_eq!((error.stage(), error.index(), error.is_panic()), (Some("check"), Some(300), false));
    }
}

#[test]
fn failures_that_never_had_their_turn_are_dropped_though_their_drops_panic() {
    for round in 0..20 {
        let drops = Arc::<AtomicU32>::default();
        let token = CancellationToken::new();
        let (made, stop) = (AtomicU32::new(0), token.clone());
        let outcome = Pipeline::from_iter(0..4_u32)
            .workers(2)
            .window(4)
            .try_map("fails", |number| {
                if number == 0 {
                    // The others may come to be parked behind it.
                    while made.load(Ordering::SeqCst) == 0 {
                        std::thread::yield_now();
                    }
                    (0..round * 50).for_each(|_| std::hint::spin_loop());
                    stop.cancel();
                    return Ok(number);
                }
                made.fetch_add(1, Ordering::SeqCst);
                Err(Brittle(Arc::clone(&drops), true))
            })
            .for_each("drop", drop)
            .run(&token);
        let error = outcome.unwrap_err();
        let kept = u32::from(!error.is_cancelled());
        assert_eq!(drops.load(Ordering::SeqCst) + kept, made.load(Ordering::SeqCst));
        std::mem::forget(error);
    }
}
