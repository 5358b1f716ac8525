//! The policies' reports in figures.

use super::breaker::{BreakerReport, BreakerState};
use super::rate::{KeyedRateReport, RateReport};
use super::retry::RetryReport;
use crate::observe::{Measured, Measurement, Measuring, metrics, share};

impl Measured for RateReport {
    fn measure(&self, visit: &mut dyn FnMut(Measurement<'_>)) {
        let denied =
            [("refused", self.refused), ("timed_out", self.timed_out), ("cancelled", self.cancelled)];
        Measuring(visit)
            // What is given back is taken off `acquired`; the sum only grows.
            .add(&metrics::LIMITER_TAKEN, self.acquired + self.given_back)
            .add(&metrics::LIMITER_GIVEN_BACK, self.given_back)
            .split(&metrics::LIMITER_DENIED, &[], denied)
            .add(&metrics::LIMITER_WAITED, self.waited)
            .add(&metrics::LIMITER_WAITING, self.waiting)
            .add(&metrics::LIMITER_WAIT, self.wait_time);
    }
}

impl Measured for KeyedRateReport {
    fn measure(&self, visit: &mut dyn FnMut(Measurement<'_>)) {
        self.rate.measure(visit);
        Measuring(visit)
            .add(&metrics::LIMITER_KEYS, self.keys)
            .add(&metrics::LIMITER_FORGOTTEN, self.forgotten)
            .add(&metrics::LIMITER_NO_ROOM, self.too_many_keys);
    }
}

impl BreakerReport {
    /// The share of failures in all calls that succeeded or failed, since the breaker was made, 0 to 1: not in its window, as
    /// [`failure_rate`](Self::failure_rate) is.
    pub fn error_rate(&self) -> f64 {
        share(self.failures, self.successes + self.failures)
    }
}

impl Measured for BreakerReport {
    fn measure(&self, visit: &mut dyn FnMut(Measurement<'_>)) {
        let outcomes = [
            ("succeeded", self.successes),
            ("failed", self.failures),
            ("abandoned", self.abandoned),
            ("ignored", self.ignored),
            ("late", self.late),
        ];
        let states = [
            ("closed", BreakerState::Closed),
            ("open", BreakerState::Open),
            ("half_open", BreakerState::HalfOpen),
            ("forced_open", BreakerState::ForcedOpen),
            ("disabled", BreakerState::Disabled),
            ("observe_only", BreakerState::ObserveOnly),
        ];
        let mut measuring = Measuring(visit);
        measuring
            .split(&metrics::BREAKER_CALLS, &[], outcomes)
            .add(&metrics::BREAKER_SLOW, self.slow)
            .add(&metrics::BREAKER_REFUSED, self.refused)
            .add(&metrics::BREAKER_OPENINGS, self.openings)
            .add(&metrics::BREAKER_PROBES, self.probes)
            .split(&metrics::BREAKER_STATE, &[], states.map(|(name, state)| (name, state == self.state)));
        if let Some(rate) = self.failure_rate {
            measuring.add(&metrics::BREAKER_FAILURE_RATE, rate);
        }
        if let Some(rate) = self.slow_rate {
            measuring.add(&metrics::BREAKER_SLOW_RATE, rate);
        }
    }
}

impl RetryReport {
    /// The share of calls that gave up or panicked in all that have ended and were not cancelled, 0 to 1.
    pub fn error_rate(&self) -> f64 {
        let succeeded = self.succeeded_at_first + self.succeeded_after_retry;
        let judged = self.calls.saturating_sub(self.cancelled);
        share(judged.saturating_sub(succeeded), judged)
    }
}

impl Measured for RetryReport {
    fn measure(&self, visit: &mut dyn FnMut(Measurement<'_>)) {
        let outcomes = [
            ("succeeded_at_first", self.succeeded_at_first),
            ("succeeded_after_retry", self.succeeded_after_retry),
            ("attempts_used_up", self.attempts_used_up),
            ("timed_out", self.timed_out),
            ("budget_empty", self.budget_empty),
            ("terminal", self.terminal),
            ("cancelled", self.cancelled),
            ("panicked", self.panicked),
        ];
        Measuring(visit)
            .split(&metrics::RETRY_CALLS, &[], outcomes)
            .add(&metrics::RETRY_ATTEMPTS, self.attempts)
            .add(&metrics::RETRY_RETRIES, self.retries)
            .add(&metrics::RETRY_SLEEPING, self.sleeping)
            .add(&metrics::RETRY_SLEPT, self.slept);
    }
}
