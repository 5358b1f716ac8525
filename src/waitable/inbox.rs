//! Where the ends of all that one thread waits for arrive.
//!
//! # Invariants
//! 1. An index is put into `arrived` once by each signal, when it is sent or dropped, and by nudges, of which one per index is there at
//!    most (`nudged`); in the order of the calls.
//! 2. `listener` is the thread that is about to park because it found `arrived` empty, under the same lock. So an arrival either
//!    comes first and is seen, or finds the listener and unparks it; the unpark is kept if the thread has not parked yet.
//! 3. Who unparks takes the listener out: one wake-up, however many arrive before the thread has run.
//! 4. Once the inbox is closed nothing is kept: signals may outlive it by as long as what they were given to.
//!
//! Lock order: `state` is a leaf. Signals may be posted under locks; threads are unparked without.

use std::collections::{BTreeSet, VecDeque};
use std::fmt;
use std::mem;
use std::sync::Arc;

use crate::sync::Mutex;
use crate::sync::thread::{self, Thread};

/// What is told of the handle of that index.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Arrival {
    /// It may have ended.
    Look(usize),
    /// Nobody will tell of its end, unless it has ended already: its signal was dropped.
    Lost(usize),
}

#[derive(Debug, Default)]
struct State {
    arrived: VecDeque<Arrival>,
    /// Those of `arrived` that nudges have put there.
    nudged: BTreeSet<usize>,
    listener: Option<Thread>,
    is_closed: bool,
}

impl State {
    /// Whom to unpark.
    fn put(&mut self, arrival: Arrival) -> Option<Thread> {
        if self.is_closed {
            return None;
        }
        self.arrived.push_back(arrival);
        self.listener.take()
    }
}

fn unpark(listener: Option<Thread>) {
    if let Some(thread) = listener {
        thread.unpark();
    }
}

/// The waiting side. One thread at a time uses it.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    state: Arc<Mutex<State>>,
}

impl Inbox {
    pub(crate) fn signal(&self, index: usize) -> Signal {
        Signal { nudge: Nudge { inbox: Arc::clone(&self.state), index }, is_sent: false }
    }

    /// Moves what has arrived into `into`, which is empty; false if there is nothing.
    pub(crate) fn collect(&self, into: &mut VecDeque<Arrival>) -> bool {
        let mut state = self.state.lock();
        state.nudged.clear();
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

    /// Nothing arrives any more.
    pub(crate) fn close(&self) {
        let mut state = self.state.lock();
        state.is_closed = true;
        let rest = (mem::take(&mut state.arrived), state.listener.take());
        drop(state);
        drop(rest);
    }
}

impl Drop for Inbox {
    fn drop(&mut self) {
        self.close();
    }
}

/// Tells whoever waits that one of the things it waits for has ended: given to [`Waitable::watch`](super::Waitable::watch), sent once.
///
/// One that is dropped unsent tells that nobody will send it: whoever waits asks [`is_finished`](super::Waitable::is_finished) once more. If
/// the answer is no, that one can never be heard of, and a wait that is left with nothing but such handles panics instead of hanging.
#[must_use = "a signal that is not sent is a wait that does not end"]
pub struct Signal {
    nudge: Nudge,
    is_sent: bool,
}

impl Signal {
    /// Tells that the end has come.
    ///
    /// Not to be called while a lock is held that the methods of the [`Waitable`](super::Waitable) take: this wakes a thread.
    pub fn send(mut self) {
        unpark(self.post());
    }

    /// As [`send`](Self::send) in two steps: what has arrived keeps its place, and the thread that is returned, if any, is to be unparked.
    pub(crate) fn post(&mut self) -> Option<Thread> {
        self.is_sent = true;
        self.nudge.inbox.lock().put(Arrival::Look(self.nudge.index))
    }

    /// Another signal of the same thing, for one that ends in two steps: the first step sends it, and whoever waits has a look.
    #[cfg(feature = "journal")]
    pub(crate) fn twin(&self) -> Self {
        Self { nudge: self.nudge.clone(), is_sent: false }
    }

    /// What asks whoever waits to have a look, for a change that may be the end and that only
    /// [`is_finished`](super::Waitable::is_finished) can tell. It does not stand in for the signal, which has to be kept and sent.
    pub fn nudge(&self) -> Nudge {
        self.nudge.clone()
    }
}

impl fmt::Debug for Signal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Signal").field("index", &self.nudge.index).finish_non_exhaustive()
    }
}

impl Drop for Signal {
    fn drop(&mut self) {
        if !self.is_sent {
            let listener = self.nudge.inbox.lock().put(Arrival::Lost(self.nudge.index));
            unpark(listener);
        }
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
        let mut state = self.inbox.lock();
        // One is enough until the waiting side has looked.
        let is_new = !state.is_closed && state.nudged.insert(self.index);
        let listener = if is_new { state.put(Arrival::Look(self.index)) } else { None };
        drop(state);
        unpark(listener);
    }
}

impl fmt::Debug for Nudge {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Nudge").field("index", &self.index).finish_non_exhaustive()
    }
}

#[cfg(all(test, not(any(gristmill_shuttle, gristmill_loom))))]
mod tests {
    use super::*;

    #[test]
    fn nudges_leave_one_arrival_until_somebody_looks() {
        let (inbox, mut arrived) = (Inbox::default(), VecDeque::new());
        let (signal, other) = (inbox.signal(0), inbox.signal(1));
        let nudge = signal.nudge();
        for _ in 0..1000 {
            nudge.send();
            other.nudge().send();
        }
        assert!(inbox.collect(&mut arrived));
        assert_eq!(arrived.len(), 2);
        arrived.clear();
        assert!(!inbox.collect(&mut arrived));
        nudge.send();
        signal.send();
        drop(other);
        assert!(inbox.collect(&mut arrived));
        assert!(matches!(arrived.make_contiguous(), [Arrival::Look(0), Arrival::Look(0), Arrival::Lost(1)]));
    }

    #[test]
    fn closed_inbox_keeps_nothing() {
        let inbox = Inbox::default();
        let (signal, dropped) = (inbox.signal(0), inbox.signal(1));
        let state = Arc::clone(&inbox.state);
        drop(inbox);
        signal.nudge().send();
        signal.send();
        drop(dropped);
        let state = state.lock();
        assert!(state.arrived.is_empty() && state.nudged.is_empty());
    }

    #[test]
    fn one_that_has_stopped_listening_is_not_kept_and_one_that_finds_something_does_not_listen() {
        let inbox = Inbox::default();
        assert!(inbox.listen() && inbox.state.lock().listener.is_some());
        inbox.stop_listening();
        assert!(inbox.state.lock().listener.is_none());
        inbox.signal(0).send();
        assert!(!inbox.listen() && inbox.state.lock().listener.is_none());
    }
}
