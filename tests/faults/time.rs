//! Time that stands still, creeps, jumps by hours, or to the end of what a clock can say: nothing hangs, nothing panics, and nothing goes
//! through too early, or stays behind.

use std::time::Duration;

use gristmill::pool::adaptive::{Controller, Sample};
use gristmill::{
    AdaptiveSize, Backoff, BreakerState, CancellationToken, Cancelled, CircuitBreaker, Clock, Jitter,
    KeyedRateLimiter, ManualClock, Nest, ObjectPool, Policy, PolicyError, RateLimited, RateLimiter, Retry,
    Semaphore, TimeLimit, Timer,
};

use super::support::{LONG, Ledger, alone, step, until};

const NANOSECOND: Duration = Duration::from_nanos(1);
const HOUR: Duration = Duration::from_secs(3600);

/// How long something is to take, on a clock that is moved by hand.
const SPANS: [Duration; 7] = [
    NANOSECOND,
    Duration::from_nanos(999),
    Duration::from_secs(1),
    HOUR,
    Duration::from_secs(300 * 366 * 24 * 3600),
    Duration::from_secs(600 * 366 * 24 * 3600),
    Duration::MAX,
];

/// As far as the clock goes, or nearly.
fn farthest(clock: &ManualClock) -> Duration {
    let halves = std::iter::successors(Some(Duration::MAX), |far| Some(*far / 2));
    let reached = halves.into_iter().find(|far| clock.now().checked_add(*far).is_some());
    reached.expect("it can be moved at all")
}

/// The ways in which a clock is moved, around a span of time.
fn ways(span: Duration, farthest: Duration) -> Vec<Vec<Duration>> {
    let span = span.min(farthest / 4);
    let before = span.saturating_sub(NANOSECOND);
    vec![
        vec![Duration::ZERO; 3],
        vec![NANOSECOND; 3],
        vec![before, Duration::ZERO, NANOSECOND, NANOSECOND],
        vec![span],
        vec![span + NANOSECOND],
        vec![span / 7; 9],
        vec![HOUR; 3],
        vec![before, span * 2],
        vec![farthest],
        vec![farthest / 2, farthest / 4],
    ]
}

/// Whether it has passed.
type Ask = Box<dyn FnMut() -> bool>;

/// Something that passes when its span is over: asked after each move of the clock.
struct Passing {
    name: &'static str,
    /// Sets it up, and says how to ask.
    begin: fn(&ManualClock, Duration) -> Option<Ask>,
    /// What is longer is refused, or counts as for ever.
    longest: Duration,
}

/// The clocks of some count nanoseconds in 64 bits.
const SIXTY_FOUR_BITS: Duration = Duration::from_nanos(u64::MAX);

