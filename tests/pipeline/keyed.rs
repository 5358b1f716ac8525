//! Keyed stages: equal keys one at a time and in order, different keys at once.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex, mpsc};
use std::time::Duration;

use gristmill::{CancellationToken, Clock, Pipeline, PipelineErrorKind, SystemClock};
use proptest::prelude::*;

use super::support::{Item, LIMIT, Ledger, counts_close, grid, grind, vague, within_limit};

/// Asserts, inside the stage, that no two items of a key overlap, and that they come in order.
#[derive(Default)]
pub(crate) struct Lanes(Vec<(AtomicBool, AtomicUsize)>);

impl Lanes {
    pub(crate) fn new(keys: u64) -> Self {
        Self((0..keys).map(|_| Default::default()).collect())
    }

    /// Runs item number `number`, at least 1, of a key.
    pub(crate) fn pass(&self, key: u64, number: u64) {
        let (busy, last) = &self.0[usize::try_from(key).unwrap()];
        assert!(!busy.swap(true, Ordering::SeqCst), "two items of key {key} at once");
        let number = usize::try_from(number).unwrap();
        assert!(last.swap(number, Ordering::SeqCst) < number, "{number} of key {key} is late");
        grind(20);
        busy.store(false, Ordering::SeqCst);
    }
}

fn key_of(number: u64) -> u64 {
    (number * number) % 13
}

#[test]
fn equal_keys_run_one_at_a_time_and_in_order_and_the_results_are_in_order() {
    for (workers, window) in grid() {
        let lanes = Lanes::new(13);
        let (results, report) = Pipeline::from_iter(1..=3000_u64)
            .workers(workers)
            .window(window)
            .keyed(
                "grind",
                |number| key_of(*number),
                |number| {
                    lanes.pass(key_of(number), number);
                    number
                },
            )
            .collect::<Vec<_>>()
            .run(&CancellationToken::new())
            .unwrap();
        assert!(results.into_iter().eq(1..=3000));
        counts_close(&report);
        let stage = report.stage("grind").unwrap();
        assert_eq!((stage.items_in(), stage.items_out(), report.finished()), (3000, 3000, 3000));
    }
}

#[test]
fn results_that_keep_no_order_are_all_there() {
    for (workers, window) in grid() {
        let lanes = Lanes::new(13);
        let (mut results, report) = Pipeline::from_iter(vague(1..=3000_u64))
            .workers(workers)
            .window(window)
            .keyed_unordered(
                "grind",
                |number| key_of(*number),
                |number| {
                    lanes.pass(key_of(number), number);
                    number
                },
            )
            .map("same", |number| number)
            .unordered()
            .collect::<Vec<_>>()
            .run(&CancellationToken::new())
            .unwrap();
        results.sort_unstable();
        assert!(results.into_iter().eq(1..=3000));
        counts_close(&report);
    }
}

#[test]
fn different_keys_run_at_once() {
    within_limit(|| {
        let meet = Barrier::new(2);
        let report = Pipeline::from_iter(0..2)
            .workers(2)
            .keyed("meet", |number| *number, |_| meet.wait())
            .for_each("drop", drop)
            .run(&CancellationToken::new())
            .unwrap();
        assert_eq!(report.finished(), 2);
    });
}

/// The first item of key 0 ends only when results of all the other keys have come out; later ones of key 0 wait behind it.
#[test]
fn slow_key_holds_up_no_result_of_another_where_order_is_not_kept() {
    within_limit(|| {
        let (done, others) = mpsc::channel();
        let others = Mutex::new(others);
        let mut seen = 0;
        Pipeline::from_iter(0..100_u64)
            .workers(2)
            .keyed_unordered(
                "slow",
                |number| number % 10,
                |number| {
                    if number == 0 {
                        others.lock().unwrap().recv_timeout(LIMIT).unwrap();
                    }
                    number % 10
                },
            )
            .unordered()
            .for_each("count", |key| {
                seen += u64::from(key != 0);
                if seen == 90 {
                    done.send(()).unwrap();
                    seen += 1;
                }
            })
            .run(&CancellationToken::new())
            .unwrap();
        assert_eq!(seen, 91);
    });
}

