//! What the rate limiter by keys promises, on a clock that is moved by hand.
#![cfg(not(any(gristmill_shuttle, gristmill_loom)))]
#![allow(clippy::unwrap_used)] // closures and helpers are test code too

use std::borrow::Borrow;
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use gristmill::{CancellationToken, Clock, KeyedRateLimiter, ManualClock, RateError, RateLimited};

const SECOND: Duration = Duration::from_secs(1);
const NANOSECOND: Duration = Duration::from_nanos(1);

fn spawn<T: Send + 'static>(run: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    thread::Builder::new().spawn(run).expect("a thread")
}

/// A limiter of one permit a second for each key, and its clock.
fn one_a_second<K>(burst: u32, most_keys: usize) -> (KeyedRateLimiter<K>, ManualClock) {
    let clock = ManualClock::new();
    let limiter = KeyedRateLimiter::builder(1, SECOND, most_keys).burst(burst).clock(clock.clone()).build();
    (limiter.expect("it is a rate"), clock)
}

/// Begins a wait, and waits until it waits.
fn waits<T: Send + 'static>(
    limiter: &KeyedRateLimiter<u32>,
    wait: impl FnOnce(&KeyedRateLimiter<u32>) -> T + Send + 'static,
) -> JoinHandle<T> {
    let before = limiter.report().rate.waiting;
    let thread = {
        let limiter = limiter.clone();
        spawn(move || wait(&limiter))
    };
    until_waiting(limiter, before + 1);
    thread
}

fn until_waiting(limiter: &KeyedRateLimiter<u32>, threads: usize) {
    while limiter.report().rate.waiting != threads {
        thread::yield_now();
    }
}

#[test]
fn each_key_has_the_rate_for_itself() {
    let (limiter, clock) = one_a_second::<String>(2, 10);
    for key in ["north", "south"] {
        limiter.try_acquire_many(key, 2).unwrap();
        let error = limiter.try_acquire(key).unwrap_err();
        assert_eq!(error.not_before(), Some(clock.now() + SECOND));
    }
    clock.advance(SECOND);
    limiter.try_acquire("north").unwrap();
    assert!(limiter.try_acquire("north").is_err());
    limiter.clone().try_acquire("south").unwrap();
    let report = limiter.report();
    assert_eq!((report.keys, report.rate.acquired, report.rate.refused), (2, 6, 3));
}

#[test]
fn bad_settings_and_weights_are_refused_and_cost_nothing() {
    assert_eq!(KeyedRateLimiter::<u32>::new(1, SECOND, 0).unwrap_err(), RateError::ZeroKeys);
    assert_eq!(KeyedRateLimiter::<u32>::new(0, SECOND, 1).unwrap_err(), RateError::ZeroPermits);
    assert!(KeyedRateLimiter::<u32>::new(1, Duration::MAX, 1).is_err());
    assert_eq!(
        KeyedRateLimiter::<u32>::builder(1, SECOND, 1).burst(0).build().unwrap_err(),
        RateError::ZeroBurst
    );
    let (limiter, _clock) = one_a_second::<u32>(3, usize::MAX);
    let token = CancellationToken::new();
    for result in [
        limiter.try_acquire_many(&1, 4),
        limiter.acquire_many(&1, 4),
        limiter.acquire_many_timeout(&1, u32::MAX, Duration::MAX),
        limiter.acquire_many_with(&1, 4, &token),
        limiter.try_reserve(&1, 4).map(drop),
    ] {
        assert!(result.unwrap_err().is_exceeds_burst());
    }
    for result in [
        limiter.try_acquire_many(&1, 0),
        limiter.acquire_many(&1, 0),
        limiter.acquire_many_timeout(&1, 0, Duration::ZERO),
        limiter.try_reserve(&1, 0).map(drop),
    ] {
        result.unwrap();
    }
    assert_eq!((limiter.report().keys, limiter.report().rate.acquired), (0, 0));
    token.cancel();
    assert!(limiter.acquire_with(&1, &token).unwrap_err().is_cancelled());
    assert_eq!((limiter.report().keys, limiter.report().rate.cancelled), (0, 1));
}

