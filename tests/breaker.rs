//! What the circuit breaker promises, on a clock that is moved by hand.
#![cfg(not(any(gristmill_shuttle, gristmill_loom)))]

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc;
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;
use std::time::Duration;

use gristmill::{
    Attempt, BreakerChange, BreakerError, BreakerOpen, BreakerState, CancellationToken, CircuitBreaker,
    CircuitBreakerBuilder, Clock, ManualClock, Nest, Policy, PolicyError, RateLimiter, Semaphore,
};

const SECOND: Duration = Duration::from_secs(1);
const NANOSECOND: Duration = Duration::from_nanos(1);

fn just_under(duration: Duration) -> Duration {
    duration.saturating_sub(NANOSECOND)
}

/// Opens for ten seconds when half of the last four calls have failed; two probes.
fn small(clock: &ManualClock) -> CircuitBreakerBuilder {
    CircuitBreaker::builder().count_window(4).open_time(10 * SECOND).probes(2).clock(clock.clone())
}

fn breaker() -> (CircuitBreaker, ManualClock) {
    let clock = ManualClock::new();
    (small(&clock).build().expect("the settings are in range"), clock)
}

fn succeed(breaker: &CircuitBreaker) {
    breaker.try_acquire().expect("it lets calls through").success();
}

fn fail(breaker: &CircuitBreaker) {
    breaker.try_acquire().expect("it lets calls through").failure();
}

fn open(breaker: &CircuitBreaker) {
    while breaker.state() != BreakerState::Open {
        fail(breaker);
    }
}

/// Opens it, and lets its open time pass.
fn due(breaker: &CircuitBreaker, clock: &ManualClock) {
    open(breaker);
    clock.advance(refused(breaker).wait().expect("it says when"));
}

fn refused(breaker: &CircuitBreaker) -> BreakerOpen {
    breaker.try_acquire().expect_err("it refuses calls")
}

/// What a change is written down as.
type Log = Arc<Mutex<Vec<(BreakerState, BreakerState)>>>;

fn logged(builder: CircuitBreakerBuilder) -> (CircuitBreaker, Log) {
    let log = Log::default();
    let writer = Arc::clone(&log);
    let builder = builder.on_change(move |change: &BreakerChange| {
        writer.lock().expect("no panic under it").push((change.from, change.to));
    });
    (builder.build().expect("the settings are in range"), log)
}

fn taken(log: &Log) -> Vec<(BreakerState, BreakerState)> {
    std::mem::take(&mut *log.lock().expect("no panic under it"))
}

#[test]
fn settings_out_of_range_are_refused_and_the_error_says_which() {
    let build = |set: fn(CircuitBreakerBuilder) -> CircuitBreakerBuilder| {
        set(CircuitBreaker::builder()).build().map(drop).unwrap_err()
    };
    for rate in [0.0, -0.1, 1.000_001, f64::NAN, f64::INFINITY] {
        let error = CircuitBreaker::builder().failure_rate(rate).build().unwrap_err();
        assert_eq!(error.to_string(), format!("a failure rate of {rate} is not above 0 and at most 1"));
        let error = CircuitBreaker::builder().slow_calls(SECOND, rate).build().unwrap_err();
        assert!(matches!(error, BreakerError::SlowRate { .. }), "{error}");
    }
    for factor in [0.0, 0.999, -2.0, f64::NAN, f64::INFINITY] {
        let error = CircuitBreaker::builder().open_time_backoff(factor, Duration::MAX).build().unwrap_err();
        assert!(matches!(error, BreakerError::BackoffFactor { .. }), "{error}");
    }
    assert_eq!(build(|it| it.slow_calls(Duration::ZERO, 0.5)), BreakerError::ZeroSlowCall);
    assert_eq!(build(|it| it.count_window(0)), BreakerError::ZeroCountWindow);
    assert_eq!(build(|it| it.count_window(u32::MAX)), BreakerError::CountWindowTooLong { calls: u32::MAX });
    assert_eq!(build(|it| it.time_window(Duration::ZERO)), BreakerError::ZeroTimeWindow);
    assert_eq!(
        build(|it| it.time_window(Duration::MAX)),
        BreakerError::TimeWindowTooLong { time: Duration::MAX }
    );
    assert_eq!(build(|it| it.minimum_calls(0)), BreakerError::ZeroMinimumCalls);
    assert_eq!(
        build(|it| it.count_window(10).minimum_calls(11)),
        BreakerError::MinimumAboveWindow { minimum: 11, window: 10 }
    );
    assert_eq!(build(|it| it.probes(0)), BreakerError::ZeroProbes);
    assert_eq!(build(|it| it.open_time(Duration::ZERO)), BreakerError::ZeroOpenTime);
    assert_eq!(
        build(|it| it.open_time(2 * SECOND).open_time_backoff(2.0, SECOND)),
        BreakerError::BackoffCap { cap: SECOND, open_time: 2 * SECOND }
    );
}

