//! What the rate limiter promises, on a clock that is moved by hand.
#![cfg(not(any(gristmill_shuttle, gristmill_loom)))]

use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use gristmill::{CancellationToken, Clock, ManualClock, RateError, RateLimited, RateLimiter, SystemClock};

const SECOND: Duration = Duration::from_secs(1);
const NANOSECOND: Duration = Duration::from_nanos(1);

fn just_under(duration: Duration) -> Duration {
    duration.saturating_sub(NANOSECOND)
}

fn spawn<T: Send + 'static>(run: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    thread::Builder::new().spawn(run).expect("a thread")
}

/// A limiter of one permit a second, and its clock.
fn one_a_second(burst: u32) -> (RateLimiter, ManualClock) {
    let clock = ManualClock::new();
    let limiter = RateLimiter::builder(1, SECOND).burst(burst).clock(clock.clone()).build();
    (limiter.expect("it is a rate"), clock)
}

/// The same with nothing left of its burst.
fn spent(burst: u32) -> (RateLimiter, ManualClock) {
    let (limiter, clock) = one_a_second(burst);
    limiter.try_acquire_many(burst).expect("the burst is there");
    (limiter, clock)
}

/// Waits until so many threads wait, for their turn and on the clock.
fn until_waiting(limiter: &RateLimiter, clock: &ManualClock, threads: usize) {
    while limiter.report().waiting != threads || clock.waiting() != threads {
        thread::yield_now();
    }
}

/// Threads that wait one behind the other, each for its weight; they write their number down when they have it.
struct Line {
    served: Arc<Mutex<Vec<usize>>>,
    threads: Vec<JoinHandle<Result<(), RateLimited>>>,
}

impl Line {
    fn new(limiter: &RateLimiter, clock: &ManualClock, weights: &[u32]) -> Self {
        let mut line = Self { served: Arc::default(), threads: Vec::new() };
        for weight in weights.iter().copied() {
            line.join(limiter, clock, move |limiter| limiter.acquire_many(weight));
        }
        line
    }

    fn join(
        &mut self,
        limiter: &RateLimiter,
        clock: &ManualClock,
        acquire: impl FnOnce(&RateLimiter) -> Result<(), RateLimited> + Send + 'static,
    ) {
        let (limiter, served, number) = (limiter.clone(), Arc::clone(&self.served), self.threads.len());
        let waiting = limiter.report().waiting;
        let thread = {
            let limiter = limiter.clone();
            spawn(move || {
                let result = acquire(&limiter);
                if result.is_ok() {
                    served.lock().expect("no panic under it").push(number);
                }
                result
            })
        };
        self.threads.push(thread);
        until_waiting(&limiter, clock, waiting + 1);
    }

    fn served(&self) -> Vec<usize> {
        self.served.lock().expect("no panic under it").clone()
    }

    fn until_served(&self, count: usize) {
        while self.served().len() < count {
            thread::yield_now();
        }
    }

    fn end(self) -> Vec<Result<(), RateLimited>> {
        self.threads.into_iter().map(|thread| thread.join().expect("it does not panic")).collect()
    }
}

#[test]
fn settings_that_are_no_rate_are_refused_and_the_error_says_which() {
    assert_eq!(RateLimiter::new(0, SECOND).unwrap_err(), RateError::ZeroPermits);
    assert_eq!(RateLimiter::new(1, Duration::ZERO).unwrap_err(), RateError::ZeroPeriod);
    assert_eq!(RateLimiter::builder(1, SECOND).burst(0).build().unwrap_err(), RateError::ZeroBurst);
    assert_eq!(
        RateLimiter::new(1, Duration::MAX).unwrap_err(),
        RateError::PeriodTooLong { per: Duration::MAX }
    );
    assert_eq!(
        RateLimiter::new(1001, Duration::from_micros(1)).unwrap_err().to_string(),
        "1001 permits in 1µs are more than one a nanosecond"
    );
    let century = 36_525 * 24 * 3600 * SECOND;
    let error = RateLimiter::builder(1, century).burst(6).build().unwrap_err();
    assert_eq!(error, RateError::BurstTooLarge { burst: 6, permits: 1, per: century });
    assert!(RateLimiter::builder(u32::MAX, 5 * SECOND).burst(u32::MAX).build().is_ok());
}

