//! Taking permits, borrowed and owned.

use std::sync::Arc;

use super::control::Semaphore;
use super::error::AcquireError;
use super::permit::{OwnedPermit, Permit};
use crate::cancel::CancellationToken;
use crate::sync::time::Duration;

impl Semaphore {
    /// Takes a permit if one is available and nobody queues.
    ///
    /// # Errors
    /// [`AcquireError::NotNow`], which means that at some moment during the call somebody queued or no permit was available: not one who
    /// is only about to queue and will find permits, and not one who has just been served or has given up; or there is no hope: [`ExceedsCapacity`](AcquireError::ExceedsCapacity),
    /// [`Closed`](AcquireError::Closed).
    #[inline]
    pub fn try_acquire(&self) -> Result<Permit<&Self>, AcquireError> {
        self.try_acquire_many(1)
    }

    /// Takes `permits` at once if they are available and nobody queues.
    ///
    /// Zero gives a permit of nothing, at once, whoever queues, in this and all other forms; only a closed semaphore and a cancelled token
    /// refuse it.
    ///
    /// # Errors
    /// As for [`try_acquire`](Self::try_acquire).
    #[inline]
    pub fn try_acquire_many(&self, permits: usize) -> Result<Permit<&Self>, AcquireError> {
        self.try_take(permits).map(|()| Permit::new(self, permits as u64))
    }

    /// Takes a permit; waits for its turn.
    ///
    /// # Errors
    /// At once or during the wait: [`AcquireError::Closed`]; [`ExceedsCapacity`](AcquireError::ExceedsCapacity), which for one
    /// permit means that the capacity is 0.
    #[inline]
    pub fn acquire(&self) -> Result<Permit<&Self>, AcquireError> {
        self.acquire_many(1)
    }

    /// Takes `permits` at once; waits for its turn.
    ///
    /// # Errors
    /// At once or during the wait: [`AcquireError::ExceedsCapacity`], [`AcquireError::Closed`].
    #[inline]
    pub fn acquire_many(&self, permits: usize) -> Result<Permit<&Self>, AcquireError> {
        self.take(permits).map(|()| Permit::new(self, permits as u64))
    }

    /// Takes a permit; waits at most `timeout`. Zero asks once; `Duration::MAX` waits without limit.
    ///
    /// # Errors
    /// [`AcquireError::TimedOut`], or as for [`acquire`](Self::acquire).
    pub fn acquire_timeout(&self, timeout: Duration) -> Result<Permit<&Self>, AcquireError> {
        self.acquire_many_timeout(1, timeout)
    }

    /// Takes `permits` as [`acquire_many`](Self::acquire_many) does; waits at most `timeout`.
    ///
    /// # Errors
    /// As for [`acquire_timeout`](Self::acquire_timeout).
    pub fn acquire_many_timeout(
        &self,
        permits: usize,
        timeout: Duration,
    ) -> Result<Permit<&Self>, AcquireError> {
        self.take_in(permits, timeout).map(|()| Permit::new(self, permits as u64))
    }

    /// Takes a permit; waits until `token` is cancelled.
    ///
    /// For a token and a time limit at once, give it a child of the token with that limit. The error's kind says which of the two it was.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use gristmill::{AcquireError, CancelKind, CancellationToken, Semaphore};
    ///
    /// let (semaphore, job) = (Semaphore::new(1), CancellationToken::new());
    /// let _held = semaphore.acquire()?;
    /// let error = semaphore.acquire_with(&job.child_with_timeout(Duration::from_millis(1))).unwrap_err();
    /// let AcquireError::Cancelled(cancelled) = error else { panic!("{error}") };
    /// assert_eq!(cancelled.kind(), CancelKind::DeadlineExceeded); // and not that of the job:
    /// assert!(!job.is_cancelled());
    /// # Ok::<(), AcquireError>(())
    /// ```
    ///
    /// # Errors
    /// [`AcquireError::Cancelled`], also if a permit was available but the token was cancelled before; or as for
    /// [`acquire`](Self::acquire).
    ///
    /// # Cancellation
    /// No permit is taken, and those behind move up. If the turn came first, the permit is given.
    pub fn acquire_with(&self, token: &CancellationToken) -> Result<Permit<&Self>, AcquireError> {
        self.acquire_many_with(1, token)
    }

