//! The rate limiter by keys against a model without a bound, for any sequence of calls: no key is ever above its limit, nothing is
//! lost with a key that is forgotten, and no more keys are kept than are allowed.
#![cfg(not(any(gristmill_shuttle, gristmill_loom)))]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use gristmill::{Clock, KeyedRateLimiter, ManualClock, RateLimited, Reservation};
use proptest::prelude::*;

#[path = "support/windows.rs"]
mod windows;
use windows::{Kept, Limit};

#[derive(Clone, Copy, Debug)]
struct Settings {
    /// Of each key.
    limit: Limit,
    most_keys: usize,
}

fn settings() -> impl Strategy<Value = Settings> {
    (1..8_u32, 0..40_u64, 1..5_u32, 1..6_usize).prop_map(|(permits, more, burst, most_keys)| {
        let limit = Limit { permits, per: u64::from(permits) + more, burst };
        Settings { limit, most_keys }
    })
}

#[derive(Clone, Debug)]
enum Step {
    Take(u8, u32),
    Reserve(u8, u32),
    /// Gives the i-th reservation back, or keeps it.
    Settle(usize, bool),
    /// A wait that does not wait.
    TakeInTime(u8, u32),
    /// In nanoseconds.
    Advance(u64),
    /// To the instant that the last refusal named, where the same must succeed.
    AdvanceToRefused,
}

fn steps(keys: u8) -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0..keys, 1..5_u32).prop_map(|(key, permits)| Step::Take(key, permits)),
        1 => (0..keys, 1..5_u32).prop_map(|(key, permits)| Step::Reserve(key, permits)),
        1 => (0..keys, 1..5_u32).prop_map(|(key, permits)| Step::TakeInTime(key, permits)),
        1 => (any::<usize>(), any::<bool>()).prop_map(|(which, keep)| Step::Settle(which, keep)),
        2 => (0..30_u64).prop_map(Step::Advance),
        2 => Just(Step::AdvanceToRefused),
    ];
    prop::collection::vec(step, 0..200)
}

/// What was asked for and refused, and when it has to succeed.
type Refused = Option<(Instant, u8, u32)>;

struct Run {
    clock: ManualClock,
    limiter: KeyedRateLimiter<u8>,
    kept: BTreeMap<u8, Kept>,
    refused: Refused,
}

impl Run {
    fn new(settings: Settings) -> Self {
        let clock = ManualClock::new();
        let per = Duration::from_nanos(settings.limit.per);
        let builder = KeyedRateLimiter::builder(settings.limit.permits, per, settings.most_keys);
        let limiter =
            builder.burst(settings.limit.burst).clock(clock.clone()).build().expect("they are in range");
        Self { clock, limiter, kept: BTreeMap::new(), refused: None }
    }

    fn take(&mut self, key: u8, permits: u32, result: Result<(), RateLimited>) {
        match result {
            Ok(()) => self.keep(key, self.clock.now(), permits),
            Err(error) => self.refuse(key, permits, &error),
        }
    }

    fn keep(&mut self, key: u8, at: Instant, permits: u32) {
        self.kept.entry(key).or_default().0.push((at, permits));
    }

