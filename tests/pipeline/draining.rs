//! Closing a running pipeline, draining it within a time, and taking back what was never begun.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use gristmill::pipeline::{DrainTimedOut, UndoneInputs};
use gristmill::{CancellationToken, Pipeline, PipelineControl, PipelineErrorKind};

use super::support::{Ledger, counts_close, grid, vague, within_limit};

#[test]
fn closed_pipeline_finishes_what_it_has_and_reads_no_more() {
    for (workers, window) in grid() {
        let control = PipelineControl::new();
        let mut source = 0..100_000_u64;
        let mut seen = Vec::new();
        let report = Pipeline::from_iter(&mut source)
            .controlled_by(&control)
            .workers(workers)
            .window(window)
            .map("same", |number| number)
            .batch(7)
            .for_each("note", |batch| {
                seen.extend(batch);
                if seen.len() > 500 {
                    control.close();
                }
            })
            .run(&CancellationToken::new())
            .unwrap();
        assert!(seen.iter().copied().eq(0..report.read()), "nothing is lost");
        assert_eq!((report.finished(), source.start), (report.read(), report.read()));
        assert!(report.read() < 100_000);
        counts_close(&report);
        assert!(control.is_closed());
    }
}

#[test]
fn closing_ends_the_wait_for_a_channel_and_leaves_in_it_what_was_not_read() {
    for (workers, window) in grid() {
        for local in [false, true] {
            within_limit(move || {
                let (sender, receiver) = crossbeam_channel::bounded(11);
                let control = PipelineControl::new();
                for number in 0..10 {
                    sender.send(number).unwrap();
                }
                let mut seen = Vec::new();
                let mut note = |number| {
                    seen.push(number);
                    if number == 9 {
                        control.close();
                        sender.send(10).unwrap();
                    }
                };
                let pipeline = Pipeline::from_receiver(receiver.clone()).controlled_by(&control);
                let pipeline = pipeline.workers(workers).window(window).map("same", |number| number);
                let token = CancellationToken::new();
                let report = if local {
                    pipeline.for_each_local("note", &mut note).run(&token)
                } else {
                    pipeline.for_each("note", &mut note).run(&token)
                };
                let report = report.unwrap();
                let left: Vec<_> = receiver.try_iter().collect();
                seen.extend(left);
                assert_eq!(seen, (0..=10).collect::<Vec<_>>());
                assert_eq!(report.unfinished(), 0);
            });
        }
    }
}

#[test]
fn idle_pipeline_ends_when_another_thread_closes_it() {
    for (workers, window) in grid() {
        within_limit(move || {
            let (sender, receiver) = crossbeam_channel::bounded(1);
            let (seen, arrived) = crossbeam_channel::bounded(1);
            let control = PipelineControl::new();
            let closer = std::thread::Builder::new().spawn({
                let control = control.clone();
                move || {
                    sender.send(1).unwrap();
                    arrived.recv().unwrap();
                    control.close();
                    sender // lives until the run has ended
                }
            });
            let report = Pipeline::from_receiver(receiver)
                .controlled_by(&control)
                .workers(workers)
                .window(window)
                .inspect("tell", |_| seen.send(()).unwrap())
                .batch(100)
                .for_each("drop", drop)
                .run(&CancellationToken::new())
                .unwrap();
            assert_eq!(report.stage("batch").unwrap().items_out(), 1, "the rest is passed on");
            drop(closer.unwrap().join().unwrap());
        });
    }
}

#[test]
fn control_goes_on_with_the_runs_that_are_left_when_one_has_ended() {
    within_limit(|| {
        let control = PipelineControl::new();
        let start = || {
            let (sender, receiver) = crossbeam_channel::bounded(1);
            let (seen, arrived) = crossbeam_channel::bounded(1);
            let pipeline = Pipeline::from_receiver(receiver).controlled_by(&control).workers(1);
            let run = std::thread::Builder::new().spawn(move || {
                let told = pipeline.inspect("tell", |_| seen.send(()).unwrap()).for_each("drop", drop);
                told.run(&CancellationToken::new()).unwrap().finished()
            });
            sender.send(1).unwrap();
            arrived.recv().unwrap();
            (sender, run.unwrap())
        };
        let ((first, ends), (kept, goes_on)) = (start(), start());
        drop(first);
        assert_eq!(ends.join().unwrap(), 1);
        assert!(format!("{control:?}").contains("runs: 1"), "{control:?}");
        control.close();
        assert_eq!(goes_on.join().unwrap(), 1);
        assert!(format!("{control:?}").contains("runs: 0"), "{control:?}");
        drop(kept);
    });
}

#[test]
fn control_that_is_closed_already_lets_nothing_be_read() {
    let control = PipelineControl::new();
    control.close();
    control.close();
    for _ in 0..2 {
        let report = Pipeline::from_iter(0..)
            .controlled_by(&control)
            .for_each("drop", drop)
            .run(&CancellationToken::new())
            .unwrap();
        assert_eq!(report.read(), 0);
    }
    control.close_within(Duration::ZERO);
    let pipeline = Pipeline::from_iter(0..).controlled_by(&control).for_each("drop", drop);
    // Nothing was read, so there is nothing that takes too long; or the cancellation was seen first.
    let outcome = pipeline.run(&CancellationToken::new());
    let read = outcome.as_ref().map_or_else(|error| error.report().read(), gristmill::Report::read);
    assert_eq!(read, 0);
}

