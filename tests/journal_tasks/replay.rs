//! What is told again.

use std::sync::atomic::{AtomicBool, Ordering};

use gristmill::combine::{as_completed, first_ok, wait_first};
use gristmill::journal::probe::{self, Memory};
use gristmill::journal::{
    CallError, CallRefusal, ChangedInput, DurableErrorKind, HandlerError, HandlerOptions, Journal,
    JournalErrorKind,
};
use gristmill::{CancellationToken, Retry, ThreadPool, Waitable};

use crate::{Place, Runs, batch, pool, square};

#[test]
fn finished_tasks_are_told_again_in_their_order_and_not_run() {
    let (place, pool) = (Place::new(), pool(3));
    let mut first = Vec::new();
    for round in 0..3 {
        let journal = place.open();
        let scope = journal.scope("squares");
        let (handler, runs) = square(&scope, 1);
        let order = batch(&handler, &pool, 500);
        assert!(order.iter().all(|&(index, value)| value == (index * index) as u64));
        if round == 0 {
            first = order;
            assert_eq!((runs.since(), scope.report().run, scope.report().replayed), (500, 500, 0));
        } else {
            assert_eq!(order, first);
            assert_eq!((runs.since(), scope.report().run, scope.report().replayed), (0, 0, 500));
        }
    }
}

#[test]
fn what_is_new_comes_after_what_was_recorded() {
    let (place, pool) = (Place::new(), pool(2));
    let recorded: Vec<_> = {
        let journal = place.open();
        let (handler, _) = square(&journal.scope("squares"), 1);
        batch(&handler, &pool, 100)
    };
    let journal = place.open();
    let (handler, runs) = square(&journal.scope("squares"), 1);
    // The new ones are handed in first.
    let started: Vec<_> =
        (0..200_u64).rev().map(|number| handler.submit(&pool, number, number).unwrap()).collect();
    let order: Vec<_> = as_completed(started).map(|(index, result)| (199 - index, result.unwrap())).collect();
    assert_eq!(order[..100], recorded);
    assert_eq!(runs.since(), 100);
    drop((journal, handler));
    // And all of it in that order the next time.
    let journal = place.open();
    let (handler, runs) = square(&journal.scope("squares"), 1);
    assert_eq!(batch(&handler, &pool, 200), order);
    assert_eq!(runs.since(), 0);
}

#[test]
fn another_run_of_the_scope_in_the_same_process_is_told_the_same() {
    let (place, pool) = (Place::new(), pool(2));
    let journal = place.open();
    let (handler, runs) = square(&journal.scope("squares"), 1);
    let order = batch(&handler, &pool, 50);
    let again = journal.scope("squares");
    let (handler, more) = square(&again, 1);
    assert_eq!(batch(&handler, &pool, 50), order);
    assert_eq!((runs.since(), more.since(), again.report().replayed), (50, 0, 50));
}

#[test]
fn new_version_runs_again_and_the_old_one_is_still_there() {
    let (place, pool) = (Place::new(), pool(2));
    let journal = place.open();
    for (version, expected) in [(1, 20), (2, 20), (1, 0), (2, 0)] {
        let (handler, runs) = square(&journal.scope("squares"), version);
        batch(&handler, &pool, 20);
        assert_eq!(runs.since(), expected, "version {version}");
    }
}

#[test]
fn scopes_and_handlers_do_not_share_keys() {
    let (place, pool) = (Place::new(), pool(1));
    let journal = place.open();
    let one = journal.scope("one");
    let double = one.handler("double", 1, |_, number: &u64| Ok(number * 2));
    let (square_one, _) = square(&one, 1);
    let (square_two, runs) = square(&journal.scope("two"), 1);
    assert_eq!(double.submit(&pool, "key", 3).unwrap().wait().unwrap(), 6);
    assert_eq!(square_one.submit(&pool, "key", 3).unwrap().wait().unwrap(), 9);
    assert_eq!(square_two.submit(&pool, "key", 4).unwrap().wait().unwrap(), 16);
    assert_eq!(runs.since(), 1);
}

#[test]
fn changed_input_runs_again_or_is_refused_as_chosen() {
    let (place, pool) = (Place::new(), pool(1));
    let journal = place.open();
    let (handler, runs) = square(&journal.scope("squares"), 1);
    assert_eq!(handler.submit(&pool, "key", 3).unwrap().wait().unwrap(), 9);
    let (handler, more) = square(&journal.scope("squares"), 1);
    assert_eq!(handler.submit(&pool, "key", 4).unwrap().wait().unwrap(), 16);
    assert_eq!((runs.since(), more.since()), (1, 1));

    let refusing = |scope: &gristmill::journal::Scope| {
        let options = HandlerOptions::new().changed_input(ChangedInput::Refuse);
        scope.handler_with(options, "square", 1, |_, number: &u64| Ok(number * number))
    };
    let scope = journal.scope("squares");
    let refused = refusing(&scope).submit(&pool, "key", 3).unwrap_err();
    assert!(matches!(refused.refusal(), CallRefusal::InputChanged), "{refused}");
    assert_eq!(refused.into_input(), 3);
    // The key is free, and the record is the last one.
    assert_eq!(refusing(&scope).submit(&pool, "key", 4).unwrap().wait().unwrap(), 16);
}

