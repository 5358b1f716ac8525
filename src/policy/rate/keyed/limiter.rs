//! The limiter by keys: what users hold.

use std::borrow::Borrow;
use std::fmt;
use std::hash::Hash;
use std::sync::Arc;

use super::super::error::{RateError, RateLimited};
use super::super::reservation::Reservation;
use super::super::setting::Rate;
use super::super::time::Time;
use super::core::Core;
use super::report::KeyedRateReport;
use crate::cancel::CancellationToken;
use crate::sync::time::{Duration, Instant};

/// Lets so many things start in so much time for each key; clones are the same limiter.
///
/// Each key has the limit, and the turns, of a [`RateLimiter`](crate::RateLimiter) of its own: at most
/// `burst + ceil(w * permits / period) - 1` permits in any window of length `w`, first come first served, and nobody who waits for one
/// key is in the way of another. Not for a handful of keys that are known beforehand: give each a `RateLimiter`.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use gristmill::{KeyedRateLimiter, ManualClock};
///
/// let clock = ManualClock::new(); // leave it out for the system's
/// let tenants = KeyedRateLimiter::<String>::builder(10, Duration::from_secs(1), 2).clock(clock.clone()).build()?;
/// assert!(tenants.try_acquire("north").is_ok() && tenants.try_acquire("south").is_ok());
/// assert!(tenants.try_acquire("north").unwrap_err().is_not_yet());
/// assert!(tenants.try_acquire("west").unwrap_err().is_too_many_keys());
/// clock.advance(Duration::from_millis(100));
/// tenants.acquire("west"); // one of the others has all its permits back, and is forgotten
/// assert_eq!((tenants.report().keys, tenants.report().forgotten), (2, 1));
/// # Ok::<(), gristmill::RateError>(())
/// ```
///
/// # Its memory
/// At most `most_keys` keys are kept, however many come: some 150 bytes each and the key, apart from an entry for each thread that
/// waits. A key is kept until its place is wanted and all its permits are back: by then it is as good as a new one, and
/// forgetting it gives nobody anything. When every key that is kept still has something to be paid off, a new one is not let in, since its
/// rate could not be watched: the calls that do not wait answer [`RateLimited::TooManyKeys`], with the instant at which
/// the first place can be free, and those that wait do so for a place, in the order in which their keys came. Choose the bound well above the
/// number of keys that start something within the time of a full burst, `burst * period / permits`: then only a flood meets it.
///
/// # Cost
/// One lock for all keys; the bench `versus limiter` tells what a call costs. A new key at the bound costs the logarithm of the number of keys,
/// counted over many calls: one call may have to put right the order of all keys that took permits since the last.
///
/// # Panics
/// What the key's `Hash`, `Eq`, `ToOwned` or `Drop` panics with goes through; no permit and no key is lost or doubled by it, but if a key that is
/// forgotten panics as it is dropped, the permits of the call that made it go are taken. `Eq` runs under the limiter's lock, so it must not
/// use the limiter.
pub struct KeyedRateLimiter<K> {
    core: Arc<Core<K>>,
}

impl<K> KeyedRateLimiter<K> {
    pub(super) fn with_time(rate: Rate, most_keys: usize, time: Time) -> Self {
        Self { core: Arc::new(Core::new(rate, most_keys, time)) }
    }

