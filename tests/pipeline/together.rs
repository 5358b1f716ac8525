//! Features that meet in one pipeline, in pairs and threes: each keeps its promise beside the other.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use gristmill::pipeline::{DrainTimedOut, ErrorLog, FailedItem, PipelineMonitor, Span, UndoneInputs};
use gristmill::{CancellationToken, Pipeline, PipelineControl, PipelineErrorKind};

use super::keyed::Lanes;
use super::support::{Item, Ledger, counts_close, grid, grind, vague, within_limit};

const ITEMS: u64 = 1000;
const KEYS: u64 = 7;

#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[error("torn at {0}")]
struct Torn(u64);

/// Lanes count from 1.
fn pass(lanes: &Lanes, item: Item) -> Item {
    lanes.pass(item.number % KEYS, item.number + 1);
    item
}

#[test]
fn batches_behind_keys_are_of_neighbours_and_hold_as_many_as_the_window_and_one_batch() {
    for (workers, window) in grid() {
        let (ledger, lanes) = (Ledger::default(), Lanes::new(KEYS));
        let mut seen = Vec::new();
        let report = Pipeline::from_iter((0..ITEMS).map(|number| ledger.item(number)))
            .workers(workers)
            .window(window)
            .keyed("keyed", |item| item.number % KEYS, |item| pass(&lanes, item))
            .batch(16)
            .map("batch", |batch| batch)
            .for_each("note", |batch| seen.push(batch.iter().map(|item| item.number).collect::<Vec<_>>()))
            .run(&CancellationToken::new())
            .unwrap();
        let all: Vec<_> = (0..ITEMS).collect();
        assert_eq!(seen, all.chunks(16).map(<[u64]>::to_vec).collect::<Vec<_>>());
        assert!(ledger.peak() < window + 16, "{} with a window of {window}", ledger.peak());
        counts_close(&report);
    }
}

#[test]
fn batches_of_a_key_are_kept_apart_by_it() {
    for (workers, window) in grid() {
        let lanes = Lanes::new(KEYS);
        let (seen, report) = Pipeline::from_iter(0..ITEMS)
            .workers(workers)
            .window(window)
            .batch_by_key(5, |number| number / 5 % KEYS)
            .keyed(
                "store",
                |batch| batch[0] / 5 % KEYS,
                |batch| {
                    lanes.pass(batch[0] / 5 % KEYS, batch[0] + 1);
                    batch
                },
            )
            .flat_map("open", |batch| batch)
            .collect::<Vec<_>>()
            .run(&CancellationToken::new())
            .unwrap();
        assert!(seen.into_iter().eq(0..ITEMS));
        assert_eq!((report.finished(), report.stage("store").unwrap().items_in()), (ITEMS, ITEMS / 5));
        counts_close(&report);
    }
}

/// Every hundredth item fails, and the rest of its key goes with it; the run is cancelled at one of a key that is left.
#[test]
fn cancelled_run_of_keys_that_fail_logs_only_failures_and_the_sink_has_seen_a_prefix() {
    for (workers, window) in grid() {
        for ordered in [true, false] {
            let (ledger, lanes, log) = (Ledger::default(), Lanes::new(KEYS), ErrorLog::new(usize::MAX));
            let token = CancellationToken::new();
            let mut seen = Vec::new();
            let call = |item: Item| {
                let item = pass(&lanes, item);
                assert!(item.number != 501 || token.cancel());
                if item.number % 100 == 99 { Err(Torn(item.number)) } else { Ok(item) }
            };
            let source = (0..ITEMS).map(|number| ledger.item(number));
            let pipeline = Pipeline::from_iter(source).workers(workers).window(window);
            let note = |item: Item| seen.push(item.number);
            let key = |item: &Item| item.number % KEYS;
            let outcome = if ordered {
                let keyed = pipeline.try_keyed("keyed", key, call).collect_errors(&log).drop_rest_of_key();
                keyed.for_each("note", note).run(&token)
            } else {
                let keyed = pipeline.try_keyed_unordered("keyed", key, call).collect_errors(&log);
                keyed.drop_rest_of_key().for_each("note", note).run(&token)
            };
            let error = outcome.unwrap_err();
            assert!(error.is_cancelled(), "{error}");
            counts_close(error.report());
            assert_eq!(ledger.live(), 0);
            let told = log.take();
            let failed = error.report().stage("keyed").unwrap().failed();
            assert_eq!(told.len() as u64, failed);
            assert!(told.iter().all(|it| it.index % 100 == 99 && it.error == Torn(it.index)), "{told:?}");
            let is_through = |number: &u64| {
                let dead = |failed: u64| failed <= *number && failed % KEYS == number % KEYS;
                !(0..=*number).filter(|other| other % 100 == 99).any(dead)
            };
            if !ordered {
                seen.sort_unstable();
                seen.windows(2).for_each(|pair| assert!(pair[0] < pair[1], "twice"));
                assert!(seen.iter().all(is_through));
            } else if window == 1 {
                assert!(seen.iter().copied().eq((0..501).filter(is_through)), "{seen:?}");
            } else {
                let whole: Vec<_> = (0..ITEMS).filter(is_through).collect();
                assert!(whole.starts_with(&seen), "{seen:?}");
            }
        }
    }
}

