//! Policies that let work in with several permits, or for a bounded wait.

use std::sync::Arc;

use super::admission::{refused_by_permits, refused_by_rate};
use super::attempt::Attempt;
use super::contract::Policy;
use super::error::PolicyError;
use super::held::{Held, would_wait_for_own};
use super::rate::{RateLimited, RateLimiter};
use crate::cancel::CancellationToken;
use crate::semaphore::{AcquireError, Permit, Semaphore};
use crate::sync::time::{self, Duration};

/// A limiter or a semaphore as a policy that takes several permits for each run, or waits for them so long at most; made by
/// [`RateLimiter::entry`], [`Semaphore::entry`] and [`Semaphore::entry_owned`].
///
/// It limits the wait for the turn alone, and the work has all the time that it takes: a [`TimeLimit`](super::TimeLimit) around a limiter limits both together, and tells the work
/// to end. And its refusals say that nothing ran: [`PolicyError::Rate`] or [`PolicyError::Permits`], with "not now" for a wait of zero, and "not in time" for
/// a longer one. A [`Retry`](super::Retry) around it takes those for what passes, and pauses for as long as the rate says.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use gristmill::{Policy, PolicyError, Semaphore};
///
/// let memory = Semaphore::new(64); // megabytes
/// let heavy = memory.entry(48, Duration::ZERO);
/// let held = memory.acquire_many(32)?;
/// let refused = heavy.call(|_| Ok::<_, ()>("sorted"));
/// assert!(matches!(refused, Err(PolicyError::Permits(refused)) if refused.is_not_now()));
/// drop(held);
/// assert_eq!(heavy.call(|_| Ok::<_, ()>("sorted")).unwrap(), "sorted");
/// # Ok::<(), gristmill::AcquireError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Entry<L> {
    limit: L,
    permits: usize,
    longest_wait: Duration,
}

impl RateLimiter {
    /// This limiter as a policy for which each run takes `permits` (0 to the burst), and waits for them at most `longest_wait`, on the limiter's clock. Zero does not wait;
    /// `Duration::MAX`, and whatever the clock cannot count to, waits without limit. A wait that would be too long is not begun.
    pub fn entry(&self, permits: u32, longest_wait: Duration) -> Entry<Self> {
        let permits = usize::try_from(permits).unwrap_or(usize::MAX);
        Entry { limit: self.clone(), permits, longest_wait }
    }
}

impl Semaphore {
    /// This semaphore as a policy for which each run takes `permits`, and waits for them at most `longest_wait`, on the system's clock. Zero does not wait; `Duration::MAX`,
    /// and whatever the clock cannot count to, waits without limit.
    pub fn entry(&self, permits: usize, longest_wait: Duration) -> Entry<&Self> {
        Entry { limit: self, permits, longest_wait }
    }

    /// As [`entry`](Self::entry), with a policy that keeps the semaphore alive: for tasks and stages.
    pub fn entry_owned(self: &Arc<Self>, permits: usize, longest_wait: Duration) -> Entry<Arc<Self>> {
        Entry { limit: Arc::clone(self), permits, longest_wait }
    }
}

/// Where the token is cancelled, too, that is the answer.
impl<E> Policy<E> for Entry<RateLimiter> {
    fn apply<T, F>(&self, attempt: Attempt<'_>, mut work: F) -> Result<T, PolicyError<E>>
    where
        F: FnMut(Attempt<'_>) -> Result<T, PolicyError<E>>,
    {
        attempt.check().map_err(PolicyError::Cancelled)?;
        self.take_turn(attempt.token()).map_err(refused_by_rate)?;
        work(attempt)
    }
}

impl Entry<RateLimiter> {
    fn take_turn(&self, token: Option<&CancellationToken>) -> Result<(), RateLimited> {
        let permits = u32::try_from(self.permits).unwrap_or(u32::MAX);
        if self.longest_wait.is_zero() {
            return self.limit.try_acquire_many(permits);
        }
        self.limit.acquire_many_within(permits, self.longest_wait, token)
    }
}

impl<E> Policy<E> for Entry<&Semaphore> {
    fn apply<T, F>(&self, attempt: Attempt<'_>, work: F) -> Result<T, PolicyError<E>>
    where
        F: FnMut(Attempt<'_>) -> Result<T, PolicyError<E>>,
    {
        self.run(self.limit, attempt, work)
    }

    fn would_wait_for_itself(&self) -> bool {
        self.waits_without_end() && would_wait_for_own(self.limit, self.permits)
    }
}

impl<E> Policy<E> for Entry<Arc<Semaphore>> {
    fn apply<T, F>(&self, attempt: Attempt<'_>, work: F) -> Result<T, PolicyError<E>>
    where
        F: FnMut(Attempt<'_>) -> Result<T, PolicyError<E>>,
    {
        self.run(&self.limit, attempt, work)
    }

    fn would_wait_for_itself(&self) -> bool {
        self.waits_without_end() && would_wait_for_own(&self.limit, self.permits)
    }
}

impl<L> Entry<L> {
    /// Whether no time ends the wait for a semaphore, which is by the system's clock.
    fn waits_without_end(&self) -> bool {
        time::now().checked_add(self.longest_wait).is_none()
    }

    fn run<T, E, F>(
        &self,
        semaphore: &Semaphore,
        attempt: Attempt<'_>,
        mut work: F,
    ) -> Result<T, PolicyError<E>>
    where
        F: FnMut(Attempt<'_>) -> Result<T, PolicyError<E>>,
    {
        attempt.check().map_err(PolicyError::Cancelled)?;
        let _permit = self.take_permits(semaphore, attempt.token()).map_err(refused_by_permits)?;
        let _held = Held::enter(semaphore);
        work(attempt)
    }

    fn take_permits<'a>(
        &self,
        semaphore: &'a Semaphore,
        token: Option<&CancellationToken>,
    ) -> Result<Permit<&'a Semaphore>, AcquireError> {
        match token {
            _ if self.longest_wait.is_zero() => semaphore.try_acquire_many(self.permits),
            Some(token) => semaphore.acquire_many_within(self.permits, self.longest_wait, token),
            None => semaphore.acquire_many_timeout(self.permits, self.longest_wait),
        }
    }
}
