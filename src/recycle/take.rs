//! Taking objects, borrowed and owned.

use std::sync::Arc;

use super::entry::{Claim, Lease};
use super::error::TakeError;
use super::pool::ObjectPool;
use super::pooled::{OwnedPooled, Pooled};
use super::store::Wait;
use crate::cancel::CancellationToken;
use crate::sync::time::Duration;

impl<T, E> ObjectPool<T, E> {
    /// Takes an object if one is idle, or if one may be made and nobody queues.
    ///
    /// # Errors
    /// [`TakeError::NotNow`], which means that each object was in use when it was looked at, or that somebody queued; or as for
    /// [`take`](Self::take).
    #[inline]
    pub fn try_take(&self) -> Result<Pooled<'_, T>, TakeError<E>> {
        self.borrow(None)
    }

    /// Takes an object; waits for its turn.
    ///
    /// # Errors
    /// [`TakeError::Closed`], at once or during the wait; [`TakeError::Create`] or [`TakeError::CreatePanicked`] if there was none to use again and
    /// none could be made.
    #[inline]
    pub fn take(&self) -> Result<Pooled<'_, T>, TakeError<E>> {
        self.borrow(Some(Wait::Unlimited))
    }

    /// Takes an object; waits at most `timeout` on the system's clock, which is not the time that hooks take. Zero asks once; `Duration::MAX` waits without limit.
    ///
    /// # Errors
    /// [`TakeError::TimedOut`], or as for [`take`](Self::take).
    pub fn take_timeout(&self, timeout: Duration) -> Result<Pooled<'_, T>, TakeError<E>> {
        self.borrow(Some(Wait::For(timeout)))
    }

    /// Takes an object; waits until `token` is cancelled.
    ///
    /// # Errors
    /// [`TakeError::Cancelled`], also if an object was idle but the token was cancelled before; or as for [`take`](Self::take).
    ///
    /// # Cancellation
    /// Nothing is taken, and those behind move up. If the turn came first, the object is given. A hook that runs is not ended.
    pub fn take_with(&self, token: &CancellationToken) -> Result<Pooled<'_, T>, TakeError<E>> {
        self.borrow(Some(Wait::Until(token)))
    }

    #[inline]
    fn borrow(&self, wait: Option<Wait<'_>>) -> Result<Pooled<'_, T>, TakeError<E>> {
        self.lease(wait).map(|lease| Pooled::borrowed(&self.store, lease))
    }

    #[inline]
    fn lease(&self, wait: Option<Wait<'_>>) -> Result<Lease<T>, TakeError<E>> {
        match self.store.claim(wait).map_err(TakeError::refused)? {
            Claim::Object(lease) => Ok(lease),
            Claim::Place(permit) => self.make(permit),
        }
    }
}

impl<T: 'static, E> ObjectPool<T, E> {
    /// [`try_take`](Self::try_take) with an object that does not borrow the pool.
    ///
    /// # Errors
    /// As for [`try_take`](Self::try_take).
    pub fn try_take_owned(&self) -> Result<OwnedPooled<T>, TakeError<E>> {
        self.own(None)
    }

    /// [`take`](Self::take) with an object that does not borrow the pool.
    ///
    /// # Errors
    /// As for [`take`](Self::take).
    pub fn take_owned(&self) -> Result<OwnedPooled<T>, TakeError<E>> {
        self.own(Some(Wait::Unlimited))
    }

    /// [`take_timeout`](Self::take_timeout) with an object that does not borrow the pool.
    ///
    /// # Errors
    /// As for [`take_timeout`](Self::take_timeout).
    pub fn take_owned_timeout(&self, timeout: Duration) -> Result<OwnedPooled<T>, TakeError<E>> {
        self.own(Some(Wait::For(timeout)))
    }

    /// [`take_with`](Self::take_with) with an object that does not borrow the pool.
    ///
    /// # Errors
    /// As for [`take_with`](Self::take_with).
    ///
    /// # Cancellation
    /// As for [`take_with`](Self::take_with).
    pub fn take_owned_with(&self, token: &CancellationToken) -> Result<OwnedPooled<T>, TakeError<E>> {
        self.own(Some(Wait::Until(token)))
    }

    fn own(&self, wait: Option<Wait<'_>>) -> Result<OwnedPooled<T>, TakeError<E>> {
        self.lease(wait).map(|lease| Pooled::owned(Arc::clone(&self.store), lease))
    }
}