    fn refuse(&mut self, key: u8, permits: u32, error: &RateLimited) {
        self.refused = error.not_before().map(|at| (at, key, permits)).or(self.refused);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_window_of_a_key_sees_more_than_the_limit_and_no_more_keys_are_kept_than_allowed(
        settings in settings(),
        steps in steps(9),
    ) {
        let mut run = Run::new(settings);
        let mut reservations: Vec<(u8, Instant, Reservation)> = Vec::new();
        for step in steps {
            match step {
                Step::Take(key, permits) => {
                    let result = run.limiter.try_acquire_many(&key, permits);
                    run.take(key, permits, result);
                }
                Step::TakeInTime(key, permits) => {
                    let result = run.limiter.acquire_many_timeout(&key, permits, Duration::ZERO);
                    run.take(key, permits, result);
                }
                Step::Reserve(key, permits) => match run.limiter.try_reserve(&key, permits) {
                    Ok(reservation) => reservations.push((key, run.clock.now(), reservation)),
                    Err(error) => run.refuse(key, permits, &error),
                },
                Step::Settle(which, keep) if !reservations.is_empty() => {
                    let (key, taken, reservation) = reservations.swap_remove(which % reservations.len());
                    if keep {
                        run.keep(key, taken, reservation.permits());
                        reservation.commit();
                    }
                }
                Step::Settle(..) => {}
                Step::Advance(nanoseconds) => run.clock.advance(Duration::from_nanos(nanoseconds)),
                Step::AdvanceToRefused => {
                    if let Some((at, key, permits)) = run.refused.take().filter(|(at, ..)| *at >= run.clock.now()) {
                        run.clock.advance_to(at);
                        // Others may have taken since: then it is refused anew, for a later instant.
                        let result = run.limiter.try_acquire_many(&key, permits);
                        prop_assert!(result.as_ref().err().and_then(RateLimited::not_before).is_none_or(|next| next > at));
                        run.take(key, permits, result);
                    }
                }
            }
            prop_assert!(run.limiter.report().keys <= settings.most_keys);
        }
        for (key, taken, reservation) in reservations {
            run.keep(key, taken, reservation.permits());
            reservation.commit();
        }
        for kept in run.kept.values_mut() {
            kept.check(settings.limit)?;
        }
    }

    /// Whole nanoseconds between two permits: then the limit allows exactly what keeps every window. So a key is refused only for that, or for
    /// want of room, and that only when each key that was used last is still paying off.
    #[test]
    fn whatever_the_windows_of_a_key_allow_is_granted_if_there_is_room(
        (spacing, burst, most_keys) in (1..20_u64, 1..5_u32, 1..6_usize),
        calls in prop::collection::vec((0..9_u8, 1..5_u32, 0..12_u64), 1..300),
    ) {
        let settings = Settings { limit: Limit { permits: 1, per: spacing, burst }, most_keys };
        let run = Run::new(settings);
        let start = run.clock.now();
        // When each key has paid off all it took, in nanoseconds: one number, and no key is forgotten.
        let mut paid_off: BTreeMap<u8, u64> = BTreeMap::new();
        for (key, permits, pause) in calls {
            run.clock.advance(Duration::from_nanos(pause));
            let now = u64::try_from((run.clock.now() - start).as_nanos()).expect("not so long");
            let paying = paid_off.iter().filter(|(other, at)| **other != key && **at > now).count();
            let own = paid_off.get(&key).copied().unwrap_or(0);
            let after = own.max(now) + u64::from(permits) * spacing;
            let is_allowed = permits <= burst && after <= now + u64::from(burst) * spacing;
            match run.limiter.try_acquire_many(&key, permits) {
                Ok(()) => {
                    prop_assert!(is_allowed && (own > now || paying < most_keys));
                    paid_off.insert(key, after);
                }
                Err(RateLimited::ExceedsBurst { .. }) => prop_assert!(permits > burst),
                Err(RateLimited::NotYet { not_before, .. }) => {
                    prop_assert!(!is_allowed);
                    let due = start + Duration::from_nanos(after - u64::from(burst) * spacing);
                    prop_assert_eq!(not_before, due);
                }
                Err(RateLimited::TooManyKeys { not_before, .. }) => {
                    prop_assert!(own <= now && paying == most_keys);
                    let first = paid_off.values().filter(|at| **at > now).min().expect("some are paying");
                    prop_assert_eq!(not_before, start + Duration::from_nanos(*first));
                }
                Err(error) => prop_assert!(false, "{}", error),
            }
            prop_assert!(run.limiter.report().keys <= most_keys);
        }
    }
}

#[test]
fn flood_of_random_keys_is_held_to_the_bound_and_old_keys_to_their_rate() {
    let settings = Settings { limit: Limit { permits: 3, per: 1000, burst: 2 }, most_keys: 100 };
    let mut run = Run::new(settings);
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = || {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random
    };
    let limiter: KeyedRateLimiter<u64> = {
        let builder = KeyedRateLimiter::builder(
            settings.limit.permits,
            Duration::from_nanos(settings.limit.per),
            settings.most_keys,
        );
        builder.burst(settings.limit.burst).clock(run.clock.clone()).build().expect("they are in range")
    };
    let mut let_in = 0_u64;
    for call in 0..200_000_u64 {
        let attacker = u64::MAX - next() / 2;
        let_in += u64::from(limiter.try_acquire(&attacker).is_ok());
        let own = u8::try_from(call % 5).expect("below five");
        if limiter.try_acquire(&u64::from(own)).is_ok() {
            run.keep(own, run.clock.now(), 1);
        }
        assert!(limiter.report().keys <= settings.most_keys);
        if call % 4 == 0 {
            run.clock.advance(Duration::from_nanos(next() % 8));
        }
    }
    let report = limiter.report();
    assert!(report.too_many_keys > 100_000 && report.forgotten > 1000 && let_in > 1000, "{report:?}");
    for kept in run.kept.values_mut() {
        // Windows of a hundred takes: all of them would be millions.
        for some in kept.0.chunks(100) {
            Kept(some.to_vec()).check(settings.limit).expect("it is within the limit");
        }
    }
}