#[test]
fn settings_at_the_edge_of_the_range_are_taken() {
    let widest = CircuitBreaker::builder()
        .count_window(1_000_000)
        .minimum_calls(1_000_000)
        .failure_rate(1.0)
        .slow_calls(Duration::MAX, 1.0)
        .open_time(Duration::MAX)
        .open_time_backoff(f64::MAX, Duration::MAX)
        .probes(u32::MAX)
        .build();
    succeed(&widest.unwrap());
    let narrowest = CircuitBreaker::builder()
        .count_window(1)
        .failure_rate(f64::MIN_POSITIVE)
        .slow_calls(NANOSECOND, f64::MIN_POSITIVE)
        .open_time(NANOSECOND)
        .open_time_backoff(1.0, NANOSECOND)
        .probes(1)
        .build()
        .unwrap();
    open(&narrowest);
    assert!(CircuitBreaker::builder().time_window(NANOSECOND).minimum_calls(u32::MAX).build().is_ok());
}

#[test]
fn usual_breaker_opens_when_half_of_twenty_calls_have_failed() {
    let breaker = CircuitBreaker::new();
    for _ in 0..10 {
        succeed(&breaker);
        assert_eq!(breaker.report().failure_rate, None, "too few calls for a rate");
        assert_eq!(breaker.state(), BreakerState::Closed);
        fail(&breaker);
    }
    assert_eq!(breaker.state(), BreakerState::Open);
    assert_eq!(breaker.report().failure_rate, Some(0.5));
    assert!(refused(&breaker).wait().unwrap() > 59 * SECOND);
}

#[test]
fn rate_is_reached_when_it_is_exactly_there() {
    // Shares whose product with the number of calls is not the whole number that it should be.
    for (rate, failures, calls) in [(0.55, 55, 100), (0.07, 7, 100), (0.7, 7, 10), (0.29, 29, 100)] {
        let build = || {
            let builder = CircuitBreaker::builder().count_window(calls).minimum_calls(calls);
            builder.failure_rate(rate).build().unwrap()
        };
        for (more, state) in [(0, BreakerState::Open), (1, BreakerState::Closed)] {
            let breaker = build();
            (0..failures - more).for_each(|_| fail(&breaker));
            (failures - more..calls).for_each(|_| succeed(&breaker));
            assert_eq!(breaker.state(), state, "{failures} - {more} of {calls} at {rate}");
        }
    }
}

#[test]
fn success_that_completes_the_minimum_opens_it() {
    let (breaker, _clock) = breaker();
    fail(&breaker);
    fail(&breaker);
    fail(&breaker);
    succeed(&breaker);
    assert_eq!(breaker.state(), BreakerState::Open, "three of four have failed");
}

#[test]
fn count_window_forgets_all_but_the_last_calls() {
    let (breaker, _clock) = breaker();
    for _ in 0..100 {
        fail(&breaker);
        (0..3).for_each(|_| succeed(&breaker));
    }
    assert_eq!(breaker.state(), BreakerState::Closed, "never two of the last four");
    fail(&breaker);
    fail(&breaker);
    assert_eq!(breaker.state(), BreakerState::Open);
}

#[test]
fn time_window_forgets_by_tenths_of_its_time() {
    let clock = ManualClock::new();
    let builder = CircuitBreaker::builder().time_window(10 * SECOND).minimum_calls(2).failure_rate(0.6);
    let breaker = builder.clock(clock.clone()).build().unwrap();
    succeed(&breaker); // in the first tenth
    clock.advance(SECOND);
    fail(&breaker); // in the second
    assert_eq!(breaker.report().failure_rate, Some(0.5));
    clock.advance(just_under(9 * SECOND));
    assert_eq!(breaker.report().failure_rate, Some(0.5));
    clock.advance(NANOSECOND);
    assert_eq!(breaker.report().failure_rate, None, "the success is too old, and one call is not enough");
    succeed(&breaker);
    clock.advance(just_under(SECOND));
    fail(&breaker);
    assert_eq!(breaker.state(), BreakerState::Open, "two of three");
}

#[test]
fn time_window_opens_when_old_successes_are_gone() {
    let clock = ManualClock::new();
    let builder = CircuitBreaker::builder().time_window(10 * SECOND).minimum_calls(2);
    let breaker = builder.clock(clock.clone()).build().unwrap();
    (0..5).for_each(|_| succeed(&breaker));
    clock.advance(5 * SECOND);
    fail(&breaker);
    fail(&breaker);
    assert_eq!(breaker.state(), BreakerState::Closed);
    clock.advance(5 * SECOND);
    succeed(&breaker);
    assert_eq!(breaker.state(), BreakerState::Open, "two of three are left");
}

#[test]
fn slow_calls_open_it_although_they_succeed() {
    let clock = ManualClock::new();
    let breaker = small(&clock).slow_calls(SECOND, 0.75).build().unwrap();
    for (took, failed) in [(SECOND, false), (SECOND + NANOSECOND, false), (2 * SECOND, true)] {
        let permit = breaker.try_acquire().unwrap();
        clock.advance(took);
        if failed { permit.failure() } else { permit.success() }
    }
    assert_eq!(breaker.report().slow, 2, "the first was not longer than a second");
    breaker.try_acquire().unwrap().took(SECOND + NANOSECOND).success();
    assert_eq!(breaker.state(), BreakerState::Open);
    let report = breaker.report();
    assert_eq!((report.slow_rate, report.failure_rate), (Some(0.75), Some(0.25)));
    assert_eq!((report.slow, report.successes, report.failures), (3, 3, 1));
}