#[test]
fn after_the_burst_permits_come_at_the_rate_and_the_refusal_names_the_instant() {
    let clock = ManualClock::new();
    let limiter = RateLimiter::builder(3, SECOND).burst(2).clock(clock.clone()).build().unwrap();
    let start = clock.now();
    limiter.try_acquire().unwrap();
    limiter.try_acquire().unwrap();
    for nanoseconds in [333_333_334, 666_666_667, 1_000_000_000, 1_333_333_334] {
        let error = limiter.try_acquire().unwrap_err();
        let due = start + Duration::from_nanos(nanoseconds);
        assert_eq!(error.not_before(), Some(due));
        assert!(matches!(error, RateLimited::NotYet { wait, .. } if wait == due - clock.now()));
        clock.advance(just_under(due - clock.now()));
        assert!(limiter.try_acquire().unwrap_err().is_not_yet());
        clock.advance_to(due);
        limiter.try_acquire().unwrap();
    }
}

#[test]
fn instant_of_a_wait_that_is_long_for_its_rate_is_exact() {
    let (clock, many) = (ManualClock::new(), 1_000_000);
    // A nanosecond is a million ticks, and the wait more of them than 64 bits hold.
    let limiter =
        RateLimiter::builder(many, 100_000 * SECOND).burst(many).clock(clock.clone()).build().unwrap();
    limiter.try_acquire_many(many).unwrap();
    let refused = limiter.try_acquire_many(many).unwrap_err();
    assert_eq!(refused.not_before(), Some(clock.now() + 100_000 * SECOND), "{refused}");
}

#[test]
fn burst_is_saved_up_during_a_pause_and_no_more_than_that() {
    let (limiter, clock) = spent(5);
    clock.advance(3 * SECOND);
    assert!(limiter.try_acquire_many(4).is_err());
    limiter.try_acquire_many(3).unwrap();
    clock.advance(1_000_000 * SECOND);
    limiter.try_acquire_many(5).unwrap();
    assert!(limiter.try_acquire().is_err());
}

#[test]
fn clones_share_one_rate() {
    let (limiter, _clock) = one_a_second(1);
    limiter.clone().try_acquire().unwrap();
    assert!(limiter.try_acquire().is_err());
    assert_eq!(limiter.clone().report(), limiter.report());
}

#[test]
fn zero_permits_are_granted_at_once_whoever_waits() {
    let (limiter, clock) = spent(1);
    let line = Line::new(&limiter, &clock, &[1]);
    limiter.try_acquire_many(0).unwrap();
    limiter.acquire_many(0).unwrap();
    limiter.acquire_many_timeout(0, Duration::ZERO).unwrap();
    drop(limiter.try_reserve(0).unwrap());
    clock.advance(SECOND);
    assert!(line.end()[0].is_ok());
}

#[test]
fn more_than_the_burst_fails_at_once_in_every_form() {
    let (limiter, _clock) = one_a_second(3);
    let token = CancellationToken::new();
    for result in [
        limiter.try_acquire_many(4),
        limiter.acquire_many(4),
        limiter.acquire_many_timeout(u32::MAX, Duration::MAX),
        limiter.acquire_many_with(4, &token),
        limiter.try_reserve(4).map(drop),
    ] {
        let error = result.unwrap_err();
        assert!(error.is_exceeds_burst() && error.not_before().is_none(), "{error}");
    }
    limiter.try_acquire_many(3).unwrap();
}

#[test]
fn turns_come_in_the_order_of_arrival_whatever_the_weight() {
    let (limiter, clock) = spent(3);
    let start = clock.now();
    let line = Line::new(&limiter, &clock, &[1, 3, 1, 2]);
    for (served, instant) in [(1, 1), (2, 4), (3, 5), (4, 7)] {
        clock.advance_to(start + just_under(instant * SECOND));
        assert_eq!(line.served().len(), served - 1, "not before its instant");
        clock.advance(NANOSECOND);
        line.until_served(served);
        until_waiting(&limiter, &clock, 4 - served);
    }
    assert_eq!(line.served(), [0, 1, 2, 3]);
    assert!(line.end().iter().all(Result::is_ok));
}

#[test]
fn nobody_passes_one_who_waits_even_if_there_is_a_permit_for_it() {
    let (limiter, clock) = spent(3);
    let line = Line::new(&limiter, &clock, &[3]);
    clock.advance(2 * SECOND);
    let error = limiter.try_acquire().unwrap_err();
    assert!(
        matches!(error, RateLimited::NotYet { wait, .. } if wait == 2 * SECOND),
        "after those before: {error}"
    );
    assert!(limiter.try_reserve(1).is_err());
    assert!(limiter.acquire_timeout(SECOND).unwrap_err().is_timed_out());
    clock.advance(SECOND);
    assert!(line.end()[0].is_ok());
}

