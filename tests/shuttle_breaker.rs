//! The breaker under seeded random schedules: its ledger closes, its changes are a chain, and it can always be closed again.
#![cfg(gristmill_shuttle)]

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;

use gristmill::BreakerState::{Closed, HalfOpen, Open};
use gristmill::sync::Mutex;
use gristmill::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use gristmill::sync::thread::{self, Builder, JoinHandle};
use gristmill::sync::time::Duration;
use gristmill::{
    BreakerChange, BreakerState, CircuitBreaker, CircuitBreakerBuilder, Clock, ManualClock, Policy,
    PolicyError,
};

#[path = "support/model.rs"]
mod model;
use model::check;

const SECOND: Duration = Duration::from_secs(1);

fn spawn<T: Send + 'static>(run: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    Builder::new().spawn(run).expect("no fault is asked for")
}

fn join<T>(threads: Vec<JoinHandle<T>>) -> Vec<T> {
    threads.into_iter().map(|thread| thread.join().expect("it does not panic")).collect()
}

/// Opens for a second when half of the last two calls have failed; two probes.
fn small(clock: &ManualClock) -> CircuitBreakerBuilder {
    CircuitBreaker::builder().count_window(2).open_time(SECOND).probes(2).clock(clock.clone())
}

/// A callback that writes the changes down, and makes sure that it is alone.
fn chronicle() -> (impl Fn(&BreakerChange) + Send + Sync, Arc<Mutex<Vec<BreakerChange>>>) {
    let log: Arc<Mutex<Vec<BreakerChange>>> = Arc::new(Mutex::new(Vec::new()));
    let (writer, inside) = (Arc::clone(&log), AtomicUsize::new(0));
    let callback = move |change: &BreakerChange| {
        assert_eq!(inside.fetch_add(1, SeqCst), 0, "one at a time");
        thread::yield_now();
        writer.lock().push(*change);
        inside.fetch_sub(1, SeqCst);
    };
    (callback, log)
}

/// Waits until nothing is left to be told, which may be told by a thread that nobody joins.
fn until_told(breaker: &CircuitBreaker) {
    while breaker.report().untold_changes > 0 {
        thread::yield_now();
    }
}

/// Each change begins where the one before ended, and none is earlier.
fn check_chain(log: &[BreakerChange], end: BreakerState) {
    let mut state = Closed;
    for (index, change) in log.iter().enumerate() {
        assert_eq!(change.from, state);
        assert!(index == 0 || log[index - 1].at <= change.at);
        state = change.to;
    }
    assert_eq!(state, end);
}

/// Makes one call that ends in the `number`th of the ways there are; whether it was let through.
fn call(breaker: &CircuitBreaker, number: usize) -> bool {
    let outcome = catch_unwind(AssertUnwindSafe(|| match number % 5 {
        0 | 1 => breaker.call(|_| {
            thread::yield_now();
            Err::<(), _>(())
        }),
        2 => breaker.call(|_| {
            thread::yield_now();
            Ok(())
        }),
        3 => breaker.call(|_| -> Result<(), ()> { resume_unwind(Box::new(())) }),
        _ => match breaker.try_acquire() {
            Ok(permit) => {
                thread::yield_now();
                drop(permit);
                Ok(())
            }
            Err(refused) => Err(PolicyError::Open(refused)),
        },
    }));
    !matches!(outcome, Ok(Err(PolicyError::Open(_))))
}

#[test]
fn every_call_is_counted_once_and_the_changes_are_a_chain() {
    check("every_call_is_counted_once_and_the_changes_are_a_chain", || {
        let clock = ManualClock::new();
        let (callback, log) = chronicle();
        let breaker = small(&clock).slow_calls(SECOND / 2, 1.0).on_change(callback).build().unwrap();
        let callers = (0..3).map(|caller| {
            let breaker = breaker.clone();
            spawn(move || (0..5).filter(|number| call(&breaker, caller + number)).count() as u64)
        });
        let callers = callers.collect();
        let mover = spawn(move || {
            for _ in 0..4 {
                clock.advance(SECOND / 2);
                thread::yield_now();
            }
        });
        let through: u64 = join(callers).into_iter().sum();
        mover.join().unwrap();
        let report = breaker.report();
        assert_eq!((report.calls, report.refused), (through, 15 - through));
        assert_eq!(
            report.calls,
            report.successes + report.failures + report.abandoned + report.ignored + report.late
        );
        assert_eq!(report.probes, 0, "none is under way");
        until_told(&breaker);
        let log = log.lock();
        check_chain(&log, breaker.state());
        assert_eq!(log.iter().filter(|change| change.to == Open).count() as u64, report.openings);
    });
}

