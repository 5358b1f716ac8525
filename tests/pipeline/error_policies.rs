//! Error policies: who stays, who is told of, what ends the run all the same, and that nothing else changes.

use std::error::Error;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use gristmill::pipeline::{ErrorLog, FailedItem};
use gristmill::{CancellationToken, Pipeline, PipelineError, PipelineErrorKind, Report};

use super::support::{Ledger, counts_close, grid, vague, within_limit};

const ITEMS: u64 = 1000;

#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[error("torn at {0}")]
struct Torn(u64);

fn is_torn(number: u64) -> bool {
    number % 7 == 3 || (400..500).contains(&number) || number >= ITEMS - 40
}

fn check(number: u64) -> Result<u64, Torn> {
    if is_torn(number) { Err(Torn(number)) } else { Ok(number) }
}

fn whole() -> Vec<u64> {
    (0..ITEMS).filter(|number| !is_torn(*number)).collect()
}

fn torn() -> Vec<u64> {
    (0..ITEMS).filter(|number| is_torn(*number)).collect()
}

#[track_caller]
fn assert_skipped(report: &Report, stage: &str) {
    assert_eq!((report.read(), report.finished(), report.unfinished()), (ITEMS, ITEMS, 0));
    let stage = report.stage(stage).unwrap();
    let counts = (stage.items_in(), stage.items_out(), stage.failed());
    assert_eq!(counts, (ITEMS, whole().len() as u64, torn().len() as u64));
    assert!(report.stages().iter().all(|other| other.failed() == 0 || other.name() == stage.name()));
}

#[test]
fn skipped_items_are_counted_and_the_others_keep_their_order_at_every_place() {
    for (workers, window) in grid() {
        let token = CancellationToken::new();
        let source = || Pipeline::from_iter(vague(0..ITEMS)).workers(workers).window(window);
        let all = |outcome: Result<(Vec<u64>, Report), PipelineError<Torn>>, stage| {
            let (seen, report) = outcome.unwrap();
            assert_eq!(seen, whole(), "{stage}, {workers} workers, window {window}");
            assert_skipped(&report, stage);
        };
        all(source().try_map("map", check).skip_errors().collect().run(&token), "map");
        let init = source().try_map_init("init", || 1, |one, number| check(number * *one)).skip_errors();
        all(init.collect().run(&token), "init");
        all(source().try_serial("serial", check).skip_errors().collect().run(&token), "serial");
        let amid = source().map("a", |n| n).try_map("map", check).skip_errors().inspect("b", |_| ());
        all(amid.serial("c", |n| n).map("d", |n| n).collect().run(&token), "map");

        let mut seen = Vec::new();
        let see = |number| check(number).map(|number| seen.push(number));
        let report = source().try_for_each("sink", see).skip_errors().run(&token).unwrap();
        all(Ok((seen, report)), "sink");
        let mut seen = Vec::new();
        let see = |number| check(number).map(|number| seen.push(number));
        let report = source().try_for_each_local("sink", see).skip_errors().run(&token).unwrap();
        all(Ok((seen, report)), "sink");
        let pulled = source().try_map("map", check).skip_errors();
        let (seen, outcome) = pulled.with_iter(&token, |numbers| numbers.collect());
        all(outcome.map(|report| (seen.unwrap(), report)), "map");
        let log = ErrorLog::new(usize::MAX);
        let mut owned = source().try_map("map", check).collect_errors(&log).into_iter_with(&token).unwrap();
        let seen = owned.by_ref().map(Result::unwrap).collect();
        all(owned.finish().map(|report| (seen, report)), "map");
        assert_eq!((log.len(), log.is_empty()), (torn().len(), false));
        assert!(log.take().into_iter().map(|failed| failed.index).eq(torn()));
        assert_eq!((log.len(), log.is_empty()), (0, true));
    }
}

#[test]
fn unordered_run_skips_the_same_items() {
    for (workers, window) in grid() {
        let (mut seen, report) = Pipeline::from_iter(0..ITEMS)
            .workers(workers)
            .window(window)
            .unordered()
            .try_map("map", check)
            .skip_errors()
            .collect::<Vec<_>>()
            .run(&CancellationToken::new())
            .unwrap();
        seen.sort_unstable();
        assert_eq!(seen, whole());
        assert_skipped(&report, "map");
    }
}

