//! The rate limiter against a slow model in exact fractions, for any sequence of calls and changes: the same answers, the same instants.
#![cfg(not(any(gristmill_shuttle, gristmill_loom)))]

use std::cmp::Ordering;
use std::time::{Duration, Instant};

use gristmill::{Clock, ManualClock, RateLimited, RateLimiter};
use proptest::prelude::*;

/// An exact fraction, its denominator above zero.
#[derive(Clone, Copy, Debug)]
struct Fraction(i64, i64);

impl Fraction {
    fn new(numerator: i64, denominator: i64) -> Self {
        let (mut divisor, mut rest) = (denominator, numerator.rem_euclid(denominator));
        while rest != 0 {
            (divisor, rest) = (rest, divisor % rest);
        }
        Self(numerator / divisor, denominator / divisor)
    }

    fn whole(number: u32) -> Self {
        Self(number.into(), 1)
    }

    fn plus(self, other: Self) -> Self {
        Self::new(self.0 * other.1 + other.0 * self.1, self.1 * other.1)
    }

    fn minus(self, other: Self) -> Self {
        self.plus(Self(-other.0, other.1))
    }

    fn times(self, other: Self) -> Self {
        Self::new(self.0 * other.0, self.1 * other.1)
    }

    fn round_up(self) -> i64 {
        -(-self.0).div_euclid(self.1)
    }

    fn is_above(self, other: Self) -> bool {
        (self.0 * other.1).cmp(&(other.0 * self.1)) == Ordering::Greater
    }
}

/// A bucket of permits that are owed, which time empties: the same limit in other words, and without a clock's instants.
#[derive(Debug)]
struct Model {
    permits: u32,
    per: u32,
    burst: u32,
    owed: Fraction,
}

impl Model {
    /// What a nanosecond pays for.
    fn rate(&self) -> Fraction {
        Fraction::new(self.permits.into(), i64::from(self.per))
    }

    /// Less than nothing can be owed, but no more than what the clock's own nanosecond hides.
    fn pass(&mut self, nanoseconds: u32) {
        let owed = self.owed.minus(self.rate().times(Fraction::whole(nanoseconds)));
        let least = Fraction::whole(0).minus(self.rate());
        self.owed = if owed.is_above(least) { owed } else { Fraction::whole(0) };
    }

    /// `Err`: in how many nanoseconds it is allowed.
    fn take(&mut self, permits: u32) -> Result<(), u64> {
        let owed = self.owed.plus(Fraction::whole(permits));
        let excess = owed.minus(Fraction::whole(self.burst));
        if excess.is_above(Fraction::whole(0)) {
            let wait = excess.times(Fraction::new(self.per.into(), self.permits.into())).round_up();
            return Err(wait.unsigned_abs());
        }
        self.owed = owed;
        Ok(())
    }

    /// What is owed stays, rounded up to what a part of `per` of the new rate can tell.
    fn set_rate(&mut self, permits: u32, per: u32) {
        if (self.permits, self.per) == (permits, per) {
            return;
        }
        let ticks = self.owed.times(Fraction::whole(per)).round_up();
        (self.permits, self.per) = (permits, per);
        self.owed = Fraction::new(ticks.max(0), per.into());
    }
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Take(u32),
    /// A wait that does not wait.
    TakeInTime(u32),
    /// Permits that are given back at once.
    ThinkBetter(u32),
    /// In nanoseconds.
    Advance(u32),
    /// To the nanosecond before that of the last refusal, and then to it.
    AdvanceToRefused,
    SetRate(u32, u32),
    SetBurst(u32),
}

fn rates() -> impl Strategy<Value = (u32, u32)> {
    let rare = (1..12_u32, 0..60_u32);
    let dense = (900_u32..1000, 0..60_u32);
    prop_oneof![3 => rare, 1 => dense].prop_map(|(permits, more)| (permits, permits + more))
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        40 => (1..9_u32).prop_map(Step::Take),
        10 => (1..9_u32).prop_map(Step::TakeInTime),
        10 => (1..9_u32).prop_map(Step::ThinkBetter),
        30 => (0..40_u32).prop_map(Step::Advance),
        30 => Just(Step::AdvanceToRefused),
        1 => rates().prop_map(|(permits, per)| Step::SetRate(permits, per)),
        1 => (1..9_u32).prop_map(Step::SetBurst),
    ];
    prop::collection::vec(step, 800..1600)
}

struct Run {
    clock: ManualClock,
    limiter: RateLimiter,
    model: Model,
    refused: Option<(Instant, u32)>,
}

impl Run {
    fn advance(&mut self, nanoseconds: u32) {
        self.clock.advance(Duration::from_nanos(nanoseconds.into()));
        self.model.pass(nanoseconds);
    }

    fn compare(&mut self, permits: u32, result: Result<(), RateLimited>) -> Result<(), TestCaseError> {
        if permits > self.model.burst {
            prop_assert!(result.is_err_and(|error| error.is_exceeds_burst()));
            return Ok(());
        }
        let expected = self.model.take(permits);
        let actual = result.map_err(|error| {
            let not_before = error.not_before().expect("time is what is missing");
            self.refused = Some((not_before, permits));
            u64::try_from((not_before - self.clock.now()).as_nanos()).expect("not so far")
        });
        prop_assert_eq!(actual, expected, "{} of {:?}", permits, self.model);
        Ok(())
    }

    fn step(&mut self, step: Step) -> Result<(), TestCaseError> {
        match step {
            Step::Take(permits) => self.compare(permits, self.limiter.try_acquire_many(permits))?,
            Step::TakeInTime(permits) => {
                self.compare(permits, self.limiter.acquire_many_timeout(permits, Duration::ZERO))?;
            }
            Step::ThinkBetter(permits) => {
                let owed = self.model.owed;
                let result = self.limiter.try_reserve(permits).map(drop);
                let was_taken = result.is_ok();
                self.compare(permits, result)?;
                if was_taken {
                    // What the clock's own nanosecond has paid of it is lost.
                    let nothing = Fraction::whole(0);
                    self.model.owed = if owed.is_above(nothing) { owed } else { nothing };
                }
            }
            Step::Advance(nanoseconds) => self.advance(nanoseconds),
            Step::AdvanceToRefused => {
                if let Some((at, permits)) = self.refused.take().filter(|(at, _)| *at > self.clock.now()) {
                    let nanoseconds = u32::try_from((at - self.clock.now()).as_nanos()).expect("not so far");
                    self.advance(nanoseconds - 1);
                    self.compare(permits, self.limiter.try_acquire_many(permits))?;
                    self.advance(1);
                    self.compare(permits, self.limiter.try_acquire_many(permits))?;
                }
            }
            Step::SetRate(permits, per) => {
                self.limiter.set_rate(permits, Duration::from_nanos(per.into())).expect("it is a rate");
                self.model.set_rate(permits, per);
            }
            Step::SetBurst(permits) => {
                self.limiter.set_burst(permits).expect("it is a burst");
                self.model.burst = permits;
            }
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// In the usual 256 cases these are some 300 000 steps.
    #[test]
    fn limiter_and_model_agree_at_every_step((permits, per) in rates(), burst in 1..9_u32, steps in steps()) {
        let clock = ManualClock::new();
        let builder = RateLimiter::builder(permits, Duration::from_nanos(per.into())).burst(burst).clock(clock.clone());
        let limiter = builder.build().expect("they are in range");
        let model = Model { permits, per, burst, owed: Fraction::whole(0) };
        let mut run = Run { clock, limiter, model, refused: None };
        for step in steps {
            run.step(step)?;
        }
    }
}
