//! Who waits for a task: a parked thread, or a signal of a set of handles.

use crate::cancel::{CancellationToken, Registration};
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
    /// `tokens`: those whose cancel may end what is waited for. What waits in the queue is ended by whoever sees that, and it may have to be
    /// the one who waits.
    pub(super) fn signal<'a>(signal: Signal, tokens: impl Iterator<Item = &'a CancellationToken>) -> Self {
        let looks = tokens.map(|token| {
            let nudge = signal.nudge();
            token.wake_on_cancel(move || nudge.send())
        });
        Self::Signal { _looks: looks.collect(), signal }
    }

    /// [`tell`](Self::tell), where no lock is held: what was to be waited for has ended before.
    pub(super) fn tell_at_once(mut self) {
        if let Some(thread) = self.tell() {
            thread.unpark();
        }
    }

    /// Tells that the task has ended; under the task's lock, so that who has seen one task's end before another's hears of
    /// them in that order. The thread returned is to be unparked with no lock held.
    pub(super) fn tell(&mut self) -> Option<Thread> {
        match self {
            Self::Thread(thread) => Some(thread.clone()),
            Self::Signal { signal, .. } => signal.post(),
        }
    }
}
