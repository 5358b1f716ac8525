//! The rate limiter under seeded random schedules: no turn is lost, whoever leaves the queue, and nobody passes.
#![cfg(gristmill_shuttle)]

use std::sync::Arc;

use gristmill::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use gristmill::sync::thread::{self, Builder, JoinHandle};
use gristmill::sync::time::{self, Duration, Instant};
use gristmill::sync::{Mutex, fault, model as execution};
use gristmill::{CancellationToken, Clock, ManualClock, RateLimiter};

#[path = "support/model.rs"]
mod model;
use model::check;

const SECOND: Duration = Duration::from_secs(1);

fn spawn<T: Send + 'static>(run: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    Builder::new().spawn(run).expect("no fault is asked for")
}

/// One a second, with nothing left of the burst.
fn spent(burst: u32) -> (RateLimiter, ManualClock) {
    let clock = ManualClock::new();
    let limiter = RateLimiter::builder(1, SECOND).burst(burst).clock(clock.clone()).build();
    let limiter = limiter.expect("it is a rate");
    limiter.try_acquire_many(burst).expect("the burst is there");
    (limiter, clock)
}

fn until_queued(limiter: &RateLimiter, threads: usize) {
    while limiter.report().waiting < threads {
        thread::yield_now();
    }
}

#[test]
fn cancel_and_turn_have_one_winner_and_the_next_in_line_gets_what_is_left() {
    check("cancel_and_turn_have_one_winner_and_the_next_in_line_gets_what_is_left", || {
        execution::forbid_timeouts();
        let (limiter, clock) = spent(1);
        let token = CancellationToken::new();
        let first = {
            let (limiter, token) = (limiter.clone(), token.clone());
            spawn(move || limiter.acquire_with(&token))
        };
        until_queued(&limiter, 1);
        let second = {
            let limiter = limiter.clone();
            spawn(move || limiter.acquire())
        };
        let canceller = spawn(move || token.cancel());
        clock.advance(SECOND);
        canceller.join().unwrap();
        if first.join().unwrap().is_ok() {
            assert_eq!(limiter.report().cancelled, 0);
            clock.advance(SECOND);
        }
        second.join().unwrap(); // hangs if the turn of the first is lost
        let report = limiter.report();
        assert_eq!(report.acquired + report.cancelled, 3);
        assert_eq!((report.waiting, clock.waiting()), (0, 0));
    });
}

#[test]
fn turns_come_in_the_order_of_arrival() {
    check("turns_come_in_the_order_of_arrival", || {
        execution::forbid_timeouts();
        let (limiter, clock) = spent(3);
        let served = Arc::new(Mutex::new(Vec::new()));
        let waiters: Vec<_> = [(0, 2), (1, 1), (2, 3)]
            .into_iter()
            .map(|(number, weight)| {
                until_queued(&limiter, number);
                let (limiter, served, clock) = (limiter.clone(), served.clone(), clock.clone());
                spawn(move || {
                    limiter.acquire_many(weight).unwrap();
                    served.lock().push((number, clock.now()));
                })
            })
            .collect();
        until_queued(&limiter, 3);
        let start = clock.now();
        // Until all are served: what is due while nobody is awake to take it is lost beyond the burst.
        while limiter.report().waiting > 0 {
            clock.advance(SECOND);
            thread::yield_now();
        }
        for waiter in waiters {
            waiter.join().unwrap();
        }
        // Those who are due together may write in any order, but none has its permits before they are there.
        for (number, at) in served.lock().iter() {
            assert!(*at >= start + [2, 3, 6][*number] * SECOND);
        }
        assert_eq!(limiter.report().acquired, 9);
    });
}

#[test]
fn what_is_given_back_wakes_those_for_whom_it_is_enough() {
    check("what_is_given_back_wakes_those_for_whom_it_is_enough", || {
        execution::forbid_timeouts();
        let clock = ManualClock::new();
        let limiter = RateLimiter::builder(1, SECOND).burst(2).clock(clock).build().unwrap();
        let reservation = limiter.try_reserve(2).unwrap();
        let waiters: Vec<_> = (0..2)
            .map(|_| {
                let limiter = limiter.clone();
                spawn(move || limiter.acquire())
            })
            .collect();
        drop(reservation); // the clock stands still: only this can let them go on
        for waiter in waiters {
            waiter.join().unwrap();
        }
        assert!(limiter.try_acquire().is_err());
        let report = limiter.report();
        assert_eq!((report.acquired, report.given_back, report.waiting), (2, 2, 0));
    });
}