#[test]
fn time_that_is_told_takes_the_place_of_the_time_that_passed() {
    let clock = ManualClock::new();
    let breaker = small(&clock).slow_calls(SECOND, 1.0).build().unwrap();
    let permit = breaker.try_acquire().unwrap();
    clock.advance(5 * SECOND);
    permit.took(SECOND).success();
    breaker.try_acquire().unwrap().took(Duration::MAX).success();
    assert_eq!(breaker.report().slow, 1);
}

#[test]
fn slow_probes_open_it_again() {
    let clock = ManualClock::new();
    let breaker = small(&clock).slow_calls(SECOND, 1.0).build().unwrap();
    due(&breaker, &clock);
    breaker.try_acquire().unwrap().took(2 * SECOND).success();
    assert_eq!(breaker.state(), BreakerState::HalfOpen);
    breaker.try_acquire().unwrap().took(2 * SECOND).success();
    assert_eq!((breaker.state(), breaker.report().openings), (BreakerState::Open, 2));
}

#[test]
fn refusal_names_the_instant_from_which_on_probes_are_let_through() {
    let (breaker, clock) = breaker();
    open(&breaker);
    let opened = clock.now();
    clock.advance(3 * SECOND);
    let error = refused(&breaker);
    assert_eq!((error.state(), error.not_before()), (BreakerState::Open, Some(opened + 10 * SECOND)));
    assert_eq!(error.to_string(), "the circuit breaker is open for another 7s");
    clock.advance(just_under(7 * SECOND));
    assert_eq!(refused(&breaker).wait(), Some(NANOSECOND));
    clock.advance(NANOSECOND);
    assert_eq!(breaker.state(), BreakerState::Open, "nobody has called");
    let probe = breaker.try_acquire().unwrap();
    assert_eq!(breaker.state(), BreakerState::HalfOpen);
    probe.success();
}

#[test]
fn probes_are_never_more_than_the_number_at_once_or_in_all() {
    let clock = ManualClock::new();
    let breaker = small(&clock).probes(3).failure_rate(0.5).build().unwrap();
    due(&breaker, &clock);
    let first = breaker.try_acquire().unwrap();
    let second = breaker.try_acquire().unwrap();
    let third = breaker.try_acquire().unwrap();
    assert_eq!(breaker.report().probes, 3);
    let error = refused(&breaker);
    assert_eq!((error.state(), error.not_before(), error.wait()), (BreakerState::HalfOpen, None, None));
    assert_eq!(error.to_string(), "the circuit breaker is half-open, and its probes are taken");
    first.success();
    assert_eq!(refused(&breaker), error, "one that ended is not replaced");
    drop(second);
    let again = breaker.try_acquire().expect("one that counts as nothing is");
    assert_eq!(refused(&breaker), error);
    again.failure();
    assert_eq!(breaker.state(), BreakerState::HalfOpen);
    third.success();
    assert_eq!(breaker.state(), BreakerState::Closed, "one of three has failed");
}

#[test]
fn probes_decide_as_soon_as_those_that_are_left_cannot_change_it() {
    for (fails, state) in [(true, BreakerState::Open), (false, BreakerState::Closed)] {
        let clock = ManualClock::new();
        let breaker = small(&clock).probes(5).failure_rate(0.6).build().unwrap();
        due(&breaker, &clock);
        let hangs: Vec<_> = (0..2).map(|_| breaker.try_acquire().unwrap()).collect();
        for _ in 0..3 {
            assert_eq!(breaker.state(), BreakerState::HalfOpen);
            if fails { fail(&breaker) } else { succeed(&breaker) }
        }
        assert_eq!(breaker.state(), state);
        for probe in hangs {
            probe.failure();
        }
        let report = breaker.report();
        assert_eq!((report.state, report.late), (state, 2));
    }
}

#[test]
fn breaker_that_closes_begins_with_an_empty_window() {
    let (breaker, clock) = breaker();
    due(&breaker, &clock);
    succeed(&breaker);
    succeed(&breaker);
    assert_eq!(breaker.state(), BreakerState::Closed);
    for _ in 0..3 {
        fail(&breaker);
        assert_eq!(breaker.state(), BreakerState::Closed, "the minimum is four");
    }
    fail(&breaker);
    assert_eq!(breaker.state(), BreakerState::Open);
}

#[test]
fn dropped_probes_never_freeze_a_half_open_breaker() {
    let (breaker, clock) = breaker();
    due(&breaker, &clock);
    for _ in 0..100 {
        drop((breaker.try_acquire().unwrap(), breaker.try_acquire().unwrap()));
    }
    assert_eq!((breaker.state(), breaker.report().ignored), (BreakerState::HalfOpen, 100 * 2));
    succeed(&breaker);
    succeed(&breaker);
    assert_eq!(breaker.state(), BreakerState::Closed);
}