#[test]
fn error_or_panic_ends_the_run_and_the_sink_has_seen_exactly_the_items_before_it() {
    for (workers, window) in grid() {
        for panics in [false, true] {
            let ledger = Ledger::default();
            let mut seen = Vec::new();
            let error = Pipeline::from_iter((0..3000_u64).map(|number| ledger.item(number)))
                .workers(workers)
                .window(window)
                .try_keyed(
                    "break",
                    |item| key_of(item.number),
                    |item| {
                        assert!(!panics || item.number != 700, "torn");
                        if item.number == 700 { Err("torn") } else { Ok(item) }
                    },
                )
                .for_each("note", |item: Item| seen.push(item.number))
                .run(&CancellationToken::new())
                .unwrap_err();
            assert_eq!((error.stage(), error.index(), error.is_panic()), (Some("break"), Some(700), panics));
            assert!(seen.into_iter().eq(0..700));
            counts_close(error.report());
            let stage = error.report().stage("break").unwrap();
            assert_eq!((stage.failed(), stage.panicked()), (u64::from(!panics), u64::from(panics)));
            assert_eq!(ledger.live(), 0);
        }
    }
}

/// Where results pass each other the index says nothing of what is through, and no more is said to be through than is.
#[test]
fn failure_where_no_order_is_kept_counts_no_more_than_is_through() {
    for (workers, window) in grid() {
        let mut seen = 0;
        let error = Pipeline::from_iter(0..3000_u64)
            .workers(workers)
            .window(window)
            .try_keyed_unordered(
                "break",
                |number| key_of(*number),
                |number| {
                    if number == 700 { Err("torn") } else { Ok(number) }
                },
            )
            .for_each("note", |_| seen += 1)
            .run(&CancellationToken::new())
            .unwrap_err();
        assert!(error.report().finished() <= seen, "{error}");
        counts_close(error.report());
    }
}

/// A key whose `Eq` panics at one value, or whose hash does.
#[derive(Debug, Clone, Copy)]
struct Brittle {
    number: u64,
    in_hash: bool,
}

impl std::hash::Hash for Brittle {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        assert!(!self.in_hash || self.number != 700, "hash");
        state.write_u64(self.number % 7);
    }
}

impl PartialEq for Brittle {
    fn eq(&self, other: &Self) -> bool {
        assert!(self.number != 700 && other.number != 700, "eq");
        self.number % 7 == other.number % 7
    }
}

impl Eq for Brittle {}

#[test]
fn panic_in_the_key_its_hash_or_its_eq_is_one_of_the_stage_at_that_item() {
    for (workers, window) in grid() {
        for place in ["key", "hash", "eq"] {
            let mut seen = Vec::new();
            let key = |number: &u64| {
                assert!(place != "key" || *number != 700, "key");
                Brittle { number: if place == "key" { 1 } else { *number }, in_hash: place == "hash" }
            };
            let pipeline = Pipeline::from_iter(0..3000_u64).workers(workers).window(window);
            let error = pipeline
                .keyed("look", key, |number| number)
                .for_each("note", |number| seen.push(number))
                .run(&CancellationToken::new())
                .unwrap_err();
            assert_eq!((error.stage(), error.index(), error.is_panic()), (Some("look"), Some(700), true));
            assert!(seen.into_iter().eq(0..700), "{place}");
            counts_close(error.report());
            assert_eq!(error.report().stage("look").unwrap().panicked(), 1);
        }
    }
}