#[test]
fn window_holds_and_the_run_ends_where_every_item_fails() {
    for (workers, window) in grid() {
        for serial in [false, true] {
            let ledger = Ledger::default();
            let fail = |item: super::support::Item| Err::<u64, _>(Torn(item.number));
            let source = Pipeline::from_iter((0..ITEMS).map(|number| ledger.item(number)))
                .workers(workers)
                .window(window);
            let token = CancellationToken::new();
            let report = if serial {
                source
                    .try_serial("fail", fail)
                    .skip_errors()
                    .for_each("none", |_| panic!("it failed"))
                    .run(&token)
            } else {
                source
                    .try_map("fail", fail)
                    .skip_errors()
                    .for_each("none", |_| panic!("it failed"))
                    .run(&token)
            };
            let report = report.unwrap();
            assert_eq!((report.finished(), report.stage("fail").unwrap().failed()), (ITEMS, ITEMS));
            assert_eq!(ledger.live(), 0);
            assert!(ledger.peak() <= window, "{} with window {window}", ledger.peak());
        }
    }
}

#[test]
fn batches_are_of_those_that_are_left_and_the_last_is_the_rest() {
    for (workers, window) in grid() {
        for count in [1, 2, 7, 300, 5000] {
            let (batches, report) = within_limit(move || {
                Pipeline::from_iter(0..ITEMS)
                    .workers(workers)
                    .window(window)
                    .try_map("map", check)
                    .skip_errors()
                    .batch(count)
                    .collect::<Vec<_>>()
                    .run(&CancellationToken::new())
                    .unwrap()
            });
            let expected: Vec<_> = whole().chunks(count).map(<[u64]>::to_vec).collect();
            assert_eq!(batches, expected, "{workers} workers, window {window}, batches of {count}");
            assert_skipped(&report, "map");
        }
    }
}

#[test]
fn batch_that_fails_as_a_whole_is_one_failure_and_all_its_items_are_finished() {
    for (workers, window) in grid() {
        for serial in [false, true] {
            let log = ErrorLog::new(usize::MAX);
            let seen = log.clone();
            let (sums, report) = within_limit(move || {
                let batches = Pipeline::from_iter(0..ITEMS).workers(workers).window(window).batch(4);
                let add = |batch: Vec<u64>| {
                    if batch.contains(&9) || batch.contains(&(ITEMS - 1)) {
                        Err("no")
                    } else {
                        Ok(batch.len())
                    }
                };
                let token = CancellationToken::new();
                if serial {
                    batches
                        .try_serial("add", add)
                        .collect_errors(&log)
                        .collect::<Vec<_>>()
                        .run(&token)
                        .unwrap()
                } else {
                    batches.try_map("add", add).collect_errors(&log).collect::<Vec<_>>().run(&token).unwrap()
                }
            });
            assert_eq!(sums.iter().sum::<usize>() as u64, ITEMS - 8);
            assert_eq!((report.finished(), report.stage("add").unwrap().failed()), (ITEMS, 2));
            assert!(seen.take().into_iter().map(|failed| failed.index).eq([8, ITEMS - 4]));
        }
    }
}

#[test]
fn failure_behind_a_flat_map_drops_that_one_alone_and_names_its_source() {
    for (workers, window) in grid() {
        let log = ErrorLog::new(usize::MAX);
        let (seen, report) = Pipeline::from_iter(0..500_u64)
            .workers(workers)
            .window(window)
            .filter("even", |number| number % 2 == 0)
            .flat_map("thrice", |number| [number, number + 1000, number + 2000])
            .try_map("map", |number| if number / 1000 == 1 { Err(Torn(number)) } else { Ok(number) })
            .collect_errors(&log)
            .flat_map("twice", |number| [number, number])
            .try_serial("serial", |number| if number == 2004 { Err(Torn(number)) } else { Ok(number) })
            .collect_errors(&log)
            .collect::<Vec<_>>()
            .run(&CancellationToken::new())
            .unwrap();
        let all = (0..500).step_by(2).flat_map(|number| [number, number, number + 2000, number + 2000]);
        assert!(seen.iter().copied().eq(all.filter(|number| *number != 2004)));
        assert_eq!(
            (report.stage("map").unwrap().failed(), report.stage("serial").unwrap().failed()),
            (250, 2)
        );
        let failed = log.take();
        assert!(failed.iter().filter(|failed| failed.stage == "map").all(|it| it.error.0 == it.index + 1000));
        let twice: Vec<_> = failed.iter().filter(|failed| failed.stage == "serial").collect();
        assert!(twice.len() == 2 && twice.iter().all(|failed| failed.index == 4));
        assert!(failed.is_sorted_by_key(|failed| failed.index));
    }
}

