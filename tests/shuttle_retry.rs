//! Retries under seeded random schedules: a cancel always ends a pause, and a shared budget is never overspent.
#![cfg(gristmill_shuttle)]

use std::sync::Arc;

use gristmill::sync::atomic::{AtomicU64, Ordering::SeqCst};
use gristmill::sync::thread::{self, Builder, JoinHandle};
use gristmill::sync::time::Duration;
use gristmill::sync::{fault, model as execution};
use gristmill::{
    AttemptBudget, Backoff, CancellationToken, GaveUpReason, Jitter, ManualClock, Policy, Retry, RetryBuilder,
};

#[path = "support/model.rs"]
mod model;
use model::check;

const SECOND: Duration = Duration::from_secs(1);

fn spawn<T: Send + 'static>(run: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    Builder::new().spawn(run).expect("no fault is asked for")
}

/// Pauses of a second each; nothing is left to chance that a replay would not know of.
fn every_second() -> RetryBuilder {
    Retry::builder().backoff(Backoff::Constant(SECOND)).jitter(Jitter::None).seed(1)
}

#[test]
fn cancel_and_clock_have_one_winner_and_what_was_not_used_goes_back() {
    check("cancel_and_clock_have_one_winner_and_what_was_not_used_goes_back", || {
        execution::forbid_timeouts();
        let clock = ManualClock::new();
        let budget = AttemptBudget::new(0, 1);
        let retry = every_second().attempts(2).clock(clock.clone()).budget(budget.clone()).build().unwrap();
        let token = CancellationToken::new();
        let call = {
            let (retry, token) = (retry.clone(), token.clone());
            spawn(move || retry.call_with(&token, |attempt| Err::<(), _>(attempt.number())))
        };
        let canceller = spawn(move || token.cancel());
        clock.advance(SECOND); // before the pause, or in it: then either may end it
        canceller.join().unwrap();
        let error = call.join().unwrap().unwrap_err(); // hangs if the cancel is lost
        let report = retry.report();
        assert_eq!(report.attempts + budget.available() + u64::from(error.gave_up().is_none()), 2);
        match error.gave_up().map(gristmill::GaveUp::reason) {
            Some(GaveUpReason::AttemptsUsedUp) => assert_eq!((report.attempts, report.slept), (2, SECOND)),
            Some(GaveUpReason::Cancelled(_)) => assert!(report.attempts <= 2),
            None => assert_eq!((report.attempts, report.cancelled), (0, 1)),
            Some(reason) => panic!("{reason:?}"),
        }
        assert_eq!((report.calls, report.sleeping, clock.waiting()), (1, 0, 0));
    });
}

#[test]
fn shared_budget_is_spent_to_the_last_attempt_and_not_beyond() {
    check("shared_budget_is_spent_to_the_last_attempt_and_not_beyond", || {
        let budget = AttemptBudget::new(50, 2);
        let runs = Arc::new(AtomicU64::new(0));
        let threads: Vec<_> = (0..3)
            .map(|_| {
                let retry = every_second().unlimited_attempts().longest_delay(Duration::ZERO);
                let retry = retry.budget(budget.clone()).build().unwrap();
                let runs = runs.clone();
                spawn(move || {
                    let error = retry.call(|_| -> Result<(), ()> {
                        runs.fetch_add(1, SeqCst);
                        Err(())
                    });
                    let error = error.unwrap_err();
                    let gave_up = error.gave_up().expect("it gave up");
                    assert!(matches!(gave_up.reason(), GaveUpReason::BudgetEmpty));
                    gave_up.attempts()
                })
            })
            .collect();
        let attempts: u64 = threads.into_iter().map(|thread| thread.join().unwrap()).sum();
        assert_eq!(attempts, runs.load(SeqCst));
        // Three calls pay in one and a half; what comes while the reserve is full is not saved up.
        let retries = attempts - 3;
        assert!((2..=3).contains(&retries), "{retries}");
        assert_eq!(budget.available(), 0);
    });
}

#[test]
fn budget_of_cancelled_pauses_comes_back_while_others_spend() {
    check("budget_of_cancelled_pauses_comes_back_while_others_spend", || {
        execution::forbid_timeouts();
        let clock = ManualClock::new();
        let budget = AttemptBudget::new(0, 2);
        let retry = every_second().clock(clock.clone()).budget(budget.clone()).build().unwrap();
        let token = CancellationToken::new();
        let calls: Vec<_> = (0..3)
            .map(|_| {
                let (retry, token) = (retry.clone(), token.clone());
                spawn(move || retry.call_with(&token, |_| Err::<(), _>(())).unwrap_err())
            })
            .collect();
        thread::yield_now();
        token.cancel(); // the clock stands still, so nothing else ends a pause
        for call in calls {
            drop(call.join().unwrap());
        }
        let report = retry.report();
        assert_eq!((report.calls, report.cancelled + report.budget_empty), (3, 3));
        assert_eq!((budget.available(), report.retries, report.sleeping, clock.waiting()), (2, 0, 0, 0));
    });
}

#[test]
fn deadline_that_no_thread_watches_is_known_before_a_pause() {
    check("deadline_that_no_thread_watches_is_known_before_a_pause", || {
        let fault = fault::fail_every_spawn();
        let token = CancellationToken::with_timeout(SECOND);
        let retry = every_second().backoff(Backoff::Constant(Duration::MAX)).build().unwrap();
        let error = retry.call_with(&token, |_| Err::<(), _>(())).unwrap_err();
        assert!(!error.is_cancelled() && error.gave_up().is_some(), "{error:?}");
        assert_eq!((retry.report().attempts, retry.report().sleeping), (1, 0));
        drop(fault);
    });
}
