//! Where the ends of all that one thread waits for arrive.
//!
//! # Invariants
//! 1. An index is put into `arrived` once by each signal that is sent, and by each nudge, in the order of the calls.
//! 2. `listener` is the thread that is about to park because it found `arrived` empty, under the same lock. So an arrival either
//!    comes first and is seen, or finds the listener and unparks it; the unpark is kept if the thread has not parked yet.
//! 3. Who unparks takes the listener out: one wake-up, however many arrive before the thread has run.
//! 4. Once the inbox is closed nothing is kept: signals may outlive it by as long as what they were given to.
//!
//! Lock order: `state` is a leaf. Signals may be posted under locks; threads are unparked without.

use std::collections::VecDeque;
use std::fmt;
use std::mem;
use std::sync::Arc;

use crate::sync::Mutex;
use crate::sync::thread::{self, Thread};

#[derive(Debug, Default)]
struct State {
    arrived: VecDeque<usize>,
    listener: Option<Thread>,
    is_closed: bool,
}

/// The waiting side. One thread at a time uses it.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    state: Arc<Mutex<State>>,
}

impl Inbox {
    pub(crate) fn signal(&self, index: usize) -> Signal {
        Signal(Nudge { inbox: Arc::clone(&self.state), index })
    }

    /// Moves what has arrived into `into`, which is empty; false if there is nothing.
    pub(crate) fn collect(&self, into: &mut VecDeque<usize>) -> bool {
        let mut state = self.state.lock();
        mem::swap(&mut state.arrived, into);
        !into.is_empty()
    }

    /// Has the calling thread unparked by the next arrival; false if there is one.
    pub(crate) fn listen(&self) -> bool {
        let me = thread::current();
        let mut state = self.state.lock();
        let is_empty = state.arrived.is_empty();
        if is_empty {
            state.listener = Some(me);
        }
        is_empty
    }

    /// Takes [`listen`](Self::listen) back.
    pub(crate) fn stop_listening(&self) {
        let listener = self.state.lock().listener.take();
        drop(listener);
    }
}

impl Drop for Inbox {
    fn drop(&mut self) {
        let mut state = self.state.lock();
        state.is_closed = true;
        let rest = (mem::take(&mut state.arrived), state.listener.take());
        drop(state);
        drop(rest);
    }
}

/// Tells whoever waits that one of the things it waits for has ended: given to [`Waitable::watch`](super::Waitable::watch), sent once.
#[must_use = "a signal that is not sent is a wait that does not end"]
pub struct Signal(Nudge);

impl Signal {
    /// Tells that the end has come.
    ///
    /// Not to be called while a lock is held that the methods of the [`Waitable`](super::Waitable) take: this wakes a thread.
    pub fn send(self) {
        self.0.send();
    }

    /// As [`send`](Self::send) in two steps: what has arrived keeps its place, and the thread that is returned, if any, is to be unparked.
    pub(crate) fn post(&self) -> Option<Thread> {
        self.0.post()
    }

    /// What asks whoever waits to have a look, for a change that may be the end and that only
    /// [`is_finished`](super::Waitable::is_finished) can tell.
    pub fn nudge(&self) -> Nudge {
        self.0.clone()
    }
}

impl fmt::Debug for Signal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Signal").field("index", &self.0.index).finish_non_exhaustive()
    }
}

/// Has whoever waits ask [`is_finished`](super::Waitable::is_finished) of one of the things it waits for, any number of times.
#[derive(Clone)]
pub struct Nudge {
    inbox: Arc<Mutex<State>>,
    index: usize,
}

impl Nudge {
    /// Asks for a look.
    pub fn send(&self) {
        if let Some(thread) = self.post() {
            thread.unpark();
        }
    }

    fn post(&self) -> Option<Thread> {
        let mut state = self.inbox.lock();
        if state.is_closed {
            return None;
        }
        state.arrived.push_back(self.index);
        state.listener.take()
    }
}

impl fmt::Debug for Nudge {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Nudge").field("index", &self.index).finish_non_exhaustive()
    }
}
