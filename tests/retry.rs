//! What a retry promises, on a clock that is moved by hand.
#![cfg(not(any(gristmill_shuttle, gristmill_loom)))]

use std::cell::Cell;
use std::collections::BTreeSet;
use std::error::Error as _;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;
use std::time::{Duration, Instant};

use gristmill::{
    AcquireError, Attempt, AttemptBudget, Backoff, CancellationToken, Cancelled, CircuitBreaker, Clock,
    GaveUp, GaveUpReason, Jitter, ManualClock, Nest, Policy, PolicyError, RateLimited, RateLimiter, Retry,
    RetryBuildError, RetryBuilder, RetryReport, Semaphore, SystemClock, TimeLimit,
};

const SECOND: Duration = Duration::from_secs(1);
const NANOSECOND: Duration = Duration::from_nanos(1);

#[derive(Clone, Debug, PartialEq)]
struct Broken(u32);

impl fmt::Display for Broken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "broken by {}", self.0)
    }
}

impl std::error::Error for Broken {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&fmt::Error)
    }
}

/// Fails, with the number of the attempt.
#[allow(clippy::unnecessary_wraps)] // it stands for work
fn fail(attempt: Attempt<'_>) -> Result<(), Broken> {
    Err(Broken(attempt.number()))
}

/// Pauses of a second each, nothing left to chance.
fn every_second(clock: &ManualClock) -> RetryBuilder {
    Retry::builder().backoff(Backoff::Constant(SECOND)).jitter(Jitter::None).clock(clock.clone())
}

/// No pauses, so that a call needs nobody to move the clock.
fn at_once(attempts: u32) -> Retry {
    Retry::builder().attempts(attempts).longest_delay(Duration::ZERO).build().expect("they are settings")
}

fn gave_up<E>(error: &PolicyError<E>) -> &GaveUp<PolicyError<E>> {
    error.gave_up().expect("it gave up")
}

fn numbers<F>(gave_up: &GaveUp<F>) -> Vec<u32> {
    gave_up.errors().map(|(number, _)| number).collect()
}

/// Runs `call`, and moves the clock to whatever it waits for.
fn in_virtual_time<T: Send>(clock: &ManualClock, call: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| {
        let call = thread::Builder::new().spawn_scoped(scope, call).expect("a thread");
        while !call.is_finished() {
            match clock.next_instant() {
                Some(at) => clock.advance_to(at),
                None => thread::yield_now(),
            }
        }
        call.join().expect("it does not panic")
    })
}

fn until_sleeping(retry: &Retry, clock: &ManualClock, calls: usize) {
    while retry.report().sleeping != calls || clock.waiting() != calls {
        thread::yield_now();
    }
}

/// The pauses of a call whose attempts all fail.
fn pauses(retry: &Retry, clock: &ManualClock) -> Vec<Duration> {
    let starts: Vec<Instant> = in_virtual_time(clock, || {
        let mut starts = Vec::new();
        let failed = retry.call(|attempt| {
            starts.push(clock.now());
            fail(attempt)
        });
        failed.expect_err("all fail");
        starts
    });
    starts.windows(2).map(|pair| pair[1] - pair[0]).collect()
}

#[test]
fn settings_that_make_no_sense_are_refused_and_the_error_says_which() {
    assert_eq!(Retry::new(0).unwrap_err(), RetryBuildError::ZeroAttempts);
    let never = Retry::builder().total_timeout(Duration::ZERO).build();
    assert_eq!(never.unwrap_err(), RetryBuildError::ZeroTotalTimeout);
    let with_factor =
        |factor| Retry::builder().backoff(Backoff::Exponential { first: SECOND, factor }).build().map(drop);
    for factor in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let error = with_factor(factor).unwrap_err();
        assert!(matches!(error, RetryBuildError::FactorNotFinite { .. }), "{factor}: {error}");
    }
    for factor in [0.999, 0.0, -0.0, -2.0] {
        assert_eq!(with_factor(factor), Err(RetryBuildError::FactorBelowOne { factor }));
    }
    assert_eq!(
        with_factor(-2.0).unwrap_err().to_string(),
        "a backoff cannot grow by the factor -2: it is below 1"
    );
    with_factor(1.0).unwrap();
    with_factor(f64::MAX).unwrap();
}

#[test]
fn work_that_succeeds_is_run_once() {
    let retry = at_once(5);
    let runs = Cell::new(0);
    let value = retry.call(|attempt| {
        runs.set(runs.get() + 1);
        Ok::<_, Broken>(attempt.number())
    });
    assert_eq!((value.unwrap(), runs.get()), (1, 1));
    let report = retry.report();
    assert_eq!((report.calls, report.attempts, report.retries, report.succeeded_at_first), (1, 1, 0, 1));
}

#[test]
fn work_is_run_until_it_succeeds_and_sees_the_number_of_its_attempt() {
    let retry = at_once(5);
    let mut seen = Vec::new();
    let value = retry.call(|attempt| {
        seen.push(attempt.number());
        if attempt.number() == 4 { Ok("there") } else { Err(Broken(attempt.number())) }
    });
    assert_eq!((value.unwrap(), seen), ("there", vec![1, 2, 3, 4]));
    let report = retry.report();
    assert_eq!((report.attempts, report.retries, report.succeeded_after_retry), (4, 3, 1));
}