#[test]
fn log_takes_so_many_and_the_next_failure_ends_the_run() {
    for (workers, window) in grid() {
        for most in [0, 1, 5, 100] {
            let log = ErrorLog::new(most);
            let mut seen = Vec::new();
            let error = Pipeline::from_iter(0..ITEMS)
                .workers(workers)
                .window(window)
                .try_map("map", check)
                .collect_errors(&log)
                .for_each("see", |number| seen.push(number))
                .run(&CancellationToken::new())
                .unwrap_err();
            let index = error.index().unwrap();
            assert_eq!((error.stage(), error.report().finished()), (Some("map"), index));
            assert!(seen.iter().copied().eq((0..index).filter(|number| !is_torn(*number))));
            assert!(error.report().stage("map").unwrap().failed() > most as u64);
            let failed = log.take();
            assert_eq!(failed.len(), most);
            assert!(failed.iter().all(|failed| failed.index != index && is_torn(failed.index)));
            if workers == 1 {
                assert!(failed.iter().map(|failed| failed.index).eq(torn().into_iter().take(most)));
                assert_eq!(index, torn()[most]);
            }
            assert_eq!(error.into_error(), Some(Torn(index)));
        }
    }
}

#[test]
fn serial_stages_and_sinks_record_the_first_failures_whatever_the_workers() {
    for (workers, window) in grid() {
        for serial in [false, true] {
            let log = ErrorLog::new(20);
            let source = Pipeline::from_iter(0..ITEMS).workers(workers).window(window);
            let token = CancellationToken::new();
            let outcome = if serial {
                source.try_serial("last", check).collect_errors(&log).for_each("drop", drop).run(&token)
            } else {
                source.try_for_each("last", |n| check(n).map(drop)).collect_errors(&log).run(&token)
            };
            let error = outcome.unwrap_err();
            assert_eq!((error.stage(), error.index()), (Some("last"), Some(torn()[20])));
            assert_eq!(error.report().stage("last").unwrap().failed(), 21);
            assert!(log.take().into_iter().map(|failed| failed.index).eq(torn().into_iter().take(20)));
        }
    }
}

#[test]
fn what_is_taken_from_the_log_while_the_run_goes_on_makes_no_room() {
    let log = ErrorLog::new(3);
    let handle = log.clone();
    let mut taken = Vec::new();
    let error = Pipeline::from_iter(0..100_u64)
        .workers(1)
        .window(1)
        .try_map("map", |number| if number % 10 == 9 { Err(Torn(number)) } else { Ok(number) })
        .collect_errors(&log)
        .for_each("take", |_| taken.extend(handle.take()))
        .run(&CancellationToken::new())
        .unwrap_err();
    assert_eq!(error.index(), Some(39));
    assert!(taken.iter().map(|failed| failed.index).eq([9, 19, 29]));
    assert_eq!(taken[0].to_string(), "map failed at item 9: torn at 9");
    assert_eq!(taken[0].source().unwrap().to_string(), "torn at 9");
    assert!(log.is_empty() && log.take().is_empty());
    assert_eq!(format!("{log:?}"), "ErrorLog { len: 0, .. }");
}

