//! What the two ends of a channel share, and the calls that do the work.

use std::collections::VecDeque;
use std::sync::Arc;

use crossbeam_channel::{RecvTimeoutError, SendTimeoutError};

use super::super::{Condvar, Mutex, MutexGuard};
use super::limit::Limit;
use super::meeting::Meeting;
use super::signal::Signal;

pub(super) struct State<T> {
    pub(super) capacity: usize,
    pub(super) queue: VecDeque<T>,
    pub(super) meeting: Meeting<T>,
    pub(super) senders: usize,
    pub(super) receivers: usize,
    // How many threads wait on `changed`.
    pub(super) waiting: usize,
    // The selects that wait for this channel among others.
    pub(super) signals: Vec<Arc<Signal>>,
}

impl<T> State<T> {
    pub(super) fn send_ready(&self) -> bool {
        self.queue.len() < self.capacity || self.meeting.receiver_waits() || self.receivers == 0
    }

    pub(super) fn receive_ready(&self) -> bool {
        !self.queue.is_empty() || self.meeting.sender_waits() || self.senders == 0
    }
}

pub(super) struct Channel<T> {
    pub(super) state: Mutex<State<T>>,
    pub(super) changed: Condvar,
}

impl<T> Channel<T> {
    /// Wakes all who may find the channel changed.
    pub(super) fn announce(&self, state: &mut State<T>) {
        if state.waiting > 0 {
            self.changed.notify_all();
        }
        state.signals.drain(..).for_each(|signal| signal.fire());
    }

    /// Waits for a change; true if the limit was reached instead.
    pub(super) fn wait(&self, state: &mut MutexGuard<'_, State<T>>, limit: Limit) -> bool {
        state.waiting += 1;
        let timed_out = match limit {
            Limit::Now => true,
            Limit::Until(deadline) => self.changed.wait_until(state, deadline).timed_out(),
            Limit::Never => {
                self.changed.wait(state);
                false
            }
        };
        state.waiting -= 1;
        timed_out
    }

    /// Puts a value in; `Timeout` also says that there was no room and no time to wait.
    pub(super) fn put(&self, value: T, mut limit: Limit) -> Result<(), SendTimeoutError<T>> {
        let mut state = self.state.lock();
        if state.capacity == 0 {
            return self.hand_over(state, value, limit);
        }
        loop {
            if state.receivers == 0 {
                return Err(SendTimeoutError::Disconnected(value));
            }
            if state.queue.len() < state.capacity {
                state.queue.push_back(value);
                self.announce(&mut state);
                return Ok(());
            }
            if matches!(limit, Limit::Now) {
                return Err(SendTimeoutError::Timeout(value));
            }
            limit = limit.after(self.wait(&mut state, limit));
        }
    }

    /// Takes a value out; `Timeout` also says that there was none and no time to wait.
    pub(super) fn take(&self, mut limit: Limit) -> Result<T, RecvTimeoutError> {
        let mut state = self.state.lock();
        if state.capacity == 0 {
            return self.receive_from_hand(state, limit);
        }
        loop {
            if let Some(value) = state.queue.pop_front() {
                self.announce(&mut state);
                return Ok(value);
            }
            if state.senders == 0 {
                return Err(RecvTimeoutError::Disconnected);
            }
            if matches!(limit, Limit::Now) {
                return Err(RecvTimeoutError::Timeout);
            }
            limit = limit.after(self.wait(&mut state, limit));
        }
    }
}
