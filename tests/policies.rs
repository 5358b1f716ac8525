//! Work under policies: in what order they nest, in pools and in groups.
#![cfg(not(any(gristmill_shuttle, gristmill_loom)))]
#![allow(clippy::unwrap_used)] // closures and helpers are test code too

#[path = "support/gate.rs"]
mod gate;

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use gate::{LONG, occupy};
use gristmill::{
    Attempt, CancellationToken, ErrorGroup, ManualClock, Nest, Policy, PolicyError, RateLimiter, Semaphore,
    ThreadPool, TimeLimit,
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
    let group = ErrorGroup::<(), PolicyError<&str>>::new().unwrap();
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
    assert!(none.call_with(&token, never).unwrap_err().is_cancelled());
}
