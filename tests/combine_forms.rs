//! Every form of every combinator: `x`, `try_x`, `x_timeout`, `x_with`, and where a loser says that it was cancelled.
//!
//! | | plain | try | timeout | with |
//! |---|---|---|---|---|
//! | ends with what it waits for | here, `combine.rs` | here | here | here |
//! | gives everything back | - | here | here | here |
//! | tells the losers where | here | here | here | here |
#![cfg(not(any(gristmill_shuttle, gristmill_loom)))]

use std::panic::Location;
use std::time::Duration;

use gristmill::combine::{self, AllFailed, First, FirstOk, StillPending, Unsettled, after, as_completed};
use gristmill::waitable::ready;
use gristmill::{AttemptBudget, CancelKind, CancellationToken, Cancelled, Timer, Waitable};

#[path = "support/gate.rs"]
mod gate;
use gate::LONG;

type Boxed = Box<dyn Waitable<Output = Result<u8, Cancelled>>>;

/// So short that it is over when it is asked for.
const SHORT: Duration = Duration::from_millis(1);
/// Over only long after a second attempt was started.
const LATE: Duration = Duration::from_millis(500);

fn cancelled() -> CancellationToken {
    let token = CancellationToken::new();
    token.cancel();
    token
}

fn done(value: u8) -> Boxed {
    Box::new(ready(Ok(value)))
}

fn never() -> Boxed {
    Box::new(after(Duration::MAX).map(|end| end.map(|()| 0)))
}

fn failed() -> Boxed {
    let token = cancelled();
    Box::new(ready(token.check().map(|()| 0)))
}

/// A timer that says where it was cancelled, or that it has fired.
fn told(timer: Timer) -> Option<Location<'static>> {
    timer.try_wait().expect("it has ended").err().map(|cause| *cause.location())
}

#[test]
fn forms_of_wait_all() {
    let token = CancellationToken::new();
    let all = || [1, 2].map(done);
    let some = || [done(1), never()];
    let values = |outputs: Vec<Result<u8, Cancelled>>| -> Vec<u8> {
        outputs.into_iter().map(|output| output.expect("it is ready")).collect()
    };
    assert_eq!(values(combine::wait_all(all())), [1, 2]);
    assert_eq!(values(combine::try_wait_all(all()).ok().expect("all")), [1, 2]);
    assert_eq!(values(combine::wait_all_timeout(all(), LONG).ok().expect("all")), [1, 2]);
    assert_eq!(values(combine::wait_all_with(all(), &token).expect("all")), [1, 2]);
    assert_eq!(combine::try_wait_all(some()).err().map(|back| back.len()), Some(2));
    assert_eq!(combine::wait_all_timeout(some(), SHORT).err().map(|back| back.len()), Some(2));
    let early = combine::wait_all_with(some(), &cancelled()).expect_err("one never ends");
    assert_eq!(early.cause().kind(), CancelKind::Cancelled);
    assert_eq!(early.into_handle().len(), 2);
}

#[test]
fn forms_of_wait_first_and_race() {
    let token = CancellationToken::new();
    let some = || [never(), done(1)];
    let none = || [never(), never()];
    let won = |first: Option<First<Boxed>>, cancels: bool| {
        let first = first.expect("there are two");
        assert_eq!((first.index, first.output.expect("it is ready"), first.others.len()), (1, 1, 1));
        assert!(first.others.iter().all(|other| other.is_finished() == cancels));
    };
    won(combine::wait_first(some()), false);
    won(combine::try_wait_first(some()).ok().expect("one"), false);
    won(combine::wait_first_timeout(some(), LONG).ok().expect("one"), false);
    won(combine::wait_first_with(some(), &token).expect("one"), false);
    won(combine::race(some()), true);
    won(combine::try_race(some()).ok().expect("one"), true);
    won(combine::race_timeout(some(), LONG).ok().expect("one"), true);
    won(combine::race_with(some(), &token).expect("one"), true);
    let back = |handles: Vec<Boxed>| {
        assert_eq!(handles.len(), 2);
        assert!(handles.iter().all(|handle| !handle.is_finished()), "none is cancelled");
    };
    back(combine::try_wait_first(none()).expect_err("none has ended"));
    back(combine::wait_first_timeout(none(), SHORT).expect_err("none ends"));
    back(combine::wait_first_with(none(), &cancelled()).expect_err("none ends").into_handle());
    back(combine::try_race(none()).expect_err("none has ended"));
    back(combine::race_timeout(none(), SHORT).expect_err("none ends"));
    back(combine::race_with(none(), &cancelled()).expect_err("none ends").into_handle());
}

