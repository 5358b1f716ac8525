//! The limiter: what users hold.

use std::fmt;
use std::sync::Arc;

use super::core::Core;
use super::error::{RateError, RateLimited};
use super::report::RateReport;
use super::reservation::Reservation;
use super::setting::Rate;
use super::time::Time;
use crate::cancel::CancellationToken;
use crate::clock::Clock;
use crate::sync::time::{Duration, Instant};

/// Lets so many things start in so much time; clones are the same limiter.
///
/// Not for limiting how many run at once: a rate says nothing about how long each takes.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use gristmill::{ManualClock, RateLimiter};
///
/// let clock = ManualClock::new(); // leave it out for the system's
/// let limiter = RateLimiter::builder(10, Duration::from_secs(1)).burst(3).clock(clock.clone()).build()?;
/// assert!((0..3).all(|_| limiter.try_acquire().is_ok()), "the burst");
/// let refused = limiter.try_acquire().unwrap_err();
/// assert_eq!(refused.to_string(), "the rate allows it in 100ms at the earliest");
/// clock.advance(Duration::from_millis(100));
/// limiter.acquire(); // without a wait, since the permit is there
/// assert_eq!(limiter.report().acquired, 4);
/// # Ok::<(), gristmill::RateError>(())
/// ```
///
/// # The limit
/// With a burst of `b`, at most `b + ceil(w * permits / period) - 1` permits are taken in any window of length `w` (its end
/// excluded). So with the default burst of 1 no window of one period ever sees more than `permits`, and with a burst
/// of `b` none more than `permits + b - 1`. A permit counts at the instant at which it is taken, by the thread that takes it. The
/// arithmetic is exact for every rate, three a second as well as seven a microsecond, for ever.
///
/// # How much of it can be used
/// All of it, as long as threads wake in time. A sleeping thread wakes late, and with a burst of 1 that time is lost: to make
/// up for it would be a start too early. With a larger burst the next starts make up for it, as long as it is less than
/// the time of `b - 1` permits. So where a limiter is to be used to the full, give it a burst of what comes due in ten
/// milliseconds, and at least 2.
///
/// # Turns
/// First come, first served, whatever the weights: one who waits is passed by nobody, not by
/// [`try_acquire`](Self::try_acquire) either, and one who waits for many permits holds up those behind it until it has them. One who
/// is cancelled or whose time is over leaves without a trace, and those behind move up.
///
/// The words are the crate's: `try_x` does not wait, `x` waits, `x_timeout` waits for a time at most, `x_with` until a token is
/// cancelled; `many` takes several permits at once. A token's own deadline is on the system's clock, whatever
/// the limiter's.
#[derive(Clone)]
pub struct RateLimiter {
    core: Arc<Core>,
}

impl RateLimiter {
    pub(super) fn with_time(rate: Rate, time: Time) -> Self {
        Self { core: Arc::new(Core::new(rate, time)) }
    }

    /// Takes a permit if one is there and nobody waits.
    ///
    /// # Errors
    /// [`RateLimited::NotYet`], with the earliest instant at which it can succeed. That instant may be the present one, while
    /// one who waits has not taken its permit yet.
    #[inline]
    pub fn try_acquire(&self) -> Result<(), RateLimited> {
        self.try_acquire_many(1)
    }

    /// Takes `permits` at once, 0 to the burst, if they are there and nobody waits. Zero always succeeds.
    ///
    /// # Errors
    /// As for [`try_acquire`](Self::try_acquire); [`RateLimited::ExceedsBurst`] if there are never so many at once.
    #[inline]
    pub fn try_acquire_many(&self, permits: u32) -> Result<(), RateLimited> {
        self.core.try_take(permits)
    }

    /// Takes `permits` as [`try_acquire_many`](Self::try_acquire_many) does, in a form that gives them back if what they are for
    /// does not happen.
    ///
    /// There is no form that waits: one who waits holds nothing until its turn, so leaving the wait gives all back.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use gristmill::RateLimiter;
    ///
    /// let limiter = RateLimiter::new(1, Duration::from_secs(3600))?;
    /// drop(limiter.try_reserve(1)); // there was nothing to start after all
    /// limiter.try_reserve(1).unwrap().commit();
    /// assert!(limiter.try_reserve(1).is_err());
    /// # Ok::<(), gristmill::RateError>(())
    /// ```
    ///
    /// # Errors
    /// As for [`try_acquire_many`](Self::try_acquire_many).
    pub fn try_reserve(&self, permits: u32) -> Result<Reservation, RateLimited> {
        let slot = self.core.try_reserve(permits)?;
        Ok(Reservation::new(Arc::<Core>::clone(&self.core), 0, permits, slot))
    }

    /// Takes a permit; waits for its turn.
    pub fn acquire(&self) {
        if let Err(error) = self.core.take(1, None, None, drop) {
            unreachable!(
                "one permit is within every burst, and neither time nor token ends the wait: {error}"
            );
        }
    }