/// The sink never gets rid of an item: only the time-out ends the run.
#[test]
fn drain_that_takes_too_long_is_a_cancellation_and_says_what_is_undone() {
    for (workers, window) in grid() {
        within_limit(move || {
            let (out, full) = crossbeam_channel::bounded(3);
            let (control, token) = (PipelineControl::new(), CancellationToken::new());
            let undone = UndoneInputs::new();
            let begun = Mutex::new(BTreeSet::new());
            let mut source = 0..10_000_u64;
            let error = std::thread::scope(|scope| {
                scope.spawn(|| {
                    // From then on nothing can be sent, however long the time is.
                    while !(full.is_full() && begun.lock().unwrap().contains(&3)) {
                        std::thread::yield_now();
                    }
                    control.close_within(Duration::from_millis(2));
                    control.close_within(Duration::MAX); // the one that ends first holds
                });
                Pipeline::from_iter(&mut source)
                    .return_undone(&undone)
                    .controlled_by(&control)
                    .workers(workers)
                    .window(window)
                    .inspect("begin", |number| _ = begun.lock().unwrap().insert(*number))
                    .send(out)
                    .run(&token)
                    .unwrap_err()
            });
            let PipelineErrorKind::Cancelled(cancelled) = error.kind() else { panic!("{error}") };
            let cause = cancelled.cause().and_then(|cause| cause.downcast_ref::<DrainTimedOut>());
            assert_eq!(cause, Some(&DrainTimedOut(Duration::from_millis(2))));
            assert!(!token.is_cancelled(), "it is the caller's");
            let report = error.report();
            counts_close(report);
            assert_eq!((report.finished(), full.len()), (3, 3));
            let undone: BTreeSet<_> = undone.take().into_iter().map(|(_, number)| number).collect();
            let begun = begun.into_inner().unwrap();
            assert!(undone.is_disjoint(&begun));
            assert_eq!(report.read(), source.start);
            assert!(begun.union(&undone).copied().eq(0..source.start));
        });
    }
}

#[test]
fn time_out_that_never_ends_is_none() {
    let control = PipelineControl::new();
    let report = Pipeline::from_iter(0..)
        .controlled_by(&control)
        .window(4)
        .for_each("close", |_| control.close_within(Duration::MAX))
        .run(&CancellationToken::new())
        .unwrap();
    assert!((1..=5).contains(&report.finished()));
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    Error,
    Panic,
    Cancel,
    Abandon,
}

/// Every input is begun, or given back, or still in the source: one of the three, however the run ends and wherever.
#[test]
fn every_input_is_begun_or_given_back_or_not_read() {
    for (workers, window) in grid() {
        for end in [End::Error, End::Panic, End::Cancel, End::Abandon] {
            for (late, ordered, polled) in
                [(false, true, false), (true, true, false), (true, false, false), (false, true, true)]
            {
                let ledger = Ledger::default();
                let (token, undone) = (CancellationToken::new(), UndoneInputs::new());
                let begun = Mutex::new(Vec::new());
                let at_end = |number: u64| match end {
                    _ if number != 400 => Ok(()),
                    End::Error => Err("torn"),
                    End::Panic => panic!("torn"),
                    End::Cancel => {
                        token.cancel();
                        Ok(())
                    }
                    End::Abandon => Ok(()),
                };
                let mut source = vague((0..2000).map(|number| ledger.item(number)));
                let stages = |item: super::support::Item| {
                    begun.lock().unwrap().push(item.number);
                    if late { Ok(item) } else { at_end(item.number).map(|()| item) }
                };
                let after = |item: super::support::Item| {
                    if late { at_end(item.number).map(|()| item) } else { Ok(item) }
                };
                let mut left = Vec::new();
                {
                    let pipeline = Pipeline::from_iter(&mut source).return_undone(&undone);
                    let pipeline = if polled { pipeline.source_is_ready() } else { pipeline };
                    let pipeline = pipeline.workers(workers).window(window);
                    let pipeline = if ordered { pipeline } else { pipeline.unordered() };
                    let (_, outcome) = pipeline
                        .try_map("begin", stages)
                        .batch(3)
                        .flat_map("part", |batch| batch)
                        .try_map("after", after)
                        .with_iter(&token, |items| {
                            items.take(if end == End::Abandon { 400 } else { 2000 }).count()
                        });
                    assert_eq!(outcome.is_ok(), end == End::Abandon, "{outcome:?}");
                    let report = match &outcome {
                        Ok(report) => report,
                        Err(error) => error.report(),
                    };
                    counts_close(report);
                    assert_eq!(report.read(), ledger.made() as u64);
                }
                left.extend(source.map(|item| item.number));
                let given_back = undone.take();
                assert!(given_back.windows(2).all(|pair| pair[0].0 < pair[1].0), "in order");
                assert!(given_back.iter().all(|(index, item)| *index == item.number), "with their indices");
                let mut all = begun.into_inner().unwrap();
                all.extend(given_back.iter().map(|(index, _)| *index));
                all.extend(left);
                all.sort_unstable();
                assert!(all.into_iter().eq(0..2000), "{workers} {window} {end:?} {late} {ordered} {polled}");
                drop(given_back);
                assert_eq!(ledger.live(), 0);
            }
        }
    }
}