#[test]
fn error_in_reaction_to_the_cancellation_is_not_the_items_failure() {
    for (workers, window) in grid() {
        for place in 0..3 {
            let token = CancellationToken::new();
            let log = ErrorLog::new(usize::MAX);
            let (sender, diverted) = crossbeam_channel::bounded(1000);
            let react = |number: u64, here: usize| {
                if here == place && number == 400 {
                    token.cancel_with("the operator");
                }
                if here == place && (number % 100 == 50 || token.is_cancelled()) {
                    Err(Torn(number))
                } else {
                    Ok(number)
                }
            };
            let error = Pipeline::from_iter(0..1000_u64)
                .workers(workers)
                .window(window)
                .try_map("map", |number| react(number, 0))
                .divert_errors(sender)
                .try_serial("serial", |number| react(number, 1))
                .collect_errors(&log)
                .try_for_each("sink", |number| react(number, 2).map(drop))
                .collect_errors(&log)
                .run(&token)
                .unwrap_err();
            assert!(error.is_cancelled(), "{error:?} at {place}");
            assert_eq!((error.stage(), error.index()), (None, None));
            let mut told: Vec<_> = diverted.iter().map(|failed| failed.index).collect();
            told.extend(log.take().into_iter().map(|failed| failed.index));
            assert!(told.iter().all(|index| index % 100 == 50), "{told:?} at {place}");
            if workers == 1 || place > 0 {
                assert_eq!(told, [50, 150, 250, 350], "what failed before stays told");
            }
        }
    }
}

/// Runs with failures diverted into a channel of `room`, received on another thread; gives those, in the order of their index.
fn diverted<R>(
    room: usize,
    run: impl FnOnce(crossbeam_channel::Sender<FailedItem<u64, Torn>>) -> R,
) -> (R, Vec<FailedItem<u64, Torn>>) {
    let (sender, receiver) = crossbeam_channel::bounded(room);
    std::thread::scope(|scope| {
        // It ends when the run has dropped its sender.
        let receiving = scope.spawn(move || receiver.iter().collect::<Vec<_>>());
        let value = run(sender);
        let mut failed = receiving.join().unwrap();
        failed.sort_by_key(|failed| failed.index);
        (value, failed)
    })
}

#[test]
fn every_failure_is_sent_once_with_its_item_and_the_channel_ends_with_the_run() {
    for (workers, window) in grid() {
        for room in [0, 1, 100] {
            for place in ["map", "init", "serial", "sink", "unordered"] {
                let token = CancellationToken::new();
                let source = Pipeline::from_iter(0..ITEMS).workers(workers).window(window);
                let ((mut seen, report), failed) = diverted(room, |sender| {
                    let mut seen = Vec::new();
                    match place {
                        "map" => {
                            source.try_map(place, check).divert_errors(sender).collect().run(&token).unwrap()
                        }
                        "init" => {
                            let init = source.try_map_init(place, || (), |(), number| check(number));
                            init.divert_errors(sender).collect().run(&token).unwrap()
                        }
                        "serial" => {
                            let serial = source.try_serial(place, check).divert_errors(sender);
                            serial.map("m", |n| n).collect().run(&token).unwrap()
                        }
                        "sink" => {
                            let sink = source.try_for_each_local(place, |n| check(n).map(|n| seen.push(n)));
                            let report = sink.divert_errors(sender).run(&token).unwrap();
                            (seen, report)
                        }
                        _ => {
                            let map = source.unordered().try_map(place, check).divert_errors(sender);
                            map.collect().run(&token).unwrap()
                        }
                    }
                });
                if place == "unordered" {
                    seen.sort_unstable();
                }
                assert_eq!(seen, whole());
                assert_skipped(&report, place);
                assert!(failed.iter().map(|failed| failed.index).eq(torn()));
                assert!(
                    failed
                        .iter()
                        .all(|it| it.stage == place && it.item == it.index && it.error == Torn(it.index))
                );
            }
        }
    }
}

#[test]
fn full_side_channel_slows_the_source_down() {
    const ROOM: u64 = 2;
    for (workers, window) in grid() {
        let told = AtomicU64::new(0);
        let (sender, receiver) = crossbeam_channel::bounded(usize::try_from(ROOM).unwrap());
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for _ in &receiver {
                    told.fetch_add(1, Ordering::SeqCst);
                }
            });
            let source = (0..ITEMS).inspect(|number| {
                // In the window, in the channel, and one in the receiver's hands.
                let most = told.load(Ordering::SeqCst) + window as u64 + ROOM + 1;
                assert!(*number < most, "read {number} of {most}");
            });
            let report = Pipeline::from_iter(source)
                .workers(workers)
                .window(window)
                .try_map("fail", |number| Err::<u64, _>(Torn(number)))
                .divert_errors(sender)
                .for_each("none", drop)
                .run(&CancellationToken::new())
                .unwrap();
            assert_eq!(report.finished(), ITEMS);
        });
        assert_eq!(told.into_inner(), ITEMS);
    }
}

