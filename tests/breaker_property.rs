//! The circuit breaker against a model that keeps every call, for any sequence of events on a virtual clock.
#![cfg(not(any(gristmill_shuttle, gristmill_loom)))]

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use gristmill::BreakerState::{self, Closed, Disabled, ForcedOpen, HalfOpen, ObserveOnly, Open};
use gristmill::{
    BreakerChange, BreakerPermit, CancellationToken, CircuitBreaker, Clock, ManualClock, Nest, Policy,
    PolicyError, Semaphore,
};
use proptest::prelude::*;

fn nanoseconds(count: u64) -> Duration {
    Duration::from_nanos(count)
}

/// Times are in nanoseconds, rates in twentieths.
#[derive(Clone, Copy, Debug)]
struct Settings {
    window: Window,
    minimum: u32,
    failure_rate: u64,
    slow: Option<(u64, u64)>,
    open_time: u64,
    /// A whole factor and a cap, so that nothing is rounded.
    backoff: Option<(u32, u64)>,
    probes: u32,
}

#[derive(Clone, Copy, Debug)]
enum Window {
    Calls(u32),
    Time(u64),
}

#[allow(clippy::cast_precision_loss)] // at most 20
fn rate(twentieths: u64) -> f64 {
    twentieths as f64 / 20.0
}

impl Settings {
    fn breaker(self, clock: &ManualClock, log: &Arc<Mutex<Vec<BreakerChange>>>) -> CircuitBreaker {
        let log = Arc::clone(log);
        let mut builder = CircuitBreaker::builder()
            .failure_rate(rate(self.failure_rate))
            .open_time(nanoseconds(self.open_time))
            .probes(self.probes)
            .clock(clock.clone())
            .on_change(move |change| log.lock().expect("no panic under it").push(*change));
        builder = match self.window {
            Window::Calls(calls) => builder.count_window(calls).minimum_calls(self.minimum.min(calls)),
            Window::Time(time) => builder.time_window(nanoseconds(time)).minimum_calls(self.minimum),
        };
        if let Some((longer_than, share)) = self.slow {
            builder = builder.slow_calls(nanoseconds(longer_than), rate(share));
        }
        if let Some((factor, cap)) = self.backoff {
            builder = builder.open_time_backoff(factor.into(), nanoseconds(cap));
        }
        builder.build().expect("they are in range")
    }

    fn minimum(self) -> usize {
        match self.window {
            Window::Calls(calls) => self.minimum.min(calls) as usize,
            Window::Time(_) => self.minimum as usize,
        }
    }
}

fn settings() -> impl Strategy<Value = Settings> {
    let window = prop_oneof![(1..12_u32).prop_map(Window::Calls), (1..150_u64).prop_map(Window::Time)];
    let slow = prop::option::of((1..30_u64, 1..=20_u64));
    let backoff = prop::option::of((1..4_u32, 0..400_u64));
    (window, 1..8_u32, 1..=20_u64, slow, 1..60_u64, backoff, 1..6_u32).prop_map(
        |(window, minimum, failure_rate, slow, open_time, backoff, probes)| {
            let backoff = backoff.map(|(factor, more)| (factor, open_time + more));
            Settings { window, minimum, failure_rate, slow, open_time, backoff, probes }
        },
    )
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Acquire,
    /// The i-th permit: how its call ended, and what it took if that is told.
    End(usize, bool, Option<u64>),
    Drop(usize),
    Call(Work),
    /// In nanoseconds.
    Advance(u64),
    /// To the instant that the last refusal named, or one before it.
    AdvanceToRefused(u64),
    ForceOpen,
    Disable,
    ObserveOnly,
    Reset,
}