#[test]
fn nobody_passes_another_who_waits_whenever_it_wakes() {
    let (limiter, clock) = spent(3);
    let mut line = Line::new(&limiter, &clock, &[3]);
    line.join(&limiter, &clock, |limiter| limiter.acquire_timeout(4 * SECOND));
    limiter.set_rate(1, 2 * SECOND).unwrap();
    clock.advance(4 * SECOND); // two permits are there: enough for the second, but it is not its turn
    assert!(line.threads.pop().unwrap().join().unwrap().unwrap_err().is_timed_out());
    clock.advance(2 * SECOND);
    assert!(line.end()[0].is_ok());
}

#[test]
fn wait_that_cannot_succeed_in_time_fails_at_once() {
    let (limiter, clock) = spent(1);
    // With nobody to move the clock, a wait would never end.
    let error = limiter.acquire_timeout(just_under(SECOND)).unwrap_err();
    assert!(error.is_timed_out());
    assert_eq!(error.not_before(), Some(clock.now() + SECOND));
    assert!(limiter.acquire_timeout(Duration::ZERO).unwrap_err().is_timed_out());
    let line = Line::new(&limiter, &clock, &[1]);
    assert!(limiter.acquire_timeout(just_under(2 * SECOND)).unwrap_err().is_timed_out());
    clock.advance(SECOND);
    assert!(line.end()[0].is_ok());
    assert_eq!(limiter.report().timed_out, 3);
}

#[test]
fn timeout_that_ends_with_the_turn_is_in_time_for_each_of_many_due_at_once() {
    for _ in 0..50 {
        let (limiter, clock) = spent(3);
        let mut line = Line::new(&limiter, &clock, &[]);
        for seconds in 1..=3 {
            line.join(&limiter, &clock, move |limiter| limiter.acquire_timeout(3.min(seconds + 2) * SECOND));
        }
        clock.advance(3 * SECOND);
        assert!(line.end().iter().all(Result::is_ok));
    }
}

#[test]
fn those_behind_one_whose_time_is_over_move_up() {
    let (limiter, clock) = spent(1);
    let mut line = Line::new(&limiter, &clock, &[]);
    line.join(&limiter, &clock, |limiter| limiter.acquire_timeout(SECOND));
    line.join(&limiter, &clock, |limiter| limiter.acquire_timeout(3 * SECOND));
    line.join(&limiter, &clock, |limiter| limiter.acquire_timeout(3 * SECOND));
    limiter.set_rate(1, 2 * SECOND).unwrap(); // the first can no longer be in time
    clock.advance(SECOND);
    until_waiting(&limiter, &clock, 2);
    clock.advance(SECOND);
    line.until_served(1);
    clock.advance(SECOND);
    let ends = line.end();
    assert!(ends[0].as_ref().unwrap_err().is_timed_out());
    assert!(ends[1].is_ok(), "two seconds after the start, and not four");
    assert!(ends[2].as_ref().unwrap_err().is_timed_out());
}

#[test]
fn longest_timeout_waits_without_limit() {
    let (limiter, clock) = spent(1);
    let mut line = Line::new(&limiter, &clock, &[]);
    line.join(&limiter, &clock, |limiter| limiter.acquire_timeout(Duration::MAX));
    clock.advance(SECOND);
    assert!(line.end()[0].is_ok());
}

#[test]
fn those_behind_one_who_is_cancelled_move_up() {
    let (limiter, clock) = spent(3);
    let token = CancellationToken::new();
    let mut line = Line::new(&limiter, &clock, &[]);
    let with = token.clone();
    line.join(&limiter, &clock, move |limiter| limiter.acquire_many_with(3, &with));
    line.join(&limiter, &clock, |limiter| limiter.acquire_many(1));
    clock.advance(SECOND);
    until_waiting(&limiter, &clock, 2);
    token.cancel_with("enough");
    line.until_served(1);
    let ends = line.end();
    let Err(RateLimited::Cancelled(cancelled)) = &ends[0] else { panic!("{:?}", ends[0]) };
    assert_eq!(cancelled.cause().unwrap().to_string(), "enough");
    assert!(ends[1].is_ok(), "its permit was there, behind three that were not");
    assert_eq!((limiter.report().waiting, clock.waiting()), (0, 0));
}

#[test]
fn one_in_the_middle_who_is_cancelled_leaves_no_gap() {
    let (limiter, clock) = spent(1);
    let token = CancellationToken::new();
    let mut line = Line::new(&limiter, &clock, &[1]);
    let with = token.clone();
    line.join(&limiter, &clock, move |limiter| limiter.acquire_with(&with));
    line.join(&limiter, &clock, |limiter| limiter.acquire_many(1));
    token.cancel();
    until_waiting(&limiter, &clock, 2);
    clock.advance(SECOND);
    line.until_served(1);
    until_waiting(&limiter, &clock, 1);
    clock.advance(SECOND);
    line.until_served(2);
    assert!(line.end()[1].as_ref().unwrap_err().is_cancelled());
}