#[test]
fn key_is_forgotten_when_its_permits_are_back_and_not_before() {
    let (limiter, clock) = one_a_second::<u32>(2, 2);
    let start = clock.now();
    limiter.try_acquire_many(&1, 2).unwrap();
    limiter.try_acquire(&2).unwrap();
    clock.advance(SECOND.saturating_sub(NANOSECOND));
    let error = limiter.try_acquire(&3).unwrap_err();
    assert!(error.is_too_many_keys() && error.not_before() == Some(start + SECOND));
    assert_eq!(
        error.to_string(),
        "2 keys are limited already; there is room for another in 1ns at the earliest"
    );
    clock.advance(NANOSECOND);
    limiter.try_acquire(&2).unwrap(); // it stays for another second
    let error = limiter.try_acquire(&3).unwrap_err();
    assert_eq!(error.not_before(), Some(start + 2 * SECOND));
    clock.advance(SECOND);
    limiter.try_acquire_many(&3, 2).unwrap();
    limiter.try_acquire_many(&2, 2).unwrap(); // of the two that were free, only one is gone
    let report = limiter.report();
    assert_eq!((report.keys, report.forgotten, report.too_many_keys, report.rate.refused), (2, 1, 2, 2));
}

#[test]
fn key_that_comes_back_after_it_was_forgotten_has_its_burst_and_no_more() {
    let (limiter, clock) = one_a_second::<u32>(2, 1);
    for _ in 0..5 {
        for key in [1, 2] {
            limiter.try_acquire_many(&key, 2).unwrap();
            assert!(limiter.try_acquire(&key).unwrap_err().is_not_yet());
            clock.advance(2 * SECOND);
        }
    }
    assert_eq!((limiter.report().keys, limiter.report().forgotten), (1, 9));
}

#[test]
fn one_who_waits_for_a_key_is_in_nobody_elses_way() {
    let (limiter, clock) = one_a_second::<u32>(1, 10);
    limiter.acquire(&1);
    let first = waits(&limiter, |limiter| limiter.acquire(&1));
    let second = waits(&limiter, |limiter| limiter.acquire_timeout(&1, 2 * SECOND));
    for key in 2..10 {
        limiter.acquire(&key); // without a wait: nobody moves the clock
    }
    let error = limiter.try_acquire(&1).unwrap_err();
    assert_eq!(error.not_before(), Some(clock.now() + 3 * SECOND), "after those who wait");
    assert!(limiter.acquire_timeout(&1, 2 * SECOND).unwrap_err().is_timed_out());
    clock.advance(SECOND);
    first.join().unwrap();
    limiter.acquire(&2);
    until_waiting(&limiter, 1);
    clock.advance(SECOND);
    second.join().unwrap().unwrap();
    let report = limiter.report().rate;
    assert_eq!((report.waited, report.waiting, report.timed_out, report.wait_time), (2, 0, 1, 3 * SECOND));
}

#[test]
fn new_keys_wait_for_room_in_the_order_in_which_they_came() {
    let (limiter, clock) = one_a_second::<u32>(1, 1);
    limiter.acquire(&0);
    let [first, second, third] = [1, 2, 3].map(|key| waits(&limiter, move |limiter| limiter.acquire(&key)));
    let behind = waits(&limiter, |limiter| limiter.acquire(&1));
    let error = limiter.try_acquire(&9).unwrap_err();
    assert!(error.is_too_many_keys(), "{error}");
    assert!(limiter.try_acquire(&1).unwrap_err().is_too_many_keys(), "it has no room either");
    // The last to come wants a key that has room by then, and so the others wait longer.
    for (forgotten, thread) in [(1, first), (1, behind), (2, second), (3, third)] {
        clock.advance(SECOND);
        thread.join().unwrap();
        assert_eq!((limiter.report().keys, limiter.report().forgotten), (1, forgotten));
    }
    assert_eq!(limiter.report().rate.acquired, 5);
}