#[test]
fn failures_drop_the_item_or_the_rest_of_their_key_as_chosen() {
    for (workers, window) in grid() {
        for drops_rest in [false, true] {
            for ordered in [true, false] {
                let bad = |number: u64| number % 100 == 50;
                let call = |number: u64| if bad(number) { Err("bad") } else { Ok(number) };
                let pipeline = Pipeline::from_iter(0..1000_u64).workers(workers).window(window);
                let token = CancellationToken::new();
                let outcome = match (ordered, drops_rest) {
                    (true, false) => {
                        let keyed = pipeline.try_keyed("check", |number| number % 13, call);
                        keyed.skip_errors().batch(7).collect::<Vec<_>>().run(&token)
                    }
                    (true, true) => {
                        let keyed = pipeline.try_keyed("check", |number| number % 13, call);
                        keyed.skip_errors().drop_rest_of_key().batch(7).collect::<Vec<_>>().run(&token)
                    }
                    (false, false) => {
                        let keyed = pipeline.try_keyed_unordered("check", |number| number % 13, call);
                        keyed.skip_errors().batch(7).collect::<Vec<_>>().run(&token)
                    }
                    (false, true) => {
                        let keyed = pipeline.try_keyed_unordered("check", |number| number % 13, call);
                        keyed.skip_errors().drop_rest_of_key().batch(7).collect::<Vec<_>>().run(&token)
                    }
                };
                let (batches, report) = outcome.unwrap();
                let mut dead = HashMap::new();
                let expected: Vec<u64> = (0..1000)
                    .filter(|number| {
                        let is_dead = dead.entry(number % 13).or_insert(false);
                        let passes = !*is_dead && !bad(*number);
                        *is_dead |= drops_rest && bad(*number);
                        passes
                    })
                    .collect();
                let mut results = batches.concat();
                if !ordered {
                    results.sort_unstable();
                }
                assert_eq!(results, expected);
                counts_close(&report);
                let stage = report.stage("check").unwrap();
                let failed = if drops_rest { stage.failed() } else { 10 };
                assert_eq!(
                    (stage.failed(), stage.failed() + stage.filtered()),
                    (failed, 1000 - expected.len() as u64)
                );
                assert_eq!((report.finished(), stage.undone()), (1000, 0));
            }
        }
    }
}

#[test]
fn cancellation_ends_the_run_and_drops_every_item_once() {
    for (workers, window) in grid() {
        let ledger = Ledger::default();
        let token = CancellationToken::new();
        let error = Pipeline::from_iter((0..3000).map(|number| ledger.item(number)))
            .workers(workers)
            .window(window)
            .keyed(
                "stop",
                |item| key_of(item.number),
                |item| {
                    if item.number == 700 {
                        token.cancel();
                    }
                    item
                },
            )
            .for_each("drop", drop)
            .run(&token)
            .unwrap_err();
        assert!(matches!(error.kind(), PipelineErrorKind::Cancelled(_)));
        counts_close(error.report());
        assert_eq!(ledger.live(), 0);
    }
}

/// Counts how many exist.
#[derive(Debug)]
struct Counted(u64, Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.1.fetch_sub(1, Ordering::SeqCst);
    }
}

impl std::hash::Hash for Counted {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        state.write_u64(self.0);
    }
}