#[test]
fn attempts_include_the_first_and_there_are_three_unless_it_is_said() {
    for (retry, attempts) in [
        (at_once(1), 1),
        (at_once(2), 2),
        (Retry::builder().longest_delay(Duration::ZERO).build().unwrap(), 3),
    ] {
        let error = retry.call(fail).unwrap_err();
        assert!(matches!(gave_up(&error).reason(), GaveUpReason::AttemptsUsedUp));
        assert_eq!((gave_up(&error).attempts(), retry.report().attempts), (attempts, attempts));
        assert_eq!(retry.report().attempts_used_up, 1);
    }
}

#[test]
fn error_has_that_of_each_attempt_in_order_and_says_the_last_in_its_text() {
    let error = at_once(3).call(fail).unwrap_err();
    let errors = gave_up(&error).errors().map(|(number, error)| (number, error.work().unwrap().0));
    assert_eq!(errors.collect::<Vec<_>>(), [(1, 1), (2, 2), (3, 3)]);
    assert_eq!((gave_up(&error).omitted(), error.work()), (0, Some(&Broken(3))));
    assert_eq!(error.to_string(), "gave up after 3 attempts: broken by 3");
    assert!(error.source().unwrap().is::<fmt::Error>(), "what is behind the last one");
    assert!(!error.is_cancelled());
    assert_eq!(error.clone().into_work().unwrap(), Broken(3));
    let PolicyError::GaveUp(gave_up) = error else { panic!("{error}") };
    let owned: Vec<_> = gave_up.into_errors().map(|(_, error)| error.into_work().unwrap()).collect();
    assert_eq!(owned, [Broken(1), Broken(2), Broken(3)]);
}

#[test]
fn pauses_grow_as_they_are_set_up_to_the_cap() {
    let (first, step) = (SECOND, 2 * SECOND);
    for (backoff, expected) in [
        (Backoff::Constant(first), [1, 1, 1, 1]),
        (Backoff::Constant(9 * SECOND), [6, 6, 6, 6]),
        (Backoff::Linear { first, step }, [1, 3, 5, 6]),
        (Backoff::Exponential { first, factor: 2.0 }, [1, 2, 4, 6]),
        (Backoff::Exponential { first, factor: 1.0 }, [1, 1, 1, 1]),
    ] {
        let clock = ManualClock::new();
        let builder = every_second(&clock).attempts(5).backoff(backoff).longest_delay(6 * SECOND);
        let retry = builder.build().unwrap();
        assert_eq!(pauses(&retry, &clock), expected.map(|seconds| seconds * SECOND), "{backoff:?}");
        let report = retry.report();
        assert_eq!((report.slept, report.sleeping), (SECOND * expected.iter().sum::<u32>(), 0));
    }
}

#[test]
fn next_attempt_is_not_early() {
    let clock = ManualClock::new();
    let retry = every_second(&clock).attempts(2).build().unwrap();
    thread::scope(|scope| {
        let call = {
            let retry = retry.clone();
            thread::Builder::new().spawn_scoped(scope, move || retry.call(fail)).expect("a thread")
        };
        until_sleeping(&retry, &clock, 1);
        clock.advance(SECOND.saturating_sub(NANOSECOND));
        until_sleeping(&retry, &clock, 1);
        assert_eq!(retry.report().attempts, 1);
        clock.advance(NANOSECOND);
        assert_eq!(gave_up(&call.join().unwrap().unwrap_err()).attempts(), 2);
    });
}

#[test]
fn jitter_leaves_its_part_of_the_pause_to_chance_and_the_seed_decides_it() {
    let pauses_with = |jitter, seed| {
        let clock = ManualClock::new();
        pauses(&every_second(&clock).attempts(40).jitter(jitter).seed(seed).build().unwrap(), &clock)
    };
    for (jitter, least) in [(Jitter::Full, Duration::ZERO), (Jitter::Equal, SECOND / 2)] {
        let first = pauses_with(jitter, 7);
        assert!(first.iter().all(|pause| (least..=SECOND).contains(pause)), "{jitter:?}: {first:?}");
        assert!(first.iter().collect::<BTreeSet<_>>().len() > 30, "{jitter:?}: {first:?}");
        assert!(first.iter().any(|pause| *pause < least + SECOND / 8), "{jitter:?}: {first:?}");
        assert!(first.iter().any(|pause| *pause > SECOND * 7 / 8), "{jitter:?}: {first:?}");
        assert_eq!(pauses_with(jitter, 7), first);
        assert_ne!(pauses_with(jitter, 8), first);
    }
}

