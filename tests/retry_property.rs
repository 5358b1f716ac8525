//! Random settings and random ends of attempts, against a model that decides one step at a time.
#![cfg(not(any(gristmill_shuttle, gristmill_loom)))]

use std::thread;
use std::time::{Duration, Instant};

use gristmill::{
    AcquireError, AttemptBudget, Backoff, Clock, GaveUpReason, Jitter, ManualClock, Policy, PolicyError,
    Retry,
};
use proptest::prelude::*;

#[derive(Clone, Copy, Debug)]
struct Settings {
    attempts: Option<u32>,
    backoff: Backoff,
    longest_delay: Duration,
    jitter: Jitter,
    total_timeout: Option<Duration>,
    /// Percent, and the reserve.
    budget: Option<(u32, u32)>,
    seed: u64,
}

impl Settings {
    fn retry(self, clock: &ManualClock, budget: Option<AttemptBudget>) -> Retry {
        let mut builder = Retry::builder()
            .backoff(self.backoff)
            .longest_delay(self.longest_delay)
            .jitter(self.jitter)
            .seed(self.seed)
            .clock(clock.clone());
        builder = match self.attempts {
            Some(attempts) => builder.attempts(attempts),
            None => builder.unlimited_attempts(),
        };
        if let Some(timeout) = self.total_timeout {
            builder = builder.total_timeout(timeout);
        }
        if let Some(budget) = budget {
            builder = builder.budget(budget);
        }
        builder.build().expect("they are in range")
    }

    /// The shortest and the longest pause after an attempt.
    fn pause(self, attempt: u32) -> (Duration, Duration) {
        let nanoseconds = |delay: Duration| f64::from(u32::try_from(delay.as_nanos()).expect("it is short"));
        let before = i32::try_from(attempt).expect("there are few") - 1;
        let uncapped = match self.backoff {
            Backoff::Constant(delay) => nanoseconds(delay),
            Backoff::Linear { first, step } => nanoseconds(first) + nanoseconds(step) * f64::from(before),
            Backoff::Exponential { first, factor } => nanoseconds(first) * factor.powi(before),
            _ => unreachable!("no other is generated"),
        };
        // Half a nanosecond is rounded up or down.
        let cap = nanoseconds(self.longest_delay);
        let (low, high) = ((uncapped - 0.5).ceil().min(cap), (uncapped + 0.5).floor().min(cap));
        let shortest = match self.jitter {
            Jitter::Full => 0.0,
            Jitter::Equal => (low / 2.0).ceil(),
            _ => low,
        };
        (Duration::from_secs_f64(shortest / 1e9), Duration::from_secs_f64(high / 1e9))
    }
}

fn nanoseconds(range: std::ops::Range<u64>) -> impl Strategy<Value = Duration> {
    range.prop_map(Duration::from_nanos)
}

fn settings() -> impl Strategy<Value = Settings> {
    let backoff = prop_oneof![
        nanoseconds(0..50).prop_map(Backoff::Constant),
        (nanoseconds(0..50), nanoseconds(0..20)).prop_map(|(first, step)| Backoff::Linear { first, step }),
        // Halves, so that the model's arithmetic and the library's have the same exact products.
        (nanoseconds(0..50), 2..7_u8)
            .prop_map(|(first, halves)| Backoff::Exponential { first, factor: f64::from(halves) / 2.0 }),
    ];
    let jitter = prop_oneof![Just(Jitter::None), Just(Jitter::Equal), Just(Jitter::Full)];
    let attempts = prop::option::weighted(0.7, 1..7_u32);
    let total_timeout = prop::option::weighted(0.5, nanoseconds(1..400));
    let budget = prop::option::weighted(0.5, (0..120_u32, 0..4_u32));
    (attempts, backoff, nanoseconds(0..120), jitter, total_timeout, budget, any::<u64>()).prop_map(
        |(attempts, backoff, longest_delay, jitter, total_timeout, budget, seed)| Settings {
            attempts,
            backoff,
            longest_delay,
            jitter,
            total_timeout,
            budget,
            seed,
        },
    )
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    Value,
    Fails,
    Terminal,
    NotNow,
    Closed,
}

