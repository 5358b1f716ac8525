//! A bounded channel with crossbeam's names and behaviour, on this crate's own locks, so that models see every step.
//!
//! It is the channel of every model configuration and never ships. It errs on the safe side: any change wakes all who
//! wait. What crossbeam does and the conformance suite checks on both: first in, first out; errors hand the value
//! back; no sender left and nothing queued disconnects receivers; no receiver left disconnects senders, and what is
//! queued then stays until they are gone too; [`Select`] calls a disconnected operation ready. Capacity 0 is a meeting
//! of two threads, as there.
//!
//! Invariants, under [`Channel::state`]:
//! 1. `queue.len() <= capacity`; with capacity 0 only `meeting` holds values, otherwise it is empty.
//! 2. Whoever changes what `send_ready` or `receive_ready` answer calls [`Channel::announce`] before unlocking.
//! 3. A value leaves the channel's lock before anything of the user's runs on it (its `Drop`).
//!
//! Lock order: a channel's `state`, then a [`Signal`]'s; never two channels at once.

use std::collections::VecDeque;
use std::sync::Arc;

use super::time::Instant;
use super::{Condvar, Mutex, MutexGuard};

mod meeting;
mod receiver;
mod select;
mod sender;
#[cfg(all(test, not(any(gristmill_shuttle, gristmill_loom))))]
mod tests;

pub use crossbeam_channel::{
    ReadyTimeoutError, RecvError, RecvTimeoutError, SendError, SendTimeoutError, TryReadyError, TryRecvError,
    TrySendError,
};
pub use receiver::{IntoIter, Iter, Receiver, TryIter};
pub use select::Select;
pub use sender::Sender;

use meeting::Meeting;
use select::Signal;

/// A channel that holds at most `capacity` values; with 0, a value passes only from hand to hand.
pub fn bounded<T>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    let channel = Arc::new(Channel {
        state: Mutex::new(State {
            capacity,
            queue: VecDeque::new(),
            meeting: Meeting::default(),
            senders: 1,
            receivers: 1,
            waiting: 0,
            signals: Vec::new(),
        }),
        changed: Condvar::new(),
    });
    (Sender::new(Arc::clone(&channel)), Receiver::new(channel))
}

/// How long a call may wait.
#[derive(Clone, Copy, Debug)]
enum Limit {
    Now,
    Until(Instant),
    Never,
}

impl Limit {
    /// The limit after a wait: none of it is left if it timed out, and then one last look is due.
    fn after(self, timed_out: bool) -> Self {
        if timed_out { Self::Now } else { self }
    }
}

struct State<T> {
    capacity: usize,
    queue: VecDeque<T>,
    meeting: Meeting<T>,
    senders: usize,
    receivers: usize,
    // How many threads wait on `changed`.
    waiting: usize,
    // The selects that wait for this channel among others.
    signals: Vec<Arc<Signal>>,
}

impl<T> State<T> {
    fn send_ready(&self) -> bool {
        self.queue.len() < self.capacity || self.meeting.receiver_waits() || self.receivers == 0
    }

    fn receive_ready(&self) -> bool {
        !self.queue.is_empty() || self.meeting.sender_waits() || self.senders == 0
    }
}

struct Channel<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
}

impl<T> Channel<T> {
    /// Wakes all who may find the channel changed.
    fn announce(&self, state: &mut State<T>) {
        if state.waiting > 0 {
            self.changed.notify_all();
        }
        state.signals.drain(..).for_each(|signal| signal.fire());
    }

    /// Waits for a change; true if the limit was reached instead.
    fn wait(&self, state: &mut MutexGuard<'_, State<T>>, limit: Limit) -> bool {
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
    fn put(&self, value: T, mut limit: Limit) -> Result<(), SendTimeoutError<T>> {
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
    fn take(&self, mut limit: Limit) -> Result<T, RecvTimeoutError> {
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
