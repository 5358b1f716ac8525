//! Blocking stages: calls that wait, on threads of the stage's own.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Barrier, Mutex, mpsc};
use std::thread;

use gristmill::fan::Merge;
use gristmill::pipeline::{ErrorLog, Span, StageKind};
use gristmill::{CancellationToken, Pipeline, PipelineControl, PipelineErrorKind};
use proptest::prelude::*;

use super::support::{Item, LIMIT, Ledger, counts_close, grid, grind, vague, within_limit};

/// Workers, windows and threads of the stage.
fn threads_and_grid() -> impl Iterator<Item = (usize, usize, usize)> {
    [1, 3].into_iter().flat_map(|threads| {
        grid()
            .filter(|(workers, window)| *workers <= 4 && *window != 16)
            .map(move |(workers, window)| (threads, workers, window))
    })
}

fn here() -> String {
    thread::current().name().unwrap_or("none").to_owned()
}

#[test]
fn results_are_in_order_or_all_there() {
    for (threads, workers, window) in threads_and_grid() {
        for ordered in [true, false] {
            let pipeline = Pipeline::from_iter(vague(0..1000_u64)).workers(workers).window(window);
            let call = |number: u64| {
                grind(number % 7 * 50);
                number
            };
            let token = CancellationToken::new();
            let (mut results, report) = if ordered {
                pipeline.blocking("wait", threads, call).collect::<Vec<_>>().run(&token)
            } else {
                pipeline.blocking_unordered("wait", threads, call).collect::<Vec<_>>().run(&token)
            }
            .unwrap();
            if !ordered {
                results.sort_unstable();
            }
            assert!(results.into_iter().eq(0..1000));
            counts_close(&report);
            let stage = report.stage("wait").unwrap();
            assert_eq!((stage.kind(), stage.threads()), (StageKind::Blocking, threads.min(window)));
            assert_eq!((stage.items_in(), stage.items_out(), report.finished()), (1000, 1000, 1000));
            assert_eq!((stage.latency().count(), stage.missing_threads()), (1000, 0));
        }
    }
}

/// Every call waits for as many others as there are threads, and there is one worker.
#[test]
fn as_many_calls_are_under_way_at_once_as_there_are_threads_with_a_single_worker() {
    for source_may_block in [false, true] {
        within_limit(move || {
            let meet = Barrier::new(8);
            let pipeline = Pipeline::from_iter(0..64).workers(1).window(16);
            let pipeline = if source_may_block { pipeline.source_may_block() } else { pipeline };
            let report = pipeline
                .blocking("meet", 8, |_| _ = meet.wait())
                .for_each("drop", drop)
                .run(&CancellationToken::new())
                .unwrap();
            assert_eq!((report.workers(), report.finished()), (1, 64));
        });
    }
}

/// Also where the window has no more room than that: room that a call leaves is filled at once, for all items but the last few.
#[test]
fn calls_overlap_fully_where_the_window_holds_as_many_items_as_there_are_threads() {
    for workers in [1, 2] {
        within_limit(move || {
            let meet = Barrier::new(4);
            let report = Pipeline::from_iter(0..400)
                .workers(workers)
                .window(4)
                .blocking("meet", 4, |_| _ = meet.wait())
                .for_each("drop", drop)
                .run(&CancellationToken::new())
                .unwrap();
            assert_eq!(report.finished(), 400);
        });
    }
}

#[test]
fn workers_compute_while_all_threads_of_the_stage_wait() {
    within_limit(|| {
        // The calls end when the later half of the items has been through the stage before them.
        let (through, passed) = mpsc::channel();
        let (through, passed) = (Mutex::new(through), Mutex::new(passed));
        let report = Pipeline::from_iter(0..32)
            .workers(1)
            .window(32)
            .map("compute", |number| {
                if number >= 16 {
                    through.lock().unwrap().send(()).unwrap();
                }
                number
            })
            .blocking("wait", 16, |number| {
                if number < 16 {
                    passed.lock().unwrap().recv_timeout(LIMIT).unwrap();
                }
            })
            .for_each("drop", drop)
            .run(&CancellationToken::new())
            .unwrap();
        assert_eq!(report.finished(), 32);
    });
}