#[test]
fn time_of_the_attempts_counts_and_a_pause_that_would_last_too_long_is_not_begun() {
    let clock = ManualClock::new();
    let retry = every_second(&clock).attempts(9).total_timeout(3 * SECOND).build().unwrap();
    // With nobody to move the clock, a pause would never end.
    let error = retry.call(|attempt| {
        clock.advance(2 * SECOND);
        fail(attempt)
    });
    let error = error.unwrap_err();
    assert!(matches!(gave_up(&error).reason(), GaveUpReason::TimedOut));
    assert_eq!(
        error.to_string(),
        "gave up after 1 attempt, no time is left for another attempt: broken by 1"
    );
    assert_eq!((retry.report().timed_out, retry.report().slept), (1, Duration::ZERO));
}

#[test]
fn no_attempt_starts_when_the_time_is_over_to_the_nanosecond() {
    for (run_time, attempts) in [(SECOND, 1), (SECOND.saturating_sub(NANOSECOND), 2)] {
        let clock = ManualClock::new();
        let retry = every_second(&clock).attempts(9).total_timeout(2 * SECOND).build().unwrap();
        let error = in_virtual_time(&clock, || {
            retry.call(|attempt| {
                clock.advance(run_time);
                fail(attempt)
            })
        });
        assert_eq!(gave_up(&error.unwrap_err()).attempts(), attempts, "with {run_time:?} each");
    }
    let clock = ManualClock::new();
    let retry = every_second(&clock).longest_delay(Duration::ZERO).total_timeout(SECOND).build().unwrap();
    let error = retry.call(|attempt| {
        clock.advance(SECOND);
        fail(attempt)
    });
    assert_eq!(gave_up(&error.unwrap_err()).attempts(), 1, "without a pause, too");
}

#[test]
fn attempt_that_runs_is_not_ended_by_the_time_and_its_value_counts() {
    let clock = ManualClock::new();
    let retry = every_second(&clock).total_timeout(SECOND).build().unwrap();
    let value = retry.call(|_| {
        clock.advance(5 * SECOND);
        Ok::<_, Broken>("late")
    });
    assert_eq!(value.unwrap(), "late");
}

#[test]
fn thread_that_wakes_when_the_time_is_over_starts_nothing_and_its_share_goes_back() {
    let clock = ManualClock::new();
    let budget = AttemptBudget::new(0, 1);
    let retry = every_second(&clock).total_timeout(2 * SECOND).budget(budget.clone()).build().unwrap();
    thread::scope(|scope| {
        let call =
            thread::Builder::new().spawn_scoped(scope, || retry.call(fail).unwrap_err()).expect("a thread");
        until_sleeping(&retry, &clock, 1);
        assert_eq!(budget.available(), 0);
        clock.advance(2 * SECOND);
        let error = call.join().unwrap();
        assert!(matches!(gave_up(&error).reason(), GaveUpReason::TimedOut));
    });
    let report = retry.report();
    assert_eq!((budget.available(), report.attempts, report.slept), (1, 1, 2 * SECOND));
}

#[test]
fn budget_is_shared_and_ends_the_attempts_of_all() {
    let budget = AttemptBudget::new(0, 3);
    let retry = || Retry::builder().unlimited_attempts().longest_delay(Duration::ZERO).budget(budget.clone());
    let (first, second) = (retry().attempts(3).build().unwrap(), retry().build().unwrap());
    assert_eq!(gave_up(&first.call(fail).unwrap_err()).attempts(), 3);
    let error = second.call(fail).unwrap_err();
    assert!(matches!(gave_up(&error).reason(), GaveUpReason::BudgetEmpty));
    assert_eq!(error.to_string(), "gave up after 2 attempts, the budget for retries is empty: broken by 2");
    assert_eq!((second.report().budget_empty, second.report().attempts), (1, 2));
    second.call(|_| Ok::<_, Broken>(())).expect("calls are never refused");
}

#[test]
fn each_call_pays_into_the_budget_once_however_many_attempts_it_makes() {
    let budget = AttemptBudget::new(50, 0);
    let retry = Retry::builder().longest_delay(Duration::ZERO).budget(budget.clone()).build().unwrap();
    assert_eq!(gave_up(&retry.call(fail).unwrap_err()).attempts(), 1, "half an attempt is there");
    assert_eq!(gave_up(&retry.call(fail).unwrap_err()).attempts(), 2);
    assert_eq!(gave_up(&retry.call(fail).unwrap_err()).attempts(), 1);
}

#[test]
fn pause_that_is_not_begun_costs_nothing() {
    let budget = AttemptBudget::new(0, 1);
    let clock = ManualClock::new();
    let builder = every_second(&clock).budget(budget.clone());
    let too_long = builder.clone().total_timeout(SECOND).build().unwrap();
    too_long.call(fail).unwrap_err();
    builder.clone().attempts(1).build().unwrap().call(fail).unwrap_err();
    builder.build().unwrap().terminal_if(|_: &Broken| true).call(fail).unwrap_err();
    assert_eq!(budget.available(), 1);
}

