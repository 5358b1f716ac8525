//! Policies that let work in when it is its turn: a rate, and a bulkhead, which is a semaphore.

use super::attempt::Attempt;
use super::contract::Policy;
use super::error::PolicyError;
use super::rate::{RateLimited, RateLimiter};
use crate::semaphore::{AcquireError, Semaphore};

/// Each run takes a permit first, and waits for its turn.
impl<E> Policy<E> for RateLimiter {
    fn apply<T, F>(&self, attempt: Attempt<'_>, mut work: F) -> Result<T, PolicyError<E>>
    where
        F: FnMut(Attempt<'_>) -> Result<T, PolicyError<E>>,
    {
        match attempt.token() {
            Some(token) => self.acquire_with(token).map_err(|refused| match refused {
                RateLimited::Cancelled(cause) => PolicyError::Cancelled(cause),
                refused => PolicyError::Rate(refused),
            })?,
            None => self.acquire(),
        }
        work(attempt)
    }
}

/// A bulkhead: at most as many runs at once as it has permits; one that finds none waits for its turn.
impl<E> Policy<E> for Semaphore {
    fn apply<T, F>(&self, attempt: Attempt<'_>, mut work: F) -> Result<T, PolicyError<E>>
    where
        F: FnMut(Attempt<'_>) -> Result<T, PolicyError<E>>,
    {
        let permit = match attempt.token() {
            Some(token) => self.acquire_with(token),
            None => self.acquire(),
        };
        let _permit = permit.map_err(|refused| match refused {
            AcquireError::Cancelled(cause) => PolicyError::Cancelled(cause),
            refused => PolicyError::Permits(refused),
        })?;
        work(attempt)
    }
}
