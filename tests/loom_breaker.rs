//! The breaker's permits and generations in all schedules, and with all values that its atomics may show, up to a preemption bound.
#![cfg(gristmill_loom)]

use std::sync::Arc;

use gristmill::BreakerState::{Closed, ForcedOpen, HalfOpen, Open};
use gristmill::sync::Mutex;
use gristmill::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use gristmill::sync::thread::{Builder, JoinHandle};
use gristmill::sync::time::Duration;
use gristmill::{BreakerPermit, BreakerState, CircuitBreaker, CircuitBreakerBuilder, Clock, ManualClock};

#[path = "support/model.rs"]
mod model;
use model::{Outcomes, check};

const SECOND: Duration = Duration::from_secs(1);

fn spawn<T: Send + 'static>(run: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    Builder::new().spawn(run).expect("no fault is asked for")
}

/// Opens for a second at the first failure.
fn touchy(clock: &ManualClock, probes: u32) -> CircuitBreakerBuilder {
    CircuitBreaker::builder().count_window(1).open_time(SECOND).probes(probes).clock(clock.clone())
}

/// Open, and its time is over.
fn due(probes: u32) -> (CircuitBreaker, ManualClock) {
    let clock = ManualClock::new();
    let breaker = touchy(&clock, probes).build().expect("the settings are in range");
    breaker.try_acquire().expect("it is closed").failure();
    clock.advance(SECOND);
    (breaker, clock)
}

#[test]
fn probes_never_exceed_their_number() {
    check("probes_never_exceed_their_number", || {
        let (breaker, _clock) = due(1);
        let inside = Arc::new(AtomicUsize::new(0));
        let probe = {
            let (breaker, inside) = (breaker.clone(), inside.clone());
            move || {
                if let Ok(permit) = breaker.try_acquire() {
                    assert_eq!(inside.fetch_add(1, SeqCst), 0, "two at once");
                    inside.fetch_sub(1, SeqCst);
                    drop(permit);
                }
            }
        };
        let threads = [spawn(probe.clone()), spawn(probe.clone())];
        probe();
        for thread in threads {
            thread.join().unwrap();
        }
        let report = breaker.report();
        assert_eq!((report.state, report.probes), (HalfOpen, 0));
        assert_eq!(report.ignored + report.refused, 3, "each came in or not");
        breaker.try_acquire().expect("all places are free again").success();
        assert_eq!(breaker.state(), Closed);
    });
}

#[test]
fn probes_that_ended_are_not_replaced() {
    let outcomes = Outcomes::default();
    let ends = outcomes.clone();
    check("probes_that_ended_are_not_replaced", move || {
        let (breaker, _clock) = due(2);
        let probe = {
            let breaker = breaker.clone();
            move || breaker.try_acquire().map(BreakerPermit::success).is_ok()
        };
        let threads = [spawn(probe.clone()), spawn(probe.clone())];
        let through = usize::from(probe());
        let through =
            threads.into_iter().map(|thread| usize::from(thread.join().unwrap())).sum::<usize>() + through;
        let report = breaker.report();
        // One who comes after the second of them finds it closed.
        assert_eq!((report.state, report.successes), (Closed, through as u64));
        assert!(through >= 2);
        ends.add(through);
    });
    assert_eq!(outcomes.all(), [2, 3]);
}

#[test]
fn late_result_never_changes_a_later_generation() {
    let outcomes = Outcomes::default();
    let ends = outcomes.clone();
    check("late_result_never_changes_a_later_generation", move || {
        let clock = ManualClock::new();
        let breaker = touchy(&clock, 1).build().unwrap();
        let before = breaker.try_acquire().unwrap();
        let other = {
            let breaker = breaker.clone();
            spawn(move || breaker.reset())
        };
        before.failure();
        other.join().unwrap();
        let report = breaker.report();
        // Whichever was first: the reset closes what the failure opened, or the failure is too late to open it.
        assert_eq!((report.state, report.late + report.openings), (Closed, 1));
        breaker.try_acquire().expect("it is closed").success();
        ends.add((report.late, report.openings));
    });
    assert_eq!(outcomes.all(), [(0, 1), (1, 0)]);
}