#[test]
fn closure_runs_on_its_own_threads_alone_which_are_named_after_the_stage() {
    for workers in [1, 4] {
        let (own, others) = (Mutex::new(HashSet::new()), Mutex::new(HashSet::new()));
        let meet = Barrier::new(3);
        Pipeline::from_iter(0..300)
            .workers(workers)
            .map("before", |_| _ = others.lock().unwrap().insert(here()))
            .blocking("fet\0ch", 3, |()| {
                meet.wait();
                own.lock().unwrap().insert(here());
            })
            .for_each("after", |()| _ = others.lock().unwrap().insert(here()))
            .run(&CancellationToken::new())
            .unwrap();
        let expected = (1..=3).map(|number| format!("gristmill-fetch-{number}")).collect();
        assert_eq!(*own.lock().unwrap(), expected);
        assert!(others.lock().unwrap().is_disjoint(&expected));
    }
}

#[test]
fn zero_threads_are_refused_and_nothing_is_read() {
    let (mut source, token) = (0..3, CancellationToken::new());
    let error = Pipeline::from_iter(&mut source)
        .blocking("wait", 0, |number| number)
        .for_each("drop", drop)
        .run(&token)
        .unwrap_err();
    assert_eq!(error.to_string(), "blocking must be at least 1");
    let error = Pipeline::from_iter(0..3)
        .try_blocking_unordered("wait", 0, |_| Err::<(), _>("never"))
        .into_iter_with(&token)
        .map(drop)
        .unwrap_err();
    assert_eq!(error.to_string(), "try_blocking_unordered must be at least 1");
    assert_eq!(source.len(), 3);
}

#[test]
fn error_or_panic_ends_the_run_and_the_sink_has_seen_exactly_the_items_before_it() {
    for (threads, workers, window) in threads_and_grid() {
        for panics in [false, true] {
            let ledger = Ledger::default();
            let mut seen = Vec::new();
            let error = Pipeline::from_iter((0..600_u64).map(|number| ledger.item(number)))
                .workers(workers)
                .window(window)
                .try_blocking("break", threads, |item| {
                    grind(item.number % 5 * 50);
                    assert!(!panics || item.number != 400, "torn");
                    if item.number == 400 { Err("torn") } else { Ok(item) }
                })
                .for_each("note", |item: Item| seen.push(item.number))
                .run(&CancellationToken::new())
                .unwrap_err();
            assert_eq!((error.stage(), error.index(), error.is_panic()), (Some("break"), Some(400), panics));
            assert!(seen.into_iter().eq(0..400));
            counts_close(error.report());
            let stage = error.report().stage("break").unwrap();
            assert_eq!((stage.failed(), stage.panicked()), (u64::from(!panics), u64::from(panics)));
            assert_eq!(ledger.live(), 0);
        }
    }
}

#[test]
fn failure_where_no_order_is_kept_counts_no_more_than_is_through() {
    for (threads, workers, window) in threads_and_grid() {
        let mut seen = 0;
        let error =
            Pipeline::from_iter(0..600_u64)
                .workers(workers)
                .window(window)
                .try_blocking_unordered("break", threads, |number| {
                    if number == 400 { Err("torn") } else { Ok(number) }
                })
                .unordered()
                .for_each("note", |_| seen += 1)
                .run(&CancellationToken::new())
                .unwrap_err();
        assert_eq!((error.stage(), error.index()), (Some("break"), Some(400)));
        assert!(error.report().finished() <= seen, "{error}");
        counts_close(error.report());
    }
}