#[test]
fn one_whose_time_is_over_leaves_its_place_to_the_next() {
    check("one_whose_time_is_over_leaves_its_place_to_the_next", || {
        execution::forbid_timeouts();
        let (limiter, clock) = spent(2);
        let heavy = {
            let limiter = limiter.clone();
            spawn(move || limiter.acquire_many_timeout(2, 2 * SECOND))
        };
        until_queued(&limiter, 1);
        let light = {
            let limiter = limiter.clone();
            spawn(move || limiter.acquire())
        };
        until_queued(&limiter, 2);
        limiter.set_rate(1, 2 * SECOND).unwrap();
        clock.advance(2 * SECOND); // one permit of two
        assert!(heavy.join().unwrap().unwrap_err().is_timed_out());
        light.join().unwrap();
        assert_eq!(limiter.report().acquired, 3);
    });
}

#[test]
fn deadline_that_no_thread_watches_ends_a_wait_and_the_next_moves_up() {
    check("deadline_that_no_thread_watches_ends_a_wait_and_the_next_moves_up", || {
        let day = 24 * 3600 * SECOND;
        let limiter = RateLimiter::new(1, day).unwrap();
        limiter.acquire();
        let start = time::now();
        let fault = fault::fail_every_spawn();
        let token = CancellationToken::with_timeout(SECOND);
        assert!(limiter.acquire_with(&token).unwrap_err().is_cancelled());
        drop(fault);
        assert!(time::now() - start < day, "its own deadline, and not its turn");
        limiter.acquire_timeout(day).unwrap(); // the queue was left in order
        assert_eq!(limiter.report().waiting, 0);
    });
}

#[test]
fn a_change_reaches_those_who_wait() {
    check("a_change_reaches_those_who_wait", || {
        execution::forbid_timeouts();
        let (limiter, clock) = spent(3);
        let heavy = {
            let limiter = limiter.clone();
            spawn(move || limiter.acquire_many(3))
        };
        let light = {
            let limiter = limiter.clone();
            spawn(move || limiter.acquire())
        };
        clock.advance(2 * SECOND); // before, between or after their arrival
        limiter.set_burst(2).unwrap();
        assert!(heavy.join().unwrap().unwrap_err().is_exceeds_burst());
        light.join().unwrap();
    });
}

#[test]
fn on_the_models_clock_no_window_sees_more_than_the_limit() {
    check("on_the_models_clock_no_window_sees_more_than_the_limit", || {
        let burst = 2;
        let limiter = RateLimiter::builder(1, SECOND).burst(burst).build().unwrap();
        let calls = Arc::new(Mutex::new(Vec::<(Instant, Instant)>::new()));
        let done = Arc::new(AtomicUsize::new(0));
        let threads: Vec<_> = (0..3_u32)
            .map(|number| {
                let (limiter, calls, done) = (limiter.clone(), calls.clone(), done.clone());
                spawn(move || {
                    for _ in 0..2 {
                        let before = time::now();
                        let result = if number == 0 {
                            limiter.acquire_timeout(3 * SECOND)
                        } else {
                            limiter.acquire();
                            Ok(())
                        };
                        if result.is_ok() {
                            calls.lock().push((before, time::now()));
                        }
                        done.fetch_add(1, SeqCst);
                    }
                })
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(done.load(SeqCst), 6);
        // Calls that lie wholly in a window took their permits in it.
        let calls = calls.lock();
        for (start, _) in calls.iter() {
            for (_, end) in calls.iter().filter(|(_, end)| end > start) {
                let inside = calls.iter().filter(|(from, to)| from >= start && to <= end).count();
                let whole_seconds = u32::try_from((*end - *start).as_secs()).unwrap();
                assert!(inside <= (burst + whole_seconds) as usize);
            }
        }
        let report = limiter.report();
        assert_eq!((report.acquired, report.waiting), (calls.len() as u64, 0));
    });
}

#[test]
fn slower_rate_carries_over_no_more_than_is_to_be_paid_off() {
    check("slower_rate_carries_over_no_more_than_is_to_be_paid_off", || {
        let (limiter, clock) = spent(1);
        let slower = {
            let limiter = limiter.clone();
            spawn(move || limiter.set_rate(1, 3600 * SECOND).unwrap())
        };
        for _ in 0..4 {
            clock.advance(SECOND);
            let _ = limiter.try_acquire();
        }
        slower.join().unwrap();
        clock.advance(3600 * SECOND);
        assert!(limiter.try_acquire().is_ok(), "one permit was to be paid off, and time for one has passed");
    });
}

#[test]
fn reservation_that_is_dropped_while_others_take_allows_no_more_than_the_rate() {
    check("reservation_that_is_dropped_while_others_take_allows_no_more_than_the_rate", || {
        let clock = ManualClock::new();
        let limiter = RateLimiter::builder(1, SECOND).clock(clock.clone()).build().unwrap();
        let reservation = limiter.try_reserve(1).unwrap();
        let dropper = spawn(move || drop(reservation));
        clock.advance(SECOND);
        limiter.try_acquire().unwrap();
        clock.advance(SECOND / 2);
        thread::yield_now();
        assert!(limiter.try_acquire().is_err(), "half a second after the last");
        dropper.join().unwrap();
        assert!(limiter.try_acquire().is_err(), "half a second after the last");
    });
}