#[test]
fn drain_that_is_over_at_once_drops_the_batch_that_is_being_filled() {
    for (workers, window) in grid() {
        let (ledger, undone, control) = (Ledger::default(), UndoneInputs::new(), PipelineControl::new());
        let begun = Mutex::new(Vec::new());
        let token = CancellationToken::new();
        let mut source = vague((0..ITEMS).map(|number| ledger.item(number)));
        let error = Pipeline::from_iter(&mut source)
            .return_undone(&undone)
            .controlled_by(&control)
            .workers(workers)
            .window(window)
            .inspect("begin", |item| {
                begun.lock().unwrap().push(item.number);
                if item.number == 400 {
                    control.close_within(Duration::ZERO);
                }
            })
            .batch(300)
            .for_each("note", |batch| assert_eq!(batch[0].number, 0, "the second batch is never full"))
            .run(&token)
            .unwrap_err();
        let PipelineErrorKind::Cancelled(cancelled) = error.kind() else { panic!("{error}") };
        assert!(cancelled.cause().unwrap().is::<DrainTimedOut>() && !token.is_cancelled());
        counts_close(error.report());
        let given_back = undone.take();
        let mut all = begun.into_inner().unwrap();
        all.extend(given_back.iter().map(|(_, item)| item.number));
        all.sort_unstable();
        assert!(all.into_iter().eq(0..error.report().read()), "begun or given back");
        assert_eq!(ledger.live(), given_back.len(), "nothing is kept in the batch");
    }
}

/// The first item holds its place until so much is behind it that only results which wait for it can be meant.
#[test]
fn results_that_wait_for_a_slow_first_item_stay_within_the_window() {
    for (workers, window) in grid().filter(|(workers, window)| *workers > 1 && *window > 1) {
        for keyed in [false, true] {
            let ledger = Ledger::default();
            let seen = within_limit({
                let ledger = ledger.clone();
                move || {
                    let items = 3 * window as u64;
                    let hold = |item: Item| {
                        while item.number == 0 && ledger.made() <= window / 2 {
                            std::thread::yield_now();
                        }
                        item
                    };
                    let source = (0..items).map(|number| ledger.item(number));
                    let pipeline = Pipeline::from_iter(vague(source)).workers(workers).window(window);
                    let mut seen = Vec::new();
                    let note = |item: Item| {
                        assert!(ledger.live() <= window);
                        seen.push(item.number);
                    };
                    let token = CancellationToken::new();
                    let report = if keyed {
                        let key = |item: &Item| item.number;
                        pipeline.keyed("hold", key, hold).for_each("note", note).run(&token)
                    } else {
                        pipeline.map("hold", hold).for_each("note", note).run(&token)
                    };
                    assert_eq!(report.unwrap().finished(), items);
                    seen
                }
            });
            assert!(seen.into_iter().eq(0..3 * window as u64));
            assert!(ledger.peak() <= window, "{} inside a window of {window}", ledger.peak());
        }
    }
}