#[test]
fn winner_is_the_same_after_a_restart() {
    let (place, pool) = (Place::new(), pool(3));
    let (mut winner, mut order) = (None, None);
    for _ in 0..3 {
        let journal = place.open();
        let (handler, _) = square(&journal.scope("squares"), 1);
        let started: Vec<_> =
            (0..30_u64).map(|number| handler.submit(&pool, number, number).unwrap()).collect();
        let first = wait_first(started).unwrap();
        assert_eq!(first.output.unwrap(), (first.index * first.index) as u64);
        assert_eq!(*winner.get_or_insert(first.index), first.index);
        let ends: Vec<_> = as_completed(first.others).map(|(_, square)| square.unwrap()).collect();
        assert_eq!(*order.get_or_insert(ends.clone()), ends);
    }
}

#[test]
fn first_success_is_the_same_after_a_restart_with_the_failures_before_it() {
    let (place, pool) = (Place::new(), pool(2));
    let mut seen = None;
    for _ in 0..3 {
        let journal = place.open();
        let try_it = journal.scope("sources").handler("source", 1, |_, number: &u64| {
            if number % 3 == 0 { Ok(*number) } else { Err(HandlerError::terminal_with_code(4, "no")) }
        });
        let started: Vec<_> =
            (1..10_u64).map(|number| try_it.submit(&pool, number, number).unwrap()).collect();
        let first = first_ok(started).unwrap();
        let failed: Vec<_> = first.failed.iter().map(|(index, _)| *index).collect();
        // The others are waited for, so that they are recorded.
        gristmill::combine::wait_all(first.others.into_iter().map(|(_, handle)| handle))
            .into_iter()
            .for_each(drop);
        let now = (first.index, first.value, failed);
        assert_eq!(*seen.get_or_insert(now.clone()), now);
    }
}

#[test]
fn terminal_failures_and_panics_are_told_again_as_they_were() {
    let (place, pool) = (Place::new(), pool(1));
    let runs = Runs::default();
    for round in 0..2 {
        let journal = place.open();
        let counter = runs.clone();
        let handler = journal.scope("failures").handler(
            "fail",
            1,
            move |_, how: &String| -> Result<u32, HandlerError> {
                counter.add();
                match how.as_str() {
                    "panic" => panic!("out of grist"),
                    "code" => Err(HandlerError::terminal_with_code(404, "not found")),
                    _ => Err(HandlerError::terminal("never")),
                }
            },
        );
        let mut ends = Vec::new();
        for how in ["panic", "code", "plain"] {
            let handle = handler.submit(&pool, how, how.to_owned()).unwrap();
            assert_eq!(handle.is_replayed(), round == 1);
            let error = handle.wait().unwrap_err();
            assert!(error.is_recorded() && error.key() == how && error.handler() == "fail", "{error}");
            ends.push(error.into_kind());
        }
        assert!(matches!(&ends[0], DurableErrorKind::Panicked { message } if message == "out of grist"));
        assert!(
            matches!(&ends[1], DurableErrorKind::Failed { code: 404, message } if message == "not found")
        );
        assert!(matches!(&ends[2], DurableErrorKind::Failed { code: 0, message } if message == "never"));
        assert_eq!(runs.since(), if round == 0 { 3 } else { 0 });
    }
}

#[test]
fn retryable_failures_are_not_recorded() {
    let (place, pool) = (Place::new(), pool(1));
    let runs = Runs::default();
    for round in 0..3_u64 {
        let journal = place.open();
        let counter = runs.clone();
        let handler = journal.scope("s").handler("late", 1, move |_, (): &()| {
            counter.add();
            if round < 2 {
                Err(std::io::Error::other("not yet"))?;
            }
            Ok(round)
        });
        let handle = handler.submit(&pool, "key", ()).unwrap();
        assert!(!handle.is_replayed());
        let end = handle.wait();
        assert_eq!(runs.since(), 1);
        if round < 2 {
            let error = end.unwrap_err();
            assert!(!error.is_recorded());
            assert!(
                matches!(error.kind(), DurableErrorKind::Retryable { message, attempts: 1 } if message == "not yet")
            );
            // Its key is free in the same run.
            assert!(handler.submit(&pool, "key", ()).unwrap().wait().is_err());
            assert_eq!(runs.since(), 1);
        } else {
            assert_eq!(end.unwrap(), 2);
        }
    }
}

