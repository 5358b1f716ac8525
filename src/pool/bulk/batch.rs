//! How the handle of many chunks learns that the last of them has ended.
//!
//! # Invariants
//! 1. `pending` counts the chunks that have not ended, and one for whoever still submits.
//! 2. The end of a chunk's last task is counted under `state`, before `finished` is set: who sees the batch finished sees all
//!    counts, and who has seen all counts finds the batch finished, if need be by waiting for the lock.
//!
//! Lock order: a chunk's lock, then `state`, which is a leaf.

use std::mem;

use super::super::waiter::Waiter;
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::thread::Thread;
use crate::trace::BatchSpan;

#[derive(Debug)]
pub(super) struct Batch {
    finished: AtomicBool,
    state: Mutex<State>,
    pub(super) span: BatchSpan,
}

#[derive(Debug)]
struct State {
    pending: usize,
    waiter: Option<Waiter>,
}

impl Batch {
    pub(super) fn new(span: BatchSpan) -> Self {
        let state = Mutex::new(State { pending: 1, waiter: None });
        Self { finished: AtomicBool::new(false), state, span }
    }

    /// One more chunk, before anybody can see it.
    pub(super) fn add(&self) {
        self.state.lock().pending += 1;
    }

    /// A chunk, or the submitting, has ended; `count` counts its last ends. Whom to unpark.
    pub(super) fn end(&self, count: impl FnOnce()) -> Option<Thread> {
        let mut state = self.state.lock();
        state.pending -= 1;
        // Told before it is counted, as the end of a single task is; and left where it is, to be dropped without a lock.
        let is_last = state.pending == 0;
        let wake = state.waiter.as_mut().filter(|_| is_last).and_then(Waiter::tell);
        count();
        if is_last {
            // Release pairs with the Acquire in `is_finished`.
            self.finished.store(true, Ordering::Release);
        }
        wake
    }

    pub(super) fn is_finished(&self) -> bool {
        self.looks_finished() || self.state.lock().pending == 0
    }

    /// As [`is_finished`](Self::is_finished), and may say no a moment too long.
    pub(super) fn looks_finished(&self) -> bool {
        self.finished.load(Ordering::Acquire)
    }

    /// Has `waiter` told of the end; gives it back if the batch is finished.
    pub(super) fn watch(&self, waiter: Option<Waiter>) -> Result<(), Option<Waiter>> {
        let mut state = self.state.lock();
        if state.pending == 0 {
            return Err(waiter);
        }
        let old = mem::replace(&mut state.waiter, waiter);
        drop(state);
        drop(old);
        Ok(())
    }
}
