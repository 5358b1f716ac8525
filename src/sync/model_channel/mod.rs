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

use super::{Condvar, Mutex};

mod channel;
mod limit;
mod meeting;
mod receiver;
mod rendezvous;
mod select;
mod sender;
mod signal;
#[cfg(all(test, not(any(gristmill_shuttle, gristmill_loom))))]
mod tests;

pub use crossbeam_channel::{
    ReadyTimeoutError, RecvError, RecvTimeoutError, SendError, SendTimeoutError, TryReadyError, TryRecvError,
    TrySendError,
};
pub use receiver::{IntoIter, Iter, Receiver, TryIter};
pub use select::Select;
pub use sender::Sender;

use channel::{Channel, State};
use meeting::Meeting;

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
