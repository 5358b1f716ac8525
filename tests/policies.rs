//! Work under policies: in what order they nest, in pools and in groups.
#![cfg(not(any(gristmill_shuttle, gristmill_loom)))]
#![allow(clippy::unwrap_used)] // closures and helpers are test code too

#[path = "support/gate.rs"]
mod gate;

use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use gate::{LONG, occupy};
use gristmill::combine::{self, AttemptError, Timer};
use gristmill::{
    AcquireError, Attempt, AttemptBudget, Backoff, BreakerPermit, CancelKind, CancellationToken,
    CircuitBreaker, ErrorGroup, GroupRefusal, Jitter, KeyedRateLimiter, ManualClock, Nest, ObjectPool,
    OwnedPooled, Policy, PolicyError, RateLimited, RateLimiter, Refusal, Retry, Semaphore, TakeError,
    TaskContext, ThreadPool, TimeLimit,
};

/// Notes when it is asked and when it is done, and runs the work so many times.
struct Noted {
    name: &'static str,
    times: u32,
    log: Arc<Mutex<Vec<String>>>,
}

impl<E> Policy<E> for Noted {
    fn apply<T, F>(&self, attempt: Attempt<'_>, mut work: F) -> Result<T, PolicyError<E>>
    where
        F: FnMut(Attempt<'_>) -> Result<T, PolicyError<E>>,
    {
        let note = |what| self.log.lock().unwrap().push(format!("{what}{}", self.name));
        note("+");
        let mut last = work(attempt);
        for number in 2..=self.times {
            last = work(attempt.with_number(number));
        }
        note("-");
        last
    }
}

fn hourly(clock: &ManualClock) -> RateLimiter {
    RateLimiter::builder(1, Duration::from_secs(3600)).clock(clock.clone()).build().unwrap()
}

#[test]
fn inner_policy_is_asked_for_each_run_of_the_outer_one() {
    let log = Arc::new(Mutex::new(Vec::new()));
    let noted = |name, times| Noted { name, times, log: Arc::clone(&log) };
    let policy = noted("outer", 2).around(noted("middle", 1).around(noted("inner", 1)));
    assert_eq!((policy.outer().name, policy.inner().inner().name), ("outer", "inner"));
    let mut numbers = Vec::new();
    let result = policy.call(|attempt| {
        numbers.push(attempt.number());
        if attempt.number() == 1 { Err("first") } else { Ok("second") }
    });
    assert_eq!((result.unwrap(), numbers), ("second", vec![1, 2]));
    let round = ["+middle", "+inner", "-inner", "-middle"];
    let expected = ["+outer"].into_iter().chain(round).chain(round).chain(["-outer"]);
    assert!(log.lock().unwrap().iter().eq(expected.collect::<Vec<_>>().iter()));
}

#[test]
fn work_that_panics_gives_its_permit_back() {
    let permits = Semaphore::new(1);
    let call = std::panic::AssertUnwindSafe(|| permits.call(|_| -> Result<(), ()> { panic!("the work") }));
    assert!(std::panic::catch_unwind(call).is_err());
    assert_eq!((permits.available(), permits.call(|_| Ok::<_, ()>(7)).unwrap()), (1, 7));
}

#[test]
fn token_that_is_cancelled_already_lets_no_work_begin_and_takes_nothing() {
    let (clock, permits, token) = (ManualClock::new(), Semaphore::new(1), CancellationToken::new());
    let limiter = hourly(&clock);
    token.cancel();
    for error in [
        (&limiter)
            .around(&permits)
            .call_with(&token, |_| -> Result<(), fmt::Error> { unreachable!() })
            .unwrap_err(),
        (&permits)
            .around(&limiter)
            .call_with(&token, |_| -> Result<(), fmt::Error> { unreachable!() })
            .unwrap_err(),
    ] {
        assert!(error.is_cancelled() && error.work().is_none(), "{error:?}");
        assert_eq!(error.to_string(), "the call was cancelled");
    }
    assert_eq!((permits.available(), limiter.report().acquired), (1, 0));
}

#[test]
fn refusal_says_which_policy_refused() {
    let permits = Semaphore::new(1);
    permits.close();
    let error = permits.call(|_| -> Result<(), fmt::Error> { unreachable!() }).unwrap_err();
    assert!(matches!(error, PolicyError::Permits(_)), "{error:?}");
    assert_eq!(error.to_string(), "the semaphore is closed");
    assert!(std::error::Error::source(&error).is_none(), "its text is in the error's own");
}

#[test]
fn task_of_a_pool_runs_under_its_policy_and_a_refused_one_comes_back() {
    let pool = ThreadPool::builder().workers(2).queue_bound(1).build().unwrap();
    let permits = Arc::new(Semaphore::new(1));
    let (inside, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let tasks: Vec<_> = (0..50)
        .map(|index| {
            let (inside, most) = (Arc::clone(&inside), Arc::clone(&most));
            let task = move |context: &gristmill::TaskContext<'_, ()>, _: Attempt<'_>| {
                assert!(context.worker().is_some());
                most.fetch_max(inside.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                inside.fetch_sub(1, Ordering::SeqCst);
                if index % 2 == 0 { Ok(index) } else { Err(index) }
            };
            pool.task().fallible().under(Arc::clone(&permits)).submit(task).unwrap()
        })
        .collect();
    for (index, task) in tasks.into_iter().enumerate() {
        let output = task.wait().unwrap();
        assert_eq!(
            output.map_err(|error| *error.work().unwrap()),
            if index % 2 == 0 { Ok(index) } else { Err(index) }
        );
    }
    assert_eq!((most.load(Ordering::SeqCst), permits.available()), (1, 1));
    assert_eq!(pool.snapshot().failed(), 25);
    let gates: Vec<_> = (0..2).map(|_| occupy(&pool)).collect();
    let queued = pool.task().under(Arc::clone(&permits)).submit(|_, _| Ok::<_, ()>(1)).unwrap();
    let number = 41;
    let refused = pool.task().under(Arc::clone(&permits)).try_submit(move |_, _| Ok::<_, ()>(number + 1));
    assert!(refused.unwrap_err().is_full());
    drop(gates);
    assert_eq!(queued.wait().unwrap().unwrap(), 1);
}

#[test]
fn task_that_a_policy_refuses_counts_as_failed() {
    let pool = ThreadPool::builder().workers(1).build().unwrap();
    let closed = Semaphore::new(1);
    closed.close();
    let task = pool.task().under(closed).submit(|_, _| -> Result<(), ()> { unreachable!() }).unwrap();
    assert!(matches!(task.wait().unwrap(), Err(PolicyError::Permits(_))));
    let now = pool.snapshot();
    assert_eq!((now.failed(), now.succeeded()), (1, 0));
}

#[test]
fn task_within_a_bulkhead_never_waits_for_its_own_permit_at_a_full_queue() {
    let pool = Arc::new(ThreadPool::builder().workers(1).queue_bound(1).build().unwrap());
    let (permits, inner) = (Arc::new(Semaphore::new(1)), Arc::clone(&pool));
    let outer = pool.task().under(Arc::clone(&permits)).submit(move |_, _| {
        let queued = inner.task().under(Arc::clone(&permits)).submit(|_, _| Ok::<_, ()>(1)).unwrap();
        let refused = inner.task().under(Arc::clone(&permits)).submit(|_, _| Ok::<_, ()>(2)).unwrap_err();
        assert!(refused.is_full() && matches!(refused.refusal(), Refusal::PermitHeld), "{refused}");
        let late = inner.task().under(Arc::clone(&permits));
        let late = late.submit_timeout(|_, _| Ok::<_, ()>(3), Duration::from_millis(1)).unwrap_err();
        assert!(matches!(late.refusal(), Refusal::TimedOut), "{late}");
        // A plain one needs no permit, and is run by its submitter.
        assert!(matches!(inner.submit(|| 4).unwrap().try_wait(), Ok(Ok(4))));
        Ok::<_, ()>(queued)
    });
    let queued = outer.unwrap().wait_timeout(LONG).unwrap().unwrap().unwrap();
    assert_eq!(queued.wait_timeout(LONG).unwrap().unwrap().unwrap(), 1);
}

#[test]
fn task_under_a_policy_that_holds_nothing_runs_others_under_policies_at_a_full_queue() {
    let pool = Arc::new(ThreadPool::builder().workers(1).queue_bound(1).build().unwrap());
    let (limit, inner) = (TimeLimit::new(LONG), Arc::clone(&pool));
    let outer = pool.task().under(limit).submit(move |_, _| {
        let queued = inner.submit(|| 1).unwrap();
        let within = inner.task().under(Semaphore::new(1)).submit(|_, _| Ok::<_, ()>(2)).unwrap();
        assert!(matches!(within.try_wait(), Ok(Ok(Ok(2)))), "its submitter has run it");
        Ok::<_, ()>(queued)
    });
    assert_eq!(outer.unwrap().wait().unwrap().unwrap().wait().unwrap(), 1);
}

#[test]
fn task_of_a_group_within_a_bulkhead_never_waits_for_its_own_permit_at_a_full_group() {
    let group = ErrorGroup::<u32, PolicyError<&str>>::builder().limit(1).queue_bound(1).build().unwrap();
    let permits = Arc::new(Semaphore::new(1));
    let outer = group.task().under(Arc::clone(&permits)).spawn(move |context, _| {
        let spawner = context.group();
        spawner.task().under(Arc::clone(&permits)).spawn(|_, _| Ok(1)).unwrap();
        let refused = spawner.task().under(Arc::clone(&permits)).spawn(|_, _| Ok(2)).unwrap_err();
        assert!(refused.is_full() && matches!(refused.refusal(), GroupRefusal::PermitHeld), "{refused}");
        let late = spawner.task().under(Arc::clone(&permits));
        let late = late.spawn_timeout(|_, _| Ok(3), Duration::from_millis(1)).unwrap_err();
        assert!(matches!(late.refusal(), GroupRefusal::TimedOut), "{late}");
        spawner.spawn(|| Ok(4)).unwrap(); // runs at once
        Ok(5)
    });
    outer.unwrap();
    assert_eq!(group.into_results().unwrap(), [5, 1, 4]);
}

#[test]
fn cancelled_task_of_a_pool_leaves_the_wait_of_its_policy() {
    let clock = ManualClock::new();
    let limiter = hourly(&clock);
    limiter.acquire();
    let pool = ThreadPool::builder().workers(1).build().unwrap();
    let task =
        pool.task().under(limiter.clone()).submit(|_, _| -> Result<(), ()> { unreachable!() }).unwrap();
    while clock.waiting() == 0 {
        std::thread::yield_now();
    }
    task.cancel();
    assert!(task.wait_timeout(LONG).unwrap().unwrap().unwrap_err().is_cancelled());
    assert_eq!(limiter.report().waiting, 0);
}

#[test]
fn failure_in_a_group_ends_the_waits_of_the_policies_of_the_others() {
    let clock = ManualClock::new();
    let limiter = hourly(&clock);
    limiter.acquire();
    let (started, starts) = mpsc::channel();
    let group = ErrorGroup::<(), PolicyError<&str>>::builder().limit(2).build().unwrap();
    group.task().under(limiter.clone()).spawn(|_, _| unreachable!()).unwrap();
    let fails = group.task().under(Semaphore::new(1)).spawn(move |context, attempt| {
        assert!(attempt.token().is_some() && attempt.number() == 1);
        while clock.waiting() == 0 {
            std::thread::yield_now();
        }
        started.send(context.index()).unwrap();
        Err("no luck")
    });
    fails.unwrap();
    let error = group.wait().unwrap_err();
    assert_eq!(starts.recv_timeout(LONG), Ok(1));
    assert_eq!(error.cause().unwrap().error().unwrap().work(), Some(&"no luck"));
    assert_eq!(limiter.report().waiting, 0);
}

#[test]
fn call_is_told_when_its_time_is_over_and_keeps_its_error() {
    let clock = ManualClock::new();
    let limit = TimeLimit::new(Duration::from_secs(5)).clock(clock.clone());
    for token in [None, Some(CancellationToken::new())] {
        let work = |attempt: Attempt<'_>| {
            let token = attempt.token().unwrap();
            clock.advance(Duration::from_secs(5) - Duration::from_nanos(1));
            assert!(!token.is_cancelled());
            clock.advance(Duration::from_nanos(1));
            assert!(token.is_cancelled());
            Err::<(), _>(fmt::Error)
        };
        let outcome = match &token {
            Some(token) => limit.call_with(token, work),
            None => limit.call(work),
        };
        let error = outcome.unwrap_err();
        assert!(error.is_timed_out() && error.work() == Some(&fmt::Error), "{error:?}");
        assert_eq!(error.to_string(), "the call took longer than 5s");
        assert!(token.is_none_or(|token| !token.is_cancelled()), "only the call is told");
    }
}

#[test]
fn late_value_is_a_value_and_an_early_error_its_own() {
    let clock = ManualClock::new();
    let limit = TimeLimit::new(Duration::from_secs(5)).clock(clock.clone());
    let late = limit.call(|_| {
        clock.advance(Duration::from_secs(50));
        Ok::<_, fmt::Error>("late")
    });
    assert_eq!(late.unwrap(), "late");
    let early = limit.call(|_| {
        clock.advance(Duration::from_secs(4));
        Err::<(), _>(fmt::Error)
    });
    assert!(matches!(early, Err(PolicyError::Work(fmt::Error))));
}

#[test]
fn wait_of_an_inner_policy_ends_with_the_time_of_the_outer_one() {
    let (clock, standing) = (ManualClock::new(), ManualClock::new());
    let limiter = hourly(&standing);
    limiter.acquire();
    let policy = TimeLimit::new(Duration::from_secs(5)).clock(clock.clone()).around(limiter.clone());
    let error = std::thread::scope(|scope| {
        let call = scope.spawn(|| policy.call(|_| -> Result<(), fmt::Error> { unreachable!() }));
        while standing.waiting() == 0 {
            std::thread::yield_now();
        }
        clock.advance(Duration::from_secs(5));
        call.join().unwrap().unwrap_err()
    });
    let PolicyError::TimedOut { error, .. } = error else { panic!("{error:?}") };
    assert!(error.is_cancelled() && limiter.report().waiting == 0);
}

#[test]
fn limits_of_no_time_and_of_all_time_are_what_they_say() {
    let none = TimeLimit::new(Duration::ZERO);
    let error = none.call(|attempt| attempt.check()).unwrap_err();
    assert!(error.is_timed_out(), "{error:?}");
    let all = TimeLimit::new(Duration::MAX);
    assert!(all.call(|attempt| Ok::<_, fmt::Error>(attempt.token().is_none())).unwrap(), "costs nothing");
    let token = CancellationToken::new();
    token.cancel();
    let never = |_: Attempt<'_>| -> Result<(), fmt::Error> { unreachable!() };
    for limit in [none, all] {
        assert!(limit.call_with(&token, never).unwrap_err().is_cancelled());
    }
}

#[test]
fn deadline_of_a_time_limit_is_one_whatever_the_clock_and_the_user_has_set_it() {
    let (clock, second) = (ManualClock::new(), Duration::from_secs(1));
    let (by_hand, by_system) =
        (TimeLimit::new(second).clock(clock.clone()), TimeLimit::new(Duration::from_millis(1)));
    for limit in [by_hand, by_system] {
        let breaker = CircuitBreaker::builder().count_window(1).build().unwrap();
        let error = limit.around(&breaker).call(|attempt| {
            clock.advance(second);
            Err::<(), _>(attempt.token().unwrap().wait())
        });
        let error = error.unwrap_err();
        let cause = error.work().unwrap();
        assert_eq!((cause.kind(), cause.location().file()), (CancelKind::DeadlineExceeded, file!()));
        assert!(cause.to_string().starts_with("deadline set at "), "{cause}");
        assert_eq!(breaker.report().failures, 1, "it was too slow");
    }
}

#[test]
fn entry_of_a_limiter_takes_several_permits_and_bounds_the_wait_for_them() {
    let (clock, second) = (ManualClock::new(), Duration::from_secs(1));
    let limiter = RateLimiter::builder(1, second).burst(4).clock(clock.clone()).build().unwrap();
    let token = CancellationToken::new();
    let at_once = limiter.entry(3, Duration::ZERO);
    assert_eq!(at_once.call(|_| Ok::<_, fmt::Error>(1)).unwrap(), 1);
    let never = |_: Attempt<'_>| -> Result<(), fmt::Error> { unreachable!() };
    for error in [at_once.call(never), at_once.call_with(&token, never)].map(Result::unwrap_err) {
        assert!(
            matches!(&error, PolicyError::Rate(RateLimited::NotYet { wait, .. }) if *wait == 2 * second),
            "{error}"
        );
    }
    // One is left, two more come in two seconds: a longer wait than it may be is not begun, on a clock that stands still.
    let brief = limiter.entry(3, second);
    for error in [brief.call(never), brief.call_with(&token, never)].map(Result::unwrap_err) {
        assert!(error.is_timed_out() && matches!(error, PolicyError::Rate(_)), "{error}");
    }
    assert!(
        matches!(limiter.entry(5, second).call(never), Err(PolicyError::Rate(refused)) if refused.is_exceeds_burst())
    );
    let patient = limiter.entry(3, 2 * second);
    let run = |with_token: bool| {
        std::thread::scope(|scope| {
            let call = scope.spawn(|| {
                let work = |_: Attempt<'_>| Ok::<_, fmt::Error>(2);
                if with_token { patient.call_with(&token, work) } else { patient.call(work) }
            });
            while clock.waiting() == 0 {
                std::thread::yield_now();
            }
            clock.advance(2 * second);
            assert_eq!(call.join().unwrap().unwrap(), 2);
        });
    };
    run(true);
    clock.advance(second);
    run(false);
    assert_eq!(limiter.report().acquired, 3 * 3);
    token.cancel();
    assert!(patient.call_with(&token, never).unwrap_err().is_cancelled());
    assert!(at_once.call_with(&token, never).unwrap_err().is_cancelled());
}

#[test]
fn entry_of_a_limiter_ends_its_wait_when_others_make_it_too_long() {
    let (clock, second) = (ManualClock::new(), Duration::from_secs(1));
    let limiter = RateLimiter::builder(1, second).burst(2).clock(clock.clone()).build().unwrap();
    limiter.acquire_many(2).unwrap();
    let (entry, token) = (limiter.entry(1, second), CancellationToken::new());
    let error = std::thread::scope(|scope| {
        let call = scope.spawn(|| entry.call_with(&token, |_| -> Result<(), fmt::Error> { unreachable!() }));
        while clock.waiting() == 0 {
            std::thread::yield_now();
        }
        limiter.set_rate(1, 60 * second).unwrap();
        clock.advance(second);
        call.join().unwrap().unwrap_err()
    });
    let PolicyError::Rate(RateLimited::TimedOut { wait, .. }) = error else { panic!("{error:?}") };
    assert!(wait > second, "what it lacks now: {wait:?}");
    let report = limiter.report();
    assert!(!token.is_cancelled() && report.waiting == 0);
    assert_eq!((report.waited, report.timed_out, report.refused, report.cancelled), (1, 1, 0, 0), "one wait");
}

#[test]
fn entry_of_a_semaphore_takes_several_permits_and_bounds_the_wait_for_them() {
    let permits = Arc::new(Semaphore::new(3));
    let token = CancellationToken::new();
    let held = permits.acquire_many(2).unwrap();
    let never = |_: Attempt<'_>| -> Result<(), fmt::Error> { unreachable!() };
    let (at_once, brief) =
        (permits.entry(2, Duration::ZERO), permits.entry_owned(2, Duration::from_millis(1)));
    for error in [at_once.call(never), at_once.call_with(&token, never)].map(Result::unwrap_err) {
        assert!(matches!(error, PolicyError::Permits(AcquireError::NotNow)), "{error}");
    }
    for error in [brief.call(never), brief.call_with(&token, never)].map(Result::unwrap_err) {
        assert!(
            matches!(error, PolicyError::Permits(AcquireError::TimedOut)) && error.is_timed_out(),
            "{error}"
        );
    }
    let long = permits.entry_owned(2, LONG);
    let cancelled = std::thread::scope(|scope| {
        let call = scope.spawn(|| long.call_with(&token, never));
        while permits.snapshot().waiting == 0 {
            std::thread::yield_now();
        }
        token.cancel();
        call.join().unwrap().unwrap_err()
    });
    assert!(cancelled.is_cancelled());
    // A retry takes a refusal for what passes.
    let mut held = Some(held);
    let retry = Retry::builder().longest_delay(Duration::ZERO).build().unwrap();
    let tries = AtomicUsize::new(0);
    let done = retry.apply(Attempt::first(), |attempt| {
        if tries.fetch_add(1, Ordering::SeqCst) == 1 {
            held = None;
        }
        at_once.apply(attempt, |_| Ok::<_, PolicyError<fmt::Error>>(permits.available()))
    });
    assert_eq!((done.unwrap(), retry.report().attempts, held.is_none()), (1, 2, true));
}

#[test]
fn policy_may_be_in_a_box_or_switched_off() {
    let permits = Box::new(Some(Semaphore::new(1)));
    assert_eq!(permits.call(|_| Ok::<_, ()>(permits.as_ref().as_ref().unwrap().available())).unwrap(), 0);
    let off: Option<RateLimiter> = None;
    let has_no_token = |attempt: Attempt<'_>| Ok::<_, ()>(attempt.token().is_none());
    assert!(off.around(None::<TimeLimit>).call(has_no_token).unwrap());
}

#[test]
fn what_keeps_its_invariants_over_a_panic_says_so() {
    fn is_safe<T: UnwindSafe + RefUnwindSafe>() {}
    is_safe::<CircuitBreaker>();
    is_safe::<BreakerPermit>();
    is_safe::<Retry>();
    is_safe::<TimeLimit>();
    is_safe::<ManualClock>();
    is_safe::<PolicyError<String>>();
    is_safe::<TakeError<String>>();
    is_safe::<ObjectPool<Vec<u8>>>();
    is_safe::<OwnedPooled<Vec<u8>>>();
}

/// Attempts without a pause between them.
fn attempts(count: u32) -> Retry {
    let builder =
        Retry::builder().attempts(count).backoff(Backoff::Constant(Duration::ZERO)).jitter(Jitter::None);
    builder.build().unwrap()
}

#[test]
fn fallback_stands_in_for_a_task_that_a_retry_has_given_up() {
    let pool = ThreadPool::builder().workers(2).build().unwrap();
    let retry = attempts(3);
    let start = |succeeds_at: u32| {
        let work = move |_: &TaskContext<'_, ()>, attempt: Attempt<'_>| {
            if attempt.number() >= succeeds_at { Ok(attempt.number()) } else { Err(attempt.number()) }
        };
        combine::attempt(pool.task().under(retry.clone()).submit(work).unwrap())
    };
    let answer = combine::fallback(start(2), || unreachable!("the first succeeds in the end")).unwrap();
    assert_eq!((answer.index, answer.value, retry.report().attempts), (0, 2, 2));
    let answer = combine::fallback(start(9), || start(1)).unwrap();
    assert_eq!((answer.index, answer.value, retry.report().attempts), (1, 1, 6));
    let AttemptError::Failed(given_up) = &answer.failed[0].1 else { panic!("{:?}", answer.failed) };
    let gave_up = given_up.gave_up().expect("it is the retry that failed");
    assert_eq!((gave_up.attempts(), given_up.work()), (3, Some(&3)));
    let value = retry.call(|_| Err::<usize, _>("always")).or_else(|error| error.into_work().map(str::len));
    assert_eq!(value.unwrap(), 6, "and a value stands in by `or_else`");
}

#[test]
fn both_attempts_of_a_hedge_are_calls_of_its_breaker_and_the_one_that_loses_counts_as_nothing() {
    let pool = ThreadPool::builder().workers(2).build().unwrap();
    let (clock, budget) = (ManualClock::new(), AttemptBudget::new(100, 10));
    let breaker = CircuitBreaker::builder().count_window(4).build().unwrap();
    let slow = {
        let work = |_: &TaskContext<'_, ()>, attempt: Attempt<'_>| {
            attempt.token().unwrap().wait(); // until the other has won
            attempt.check().map(|()| 1)
        };
        combine::attempt(pool.task().under(breaker.clone()).submit(work).unwrap())
    };
    let delay = Timer::after_on(Duration::from_secs(1), clock.clone());
    clock.advance(Duration::from_secs(1));
    let second = || combine::attempt(pool.task().under(breaker.clone()).submit(|_, _| Ok(2)).unwrap());
    let answer = combine::hedge(slow, delay, &budget, second).unwrap();
    assert_eq!((answer.index, answer.value), (1, 2));
    while breaker.report().calls < 2 {
        std::thread::yield_now(); // the one that lost is told to end, and ends
    }
    let report = breaker.report();
    assert_eq!((report.successes, report.failures, report.ignored), (1, 0, 1));
}

#[test]
fn hedge_whose_first_attempt_is_refused_by_an_open_breaker_makes_no_second_one() {
    let pool = ThreadPool::builder().workers(2).build().unwrap();
    let (clock, budget) = (ManualClock::new(), AttemptBudget::new(100, 10));
    let breaker = CircuitBreaker::builder().count_window(1).clock(clock.clone()).build().unwrap();
    breaker.try_acquire().map(BreakerPermit::failure).unwrap();
    let never = |_: &TaskContext<'_, ()>, _: Attempt<'_>| -> Result<(), fmt::Error> { unreachable!() };
    let refused = combine::attempt(pool.task().under(breaker.clone()).submit(never).unwrap());
    let delay = Timer::after_on(Duration::from_secs(1), clock);
    let error = combine::hedge(refused, delay, &budget, || unreachable!()).unwrap_err();
    let [AttemptError::Failed(PolicyError::Open(_))] = error.errors() else { panic!("{error:?}") };
    assert_eq!((breaker.report().refused, budget.available()), (1, 10));
}

#[test]
fn five_policies_nest_and_each_reports_what_it_did() {
    let (clock, permits) = (ManualClock::new(), Arc::new(Semaphore::new(1)));
    let retry = attempts(3);
    let breaker = CircuitBreaker::builder().clock(clock.clone()).build().unwrap();
    let limiter =
        RateLimiter::builder(1, Duration::from_secs(1)).burst(5).clock(clock.clone()).build().unwrap();
    let policy = TimeLimit::new(Duration::from_secs(60))
        .clock(clock)
        .around(retry.clone())
        .around(breaker.clone())
        .around(limiter.clone())
        .around(Arc::clone(&permits));
    let work = |attempt: Attempt<'_>| {
        assert_eq!((permits.available(), attempt.token().is_some()), (0, true));
        if attempt.number() < 3 { Err(fmt::Error) } else { Ok(attempt.number()) }
    };
    assert_eq!(policy.call(work).unwrap(), 3);
    assert_eq!((retry.report().attempts, limiter.report().acquired, permits.available()), (3, 3, 1));
    assert_eq!((breaker.report().failures, breaker.report().successes), (2, 1));
}

#[test]
fn bulkhead_that_is_full_is_left_when_the_time_of_the_call_is_over() {
    let (clock, permits) = (ManualClock::new(), Arc::new(Semaphore::new(1)));
    let held = permits.acquire().unwrap();
    let policy = TimeLimit::new(Duration::from_secs(5)).clock(clock.clone()).around(Arc::clone(&permits));
    let error = std::thread::scope(|scope| {
        let call = scope.spawn(|| policy.call(|_| -> Result<(), fmt::Error> { unreachable!() }));
        clock.advance(Duration::from_secs(5)); // before or during the wait: neither gives it a place
        while !call.is_finished() {
            clock.advance(Duration::from_secs(5)); // the time counts from the call's begin
            std::thread::yield_now();
        }
        call.join().unwrap().unwrap_err()
    });
    assert!(error.is_timed_out(), "{error:?}");
    drop(held);
    assert_eq!(permits.available(), 1);
}

#[test]
fn tasks_of_one_key_wait_for_its_rate_and_those_of_another_do_not() {
    let clock = ManualClock::new();
    let builder = KeyedRateLimiter::<&str>::builder(1, Duration::from_secs(3600), 10);
    let tenants = builder.clock(clock.clone()).build().unwrap();
    tenants.acquire(&"north");
    let pool = ThreadPool::builder().workers(2).build().unwrap();
    let start = |key| pool.task().under(tenants.key(key)).submit(|_, _| Ok::<_, ()>(())).unwrap();
    let north = start("north");
    while tenants.report().rate.waiting == 0 {
        std::thread::yield_now();
    }
    start("south").wait_timeout(LONG).unwrap().unwrap().unwrap();
    north.cancel();
    assert!(north.wait_timeout(LONG).unwrap().unwrap().unwrap_err().is_cancelled());
    assert_eq!((tenants.report().rate.waiting, tenants.key("south").key()), (0, &"south"));
    let retried = attempts(3).around(tenants.key("east"));
    let token = CancellationToken::with_timeout(Duration::from_millis(1)); // the clock of the limiter stands still
    let error = retried.call_with(&token, |_| Err::<(), _>("again")).unwrap_err();
    assert!(error.is_cancelled(), "{error:?}");
}

#[test]
fn entry_takes_what_is_free_and_waits_for_the_rest_until_it_comes_or_its_time_or_token_is_over() {
    let (permits, token) = (Semaphore::new(1), CancellationToken::new());
    let (patient, hasty) = (permits.entry(1, LONG), permits.entry(1, Duration::from_millis(1)));
    let inside = |_: Attempt<'_>| Ok::<_, fmt::Error>(permits.available());
    assert_eq!(patient.call_with(&token, inside).unwrap(), 0);
    for is_cancelled in [false, true] {
        let held = permits.acquire().unwrap();
        assert!(hasty.call_with(&token, inside).unwrap_err().is_timed_out());
        let ended = std::thread::scope(|scope| {
            let call = scope.spawn(|| patient.call_with(&token, inside));
            while permits.snapshot().waiting == 0 {
                std::thread::yield_now();
            }
            if is_cancelled {
                token.cancel();
            } else {
                drop(held);
            }
            call.join().unwrap()
        });
        assert_eq!(ended.ok(), (!is_cancelled).then_some(0));
    }
    assert!(patient.call_with(&token, inside).unwrap_err().is_cancelled());
    assert_eq!(permits.available(), 1);
}