#[test]
fn those_of_a_new_key_are_served_in_order_before_one_who_comes_when_it_has_room() {
    let (limiter, clock) = one_a_second::<u32>(2, 1);
    limiter.try_acquire_many(&0, 2).unwrap();
    let first = waits(&limiter, |limiter| limiter.acquire_many(&1, 2));
    let second = waits(&limiter, |limiter| limiter.acquire_many(&1, 1));
    clock.advance(2 * SECOND);
    first.join().unwrap().unwrap();
    until_waiting(&limiter, 1);
    let error = limiter.try_acquire(&1).unwrap_err();
    assert_eq!(error.not_before(), Some(clock.now() + 2 * SECOND), "after the one who waits");
    clock.advance(SECOND);
    second.join().unwrap().unwrap();
}

#[test]
fn wait_for_room_ends_by_token_and_by_time_and_leaves_nothing() {
    let (limiter, clock) = one_a_second::<u32>(1, 1);
    limiter.acquire(&0);
    assert!(limiter.acquire_timeout(&1, SECOND.saturating_sub(NANOSECOND)).unwrap_err().is_timed_out());
    let token = CancellationToken::new();
    let cancelled = {
        let token = token.clone();
        waits(&limiter, move |limiter| limiter.acquire_with(&1, &token))
    };
    let timed = waits(&limiter, |limiter| limiter.acquire_timeout(&2, SECOND));
    let last = waits(&limiter, |limiter| limiter.acquire_timeout(&3, Duration::MAX));
    let late = waits(&limiter, |limiter| limiter.acquire_timeout(&4, SECOND));
    token.cancel();
    assert!(cancelled.join().unwrap().unwrap_err().is_cancelled());
    clock.advance(SECOND); // room for one: the first that is left
    timed.join().unwrap().unwrap();
    assert!(late.join().unwrap().unwrap_err().is_timed_out());
    until_waiting(&limiter, 1);
    clock.advance(SECOND);
    last.join().unwrap().unwrap();
    let report = limiter.report();
    assert_eq!((report.keys, report.forgotten, report.rate.waiting), (1, 2, 0));
    assert_eq!((report.rate.cancelled, report.rate.timed_out, report.rate.acquired), (1, 2, 3));
}

#[test]
fn place_is_free_at_once_when_those_who_would_have_used_it_leave() {
    let (limiter, clock) = one_a_second::<u32>(1, 1);
    limiter.acquire(&0);
    let token = CancellationToken::new();
    let heirs: Vec<_> = (0..3)
        .map(|_| {
            let token = token.clone();
            waits(&limiter, move |limiter| limiter.acquire_with(&0, &token))
        })
        .collect();
    let stranger = waits(&limiter, |limiter| limiter.acquire(&1));
    assert_eq!(limiter.try_acquire(&2).unwrap_err().not_before(), Some(clock.now() + 4 * SECOND));
    token.cancel();
    for heir in heirs {
        assert!(heir.join().unwrap().unwrap_err().is_cancelled());
    }
    clock.advance(SECOND);
    stranger.join().unwrap();
}

#[test]
fn reservation_of_a_key_gives_back_to_that_key_alone() {
    let (limiter, clock) = one_a_second::<u32>(3, 2);
    let reservation = limiter.try_reserve(&1, 3).unwrap();
    limiter.try_acquire_many(&2, 3).unwrap();
    let stranger = waits(&limiter, |limiter| limiter.acquire(&3));
    drop(reservation); // and so the key can be forgotten: the clock stands still
    stranger.join().unwrap();
    assert!(limiter.try_acquire(&2).is_err());
    let report = limiter.report();
    assert_eq!((report.rate.acquired, report.rate.given_back, report.forgotten), (4, 3, 1));
    limiter.try_reserve(&3, 2).unwrap().commit();
    assert!(limiter.try_acquire(&3).is_err());
    clock.advance(3 * SECOND);
}