impl PartialEq for Counted {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl Eq for Counted {}

#[test]
fn key_that_is_idle_is_forgotten() {
    let (keys, mut peak) = (Arc::new(AtomicUsize::new(0)), 0);
    Pipeline::from_iter(0..50_000)
        .workers(2)
        .window(64)
        .keyed(
            "once",
            |number| {
                keys.fetch_add(1, Ordering::SeqCst);
                Counted(*number, Arc::clone(&keys))
            },
            drop,
        )
        .for_each("look", |()| peak = peak.max(keys.load(Ordering::SeqCst)))
        .run(&CancellationToken::new())
        .unwrap();
    assert!(peak < 4096, "{peak} keys at once");
    assert_eq!(keys.load(Ordering::SeqCst), 0);
}

#[test]
fn iterator_and_local_sink_take_results_of_a_keyed_stage_too() {
    for (workers, window) in grid() {
        let pipeline = || Pipeline::from_iter(0..1000_u64).workers(workers).window(window);
        let keyed = |number: &u64| number % 5;
        let (all, outcome) = pipeline()
            .keyed("same", keyed, |number| number)
            .with_iter(&CancellationToken::new(), |numbers| numbers.eq(0..1000));
        assert_eq!((all, outcome.unwrap().finished()), (Some(true), 1000));
        let mut sum = 0;
        pipeline()
            .keyed("same", keyed, |number| number)
            .for_each_local("add", |number| sum += number)
            .run(&CancellationToken::new())
            .unwrap();
        assert_eq!(sum, 499_500);
        let first: Vec<_> = pipeline()
            .keyed("same", |number| number % 5, |number| number)
            .into_iter_with(&CancellationToken::new())
            .unwrap()
            .take(3)
            .collect::<Result<_, _>>()
            .unwrap();
        assert_eq!(first, [0, 1, 2]);
    }
}

/// The window counts source items, however many come of each and wherever they wait.
#[test]
fn window_holds_with_keyed_stages() {
    for (workers, window) in grid() {
        let ledger = Ledger::default();
        Pipeline::from_iter((0..1000).map(|number| ledger.item(number)))
            .workers(workers)
            .window(window)
            .filter("most", |item| item.number % 3 != 1)
            .keyed("pass", |item| item.number % 5, |item| item)
            .keyed_unordered("again", |item| item.number % 7, |item| item)
            .for_each("drop", drop)
            .run(&CancellationToken::new())
            .unwrap();
        assert!(ledger.peak() <= window, "{} items in a window of {window}", ledger.peak());
        assert_eq!(ledger.live(), 0);
    }
}

/// A chunk that a serial stage passes on is cut, and only its last piece has credit: what waits for a slow key may be in any of the others.
#[test]
fn window_holds_while_a_key_is_slow_behind_chunks_that_were_cut() {
    const WINDOW: usize = 64;
    let ledger = Ledger::default();
    within_limit({
        let ledger = ledger.clone();
        move || {
            let source = ledger.clone();
            Pipeline::from_iter((0..2000).map(move |number| Arc::new(source.item(number))))
                .workers(2)
                .window(WINDOW)
                .flat_map("copy", |item| (0..10).map(move |copy| (copy, Arc::clone(&item))))
                .serial("pass", |item| item)
                .map("grind", |item| {
                    grind(2000);
                    item
                })
                .keyed_unordered(
                    "slow",
                    |(copy, _)| *copy,
                    |(copy, item)| {
                        // Until the window is broken, or long enough for that; by the clock, since a look takes a thousand times as long
                        // where others wait for the core.
                        let slow = copy == 0 && item.number == 0;
                        let end = SystemClock.now() + Duration::from_millis(200);
                        while slow && ledger.made() < 10 * WINDOW && SystemClock.now() < end {
                            std::thread::yield_now();
                        }
                    },
                )
                .unordered()
                .for_each("drop", drop)
                .run(&CancellationToken::new())
                .unwrap();
        }
    });
    assert!(ledger.peak() <= WINDOW, "{} items in a window of {WINDOW}", ledger.peak());
    assert_eq!(ledger.live(), 0);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 200, ..ProptestConfig::default() })]
    #[test]
    fn keyed_stages_do_what_the_plain_loop_does(
        items in 0..400_u64,
        keys in 1..40_u64,
        keep in 1..5_u64,
        copies in 0..4_u64,
        batch in 1..20_usize,
        workers in 1..5_usize,
        window in prop::sample::select(&[1, 2, 3, 7, 32, 1000][..]),
        bad in prop::option::of(0..400_u64),
    ) {
        let lanes = Lanes::new(keys);
        let counter = AtomicUsize::new(1);
        let mut seen = Vec::new();
        let outcome = Pipeline::from_iter(0..items)
            .workers(workers)
            .window(window)
            .filter("some", |number| number % keep == 0)
            .flat_map("copies", |number| (0..copies).map(move |copy| (number, copy)))
            // Numbers for the order, given before the keys part them.
            .serial("number", |pair| (pair, counter.fetch_add(1, Ordering::SeqCst) as u64))
            .try_keyed("keyed", |((number, _), _)| number % keys, |((number, copy), order)| {
                lanes.pass(number % keys, order);
                if Some(number) == bad { Err("bad") } else { Ok((number, copy)) }
            })
            .batch(batch)
            .for_each("note", |batch| seen.extend(batch))
            .run(&CancellationToken::new());
        let all = (0..items).filter(|number| number % keep == 0);
        let all = all.flat_map(|number| (0..copies).map(move |copy| (number, copy)));
        let expected: Vec<_> = all.clone().take_while(|(number, _)| Some(*number) != bad).collect();
        prop_assert_eq!(&seen, &expected);
        let fails = expected.len() < all.count();
        let report = match &outcome {
            Ok(report) => report,
            Err(error) => {
                prop_assert_eq!((error.stage(), error.index()), (Some("keyed"), bad));
                error.report()
            }
        };
        prop_assert_eq!(outcome.is_err(), fails);
        counts_close(report);
        if !fails {
            prop_assert_eq!((report.read(), report.unfinished()), (items, 0));
        }
    }
}