#[test]
fn failure_of_another_stage_ends_the_threads_too() {
    for (threads, workers, window) in threads_and_grid() {
        for after in [false, true] {
            let ledger = Ledger::default();
            let error = Pipeline::from_iter((0..600_u64).map(|number| ledger.item(number)))
                .workers(workers)
                .window(window)
                .try_map("before", |item| if !after && item.number == 400 { Err("torn") } else { Ok(item) })
                .blocking("wait", threads, |item| item)
                .try_map("after", |item| if after && item.number == 400 { Err("torn") } else { Ok(item) })
                .for_each("drop", drop)
                .run(&CancellationToken::new())
                .unwrap_err();
            let stage = if after { "after" } else { "before" };
            assert_eq!((error.stage(), error.index()), (Some(stage), Some(400)));
            assert_eq!(error.report().finished(), 400);
            counts_close(error.report());
            assert_eq!(ledger.live(), 0);
        }
    }
}

#[test]
fn cancellation_ends_the_run_waits_for_calls_and_drops_every_item_once() {
    for (threads, workers, window) in threads_and_grid() {
        let ledger = Ledger::default();
        let token = CancellationToken::new();
        let under_way = AtomicUsize::new(0);
        let error = Pipeline::from_iter((0..600).map(|number| ledger.item(number)))
            .workers(workers)
            .window(window)
            .blocking("stop", threads, |item| {
                under_way.fetch_add(1, Ordering::SeqCst);
                if item.number == 300 {
                    token.cancel();
                    grind(1000);
                }
                under_way.fetch_sub(1, Ordering::SeqCst);
                item
            })
            .for_each("drop", drop)
            .run(&token)
            .unwrap_err();
        assert_eq!(under_way.load(Ordering::SeqCst), 0);
        assert!(matches!(error.kind(), PipelineErrorKind::Cancelled(_)));
        counts_close(error.report());
        assert_eq!(ledger.live(), 0);
    }
}

/// The source waits for ever, the stage has nothing, and its threads sleep.
#[test]
fn cancellation_ends_a_run_whose_threads_sleep() {
    for workers in [1, 3] {
        within_limit(move || {
            let (sender, receiver) = crossbeam_channel::bounded(4);
            let token = CancellationToken::new();
            sender.send(0).unwrap();
            let stop = token.clone();
            let error = Pipeline::from_receiver(receiver)
                .workers(workers)
                .blocking("wait", 3, |number| number)
                .for_each("stop", |_: i32| _ = stop.cancel())
                .run(&token)
                .unwrap_err();
            assert!(error.is_cancelled());
            drop(sender);
        });
    }
}

/// Each item is sent when the one before has come through: nothing waits for company, nor behind a wait for the next item.
#[test]
fn lone_item_goes_through_while_the_source_waits_for_the_next() {
    for workers in [1, 2] {
        for unordered in [false, true] {
            within_limit(move || {
                let (sender, receiver) = crossbeam_channel::bounded(1);
                sender.send(0).unwrap();
                let mut sender = Some(sender);
                let mut next = |number: i32| {
                    if number < 200 {
                        sender.as_ref().unwrap().send(number + 1).unwrap();
                    } else {
                        sender = None;
                    }
                };
                let pipeline = Pipeline::from_receiver(receiver).workers(workers);
                let token = CancellationToken::new();
                let report = if unordered {
                    let pipeline = pipeline.blocking_unordered("wait", 3, |number| number);
                    pipeline.for_each("next", &mut next).run(&token)
                } else {
                    let pipeline = pipeline.blocking("wait", 3, |number| number);
                    pipeline.for_each_local("next", &mut next).run(&token)
                };
                assert_eq!(report.unwrap().finished(), 201);
            });
        }
    }
}

#[test]
fn lone_item_goes_through_while_a_merge_waits_for_the_next() {
    for workers in [1, 2] {
        within_limit(move || {
            let (sender, receiver) = crossbeam_channel::bounded(1);
            sender.send(0).unwrap();
            let mut sender = Some(sender);
            let report = Pipeline::from_merge(Merge::fair([receiver]))
                .workers(workers)
                .blocking("wait", 3, |number: i32| number)
                .for_each("next", |number| {
                    if number < 200 {
                        sender.as_ref().unwrap().send(number + 1).unwrap();
                    } else {
                        sender = None;
                    }
                })
                .run(&CancellationToken::new());
            assert_eq!(report.unwrap().finished(), 201);
        });
    }
}

