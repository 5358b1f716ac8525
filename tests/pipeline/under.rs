//! Stages whose calls are under policies.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crossbeam_channel::bounded;
use gristmill::pipeline::{ErrorLog, StageKind};
use gristmill::{
    Backoff, CancellationToken, CircuitBreaker, ManualClock, Nest, Pipeline, PipelineErrorKind, PolicyError,
    RateLimiter, Retry, Semaphore,
};

use super::support::{counts_close, grid, vague, within_limit};

#[derive(Debug, PartialEq)]
struct Odd(u64);

fn even(number: u64) -> Result<u64, Odd> {
    if number % 2 == 0 { Ok(number) } else { Err(Odd(number)) }
}

#[test]
fn results_are_in_order_and_never_more_calls_at_once_than_permits() {
    for (workers, window) in grid().filter(|(workers, _)| *workers <= 4) {
        let (inside, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let call = |number: &u64, _: gristmill::Attempt<'_>| {
            most.fetch_max(inside.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            let result = Ok::<_, Odd>(*number);
            inside.fetch_sub(1, Ordering::SeqCst);
            result
        };
        let permits = Arc::new(Semaphore::new(2));
        let (results, report) = Pipeline::from_iter(vague(0..200))
            .workers(workers)
            .window(window)
            .try_map_under("map", Arc::clone(&permits), call)
            .try_blocking_under("wait", 3, Arc::clone(&permits), |number, attempt| call(number, attempt))
            .collect::<Vec<_>>()
            .run(&CancellationToken::new())
            .unwrap();
        assert!(results.into_iter().eq(0..200));
        assert!(most.into_inner() <= 2);
        assert_eq!(permits.available(), 2);
        counts_close(&report);
        assert_eq!(report.stage("map").unwrap().kind(), StageKind::Parallel);
        assert_eq!(report.stage("wait").unwrap().kind(), StageKind::Blocking);
    }
}

#[test]
fn error_of_the_work_is_the_stages_error_and_an_error_policy_gets_the_item() {
    let token = CancellationToken::new();
    let error = Pipeline::from_iter(0..9_u64)
        .try_map_under("even", Semaphore::new(1), |number, _| even(*number))
        .for_each("drop", drop)
        .run(&token)
        .unwrap_err();
    assert_eq!((error.stage(), error.index()), (Some("even"), Some(1)));
    let PipelineErrorKind::Failed { source, .. } = error.kind() else { panic!("{error:?}") };
    assert_eq!(source.work(), Some(&Odd(1)));
    let (sender, failed) = bounded(4);
    let (mut results, report) = Pipeline::from_iter(0..9_u64)
        .try_blocking_unordered_under("even", 2, Semaphore::new(1), |number, _| even(*number))
        .divert_errors(sender)
        .collect::<Vec<_>>()
        .run(&token)
        .unwrap();
    results.sort_unstable();
    assert_eq!(results, [0, 2, 4, 6, 8]);
    let mut items: Vec<_> = failed.iter().map(|failed| (failed.item, failed.index)).collect();
    items.sort_unstable();
    assert_eq!(items, [(1, 1), (3, 3), (5, 5), (7, 7)]);
    assert_eq!(report.stage("even").unwrap().failed(), 4);
    counts_close(&report);
}

#[test]
fn item_is_tried_again_as_the_nest_says_and_the_others_keep_their_order() {
    for (workers, window) in grid().filter(|(workers, window)| *workers <= 4 && *window <= 16) {
        let retry = Retry::builder().attempts(3).backoff(Backoff::Constant(Duration::ZERO)).build().unwrap();
        let breaker = CircuitBreaker::new();
        // 7 is terminal, and of every ten items the one with a 5 fails for good; the others as often as their last digit modulo 3.
        let policy = retry
            .clone()
            .around(breaker.counting(|Odd(number)| *number == u64::MAX))
            .terminal_if(|Odd(number)| *number == 7);
        let call = |number: &u64, attempt: gristmill::Attempt<'_>| {
            let fails = u64::from(attempt.number()) <= number % 10 % 3 || number % 10 == 5 || *number == 7;
            if fails { Err(Odd(*number)) } else { Ok((*number, attempt.number())) }
        };
        let expected = |number: &u64| number % 10 != 5 && *number != 7;
        for blocking in [false, true] {
            let source = Pipeline::from_iter(vague(0..100_u64)).workers(workers).window(window);
            let log = ErrorLog::new(100);
            let token = CancellationToken::new();
            let (results, report) = if blocking {
                let stage = source.try_blocking_under("ask", 2, &policy, call).collect_errors(&log);
                stage.collect::<Vec<_>>().run(&token).unwrap()
            } else {
                let stage = source.try_map_under("ask", &policy, call).collect_errors(&log);
                stage.collect::<Vec<_>>().run(&token).unwrap()
            };
            assert!(results.iter().map(|(number, _)| *number).eq((0..100).filter(expected)));
            assert!(results.iter().all(|(number, attempt)| u64::from(*attempt) == 1 + number % 10 % 3));
            let mut failed: Vec<_> =
                log.take().into_iter().map(|failed| (failed.index, failed.error)).collect();
            failed.sort_unstable_by_key(|(index, _)| *index);
            for (index, error) in &failed {
                let attempts = if *index == 7 { 1 } else { 3 };
                assert_eq!(
                    (error.gave_up().unwrap().attempts(), error.work()),
                    (attempts, Some(&Odd(*index)))
                );
            }
            assert!(
                failed.into_iter().map(|(index, _)| index).eq((0..100).filter(|number| !expected(number)))
            );
            assert_eq!(report.stage("ask").unwrap().failed(), 11);
            counts_close(&report);
        }
        assert_eq!((retry.report().calls, retry.report().terminal), (200, 2));
        assert_eq!((breaker.report().failures, breaker.report().calls), (0, retry.report().attempts));
    }
}