#[test]
fn result_of_an_earlier_generation_changes_nothing_but_the_report() {
    let (breaker, clock) = breaker();
    let before: Vec<_> = (0..6).map(|_| breaker.try_acquire().unwrap()).collect();
    let mut before = before.into_iter();
    open(&breaker);
    before.next().unwrap().success();
    assert_eq!(breaker.state(), BreakerState::Open);
    clock.advance(10 * SECOND);
    let probe = breaker.try_acquire().unwrap();
    before.next().unwrap().success();
    before.next().unwrap().failure();
    drop(before.next());
    assert_eq!((breaker.state(), breaker.report().probes), (BreakerState::HalfOpen, 1));
    probe.success();
    succeed(&breaker);
    let closed = breaker.report();
    before.next().unwrap().failure();
    before.next().unwrap().success();
    let report = breaker.report();
    assert_eq!((closed.late, report.late, report.ignored), (3, 5, 1));
    assert_eq!((report.state, report.failures), (BreakerState::Closed, closed.failures));
    assert_eq!(report.calls, report.successes + report.failures + report.ignored + report.late);
}

#[test]
fn late_failure_does_not_end_a_second_half_open_period() {
    let clock = ManualClock::new();
    let breaker = small(&clock).probes(1).build().unwrap();
    due(&breaker, &clock);
    let probe = breaker.try_acquire().unwrap();
    breaker.reset();
    due(&breaker, &clock);
    let second = breaker.try_acquire().unwrap();
    probe.failure();
    assert_eq!(refused(&breaker).state(), BreakerState::HalfOpen, "nor does it free a place");
    second.success();
    assert_eq!((breaker.state(), breaker.report().late), (BreakerState::Closed, 1));
}

#[test]
fn open_time_grows_with_each_opening_in_a_row_up_to_its_cap() {
    let clock = ManualClock::new();
    let breaker = small(&clock).probes(1).open_time_backoff(1.5, 30 * SECOND).build().unwrap();
    open(&breaker);
    for milliseconds in [10_000, 15_000, 22_500, 30_000, 30_000] {
        let wait = Duration::from_millis(milliseconds);
        assert_eq!(refused(&breaker).wait(), Some(wait));
        clock.advance(wait);
        fail(&breaker);
    }
    clock.advance(30 * SECOND);
    succeed(&breaker);
    open(&breaker);
    assert_eq!(refused(&breaker).wait(), Some(10 * SECOND), "it was closed in between");
    assert_eq!(breaker.report().openings, 7);
}

#[test]
fn open_time_without_end_lasts_until_a_reset() {
    let clock = ManualClock::new();
    let build = |builder: CircuitBreakerBuilder| builder.build().unwrap();
    let grown = small(&clock).probes(1).open_time(SECOND).open_time_backoff(f64::MAX, Duration::MAX);
    let breaker = build(small(&clock).open_time(Duration::MAX));
    let growing = build(grown);
    open(&breaker);
    due(&growing, &clock);
    fail(&growing);
    clock.advance(50 * 365 * 24 * 3600 * SECOND);
    for breaker in [breaker, growing] {
        let error = refused(&breaker);
        assert_eq!((error.not_before(), error.wait()), (None, None));
        assert_eq!(error.to_string(), "the circuit breaker is open");
        breaker.reset();
        succeed(&breaker);
    }
}

#[test]
fn forced_open_refuses_all_until_it_is_reset() {
    let (breaker, clock) = breaker();
    let before = breaker.try_acquire().unwrap();
    breaker.force_open();
    clock.advance(1_000_000 * SECOND);
    let error = refused(&breaker);
    assert_eq!((error.state(), error.not_before()), (BreakerState::ForcedOpen, None));
    assert_eq!(error.to_string(), "the circuit breaker is forced open");
    before.success();
    breaker.reset();
    succeed(&breaker);
    let report = breaker.report();
    assert_eq!((report.late, report.refused, report.openings), (1, 1, 0), "that is no opening of its own");
}

#[test]
fn disabled_lets_all_through_and_counts_nothing() {
    let (breaker, _clock) = breaker();
    breaker.disable();
    let during = breaker.try_acquire().unwrap();
    (0..100).for_each(|_| fail(&breaker));
    drop(breaker.try_acquire());
    breaker.reset();
    during.failure();
    assert_eq!((breaker.state(), breaker.report().calls), (BreakerState::Closed, 0));
}

#[test]
fn observe_only_counts_and_never_opens() {
    let (breaker, _clock) = breaker();
    breaker.observe_only();
    (0..100).for_each(|_| fail(&breaker));
    let report = breaker.report();
    assert_eq!(
        (report.state, report.failures, report.failure_rate),
        (BreakerState::ObserveOnly, 100, Some(1.0))
    );
    breaker.reset();
    assert_eq!(breaker.report().failure_rate, None);
}