#[test]
fn terminal_error_is_not_retried_wherever_the_retry_is() {
    let retry = at_once(9);
    let limiter = RateLimiter::builder(1, SECOND).burst(9).clock(ManualClock::new()).build().unwrap();
    let is_third = |error: &Broken| error.0 == 3;
    let alone = retry.clone().terminal_if(is_third);
    let outside = retry.clone().around(limiter.clone()).terminal_if(is_third);
    let inside = limiter.clone().around(retry.clone()).terminal_if(is_third);
    for error in [alone.call(fail), outside.call(fail), inside.call(fail)].map(Result::unwrap_err) {
        assert!(matches!(gave_up(&error).reason(), GaveUpReason::Terminal));
        assert_eq!((numbers(gave_up(&error)), error.work()), (vec![1, 2, 3], Some(&Broken(3))));
        assert_eq!(error.to_string(), "gave up at attempt 3, no retry can help: broken by 3");
        assert!(error.source().unwrap().is::<fmt::Error>());
        assert!(matches!(gave_up(&error).last(), PolicyError::Terminal(Broken(3))));
    }
    assert_eq!(retry.report().terminal, 3);
    assert_eq!(limiter.report().acquired, 3 + 1, "one for each attempt, one for all of them");
    let token = CancellationToken::new();
    token.cancel();
    assert!(alone.call_with(&token, fail).unwrap_err().is_cancelled());
    assert_eq!(alone.policy().report().cancelled, 1);
}

#[test]
fn terminal_error_is_not_retried_when_it_is_late_either() {
    let clock = ManualClock::new();
    let limit = TimeLimit::new(SECOND).clock(clock.clone());
    let late = |attempt: Attempt<'_>| {
        clock.advance(if attempt.number() == 2 { SECOND } else { Duration::ZERO });
        fail(attempt)
    };
    let is_second = |error: &Broken| error.0 == 2;
    let inside = at_once(9).around(limit.clone()).terminal_if(is_second);
    let between = at_once(9).terminal_if(is_second).around(limit.clone());
    let of_inner = at_once(9).terminal_if(is_second).around(limit.around(at_once(2)));
    for (error, attempts) in [(inside.call(late), 2), (between.call(late), 2), (of_inner.call(late), 1)] {
        let error = error.unwrap_err();
        assert!(matches!(gave_up(&error).reason(), GaveUpReason::Terminal), "{error}");
        assert_eq!((gave_up(&error).attempts(), error.work()), (attempts, Some(&Broken(2))));
    }
    let closed = at_once(3).around(TimeLimit::new(SECOND).clock(clock.clone()));
    let error = closed.apply(Attempt::first(), |_| {
        clock.advance(SECOND);
        Err::<(), _>(PolicyError::<Broken>::Permits(AcquireError::Closed))
    });
    assert_eq!(gave_up(&error.unwrap_err()).attempts(), 1, "a refusal that stays does, however late");
    let cancelled = at_once(3).around(TimeLimit::new(SECOND).clock(clock.clone()));
    let error = cancelled.apply(Attempt::first(), |attempt| {
        clock.advance(SECOND);
        attempt.check().map_err(PolicyError::Cancelled::<Broken>)
    });
    assert_eq!(gave_up(&error.unwrap_err()).attempts(), 3, "the limit of one attempt ends no other");
}

#[test]
fn error_of_a_retry_within_is_asked_about() {
    let last = |error: &Broken| error.0 == 2;
    let outer = at_once(3).terminal_if(last).around(at_once(2));
    let error = outer.call(fail).unwrap_err();
    assert_eq!((gave_up(&error).attempts(), error.work()), (1, Some(&Broken(2))));
}

#[test]
fn policy_that_runs_work_once_hands_a_terminal_error_on() {
    let policy = Semaphore::new(1).terminal_if(|_: &Broken| true);
    let error = policy.call(fail).unwrap_err();
    assert_eq!(error.to_string(), "broken by 1");
    assert!(matches!(&error, PolicyError::Terminal(Broken(1))), "{error:?}");
    assert_eq!(error.into_work().unwrap(), Broken(1));
}

#[test]
fn refusals_that_pass_are_retried_and_those_that_stay_are_not() {
    let token = CancellationToken::new();
    token.cancel();
    let cause = token.cause().unwrap();
    let at = SystemClock.now();
    let cases: [(PolicyError<Broken>, u64); 9] = [
        (PolicyError::Rate(RateLimited::NotYet { not_before: at, wait: NANOSECOND }), 3),
        (PolicyError::Rate(RateLimited::TimedOut { not_before: at, wait: NANOSECOND }), 3),
        (PolicyError::Rate(RateLimited::ExceedsBurst { permits: 2, burst: 1 }), 1),
        (PolicyError::Rate(RateLimited::Cancelled(cause.clone())), 1),
        (PolicyError::Permits(AcquireError::NotNow), 3),
        (PolicyError::Permits(AcquireError::TimedOut), 3),
        (PolicyError::Permits(AcquireError::ExceedsCapacity { permits: 2, capacity: 1 }), 1),
        (PolicyError::Permits(AcquireError::Closed), 1),
        (PolicyError::Permits(AcquireError::Cancelled(cause)), 1),
    ];
    for (refusal, attempts) in cases {
        let error = at_once(3).apply(Attempt::first(), |_| Err::<(), _>(refusal.clone())).unwrap_err();
        assert_eq!(gave_up(&error).attempts(), attempts, "{refusal}");
        assert!(error.work().is_none(), "the work did not run: {refusal}");
        assert_eq!(error.clone().into_work().unwrap_err().to_string(), error.to_string(), "handed back");
        assert_eq!(error.is_cancelled(), refusal.to_string().contains("cancelled"), "{refusal}");
        let late = PolicyError::TimedOut { limit: SECOND, error: Box::new(refusal) };
        assert!(
            late.clone().into_work().is_err_and(|error| error.is_timed_out()),
            "handed back whole: {late}"
        );
    }
    let closed = Semaphore::new(1);
    closed.close();
    let error = at_once(3).around(&closed).call(fail).unwrap_err();
    assert_eq!(error.to_string(), "gave up at attempt 1, no retry can help: the semaphore is closed");
}

