//! The rate limiter's limit, for any sequence of calls: never above it in any window, and never below what it allows.
#![cfg(not(any(gristmill_shuttle, gristmill_loom)))]

use std::time::{Duration, Instant};

use gristmill::{Clock, ManualClock, RateLimiter, Reservation};
use proptest::prelude::*;

#[path = "support/windows.rs"]
mod windows;
use windows::{Kept, Limit};

const NANOSECOND: Duration = Duration::from_nanos(1);

fn limiter(limit: Limit, clock: &ManualClock) -> RateLimiter {
    let builder = RateLimiter::builder(limit.permits, Duration::from_nanos(limit.per));
    builder.burst(limit.burst).clock(clock.clone()).build().expect("they are in range")
}

fn settings() -> impl Strategy<Value = Limit> {
    (1..12_u32, 0..60_u64, 1..9_u32).prop_map(|(permits, more, burst)| Limit {
        permits,
        per: u64::from(permits) + more,
        burst,
    })
}

#[derive(Clone, Debug)]
enum Step {
    Take(u32),
    Reserve(u32),
    /// Gives the i-th reservation back, or keeps it.
    Settle(usize, bool),
    /// In nanoseconds.
    Advance(u64),
    /// To the instant that the last refusal named, where the same must succeed.
    AdvanceToRefused,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => (1..6_u32).prop_map(Step::Take),
        2 => (1..6_u32).prop_map(Step::Reserve),
        2 => (any::<usize>(), any::<bool>()).prop_map(|(which, keep)| Step::Settle(which, keep)),
        2 => (0..40_u64).prop_map(Step::Advance),
        3 => Just(Step::AdvanceToRefused),
    ];
    prop::collection::vec(step, 0..120)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_window_sees_more_than_the_limit(settings in settings(), steps in steps()) {
        let clock = ManualClock::new();
        let limiter = limiter(settings, &clock);
        let mut kept = Kept::default();
        let mut reservations: Vec<(Instant, Reservation)> = Vec::new();
        let mut refused = None;
        for step in steps {
            match step {
                Step::Take(permits) => match limiter.try_acquire_many(permits) {
                    Ok(()) => kept.0.push((clock.now(), permits)),
                    Err(error) => refused = error.not_before().map(|at| (at, permits)).or(refused),
                },
                Step::Reserve(permits) => match limiter.try_reserve(permits) {
                    Ok(reservation) => reservations.push((clock.now(), reservation)),
                    Err(error) => refused = error.not_before().map(|at| (at, permits)).or(refused),
                },
                Step::Settle(which, keep) if !reservations.is_empty() => {
                    let (taken, reservation) = reservations.swap_remove(which % reservations.len());
                    if keep {
                        kept.0.push((taken, reservation.permits()));
                        reservation.commit();
                    }
                }
                Step::Settle(..) => {}
                Step::Advance(nanoseconds) => clock.advance(Duration::from_nanos(nanoseconds)),
                Step::AdvanceToRefused => clock.advance_to(refused.map_or(clock.now(), |(at, _)| at)),
            }
        }
        kept.0.extend(reservations.into_iter().map(|(taken, reservation)| {
            let permits = reservation.permits();
            reservation.commit();
            (taken, permits)
        }));
        kept.check(settings)?;
    }

    #[test]
    fn refusal_names_the_first_instant_at_which_it_succeeds(
        settings in settings(),
        calls in prop::collection::vec((1..9_u32, 0..50_u64), 1..100),
    ) {
        let clock = ManualClock::new();
        let limiter = limiter(settings, &clock);
        for (permits, pause) in calls {
            clock.advance(Duration::from_nanos(pause));
            let permits = permits.min(settings.burst);
            if let Err(error) = limiter.try_acquire_many(permits) {
                let due = error.not_before().expect("it is within the burst");
                prop_assert!(due > clock.now());
                clock.advance((due - clock.now()).saturating_sub(NANOSECOND));
                prop_assert!(limiter.try_acquire_many(permits).is_err(), "{permits} too early with {settings:?}");
                clock.advance(NANOSECOND);
                prop_assert!(limiter.try_acquire_many(permits).is_ok(), "{permits} too late with {settings:?}");
            }
        }
    }

    /// Whole nanoseconds between two permits: then the limit allows exactly what keeps every window, and refuses nothing else.
    #[test]
    fn whatever_the_windows_allow_is_granted(
        (spacing, burst) in (1..20_u64, 1..9_u32),
        calls in prop::collection::vec((1..9_u32, 0..30_u64), 1..150),
    ) {
        let settings = Limit { permits: 1, per: spacing, burst };
        let clock = ManualClock::new();
        let limiter = limiter(settings, &clock);
        let mut kept: Vec<(Instant, u32)> = Vec::new();
        for (permits, pause) in calls {
            clock.advance(Duration::from_nanos(pause));
            let mut sum = u128::from(permits);
            let mut allowed = permits <= burst;
            for (taken, permits) in kept.iter().rev() {
                sum += u128::from(*permits);
                let window = (clock.now() - *taken).as_nanos() + 1;
                allowed &= sum <= settings.most(window);
            }
            prop_assert_eq!(limiter.try_acquire_many(permits).is_ok(), allowed);
            if allowed {
                kept.push((clock.now(), permits));
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn saturated_it_is_not_below_the_rate_however_coarsely_the_clock_moves(
        settings in settings(),
        steps in prop::collection::vec(0..30_u64, 500),
    ) {
        // The burst makes up for steps of up to the time of one permit less.
        let longest = (u64::from(settings.burst) - 1) * settings.per / u64::from(settings.permits);
        let clock = ManualClock::new();
        let limiter = limiter(settings, &clock);
        let start = clock.now();
        let mut taken = 0_u128;
        for step in steps {
            while limiter.try_acquire().is_ok() {
                taken += 1;
            }
            clock.advance(Duration::from_nanos(step.min(longest)));
        }
        while limiter.try_acquire().is_ok() {
            taken += 1;
        }
        let passed = (clock.now() - start).as_nanos();
        let exact = u128::from(settings.burst) + passed * u128::from(settings.permits) / u128::from(settings.per);
        prop_assert_eq!(taken, exact, "{:?} in {} ns", settings, passed);
    }
}