#[test]
fn state_that_is_asked_for_twice_goes_on_as_it_is() {
    let clock = ManualClock::new();
    let (breaker, log) = logged(small(&clock));
    for set in [CircuitBreaker::force_open, CircuitBreaker::disable, CircuitBreaker::observe_only] {
        set(&breaker);
        let since = breaker.report().since;
        let under_way = breaker.try_acquire();
        clock.advance(SECOND);
        set(&breaker);
        assert_eq!(breaker.report().since, since);
        if let Ok(permit) = under_way {
            permit.success();
        }
    }
    assert_eq!((taken(&log).len(), breaker.report().late), (3, 0));
}

#[test]
fn reset_of_a_closed_breaker_forgets_its_window_and_is_no_change() {
    let clock = ManualClock::new();
    let (breaker, log) = logged(small(&clock));
    (0..3).for_each(|_| fail(&breaker));
    let before = breaker.try_acquire().unwrap();
    clock.advance(SECOND);
    breaker.reset();
    before.failure();
    fail(&breaker);
    let report = breaker.report();
    assert_eq!((report.state, report.late, report.since), (BreakerState::Closed, 1, clock.now()));
    assert_eq!(taken(&log), []);
}

#[test]
fn changes_are_told_in_their_order_with_their_times() {
    use BreakerState::{Closed, Disabled, ForcedOpen, HalfOpen, ObserveOnly, Open};
    let clock = ManualClock::new();
    let start = clock.now();
    let log: Arc<Mutex<Vec<BreakerChange>>> = Arc::default();
    let writer = Arc::clone(&log);
    let builder = small(&clock).on_change(move |change| writer.lock().unwrap().push(*change));
    let breaker = builder.build().unwrap();
    open(&breaker);
    clock.advance(10 * SECOND);
    fail(&breaker); // of two probes, that is enough
    clock.advance(10 * SECOND);
    succeed(&breaker);
    succeed(&breaker);
    clock.advance(SECOND);
    breaker.force_open();
    breaker.disable();
    breaker.observe_only();
    breaker.reset();
    let changes = std::mem::take(&mut *log.lock().unwrap());
    let told: Vec<_> = changes.iter().map(|change| (change.to, (change.at - start).as_secs())).collect();
    let expected = [
        (Open, 0),
        (HalfOpen, 10),
        (Open, 10),
        (HalfOpen, 20),
        (Closed, 20),
        (ForcedOpen, 21),
        (Disabled, 21),
        (ObserveOnly, 21),
        (Closed, 21),
    ];
    assert_eq!(told, expected);
    let mut from = Closed;
    for change in changes {
        assert_eq!(std::mem::replace(&mut from, change.to), change.from);
    }
}

#[test]
fn callback_may_use_the_breaker_and_its_own_change_is_told_after_this_one() {
    use BreakerState::{Closed, Open};
    let clock = ManualClock::new();
    let shared: Arc<OnceLock<CircuitBreaker>> = Arc::default();
    let log = Log::default();
    let (inside, writer) = (Arc::clone(&shared), Arc::clone(&log));
    let builder = small(&clock).on_change(move |change| {
        let breaker = inside.get().expect("it is set before the first change");
        if change.to == Open {
            breaker.reset();
            assert_eq!(breaker.state(), Closed);
        }
        writer.lock().unwrap().push((change.from, change.to));
    });
    let breaker = shared.get_or_init(|| builder.build().unwrap());
    (0..4).for_each(|_| fail(breaker));
    assert_eq!(taken(&log), [(Closed, Open), (Open, Closed)]);
}

#[test]
fn changes_of_others_are_told_by_the_thread_that_tells() {
    let clock = ManualClock::new();
    let (entered, has_entered) = mpsc::channel();
    let (go_on, may_go_on) = mpsc::channel::<()>();
    let may_go_on = Mutex::new(may_go_on);
    let log = Arc::new(Mutex::new(Vec::new()));
    let writer = Arc::clone(&log);
    let builder = small(&clock).on_change(move |change| {
        if change.to == BreakerState::ForcedOpen {
            entered.send(()).unwrap();
            may_go_on.lock().unwrap().recv().unwrap();
        }
        writer.lock().unwrap().push((change.to, thread::current().id()));
    });
    let breaker = builder.build().unwrap();
    let teller = {
        let breaker = breaker.clone();
        thread::Builder::new().spawn(move || breaker.force_open()).unwrap()
    };
    has_entered.recv().unwrap();
    breaker.disable(); // does not wait for the callback
    assert_eq!(breaker.state(), BreakerState::Disabled);
    assert!(log.lock().unwrap().is_empty());
    go_on.send(()).unwrap();
    let id = teller.thread().id();
    teller.join().unwrap();
    assert_eq!(*log.lock().unwrap(), [(BreakerState::ForcedOpen, id), (BreakerState::Disabled, id)]);
}

/// A payload that panics once more when it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        resume_unwind(Box::new("and again"));
    }
}