#[test]
fn cancellation_ends_a_wait_for_room_and_what_was_sent_stays() {
    for (workers, window) in grid() {
        for serial in [false, true] {
            within_limit(move || {
                let token = CancellationToken::new();
                let (sender, receiver) = crossbeam_channel::bounded(2);
                std::thread::scope(|scope| {
                    scope.spawn(|| {
                        while !receiver.is_full() {
                            std::thread::yield_now();
                        }
                        token.cancel_with("the operator");
                    });
                    let source = Pipeline::from_iter(0..).workers(workers).window(window);
                    let fail = |number: u64| Err::<u64, _>(Torn(number));
                    let error = if serial {
                        source
                            .try_serial("fail", fail)
                            .divert_errors(sender)
                            .for_each("none", drop)
                            .run(&token)
                    } else {
                        source.try_map("fail", fail).divert_errors(sender).for_each("none", drop).run(&token)
                    };
                    let error = error.unwrap_err();
                    assert!(error.is_cancelled(), "{error:?}");
                    counts_close(error.report());
                });
                assert_eq!(receiver.iter().count(), 2);
            });
        }
    }
}

#[test]
fn another_failure_ends_a_wait_for_room() {
    within_limit(|| {
        for ordered in [false, true] {
            for workers in [2, 4] {
                let (sender, receiver) = crossbeam_channel::bounded(1);
                let source = Pipeline::from_iter(0..100_u64).workers(workers);
                let source = if ordered { source.in_order() } else { source.unordered() };
                let error = source
                    .try_map("map", |number| if number == 0 { Ok(number) } else { Err(Torn(number)) })
                    .divert_errors(sender)
                    .try_for_each("sink", |number| {
                        while !receiver.is_full() {
                            std::thread::yield_now();
                        }
                        Err(Torn(number))
                    })
                    .run(&CancellationToken::new())
                    .unwrap_err();
                assert_eq!((error.stage(), error.index()), (Some("sink"), Some(0)));
                assert_eq!(receiver.iter().count(), 1);
            }
        }
    });
}

#[test]
fn receiver_that_is_gone_ends_the_run_and_the_error_holds_the_failure() {
    for (workers, window) in grid() {
        let (sender, receiver) = crossbeam_channel::bounded(3);
        std::thread::scope(|scope| {
            scope.spawn(move || assert_eq!(receiver.iter().take(5).count(), 5));
            let mut seen = Vec::new();
            let error = Pipeline::from_iter(0..ITEMS)
                .workers(workers)
                .window(window)
                .try_map("map", check)
                .divert_errors(sender)
                .for_each("see", |number| seen.push(number))
                .run(&CancellationToken::new())
                .unwrap_err();
            let index = error.index().unwrap();
            assert!(is_torn(index) && error.stage() == Some("map"));
            assert!(seen.iter().copied().eq((0..index).filter(|number| !is_torn(*number))));
            assert_eq!(error.report().finished(), index);
            assert!(
                matches!(error.kind(), PipelineErrorKind::ReceiverGone { source: Some(Torn(at)), .. } if *at == index)
            );
            assert_eq!(error.source().unwrap().to_string(), format!("torn at {index}"));
            let text = format!("map could not send item {index}: the channel has no receiver left");
            assert_eq!(error.to_string(), text);
            assert_eq!(error.kind().to_string(), text);
            assert_eq!(error.kind().source().unwrap().to_string(), format!("torn at {index}"));
            assert_eq!(error.into_error(), Some(Torn(index)));
        });
    }
}

