//! The receiving side.

use std::fmt;
use std::iter::FusedIterator;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;

use super::super::time::{self, Duration, Instant};
use super::channel::Channel;
use super::limit::Limit;
use crossbeam_channel::{RecvError, RecvTimeoutError, TryRecvError};

/// Takes values out of a channel.
pub struct Receiver<T> {
    pub(super) channel: Arc<Channel<T>>,
}

impl<T> Receiver<T> {
    pub(super) fn new(channel: Arc<Channel<T>>) -> Self {
        Self { channel }
    }

    /// Receives without waiting.
    ///
    /// # Errors
    /// Nothing is queued; or nothing ever will be, since no sender is left.
    pub fn try_recv(&self) -> Result<T, TryRecvError> {
        self.channel.take(Limit::Now).map_err(|error| match error {
            RecvTimeoutError::Timeout => TryRecvError::Empty,
            RecvTimeoutError::Disconnected => TryRecvError::Disconnected,
        })
    }

    /// Receives, waiting for a value.
    ///
    /// # Errors
    /// Nothing is queued and no sender is left.
    pub fn recv(&self) -> Result<T, RecvError> {
        self.channel.take(Limit::Never).map_err(|_| RecvError)
    }

    /// Receives, waiting for a value at most for `timeout`.
    ///
    /// # Errors
    /// No value came in time; or nothing is queued and no sender is left.
    pub fn recv_timeout(&self, timeout: Duration) -> Result<T, RecvTimeoutError> {
        self.channel.take(time::now().checked_add(timeout).map_or(Limit::Never, Limit::Until))
    }

    /// Receives, waiting for a value at most until `deadline`.
    ///
    /// # Errors
    /// No value came in time; or nothing is queued and no sender is left.
    pub fn recv_deadline(&self, deadline: Instant) -> Result<T, RecvTimeoutError> {
        self.channel.take(Limit::Until(deadline))
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

    /// Whether both receive from one channel.
    pub fn same_channel(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.channel, &other.channel)
    }

    /// Values until no sender is left, waiting for each.
    pub fn iter(&self) -> Iter<'_, T> {
        Iter { receiver: self }
    }

    /// The values that can be had without waiting.
    pub fn try_iter(&self) -> TryIter<'_, T> {
        TryIter { receiver: self }
    }
}

impl<T> Clone for Receiver<T> {
    fn clone(&self) -> Self {
        self.channel.state.lock().receivers += 1;
        Self::new(Arc::clone(&self.channel))
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        let mut state = self.channel.state.lock();
        state.receivers -= 1;
        if state.receivers == 0 {
            // What is queued stays until the last sender is gone too, as in crossbeam's bounded channel (only its
            // unbounded one discards here).
            self.channel.announce(&mut state);
        }
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad("Receiver { .. }")
    }
}

// As crossbeam's: a panic elsewhere leaves no value half-received.
impl<T> UnwindSafe for Receiver<T> {}
impl<T> RefUnwindSafe for Receiver<T> {}

/// See [`Receiver::iter`].
#[derive(Debug)]
pub struct Iter<'a, T> {
    receiver: &'a Receiver<T>,
}

impl<T> Iterator for Iter<'_, T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.receiver.recv().ok()
    }
}

impl<T> FusedIterator for Iter<'_, T> {}

/// See [`Receiver::try_iter`].
#[derive(Debug)]
pub struct TryIter<'a, T> {
    receiver: &'a Receiver<T>,
}

impl<T> Iterator for TryIter<'_, T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.receiver.try_recv().ok()
    }
}

/// [`Receiver::iter`] that owns the receiver.
#[derive(Debug)]
pub struct IntoIter<T> {
    receiver: Receiver<T>,
}

impl<T> Iterator for IntoIter<T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.receiver.recv().ok()
    }
}

impl<T> FusedIterator for IntoIter<T> {}

impl<'a, T> IntoIterator for &'a Receiver<T> {
    type Item = T;
    type IntoIter = Iter<'a, T>;

    fn into_iter(self) -> Iter<'a, T> {
        self.iter()
    }
}

impl<T> IntoIterator for Receiver<T> {
    type Item = T;
    type IntoIter = IntoIter<T>;

    fn into_iter(self) -> IntoIter<T> {
        IntoIter { receiver: self }
    }
}