#[test]
fn panic_of_the_callback_loses_no_state_and_no_later_change() {
    let clock = ManualClock::new();
    let told = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&told);
    let builder = small(&clock).on_change(move |_| {
        if counter.fetch_add(1, SeqCst) < 2 {
            resume_unwind(Box::new(Bomb));
        }
    });
    let breaker = builder.build().unwrap();
    open(&breaker);
    assert_eq!((breaker.state(), told.load(SeqCst)), (BreakerState::Open, 1));
    breaker.force_open();
    breaker.reset();
    assert_eq!(told.load(SeqCst), 3);
    succeed(&breaker);
}

#[test]
fn panic_of_the_callback_during_a_panic_of_the_work_ends_in_one_panic() {
    let clock = ManualClock::new();
    let builder = small(&clock).count_window(1).on_change(|_| resume_unwind(Box::new("callback")));
    let breaker = builder.build().unwrap();
    let work = || breaker.call(|_| -> Result<(), ()> { resume_unwind(Box::new("work")) });
    let payload = catch_unwind(AssertUnwindSafe(work)).unwrap_err();
    assert_eq!(payload.downcast_ref(), Some(&"work"));
    assert_eq!(breaker.state(), BreakerState::Open);
}

#[test]
fn under_the_policy_errors_and_panics_are_failures() {
    let (breaker, _clock) = breaker();
    assert_eq!(breaker.call(|attempt| Ok::<_, ()>(attempt.number())).unwrap(), 1);
    assert!(matches!(breaker.call(|_| Err::<(), _>(7)), Err(PolicyError::Work(7))));
    let work = || breaker.call(|_| -> Result<(), ()> { resume_unwind(Box::new(42)) });
    let payload = catch_unwind(AssertUnwindSafe(work)).unwrap_err();
    assert_eq!(payload.downcast_ref(), Some(&42));
    let report = breaker.report();
    assert_eq!((report.successes, report.failures, report.calls), (1, 2, 3));
    fail(&breaker);
    let mut ran = false;
    let error = breaker.call(|_| {
        ran = true;
        Ok::<_, ()>(())
    });
    let Err(PolicyError::Open(refused)) = error else { panic!("it is open: {error:?}") };
    assert_eq!((refused.wait(), ran), (Some(10 * SECOND), false));
}

#[test]
fn refusals_of_inner_policies_count_as_nothing() {
    let (breaker, clock) = breaker();
    let inner = CircuitBreaker::new();
    inner.force_open();
    let policy = breaker.clone().around(inner);
    for _ in 0..10 {
        assert!(matches!(policy.call(|_| Ok::<_, ()>(())), Err(PolicyError::Open(_))));
    }
    let closed = Semaphore::new(1);
    closed.close();
    let policy = breaker.clone().around(&closed);
    due(&breaker, &clock);
    for _ in 0..10 {
        assert!(matches!(policy.call(|_| Ok::<_, ()>(())), Err(PolicyError::Permits(_))));
    }
    let report = breaker.report();
    assert_eq!((report.state, report.ignored, report.probes), (BreakerState::HalfOpen, 20, 0));
}

#[test]
fn wait_that_is_cancelled_further_in_counts_as_nothing() {
    let (breaker, clock) = breaker();
    let limiter = RateLimiter::builder(1, SECOND).clock(clock).build().unwrap();
    limiter.acquire();
    let token = CancellationToken::new();
    let policy = breaker.clone().around(Cancelling(token.clone())).around(limiter);
    assert!(policy.call_with(&token, |_| Ok::<_, ()>(())).unwrap_err().is_cancelled());
    assert_eq!((breaker.report().ignored, breaker.report().calls), (1, 1));
}

/// Cancels the token when its turn has come.
struct Cancelling(CancellationToken);