/// Opens at the first failure, and lets one probe through.
fn touchy(clock: &ManualClock, open_time: Duration) -> CircuitBreaker {
    let builder = CircuitBreaker::builder().count_window(1).probes(1).open_time(open_time);
    builder.clock(clock.clone()).build().expect("sound settings")
}

#[test]
fn outage_that_a_breaker_sees_costs_no_item() {
    let clock = ManualClock::new();
    let breaker = touchy(&clock, 60 * SECOND);
    let builder = every_second(&clock).longest_delay(SECOND).attempts(3);
    let policy =
        builder.build().unwrap().around(TimeLimit::new(9 * SECOND).clock(clock.clone())).around(breaker);
    let (start, is_up_at) = (clock.now(), clock.now() + 50 * SECOND);
    let starts = in_virtual_time(&clock, || {
        let mut starts = Vec::new();
        for item in 0..10 {
            let done = policy.call(|_| {
                starts.push(clock.now().duration_since(start));
                if clock.now() < is_up_at { Err(Broken(item)) } else { Ok(item) }
            });
            assert_eq!(done.unwrap(), item);
        }
        starts
    });
    // The first try, then a refusal that names its time, then the probe and the others.
    assert_eq!(starts, [[Duration::ZERO].as_slice(), &[60 * SECOND; 10]].concat());
    assert_eq!(policy.inner().report().refused, 1);
}

#[test]
fn refusal_with_a_time_is_waited_for_if_there_is_time() {
    let clock = ManualClock::new();
    let limiter = RateLimiter::builder(1, 3600 * SECOND).clock(clock.clone()).build().unwrap();
    limiter.acquire();
    let start = clock.now();
    let error = in_virtual_time(&clock, || {
        at_once_on(&clock, None).apply(Attempt::first(), |_| {
            limiter.try_acquire().map(|()| clock.now()).map_err(PolicyError::<Broken>::Rate)
        })
    });
    assert_eq!(error.unwrap(), start + 3600 * SECOND, "not earlier, and not later");
    let inner = Retry::builder().attempts(1).clock(clock.clone()).build().unwrap();
    let through_another = in_virtual_time(&clock, || {
        at_once_on(&clock, None).apply(Attempt::first(), |attempt| {
            inner.apply(attempt, |_| {
                limiter.try_acquire().map(|()| clock.now()).map_err(PolicyError::<Broken>::Rate)
            })
        })
    });
    assert_eq!(
        through_another.unwrap(),
        start + 7200 * SECOND,
        "what gave up says how long its last refusal lasts"
    );
    let breaker = touchy(&clock, 60 * SECOND);
    let policy = at_once_on(&clock, Some(60 * SECOND)).around(breaker);
    let error = policy.call(fail).unwrap_err();
    assert!(error.is_timed_out(), "at once, since the clock stands still: {error}");
    assert_eq!(policy.outer().report().slept, Duration::ZERO);
}

fn at_once_on(clock: &ManualClock, time: Option<Duration>) -> Retry {
    let builder = Retry::builder().longest_delay(Duration::ZERO).clock(clock.clone());
    let builder = if let Some(time) = time { builder.total_timeout(time) } else { builder };
    builder.build().expect("sound settings")
}

#[test]
fn breaker_that_no_time_closes_is_not_asked_again() {
    let clock = ManualClock::new();
    let (without_end, forced, half_open) =
        (touchy(&clock, Duration::MAX), touchy(&clock, SECOND), touchy(&clock, SECOND));
    without_end.call(fail).unwrap_err();
    forced.force_open();
    half_open.call(fail).unwrap_err();
    clock.advance(SECOND);
    let _probe = half_open.try_acquire().unwrap();
    for (breaker, attempts) in [(&without_end, 1), (&forced, 1), (&half_open, 3)] {
        let error = at_once(3).around(breaker).call(fail).unwrap_err();
        assert_eq!((gave_up(&error).attempts(), error.work()), (attempts, None), "{error}");
    }
}

#[test]
fn error_of_the_work_is_not_lost_behind_a_refusal() {
    let breaker = touchy(&ManualClock::new(), Duration::MAX);
    let error = at_once(3).around(breaker).call(fail).unwrap_err();
    let text = "gave up at attempt 2, no retry can help: the circuit breaker is open; last error of the work: broken by 1";
    assert_eq!((error.to_string().as_str(), error.work()), (text, Some(&Broken(1))));
    assert!(error.source().unwrap().is::<fmt::Error>(), "what is behind the work's error");
    assert!(matches!(gave_up(&error).last(), PolicyError::Open(_)));
    assert_eq!((gave_up(&error).work(), error.clone().into_work().unwrap()), (Some(&Broken(1)), Broken(1)));
}