    /// Takes `permits` as [`acquire_many`](Self::acquire_many) does; waits until `token` is cancelled.
    ///
    /// # Errors
    /// As for [`acquire_with`](Self::acquire_with).
    ///
    /// # Cancellation
    /// As for [`acquire_with`](Self::acquire_with).
    pub fn acquire_many_with(
        &self,
        permits: usize,
        token: &CancellationToken,
    ) -> Result<Permit<&Self>, AcquireError> {
        self.take_with(permits, token).map(|()| Permit::new(self, permits as u64))
    }

    /// Takes `permits`; waits at most `timeout`, and until `token` is cancelled.
    pub(crate) fn acquire_many_within(
        &self,
        permits: usize,
        timeout: Duration,
        token: &CancellationToken,
    ) -> Result<Permit<&Self>, AcquireError> {
        if let Some(cause) = token.cause() {
            return Err(AcquireError::Cancelled(cause));
        }
        let count = permits as u64;
        if !self.core.take(count) {
            self.core.wait(count, Some(timeout), Some(token))?;
        }
        Ok(Permit::new(self, count))
    }

    /// [`try_acquire_many`](Self::try_acquire_many) with a permit that keeps the semaphore alive.
    ///
    /// # Examples
    /// ```
    /// use std::sync::Arc;
    /// use gristmill::Semaphore;
    ///
    /// let semaphore = Arc::new(Semaphore::new(2));
    /// let permit = semaphore.acquire_owned(1)?;
    /// let thread = std::thread::spawn(move || drop(permit)); // given back when the work is done
    /// thread.join().unwrap();
    /// assert_eq!(semaphore.available(), 2);
    /// # Ok::<(), gristmill::AcquireError>(())
    /// ```
    ///
    /// # Errors
    /// As for [`try_acquire_many`](Self::try_acquire_many).
    #[inline]
    pub fn try_acquire_owned(self: &Arc<Self>, permits: usize) -> Result<OwnedPermit, AcquireError> {
        self.try_take(permits).map(|()| self.owned(permits))
    }

    /// [`acquire_many`](Self::acquire_many) with a permit that keeps the semaphore alive.
    ///
    /// # Errors
    /// As for [`acquire_many`](Self::acquire_many).
    #[inline]
    pub fn acquire_owned(self: &Arc<Self>, permits: usize) -> Result<OwnedPermit, AcquireError> {
        self.take(permits).map(|()| self.owned(permits))
    }

    /// [`acquire_many_timeout`](Self::acquire_many_timeout) with a permit that keeps the semaphore alive.
    ///
    /// # Errors
    /// As for [`acquire_many_timeout`](Self::acquire_many_timeout).
    pub fn acquire_owned_timeout(
        self: &Arc<Self>,
        permits: usize,
        timeout: Duration,
    ) -> Result<OwnedPermit, AcquireError> {
        self.take_in(permits, timeout).map(|()| self.owned(permits))
    }

    /// [`acquire_many_with`](Self::acquire_many_with) with a permit that keeps the semaphore alive.
    ///
    /// # Errors
    /// As for [`acquire_many_with`](Self::acquire_many_with).
    ///
    /// # Cancellation
    /// As for [`acquire_with`](Self::acquire_with).
    pub fn acquire_owned_with(
        self: &Arc<Self>,
        permits: usize,
        token: &CancellationToken,
    ) -> Result<OwnedPermit, AcquireError> {
        self.take_with(permits, token).map(|()| self.owned(permits))
    }

    fn owned(self: &Arc<Self>, permits: usize) -> OwnedPermit {
        Permit::new(Arc::clone(self), permits as u64)
    }

    #[inline]
    fn try_take(&self, permits: usize) -> Result<(), AcquireError> {
        let permits = permits as u64;
        if self.core.take(permits) { Ok(()) } else { self.core.refusal(permits) }
    }

    #[inline]
    fn take(&self, permits: usize) -> Result<(), AcquireError> {
        let permits = permits as u64;
        if self.core.take(permits) { Ok(()) } else { self.core.wait(permits, None, None) }
    }

    fn take_in(&self, permits: usize, timeout: Duration) -> Result<(), AcquireError> {
        let permits = permits as u64;
        if self.core.take(permits) { Ok(()) } else { self.core.wait(permits, Some(timeout), None) }
    }

    fn take_with(&self, permits: usize, token: &CancellationToken) -> Result<(), AcquireError> {
        if let Some(cause) = token.cause() {
            return Err(AcquireError::Cancelled(cause));
        }
        let permits = permits as u64;
        if self.core.take(permits) { Ok(()) } else { self.core.wait(permits, None, Some(token)) }
    }
}
