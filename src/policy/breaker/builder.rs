//! Making a breaker: its settings.

use std::sync::Arc;

use super::change::{BreakerChange, OnChange};
use super::circuit_breaker::CircuitBreaker;
use super::core::Core;
use super::error::BreakerError;
use super::settings::{Asked, AskedWindow, Backoff, Slow, nanoseconds};
use crate::clock::{Clock, SystemClock};
use crate::sync::time::Duration;

impl CircuitBreaker {
    /// A breaker with settings other than the usual ones.
    pub fn builder() -> CircuitBreakerBuilder {
        CircuitBreakerBuilder::new()
    }
}

/// Builds a [`CircuitBreaker`]; made by [`CircuitBreaker::builder`].
///
/// What is not set is as in resilience4j, but for the minimum of calls, which is Hystrix's 20.
///
/// ```
/// use std::time::Duration;
/// use gristmill::{BreakerState, CircuitBreaker, ManualClock};
///
/// let clock = ManualClock::new();
/// let breaker = CircuitBreaker::builder()
///     .count_window(10)
///     .minimum_calls(2)
///     .open_time(Duration::from_secs(30))
///     .clock(clock.clone())
///     .build()?;
/// breaker.try_acquire()?.failure();
/// breaker.try_acquire()?.failure();
/// assert_eq!(breaker.state(), BreakerState::Open);
/// clock.advance(Duration::from_secs(30));
/// assert!(breaker.try_acquire().is_ok()); // a probe
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until `build`"]
pub struct CircuitBreakerBuilder {
    asked: Asked,
    clock: Arc<dyn Clock>,
    on_change: Option<OnChange>,
}

impl CircuitBreakerBuilder {
    fn new() -> Self {
        Self { asked: Asked::default(), clock: Arc::new(SystemClock), on_change: None }
    }

    /// Takes the rates from the last so many calls, 1 to a million (two bytes each); the last 100 unless it is set.
    pub fn count_window(mut self, calls: u32) -> Self {
        self.asked.window = AskedWindow::Calls(calls);
        self
    }

    /// Takes the rates from the calls of the last while, up to 584 years.
    ///
    /// In ten buckets: a call counts for at least nine tenths of `time`, and at most all of it (rounded up to ten nanoseconds). It costs a reading of the clock
    /// per call, which a count window does without. Not where calls are rare: fewer than the minimum never open it.
    pub fn time_window(mut self, time: Duration) -> Self {
        self.asked.window = AskedWindow::Time(time);
        self
    }

    /// How many calls have to be in the window before rates count, from 1 on; unless it is set, 20, or the whole of a shorter count window.
    pub fn minimum_calls(mut self, calls: u32) -> Self {
        self.asked.minimum_calls = Some(calls);
        self
    }

    /// The share of failures at which it opens, above 0 and up to 1; 0.5 unless it is set.
    pub fn failure_rate(mut self, rate: f64) -> Self {
        self.asked.failure_rate = rate;
        self
    }

    /// Opens it also for slow calls: those that take longer than `longer_than` (above 0), when their share reaches `rate` (above 0 and up to 1).
    ///
    /// A slow call counts whether it failed or not, and so does one that is cancelled by hand after that time: the loser of a race that hangs, say. It costs two readings of the clock per call; unless it is set, none is slow.
    pub fn slow_calls(mut self, longer_than: Duration, rate: f64) -> Self {
        self.asked.slow = Some(Slow { longer_than: nanoseconds(longer_than), rate });
        self
    }

    /// How long it stays open, above 0; a minute unless it is set. `Duration::MAX` is until it is [reset](CircuitBreaker::reset).
    pub fn open_time(mut self, time: Duration) -> Self {
        self.asked.open_time = time;
        self
    }

    /// Lets the open time grow by `factor` (from 1 on) with each opening in a row, up to `cap` (not below the open time).
    ///
    /// In a row are those after which the probes did not close it. Unless it is set, all are as long as the first.
    pub fn open_time_backoff(mut self, factor: f64, cap: Duration) -> Self {
        self.asked.backoff = Some(Backoff { factor, cap });
        self
    }

    /// How many calls a half-open breaker lets through, from 1 on; 10 unless it is set.
    pub fn probes(mut self, calls: u32) -> Self {
        self.asked.probes = calls;
        self
    }

    /// How long it stays half-open while all places for probes are taken, above 0; without limit unless it is set.
    ///
    /// For probes that may never come back: the first call after that time opens it again, and what they come to is late. It is resilience4j's
    /// `maxWaitDurationInHalfOpenState`, but for a breaker that has a place left: that one waits for a call to take it, however long.
    pub fn longest_half_open(mut self, time: Duration) -> Self {
        self.asked.longest_half_open = Some(time);
        self
    }

    /// Calls `callback` after each change of state, with no lock held, in the order of the changes, one at a time.
    ///
    /// It runs in a thread that made a change, so a slow one holds up a call; changes that come meanwhile are told by the same
    /// thread afterwards, up to eight in all. If there are more, the rest is told by a thread of its own, which ends when all are told (where there can be none, by the same thread
    /// as ever). At most 256 wait; when one more comes, the oldest is [omitted](super::BreakerReport::omitted_changes) and never told. It may use the breaker. A panic of it goes to the panic hook and no
    /// further: the state has changed, and the next change is told as ever. A later callback takes the place of an earlier one.
    pub fn on_change(mut self, callback: impl Fn(&BreakerChange) + Send + Sync + 'static) -> Self {
        self.on_change = Some(OnChange::new(callback));
        self
    }

    /// The clock to go by; the system's unless it is set. Tests give a clone of a [`ManualClock`](crate::clock::ManualClock).
    pub fn clock(mut self, clock: impl Clock + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// The breaker, closed.
    ///
    /// # Errors
    /// A setting is out of range; the error says which, and why. If several are, it names one.
    pub fn build(self) -> Result<CircuitBreaker, BreakerError> {
        let settings = self.asked.check()?;
        Ok(CircuitBreaker::with_core(Core::new(settings, self.clock, self.on_change)))
    }
}
