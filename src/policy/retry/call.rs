//! What the clones of a retry share, and the course of one call: whether there is another attempt, and when.
//!
//! # Invariants
//! 1. No attempt, the first one aside, and no pause begins unless all agree, in this order: the error is not terminal, attempts are
//!    left, the token is live, the pause ends before the time is over and before the token's deadline, the budget has paid. The budget is asked last, so that it pays for nothing that another has refused.
//! 2. What the budget paid for an attempt that is not made goes back: the pause was cancelled, or took longer than asked for.
//! 3. Each call is counted once, by `end` or, when it unwinds, by the drop; each attempt once, when it has ended.
//!
//! Lock order: `report` is a leaf. Nothing is called under it.

use std::sync::Arc;

use super::backoff::Backoff;
use super::gave_up::GaveUpReason;
use super::jitter::{Jitter, Random};
use super::report::RetryReport;
use super::sleep::sleep_until;
use crate::cancel::{CancellationToken, Cancelled};
use crate::clock::Clock;
use crate::policy::budget::AttemptBudget;
use crate::policy::deadline::deadline_on;
use crate::sync::Mutex;
use crate::sync::time::{Duration, Instant};

#[derive(Clone, Debug)]
pub(super) struct Settings {
    /// `None`: no limit.
    pub(super) attempts: Option<u32>,
    pub(super) backoff: Backoff,
    pub(super) longest_delay: Duration,
    pub(super) jitter: Jitter,
    pub(super) total_timeout: Option<Duration>,
    pub(super) budget: Option<AttemptBudget>,
    pub(super) clock: Arc<dyn Clock>,
}

#[derive(Debug)]
pub(super) struct Core {
    settings: Settings,
    random: Random,
    report: Mutex<RetryReport>,
}

impl Core {
    pub(super) fn new(settings: Settings, random: Random) -> Self {
        Self { settings, random, report: Mutex::new(RetryReport::default()) }
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.settings
    }

    pub(super) fn report(&self) -> RetryReport {
        *self.report.lock()
    }
}

/// One call on its way.
pub(super) struct Call<'a> {
    core: &'a Core,
    token: Option<&'a CancellationToken>,
    /// When its time is over.
    limit: Option<Instant>,
    /// Of the attempt that runs or has ended last.
    number: u32,
    attempt_runs: bool,
    has_ended: bool,
}

impl<'a> Call<'a> {
    /// Begins a call; its first attempt follows.
    pub(super) fn begin(core: &'a Core, token: Option<&'a CancellationToken>) -> Result<Self, Cancelled> {
        if let Some(cause) = token.and_then(CancellationToken::cause) {
            let mut report = core.report.lock();
            report.calls += 1;
            report.cancelled += 1;
            return Err(cause);
        }
        if let Some(budget) = &core.settings.budget {
            budget.count_call();
        }
        let Settings { total_timeout, clock, .. } = &core.settings;
        let limit = total_timeout.and_then(|timeout| clock.now().checked_add(timeout));
        Ok(Self { core, token, limit, number: 1, attempt_runs: false, has_ended: false })
    }

    /// The number of the attempt that begins now.
    pub(super) fn start_attempt(&mut self) -> u32 {
        self.attempt_runs = true;
        self.number
    }

    /// An attempt failed, for good if `ending` says so: pauses, for `at_least` so long, until the next one is due; or says why there is none.
    pub(super) fn next(
        &mut self,
        ending: Option<GaveUpReason>,
        at_least: Duration,
    ) -> Result<(), GaveUpReason> {
        self.count_attempt(&mut self.core.report.lock());
        self.attempt_runs = false;
        if let Some(ending) = ending {
            return Err(ending);
        }
        let settings = &self.core.settings;
        if settings.attempts.is_some_and(|most| self.number >= most) {
            return Err(GaveUpReason::AttemptsUsedUp);
        }
        if let Some(cause) = self.token.and_then(CancellationToken::cause) {
            return Err(GaveUpReason::Cancelled(cause));
        }
        let delay = settings.backoff.after(self.number).min(settings.longest_delay);
        let delay = settings.jitter.apply(delay, &self.core.random).max(at_least);
        let now = settings.clock.now();
        // `None`: the clock will never read it.
        let until = now.checked_add(delay);
        let is_too_late = |limit| until.is_none_or(|until| until >= limit);
        if self.limit.is_some_and(is_too_late) || self.deadline().is_some_and(is_too_late) {
            return Err(GaveUpReason::TimedOut);
        }
        if settings.budget.as_ref().is_some_and(|budget| !budget.try_spend()) {
            return Err(GaveUpReason::BudgetEmpty);
        }
        if let Err(reason) = self.pause(now, until) {
            if let Some(budget) = &settings.budget {
                budget.give_back();
            }
            return Err(reason);
        }
        // With as many attempts as that there is no number left, and the last one stays.
        self.number = self.number.saturating_add(1);
        Ok(())
    }

    /// When the token is cancelled by itself, if that can be told on this clock.
    fn deadline(&self) -> Option<Instant> {
        self.token.and_then(|token| deadline_on(&*self.core.settings.clock, token))
    }

    fn pause(&self, since: Instant, until: Option<Instant>) -> Result<(), GaveUpReason> {
        if until == Some(since) {
            return Ok(());
        }
        let clock = &*self.core.settings.clock;
        self.core.report.lock().sleeping += 1;
        let slept = sleep_until(clock, until, self.token);
        let now = clock.now();
        {
            let mut report = self.core.report.lock();
            report.sleeping -= 1;
            report.slept = report.slept.saturating_add(now.saturating_duration_since(since));
        }
        slept.map_err(GaveUpReason::Cancelled)?;
        // A thread may wake late.
        if self.limit.is_some_and(|limit| now >= limit) { Err(GaveUpReason::TimedOut) } else { Ok(()) }
    }

    /// Counts the end of the call: with a reason if it gave no value.
    pub(super) fn end(mut self, gave_up: Option<&GaveUpReason>) {
        self.has_ended = true;
        let mut report = self.core.report.lock();
        if self.attempt_runs {
            self.count_attempt(&mut report);
        }
        report.calls += 1;
        let count = match gave_up {
            None if self.number == 1 => &mut report.succeeded_at_first,
            None => &mut report.succeeded_after_retry,
            Some(GaveUpReason::AttemptsUsedUp) => &mut report.attempts_used_up,
            Some(GaveUpReason::TimedOut) => &mut report.timed_out,
            Some(GaveUpReason::BudgetEmpty) => &mut report.budget_empty,
            Some(GaveUpReason::Terminal) => &mut report.terminal,
            Some(GaveUpReason::Cancelled(_)) => &mut report.cancelled,
        };
        *count += 1;
    }

    fn count_attempt(&self, report: &mut RetryReport) {
        report.attempts += 1;
        report.retries += u64::from(self.number > 1);
    }
}

/// A panic goes through.
impl Drop for Call<'_> {
    fn drop(&mut self) {
        if self.has_ended {
            return;
        }
        let mut report = self.core.report.lock();
        if self.attempt_runs {
            self.count_attempt(&mut report);
        }
        report.calls += 1;
        report.panicked += 1;
    }
}
