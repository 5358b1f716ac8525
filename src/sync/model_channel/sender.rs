//! The sending side.

use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;

use super::super::time::{self, Duration, Instant};
use super::channel::Channel;
use super::limit::Limit;
use crossbeam_channel::{SendError, SendTimeoutError, TrySendError};

/// Puts values into a channel.
pub struct Sender<T> {
    pub(super) channel: Arc<Channel<T>>,
}

impl<T> Sender<T> {
    pub(super) fn new(channel: Arc<Channel<T>>) -> Self {
        Self { channel }
    }

    /// Sends without waiting.
    ///
    /// # Errors
    /// The channel is full, or no receiver is left; the value comes back.
    pub fn try_send(&self, value: T) -> Result<(), TrySendError<T>> {
        self.channel.put(value, Limit::Now).map_err(|error| match error {
            SendTimeoutError::Timeout(value) => TrySendError::Full(value),
            SendTimeoutError::Disconnected(value) => TrySendError::Disconnected(value),
        })
    }

    /// Sends, waiting for room.
    ///
    /// # Errors
    /// No receiver is left; the value comes back.
    pub fn send(&self, value: T) -> Result<(), SendError<T>> {
        self.channel.put(value, Limit::Never).map_err(|error| SendError(error.into_inner()))
    }

    /// Sends, waiting for room at most for `timeout`.
    ///
    /// # Errors
    /// There was no room in time, or no receiver is left; the value comes back.
    pub fn send_timeout(&self, value: T, timeout: Duration) -> Result<(), SendTimeoutError<T>> {
        self.channel.put(value, time::now().checked_add(timeout).map_or(Limit::Never, Limit::Until))
    }

    /// Sends, waiting for room at most until `deadline`.
    ///
    /// # Errors
    /// There was no room in time, or no receiver is left; the value comes back.
    pub fn send_deadline(&self, value: T, deadline: Instant) -> Result<(), SendTimeoutError<T>> {
        self.channel.put(value, Limit::Until(deadline))
    }

    /// Whether nothing is queued.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether there is no room; with capacity 0, always.
    pub fn is_full(&self) -> bool {
        let state = self.channel.state.lock();
        state.queue.len() == state.capacity
    }

    /// How many values are queued.
    pub fn len(&self) -> usize {
        self.channel.state.lock().queue.len()
    }

    /// How many values the channel holds at most.
    #[allow(clippy::unnecessary_wraps)] // crossbeam's signature
    pub fn capacity(&self) -> Option<usize> {
        Some(self.channel.state.lock().capacity)
    }

    /// Whether both send into one channel.
    pub fn same_channel(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.channel, &other.channel)
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        self.channel.state.lock().senders += 1;
        Self::new(Arc::clone(&self.channel))
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        let mut state = self.channel.state.lock();
        state.senders -= 1;
        if state.senders == 0 {
            self.channel.announce(&mut state);
        }
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad("Sender { .. }")
    }
}

// As crossbeam's: a panic elsewhere leaves no value half-sent.
impl<T> UnwindSafe for Sender<T> {}
impl<T> RefUnwindSafe for Sender<T> {}