#[test]
fn reservation_of_a_key_that_was_forgotten_gives_nothing_to_another() {
    let (limiter, clock) = one_a_second::<u32>(2, 1);
    let reservation = limiter.try_reserve(&1, 2).unwrap();
    clock.advance(2 * SECOND);
    limiter.try_acquire_many(&2, 2).unwrap(); // at the same place
    drop(reservation);
    assert!(limiter.try_acquire(&2).is_err());
}

#[test]
fn burst_is_the_one_that_was_set() {
    let (limiter, _clock) = one_a_second::<u32>(7, 2);
    assert_eq!((limiter.rate(), limiter.burst()), ((1, SECOND), 7));
    limiter.set_burst(9).unwrap();
    assert_eq!(limiter.burst(), 9);
}

#[test]
fn change_of_the_rate_reaches_every_key_and_all_who_wait() {
    let (limiter, clock) = one_a_second::<u32>(1, 2);
    limiter.acquire(&1);
    limiter.acquire(&2);
    let own = waits(&limiter, |limiter| limiter.acquire(&1));
    let stranger = waits(&limiter, |limiter| limiter.acquire(&3));
    limiter.set_rate(1, 10 * SECOND).unwrap();
    assert_eq!((limiter.rate(), limiter.burst()), ((1, 10 * SECOND), 1));
    assert_eq!(limiter.set_rate(0, SECOND), Err(RateError::ZeroPermits));
    clock.advance(5 * SECOND);
    until_waiting(&limiter, 2);
    assert_eq!(limiter.try_acquire(&2).unwrap_err().not_before(), Some(clock.now() + 5 * SECOND));
    limiter.set_rate(5, SECOND).unwrap(); // half a permit is left to be paid off: a tenth of a second
    clock.advance(SECOND / 10);
    own.join().unwrap();
    stranger.join().unwrap();
    limiter.set_burst(2).unwrap();
    clock.advance(SECOND);
    let heavy = waits(&limiter, |limiter| {
        limiter.acquire_many(&1, 2).unwrap();
        limiter.acquire_many(&1, 2)
    });
    limiter.set_burst(1).unwrap();
    assert!(heavy.join().unwrap().unwrap_err().is_exceeds_burst());
}

/// A key that counts how many of it there are, and panics when it is told to.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Fragile(u32);

static LIVE: AtomicUsize = AtomicUsize::new(0);
static FAILS: AtomicUsize = AtomicUsize::new(NEVER);
const NEVER: usize = 0;
const AS_IT_IS_CLONED: usize = 1;
const AS_IT_IS_DROPPED: usize = 2;

impl Clone for Fragile {
    fn clone(&self) -> Self {
        assert_ne!(FAILS.load(SeqCst), AS_IT_IS_CLONED, "cloned");
        LIVE.fetch_add(1, SeqCst);
        Self(self.0)
    }
}

impl Drop for Fragile {
    fn drop(&mut self) {
        // Those of the test itself are not counted: `one` below forgets them.
        LIVE.fetch_sub(1, SeqCst);
        assert_ne!(FAILS.swap(NEVER, SeqCst), AS_IT_IS_DROPPED, "dropped");
    }
}

impl Borrow<u32> for Fragile {
    fn borrow(&self) -> &u32 {
        &self.0
    }
}