#[test]
fn forms_of_first_ok() {
    type Answer = Result<FirstOk<Boxed, u8, Cancelled>, AllFailed<Cancelled>>;
    let token = CancellationToken::new();
    let some = || [failed(), never(), done(1)];
    let none = || [failed(), never()];
    let won = |answer: Answer| {
        let first = answer.expect("one succeeds");
        assert_eq!((first.index, first.value, first.failed.len(), first.others.len()), (2, 1, 1, 1));
        assert!(first.others.iter().all(|(index, other)| *index == 1 && other.is_finished()));
    };
    won(combine::first_ok(some()));
    won(combine::try_first_ok(some()).expect("decided"));
    won(combine::first_ok_timeout(some(), LONG).expect("decided"));
    won(combine::first_ok_with(some(), &token).expect("decided"));
    assert_eq!(combine::first_ok([failed(), failed()]).expect_err("all").errors().len(), 2);
    let back = |unsettled: Unsettled<Boxed, Cancelled>| {
        assert_eq!((unsettled.failed.len(), unsettled.pending.len()), (1, 1));
        assert!(!unsettled.pending[0].1.is_finished(), "it is not cancelled");
    };
    back(combine::try_first_ok(none()).expect_err("not decided"));
    back(combine::first_ok_timeout(none(), SHORT).expect_err("not decided"));
    back(combine::first_ok_with(none(), &cancelled()).expect_err("not decided").into_handle());
}

#[test]
fn forms_of_settle() {
    let token = CancellationToken::new();
    let all = || [failed(), done(1)];
    let some = || [failed(), never()];
    let settled = |settled: Result<combine::Settled<u8, Cancelled>, AllFailed<Cancelled>>| {
        let settled = settled.expect("one succeeds");
        assert_eq!((settled.successes, settled.failures.len()), (vec![(1, 1)], 1));
    };
    settled(combine::settle(all()));
    settled(combine::try_settle(all()).ok().expect("all"));
    settled(combine::settle_timeout(all(), LONG).ok().expect("all"));
    settled(combine::settle_with(all(), &token).expect("all"));
    assert_eq!(combine::try_settle(some()).err().map(|back| back.len()), Some(2));
    assert_eq!(combine::settle_timeout(some(), SHORT).err().map(|back| back.len()), Some(2));
    let early = combine::settle_with(some(), &cancelled()).expect_err("one never ends");
    assert_eq!(early.into_handle().len(), 2);
}

#[test]
fn forms_of_as_completed() {
    let token = CancellationToken::new();
    let mut ends = as_completed([1, 2, 3, 4].map(done));
    assert_eq!(ends.try_next().expect("ready").map(|(index, _)| index), Some(0));
    assert_eq!(ends.next_timeout(LONG).expect("ready").map(|(index, _)| index), Some(1));
    assert_eq!(ends.next_with(&token).expect("ready").map(|(index, _)| index), Some(2));
    assert_eq!(ends.next().map(|(index, _)| index), Some(3));
    assert_eq!(ends.push(never()), 4);
    let StillPending { pending, total, .. } = ends.try_next().expect_err("it never ends");
    assert_eq!((pending, total), (1, 5));
    assert!(ends.next_timeout(SHORT).is_err());
    assert_eq!(ends.next_with(&cancelled()).expect_err("it never ends").kind(), CancelKind::Cancelled);
    let rest = ends.into_rest();
    assert_eq!(rest.iter().map(|(index, _)| *index).collect::<Vec<_>>(), [4]);
}

#[test]
fn forms_of_fallback() {
    type Answer = Result<FirstOk<Boxed, u8, Cancelled>, AllFailed<Cancelled>>;
    let token = CancellationToken::new();
    let won = |answer: Answer| {
        let first = answer.expect("the second succeeds");
        assert_eq!((first.index, first.value, first.failed.len()), (1, 1, 1));
    };
    won(combine::fallback(failed(), || done(1)));
    won(combine::fallback_timeout(failed(), || done(1), LONG).map_err(drop).expect("decided"));
    won(combine::fallback_with(failed(), || done(1), &token).map_err(drop).expect("decided"));
    // Cut off before the first has ended, and after the second has started.
    let early = combine::fallback_timeout(never(), || done(1), SHORT).expect_err("not decided");
    assert_eq!((early.failed.len(), early.pending.len(), early.second.is_some()), (0, 1, true));
    let early = combine::fallback_timeout(failed(), never, LATE).expect_err("not decided");
    assert_eq!((early.failed.len(), early.pending.len(), early.second.is_some()), (1, 1, false));
    let early = combine::fallback_with(failed(), || done(1), &cancelled()).expect_err("not decided");
    let early = early.into_handle();
    assert_eq!((early.failed.len(), early.pending.len(), early.second.is_some()), (1, 0, true));
}

/// Whether the start of the second attempt came back, with so many that are pending.
fn starts_later<S>(unsettled: &Unsettled<Boxed, Cancelled, S>, pending: usize) -> bool {
    assert_eq!((unsettled.failed.len(), unsettled.pending.len()), (0, pending));
    assert!(unsettled.pending.iter().all(|(_, handle)| !handle.is_finished()), "none is cancelled");
    unsettled.second.is_some()
}