#[test]
fn predicates_see_through_policies() {
    let refused = |error: PolicyError<Broken>| (error.is_timed_out(), error.is_cancelled());
    let (by_hand, by_time) = (CancellationToken::new(), CancellationToken::with_timeout(Duration::ZERO));
    by_hand.cancel();
    let (cancelled, exceeded) = (by_hand.cause().unwrap(), by_time.cause().unwrap());
    let at = SystemClock.now();
    let cases = [
        (PolicyError::Work(Broken(1)), (false, false)),
        (PolicyError::Rate(RateLimited::TimedOut { not_before: at, wait: SECOND }), (true, false)),
        (PolicyError::Rate(RateLimited::NotYet { not_before: at, wait: SECOND }), (false, false)),
        (PolicyError::Rate(RateLimited::Cancelled(cancelled.clone())), (false, true)),
        (PolicyError::Permits(AcquireError::TimedOut), (true, false)),
        (PolicyError::Permits(AcquireError::NotNow), (false, false)),
        (PolicyError::Permits(AcquireError::Cancelled(cancelled.clone())), (false, true)),
        (PolicyError::Permits(AcquireError::Cancelled(exceeded.clone())), (true, true)),
        (PolicyError::Cancelled(cancelled), (false, true)),
        (PolicyError::Cancelled(exceeded), (true, true)),
    ];
    for (error, expected) in cases {
        assert_eq!(error.cancelled().is_some(), expected.1);
        assert_eq!(refused(error.clone()), expected, "{error:?}");
    }
}

#[test]
fn retry_within_a_retry_is_run_again_only_if_that_can_help() {
    let inner = at_once(3);
    let mut seen = Vec::new();
    let error = at_once(2).around(inner.clone()).call(|attempt| {
        seen.push(attempt.number());
        fail(attempt)
    });
    let error = error.unwrap_err();
    assert_eq!(seen, [1, 2, 3, 1, 2, 3], "the numbers of the innermost");
    assert_eq!((inner.report().calls, error.work()), (2, Some(&Broken(3))));
    let text = "gave up after 2 attempts: gave up after 3 attempts: broken by 3";
    assert_eq!(error.to_string(), text);
    assert_eq!(gave_up(&error).errors().map(|(_, error)| gave_up(error).attempts()).sum::<u64>(), 6);

    let terminal = at_once(2).around(at_once(3)).terminal_if(|error: &Broken| error.0 == 2);
    let error = terminal.call(fail).unwrap_err();
    assert_eq!((gave_up(&error).attempts(), error.work()), (1, Some(&Broken(2))));

    let poor =
        Retry::builder().longest_delay(Duration::ZERO).budget(AttemptBudget::new(0, 0)).build().unwrap();
    assert_eq!(gave_up(&at_once(2).around(poor).call(fail).unwrap_err()).attempts(), 1);

    let token = CancellationToken::new();
    let cancelled = at_once(2).around(at_once(3)).call_with(&token, |attempt| {
        token.cancel();
        fail(attempt)
    });
    let error = cancelled.unwrap_err();
    assert!(error.is_cancelled() && error.work() == Some(&Broken(1)), "{error}");
}

#[test]
fn what_is_around_a_retry_is_asked_once_and_what_is_within_for_each_attempt() {
    let clock = ManualClock::new();
    let limiter = || RateLimiter::builder(1, SECOND).burst(9).clock(clock.clone()).build().unwrap();
    let (outer, inner) = (limiter(), limiter());
    outer.clone().around(at_once(4)).around(inner.clone()).call(fail).unwrap_err();
    assert_eq!((outer.report().acquired, inner.report().acquired), (1, 4));
}

#[test]
fn token_that_was_cancelled_before_runs_nothing_and_costs_nothing() {
    let budget = AttemptBudget::new(100, 0);
    let retry = Retry::builder().budget(budget.clone()).build().unwrap();
    let token = CancellationToken::new();
    token.cancel_with("enough");
    let error = retry.call_with(&token, |_| -> Result<(), Broken> { unreachable!("not run") }).unwrap_err();
    let PolicyError::Cancelled(cause) = &error else { panic!("{error}") };
    assert_eq!(cause.cause().unwrap().to_string(), "enough");
    let report = retry.report();
    assert_eq!((budget.available(), report.calls, report.cancelled, report.attempts), (0, 1, 1, 0));
}