#[test]
fn closed_source_drains_through_the_stage() {
    for (threads, workers, window) in threads_and_grid() {
        within_limit(move || {
            let control = PipelineControl::new();
            let closer = control.clone();
            let (seen, report) = Pipeline::from_iter(0..)
                .controlled_by(&control)
                .workers(workers)
                .window(window)
                .blocking("wait", threads, move |number: u64| {
                    if number == 50 {
                        closer.close();
                    }
                    number
                })
                .collect::<Vec<_>>()
                .run(&CancellationToken::new())
                .unwrap();
            assert!(seen.len() > 50 && seen.len() as u64 == report.read());
            assert!(seen.into_iter().eq(0..report.read()));
            counts_close(&report);
        });
    }
}

#[test]
fn every_error_policy_goes_on_without_the_items_that_fail() {
    for (threads, workers, window) in threads_and_grid() {
        let bad = |number: u64| number % 10 == 5;
        let call = |number: u64| if bad(number) { Err("bad") } else { Ok(number) };
        let expected: Vec<u64> = (0..300).filter(|number| !bad(*number)).collect();
        let (log, token) = (ErrorLog::new(100), CancellationToken::new());
        let (sender, failed) = crossbeam_channel::bounded(100);
        let handled = AtomicUsize::new(0);
        let pipeline = || Pipeline::from_iter(0..300_u64).workers(workers).window(window);
        let outcomes = [
            pipeline()
                .try_blocking("ask", threads, call)
                .skip_errors()
                .batch(7)
                .collect::<Vec<_>>()
                .run(&token),
            pipeline()
                .try_blocking("ask", threads, call)
                .collect_errors(&log)
                .batch(7)
                .collect::<Vec<_>>()
                .run(&token),
            pipeline()
                .try_blocking("ask", threads, call)
                .divert_errors(sender)
                .batch(7)
                .collect::<Vec<_>>()
                .run(&token),
            pipeline()
                .try_blocking_unordered("ask", threads, call)
                .handle_errors(|failed| {
                    assert!(failed.stage == "ask" && bad(failed.index));
                    handled.fetch_add(1, Ordering::SeqCst);
                    Ok(())
                })
                .batch(7)
                .collect::<Vec<_>>()
                .run(&token),
        ];
        for (number, outcome) in outcomes.into_iter().enumerate() {
            let (batches, report) = outcome.unwrap();
            let mut results = batches.concat();
            if number == 3 {
                results.sort_unstable();
            }
            assert_eq!(results, expected);
            counts_close(&report);
            assert_eq!((report.stage("ask").unwrap().failed(), report.finished()), (30, 300));
        }
        let mut logged: Vec<_> = log.take().into_iter().map(|failed| failed.index).collect();
        logged.sort_unstable();
        let mut diverted: Vec<_> = failed.iter().map(|failed| (failed.index, failed.item)).collect();
        diverted.sort_unstable();
        let bad: Vec<_> = (0..300).filter(|number| bad(*number)).collect();
        assert!(logged == bad && diverted.into_iter().eq(bad.iter().map(|number| (*number, *number))));
        assert_eq!(handled.load(Ordering::SeqCst), 30);
    }
}

/// The last items of the stage give nothing: somebody has to find that the batch behind it is as full as it will be.
#[test]
fn batch_behind_the_stage_is_passed_on_though_the_last_items_fail() {
    for (threads, workers, window) in threads_and_grid() {
        within_limit(move || {
            for _ in 0..20 {
                let (batches, report) = Pipeline::from_iter(0..20)
                    .workers(workers)
                    .window(window)
                    .try_blocking("ask", threads, |number| if number < 5 { Ok(number) } else { Err(()) })
                    .skip_errors()
                    .batch(100)
                    .collect::<Vec<_>>()
                    .run(&CancellationToken::new())
                    .unwrap();
                assert_eq!((batches.concat(), report.finished()), (vec![0, 1, 2, 3, 4], 20));
            }
        });
    }
}