impl End {
    fn result(self) -> Result<(), PolicyError<u32>> {
        match self {
            Self::Value => Ok(()),
            Self::Fails => Err(PolicyError::Work(7)),
            Self::Terminal => Err(PolicyError::Terminal(7)),
            Self::NotNow => Err(PolicyError::Permits(AcquireError::NotNow)),
            Self::Closed => Err(PolicyError::Permits(AcquireError::Closed)),
        }
    }
}

/// What the attempts of one call come to, and how long each takes; after the last of them, a value.
type Plan = Vec<(End, Duration)>;

fn plans() -> impl Strategy<Value = Vec<Plan>> {
    let end = prop_oneof![
        2 => Just(End::Value), 12 => Just(End::Fails), 1 => Just(End::Terminal), 3 => Just(End::NotNow), 1 => Just(End::Closed)
    ];
    prop::collection::vec(prop::collection::vec((end, nanoseconds(0..60)), 0..10), 1..12)
}

/// What was seen of one call.
#[derive(Debug)]
struct Seen {
    begun: Instant,
    /// Number, start, end, and what it came to.
    attempts: Vec<(u32, Instant, Instant, End)>,
    result: Result<(), PolicyError<u32>>,
}

fn call(retry: &Retry, clock: &ManualClock, plan: &Plan) -> Seen {
    let begun = clock.now();
    let mut attempts = Vec::new();
    let result = retry.apply(gristmill::Attempt::first(), |attempt| {
        let start = clock.now();
        let (end, run_time) = plan.get(attempts.len()).copied().unwrap_or((End::Value, Duration::ZERO));
        clock.advance(run_time);
        attempts.push((attempt.number(), start, clock.now(), end));
        end.result()
    });
    Seen { begun, attempts, result }
}

/// Runs the calls one after the other, and moves the clock to whatever they wait for.
fn run(retry: &Retry, clock: &ManualClock, plans: &[Plan]) -> Vec<Seen> {
    thread::scope(|scope| {
        let calls = || plans.iter().map(|plan| call(retry, clock, plan)).collect();
        let calls = thread::Builder::new().spawn_scoped(scope, calls).expect("a thread");
        while !calls.is_finished() {
            match clock.next_instant() {
                Some(at) => clock.advance_to(at),
                None => thread::yield_now(),
            }
        }
        calls.join().expect("it does not panic")
    })
}

/// The budget as it is described: in hundredths of an attempt.
struct Balance {
    percent: u32,
    most: u32,
    now: u32,
}

impl Balance {
    fn new((percent, reserve): (u32, u32)) -> Self {
        Self { percent: percent.min(100), most: (reserve * 100).max(100), now: reserve * 100 }
    }

    fn pay_in(&mut self) {
        self.now = (self.now + self.percent).min(self.most);
    }

    fn take(&mut self) -> bool {
        let is_there = self.now >= 100;
        self.now -= if is_there { 100 } else { 0 };
        is_there
    }
}

/// What the report has to say.
#[derive(Debug, Default, PartialEq)]
struct Counts {
    attempts: u64,
    retries: u64,
    at_first: u64,
    after_retry: u64,
    used_up: u64,
    timed_out: u64,
    budget_empty: u64,
    terminal: u64,
    slept: Duration,
}

