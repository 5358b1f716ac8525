//! Policies that let work in when it is its turn: a rate, of a key or of all, and a bulkhead, which is a semaphore.

use std::hash::Hash;

use super::attempt::Attempt;
use super::contract::Policy;
use super::error::PolicyError;
use super::held::{Held, would_wait_for_own};
use super::rate::{KeyRate, RateLimited, RateLimiter};
use crate::semaphore::{AcquireError, Semaphore};

/// Each run takes a permit first, and waits for its turn. For several permits, or a bound on the wait, see [`entry`](RateLimiter::entry).
impl<E> Policy<E> for RateLimiter {
    fn apply<T, F>(&self, attempt: Attempt<'_>, mut work: F) -> Result<T, PolicyError<E>>
    where
        F: FnMut(Attempt<'_>) -> Result<T, PolicyError<E>>,
    {
        match attempt.token() {
            Some(token) => self.acquire_with(token).map_err(refused_by_rate)?,
            None => self.acquire(),
        }
        work(attempt)
    }
}

/// Each run takes a permit of the key first, and waits for its turn.
impl<E, K: Hash + Eq + Clone> Policy<E> for KeyRate<K> {
    fn apply<T, F>(&self, attempt: Attempt<'_>, mut work: F) -> Result<T, PolicyError<E>>
    where
        F: FnMut(Attempt<'_>) -> Result<T, PolicyError<E>>,
    {
        match attempt.token() {
            Some(token) => self.limiter().acquire_with(self.key(), token).map_err(refused_by_rate)?,
            None => self.limiter().acquire(self.key()),
        }
        work(attempt)
    }
}

/// A bulkhead: at most as many runs at once as it has permits; one that finds none waits for its turn. For several permits, or a bound on the wait, see
/// [`entry`](Semaphore::entry).
impl<E> Policy<E> for Semaphore {
    fn apply<T, F>(&self, attempt: Attempt<'_>, mut work: F) -> Result<T, PolicyError<E>>
    where
        F: FnMut(Attempt<'_>) -> Result<T, PolicyError<E>>,
    {
        let permit = match attempt.token() {
            Some(token) => self.acquire_with(token),
            None => self.acquire(),
        };
        let _permit = permit.map_err(refused_by_permits)?;
        let _held = Held::enter(self);
        work(attempt)
    }

    fn would_wait_for_itself(&self) -> bool {
        would_wait_for_own(self, 1)
    }
}

pub(super) fn refused_by_rate<E>(refused: RateLimited) -> PolicyError<E> {
    match refused {
        RateLimited::Cancelled(cause) => PolicyError::Cancelled(cause),
        refused => PolicyError::Rate(refused),
    }
}

pub(super) fn refused_by_permits<E>(refused: AcquireError) -> PolicyError<E> {
    match refused {
        AcquireError::Cancelled(cause) => PolicyError::Cancelled(cause),
        refused => PolicyError::Permits(refused),
    }
}