impl<E> Policy<E> for Cancelling {
    fn apply<T, F>(&self, attempt: Attempt<'_>, mut work: F) -> Result<T, PolicyError<E>>
    where
        F: FnMut(Attempt<'_>) -> Result<T, PolicyError<E>>,
    {
        self.0.cancel();
        work(attempt)
    }
}

#[test]
fn work_that_is_cancelled_by_hand_is_no_failure_and_one_past_its_deadline_is() {
    let (breaker, _clock) = breaker();
    let token = CancellationToken::new();
    let cancelled = breaker.call_with(&token, |attempt| {
        token.cancel();
        attempt.check().map_err(|_| "stopped")
    });
    assert!(matches!(cancelled, Err(PolicyError::Work("stopped"))));
    assert_eq!((breaker.report().ignored, breaker.report().failures), (1, 0));

    let mut ran = false;
    // Where the time is over before the call, nothing is run or counted.
    while !ran {
        let token = CancellationToken::with_timeout(Duration::from_millis(50));
        let _ = breaker.call_with(&token, |attempt| {
            ran = true;
            attempt.token().expect("it is given").wait();
            attempt.check().map_err(|_| "too late")
        });
    }
    assert_eq!((breaker.report().ignored, breaker.report().failures), (1, 1));
}

#[test]
fn under_a_token_that_is_cancelled_already_nothing_is_run_or_counted() {
    let (breaker, clock) = breaker();
    let token = CancellationToken::new();
    token.cancel();
    due(&breaker, &clock);
    let before = breaker.report();
    let mut ran = false;
    let error = breaker.call_with(&token, |_| {
        ran = true;
        Ok::<_, ()>(())
    });
    assert!(error.unwrap_err().is_cancelled() && !ran);
    assert_eq!(breaker.report(), before);
}

#[test]
fn errors_that_do_not_count_are_successes_and_close_a_half_open_breaker() {
    let (breaker, clock) = breaker();
    let counting = breaker.counting(|status: &u16| *status >= 500);
    due(&breaker, &clock);
    for _ in 0..2 {
        assert!(matches!(counting.call(|_| Err::<(), _>(404)), Err(PolicyError::Work(404))));
    }
    assert_eq!(counting.breaker().state(), BreakerState::Closed);
    (0..4).for_each(|_| drop(counting.call(|_| Err::<(), _>(503))));
    assert!(matches!(counting.call(|_| Err::<(), _>(404)), Err(PolicyError::Open(_))));
}

#[test]
fn predicate_is_not_asked_about_what_is_no_error_of_the_work() {
    let (breaker, _clock) = breaker();
    let counting = breaker.counting(|(): &()| panic!("not asked"));
    let closed = Semaphore::new(1);
    closed.close();
    assert!(counting.call(|_| Ok(())).is_ok());
    assert!(counting.apply(Attempt::first(), |attempt| closed.apply(attempt, |_| Ok(()))).is_err());
    let token = CancellationToken::new();
    let cancelled = counting.call_with(&token, |_| {
        token.cancel();
        Err::<(), _>(())
    });
    assert!(cancelled.is_err());
    assert_eq!((breaker.report().successes, breaker.report().ignored), (1, 2));
}

#[test]
fn panic_of_the_predicate_is_a_failure_and_goes_on() {
    let (breaker, _clock) = breaker();
    let counting = breaker.counting(|(): &()| resume_unwind(Box::new("predicate")));
    let call = || counting.call(|_| Err::<(), _>(()));
    let payload = catch_unwind(AssertUnwindSafe(call)).unwrap_err();
    assert_eq!(payload.downcast_ref(), Some(&"predicate"));
    assert_eq!((breaker.report().failures, breaker.report().calls), (1, 1));
}

#[test]
fn panicking_probe_opens_it_again_and_the_next_half_open_period_has_all_its_places() {
    let (breaker, clock) = breaker();
    due(&breaker, &clock);
    let work = || breaker.call(|_| -> Result<(), ()> { resume_unwind(Box::new(())) });
    assert!(catch_unwind(AssertUnwindSafe(work)).is_err());
    assert_eq!(breaker.state(), BreakerState::Open);
    clock.advance(10 * SECOND);
    let probes = (breaker.try_acquire().unwrap(), breaker.try_acquire().unwrap());
    assert_eq!(refused(&breaker).state(), BreakerState::HalfOpen);
    drop(probes);
}

#[test]
fn permit_that_is_dropped_by_a_panic_counts_as_nothing() {
    let (breaker, _clock) = breaker();
    let call = || {
        let _permit = breaker.try_acquire().unwrap();
        resume_unwind(Box::new(()));
    };
    assert!(catch_unwind(AssertUnwindSafe(call)).is_err());
    assert_eq!((breaker.report().ignored, breaker.report().failures), (1, 0));
}

#[test]
fn clones_are_one_breaker_and_permits_keep_it_alive() {
    let (breaker, _clock) = breaker();
    let other = breaker.clone();
    let permit = breaker.try_acquire().unwrap();
    drop(breaker);
    permit.failure();
    assert_eq!(other.report().failures, 1);
    let permit = other.try_acquire().unwrap();
    drop(other);
    permit.success();
}

#[test]
fn calls_of_many_threads_are_all_counted() {
    const CALLS: u64 = if cfg!(miri) { 20 } else { 2000 };
    let breaker = CircuitBreaker::builder().count_window(10).slow_calls(SECOND, 1.0).build().unwrap();
    breaker.observe_only();
    thread::scope(|scope| {
        for thread in 0..4 {
            let breaker = &breaker;
            scope.spawn(move || {
                for call in 0..CALLS {
                    let _ = breaker.call(|_| if (call + thread) % 2 == 0 { Ok(()) } else { Err(()) });
                    drop(breaker.try_acquire());
                }
            });
        }
    });
    let report = breaker.report();
    assert_eq!((report.successes, report.failures, report.ignored), (CALLS * 2, CALLS * 2, CALLS * 4));
}

#[test]
fn call_that_is_cancelled_when_it_is_slow_already_is_a_slow_call() {
    let clock = ManualClock::new();
    let breaker = small(&clock).slow_calls(SECOND, 1.0).build().unwrap();
    let lose_after = |time| {
        let token = CancellationToken::new();
        let lost = breaker.call_with(&token, |attempt| {
            clock.advance(time);
            token.cancel();
            attempt.check().map_err(|_| "stopped")
        });
        assert!(matches!(lost, Err(PolicyError::Work("stopped"))));
    };
    lose_after(SECOND);
    let report = breaker.report();
    assert_eq!((report.ignored, report.abandoned, report.slow), (1, 0, 0), "not longer than a second");
    (0..4).for_each(|_| lose_after(SECOND + NANOSECOND));
    let report = breaker.report();
    assert_eq!((report.state, report.abandoned, report.slow), (BreakerState::Open, 4, 4));
    assert_eq!((report.failures, report.successes, report.calls), (0, 0, 5));
    assert_eq!((report.failure_rate, report.slow_rate), (Some(0.0), Some(1.0)));
}

#[test]
fn breaker_whose_probes_never_come_back_opens_again_if_that_is_set() {
    let clock = ManualClock::new();
    let breaker = small(&clock).longest_half_open(5 * SECOND).build().unwrap();
    due(&breaker, &clock);
    let first = breaker.try_acquire().unwrap();
    clock.advance(100 * SECOND);
    let second = breaker.try_acquire().expect("a place is left");
    let error = refused(&breaker);
    assert_eq!((error.state(), error.wait()), (BreakerState::Open, Some(10 * SECOND)), "now all are taken");
    assert_eq!(breaker.report().openings, 2);
    first.success();
    second.success();
    assert_eq!((breaker.state(), breaker.report().late), (BreakerState::Open, 2));
    clock.advance(10 * SECOND);
    let _held = (breaker.try_acquire().unwrap(), breaker.try_acquire().unwrap());
    clock.advance(just_under(5 * SECOND));
    assert_eq!(refused(&breaker).state(), BreakerState::HalfOpen);
    clock.advance(NANOSECOND);
    assert_eq!(refused(&breaker).state(), BreakerState::Open);

    let (without, clock) = self::breaker();
    due(&without, &clock);
    let _held = (without.try_acquire().unwrap(), without.try_acquire().unwrap());
    clock.advance(1_000_000 * SECOND);
    assert_eq!(refused(&without).state(), BreakerState::HalfOpen);
    let zero = CircuitBreaker::builder().longest_half_open(Duration::ZERO).build().unwrap_err();
    assert_eq!(zero, BreakerError::ZeroHalfOpen);
}

/// What was told, by which thread.
type Told = Arc<Mutex<Vec<(BreakerChange, thread::ThreadId)>>>;

/// Holds its first callback up, makes `changes` meanwhile, and lets go; what was told then, and the thread that began.
fn held_up(changes: usize) -> (CircuitBreaker, Vec<(BreakerChange, thread::ThreadId)>, thread::ThreadId) {
    let (entered, has_entered) = mpsc::channel();
    let (go_on, may_go_on) = mpsc::channel::<()>();
    let may_go_on = Mutex::new(may_go_on);
    let told = Told::default();
    let writer = Arc::clone(&told);
    let builder = small(&ManualClock::new()).on_change(move |change| {
        if change.to == BreakerState::ForcedOpen {
            entered.send(()).expect("the other side is there");
            may_go_on.lock().expect("no panic").recv().expect("the other side is there");
        }
        writer.lock().expect("no panic").push((*change, thread::current().id()));
    });
    let breaker = builder.build().expect("sound settings");
    let teller = {
        let breaker = breaker.clone();
        thread::Builder::new().spawn(move || breaker.force_open()).expect("the other side is there")
    };
    has_entered.recv().expect("the other side is there");
    for number in 0..changes {
        if number % 2 == 0 { breaker.disable() } else { breaker.observe_only() }
    }
    let report = breaker.report();
    assert_eq!((report.untold_changes as u64 + report.omitted_changes), 1 + changes as u64);
    go_on.send(()).expect("the other side is there");
    let began = teller.thread().id();
    teller.join().expect("no panic");
    while breaker.report().untold_changes > 0 {
        thread::yield_now();
    }
    let told = std::mem::take(&mut *told.lock().expect("no panic"));
    (breaker, told, began)
}

#[test]
fn call_tells_so_many_changes_and_a_thread_of_its_own_the_rest() {
    let (breaker, told, began) = held_up(20);
    assert_eq!(told.len(), 21);
    assert!(told.windows(2).all(|pair| pair[0].0.to == pair[1].0.from), "in their order: {told:?}");
    assert!(told[..8].iter().all(|(_, by)| *by == began), "the caller tells eight");
    assert!(told[8..].iter().all(|(_, by)| *by != began && *by != thread::current().id()));
    assert_eq!(breaker.report().omitted_changes, 0);
}

#[test]
fn changes_that_come_too_fast_to_be_told_are_omitted_and_counted() {
    let (breaker, told, _) = held_up(1000);
    assert_eq!((told.len(), breaker.report().omitted_changes), (1 + 256, 1000 - 256));
    assert_eq!(told[256].0.to, breaker.state(), "the latest are told");
    let told: Vec<_> = told[1..].iter().map(|(change, _)| change).collect();
    assert!(told.windows(2).all(|pair| pair[0].to == pair[1].from));
}