#[test]
fn forms_of_hedge() {
    type Answer = Result<FirstOk<Boxed, u8, Cancelled>, AllFailed<Cancelled>>;
    let (token, budget) = (CancellationToken::new(), AttemptBudget::new(0, 4));
    let won = |answer: Answer| {
        let first = answer.expect("the second succeeds");
        assert_eq!((first.index, first.value, first.others.len()), (1, 1, 1));
        assert!(first.others[0].1.is_finished(), "the first is cancelled");
    };
    let second = || done(1);
    won(combine::hedge(never(), Duration::ZERO, &budget, second));
    won(combine::hedge_timeout(never(), SHORT, &budget, second, LONG).map_err(drop).expect("decided"));
    won(combine::hedge_with(never(), SHORT, &budget, second, &token).map_err(drop).expect("decided"));
    assert_eq!(budget.available(), 1);
    // Cut off before the delay is over, when it is, and after the second has started.
    let early = combine::hedge_timeout(never(), Duration::MAX, &budget, second, SHORT);
    assert!(starts_later(&early.expect_err("not decided"), 1));
    let early = combine::hedge_with(never(), Duration::ZERO, &budget, second, &cancelled());
    assert!(starts_later(&early.expect_err("not decided").into_handle(), 1));
    assert_eq!(budget.available(), 1, "nothing was spent");
    let early = combine::hedge_timeout(never(), Duration::ZERO, &budget, never, LATE);
    assert!(!starts_later(&early.expect_err("not decided"), 2));
    assert_eq!(budget.available(), 0);
}

#[test]
fn forms_of_with_timeout() {
    let token = CancellationToken::new();
    let value = |output: Result<u8, Cancelled>| assert_eq!(output.expect("it is ready"), 1);
    value(combine::with_timeout(done(1), LONG).expect("in time"));
    value(combine::with_timeout_with(done(1), LONG, &token).expect("no cancel").expect("in time"));
    assert!(combine::with_timeout(never(), SHORT).expect_err("late").into_handle().is_finished());
    let late = combine::with_timeout_with(never(), SHORT, &token).expect("no cancel");
    assert!(late.expect_err("late").into_handle().is_finished());
    let early = combine::with_timeout_with(never(), LONG, &cancelled()).expect_err("cancelled");
    assert!(!early.into_handle().is_finished(), "only the wait has ended");
}

#[test]
fn losers_name_the_line_of_the_call() {
    let racers = || [after(Duration::ZERO), after(Duration::MAX)];
    let token = CancellationToken::new();
    let one = |first: Option<First<Timer>>| first.expect("two").others.remove(0);
    let other = |mut first: FirstOk<Timer, (), Cancelled>| first.others.remove(0).1;
    let budget = AttemptBudget::new(0, 9);
    let (first, second) = (|| after(Duration::MAX), || after(Duration::ZERO));
    let timers = [
        (line!(), one(combine::race(racers()))),
        (line!(), one(combine::try_race(racers()).expect("one"))),
        (line!(), one(combine::race_timeout(racers(), LONG).expect("one"))),
        (line!(), one(combine::race_with(racers(), &token).expect("one"))),
        (line!(), other(combine::first_ok(racers()).expect("one"))),
        (line!(), other(combine::try_first_ok(racers()).expect("one").expect("one"))),
        (line!(), other(combine::first_ok_timeout(racers(), LONG).expect("one").expect("one"))),
        (line!(), other(combine::first_ok_with(racers(), &token).expect("one").expect("one"))),
        (line!(), other(combine::hedge(first(), SHORT, &budget, second).expect("one"))),
    ];
    let mut timers = Vec::from(timers);
    let hedged = combine::hedge_timeout(first(), SHORT, &budget, second, LONG).map_err(drop); // this line
    timers.push((line!() - 1, other(hedged.expect("one").expect("one"))));
    let hedged = combine::hedge_with(first(), SHORT, &budget, second, &token).map_err(drop); // and this
    timers.push((line!() - 1, other(hedged.expect("one").expect("one"))));
    timers.push((line!(), combine::with_timeout(first(), SHORT).expect_err("late").into_handle()));
    let late = combine::with_timeout_with(first(), SHORT, &token).expect("no cancel"); // and this
    timers.push((line!() - 1, late.expect_err("late").into_handle()));
    let ends = as_completed([first()]);
    ends.cancel();
    timers.push((line!() - 1, ends.into_rest().remove(0).1));
    for (line, timer) in timers {
        let place = told(timer).expect("it is cancelled");
        assert_eq!((place.file(), place.line()), (file!(), line));
    }
}

#[test]
fn timers_that_one_move_of_the_clock_passes_end_in_the_order_of_their_instants() {
    let clock = gristmill::ManualClock::new();
    let timers = [3, 1, 2].map(|seconds| Timer::after_on(Duration::from_secs(seconds), clock.clone()));
    let ends = as_completed(timers);
    clock.advance(Duration::from_secs(10));
    assert_eq!(ends.map(|(index, _)| index).collect::<Vec<_>>(), [1, 2, 0]);
}