fn passings() -> Vec<Passing> {
    vec![
        Passing {
            name: "rate",
            begin: |clock, span| {
                let rate = RateLimiter::builder(1, span).clock(clock.clone()).build().ok()?;
                rate.try_acquire().expect("the burst");
                Some(Box::new(move || rate.try_acquire().is_ok()))
            },
            longest: SIXTY_FOUR_BITS,
        },
        Passing {
            name: "rate of a key",
            begin: |clock, span| {
                let rate = KeyedRateLimiter::builder(1, span, 9).clock(clock.clone()).build().ok()?;
                rate.try_acquire("key").expect("the burst");
                Some(Box::new(move || {
                    _ = rate.try_acquire("other");
                    rate.try_acquire("key").is_ok()
                }))
            },
            longest: SIXTY_FOUR_BITS,
        },
        Passing {
            name: "timer",
            begin: |clock, span| {
                let timer = Timer::after_on(span, clock.clone());
                Some(Box::new(move || timer.is_finished()))
            },
            longest: Duration::MAX,
        },
        Passing {
            name: "open breaker",
            begin: |clock, span| {
                let breaker = CircuitBreaker::builder()
                    .count_window(1)
                    .minimum_calls(1)
                    .failure_rate(0.5)
                    .open_time(span)
                    .clock(clock.clone())
                    .build()
                    .expect("settings");
                let failed: Result<(), PolicyError<u8>> = breaker.call(|_| Err(1));
                failed.expect_err("it fails");
                assert_eq!(breaker.state(), BreakerState::Open);
                Some(Box::new(move || breaker.call(|_| Ok::<_, u8>(())).is_ok()))
            },
            longest: SIXTY_FOUR_BITS,
        },
        Passing {
            name: "idle object",
            begin: |clock, span| {
                let objects = ObjectPool::builder(1, || 1).max_idle(span).clock(clock.clone()).build();
                let objects = objects.expect("a capacity");
                objects.prefill(1).expect("room");
                Some(Box::new(move || objects.evict_expired() > 0))
            },
            longest: SIXTY_FOUR_BITS,
        },
        Passing {
            name: "failures of a while ago",
            begin: |clock, span| {
                let breaker = CircuitBreaker::builder()
                    .time_window(span)
                    .minimum_calls(2)
                    .failure_rate(0.5)
                    .clock(clock.clone())
                    .build();
                let breaker = breaker.ok()?;
                let failed: Result<(), PolicyError<u8>> = breaker.call(|_| Err(1));
                failed.expect_err("it fails");
                Some(Box::new(move || {
                    breaker.report().failure_rate.is_none() && breaker.report().failures == 1
                }))
            },
            longest: Duration::ZERO, // not at the instant, but within a tenth of it
        },
    ]
}

#[test]
fn nothing_passes_before_its_time_or_stays_behind_however_time_jumps() {
    alone("time::nothing_passes_before_its_time_or_stays_behind_however_time_jumps", || {
        for passing in passings() {
            for span in SPANS {
                for (way, moves) in ways(span, farthest(&ManualClock::new())).into_iter().enumerate() {
                    step(&format!("{}, {span:?}, way {way}", passing.name));
                    let clock = ManualClock::new();
                    let Some(mut passes) = (passing.begin)(&clock, span) else {
                        assert!(span > SIXTY_FOUR_BITS, "{} of {span:?} is refused", passing.name);
                        continue;
                    };
                    let mut gone = Duration::ZERO;
                    for by in moves {
                        clock.advance(by);
                        gone += by;
                        let has = passes();
                        let never = span > passing.longest;
                        let what = format!("{}, way {way}: {gone:?} of {span:?}", passing.name);
                        if passing.longest.is_zero() {
                            continue; // asked, and did not panic
                        }
                        assert!(!has || gone >= span, "too early: {what}");
                        assert!(has || gone < span || never, "it stays behind: {what}");
                        if has {
                            break;
                        }
                    }
                }
            }
        }
    });
}

/// A wait on a clock, and what it gives: when it was over, or who ended it.
type Waited = Result<(), Cancelled>;

/// Something that waits for its span, in a thread.
struct Waiting {
    name: &'static str,
    wait: fn(&ManualClock, Duration, &CancellationToken) -> Waited,
}

fn rate_answer(answer: Result<(), RateLimited>) -> Waited {
    answer.map_err(|error| match error {
        RateLimited::Cancelled(cancelled) => cancelled,
        other => panic!("{other:?}"),
    })
}

fn policy_answer<E: std::fmt::Debug>(answer: Result<(), PolicyError<E>>) -> Waited {
    answer.map_err(|error| error.cancelled().unwrap_or_else(|| panic!("{error:?}")).clone())
}