    /// Takes a permit of the key if one is there and nobody waits for it.
    ///
    /// # Errors
    /// [`RateLimited::NotYet`] or [`RateLimited::TooManyKeys`], with the earliest instant at which it can succeed. That instant may be the
    /// present one, while one who waits has not taken what is due to it yet.
    #[inline]
    pub fn try_acquire<Q>(&self, key: &Q) -> Result<(), RateLimited>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        self.try_acquire_many(key, 1)
    }

    /// Takes `permits` of the key at once, 0 to the burst, if they are there and nobody waits for it. Zero always succeeds.
    ///
    /// # Errors
    /// As for [`try_acquire`](Self::try_acquire); [`RateLimited::ExceedsBurst`] if there are never so many at once.
    #[inline]
    pub fn try_acquire_many<Q>(&self, key: &Q, permits: u32) -> Result<(), RateLimited>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        self.core.try_take(key, permits).map(drop)
    }

    /// Takes `permits` as [`try_acquire_many`](Self::try_acquire_many) does, in a form that gives them back if what they are for
    /// does not happen.
    ///
    /// # Errors
    /// As for [`try_acquire_many`](Self::try_acquire_many).
    pub fn try_reserve<Q>(&self, key: &Q, permits: u32) -> Result<Reservation, RateLimited>
    where
        K: Borrow<Q> + Send + 'static,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        let (place, slot) = self.core.try_take(key, permits)?.unzip();
        Ok(Reservation::new(Arc::<Core<K>>::clone(&self.core), place.unwrap_or_default(), permits, slot))
    }

    /// Takes a permit of the key; waits for its turn, and before that for room if the key is new and there is none.
    pub fn acquire<Q>(&self, key: &Q)
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        if let Err(error) = self.core.take(key, 1, None, None) {
            unreachable!(
                "one permit is within every burst, and neither time nor token ends the wait: {error}"
            );
        }
    }

    /// Takes `permits` of the key at once, 0 to the burst; waits as [`acquire`](Self::acquire) does. Zero never waits.
    ///
    /// # Errors
    /// [`RateLimited::ExceedsBurst`], at once, or when the burst is lowered during the wait.
    pub fn acquire_many<Q>(&self, key: &Q, permits: u32) -> Result<(), RateLimited>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        self.core.take(key, permits, None, None)
    }

    /// Takes a permit of the key; waits at most `timeout`. `Duration::MAX` waits without limit.
    ///
    /// # Errors
    /// [`RateLimited::TimedOut`]; at once, without a wait, if it is certain already that there is no permit, or no room, for it within `timeout`.
    pub fn acquire_timeout<Q>(&self, key: &Q, timeout: Duration) -> Result<(), RateLimited>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        self.acquire_many_timeout(key, 1, timeout)
    }

    /// Takes `permits` of the key as [`acquire_many`](Self::acquire_many) does; waits at most `timeout`.
    ///
    /// # Errors
    /// As for [`acquire_many`](Self::acquire_many) and [`acquire_timeout`](Self::acquire_timeout).
    pub fn acquire_many_timeout<Q>(&self, key: &Q, permits: u32, timeout: Duration) -> Result<(), RateLimited>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        self.core.take(key, permits, self.now().checked_add(timeout), None)
    }

    /// Takes a permit of the key; waits until `token` is cancelled.
    ///
    /// # Errors
    /// [`RateLimited::Cancelled`]; also if a permit was there, but the token was cancelled before.
    ///
    /// # Cancellation
    /// No permit is taken, no room is kept, and those behind move up.
    pub fn acquire_with<Q>(&self, key: &Q, token: &CancellationToken) -> Result<(), RateLimited>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        self.acquire_many_with(key, 1, token)
    }

    /// Takes `permits` of the key as [`acquire_many`](Self::acquire_many) does; waits until `token` is cancelled.
    ///
    /// # Errors
    /// As for [`acquire_many`](Self::acquire_many) and [`acquire_with`](Self::acquire_with).
    ///
    /// # Cancellation
    /// As for [`acquire_with`](Self::acquire_with).
    pub fn acquire_many_with<Q>(
        &self,
        key: &Q,
        permits: u32,
        token: &CancellationToken,
    ) -> Result<(), RateLimited>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        self.core.take(key, permits, None, Some(token))
    }

    /// Changes the rate of every key; the burst stays.
    ///
    /// It counts from now on, for those who wait as well. What was taken before and is not paid off yet stays the same
    /// number of permits.
    ///
    /// # Errors
    /// As for [`new`](Self::new), or the burst would take more than 584 years. The old rate stays.
    ///
    /// # Cost
    /// A look at every key that is kept, under the lock.
    pub fn set_rate(&self, permits: u32, per: Duration) -> Result<(), RateError> {
        self.core.change(|rate| Rate::new(permits, per, rate.burst()))
    }

    /// Changes the burst of every key; the rate stays.
    ///
    /// Whoever waits for more permits than that is refused.
    ///
    /// # Errors
    /// Zero, or more than the rate allows in 584 years. The old burst stays.
    pub fn set_burst(&self, permits: u32) -> Result<(), RateError> {
        self.core.change(|rate| rate.with_burst(permits))
    }

    /// The rate of each key now: permits, and the period in which they are given.
    pub fn rate(&self) -> (u32, Duration) {
        let rate = self.core.rate();
        (rate.permits(), rate.per())
    }

    /// The burst of each key now.
    pub fn burst(&self) -> u32 {
        self.core.rate().burst()
    }

    /// What the limiter did so far, for all keys together.
    pub fn report(&self) -> KeyedRateReport {
        self.core.report()
    }

    /// The current instant of the limiter's clock, on which the instants of its errors are.
    pub fn now(&self) -> Instant {
        self.core.now()
    }
}

// By hand: a clone is the same limiter, whatever the keys are.
impl<K> Clone for KeyedRateLimiter<K> {
    fn clone(&self) -> Self {
        Self { core: Arc::clone(&self.core) }
    }
}

impl<K> fmt::Debug for KeyedRateLimiter<K> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rate = self.core.rate();
        formatter
            .debug_struct("KeyedRateLimiter")
            .field("permits", &rate.permits())
            .field("per", &rate.per())
            .field("burst", &rate.burst())
            .field("keys", &self.report().keys)
            .finish_non_exhaustive()
    }
}
