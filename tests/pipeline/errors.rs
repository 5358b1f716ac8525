//! Errors: every place they come from, which of several wins, and what the error says.

use std::error::Error;
use std::sync::mpsc;
use std::sync::{Mutex, PoisonError};

use gristmill::pipeline::UndoneInputs;
use gristmill::{CancellationToken, Pipeline, PipelineError, PipelineErrorKind, Report};

use super::support::{grid, within_limit};

#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[error("torn at {0}")]
struct Torn(u64);

fn torn_at(bad: u64) -> impl Fn(u64) -> Result<u64, Torn> + Copy {
    move |number| if number == bad { Err(Torn(number)) } else { Ok(number) }
}

#[track_caller]
fn assert_torn(outcome: Result<Report, PipelineError<Torn>>, stage: &str, index: u64) {
    let error = outcome.unwrap_err();
    assert_eq!((error.stage(), error.index()), (Some(stage), Some(index)));
    assert_eq!(error.report().finished(), index);
    assert!((1..100).contains(&error.report().stage(stage).unwrap().failed()));
    assert!(!error.is_cancelled() && !error.is_panic());
    assert_eq!(error.to_string(), format!("{stage} failed at item {index}: torn at {index}"));
    assert_eq!(error.source().unwrap().downcast_ref::<Torn>(), Some(&Torn(index)));
    assert_eq!(error.into_error(), Some(Torn(index)));
}

#[test]
fn error_of_every_place_ends_the_run_and_the_sink_has_seen_exactly_the_items_before_it() {
    const BAD: u64 = 700;
    for (workers, window) in grid() {
        let token = CancellationToken::new();
        let source = || Pipeline::from_iter(0..5000_u64).workers(workers).window(window);
        let seen = Mutex::new(Vec::new());
        let see = |number| seen.lock().unwrap_or_else(PoisonError::into_inner).push(number);
        let all_before = |outcome, stage| {
            assert_torn(outcome, stage, BAD);
            let seen = std::mem::take(&mut *seen.lock().unwrap());
            assert!(seen.iter().copied().eq(0..BAD), "{} items in the sink after {stage}", seen.len());
        };
        let check = torn_at(BAD);
        let take = |number| check(number).map(see);

        all_before(
            Pipeline::from_try_iter((0..5000).map(check))
                .workers(workers)
                .window(window)
                .for_each("see", see)
                .run(&token),
            "source",
        );
        all_before(source().try_map("map", check).for_each("see", see).run(&token), "map");
        all_before(
            source().try_map_init("init", || (), |(), n| check(n)).for_each("see", see).run(&token),
            "init",
        );
        all_before(source().try_serial("serial", check).for_each("see", see).run(&token), "serial");
        all_before(
            source()
                .try_serial("s", check)
                .map("m", |n| n)
                .serial("t", |n| n)
                .for_each("see", see)
                .run(&token),
            "s",
        );
        all_before(
            source()
                .serial("s", |n| n)
                .try_map("m", check)
                .serial("t", |n| n)
                .for_each("see", see)
                .run(&token),
            "m",
        );
        all_before(source().map("m", |n| n).try_for_each("take", take).run(&token), "take");
        all_before(source().map("m", |n| n).try_for_each_local("take", take).run(&token), "take");
        all_before(source().try_map("m", check).for_each_local("see", see).run(&token), "m");
        let (_, outcome) = source().try_map("m", check).with_iter(&token, |numbers| numbers.for_each(see));
        all_before(outcome, "m");
    }
}

#[test]
fn error_in_an_owned_iterator_comes_last() {
    for (workers, window) in grid() {
        let mut numbers = Pipeline::from_iter(0..5000_u64)
            .workers(workers)
            .window(window)
            .try_map("map", torn_at(700))
            .into_iter_with(&CancellationToken::new())
            .unwrap();
        for number in 0..700 {
            assert_eq!(numbers.next().unwrap().unwrap(), number);
        }
        assert_torn(numbers.next().unwrap().map(|_| unreachable!()), "map", 700);
        assert!((0..3).all(|_| numbers.next().is_none()));
        assert_eq!(numbers.finish().unwrap().finished(), 700);
    }
}

#[test]
fn lowest_index_wins_however_late_it_fails() {
    within_limit(|| {
        for local in [false, true] {
            let (failed, other_has_failed) = mpsc::channel();
            let other_has_failed = Mutex::new(other_has_failed);
            let ready = Pipeline::from_iter(0..100_u64).workers(2).try_map("map", |number| {
                if number == 0 {
                    // A higher one is on its way to fail, or the limit says that nobody else works.
                    let _ = other_has_failed.lock().unwrap().recv_timeout(std::time::Duration::from_secs(5));
                } else {
                    let _ = failed.send(());
                }
                Err::<u64, _>(Torn(number))
            });
            let token = CancellationToken::new();
            let outcome = if local {
                ready.for_each_local("s", drop).run(&token)
            } else {
                ready.for_each("s", drop).run(&token)
            };
            assert_torn(outcome, "map", 0);
        }
    });
}

#[test]
fn unordered_run_reports_an_error_that_did_happen() {
    for (workers, window) in grid() {
        let error = Pipeline::from_iter(0..5000_u64)
            .workers(workers)
            .window(window)
            .unordered()
            .try_map("map", |number| if number % 100 == 99 { Err(Torn(number)) } else { Ok(number) })
            .for_each("sink", |number| assert_ne!(number % 100, 99))
            .run(&CancellationToken::new())
            .unwrap_err();
        let index = error.index().unwrap();
        assert_eq!(error.into_error(), Some(Torn(index)));
    }
}