fn waitings() -> Vec<Waiting> {
    vec![
        Waiting {
            name: "rate",
            wait: |clock, span, token| {
                let rate = RateLimiter::builder(1, span).clock(clock.clone()).build().expect("a rate");
                rate.try_acquire().expect("the burst");
                rate_answer(rate.acquire_with(token))
            },
        },
        Waiting {
            name: "rate of a key",
            wait: |clock, span, token| {
                let rate =
                    KeyedRateLimiter::builder(1, span, 1).clock(clock.clone()).build().expect("a rate");
                rate.try_acquire("key").expect("the burst");
                rate_answer(rate.acquire_with("key", token))
            },
        },
        Waiting {
            name: "entry of a rate",
            wait: |clock, span, token| {
                let rate = RateLimiter::builder(1, span).clock(clock.clone()).build().expect("a rate");
                rate.try_acquire().expect("the burst");
                policy_answer(rate.entry(1, Duration::MAX).call_with(token, |_| Ok::<_, u8>(())))
            },
        },
        Waiting {
            name: "pause of a retry",
            wait: |clock, span, token| {
                let retry = Retry::builder()
                    .attempts(2)
                    .backoff(Backoff::Constant(span))
                    .longest_delay(Duration::MAX)
                    .jitter(Jitter::None)
                    .clock(clock.clone())
                    .build()
                    .expect("settings");
                let work =
                    |attempt: gristmill::Attempt<'_>| if attempt.number() == 1 { Err(1) } else { Ok(()) };
                policy_answer(retry.call_with(token, work))
            },
        },
        Waiting {
            name: "timer",
            wait: |clock, span, token| {
                let timer = Timer::after_on(span, clock.clone());
                timer.wait_with(token).unwrap_or_else(|early| Err(early.cause().clone()))
            },
        },
        Waiting {
            name: "time limit around a semaphore that is held",
            wait: |clock, span, token| {
                let permits = Semaphore::new(1);
                let held = permits.acquire().expect("free");
                let limit = TimeLimit::new(span).clock(clock.clone()).around(&permits);
                let late: Result<(), PolicyError<u8>> =
                    limit.call_with(token, |_| unreachable!("nothing gives it back"));
                drop(held);
                match late {
                    Err(PolicyError::TimedOut { .. }) => Ok(()),
                    Err(error) => Err(error.cancelled().unwrap_or_else(|| panic!("{error:?}")).clone()),
                    Ok(()) => unreachable!("it did not run"),
                }
            },
        },
    ]
}

#[test]
fn no_wait_ends_before_its_time_or_hangs_however_time_jumps() {
    alone("time::no_wait_ends_before_its_time_or_hangs_however_time_jumps", || {
        for waiting in waitings() {
            let is_taken = |span: &Duration| *span <= SIXTY_FOUR_BITS || !waiting.name.contains("rate");
            for span in SPANS.into_iter().filter(is_taken) {
                for (way, moves) in ways(span, farthest(&ManualClock::new())).into_iter().enumerate() {
                    let what = format!("wait: {}, {span:?}, way {way}", waiting.name);
                    step(&what);
                    jump_under(&waiting, span, moves, &what);
                }
            }
        }
    });
}

/// Moves the clock while `waiting` waits. If its time has not come then, it is still there, and a cancel ends it.
fn jump_under(waiting: &Waiting, span: Duration, moves: Vec<Duration>, what: &str) {
    let (clock, token) = (ManualClock::new(), CancellationToken::new());
    // Not before it has read the clock: it counts from there, at the earliest.
    let begun = clock.now();
    let ended = std::thread::scope(|scope| {
        let (clock, token) = (&clock, &token);
        let wait = waiting.wait;
        let waits = scope.spawn(move || (wait(clock, span, token), clock.now()));
        // Whoever waits for no instant of this clock waits for its moves, or its token, and is not counted.
        let counted = clock.now().checked_add(span).is_some() && !waiting.name.starts_with("time");
        if counted {
            until(what, || clock.waiting() == 1 || waits.is_finished());
        }
        let mut gone = Duration::ZERO;
        for by in moves {
            clock.advance(by);
            gone += by;
            assert!(gone >= span || !waits.is_finished(), "too early: {what}, after {gone:?}");
        }
        if gone < span || !counted {
            token.cancel_with("enough");
        }
        let (answer, now) = waits.join().expect("no panic");
        if gone >= span && counted {
            answer.as_ref().expect("its time has come");
        }
        answer.is_ok().then_some(now)
    });
    if let Some(now) = ended {
        assert!(now.duration_since(begun) >= span, "too early: {what}");
    }
}