#[test]
fn retries_are_made_by_the_handlers_rule_and_counted() {
    let (place, pool) = (Place::new(), pool(1));
    let journal = place.open();
    let retry = Retry::builder()
        .attempts(3)
        .backoff(gristmill::Backoff::Constant(std::time::Duration::ZERO))
        .build()
        .unwrap();
    let options = HandlerOptions::new().retry(retry);
    let handler = journal.scope("s").handler_with(options, "third", 1, |context, good: &u32| {
        if context.attempt() < *good {
            return Err(HandlerError::retryable("again"));
        }
        Ok(context.attempt())
    });
    assert_eq!(handler.submit(&pool, "good", 3).unwrap().wait().unwrap(), 3);
    let error = handler.submit(&pool, "bad", 4).unwrap().wait().unwrap_err();
    assert!(matches!(error.kind(), DurableErrorKind::Retryable { attempts: 3, .. }), "{error}");
}

#[test]
fn what_is_final_is_not_tried_again_by_the_rule_for_retries() {
    let place = Place::new();
    let journal = place.open();
    let attempts = Runs::default();
    let counter = attempts.clone();
    let options = HandlerOptions::new().retry(Retry::builder().attempts(3).build().unwrap());
    let handler = journal.scope("s").handler_with(options, "ends", 1, move |_, panics: &bool| {
        counter.add();
        assert!(!panics, "for good");
        Err::<(), _>(HandlerError::terminal("for good"))
    });
    for (key, panics) in [("failed", false), ("panicked", true)] {
        let error = handler.run(key, panics).unwrap().wait().unwrap_err();
        assert!(error.is_recorded(), "{error}");
        assert!(error.to_string().contains("for good"), "{error}");
        assert_eq!(attempts.since(), 1, "{key}");
    }
    // Nor one that is cancelled before it begins.
    let token = CancellationToken::new();
    token.cancel();
    let error = handler.call_with(&token, "cancelled", false).unwrap_err();
    assert!(
        matches!(&error, CallError::Ended(error) if matches!(error.kind(), DurableErrorKind::Cancelled(_))),
        "{error}"
    );
    assert_eq!(attempts.since(), 0);
}

#[test]
fn recorded_value_that_is_not_accepted_runs_again() {
    let (place, pool) = (Place::new(), pool(1));
    let runs = Runs::default();
    for (round, expected) in [(0_u64, 1), (0, 0), (2, 1), (2, 0)].into_iter().enumerate() {
        let ((least, expected), counter) = (expected, runs.clone());
        let journal = place.open();
        let options = HandlerOptions::new().accept_if(move |value: &u64| *value >= least);
        let handler = journal.scope("s").handler_with(options, "count", 1, move |_, (): &()| {
            counter.add();
            Ok(round as u64)
        });
        let handle = handler.submit(&pool, "key", ()).unwrap();
        assert_eq!(handle.is_replayed(), expected == 0, "round {round}");
        handle.wait().unwrap();
        assert_eq!(runs.since(), expected, "round {round}");
    }
}

#[test]
fn result_of_another_type_is_an_error_that_names_the_key_and_runs_nothing() {
    let (place, pool) = (Place::new(), pool(1));
    let journal = place.open();
    let (handler, _) = square(&journal.scope("s"), 1);
    handler.submit(&pool, "key", 3).unwrap().wait().unwrap();
    let other = journal.scope("s").handler("square", 1, |_, number: &u64| Ok((number.to_string(), 7_u64)));
    let error = other.submit(&pool, "key", 3).unwrap().wait().unwrap_err();
    let DurableErrorKind::Journal(cause) = error.kind() else { panic!("{error}") };
    assert_eq!((cause.kind(), cause.key()), (JournalErrorKind::Undecodable, Some("key")));
    // The journal goes on.
    assert_eq!(other.submit(&pool, "new", 3).unwrap().wait().unwrap(), ("3".to_owned(), 7));
}

#[test]
fn result_that_is_too_large_is_not_recorded_and_says_so() {
    let (place, pool) = (Place::new(), pool(1));
    let journal = Journal::builder().longest_payload(1000).open(place.path()).unwrap();
    let handler = journal.scope("s").handler("bytes", 1, |_, count: &usize| Ok(vec![7_u8; *count]));
    assert_eq!(handler.submit(&pool, "small", 900).unwrap().wait().unwrap().len(), 900);
    let error = handler.submit(&pool, "large", 2000).unwrap().wait().unwrap_err();
    assert!(
        matches!(error.kind(), DurableErrorKind::Unrecordable { message } if message.contains("2002")),
        "{error}"
    );
    assert!(!error.is_recorded());
    assert_eq!(journal.scope("s").report(), gristmill::journal::ScopeReport::default());
}