#[test]
fn cancel_ends_a_pause_on_a_clock_that_stands_still() {
    let clock = ManualClock::new();
    let budget = AttemptBudget::new(0, 2);
    let longest = Backoff::Constant(Duration::MAX);
    for (backoff, waits_for) in [(Backoff::Constant(SECOND), Some(SECOND)), (longest, None)] {
        let retry = every_second(&clock).backoff(backoff).budget(budget.clone()).build().unwrap();
        let token = CancellationToken::new();
        let error = thread::scope(|scope| {
            let call = thread::Builder::new().spawn_scoped(scope, || retry.call_with(&token, fail));
            until_sleeping(&retry, &clock, 1);
            assert_eq!(clock.next_instant(), waits_for.map(|pause| clock.now() + pause));
            token.cancel_with("enough");
            call.expect("a thread").join().unwrap().unwrap_err()
        });
        assert!(error.is_cancelled());
        assert_eq!(error.to_string(), "cancelled after 1 failed attempt: broken by 1");
        let GaveUpReason::Cancelled(cause) = gave_up(&error).reason() else { panic!("{error:?}") };
        assert_eq!(cause.cause().unwrap().to_string(), "enough");
        assert_eq!(error.source().and_then(|source| source.source()).unwrap().to_string(), "enough");
        assert_eq!(gave_up(&error).reason().to_string(), format!("{cause}: enough"));
        assert_eq!(error.work(), Some(&Broken(1)), "the work's error is not lost");
        let report = retry.report();
        assert_eq!((report.cancelled, report.attempts, report.sleeping, clock.waiting()), (1, 1, 0, 0));
        assert_eq!(budget.available(), 2, "the attempt was not made");
    }
}

#[test]
fn deadline_of_the_token_ends_a_pause_whatever_the_clock() {
    let retry = every_second(&ManualClock::new()).build().unwrap();
    let token = CancellationToken::with_timeout(Duration::from_millis(5));
    let error = retry.call_with(&token, fail).unwrap_err();
    assert!(error.is_cancelled() && error.is_timed_out());
    assert_eq!(retry.report().cancelled, 1);
}

#[test]
fn pause_beyond_the_deadline_of_the_token_is_not_begun() {
    let builder = Retry::builder().backoff(Backoff::Constant(7200 * SECOND)).jitter(Jitter::None);
    let budget = AttemptBudget::new(0, 1);
    let retry = builder.budget(budget.clone()).build().unwrap();
    let token = CancellationToken::with_timeout(3600 * SECOND);
    let of_the_token = retry.call_with(&token, fail).unwrap_err();
    let of_the_limit = TimeLimit::new(3600 * SECOND).around(retry.clone()).call(fail).unwrap_err();
    for error in [of_the_token, of_the_limit] {
        assert!(matches!(gave_up(&error).reason(), GaveUpReason::TimedOut), "{error}");
        assert!(error.is_timed_out() && !error.is_cancelled());
        assert_eq!(
            error.to_string(),
            "gave up after 1 attempt, no time is left for another attempt: broken by 1"
        );
    }
    let report = retry.report();
    assert_eq!((report.slept, report.timed_out, budget.available()), (Duration::ZERO, 2, 1));
    assert!(!token.is_cancelled());
}

#[test]
fn work_that_fails_once_it_is_cancelled_is_not_run_again_and_its_error_is_kept() {
    let clock = ManualClock::new();
    let retry = every_second(&clock).build().unwrap();
    let token = CancellationToken::new();
    let error = retry.call_with(&token, |attempt| {
        assert!(attempt.check().is_ok());
        token.cancel();
        assert!(attempt.token().is_some_and(CancellationToken::is_cancelled));
        fail(attempt)
    });
    let error = error.unwrap_err();
    assert!(error.is_cancelled() && error.work() == Some(&Broken(1)));
    assert_eq!(retry.report().slept, Duration::ZERO);
    assert!(retry.call_with(&token, |_| Ok::<_, Broken>(())).is_err(), "it stays cancelled");
}

#[test]
fn cancel_within_a_later_attempt_keeps_the_errors_before_it() {
    let retry = at_once(9);
    let token = CancellationToken::new();
    let error = retry.apply(Attempt::first().with_token(&token), |attempt| {
        if attempt.number() < 3 {
            return fail(attempt).map_err(PolicyError::Work);
        }
        token.cancel();
        at_once(1).apply(attempt, |_| unreachable!("a wait that was cancelled"))
    });
    let error = error.unwrap_err();
    assert!(error.is_cancelled());
    assert_eq!((numbers(gave_up(&error)), error.work()), (vec![1, 2], Some(&Broken(2))));
    assert_eq!(error.to_string(), "cancelled after 2 failed attempts: broken by 2");
    let source = error.source().unwrap().downcast_ref::<Cancelled>().expect("the record of the token");
    assert_eq!(source.location().file(), file!(), "who cancelled is in the chain");
    assert_eq!(gave_up(&error).reason().to_string(), source.to_string());
    assert_eq!((retry.report().attempts, retry.report().cancelled), (3, 1));

    let token = CancellationToken::new();
    let error = retry.apply(Attempt::first().with_token(&token), |attempt| {
        token.cancel();
        at_once(1).apply(attempt, |_| -> Result<(), PolicyError<Broken>> { unreachable!("cancelled") })
    });
    assert!(matches!(error, Err(PolicyError::Cancelled(_))), "no attempt has an error of its own");
}