#[test]
fn controller_stays_in_its_bounds_however_time_jumps() {
    alone("time::controller_stays_in_its_bounds_however_time_jumps", || {
        let spans = [Duration::ZERO, NANOSECOND, Duration::from_millis(100), HOUR, Duration::MAX];
        for setting in spans {
            let size = AdaptiveSize::between(1, 4).tick(setting).grow_after(setting).shrink_after(setting);
            let size = size.judge_within(setting).remember(setting);
            let Ok(mut controller) = Controller::new(size) else { continue };
            let mut workers = 1;
            for round in 0..200_usize {
                let measured = Sample {
                    elapsed: spans[round % spans.len()],
                    workers,
                    queued: [0, 100, usize::MAX][round % 3],
                    busy_milli: [0, 1000, u64::MAX][round % 3],
                    started: [0, 7, u64::MAX][(round / 3) % 3],
                };
                workers = controller.decide(&measured);
                assert!((1..=4).contains(&workers), "{workers} after {measured:?} with {setting:?}");
            }
        }
    });
}

#[test]
fn deadlines_and_timeouts_at_both_ends_of_time_are_taken_as_they_are() {
    alone("time::deadlines_and_timeouts_at_both_ends_of_time_are_taken_as_they_are", || {
        let ledger = Ledger::default();
        for span in [Duration::ZERO, Duration::MAX] {
            let is_over = span.is_zero();
            step(&format!("{span:?}"));
            let token = CancellationToken::with_timeout(span);
            assert_eq!((token.is_cancelled(), token.deadline().is_some()), (is_over, is_over));
            assert_eq!(token.child_with_timeout(Duration::MAX).is_cancelled(), is_over);
            let permits = Semaphore::new(1);
            assert!(permits.acquire_timeout(span).is_ok(), "it is free");
            assert_eq!(permits.acquire_with(&token).is_err(), is_over);
            let counts = ledger.clone();
            let objects = ObjectPool::builder(1, move || counts.item(0)).max_idle(span).build();
            drop(objects.expect("a capacity").take_timeout(span).expect("it is free"));
            let retry =
                Retry::builder().attempts(2).longest_delay(span).backoff(Backoff::Constant(Duration::ZERO));
            let worked: Result<(), PolicyError<u8>> = retry.build().expect("settings").call(|_| Err(1));
            worked.expect_err("both attempts fail");
            let limit = TimeLimit::new(span);
            let saw = limit
                .call(|attempt| Ok::<_, u8>(attempt.token().is_some_and(CancellationToken::is_cancelled)));
            assert_eq!(saw.expect("a value that is late is a value"), is_over);
            let pool = gristmill::ThreadPool::builder().workers(1).build().expect("settings");
            let handle = pool.submit_timeout(|| 7, span).unwrap_or_else(|_| panic!("room"));
            let value = handle.wait_timeout(span).unwrap_or_else(|handle| {
                assert!(is_over, "for ever is over");
                handle.wait()
            });
            assert_eq!(value.expect("no panic"), 7);
            assert!(pool.wait_timeout(LONG.max(span)).is_ok());
            assert!(pool.shutdown(gristmill::Shutdown::DrainFor(LONG.max(span))).is_complete());
            for longest in [NANOSECOND, span] {
                let items = (0..7).map(|number| ledger.item(number));
                let pipeline = gristmill::Pipeline::from_iter(items).batch(3).batch_timeout(longest);
                let mut count = 0;
                let report = pipeline.for_each("count", |batch: Vec<_>| count += batch.len());
                let ended = report.run(&CancellationToken::with_timeout(Duration::MAX));
                assert_eq!((ended.expect("no end in sight").read(), count), (7, 7));
            }
        }
        assert_eq!(ledger.live(), 0);
    });
}
