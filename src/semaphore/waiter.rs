//! One who queues, and the answer it gets.

use std::sync::Arc;

use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::thread::{self, Thread};

// All above any capacity.
const NONE_YET: u64 = u64::MAX;
const GRANTED: u64 = u64::MAX - 1;
const CLOSED: u64 = u64::MAX - 2;
/// None yet, and the thread parks: whoever answers unparks it. To unpark one that does not would cost a line that moves.
const PARKED: u64 = u64::MAX - 3;

#[derive(Debug)]
pub(super) struct Waiter {
    pub(super) permits: u64,
    thread: Thread,
    /// One of the above, or the capacity that is too small. The answer is written once, under the queue's lock, by whoever takes it
    /// out of the queue.
    answer: AtomicU64,
}

/// How it left the queue, if it did not leave on its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Granted,
    Closed,
    /// It asks for more than this capacity.
    Exceeds(u64),
}

impl Waiter {
    /// For the calling thread.
    pub(super) fn new(permits: u64) -> Arc<Self> {
        Arc::new(Self { permits, thread: thread::current(), answer: AtomicU64::new(NONE_YET) })
    }

    pub(super) fn thread(&self) -> &Thread {
        &self.thread
    }

    /// Says how it ended. A thread that is returned is to be unparked once the lock is released.
    pub(super) fn answer(&self, answer: Answer) -> Option<Thread> {
        let code = match answer {
            Answer::Granted => GRANTED,
            Answer::Closed => CLOSED,
            Answer::Exceeds(capacity) => capacity,
        };
        // Release pairs with the Acquire in `answered`: it passes on what `take_queued` has acquired.
        let before = self.answer.swap(code, Ordering::Release);
        (before == PARKED).then(|| self.thread.clone())
    }

    #[inline]
    pub(super) fn answered(&self) -> Option<Answer> {
        match self.answer.load(Ordering::Acquire) {
            NONE_YET | PARKED => None,
            GRANTED => Some(Answer::Granted),
            CLOSED => Some(Answer::Closed),
            capacity => Some(Answer::Exceeds(capacity)),
        }
    }

    /// The calling thread is going to park; an answer that is there already stays.
    pub(super) fn parks(&self) {
        // Relaxed: it carries nothing, and `answered` is asked before each park.
        let _ = self.answer.compare_exchange(NONE_YET, PARKED, Ordering::Relaxed, Ordering::Relaxed);
    }
}