#[test]
fn drained_pipeline_tells_the_side_channel_every_failure_of_what_it_has_read() {
    for (workers, window) in grid() {
        for keyed in [false, true] {
            let control = PipelineControl::new();
            let (sender, receiver) = crossbeam_channel::bounded::<FailedItem<u64, Torn>>(2);
            let mut source = 0..100_000_u64;
            let (mut seen, told, report) = std::thread::scope(|scope| {
                let told = scope.spawn(|| receiver.iter().map(|failed| failed.item).collect::<Vec<_>>());
                let call = |number: u64| {
                    if number == 300 {
                        control.close();
                    }
                    if number % 5 == 0 { Err(Torn(number)) } else { Ok(number) }
                };
                let pipeline = Pipeline::from_iter(&mut source).controlled_by(&control);
                let pipeline = pipeline.workers(workers).window(window);
                let token = CancellationToken::new();
                let (seen, report) = if keyed {
                    let keyed = pipeline.try_keyed("check", |number| number % KEYS, call);
                    keyed.divert_errors(sender).collect::<Vec<_>>().run(&token).unwrap()
                } else {
                    let map = pipeline.try_map("check", call).divert_errors(sender);
                    map.collect::<Vec<_>>().run(&token).unwrap()
                };
                (seen, told.join().unwrap(), report)
            });
            assert!(seen.is_sorted(), "in order");
            assert!(seen.iter().all(|number| number % 5 != 0) && told.iter().all(|number| number % 5 == 0));
            seen.extend(told);
            seen.sort_unstable();
            assert!(seen.into_iter().eq(0..report.read()), "each is a result or a failure");
            assert_eq!((report.finished(), source.start), (report.read(), report.read()));
            counts_close(&report);
        }
    }
}

#[test]
fn drain_ends_a_wait_for_room_in_the_side_channel_when_its_time_is_over() {
    for (workers, window) in grid() {
        within_limit(move || {
            let (control, undone) = (PipelineControl::new(), UndoneInputs::new());
            let (sender, full) = crossbeam_channel::bounded::<FailedItem<u64, Torn>>(1);
            let begun = AtomicUsize::new(0);
            let error = Pipeline::from_iter(0..ITEMS)
                .return_undone(&undone)
                .controlled_by(&control)
                .workers(workers)
                .window(window)
                .try_map("fail", |number| {
                    begun.fetch_add(1, Ordering::SeqCst);
                    control.close_within(Duration::from_millis(1));
                    Err::<u64, _>(Torn(number))
                })
                .divert_errors(sender)
                .for_each("none", drop)
                .run(&CancellationToken::new());
            match error {
                // Whatever had been read before the close found room.
                Ok(report) => assert_eq!((report.read(), report.finished(), full.len()), (1, 1, 1)),
                Err(error) => {
                    assert!(error.is_cancelled(), "{error}");
                    let report = error.report();
                    counts_close(report);
                    assert_eq!((begun.into_inner() + undone.take().len()) as u64, report.read());
                    // None where the time was over before the first was sent.
                    assert!(full.len() <= 1, "there is room for one");
                }
            }
        });
    }
}

#[test]
fn log_names_the_first_item_of_every_batch_that_failed() {
    for (workers, window) in grid() {
        for most in [usize::MAX, 4] {
            let log = ErrorLog::new(most);
            let outcome = Pipeline::from_iter(0..ITEMS)
                .workers(workers)
                .window(window)
                .filter("no ninth", |number| number % 9 != 8)
                .batch(10)
                .try_map("store", |batch| {
                    let torn = batch.iter().find(|number| **number % 100 == 0);
                    torn.map_or(Ok(batch.len() as u64), |number| Err(Torn(*number)))
                })
                .collect_errors(&log)
                .fold("add", 0, |sum, count| sum + count)
                .run(&CancellationToken::new());
            let kept: Vec<_> = (0..ITEMS).filter(|number| number % 9 != 8).collect();
            let torn = |batch: &&[u64]| batch.iter().any(|number| number % 100 == 0);
            let expected: Vec<_> = kept.chunks(10).filter(torn).map(|batch| batch[0]).collect();
            let told: Vec<_> = log.take().into_iter().map(|failed| failed.index).collect();
            assert!(told.iter().all(|index| expected.contains(index)), "{told:?} of {expected:?}");
            match outcome {
                Ok((sum, report)) => {
                    assert_eq!(most, usize::MAX);
                    let mut sorted = told;
                    sorted.sort_unstable();
                    assert_eq!(sorted, expected);
                    let failed: usize = kept.chunks(10).filter(torn).map(<[u64]>::len).sum();
                    assert_eq!(sum, (kept.len() - failed) as u64);
                    assert_eq!((report.finished(), report.unfinished()), (ITEMS, 0));
                    counts_close(&report);
                }
                Err(error) => {
                    assert_eq!((most, told.len()), (4, 4));
                    let index = error.index().unwrap();
                    assert!(expected.contains(&index) && !told.contains(&index), "{index} of {expected:?}");
                    counts_close(error.report());
                }
            }
        }
    }
}

