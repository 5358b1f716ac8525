//! Calls on the calling thread: in stages, in groups, in a row.

use gristmill::combine::wait_all;
use gristmill::journal::{CallError, CallRefusal, DurableErrorKind, HandlerError};
use gristmill::{CancellationToken, ErrorGroup, Pipeline};

use crate::{Place, Runs, square};

#[test]
fn stage_of_a_pipeline_goes_on_where_it_was() {
    let place = Place::new();
    for (count, expected) in [(30_u64, 30), (50, 20)] {
        let journal = place.open();
        let scope = journal.scope("pipeline");
        let (handler, runs) = square(&scope, 1);
        let squares = Pipeline::from_iter(0..count)
            .workers(3)
            .try_map("square", move |number| handler.call(number, number))
            .in_order()
            .collect::<Vec<_>>()
            .run(&CancellationToken::new());
        let (squares, _) = squares.unwrap();
        assert_eq!(squares, (0..count).map(|number| number * number).collect::<Vec<_>>());
        assert_eq!(runs.since(), expected);
    }
}

#[test]
fn stage_hands_on_and_the_sink_waits() {
    let place = Place::new();
    let journal = place.open();
    let (handler, _) = square(&journal.scope("pipeline"), 1);
    let mut sum = 0;
    Pipeline::from_iter(0..100_u64)
        .workers(2)
        .try_map("square", move |number| handler.run(number, number).map_err(CallError::from))
        .in_order()
        .try_for_each("sum", |handle| {
            sum += handle.wait()?;
            Ok::<_, CallError<u64>>(())
        })
        .run(&CancellationToken::new())
        .unwrap();
    assert_eq!(sum, (0..100).map(|number| number * number).sum::<u64>());
}

#[test]
fn tasks_of_a_group_are_told_again_and_their_first_error_ends_it() {
    let place = Place::new();
    let runs = Runs::default();
    for (limit, expected) in [(7_u64, 8), (100, 3)] {
        let journal = place.open();
        let counter = runs.clone();
        let handler = journal.scope("group").handler("step", 1, move |_, number: &u64| {
            counter.add();
            if *number == limit {
                return Err(HandlerError::retryable("not today"));
            }
            Ok(number + 1)
        });
        let group = ErrorGroup::builder().limit(1).build().unwrap();
        for number in 0..10_u64 {
            let handler = handler.clone();
            // Refused from the first failure on.
            let _ = group.spawn(move || handler.call(number, number).map(drop));
        }
        assert_eq!(group.wait().is_err(), limit == 7);
        assert_eq!(runs.since(), expected);
    }
}

#[test]
fn steps_in_parallel_and_then_a_recorded_reduce() {
    let (place, pool) = (Place::new(), crate::pool(2));
    for round in 0..2 {
        let journal = place.open();
        let scope = journal.scope("reduce");
        let (handler, runs) = square(&scope, 1);
        let total = scope.handler("total", 1, |_, squares: &Vec<u64>| Ok(squares.iter().sum::<u64>()));
        let started: Vec<_> =
            (0..20_u64).map(|number| handler.submit(&pool, number, number).unwrap()).collect();
        let squares: Result<Vec<_>, _> = wait_all(started).into_iter().collect();
        assert_eq!(total.call("all", squares.unwrap()).unwrap(), 2470);
        assert_eq!((runs.since(), scope.report().replayed), if round == 0 { (20, 0) } else { (0, 21) });
    }
}

#[test]
fn refused_call_says_so_and_gives_the_input_back() {
    let place = Place::new();
    let journal = place.open();
    let (handler, _) = square(&journal.scope("s"), 1);
    assert_eq!(handler.call("key", 4).unwrap(), 16);
    let Err(CallError::Refused(refused)) = handler.call("key", 5) else { panic!("refused") };
    assert!(matches!(refused.refusal(), CallRefusal::Duplicate));
    assert_eq!(refused.into_input(), 5);
}

#[test]
fn token_of_a_call_reaches_the_handler() {
    let place = Place::new();
    let journal = place.open();
    let handler = journal.scope("s").handler("looks", 1, |context, (): &()| Ok(context.token().check()?));
    let token = CancellationToken::new();
    token.cancel();
    let Err(CallError::Ended(error)) = handler.call_with(&token, "key", ()) else { panic!("it ended") };
    assert!(matches!(error.kind(), DurableErrorKind::Cancelled(_)), "{error}");
    assert!(handler.call("key", ()).is_ok());
}

#[test]
fn handler_that_calls_another_is_told_both() {
    let place = Place::new();
    let journal = place.open();
    let scope = journal.scope("nested");
    let (inner, runs) = square(&scope, 1);
    let outer = scope.handler("outer", 1, move |context, number: &u64| {
        inner
            .call(context.key(), *number)
            .map(|square| square + 1)
            .map_err(|error| HandlerError::retryable(error.to_string()))
    });
    assert_eq!(outer.call("key", 6).unwrap(), 37);
    assert_eq!(runs.since(), 1);
}