#[test]
fn receiver_that_goes_in_reaction_to_the_cancellation_is_not_the_cause() {
    within_limit(|| {
        for _ in 0..100 {
            for diverts in [false, true] {
                let token = CancellationToken::new();
                let (sender, failed) = crossbeam_channel::bounded(1);
                let (results, outlet) = crossbeam_channel::bounded(1);
                let fail = move |number: u64| if diverts { Err(Torn(number)) } else { Ok(number) };
                let map = Pipeline::from_iter(0..10).workers(2).try_map("map", fail).divert_errors(sender);
                std::thread::scope(|scope| {
                    let token = &token;
                    scope.spawn(move || {
                        while !failed.is_full() && !outlet.is_full() {
                            std::thread::yield_now();
                        }
                        token.cancel();
                        drop((failed, outlet));
                    });
                    let error = map.send(results).run(token).unwrap_err();
                    assert!(error.is_cancelled(), "{error:?}");
                });
            }
        }
    });
}

#[test]
fn closure_decides_with_stage_index_and_error_and_may_change_the_error() {
    for (workers, window) in grid() {
        let told = Mutex::new(Vec::new());
        let mut seen = Vec::new();
        let error = Pipeline::from_iter(0..ITEMS)
            .workers(workers)
            .window(window)
            .try_map("map", check)
            .handle_errors(|failed| {
                assert_eq!((failed.stage.as_ref(), failed.error), ("map", Torn(failed.index)));
                if failed.index >= 400 {
                    return Err(Torn(failed.index + 1_000_000));
                }
                told.lock().unwrap().push(failed.index);
                Ok(())
            })
            .for_each("see", |number| seen.push(number))
            .run(&CancellationToken::new())
            .unwrap_err();
        assert_eq!((error.stage(), error.index()), (Some("map"), Some(400)));
        assert_eq!(error.into_error(), Some(Torn(1_000_400)));
        let mut told = told.into_inner().unwrap();
        told.sort_unstable();
        assert!(told.into_iter().eq((0..400).filter(|number| is_torn(*number))));
        assert!(seen.into_iter().eq((0..400).filter(|number| !is_torn(*number))));
    }
}

#[test]
fn policy_is_for_its_stage_alone() {
    for (workers, window) in grid() {
        let error = Pipeline::from_iter(0..ITEMS)
            .workers(workers)
            .window(window)
            .try_map("skips", |number| if number % 2 == 1 { Err(Torn(number)) } else { Ok(number) })
            .skip_errors()
            .try_map("stops", check)
            .try_serial("skips too", check)
            .skip_errors()
            .for_each("drop", drop)
            .run(&CancellationToken::new())
            .unwrap_err();
        assert_eq!((error.stage(), error.index()), (Some("stops"), Some(10)));
        assert_eq!(error.report().finished(), 10);
    }
}

#[track_caller]
fn assert_panicked(outcome: Result<Report, PipelineError<Bomb>>, stage: &str, index: u64) {
    let error = outcome.unwrap_err();
    assert!(error.is_panic(), "{error:?}");
    assert_eq!((error.stage(), error.index()), (Some(stage), Some(index)));
    assert_eq!(error.report().finished(), index);
}

/// An error, or an item, whose drop or clone panics if it is told to.
#[derive(Debug)]
struct Bomb {
    number: u64,
    drops: Option<Arc<AtomicBool>>,
}

impl Bomb {
    fn dud(number: u64) -> Self {
        Self { number, drops: None }
    }
}

impl Clone for Bomb {
    fn clone(&self) -> Self {
        assert!(self.number != 99, "no copies of 99");
        Self::dud(self.number)
    }
}

impl Drop for Bomb {
    fn drop(&mut self) {
        if let Some(armed) = &self.drops {
            assert!(!armed.swap(false, Ordering::SeqCst), "dropped {}", self.number);
        }
    }
}