#[test]
fn keys_that_panic_lose_nothing_and_none_of_them_is_leaked() {
    let key = |number| std::mem::ManuallyDrop::new(Fragile(number));
    let (limiter, clock) = one_a_second::<Fragile>(1, 1);
    FAILS.store(AS_IT_IS_CLONED, SeqCst);
    assert!(catch_unwind(AssertUnwindSafe(|| limiter.try_acquire(&*key(1)))).is_err());
    assert!(catch_unwind(AssertUnwindSafe(|| limiter.acquire(&*key(1)))).is_err());
    assert_eq!((limiter.report().keys, limiter.report().rate.acquired), (0, 0));
    FAILS.store(NEVER, SeqCst);
    limiter.acquire(&*key(1));
    clock.advance(SECOND);
    FAILS.store(AS_IT_IS_DROPPED, SeqCst);
    assert!(catch_unwind(AssertUnwindSafe(|| limiter.try_acquire(&*key(2)))).is_err());
    let report = limiter.report();
    assert_eq!((report.keys, report.forgotten, report.rate.acquired), (1, 1, 2), "it was taken");
    assert!(limiter.try_acquire(&*key(2)).unwrap_err().is_not_yet(), "the limiter goes on");
    assert!(limiter.try_acquire(&*key(3)).unwrap_err().is_too_many_keys());
    assert_eq!(LIVE.load(SeqCst), 1);
    drop(limiter);
    assert_eq!(LIVE.load(SeqCst), 0);
}

/// A key of which somebody else takes a permit while it is cloned, so that the clone is not needed.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Contended(u32);

thread_local! {
    static LIMITER: RefCell<Option<KeyedRateLimiter<Contended>>> = const { RefCell::new(None) };
    static DROP: Cell<Needless> = const { Cell::new(Needless::Counts) };
}

/// What the drop of a needless clone does.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Needless {
    Counts,
    Panics,
    Acquires,
}

impl Clone for Contended {
    fn clone(&self) -> Self {
        if let Some(limiter) = LIMITER.take() {
            // This one's own clone is needed: it is kept.
            limiter.try_acquire(self).expect("it is the first");
            LIMITER.set(Some(limiter));
        }
        Self(self.0)
    }
}

impl Drop for Contended {
    fn drop(&mut self) {
        match DROP.replace(Needless::Counts) {
            Needless::Counts => {}
            Needless::Panics => panic!("dropped"),
            Needless::Acquires => {
                let limiter = LIMITER.take().expect("it is there");
                assert!(limiter.try_acquire(&Contended(self.0)).unwrap_err().is_not_yet());
                LIMITER.set(Some(limiter));
            }
        }
    }
}

#[test]
fn drop_of_a_needless_clone_may_panic_or_use_the_limiter_and_nobody_is_left_in_the_line() {
    for drops in [Needless::Panics, Needless::Acquires] {
        for waits in [true, false] {
            let (limiter, clock) = one_a_second::<Contended>(1, 1);
            let key = std::mem::ManuallyDrop::new(Contended(1));
            LIMITER.set(Some(limiter.clone()));
            DROP.set(drops);
            let outcome = catch_unwind(AssertUnwindSafe(|| {
                if waits { limiter.acquire_timeout(&*key, SECOND / 2) } else { limiter.try_acquire(&*key) }
            }));
            LIMITER.set(None);
            assert_eq!(outcome.is_err(), drops == Needless::Panics);
            assert!(outcome.ok().is_none_or(|answer| answer.is_err()));
            assert_eq!(DROP.get(), Needless::Counts, "a clone was dropped");
            let report = limiter.report();
            assert_eq!((report.keys, report.rate.waiting, report.rate.acquired), (1, 0, 1));
            clock.advance(SECOND);
            assert!(limiter.try_acquire(&*key).is_ok(), "nobody is before it");
        }
    }
}

#[test]
fn refusals_name_themselves() {
    let (limiter, _clock) = one_a_second::<u32>(1, 1);
    limiter.acquire(&1);
    let error = limiter.try_acquire(&2).unwrap_err();
    assert!(matches!(error, RateLimited::TooManyKeys { most_keys: 1, wait: SECOND, .. }));
    assert!(!error.is_not_yet() && !error.is_timed_out() && !error.is_exceeds_burst());
    assert!(format!("{limiter:?}").contains("keys: 1"));
}