/// What work does under the policy; all of it takes the time that is said.
#[derive(Clone, Copy, Debug)]
enum Work {
    Succeed(u64),
    Fail(u64),
    Panic(u64),
    BeRefused,
    BeCancelled,
    Forgivable(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let took = prop::option::weighted(0.2, 0..40_u64);
    let work = prop_oneof![
        4 => (0..20_u64).prop_map(Work::Succeed),
        4 => (0..20_u64).prop_map(Work::Fail),
        1 => (0..20_u64).prop_map(Work::Panic),
        1 => Just(Work::BeRefused),
        1 => Just(Work::BeCancelled),
        1 => (0..20_u64).prop_map(Work::Forgivable),
    ];
    prop_oneof![
        24 => Just(Step::Acquire),
        20 => (any::<usize>(), any::<bool>(), took).prop_map(|(which, failed, took)| Step::End(which, failed, took)),
        4 => any::<usize>().prop_map(Step::Drop),
        20 => work.prop_map(Step::Call),
        12 => (0..25_u64).prop_map(Step::Advance),
        1 => (0..1000_u64).prop_map(Step::Advance),
        10 => (0..2_u64).prop_map(Step::AdvanceToRefused),
        1 => Just(Step::ForceOpen),
        1 => Just(Step::Disable),
        1 => Just(Step::ObserveOnly),
        3 => Just(Step::Reset),
    ]
}

/// A call that ended.
#[derive(Clone, Copy)]
struct Ended {
    at: u64,
    failed: bool,
    slow: bool,
}

/// A call that is under way.
#[derive(Clone, Copy)]
struct Under {
    period: usize,
    state: BreakerState,
    since: u64,
}

/// What is true, from the list of all calls of each period.
struct Model {
    settings: Settings,
    now: u64,
    state: BreakerState,
    since: u64,
    /// Which one of the periods since the start it is; each state that is entered is one.
    period: usize,
    /// Those of the last period that was watched, and when that ended.
    watched: Vec<Ended>,
    watched_until: Option<u64>,
    /// Of this half-open period.
    probes: Vec<Ended>,
    held: usize,
    until: u64,
    row: u32,
    changes: Vec<(BreakerState, BreakerState, u64)>,
    totals: Totals,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Totals {
    successes: u64,
    failures: u64,
    slow: u64,
    ignored: u64,
    late: u64,
    refused: u64,
    openings: u64,
}

impl Model {
    fn new(settings: Settings) -> Self {
        Self {
            settings,
            now: 0,
            state: Closed,
            since: 0,
            period: 0,
            watched: Vec::new(),
            watched_until: None,
            probes: Vec::new(),
            held: 0,
            until: 0,
            row: 0,
            changes: Vec::new(),
            totals: Totals::default(),
        }
    }

    fn go(&mut self, to: BreakerState) {
        if self.state != to {
            self.changes.push((self.state, to, self.now));
        }
        if matches!(self.state, Closed | ObserveOnly) {
            self.watched_until = Some(self.now);
        }
        if matches!(to, Closed | ObserveOnly | Disabled) {
            self.watched.clear();
            self.watched_until = None;
        }
        if to == Open {
            self.row += 1;
            self.totals.openings += 1;
            let mut time = self.settings.open_time;
            if let Some((factor, cap)) = self.settings.backoff {
                for _ in 1..self.row {
                    time = (time * u64::from(factor)).min(cap);
                }
            }
            self.until = self.now + time;
        } else if to != HalfOpen {
            self.row = 0;
        }
        self.probes.clear();
        self.held = 0;
        self.period += 1;
        (self.state, self.since) = (to, self.now);
    }

    fn set(&mut self, to: BreakerState) {
        if self.state != to {
            self.go(to);
        }
    }

    /// The call, or the instant that the refusal names.
    fn enter(&mut self) -> Result<Under, Option<u64>> {
        if self.state == Open && self.now >= self.until {
            self.go(HalfOpen);
        }
        let named = match self.state {
            Open => Some(self.until),
            HalfOpen if self.held + self.probes.len() == self.settings.probes as usize => None,
            ForcedOpen => None,
            _ => {
                self.held += usize::from(self.state == HalfOpen);
                return Ok(Under { period: self.period, state: self.state, since: self.now });
            }
        };
        self.totals.refused += 1;
        Err(named)
    }

    fn drop(&mut self, call: Under) {
        if call.state == Disabled {
            return;
        }
        self.totals.ignored += 1;
        if call.period == self.period && call.state == HalfOpen {
            self.held -= 1;
        }
    }

    fn end(&mut self, call: Under, failed: bool, took: Option<u64>) {
        if call.state == Disabled {
            return;
        }
        if call.period != self.period {
            self.totals.late += 1;
            return;
        }
        let took = took.unwrap_or(self.now - call.since);
        let slow = self.settings.slow.is_some_and(|(longer_than, _)| took > longer_than);
        let ended = Ended { at: self.now, failed, slow };
        self.totals.successes += u64::from(!failed);
        self.totals.failures += u64::from(failed);
        self.totals.slow += u64::from(slow);
        if call.state == HalfOpen {
            self.held -= 1;
            self.probes.push(ended);
            self.decide();
        } else {
            self.watched.push(ended);
            let (calls, failures, slow) = self.window();
            if call.state == Closed && calls >= self.settings.minimum() && self.bad(calls, failures, slow) {
                self.go(Open);
            }
        }
    }