/// The clock stands still: only the end of the run ends the wait for the rate. No order is kept, so that a failure does not wait for the items before it.
#[test]
fn wait_of_a_policy_ends_with_the_run() {
    // A failure in front of a blocking stage comes through it behind what is in it: it ends no wait there.
    for (cancels, blocking) in [(true, true), (true, false), (false, false)] {
        {
            within_limit(move || {
                let clock = ManualClock::new();
                let limiter = RateLimiter::builder(1, Duration::from_secs(1)).clock(clock.clone());
                let limiter = limiter.build().unwrap();
                let token = CancellationToken::new();
                let run_token = token.clone();
                let asked = AtomicUsize::new(0);
                let end = |number: &u64| {
                    if *number == 1 {
                        // One has had its permit and asked, and the other waits for the next.
                        while clock.waiting() == 0 || asked.load(Ordering::SeqCst) == 0 {
                            std::thread::yield_now();
                        }
                        if !cancels {
                            return Err(PolicyError::Work(Odd(1)));
                        }
                        token.cancel();
                    }
                    Ok(*number)
                };
                let ask = |number: &u64, attempt: gristmill::Attempt<'_>| {
                    assert!(attempt.token().is_some());
                    asked.fetch_add(1, Ordering::SeqCst);
                    Ok(*number)
                };
                let polite = limiter.around(Semaphore::new(4));
                let source = Pipeline::from_iter([0, 0, 1_u64]).workers(2).window(4).unordered();
                let outcome = if blocking {
                    source
                        .try_map("end", |number| end(&number))
                        .try_blocking_under("ask", 2, polite, ask)
                        .for_each("drop", drop)
                        .run(&run_token)
                } else {
                    source
                        .try_blocking_unordered("end", 1, |number| end(&number))
                        .try_map_under("ask", polite, ask)
                        .for_each("drop", drop)
                        .run(&run_token)
                };
                let error = outcome.unwrap_err();
                assert_eq!(error.is_cancelled(), cancels, "{error:?}");
                assert!(cancels || error.stage() == Some("end"), "{error:?}");
                assert_eq!(asked.into_inner(), 1, "the rate allows one");
                counts_close(error.report());
            });
        }
    }
}