#[test]
fn token_that_was_cancelled_before_takes_nothing() {
    let (limiter, _clock) = one_a_second(1);
    let token = CancellationToken::new();
    token.cancel();
    assert!(limiter.acquire_with(&token).unwrap_err().is_cancelled());
    assert!(limiter.acquire_many_with(0, &token).unwrap_err().is_cancelled());
    limiter.try_acquire().unwrap();
}

#[test]
fn dropped_reservation_lets_those_who_wait_go_on_at_once() {
    let (limiter, clock) = one_a_second(3);
    let reservation = limiter.try_reserve(3).unwrap();
    assert_eq!(reservation.permits(), 3);
    let line = Line::new(&limiter, &clock, &[2, 1]);
    drop(reservation);
    line.until_served(2);
    assert!(line.end().iter().all(Result::is_ok));
    let report = limiter.report();
    assert_eq!((report.acquired, report.given_back), (3, 3));
}

#[test]
fn committed_reservation_is_kept() {
    let (limiter, _clock) = one_a_second(1);
    limiter.try_reserve(1).unwrap().commit();
    assert!(limiter.try_acquire().is_err());
    assert_eq!(limiter.report().acquired, 1);
}

#[test]
fn reservation_given_back_late_returns_what_time_has_not_paid_for() {
    let (limiter, clock) = one_a_second(4);
    let reservation = limiter.try_reserve(4).unwrap();
    clock.advance(SECOND);
    drop(reservation);
    limiter.try_acquire_many(4).unwrap();
    assert!(limiter.try_acquire().is_err());
    let (limiter, clock) = one_a_second(1);
    let reservation = limiter.try_reserve(1).unwrap();
    clock.advance(SECOND);
    limiter.try_acquire().unwrap();
    drop(reservation);
    assert!(limiter.try_acquire().is_err(), "its time was over, and somebody else used the next");
}

#[test]
fn faster_rate_counts_at_once_for_those_who_wait() {
    let clock = ManualClock::new();
    let hour = 3600 * SECOND;
    let limiter = RateLimiter::builder(1, hour).clock(clock.clone()).build().unwrap();
    limiter.acquire();
    let line = Line::new(&limiter, &clock, &[1, 1]);
    clock.advance(hour / 2);
    limiter.set_rate(1, 2 * SECOND).unwrap();
    assert_eq!((limiter.rate(), limiter.burst()), ((1, 2 * SECOND), 1));
    until_waiting(&limiter, &clock, 2);
    while clock.next_instant() != Some(clock.now() + SECOND) {
        thread::yield_now(); // half of it was paid off, the other half takes a second now
    }
    clock.advance(SECOND);
    line.until_served(1);
    until_waiting(&limiter, &clock, 1);
    clock.advance(2 * SECOND);
    assert!(line.end().iter().all(Result::is_ok));
}

#[test]
fn slower_rate_counts_at_once_for_those_who_wait() {
    let (limiter, clock) = spent(1);
    let line = Line::new(&limiter, &clock, &[1]);
    limiter.set_rate(1, 10 * SECOND).unwrap();
    clock.advance(just_under(10 * SECOND));
    until_waiting(&limiter, &clock, 1);
    assert!(line.served().is_empty());
    clock.advance(NANOSECOND);
    assert!(line.end()[0].is_ok());
}

#[test]
fn lower_burst_refuses_who_waits_for_more_and_those_behind_move_up() {
    let (limiter, clock) = spent(3);
    let line = Line::new(&limiter, &clock, &[3, 1]);
    clock.advance(2 * SECOND);
    limiter.set_burst(2).unwrap();
    let start = clock.now();
    clock.advance(SECOND);
    let ends = line.end();
    assert!(ends[0].as_ref().unwrap_err().is_exceeds_burst());
    assert!(ends[1].is_ok(), "{:?} after the change", clock.now() - start);
}

#[test]
fn change_that_is_refused_changes_nothing() {
    let (limiter, _clock) = one_a_second(2);
    assert_eq!(limiter.set_rate(0, SECOND), Err(RateError::ZeroPermits));
    assert_eq!(limiter.set_rate(1, Duration::ZERO), Err(RateError::ZeroPeriod));
    assert_eq!(limiter.set_burst(0), Err(RateError::ZeroBurst));
    assert_eq!((limiter.rate(), limiter.burst()), ((1, SECOND), 2));
    limiter.try_acquire_many(2).unwrap();
}