#[test]
fn receiver_that_is_gone_ends_the_run_at_the_item_that_could_not_be_sent() {
    for (workers, window) in grid() {
        let (sender, receiver) = crossbeam_channel::bounded(3);
        std::thread::scope(|scope| {
            scope.spawn(move || assert!(receiver.iter().take(10).eq(0..10)));
            let error = Pipeline::from_iter(0..5000)
                .workers(workers)
                .window(window)
                .send(sender)
                .run(&CancellationToken::new())
                .unwrap_err();
            let index = error.index().unwrap();
            assert!((10..=13).contains(&index), "{index}");
            assert_eq!(error.stage(), Some("send"));
            assert_eq!(error.report().finished(), index);
            assert!(matches!(error.kind(), PipelineErrorKind::ReceiverGone { .. }));
            assert!(error.source().is_none());
            let text = format!("send could not send item {index}: the channel has no receiver left");
            assert_eq!(error.to_string(), text);
        });
    }
}

#[test]
fn error_in_reaction_to_the_cancellation_is_not_the_cause() {
    for (workers, window) in grid() {
        for place in 0..5 {
            let token = CancellationToken::new();
            let react = |number: u64, here: usize| {
                if here == place && number == 40 {
                    token.cancel_with("the operator");
                }
                if here == place && token.is_cancelled() { Err(Torn(number)) } else { Ok(number) }
            };
            let error = Pipeline::from_try_iter((0..1000).map(|number| react(number, 0)))
                .workers(workers)
                .window(window)
                .try_map("map", |number| react(number, 1))
                .try_serial("serial", |number| react(number, 2))
                .try_map_init("init", || (), |(), number| react(number, 3))
                .try_for_each("sink", |number| react(number, 4).map(drop))
                .run(&token)
                .unwrap_err();
            let PipelineErrorKind::Cancelled(cancelled) = error.kind() else {
                panic!("{error:?} at {place}")
            };
            assert_eq!(cancelled.cause().unwrap().to_string(), "the operator");
            assert_eq!((error.stage(), error.index()), (None, None));
            assert_eq!(error.source().unwrap().source().unwrap().to_string(), "the operator");
        }
    }
}

#[test]
fn zero_is_refused_by_name_and_nothing_is_read() {
    use super::support::Ledger;
    for name in ["window", "workers"] {
        for form in 0..4 {
            let ledger = Ledger::default();
            let item = ledger.item(0);
            let source = std::iter::once(item).inspect(|_| panic!("it was read"));
            let pipeline = Pipeline::from_iter(source);
            let pipeline = if name == "window" { pipeline.window(0) } else { pipeline.workers(0) };
            let token = CancellationToken::new();
            let error = match form {
                0 => pipeline.for_each("sink", drop).run(&token).unwrap_err(),
                1 => pipeline.for_each_local("sink", drop).run(&token).unwrap_err(),
                2 => pipeline.into_iter_with(&token).unwrap_err(),
                _ => match pipeline.with_iter(&token, |_| ()) {
                    (None, Err(error)) => error,
                    other => panic!("{other:?}"),
                },
            };
            assert_eq!(error.to_string(), format!("{name} must be at least 1"));
            assert!(
                matches!(error.kind(), PipelineErrorKind::InvalidSetting { setting } if *setting == name)
            );
            assert_eq!((error.stage(), error.index(), error.report().read()), (None, None, 0));
            assert_eq!(ledger.live(), 0, "the source is dropped");
        }
    }
}

/// Another worker waits for the channel by then, and what comes after the failure in its chunk is given up meanwhile.
#[test]
fn failure_in_the_middle_of_a_chunk_ends_a_run_whose_source_is_idle() {
    for (workers, window) in grid() {
        for returns in [false, true] {
            within_limit(move || {
                let (sender, receiver) = crossbeam_channel::bounded(2000);
                for number in 0..2000_u64 {
                    sender.send(number).unwrap();
                }
                let undone = UndoneInputs::new();
                let source = Pipeline::from_receiver(receiver);
                let call = |number| if number == 1900 { Err(Torn(number)) } else { Ok(number) };
                let token = CancellationToken::new();
                let error = if returns {
                    let source = source.return_undone(&undone).workers(workers).window(window);
                    source.try_map("call", call).for_each("drop", drop).run(&token).unwrap_err()
                } else {
                    let source = source.workers(workers).window(window);
                    source.try_map("call", call).for_each("drop", drop).run(&token).unwrap_err()
                };
                assert_eq!(error.index(), Some(1900));
                drop(sender); // only now
            });
        }
    }
}

#[test]
fn item_of_which_a_later_result_fails_is_not_finished() {
    for (workers, window) in grid() {
        let error = Pipeline::from_iter(0..8_u64)
            .workers(workers)
            .window(window)
            .unordered()
            .flat_map("three", |number| [(number, 0), (number, 1), (number, 2)])
            .try_map("second", |result| if result == (7, 1) { Err("fails") } else { Ok(result) })
            .for_each("drop", drop)
            .run(&CancellationToken::new())
            .unwrap_err();
        assert!(error.report().finished() < error.report().read(), "{}", error.report());
    }
}
