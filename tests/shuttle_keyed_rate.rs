//! The rate limiter by keys under seeded random schedules: no turn and no room is lost, whoever leaves, and no key is above its rate.
#![cfg(gristmill_shuttle)]

use std::sync::Arc;

use gristmill::sync::thread::{self, Builder, JoinHandle};
use gristmill::sync::time::{self, Duration, Instant};
use gristmill::sync::{Mutex, fault, model as execution};
use gristmill::{CancellationToken, KeyedRateLimiter, ManualClock};

#[path = "support/model.rs"]
mod model;
use model::check;

const SECOND: Duration = Duration::from_secs(1);

fn spawn<T: Send + 'static>(run: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    Builder::new().spawn(run).expect("no fault is asked for")
}

/// One a second for one key at a time, which is the key 0, with nothing left of its burst.
fn spent() -> (KeyedRateLimiter<u32>, ManualClock) {
    let clock = ManualClock::new();
    let limiter = KeyedRateLimiter::builder(1, SECOND, 1).clock(clock.clone()).build().expect("it is a rate");
    limiter.acquire(&0);
    (limiter, clock)
}

fn until_queued(limiter: &KeyedRateLimiter<u32>, threads: usize) {
    while limiter.report().rate.waiting < threads {
        thread::yield_now();
    }
}

fn acquires(limiter: &KeyedRateLimiter<u32>, key: u32) -> JoinHandle<()> {
    let limiter = limiter.clone();
    spawn(move || limiter.acquire(&key))
}

#[test]
fn room_that_one_does_not_use_goes_to_the_next() {
    check("room_that_one_does_not_use_goes_to_the_next", || {
        execution::forbid_timeouts();
        let (limiter, clock) = spent();
        let token = CancellationToken::new();
        let first = {
            let (limiter, token) = (limiter.clone(), token.clone());
            spawn(move || limiter.acquire_with(&1, &token))
        };
        until_queued(&limiter, 1);
        let second = acquires(&limiter, 2);
        until_queued(&limiter, 2);
        let canceller = spawn(move || token.cancel());
        clock.advance(SECOND);
        canceller.join().unwrap();
        if first.join().unwrap().is_ok() {
            clock.advance(SECOND);
        }
        second.join().unwrap(); // hangs if the room of the first is lost
        let report = limiter.report();
        assert_eq!((report.rate.acquired + report.rate.cancelled, report.rate.waiting), (3, 0));
        assert_eq!((report.keys, clock.waiting()), (1, 0));
    });
}

#[test]
fn those_who_leave_a_key_that_is_kept_let_in_those_who_wait_for_its_place() {
    check("those_who_leave_a_key_that_is_kept_let_in_those_who_wait_for_its_place", || {
        execution::forbid_timeouts();
        let (limiter, clock) = spent();
        let token = CancellationToken::new();
        let heirs: Vec<_> = (0..2)
            .map(|_| {
                let (limiter, token) = (limiter.clone(), token.clone());
                spawn(move || limiter.acquire_with(&0, &token))
            })
            .collect();
        until_queued(&limiter, 2);
        let strangers = [acquires(&limiter, 1), acquires(&limiter, 1)];
        token.cancel();
        for heir in heirs {
            assert!(heir.join().unwrap().is_err());
        }
        clock.advance(SECOND); // before, between or after the arrival of the strangers
        while limiter.report().rate.acquired < 2 {
            thread::yield_now();
        }
        clock.advance(SECOND);
        for stranger in strangers {
            stranger.join().unwrap();
        }
        assert_eq!((limiter.report().keys, limiter.report().forgotten), (1, 1));
    });
}

#[test]
fn change_and_what_is_given_back_reach_those_who_wait_for_room() {
    check("change_and_what_is_given_back_reach_those_who_wait_for_room", || {
        execution::forbid_timeouts();
        let clock = ManualClock::new();
        let limiter = KeyedRateLimiter::builder(1, 3600 * SECOND, 1).clock(clock.clone()).build().unwrap();
        let reservation = limiter.try_reserve(&0_u32, 1).unwrap();
        let first = acquires(&limiter, 1);
        drop(reservation); // the clock stands still: only this can let it in
        first.join().unwrap();
        let second = acquires(&limiter, 2);
        let changer = {
            let limiter = limiter.clone();
            spawn(move || limiter.set_rate(1, SECOND).unwrap())
        };
        changer.join().unwrap();
        clock.advance(SECOND);
        second.join().unwrap();
        assert_eq!((limiter.report().keys, limiter.report().rate.waiting), (1, 0));
    });
}

#[test]
fn deadline_that_no_thread_watches_ends_a_wait_for_room() {
    check("deadline_that_no_thread_watches_ends_a_wait_for_room", || {
        let day = 24 * 3600 * SECOND;
        let limiter = KeyedRateLimiter::new(1, day, 1).unwrap();
        limiter.acquire(&0_u32);
        let start = time::now();
        let fault = fault::fail_every_spawn();
        let token = CancellationToken::with_timeout(SECOND);
        assert!(limiter.acquire_with(&1, &token).unwrap_err().is_cancelled());
        drop(fault);
        assert!(time::now() - start < day, "its own deadline, and not its turn");
        limiter.acquire_timeout(&2, day).unwrap(); // nobody is before it
        assert_eq!((limiter.report().keys, limiter.report().rate.waiting), (1, 0));
    });
}

#[test]
fn on_the_models_clock_no_key_is_above_its_limit_though_it_is_forgotten_and_comes_back() {
    check("on_the_models_clock_no_key_is_above_its_limit_though_it_is_forgotten_and_comes_back", || {
        let limiter = KeyedRateLimiter::new(1, SECOND, 1).unwrap();
        let calls = Arc::new(Mutex::new(Vec::<(u32, Instant, Instant)>::new()));
        let threads: Vec<_> = (0..3_u32)
            .map(|number| {
                let (limiter, calls) = (limiter.clone(), calls.clone());
                spawn(move || {
                    for turn in 0..2 {
                        let key = (number + turn) % 2;
                        let before = time::now();
                        let result = match number {
                            0 => limiter.acquire_timeout(&key, 3 * SECOND),
                            1 => limiter.try_acquire(&key),
                            _ => {
                                limiter.acquire(&key);
                                Ok(())
                            }
                        };
                        if result.is_ok() {
                            calls.lock().push((key, before, time::now()));
                        }
                        assert!(limiter.report().keys <= 1);
                    }
                })
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
        // Calls that lie wholly in a window took their permits in it.
        let calls = calls.lock();
        for key in 0..2 {
            let calls: Vec<_> = calls.iter().filter(|(of, ..)| *of == key).collect();
            for (_, start, _) in &calls {
                for (_, _, end) in calls.iter().filter(|(_, _, end)| end > start) {
                    let inside = calls.iter().filter(|(_, from, to)| from >= start && to <= end).count();
                    let whole_seconds = u32::try_from((*end - *start).as_secs()).unwrap();
                    assert!(inside <= (1 + whole_seconds) as usize);
                }
            }
        }
        assert_eq!((limiter.report().rate.acquired, limiter.report().rate.waiting), (calls.len() as u64, 0));
    });
}