    /// Tries all that the other probes might do.
    fn decide(&mut self) {
        let all = self.settings.probes as usize;
        let failures = self.probes.iter().filter(|ended| ended.failed).count();
        let slow = self.probes.iter().filter(|ended| ended.slow).count();
        let left = all - self.probes.len();
        let slow_left = if self.settings.slow.is_some() { left } else { 0 };
        let mut answers = (0..=left).flat_map(|more| (0..=slow_left).map(move |slower| (more, slower)));
        let first = self.bad(all, failures, slow);
        if answers.all(|(more, slower)| self.bad(all, failures + more, slow + slower) == first) {
            self.go(if first { Open } else { Closed });
        }
    }

    fn bad(&self, calls: usize, failures: usize, slow: usize) -> bool {
        let reaches = |part: usize, twentieths: u64| part as u64 * 20 >= twentieths * calls as u64;
        reaches(failures, self.settings.failure_rate)
            || self.settings.slow.is_some_and(|(_, share)| reaches(slow, share))
    }

    /// Calls, failures and slow ones in the window.
    fn window(&self) -> (usize, usize, usize) {
        let now = self.watched_until.unwrap_or(self.now);
        let calls: Vec<&Ended> = match self.settings.window {
            Window::Calls(calls) => self.watched.iter().rev().take(calls as usize).collect(),
            Window::Time(time) => {
                let bucket = time.div_ceil(10);
                self.watched.iter().filter(|ended| ended.at / bucket + 10 > now / bucket).collect()
            }
        };
        let failures = calls.iter().filter(|ended| ended.failed).count();
        (calls.len(), failures, calls.iter().filter(|ended| ended.slow).count())
    }
}

/// The breaker, its model, and the calls under way of both.
struct Pair {
    breaker: CircuitBreaker,
    clock: ManualClock,
    start: Instant,
    log: Arc<Mutex<Vec<BreakerChange>>>,
    model: Model,
    permits: Vec<(BreakerPermit, Under)>,
    named: Option<u64>,
}

impl Pair {
    fn new(settings: Settings) -> Self {
        let (clock, log) = (ManualClock::new(), Arc::default());
        let breaker = settings.breaker(&clock, &log);
        let (start, model) = (clock.now(), Model::new(settings));
        Self { breaker, clock, start, log, model, permits: Vec::new(), named: None }
    }

    fn advance(&mut self, by: u64) {
        self.clock.advance(nanoseconds(by));
        self.model.now += by;
    }

    fn run(&mut self, step: Step) -> Result<(), TestCaseError> {
        match step {
            Step::Acquire => self.acquire()?,
            Step::End(which, failed, took) if !self.permits.is_empty() => {
                let (permit, under) = self.permits.swap_remove(which % self.permits.len());
                let permit = took.into_iter().fold(permit, |permit, took| permit.took(nanoseconds(took)));
                if failed {
                    permit.failure();
                } else {
                    permit.success();
                }
                self.model.end(under, failed, took);
            }
            Step::Drop(which) if !self.permits.is_empty() => {
                let (permit, under) = self.permits.swap_remove(which % self.permits.len());
                drop(permit);
                self.model.drop(under);
            }
            Step::End(..) | Step::Drop(_) => {}
            Step::Call(work) => self.call(work)?,
            Step::Advance(by) => self.advance(by),
            Step::AdvanceToRefused(early) => {
                let at = self.named.unwrap_or(0).saturating_sub(early);
                self.advance(at.saturating_sub(self.model.now));
            }
            Step::ForceOpen => {
                self.breaker.force_open();
                self.model.set(ForcedOpen);
            }
            Step::Disable => {
                self.breaker.disable();
                self.model.set(Disabled);
            }
            Step::ObserveOnly => {
                self.breaker.observe_only();
                self.model.set(ObserveOnly);
            }
            Step::Reset => {
                self.breaker.reset();
                self.model.go(Closed);
            }
        }
        self.compare()
    }