#[test]
fn panic_in_the_stage_the_policy_a_clone_or_an_errors_drop_ends_the_run_at_its_item() {
    for (workers, window) in grid() {
        let token = CancellationToken::new();
        let source = || Pipeline::from_iter(0..1000_u64).workers(workers).window(window);
        let fail = |number: u64| if number % 10 == 9 { Err(Bomb::dud(number)) } else { Ok(number) };
        let boom = |number: u64| {
            assert!(number != 99, "torn at 99");
            fail(number)
        };
        assert_panicked(
            source().try_map("m", boom).skip_errors().for_each("drop", drop).run(&token),
            "m",
            99,
        );
        assert_panicked(
            source().try_serial("m", boom).skip_errors().for_each("drop", drop).run(&token),
            "m",
            99,
        );
        assert_panicked(source().try_for_each("m", |n| boom(n).map(drop)).skip_errors().run(&token), "m", 99);

        let judge = |failed: gristmill::pipeline::ItemError<Bomb>| {
            assert!(failed.index != 99, "no judgement of 99");
            Ok(())
        };
        let map = source().try_map("m", fail).handle_errors(judge);
        assert_panicked(map.map("n", |n| n).for_each("drop", drop).run(&token), "m", 99);
        let serial = source().try_serial("m", fail).handle_errors(judge);
        assert_panicked(serial.for_each("drop", drop).run(&token), "m", 99);
        assert_panicked(
            source().try_for_each("m", |n| fail(n).map(drop)).handle_errors(judge).run(&token),
            "m",
            99,
        );

        let armed = Arc::new(AtomicBool::new(true));
        let drops = |number: u64| {
            let drops = (number == 99).then(|| Arc::clone(&armed));
            if number % 10 == 9 { Err(Bomb { number, drops }) } else { Ok(number) }
        };
        assert_panicked(
            source().try_map("m", drops).skip_errors().for_each("drop", drop).run(&token),
            "m",
            99,
        );
        armed.store(true, Ordering::SeqCst);
        assert_panicked(
            source().try_serial("m", drops).skip_errors().for_each("drop", drop).run(&token),
            "m",
            99,
        );
        armed.store(true, Ordering::SeqCst);
        assert_panicked(
            source().try_for_each("m", |n| drops(n).map(drop)).skip_errors().run(&token),
            "m",
            99,
        );

        let (sender, receiver) = crossbeam_channel::bounded(1000);
        let cloned = source().map("bomb", Bomb::dud).try_map("m", |item| fail(item.number));
        assert_panicked(cloned.divert_errors(sender).for_each("drop", drop).run(&token), "m", 99);
        assert!(receiver.iter().all(|failed| failed.item.number != 99));
    }
}

#[test]
#[allow(clippy::disallowed_methods)] // an unbounded channel is what it is about
fn unbounded_side_channel_and_items_without_size_need_no_receiver_meanwhile() {
    for (workers, window) in grid() {
        let (sender, receiver) = crossbeam_channel::unbounded();
        let count = AtomicU64::new(0);
        let fail = |()| if count.fetch_add(1, Ordering::SeqCst) % 3 == 0 { Err(()) } else { Ok(()) };
        let (kept, report) = Pipeline::from_iter(std::iter::repeat_n((), 3000))
            .workers(workers)
            .window(window)
            .try_map("map", fail)
            .divert_errors(sender)
            .try_serial("serial", |()| Ok::<(), ()>(()))
            .skip_errors()
            .collect::<Vec<()>>()
            .run(&CancellationToken::new())
            .unwrap();
        assert_eq!((kept.len(), report.finished()), (2000, 3000));
        let mut indices: Vec<_> = receiver.iter().map(|failed| failed.index).collect();
        assert_eq!(indices.len(), 1000);
        indices.sort_unstable();
        indices.dedup();
        assert_eq!(indices.len(), 1000, "each index once");
    }
}

#[test]
fn items_are_dropped_once_whoever_of_them_fails_or_is_sent() {
    for (workers, window) in grid() {
        let ledger = Ledger::default();
        let (sender, receiver) = crossbeam_channel::bounded(16);
        std::thread::scope(|scope| {
            scope.spawn(|| receiver.iter().for_each(drop));
            Pipeline::from_iter((0..ITEMS).map(|number| Arc::new(ledger.item(number))))
                .workers(workers)
                .window(window)
                .try_map("map", |item| check(item.number).map(|_| item))
                .divert_errors(sender)
                .try_map("again", |item| if item.number % 5 == 0 { Err(Torn(item.number)) } else { Ok(item) })
                .skip_errors()
                .for_each("drop", drop)
                .run(&CancellationToken::new())
                .unwrap();
        });
        assert_eq!((ledger.made() as u64, ledger.live()), (ITEMS, 0));
    }
}