#[test]
fn iterator_and_local_sink_take_results_of_the_stage_too() {
    for (threads, workers, window) in threads_and_grid() {
        let pipeline = || Pipeline::from_iter(0..300_u64).workers(workers).window(window);
        let (all, outcome) = pipeline()
            .blocking("same", threads, |number| number)
            .with_iter(&CancellationToken::new(), |numbers| numbers.eq(0..300));
        assert_eq!((all, outcome.unwrap().finished()), (Some(true), 300));
        let mut sum = 0;
        pipeline()
            .blocking("same", threads, |number| number)
            .for_each_local("add", |number| sum += number)
            .run(&CancellationToken::new())
            .unwrap();
        assert_eq!(sum, 44_850);
        let first: Vec<_> = pipeline()
            .blocking("same", threads, |number| number)
            .into_iter_with(&CancellationToken::new())
            .unwrap()
            .take(3)
            .collect::<Result<_, _>>()
            .unwrap();
        assert_eq!(first, [0, 1, 2]);
    }
}

#[test]
fn iterator_that_is_dropped_half_way_or_not_pulled_ends_its_threads() {
    for (threads, workers, window) in threads_and_grid() {
        for pulled in [0, 1, 100] {
            let ledger = Ledger::default();
            let source = ledger.clone();
            let mut items = Pipeline::from_iter((0..300).map(move |number| source.item(number)))
                .workers(workers)
                .window(window)
                .blocking("same", threads, |item| item)
                .into_iter_with(&CancellationToken::new())
                .unwrap();
            for number in 0..pulled {
                assert_eq!(items.next().unwrap().unwrap().number, number);
            }
            let report = items.finish().unwrap();
            counts_close(&report);
            assert_eq!((report.finished(), ledger.live()), (pulled, 0));
        }
    }
}

#[test]
fn window_holds_with_blocking_stages() {
    for (threads, workers, window) in threads_and_grid() {
        let ledger = Ledger::default();
        Pipeline::from_iter((0..600).map(|number| ledger.item(number)))
            .workers(workers)
            .window(window)
            .filter("most", |item| item.number % 3 != 1)
            .blocking_unordered("pass", threads, |item| item)
            .keyed("key", |item| item.number % 5, |item| item)
            .blocking("again", threads, |item| item)
            .for_each("drop", drop)
            .run(&CancellationToken::new())
            .unwrap();
        assert!(ledger.peak() <= window, "{} items in a window of {window}", ledger.peak());
        assert_eq!(ledger.live(), 0);
    }
}

/// A result goes on while a later call, and an earlier one where no order is kept, is under way.
#[test]
fn result_that_is_there_goes_on_while_other_calls_wait() {
    for ordered in [true, false] {
        for workers in [1, 2] {
            within_limit(move || {
                let (arrive, arrived) = mpsc::channel();
                let arrived = Mutex::new(arrived);
                // In order the last item waits for the first to arrive; otherwise the first for the last.
                let waits = if ordered { 7 } else { 0 };
                let call = |number: u64| {
                    if number == waits {
                        let arrived = arrived.lock().unwrap();
                        while arrived.recv_timeout(LIMIT).unwrap() != 7 - waits {}
                    }
                    number
                };
                let pipeline = Pipeline::from_iter(0..8_u64).workers(workers).window(8);
                let token = CancellationToken::new();
                let arrive = |number| _ = arrive.send(number);
                let report = if ordered {
                    pipeline.blocking("wait", 2, call).for_each("arrive", arrive).run(&token)
                } else {
                    let pipeline = pipeline.blocking_unordered("wait", 2, call).unordered();
                    pipeline.for_each("arrive", arrive).run(&token)
                };
                assert_eq!(report.unwrap().finished(), 8);
            });
        }
    }
}