    fn acquire(&mut self) -> Result<(), TestCaseError> {
        match (self.breaker.try_acquire(), self.model.enter()) {
            (Ok(permit), Ok(under)) => self.permits.push((permit, under)),
            (Err(error), Err(named)) => {
                let at = named.map(|at| self.start + nanoseconds(at));
                let wait = named.map(|at| nanoseconds(at - self.model.now));
                prop_assert_eq!((error.not_before(), error.wait()), (at, wait));
                prop_assert_eq!(error.state(), self.model.state);
                self.named = named.or(self.named);
            }
            (Ok(_), Err(_)) => prop_assert!(false, "let through in {}", self.model.state),
            (Err(error), Ok(_)) => prop_assert!(false, "refused in {}: {error}", self.model.state),
        }
        Ok(())
    }

    fn call(&mut self, work: Work) -> Result<(), TestCaseError> {
        let Self { breaker, clock, model, .. } = self;
        let entered = model.enter();
        let (inside, token) = (Semaphore::new(1), CancellationToken::new());
        inside.close();
        let pass = |time: u64| clock.advance(nanoseconds(time));
        let outcome = catch_unwind(AssertUnwindSafe(|| match work {
            Work::Succeed(time) => breaker.call(|_| {
                pass(time);
                Ok::<(), bool>(())
            }),
            Work::Fail(time) => breaker.call(|_| {
                pass(time);
                Err(true)
            }),
            Work::Panic(time) => breaker.call(|_| {
                pass(time);
                resume_unwind(Box::new(()))
            }),
            Work::BeRefused => breaker.clone().around(inside).call(|_| Ok(())),
            Work::BeCancelled => breaker.call_with(&token, |_| {
                token.cancel();
                Err(true)
            }),
            Work::Forgivable(time) => breaker.counting(|counts: &bool| *counts).call(|_| {
                pass(time);
                Err(false)
            }),
        }));
        let was_open = matches!(outcome, Ok(Err(PolicyError::Open(_))));
        prop_assert_eq!(was_open, entered.is_err(), "{:?} in {}", work, model.state);
        let Ok(under) = entered else { return Ok(()) };
        let (time, failed) = match work {
            Work::Succeed(time) | Work::Forgivable(time) => (time, Some(false)),
            Work::Fail(time) | Work::Panic(time) => (time, Some(true)),
            Work::BeRefused | Work::BeCancelled => (0, None),
        };
        model.now += time;
        match failed {
            Some(failed) => model.end(under, failed, None),
            None => model.drop(under),
        }
        Ok(())
    }

    fn compare(&mut self) -> Result<(), TestCaseError> {
        let (report, model) = (self.breaker.report(), &mut self.model);
        prop_assert_eq!((self.breaker.state(), report.state), (model.state, model.state));
        prop_assert_eq!(report.since, self.start + nanoseconds(model.since));
        let totals = Totals {
            successes: report.successes,
            failures: report.failures,
            slow: report.slow,
            ignored: report.ignored,
            late: report.late,
            refused: report.refused,
            openings: report.openings,
        };
        prop_assert_eq!(totals, model.totals);
        prop_assert_eq!(report.calls, report.successes + report.failures + report.ignored + report.late);
        prop_assert_eq!(report.probes as usize, model.held);
        prop_assert!(model.held + model.probes.len() <= model.settings.probes as usize);
        let (calls, failures, slow) = model.window();
        #[allow(clippy::cast_precision_loss)] // a few
        let share = |part: usize| (calls >= model.settings.minimum()).then(|| part as f64 / calls as f64);
        let slow = model.settings.slow.and_then(|_| share(slow));
        prop_assert_eq!((report.failure_rate, report.slow_rate), (share(failures), slow));
        let log = std::mem::take(&mut *self.log.lock().expect("no panic under it"));
        let told: Vec<_> = log.iter().map(|change| (change.from, change.to, change.at)).collect();
        let changes = std::mem::take(&mut model.changes);
        let made: Vec<_> =
            changes.iter().map(|(from, to, at)| (*from, *to, self.start + nanoseconds(*at))).collect();
        prop_assert_eq!(told, made);
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    // In the usual 256 cases these are more than 200 000 steps.
    #[test]
    fn breaker_does_what_its_model_does(
        settings in settings(),
        steps in prop::collection::vec(step(), 800..1000),
    ) {
        let mut pair = Pair::new(settings);
        for (number, step) in steps.into_iter().enumerate() {
            pair.run(step).map_err(|error| TestCaseError::fail(format!("{number}, {step:?}: {error}")))?;
        }
    }
}