fn late_probe(name: &str, end: fn(BreakerPermit)) {
    check(name, move || {
        let (breaker, clock) = due(2);
        let late = breaker.try_acquire().expect("it is due");
        let failing = breaker.try_acquire().expect("it has two places");
        failing.failure(); // one of two is enough
        clock.advance(SECOND);
        let other = spawn(move || end(late));
        let first = breaker.try_acquire().expect("the next period");
        let second = breaker.try_acquire().expect("it has two places");
        assert!(breaker.try_acquire().is_err(), "and no more");
        other.join().expect("it does not panic");
        assert!(breaker.try_acquire().is_err());
        let report = breaker.report();
        assert_eq!((report.state, report.probes, report.openings), (HalfOpen, 2, 2));
        first.success();
        second.success();
        assert_eq!(breaker.state(), Closed);
    });
}

#[test]
fn late_success_neither_decides_nor_frees_a_place_in_the_next_period() {
    late_probe("late_success_neither_decides_nor_frees_a_place_in_the_next_period", BreakerPermit::success);
}

#[test]
fn late_failure_neither_decides_nor_frees_a_place_in_the_next_period() {
    late_probe("late_failure_neither_decides_nor_frees_a_place_in_the_next_period", BreakerPermit::failure);
}

#[test]
fn late_drop_frees_no_place_in_the_next_period() {
    late_probe("late_drop_frees_no_place_in_the_next_period", drop);
}

#[test]
fn dropped_probes_never_freeze_it() {
    check("dropped_probes_never_freeze_it", || {
        let (breaker, _clock) = due(2);
        let held = [breaker.try_acquire().unwrap(), breaker.try_acquire().unwrap()];
        let threads = held.map(|permit| spawn(move || drop(permit)));
        // Meanwhile somebody may get one of the places, and gives it back as well.
        drop(breaker.try_acquire());
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(breaker.report().probes, 0);
        breaker.try_acquire().unwrap().success();
        breaker.try_acquire().unwrap().success();
        assert_eq!(breaker.state(), Closed);
    });
}

#[test]
fn refusal_has_the_time_of_the_opening_that_it_saw() {
    check("refusal_has_the_time_of_the_opening_that_it_saw", || {
        // The second opening in a row is the longer one; after the reset the time is that of a first one again, and earlier.
        let clock = ManualClock::new();
        let breaker = touchy(&clock, 1).open_time_backoff(100.0, 100 * SECOND).build().unwrap();
        breaker.try_acquire().unwrap().failure();
        clock.advance(SECOND);
        breaker.try_acquire().unwrap().failure();
        let now = clock.now();
        let other = {
            let breaker = breaker.clone();
            spawn(move || {
                breaker.reset();
                breaker.try_acquire().unwrap().failure();
            })
        };
        if breaker.state() == Closed {
            // What is refused from here on is refused by the last opening.
            if let Err(error) = breaker.try_acquire() {
                assert_eq!((error.state(), error.not_before()), (Open, Some(now + SECOND)));
            }
        }
        other.join().unwrap();
    });
}

#[test]
fn changes_of_several_threads_are_told_in_their_order_and_all_of_them() {
    check("changes_of_several_threads_are_told_in_their_order_and_all_of_them", || {
        let clock = ManualClock::new();
        let log: Arc<Mutex<Vec<(BreakerState, BreakerState)>>> = Arc::new(Mutex::new(Vec::new()));
        let writer = Arc::clone(&log);
        let builder = touchy(&clock, 1).on_change(move |change| writer.lock().push((change.from, change.to)));
        let breaker = builder.build().unwrap();
        let forcing = {
            let breaker = breaker.clone();
            spawn(move || breaker.force_open())
        };
        let failing = breaker.try_acquire();
        let resetting = {
            let breaker = breaker.clone();
            spawn(move || breaker.reset())
        };
        if let Ok(permit) = failing {
            permit.failure();
        }
        forcing.join().unwrap();
        resetting.join().unwrap();
        let log = log.lock();
        let mut state = Closed;
        for (from, to) in log.iter() {
            assert_eq!(*from, state);
            state = *to;
        }
        assert_eq!(breaker.state(), state, "the last change was told");
        assert!(log.contains(&(Closed, ForcedOpen)) || log.contains(&(Open, ForcedOpen)));
    });
}