#[test]
fn run_that_succeeds_gives_nothing_back() {
    let undone = UndoneInputs::new();
    Pipeline::from_iter(0..1000)
        .return_undone(&undone)
        .for_each("drop", drop)
        .run(&CancellationToken::new())
        .unwrap();
    assert!(undone.take().is_empty());
}

/// A keyed stage and a side effect of the close inside it: what has entered its lines goes through.
#[test]
fn keyed_stages_are_drained_too() {
    for (workers, window) in grid() {
        let (control, closed) = (PipelineControl::new(), AtomicBool::new(false));
        let (results, report) = Pipeline::from_iter(0..100_000_u64)
            .controlled_by(&control)
            .workers(workers)
            .window(window)
            .keyed(
                "close",
                |number| number % 7,
                |number| {
                    if number == 300 && !closed.swap(true, Ordering::SeqCst) {
                        control.close();
                    }
                    number
                },
            )
            .collect::<Vec<_>>()
            .run(&CancellationToken::new())
            .unwrap();
        assert!(results.into_iter().eq(0..report.read()));
        counts_close(&report);
    }
}

/// What the first stage has begun, what is given back and what was not read are all inputs, each once.
#[test]
fn what_no_first_stage_of_any_kind_has_begun_is_given_back() {
    #[derive(Clone, Copy, Debug)]
    enum First {
        Parallel,
        Serial,
        Sink,
        LocalSink,
        Blocking,
        Expanding,
    }
    use First::{Blocking, Expanding, LocalSink, Parallel, Serial, Sink};
    for first in [Parallel, Serial, Sink, LocalSink, Blocking, Expanding] {
        for (workers, window) in grid().filter(|(_, window)| *window < 4096) {
            for ordered in [true, false] {
                let undone = UndoneInputs::new();
                let begun = Mutex::new(Vec::new());
                let mut numbers = 0..2000_u64;
                let call = |number: u64| {
                    begun.lock().unwrap().push(number);
                    if number == 700 { Err("seven hundred") } else { Ok(number) }
                };
                let source =
                    Pipeline::from_iter(&mut numbers).workers(workers).window(window).return_undone(&undone);
                let source = if ordered { source } else { source.unordered() };
                let token = CancellationToken::new();
                let error = match first {
                    Parallel => source.try_map("first", call).for_each("drop", drop).run(&token),
                    Serial => source.try_serial("first", call).for_each("drop", drop).run(&token),
                    Sink => source.try_for_each("first", |number| call(number).map(drop)).run(&token),
                    LocalSink => {
                        source.try_for_each_local("first", |number| call(number).map(drop)).run(&token)
                    }
                    Blocking => source.try_blocking("first", 3, call).for_each("drop", drop).run(&token),
                    Expanding => source
                        .flat_map_bounded("first", 5, |number| Some(call(number)))
                        .try_map("unpack", |result| result)
                        .for_each("drop", drop)
                        .run(&token),
                }
                .unwrap_err();
                assert_eq!(error.index(), Some(700), "{error}");
                let mut all = begun.into_inner().unwrap();
                all.extend(undone.take().into_iter().map(|(index, number)| {
                    assert_eq!(index, number);
                    number
                }));
                all.sort_unstable();
                assert!(
                    all.into_iter().chain(numbers).eq(0..2000),
                    "{first:?}, {workers} workers, window {window}, ordered {ordered}"
                );
                counts_close(error.report());
            }
        }
    }
}

/// The failure comes after the cancellation, so that it is none; what the source gave in the same read as it was never begun.
#[test]
fn what_was_read_in_front_of_a_failure_that_is_only_a_reaction_is_given_back_in_its_place() {
    const LAST: u64 = 1000;
    for (workers, window) in grid() {
        let (token, undone) = (CancellationToken::new(), UndoneInputs::new());
        let begun = Mutex::new(Vec::new());
        let source = (0_u64..).map(|number| {
            if number == LAST {
                token.cancel();
                return Err("late");
            }
            Ok(number)
        });
        let error = Pipeline::from_try_iter(source)
            .workers(workers)
            .window(window)
            .return_undone(&undone)
            .inspect("begin", |number| begun.lock().unwrap().push(*number))
            .for_each("drop", drop)
            .run(&token)
            .unwrap_err();
        assert!(error.is_cancelled(), "{error}");
        assert_eq!(error.report().read(), LAST + 1);
        let mut all = begun.into_inner().unwrap();
        for (index, number) in undone.take() {
            assert_eq!(index, number, "{workers} workers, window {window}");
            all.push(number);
        }
        all.sort_unstable();
        assert!(all.into_iter().eq(0..LAST), "{workers} workers, window {window}");
        counts_close(error.report());
    }
}