/// A state that must not leave its thread, before and behind a keyed stage.
#[test]
fn state_of_a_worker_stays_on_its_thread_around_a_keyed_stage() {
    for (workers, window) in grid() {
        let (lanes, made) = (Lanes::new(KEYS), AtomicUsize::new(0));
        let init = || {
            made.fetch_add(1, Ordering::SeqCst);
            (Rc::new(Cell::new(0_u64)), std::thread::current().id())
        };
        let count = |(count, home): &mut (Rc<Cell<u64>>, std::thread::ThreadId), number: u64| {
            assert_eq!(*home, std::thread::current().id());
            count.set(count.get() + 1);
            number
        };
        let (seen, report) = Pipeline::from_iter(0..ITEMS)
            .workers(workers)
            .window(window)
            .map_init("before", init, count)
            .keyed(
                "keyed",
                |number| number % KEYS,
                |number| {
                    lanes.pass(number % KEYS, number + 1);
                    number
                },
            )
            .map_init("after", init, count)
            .collect::<Vec<_>>()
            .run(&CancellationToken::new())
            .unwrap();
        assert!(seen.into_iter().eq(0..ITEMS));
        assert!((2..=2 * workers.min(window)).contains(&made.into_inner()));
        counts_close(&report);
    }
}

/// Of three items one is dropped, and the others doubled, before their keys; again one of three behind them.
#[test]
fn counts_close_and_the_window_holds_where_items_are_dropped_and_doubled_around_their_keys() {
    for (workers, window) in grid() {
        let ledger = Ledger::default();
        let sources = Ledger::default();
        let (seen, report) = Pipeline::from_iter((0..ITEMS).map(|number| sources.item(number)))
            .workers(workers)
            .window(window)
            .filter("first", |item| item.number % 3 != 1)
            .flat_map("twice", |item| {
                let twin = ledger.item(item.number);
                [(twin, None), (ledger.item(item.number), Some(item))]
            })
            .keyed("keyed", |(item, _)| item.number % KEYS, |pair| pair)
            .filter("second", |(item, _)| item.number % 3 == 0)
            .map("number", |(item, source)| (item.number, source.is_some()))
            .collect::<Vec<_>>()
            .run(&CancellationToken::new())
            .unwrap();
        let expected = (0..ITEMS).filter(|number| number % 3 == 0);
        assert!(seen.into_iter().eq(expected.flat_map(|number| [(number, false), (number, true)])));
        counts_close(&report);
        let kept = ITEMS - 333;
        for (stage, counts) in [
            ("first", (ITEMS, kept, 333)),
            ("twice", (kept, 2 * kept, 0)),
            ("keyed", (2 * kept, 2 * kept, 0)),
            ("second", (2 * kept, 2 * 334, 2 * 333)),
        ] {
            let stage = report.stage(stage).unwrap();
            assert_eq!((stage.items_in(), stage.items_out(), stage.filtered()), counts, "{report}");
        }
        assert!(sources.peak() <= window, "{} with a window of {window}", sources.peak());
        assert_eq!((sources.live(), ledger.live(), report.finished()), (0, 0, ITEMS));
    }
}

#[test]
fn stage_that_borrows_may_close_the_pipeline_that_borrows_its_control() {
    for (workers, window) in grid() {
        let words: Vec<String> = (0..ITEMS).map(|number| number.to_string()).collect();
        let (control, last) = (PipelineControl::new(), "500".to_owned());
        let mut lengths = Vec::new();
        let report = Pipeline::from_slice(&words)
            .controlled_by(&control)
            .workers(workers)
            .window(window)
            .inspect("look", |word| {
                if **word == last {
                    control.close();
                }
            })
            .map("borrow", String::as_str)
            .for_each("note", |word| lengths.push(word))
            .run(&CancellationToken::new())
            .unwrap();
        assert!(lengths.len() > 500);
        assert!(lengths.iter().zip(&words).all(|(seen, word)| seen == word));
        assert_eq!((report.read(), report.finished()), (lengths.len() as u64, lengths.len() as u64));
    }
}