#[test]
fn panic_of_the_work_goes_through_and_is_not_retried() {
    let retry = at_once(9);
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        retry.call(|attempt| if attempt.number() == 2 { panic!("at once") } else { fail(attempt) })
    }));
    assert_eq!(panicked.unwrap_err().downcast_ref::<&str>(), Some(&"at once"));
    let report = retry.report();
    assert_eq!((report.calls, report.panicked, report.attempts, report.retries), (1, 1, 2, 1));
    retry.call(|_| Ok::<_, Broken>(())).expect("the policy is as it was");
}

#[test]
fn unlimited_attempts_keep_the_first_and_the_last_errors_and_a_count() {
    let retry = Retry::builder().unlimited_attempts().longest_delay(Duration::ZERO).build().unwrap();
    for (failing, omitted) in [(1, 0), (16, 0), (17, 0), (32, 0), (33, 1), (1000, 968)] {
        let last_fails = retry.clone().terminal_if(move |error: &Broken| error.0 == failing);
        let error = last_fails.call(fail).unwrap_err();
        let gave_up = gave_up(&error);
        assert_eq!((gave_up.attempts(), gave_up.omitted()), (u64::from(failing), omitted));
        let is_kept = |number: &u32| *number <= 16 || *number > failing - failing.min(16);
        let kept: Vec<u32> = (1..=failing).filter(is_kept).collect();
        assert_eq!(numbers(gave_up), kept);
        assert!(gave_up.errors().all(|(number, error)| error.work() == Some(&Broken(number))));
        assert_eq!(error.into_work().unwrap(), Broken(failing));
    }
    let value = retry.call(|attempt| if attempt.number() == 5000 { Ok(5000) } else { Err(Broken(0)) });
    assert_eq!(value.unwrap(), 5000);
}

#[test]
fn as_many_attempts_and_as_long_pauses_as_can_be_said_do_not_overflow() {
    let clock = ManualClock::new();
    let longest = |jitter| {
        let first = Duration::MAX;
        let backoff = Backoff::Exponential { first, factor: f64::MAX };
        Retry::builder().attempts(u32::MAX).backoff(backoff).jitter(jitter).clock(clock.clone())
    };
    for jitter in [Jitter::None, Jitter::Equal] {
        let retry = longest(jitter).total_timeout(3600 * SECOND).build().unwrap();
        let error = retry.call(fail).unwrap_err();
        assert!(matches!(gave_up(&error).reason(), GaveUpReason::TimedOut), "no pause is begun");
    }
    let retry = longest(Jitter::Full).longest_delay(Duration::ZERO).total_timeout(Duration::MAX).build();
    let retry = retry.unwrap();
    let value = retry.call(|attempt| if attempt.number() == 2000 { Ok(()) } else { Err(Broken(0)) });
    value.expect("a time that is too long for the clock is no limit");
}

#[test]
fn clones_are_one_policy_and_every_call_is_counted_once() {
    let retry = at_once(2);
    let clone = retry.clone();
    let token = CancellationToken::new();
    clone.call(fail).unwrap_err();
    retry.call(|_| Ok::<_, Broken>(())).unwrap();
    clone.call(|attempt| if attempt.number() == 1 { Err(Broken(1)) } else { Ok(()) }).unwrap();
    retry.clone().terminal_if(|_: &Broken| true).call(fail).unwrap_err();
    token.cancel();
    retry.call_with(&token, fail).unwrap_err();
    catch_unwind(AssertUnwindSafe(|| retry.call(|_| -> Result<(), Broken> { panic!("once") }))).unwrap_err();
    let report = retry.report();
    assert_eq!(clone.report(), report);
    let RetryReport { calls, attempts, retries, .. } = report;
    assert_eq!((calls, attempts, retries), (6, 7, 2));
    assert_eq!((report.succeeded_at_first, report.succeeded_after_retry, report.attempts_used_up), (1, 1, 1));
    assert_eq!((report.terminal, report.cancelled, report.panicked), (1, 1, 1));
    assert_eq!((report.timed_out, report.budget_empty), (0, 0));
}

#[test]
fn calls_side_by_side_pause_side_by_side() {
    let clock = ManualClock::new();
    let retry = every_second(&clock).attempts(2).build().unwrap();
    thread::scope(|scope| {
        let calls: Vec<_> = (0..3)
            .map(|_| thread::Builder::new().spawn_scoped(scope, || retry.call(fail)).expect("a thread"))
            .collect();
        until_sleeping(&retry, &clock, 3);
        clock.advance(SECOND);
        for call in calls {
            assert_eq!(gave_up(&call.join().unwrap().unwrap_err()).attempts(), 2);
        }
    });
    assert_eq!(retry.report().slept, 3 * SECOND, "each counts");
}

#[test]
fn on_the_systems_clock_no_attempt_is_early() {
    let pause = Duration::from_millis(2);
    let retry = Retry::builder().backoff(Backoff::Constant(pause)).jitter(Jitter::None).build().unwrap();
    let mut starts = Vec::new();
    let failed = retry.call(|attempt| {
        starts.push(SystemClock.now());
        fail(attempt)
    });
    assert_eq!(gave_up(&failed.unwrap_err()).attempts(), 3);
    assert!(starts.windows(2).all(|pair| pair[1] - pair[0] >= pause), "{starts:?}");
}
