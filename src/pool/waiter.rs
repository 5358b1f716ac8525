//! Who waits for a task: a parked thread, or a signal of a set of handles.

use crate::cancel::Registration;
use crate::sync::thread::Thread;
use crate::waitable::Signal;

/// In a box where a task keeps it, so that tasks nobody waits for yet have room for no more than a pointer.
#[derive(Debug)]
pub(super) enum Waiter {
    Thread(Thread),
    Signal {
        signal: Signal,
        /// Has whoever waits look when a token of the task is cancelled.
        _looks: Vec<Registration>,
    },
}

impl Waiter {
    /// Tells that the task has ended; under the task's lock, so that who has seen one task's end before another's hears of
    /// them in that order. The thread returned is to be unparked with no lock held.
    pub(super) fn tell(&mut self) -> Option<Thread> {
        match self {
            Self::Thread(thread) => Some(thread.clone()),
            Self::Signal { signal, .. } => signal.post(),
        }
    }
}
