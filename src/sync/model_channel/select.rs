//! Waiting for any of several operations: the half of crossbeam's `Select` that says what is ready.

use std::fmt;
use std::sync::Arc;

use super::super::backend;
use super::super::time::{self, Duration, Instant};
use super::limit::Limit;
use super::receiver::Receiver;
use super::sender::Sender;
use super::signal::Signal;
use crossbeam_channel::{ReadyTimeoutError, TryReadyError};

/// One operation that a select watches.
trait Operation {
    /// Whether it can go on now; if not, and there is a signal, leaves it to be fired on the next change.
    fn is_ready_or_watched(&self, signal: Option<&Arc<Signal>>) -> bool;

    /// Takes the signal back.
    fn unwatch(&self, signal: &Arc<Signal>);
}

macro_rules! operation {
    ($side:ident, $ready:ident) => {
        impl<T> Operation for $side<T> {
            fn is_ready_or_watched(&self, signal: Option<&Arc<Signal>>) -> bool {
                let mut state = self.channel.state.lock();
                let ready = state.$ready();
                if !ready {
                    state.signals.extend(signal.map(Arc::clone));
                }
                ready
            }

            fn unwatch(&self, signal: &Arc<Signal>) {
                self.channel.state.lock().signals.retain(|other| !Arc::ptr_eq(other, signal));
            }
        }
    };
}

operation!(Sender, send_ready);
operation!(Receiver, receive_ready);

/// Watches several operations and says which can go on.
///
/// It says so without doing it: another thread may be faster, so the caller tries and, if that fails, asks again.
#[derive(Default)]
pub struct Select<'a> {
    operations: Vec<&'a dyn Operation>,
    biased: bool,
}

impl<'a> Select<'a> {
    /// Watches nothing yet; where several operations are ready, any of them may be named.
    pub fn new() -> Self {
        Self::default()
    }

    /// Watches nothing yet; where several operations are ready, the one added first is named.
    pub fn new_biased() -> Self {
        Self { operations: Vec::new(), biased: true }
    }

    /// Watches for room to send; the answer is the operation's index.
    pub fn send<T>(&mut self, sender: &'a Sender<T>) -> usize {
        self.operations.push(sender);
        self.operations.len() - 1
    }

    /// Watches for something to receive; the answer is the operation's index.
    pub fn recv<T>(&mut self, receiver: &'a Receiver<T>) -> usize {
        self.operations.push(receiver);
        self.operations.len() - 1
    }

    /// The index of an operation that is ready now.
    ///
    /// # Errors
    /// None is.
    pub fn try_ready(&mut self) -> Result<usize, TryReadyError> {
        self.wait(Limit::Now).ok_or(TryReadyError)
    }

    /// Waits until an operation is ready; its index. With no operation, waits for ever.
    pub fn ready(&mut self) -> usize {
        self.wait(Limit::Never).expect("there is no limit to reach")
    }

    /// Waits until an operation is ready, at most for `timeout`; its index.
    ///
    /// # Errors
    /// None became ready in time.
    pub fn ready_timeout(&mut self, timeout: Duration) -> Result<usize, ReadyTimeoutError> {
        let limit = time::now().checked_add(timeout).map_or(Limit::Never, Limit::Until);
        self.wait(limit).ok_or(ReadyTimeoutError)
    }

    /// Waits until an operation is ready, at most until `deadline`; its index.
    ///
    /// # Errors
    /// None became ready in time.
    pub fn ready_deadline(&mut self, deadline: Instant) -> Result<usize, ReadyTimeoutError> {
        self.wait(Limit::Until(deadline)).ok_or(ReadyTimeoutError)
    }

    fn wait(&self, mut limit: Limit) -> Option<usize> {
        loop {
            if matches!(limit, Limit::Now) {
                return self.find(None);
            }
            let signal = Signal::new();
            let found = self.find(Some(&signal));
            let timed_out = found.is_none() && signal.wait(limit);
            for operation in &self.operations {
                operation.unwatch(&signal);
            }
            if found.is_some() {
                return found;
            }
            limit = limit.after(timed_out);
        }
    }

    fn find(&self, signal: Option<&Arc<Signal>>) -> Option<usize> {
        let count = self.operations.len();
        let first = if self.biased || count < 2 { 0 } else { backend::first_choice(count) };
        (0..count)
            .map(|step| (first + step) % count)
            .find(|index| self.operations[*index].is_ready_or_watched(signal))
    }
}

impl fmt::Debug for Select<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Select").field("operations", &self.operations.len()).finish_non_exhaustive()
    }
}