#[test]
fn lazy_iterator_over_keys_dropped_half_way_drops_every_item_and_ends_without_an_error() {
    for (workers, window) in grid() {
        for ordered in [true, false] {
            let ledger: &'static Ledger = Box::leak(Box::default());
            let lanes: &'static Lanes = Box::leak(Box::new(Lanes::new(KEYS)));
            let source = Pipeline::from_iter((0..ITEMS).map(|number| ledger.item(number)));
            let source = source.workers(workers).window(window);
            let key = |item: &Item| item.number % KEYS;
            let call = |item| pass(lanes, item);
            let token = CancellationToken::new();
            let mut seen: Vec<u64>;
            let report = if ordered {
                let mut items = source.keyed("keyed", key, call).into_iter_with(&token).unwrap();
                seen = items.by_ref().take(300).map(|item| item.unwrap().number).collect();
                items.finish()
            } else {
                let (numbers, outcome) = source
                    .keyed_unordered("keyed", key, call)
                    .with_iter(&token, |items| items.take(300).map(|item| item.number).collect::<Vec<_>>());
                seen = numbers.unwrap();
                outcome
            };
            let report = report.unwrap();
            if ordered {
                assert!(seen.into_iter().eq(0..300));
            } else {
                // Those of one key keep their order as far as the stage only.
                seen.sort_unstable();
                seen.dedup();
                assert_eq!(seen.len(), 300);
            }
            assert!(report.read() <= 300 + window as u64 && !token.is_cancelled());
            counts_close(&report);
            assert_eq!(ledger.live(), 0);
        }
    }
}

#[test]
fn rule_of_the_monitor_may_drain_the_pipeline_and_the_last_snapshot_is_the_report() {
    for (workers, window) in grid() {
        let (monitor, control) = (PipelineMonitor::new(), PipelineControl::new());
        let close = control.clone();
        monitor.when("enough", |now| now.finished() >= 100, |_| false, move |_| close.close());
        let mut seen = Vec::new();
        // Without an end: only the rule can stop it.
        let report = within_limit({
            let monitor = monitor.clone();
            move || {
                let report = Pipeline::from_iter(0..)
                    .controlled_by(&control)
                    .monitored_by(&monitor)
                    .workers(workers)
                    .window(window)
                    .map("grind", |number: u64| (number, grind(50)).0)
                    .batch(3)
                    .for_each("note", |batch| seen.extend(batch))
                    .run(&CancellationToken::new())
                    .unwrap();
                assert!(seen.into_iter().eq(0..report.read()), "what was read went through");
                report
            }
        });
        let after = monitor.snapshot();
        assert!(after.has_ended() && report.read() >= 100, "{after}");
        assert_eq!(
            (after.read(), after.finished(), after.in_flight()),
            (report.read(), report.finished(), 0)
        );
        assert!(after.rows().iter().all(|row| row.queued() == 0), "{after}");
        assert!(monitor.take_panics().is_empty());
    }
}

#[test]
fn timeline_of_a_run_that_panicked_shows_what_had_been_done_and_can_be_drawn() {
    for (workers, window) in grid() {
        for place in ["map", "keyed", "sink"] {
            let torn = move |here: &str, number: u64| assert!(here != place || number != 500, "torn");
            let error = Pipeline::from_iter(0..ITEMS)
                .workers(workers)
                .window(window)
                .record_timeline()
                .inspect("map", |number| torn("map", *number))
                .keyed(
                    "keyed",
                    |number| number % KEYS,
                    |number| {
                        torn("keyed", number);
                        number
                    },
                )
                .for_each("sink", |number| torn("sink", number))
                .run(&CancellationToken::new())
                .unwrap_err();
            assert_eq!((error.stage(), error.index()), (Some(place), Some(500)));
            let report = error.report();
            counts_close(report);
            let timeline = report.timeline().expect("it was asked for");
            assert_eq!((timeline.workers(), timeline.left_out().0), (report.workers(), 0));
            let spans = || (0..timeline.workers()).flat_map(|worker| timeline.spans(worker));
            assert!(spans().all(|span| span.start() <= span.end() && span.end() <= report.elapsed()));
            for (stage, row) in report.stages().iter().enumerate() {
                let items: u64 = spans().filter(|span| span.stage() == stage).map(Span::items).sum();
                assert!(items <= row.items_in(), "{}: {items}\n{report}", row.name());
            }
            let sink: u64 = spans().filter(|span| span.stage() == 3).map(Span::items).sum();
            assert_eq!(sink, 500, "what came before it");
            let mut picture = Vec::new();
            timeline.write_svg(&mut picture).unwrap();
            assert!(roxmltree::Document::parse(std::str::from_utf8(&picture).unwrap()).is_ok());
        }
    }
}
