//! Making a retry: its settings.

use std::sync::Arc;

use super::backoff::Backoff;
use super::call::{Core, Settings};
use super::error::RetryBuildError;
use super::jitter::{Jitter, Random};
use super::policy::Retry;
use crate::clock::{Clock, SystemClock};
use crate::policy::budget::AttemptBudget;
use crate::sync::time::Duration;

impl Retry {
    /// `attempts` at most, the first included; after pauses of 100 ms, 200 ms, and so on, of each of which chance takes a part
    /// ([`Jitter::Full`]).
    ///
    /// # Errors
    /// Zero attempts.
    pub fn new(attempts: u32) -> Result<Self, RetryBuildError> {
        Self::builder().attempts(attempts).build()
    }

    /// As [`new`](Self::new), with all settings to be set, the attempts too.
    pub fn builder() -> RetryBuilder {
        RetryBuilder::new()
    }
}

/// Builds a [`Retry`]; made by [`Retry::builder`].
///
/// ```
/// use std::time::Duration;
/// use gristmill::{Backoff, Policy, Retry};
///
/// let retry = Retry::builder()
///     .attempts(5)
///     .backoff(Backoff::Exponential { first: Duration::from_micros(10), factor: 2.0 })
///     .longest_delay(Duration::from_millis(1))
///     .seed(7) // the same pauses in every run
///     .build()?;
/// let answer = retry.call(|attempt| if attempt.number() < 3 { Err("busy") } else { Ok(42) });
/// assert!(matches!(answer, Ok(42)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until `build`"]
pub struct RetryBuilder {
    settings: Settings,
    seed: Option<u64>,
}

impl RetryBuilder {
    fn new() -> Self {
        let settings = Settings {
            attempts: Some(3),
            backoff: Backoff::Exponential { first: Duration::from_millis(100), factor: 2.0 },
            longest_delay: Duration::MAX,
            jitter: Jitter::Full,
            total_timeout: None,
            budget: None,
            clock: Arc::new(SystemClock),
        };
        Self { settings, seed: None }
    }

    /// How often the work is run at most, the first time included: 1 to `u32::MAX`. 3 unless it is set.
    ///
    /// Three is resilience4j's default: enough for bad luck, too few to make an outage worse.
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.settings.attempts = Some(attempts);
        self
    }

    /// Attempts without a limit of their own. Set a [`longest_delay`](Self::longest_delay) with it, and something that ends it:
    /// a [`total_timeout`](Self::total_timeout), a [`budget`](Self::budget) or a token.
    pub fn unlimited_attempts(mut self) -> Self {
        self.settings.attempts = None;
        self
    }

    /// How the pauses grow: twice as long each time from 100 ms on, unless it is set.
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.settings.backoff = backoff;
        self
    }

    /// What no pause is longer than, before the jitter is applied; without a cap unless it is set. Zero: no
    /// pauses at all, but those for which a policy within [asks](Retry#pauses-after-a-refusal).
    pub fn longest_delay(mut self, delay: Duration) -> Self {
        self.settings.longest_delay = delay;
        self
    }

    /// How much of each pause is left to chance; [`Jitter::Full`] unless it is set.
    pub fn jitter(mut self, jitter: Jitter) -> Self {
        self.settings.jitter = jitter;
        self
    }

    /// The time for a whole call, what the attempts take included, on the clock of the policy; without a limit unless it is set.
    ///
    /// Counted from the call on. No attempt starts at its end or later, and a pause that would last until then is not begun. It does not end an attempt that
    /// runs: the work's token does, so give that a deadline. A time too long for the clock, such as [`Duration::MAX`], is no limit.
    pub fn total_timeout(mut self, timeout: Duration) -> Self {
        self.settings.total_timeout = Some(timeout);
        self
    }

    /// What attempts beyond the first are paid from; without one unless it is set.
    ///
    /// Each call pays in when its first attempt begins; an attempt that is not made after all, since the pause before it was cut off, goes back.
    pub fn budget(mut self, budget: AttemptBudget) -> Self {
        self.settings.budget = Some(budget);
        self
    }

    /// The clock to go by; the system's unless it is set. Tests give a clone of a
    /// [`ManualClock`](crate::clock::ManualClock).
    pub fn clock(mut self, clock: impl Clock + 'static) -> Self {
        self.settings.clock = Arc::new(clock);
        self
    }

    /// Where the chance of the jitter starts from, for tests: with the same seed, the same pauses follow each other. Another one each time
    /// unless it is set.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// The policy.
    ///
    /// # Errors
    /// Zero attempts, a total time of zero, or a factor that is infinite, not a number or below 1; the error says which.
    pub fn build(self) -> Result<Retry, RetryBuildError> {
        let Self { settings, seed } = self;
        settings.backoff.check()?;
        if settings.attempts == Some(0) {
            return Err(RetryBuildError::ZeroAttempts);
        }
        if settings.total_timeout == Some(Duration::ZERO) {
            return Err(RetryBuildError::ZeroTotalTimeout);
        }
        let random = seed.map_or_else(Random::new, Random::seeded);
        Ok(Retry::with_core(Core::new(settings, random)))
    }
}