/// Goes through what was seen of a call, and holds each step to the rules.
fn check(
    settings: Settings,
    seen: &Seen,
    balance: &mut Option<Balance>,
    counts: &mut Counts,
) -> Result<(), TestCaseError> {
    let limit = settings.total_timeout.map(|timeout| seen.begun + timeout);
    if let Some(balance) = balance {
        balance.pay_in();
    }
    prop_assert_eq!(seen.attempts[0].1, seen.begun, "the first one starts at once");
    let mut expected = 1..;
    for (index, (number, start, ended, end)) in seen.attempts.iter().copied().enumerate() {
        prop_assert_eq!(Some(number), expected.next());
        prop_assert!(limit.is_none_or(|limit| start < limit), "attempt {} starts too late", number);
        counts.attempts += 1;
        counts.retries += u64::from(number > 1);
        let next = seen.attempts.get(index + 1);
        if end == End::Value {
            prop_assert!(next.is_none() && seen.result.is_ok());
            *(if number == 1 { &mut counts.at_first } else { &mut counts.after_retry }) += 1;
            return Ok(());
        }
        let (shortest, longest) = settings.pause(number);
        let is_in_time = |pause: Duration| limit.is_none_or(|limit| ended + pause < limit);
        if let Some((_, next_start, ..)) = next {
            let pause = *next_start - ended;
            prop_assert!((shortest..=longest).contains(&pause), "{pause:?}: {shortest:?} to {longest:?}");
            prop_assert!(matches!(end, End::Fails | End::NotNow), "{:?} is retried", end);
            prop_assert!(settings.attempts.is_none_or(|most| number < most));
            prop_assert!(balance.as_mut().is_none_or(Balance::take), "the budget is overspent");
            counts.slept += pause;
            continue;
        }
        let Err(PolicyError::GaveUp(gave_up)) = &seen.result else {
            return Err(TestCaseError::fail(format!("{:?}", seen.result)));
        };
        prop_assert_eq!(gave_up.attempts(), u64::from(number));
        let errors: Vec<(u32, String)> =
            gave_up.errors().map(|(at, error)| (at, error.to_string())).collect();
        let ends = seen
            .attempts
            .iter()
            .map(|(at, .., end)| (*at, end.result().expect_err("not the last").to_string()));
        prop_assert_eq!(errors, ends.collect::<Vec<_>>());
        let is_used_up = settings.attempts.is_some_and(|most| number >= most);
        match gave_up.reason() {
            GaveUpReason::Terminal => {
                prop_assert!(matches!(end, End::Terminal | End::Closed));
                counts.terminal += 1;
            }
            _ if matches!(end, End::Terminal | End::Closed) => prop_assert!(false, "{gave_up} for {end:?}"),
            GaveUpReason::AttemptsUsedUp => {
                prop_assert!(is_used_up);
                counts.used_up += 1;
            }
            _ if is_used_up => prop_assert!(false, "{gave_up} after all {number}"),
            GaveUpReason::TimedOut => {
                prop_assert!(!is_in_time(longest), "there was time for the longest pause");
                counts.timed_out += 1;
            }
            GaveUpReason::BudgetEmpty => {
                prop_assert!(is_in_time(shortest), "there was no time for the shortest pause");
                prop_assert!(balance.as_mut().is_some_and(|balance| !balance.take()), "it is not empty");
                counts.budget_empty += 1;
            }
            reason => prop_assert!(false, "nobody cancelled: {reason:?}"),
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn calls_go_as_the_settings_say(settings in settings(), plans in plans()) {
        let clock = ManualClock::new();
        let budget = settings.budget.map(|(percent, reserve)| AttemptBudget::new(percent, reserve));
        let retry = settings.retry(&clock, budget.clone());
        let mut balance = settings.budget.map(Balance::new);
        let mut counts = Counts::default();
        let calls = run(&retry, &clock, &plans);
        for seen in &calls {
            check(settings, seen, &mut balance, &mut counts)?;
        }
        prop_assert_eq!(
            budget.map(|budget| budget.available()),
            balance.map(|balance| u64::from(balance.now / 100))
        );
        let report = retry.report();
        let reported = Counts {
            attempts: report.attempts,
            retries: report.retries,
            at_first: report.succeeded_at_first,
            after_retry: report.succeeded_after_retry,
            used_up: report.attempts_used_up,
            timed_out: report.timed_out,
            budget_empty: report.budget_empty,
            terminal: report.terminal,
            slept: report.slept,
        };
        prop_assert_eq!(reported, counts);
        prop_assert_eq!((report.calls, report.cancelled + report.panicked), (plans.len() as u64, 0));
    }
}