#[test]
fn probes_of_one_period_never_exceed_their_number() {
    check("probes_of_one_period_never_exceed_their_number", || {
        let clock = ManualClock::new();
        let breaker = small(&clock).build().unwrap();
        while breaker.state() == Closed {
            breaker.try_acquire().unwrap().failure();
        }
        clock.advance(SECOND);
        // None of them ends the period: they all count as nothing.
        let inside = Arc::new(AtomicUsize::new(0));
        let threads = (0..4).map(|_| {
            let (breaker, inside) = (breaker.clone(), Arc::clone(&inside));
            spawn(move || {
                for _ in 0..3 {
                    if let Ok(permit) = breaker.try_acquire() {
                        assert!(inside.fetch_add(1, SeqCst) < 2);
                        thread::yield_now();
                        inside.fetch_sub(1, SeqCst);
                        drop(permit);
                    }
                }
            })
        });
        let threads = threads.collect();
        join(threads);
        assert_eq!((breaker.state(), breaker.report().probes), (HalfOpen, 0));
        breaker.try_acquire().unwrap().success();
        breaker.try_acquire().unwrap().success();
        assert_eq!(breaker.state(), Closed);
    });
}

#[test]
fn whatever_probes_do_it_can_be_closed_again() {
    check("whatever_probes_do_it_can_be_closed_again", || {
        let clock = ManualClock::new();
        let breaker = small(&clock).build().unwrap();
        let callers = (0..3).map(|caller| {
            let (breaker, clock) = (breaker.clone(), clock.clone());
            spawn(move || {
                for number in 0..4 {
                    call(&breaker, caller + number);
                    clock.advance(SECOND);
                }
            })
        });
        let callers = callers.collect();
        join(callers);
        clock.advance(SECOND);
        if breaker.state() != Closed {
            while breaker.state() != Closed {
                breaker.try_acquire().expect("it is due, and nobody else is there").success();
            }
            assert_eq!(breaker.report().failure_rate, None);
        }
    });
}

#[test]
fn changes_by_hand_and_by_calls_are_told_in_their_order() {
    check("changes_by_hand_and_by_calls_are_told_in_their_order", || {
        let clock = ManualClock::new();
        let (callback, log) = chronicle();
        let breaker = small(&clock).on_change(callback).build().unwrap();
        let by_hand: [fn(&CircuitBreaker); 3] =
            [CircuitBreaker::force_open, CircuitBreaker::reset, CircuitBreaker::observe_only];
        let mut threads: Vec<_> = by_hand
            .into_iter()
            .map(|set| {
                let breaker = breaker.clone();
                spawn(move || (0..2).for_each(|_| set(&breaker)))
            })
            .collect();
        threads.push({
            let breaker = breaker.clone();
            spawn(move || (0..4).for_each(|_| assert!(call(&breaker, 0) || breaker.report().refused > 0)))
        });
        join(threads);
        until_told(&breaker);
        check_chain(&log.lock(), breaker.state());
    });
}

#[test]
fn time_window_takes_calls_whose_threads_read_the_clock_in_another_order() {
    check("time_window_takes_calls_whose_threads_read_the_clock_in_another_order", || {
        let clock = ManualClock::new();
        let builder = CircuitBreaker::builder().time_window(10 * SECOND).minimum_calls(1).failure_rate(1.0);
        let breaker = builder.clock(clock.clone()).build().unwrap();
        breaker.observe_only();
        let callers = (0..3).map(|caller| {
            let (breaker, clock) = (breaker.clone(), clock.clone());
            spawn(move || {
                for number in 0..3 {
                    breaker.call(|_| if (caller + number) % 2 == 0 { Ok(()) } else { Err(()) }).ok();
                    clock.advance(SECOND);
                }
            })
        });
        let callers = callers.collect();
        join(callers);
        let rate = breaker.report().failure_rate.expect("nine seconds have passed");
        assert!((rate - 4.0 / 9.0).abs() < 1e-9, "{rate}");
        clock.advance(11 * SECOND);
        assert_eq!(breaker.report().failure_rate, None);
        assert_eq!(breaker.report().calls, 9);
        assert!(clock.now() > breaker.report().since);
    });
}

#[test]
fn more_changes_than_one_call_tells_are_told_to_the_last() {
    check("more_changes_than_one_call_tells_are_told_to_the_last", || {
        let (callback, log) = chronicle();
        let breaker = small(&ManualClock::new()).on_change(callback).build().unwrap();
        let threads = (0..2)
            .map(|_| {
                let breaker = breaker.clone();
                spawn(move || {
                    for _ in 0..4 {
                        breaker.disable();
                        breaker.observe_only();
                    }
                })
            })
            .collect();
        join(threads);
        until_told(&breaker);
        let log = log.lock();
        check_chain(&log, breaker.state());
        assert_eq!(breaker.report().omitted_changes, 0);
    });
}