#[test]
fn report_of_a_scope_tells_what_left_no_record_only_if_something_did() {
    let (place, pool) = (Place::new(), pool(1));
    let journal = Journal::builder().longest_payload(1000).open(place.path()).unwrap();
    let scope = journal.scope("s");
    let handler = scope.handler("bytes", 1, |_, count: &usize| Ok(vec![7_u8; *count]));
    handler.submit(&pool, "small", 900).unwrap().wait().unwrap();
    assert_eq!(scope.report().to_string(), "0 replayed, 1 run");
    handler.submit(&pool, "large", 2000).unwrap().wait().unwrap_err();
    assert_eq!(scope.report().to_string(), "0 replayed, 1 run, 1 not recorded");
}

/// A value of many kinds.
type Odd = (f64, u128, Option<String>, Vec<u8>, (), i64);

#[test]
fn value_crosses_with_all_its_bits() {
    let (place, pool) = (Place::new(), pool(1));
    let odd =
        || -> Odd { (0.1 + 0.2, u128::MAX, Some("µ\0".to_owned()), (0..=255).collect(), (), i64::MIN) };
    for round in 0..2 {
        let journal = place.open();
        let handler = journal.scope("s").handler("odd", 1, move |_, input: &Odd| Ok(input.clone()));
        let handle = handler.submit(&pool, "", odd()).unwrap();
        assert_eq!((handle.is_replayed(), handle.key()), (round == 1, ""));
        assert_eq!(handle.wait().unwrap(), odd());
    }
}

#[test]
fn handles_stand_among_others_in_a_set() {
    let (place, pool) = (Place::new(), ThreadPool::new().unwrap());
    let journal = place.open();
    let (handler, _) = square(&journal.scope("s"), 1);
    let durable = handler.submit(&pool, 1, 5).unwrap().map(|end| end.unwrap());
    let plain = pool.submit(|| 7_u64).unwrap().map(|end| end.unwrap());
    let started: [Box<dyn Waitable<Output = u64>>; 2] = [Box::new(durable), Box::new(plain)];
    assert_eq!(gristmill::combine::wait_all(started), [25, 7]);
}

#[test]
fn panic_of_what_accepts_leaves_the_key_to_the_next_call() {
    let (place, pool) = (Place::new(), pool(1));
    let journal = place.open();
    square(&journal.scope("s"), 1).0.submit(&pool, "key", 3).unwrap().wait().unwrap();
    let is_first = AtomicBool::new(true);
    let options = HandlerOptions::new().accept_if(move |_: &u64| {
        assert!(!is_first.swap(false, Ordering::Relaxed), "the first time");
        true
    });
    let handler =
        journal.scope("s").handler_with(options, "square", 1, |_, number: &u64| Ok(number * number));
    let submit = || handler.submit(&pool, "key", 3);
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(submit)).unwrap_err();
    let handle = submit().unwrap();
    assert!(handle.is_replayed());
    assert_eq!(handle.wait().unwrap(), 9);
    assert!(matches!(submit().unwrap_err().refusal(), CallRefusal::Duplicate));
}

/// A number whose drop panics if it is even.
#[derive(serde::Serialize, serde::Deserialize)]
struct Touchy(u64);

impl Drop for Touchy {
    fn drop(&mut self) {
        assert!(self.0 % 2 == 1 || std::thread::panicking(), "its drop");
    }
}

#[test]
fn value_that_is_not_accepted_and_panics_in_its_drop_does_not_fail_the_call() {
    let place = Place::new();
    for round in 0..3_u64 {
        let journal = place.open();
        let options = HandlerOptions::new().accept_if(|value: &Touchy| value.0 % 2 == 1);
        let handler = journal.scope("s").handler_with(options, "odd", 1, move |_, (): &()| Ok(Touchy(round)));
        let handle = handler.run("key", ()).unwrap();
        assert_eq!(handle.is_replayed(), round == 2);
        if round == 0 {
            // It is even: dropped with its handle, where nobody looks.
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(handle.wait()))).unwrap_err();
        } else {
            assert_eq!(handle.wait().unwrap().0, 1);
        }
    }
}

#[test]
fn record_that_cannot_be_read_is_not_counted_as_replayed() {
    let memory = Memory::new(true);
    for is_well in [true, false] {
        let journal = probe::open(Journal::builder(), &memory).unwrap();
        let (handler, _) = square(&journal.scope("squares"), 1);
        assert_eq!(handler.call("key", 3).unwrap(), 9);
        let scope = journal.scope("squares");
        let (handler, _) = square(&scope, 1);
        memory.fail_at(if is_well { usize::MAX } else { 1 }, false);
        assert_eq!(handler.call("key", 3).is_ok(), is_well);
        let report = scope.report();
        assert_eq!((report.replayed, report.run, report.unrecorded), (u64::from(is_well), 0, 0));
    }
}