/// Two threads serve calls that all wait for their turn, and nothing else takes any time.
#[test]
fn stage_that_all_wait_for_is_the_bottleneck_and_no_time_of_the_workers() {
    let (report, threads) = within_limit(|| {
        let (tick, ticks) = crossbeam_channel::bounded(0);
        let clock = thread::Builder::new().spawn(move || {
            for _ in 0..100 {
                grind(200_000);
                tick.send(()).unwrap();
            }
        });
        let report = Pipeline::from_iter(0..100)
            .workers(2)
            .blocking("wait", 2, |_| ticks.recv().unwrap())
            .for_each("drop", drop)
            .run(&CancellationToken::new())
            .unwrap();
        clock.unwrap().join().unwrap();
        let threads = report.stage("wait").unwrap().threads();
        (report, threads)
    });
    let bottleneck = report.bottleneck().unwrap();
    assert_eq!((bottleneck.stage().name(), bottleneck.is_short_of_workers(), threads), ("wait", false, 2));
    assert!(bottleneck.one_more_thread().is_some_and(|times| times > 1.0), "{report}");
    assert!(report.utilisation(bottleneck.stage()) > 0.5, "{report}");
    assert!(report.to_string().contains("2 threads for wait\n"), "{report}");
}

#[test]
fn timeline_has_a_lane_for_each_thread_of_the_stage() {
    let report = Pipeline::from_iter(0..60)
        .workers(2)
        .record_timeline()
        .blocking("wait", 3, |number| number)
        .for_each("drop", drop)
        .run(&CancellationToken::new())
        .unwrap();
    let timeline = report.timeline().unwrap();
    let names: Vec<_> = (0..timeline.workers()).map(|lane| timeline.name(lane)).collect();
    assert_eq!(names, ["worker 0", "worker 1", "wait 1", "wait 2", "wait 3"]);
    let items = |lane: usize| timeline.spans(lane).iter().filter(|span| span.stage() == 1).map(Span::items);
    assert_eq!((2..5).flat_map(items).sum::<u64>(), 60);
    assert_eq!((0..2).flat_map(items).sum::<u64>(), 0);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 150, ..ProptestConfig::default() })]
    #[test]
    fn blocking_stages_do_what_the_plain_loop_does(
        items in 0..300_u64,
        threads in 1..5_usize,
        keep in 1..5_u64,
        copies in 0..4_u64,
        batch in 1..20_usize,
        workers in 1..4_usize,
        window in prop::sample::select(&[1, 2, 3, 7, 32, 1000][..]),
        skipped in 2..9_u64,
        bad in prop::option::of(0..300_u64),
    ) {
        let mut seen = Vec::new();
        let outcome = Pipeline::from_iter(0..items)
            .workers(workers)
            .window(window)
            .filter("some", |number| number % keep == 0)
            .flat_map("copies", |number| (0..copies).map(move |copy| (number, copy)))
            .try_blocking("first", threads, |pair| if pair.0 % skipped == 0 { Err("skipped") } else { Ok(pair) })
            .skip_errors()
            .batch(3)
            .blocking("second", threads, |batch| batch)
            .flat_map("unpack", |batch| batch)
            .keyed("key", |(number, _)| number % 5, |pair| pair)
            .try_blocking("third", threads, |(number, copy)| {
                if Some(number) == bad { Err("bad") } else { Ok((number, copy)) }
            })
            .batch(batch)
            .for_each("note", |batch| seen.extend(batch))
            .run(&CancellationToken::new());
        let all = (0..items).filter(|number| number % keep == 0 && number % skipped != 0);
        let all = all.flat_map(|number| (0..copies).map(move |copy| (number, copy)));
        let expected: Vec<_> = all.clone().take_while(|(number, _)| Some(*number) != bad).collect();
        prop_assert_eq!(&seen, &expected);
        let fails = expected.len() < all.count();
        let report = match &outcome {
            Ok(report) => report,
            Err(error) => {
                prop_assert_eq!(error.stage(), Some("third"));
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