    /// Takes `permits` at once, 0 to the burst; waits for its turn. Zero never waits.
    ///
    /// # Errors
    /// [`RateLimited::ExceedsBurst`], at once, or when the burst is lowered during the wait.
    pub fn acquire_many(&self, permits: u32) -> Result<(), RateLimited> {
        self.core.take(permits, None, None, drop)
    }

    /// Takes a permit; waits at most `timeout`. `Duration::MAX` waits without limit.
    ///
    /// # Errors
    /// [`RateLimited::TimedOut`]; at once, without a wait, if the rate and those who wait already leave no permit for it within
    /// `timeout`.
    pub fn acquire_timeout(&self, timeout: Duration) -> Result<(), RateLimited> {
        self.acquire_many_timeout(1, timeout)
    }

    /// Takes `permits` as [`acquire_many`](Self::acquire_many) does; waits at most `timeout`.
    ///
    /// # Errors
    /// As for [`acquire_many`](Self::acquire_many) and [`acquire_timeout`](Self::acquire_timeout).
    pub fn acquire_many_timeout(&self, permits: u32, timeout: Duration) -> Result<(), RateLimited> {
        self.acquire_many_within(permits, timeout, None)
    }

    /// Takes `permits`; waits at most `timeout`, and until `token` is cancelled.
    pub(crate) fn acquire_many_within(
        &self,
        permits: u32,
        timeout: Duration,
        token: Option<&CancellationToken>,
    ) -> Result<(), RateLimited> {
        self.core.take(permits, self.core.now().checked_add(timeout), token, drop)
    }

    /// Takes a permit as [`acquire_many_within`](Self::acquire_many_within) does, in a form that gives it back.
    pub(crate) fn reserve_within(
        &self,
        timeout: Duration,
        token: &CancellationToken,
    ) -> Result<Reservation, RateLimited> {
        let limit = self.core.now().checked_add(timeout);
        let keep = |slot| Reservation::new(Arc::<Core>::clone(&self.core), 0, 1, slot);
        self.core.take(1, limit, Some(token), keep)
    }

    /// Takes a permit; waits until `token` is cancelled.
    ///
    /// # Errors
    /// [`RateLimited::Cancelled`]; also if a permit was there, but the token was cancelled before.
    ///
    /// # Cancellation
    /// No permit is taken, and those behind move up.
    pub fn acquire_with(&self, token: &CancellationToken) -> Result<(), RateLimited> {
        self.acquire_many_with(1, token)
    }

    /// Takes `permits` as [`acquire_many`](Self::acquire_many) does; waits until `token` is cancelled.
    ///
    /// # Errors
    /// As for [`acquire_many`](Self::acquire_many) and [`acquire_with`](Self::acquire_with).
    ///
    /// # Cancellation
    /// No permit is taken, and those behind move up.
    pub fn acquire_many_with(&self, permits: u32, token: &CancellationToken) -> Result<(), RateLimited> {
        self.core.take(permits, None, Some(token), drop)
    }

    /// Changes the rate; the burst stays.
    ///
    /// It counts from now on, for those who wait as well. What was taken before and is not paid off yet stays the same
    /// number of permits. A wait with a time-out that can no longer succeed ends when its time is over.
    ///
    /// # Errors
    /// As for [`new`](Self::new), or the burst would take more than 584 years. The old rate stays.
    pub fn set_rate(&self, permits: u32, per: Duration) -> Result<(), RateError> {
        self.core.change(|rate| Rate::new(permits, per, rate.burst()))
    }

    /// Changes the burst; the rate stays.
    ///
    /// Whoever waits for more permits than that is refused.
    ///
    /// # Errors
    /// Zero, or more than the rate allows in 584 years. The old burst stays.
    pub fn set_burst(&self, permits: u32) -> Result<(), RateError> {
        self.core.change(|rate| rate.with_burst(permits))
    }

    /// The rate now: permits, and the period in which they are given.
    pub fn rate(&self) -> (u32, Duration) {
        let rate = self.core.rate();
        (rate.permits(), rate.per())
    }

    /// The burst now.
    pub fn burst(&self) -> u32 {
        self.core.rate().burst()
    }

    /// What the limiter did so far.
    pub fn report(&self) -> RateReport {
        self.core.report()
    }

    /// The current instant of the limiter's clock, on which the instants of its errors are.
    pub fn now(&self) -> Instant {
        self.core.now()
    }

    /// Tells limiters apart; clones have the same.
    pub(crate) fn id(&self) -> u64 {
        self.core.id()
    }

    /// The clock, for those who wait by other means than `acquire`.
    pub(crate) fn clock(&self) -> &Arc<dyn Clock> {
        self.core.clock()
    }
}

impl fmt::Debug for RateLimiter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rate = self.core.rate();
        formatter
            .debug_struct("RateLimiter")
            .field("permits", &rate.permits())
            .field("per", &rate.per())
            .field("burst", &rate.burst())
            .finish_non_exhaustive()
    }
}
