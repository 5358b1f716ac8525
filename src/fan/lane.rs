//! The receiving end of a lane.

use std::fmt;
use std::sync::Weak;

use super::core::Core;
use super::cut::Cutting;
use super::error::ReceiveError;
use super::id::LaneId;
use super::patience::Patience;
use super::table::Ends;
use crate::cancel::CancellationToken;
use crate::sync::channel::{Receiver, Select, TryRecvError};
use crate::sync::time::Duration;

/// Receives what a [`Router`](super::Router) sends to one of its lanes. The lane is alive as long as this exists.
///
/// It ends when the router is gone, or has [removed](super::Router::remove_lane) the lane, and nothing is queued. Dropping it tells the router that
/// nobody receives here any more; what is queued is not lost by that: see [`Router::take_undelivered`](super::Router::take_undelivered).
///
/// # Examples
/// Whatever takes a channel's receiver takes a lane's, as long as the lane is kept:
/// ```
/// use gristmill::{CancellationToken, Pipeline, fan::Router};
///
/// let router = Router::round_robin(8)?;
/// let lane = router.add_lane();
/// (1..=4).for_each(|number| router.send(number).unwrap());
/// drop(router);
/// let (sum, _) = Pipeline::from_receiver(lane.receiver().clone())
///     .fold("add", 0, |sum, number| sum + number)
///     .run(&CancellationToken::new())?;
/// assert_eq!(sum, 10);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "the lane is dead once this is dropped"]
pub struct Lane<T> {
    id: LaneId,
    receiver: Receiver<T>,
    cut: Option<Cutting>,
    core: Weak<Core<T>>,
}

impl<T> Lane<T> {
    pub(super) fn new(ends: Ends<T>, core: Weak<Core<T>>) -> Self {
        Self { id: ends.id, receiver: ends.queue, cut: ends.cut, core }
    }

    /// The lane's name.
    pub fn id(&self) -> LaneId {
        self.id
    }

    /// The channel behind the lane, for what takes a receiver: a pipeline, a [`Merge`](super::Merge), `select!`.
    ///
    /// A clone receives from the same queue; it does not keep the lane alive. That of a shared queue is the queue of all lanes, and does not end when
    /// this lane is removed.
    pub fn receiver(&self) -> &Receiver<T> {
        &self.receiver
    }

    /// Receives without waiting.
    ///
    /// # Errors
    /// [`ReceiveError::Empty`], [`ReceiveError::Ended`].
    pub fn try_recv(&self) -> Result<T, ReceiveError> {
        self.receive(&Patience::None)
    }

    /// Receives; waits for an item.
    ///
    /// # Errors
    /// [`ReceiveError::Ended`].
    pub fn recv(&self) -> Result<T, ReceiveError> {
        self.receive(&Patience::Endless)
    }

    /// Receives; waits at most `timeout`. Zero asks once; `Duration::MAX` waits without limit.
    ///
    /// # Errors
    /// [`ReceiveError::TimedOut`], [`ReceiveError::Ended`].
    pub fn recv_timeout(&self, timeout: Duration) -> Result<T, ReceiveError> {
        self.receive(&Patience::timeout(timeout))
    }

    /// Receives; waits until `token` is cancelled.
    ///
    /// # Errors
    /// [`ReceiveError::Cancelled`], also if an item was there but the token was cancelled before; [`ReceiveError::Ended`].
    ///
    /// # Cancellation
    /// Nothing is received.
    pub fn recv_with(&self, token: &CancellationToken) -> Result<T, ReceiveError> {
        self.receive(&Patience::token(token).map_err(ReceiveError::Cancelled)?)
    }

    /// Items until the lane ends, waiting for each.
    pub fn iter(&self) -> impl Iterator<Item = T> + '_ {
        std::iter::from_fn(|| self.recv().ok())
    }

    /// Items until the lane ends or `token` is cancelled, waiting for each.
    ///
    /// ```
    /// use gristmill::{CancellationToken, Router};
    ///
    /// let router = Router::round_robin(8)?;
    /// let lane = router.add_lane();
    /// (1..=3).try_for_each(|n| router.send(n))?;
    /// let token = CancellationToken::new();
    /// for n in lane.until(&token) {
    ///     if n == 2 {
    ///         token.cancel();
    ///     }
    /// }
    /// assert_eq!(lane.try_recv()?, 3); // still there
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn until<'a>(&'a self, token: &'a CancellationToken) -> impl Iterator<Item = T> + 'a {
        std::iter::from_fn(|| self.recv_with(token).ok())
    }

    fn receive(&self, patience: &Patience<'_>) -> Result<T, ReceiveError> {
        if self.cut.is_none() && matches!(patience, Patience::Endless) {
            return self.receiver.recv().map_err(|_| ReceiveError::Ended);
        }
        loop {
            if self.cut.as_ref().is_some_and(Cutting::is_removed) {
                return Err(ReceiveError::Ended);
            }
            match self.receiver.try_recv() {
                Ok(item) => return Ok(item),
                Err(TryRecvError::Disconnected) => return Err(ReceiveError::Ended),
                Err(TryRecvError::Empty) => patience.check()?,
            }
            let mut select = Select::new();
            select.recv(&self.receiver);
            // Once the router is gone, the end of the queue is what tells, and `woken` would only keep the loop from sleeping.
            if let Some(cut) = self.cut.as_ref().filter(|_| self.core.strong_count() > 0) {
                select.recv(&cut.woken);
            }
            patience.watch(&mut select);
            patience.wait(&mut select);
        }
    }
}

impl<T> Drop for Lane<T> {
    fn drop(&mut self) {
        if let Some(core) = self.core.upgrade() {
            core.lane_dropped(self.id);
        }
    }
}

impl<T> fmt::Debug for Lane<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Lane").field("id", &self.id).finish_non_exhaustive()
    }
}