#[test]
fn report_counts_each_call_once() {
    let (limiter, clock) = one_a_second(2);
    let token = CancellationToken::new();
    limiter.try_acquire_many(2).unwrap();
    limiter.try_acquire().unwrap_err();
    let mut line = Line::new(&limiter, &clock, &[1]);
    let with = token.clone();
    line.join(&limiter, &clock, move |limiter| limiter.acquire_with(&with));
    let report = limiter.report();
    assert_eq!((report.acquired, report.refused, report.waited, report.waiting), (2, 1, 2, 2));
    limiter.acquire_timeout(SECOND).unwrap_err();
    clock.advance(SECOND);
    line.until_served(1);
    until_waiting(&limiter, &clock, 1);
    token.cancel();
    line.end();
    let report = limiter.report();
    assert_eq!((report.acquired, report.given_back, report.refused), (3, 0, 1));
    assert_eq!((report.timed_out, report.cancelled, report.waited, report.waiting), (1, 1, 2, 0));
    assert_eq!(report.wait_time, 2 * SECOND);
}

#[test]
fn saturated_by_threads_that_wait_it_gives_all_that_the_rate_allows() {
    let clock = ManualClock::new();
    let limiter = RateLimiter::builder(7, SECOND).burst(8).clock(clock.clone()).build().unwrap();
    let token = CancellationToken::new();
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let (limiter, token) = (limiter.clone(), token.clone());
            spawn(move || while limiter.acquire_with(&token).is_ok() {})
        })
        .collect();
    let until_drained = || {
        until_waiting(&limiter, &clock, 4);
        // The first of the queue waits for an instant only if no permit is there.
        while clock.next_instant().is_none() {
            thread::yield_now();
        }
    };
    let start = clock.now();
    for step in 0..400 {
        until_drained();
        // At most the time of seven permits, which the burst makes up for: now many at once, now none.
        clock.advance(Duration::from_millis(step * 137 % 1000));
    }
    until_drained();
    let passed = (clock.now() - start).as_nanos();
    assert_eq!(u128::from(limiter.report().acquired), 8 + passed * 7 / 1_000_000_000, "not one under it");
    token.cancel();
    for thread in threads {
        thread.join().unwrap();
    }
}

#[test]
fn clock_that_is_told_to_go_back_stands_still() {
    let (limiter, clock) = spent(1);
    clock.advance(SECOND);
    limiter.try_acquire().unwrap();
    let due = clock.now() + SECOND;
    clock.advance_to(clock.now().checked_sub(SECOND).unwrap());
    assert_eq!(limiter.try_acquire().unwrap_err().not_before(), Some(due));
    assert_eq!(limiter.now() + SECOND, due);
}

#[test]
fn on_the_systems_clock_no_start_is_early() {
    let spacing = Duration::from_millis(1);
    let before = SystemClock.now();
    let limiter = RateLimiter::new(1, spacing).unwrap();
    let threads: Vec<_> = (0..3)
        .map(|_| {
            let limiter = limiter.clone();
            spawn(move || {
                let starts = (0..4).map(|_| {
                    limiter.acquire();
                    SystemClock.now()
                });
                starts.collect::<Vec<_>>()
            })
        })
        .collect();
    let mut starts: Vec<_> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
    starts.sort();
    for (start, number) in starts.iter().zip(0..) {
        assert!(*start - before >= number * spacing, "start {number}");
    }
    assert_eq!(limiter.report().acquired, 12);
}

#[test]
#[should_panic(expected = "beyond the range of `Instant`")]
fn manual_clock_refuses_to_leave_its_range() {
    ManualClock::new().advance(Duration::MAX);
}

#[test]
fn advance_wakes_only_those_whose_instant_has_come() {
    let (first, clock) = spent(1);
    let second = RateLimiter::builder(1, 2 * SECOND).clock(clock.clone()).build().unwrap();
    second.acquire();
    let later = spawn(move || second.acquire());
    while clock.next_instant() != Some(clock.now() + 2 * SECOND) {
        thread::yield_now();
    }
    let sooner = spawn(move || first.acquire());
    while clock.next_instant() != Some(clock.now() + SECOND) {
        thread::yield_now();
    }
    clock.advance(SECOND);
    sooner.join().unwrap();
    assert_eq!((clock.waiting(), clock.next_instant()), (1, Some(clock.now() + SECOND)));
    clock.advance(SECOND);
    later.join().unwrap();
}
