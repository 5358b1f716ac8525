//! The bounded queue in front of the committer.
//!
//! # Invariants
//! 1. `places` counts what waits and what was taken and is not [`Queue::done`]: so what a crash can undo, being neither committed nor refused,
//!    is bounded by the limit, and not by the limit twice.
//! 2. An item that is larger than `most_bytes` enters once nothing else has a place. While one waits because of its bytes, nothing else enters but
//!    what may not wait: smaller ones do not overtake it, and no size waits for ever.
//! 3. After [`Queue::close`], nothing enters, and what has entered is taken.
//! 4. The taker waits for more only while more is coming, nobody who gives waits, nothing urgent lies here and half of the places are free;
//!    and never beyond the instant that it named, nor after nothing has come for the time that it named. Whoever changes one of these wakes it; for a promise that comes to nothing there is
//!    [`Queue::press`].
//!
//! Locks: `state`, a leaf: nothing is called under it but `more`, which reads a counter.

#[cfg(all(test, not(any(gristmill_shuttle, gristmill_loom))))]
mod tests;

use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::time::{self, Duration, Instant};
use crate::sync::{Condvar, Mutex, MutexGuard};

/// See the module.
pub(super) struct Queue<T> {
    state: Mutex<State<T>>,
    /// What the taker waits for is there, or the queue is closed.
    is_wanted: Condvar,
    /// There is room again, or it is closed.
    has_room: Condvar,
    most_places: usize,
    most_bytes: usize,
    /// As in the state, for a look without the lock; it may come late.
    is_closed: AtomicBool,
}

struct State<T> {
    waiting: Vec<T>,
    places: usize,
    bytes: usize,
    is_closed: bool,
    /// Whether something that waits is not to wait for more.
    is_urgent: bool,
    taker: Taker,
    givers_asleep: usize,
    /// Whether one of them has the next turn: there was a place for it, and no room for its bytes.
    is_reserved: bool,
}

/// What the taker does.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Taker {
    /// It is not here.
    Works,
    /// It waits for something.
    Sleeps,
    /// There is something, and it waits for more.
    Gathers,
}

/// How long a taker waits for more.
#[derive(Clone, Copy)]
pub(super) struct Patience {
    pub(super) until: Instant,
    /// It ends when nothing has come for so long: what is on its way may be far.
    pub(super) quiet: Duration,
}

/// How long whoever puts an item waits while there is no room.
#[derive(Clone, Copy)]
pub(super) enum Wait {
    /// It goes in all the same.
    Never,
    Until(Instant),
    Endless,
}

/// How an item is put.
#[derive(Clone, Copy)]
pub(super) struct Manner {
    pub(super) wait: Wait,
    /// Whether somebody waits for this one.
    pub(super) is_urgent: bool,
}

impl<T> Queue<T> {
    pub(super) fn new(most_places: usize, most_bytes: usize) -> Self {
        let state = State {
            waiting: Vec::new(),
            places: 0,
            bytes: 0,
            is_closed: false,
            is_urgent: false,
            taker: Taker::Works,
            givers_asleep: 0,
            is_reserved: false,
        };
        let (is_wanted, has_room) = (Condvar::new(), Condvar::new());
        Self {
            state: Mutex::new(state),
            is_wanted,
            has_room,
            most_places,
            most_bytes,
            is_closed: AtomicBool::new(false),
        }
    }

    /// Puts an item of that many bytes, after waiting for room if it may; gives it back if the queue is closed or there was no room in time. `more`
    /// says whether more is coming than so many items.
    pub(super) fn put(
        &self,
        item: T,
        bytes: usize,
        manner: Manner,
        more: impl Fn(usize) -> bool,
    ) -> Result<(), T> {
        let mut state = self.state.lock();
        if !self.wait_for_room(&mut state, bytes, manner.wait) || state.is_closed {
            return Err(item);
        }
        state.places += 1;
        state.bytes += bytes;
        state.is_urgent |= manner.is_urgent;
        state.waiting.push(item);
        let wakes = match state.taker {
            Taker::Works => false,
            Taker::Sleeps => true,
            Taker::Gathers => self.is_enough(&state, more),
        };
        if wakes {
            // Once is enough.
            state.taker = Taker::Works;
        }
        drop(state);
        if wakes {
            self.is_wanted.notify_one();
        }
        Ok(())
    }

    /// Waits until an item of that many bytes may go in, or the queue is closed; `false` if the time was over first.
    fn wait_for_room(&self, state: &mut MutexGuard<'_, State<T>>, bytes: usize, wait: Wait) -> bool {
        let (mut has_turn, mut is_in_time) = (false, true);
        while !matches!(wait, Wait::Never) && !state.is_closed && self.is_full(state, bytes, has_turn) {
            if matches!(wait, Wait::Until(until) if until <= time::now()) {
                is_in_time = false;
                break;
            }
            if !state.is_reserved && state.places < self.most_places {
                (state.is_reserved, has_turn) = (true, true);
            }
            state.givers_asleep += 1;
            if state.taker == Taker::Gathers {
                self.is_wanted.notify_one();
            }
            match wait {
                Wait::Until(until) => _ = self.has_room.wait_until(state, until),
                _ => self.has_room.wait(state),
            }
            state.givers_asleep -= 1;
        }
        if has_turn {
            state.is_reserved = false;
            // Who waited behind it: nothing need be taken before there is room for them.
            self.has_room.notify_all();
        }
        is_in_time
    }

    /// Whether there is no room for so many bytes; for all but the one that `has_turn`, also while there is one.
    fn is_full(&self, state: &State<T>, bytes: usize, has_turn: bool) -> bool {
        state.places >= self.most_places
            || (state.places > 0 && state.bytes.saturating_add(bytes) > self.most_bytes)
            || (state.is_reserved && !has_turn)
    }

    /// Whether what waits is not to wait for more.
    fn is_enough(&self, state: &State<T>, more: impl Fn(usize) -> bool) -> bool {
        state.is_urgent
            || state.is_closed
            || state.givers_asleep > 0
            || state.places > self.most_places / 2
            || state.bytes > self.most_bytes / 2
            || !more(state.waiting.len())
    }

    /// Takes all that waits, in order, into an empty list; waits for something, and with patience for enough. `false` if it is closed and
    /// nothing is left.
    pub(super) fn take(
        &self,
        into: &mut Vec<T>,
        patience: Option<Patience>,
        more: impl Fn(usize) -> bool,
    ) -> bool {
        let mut state = self.state.lock();
        let mut is_late = false;
        loop {
            if state.waiting.is_empty() {
                if state.is_closed {
                    return false;
                }
                state.taker = Taker::Sleeps;
                self.is_wanted.wait(&mut state);
                continue;
            }
            let patience = patience.filter(|_| !is_late && !self.is_enough(&state, &more));
            let Some(Patience { until, quiet }) = patience else { break };
            let before = state.waiting.len();
            state.taker = Taker::Gathers;
            let look = time::now().checked_add(quiet).map_or(until, |look| look.min(until));
            let is_over = self.is_wanted.wait_until(&mut state, look).timed_out();
            is_late = is_over && (look == until || state.waiting.len() == before);
        }
        state.taker = Taker::Works;
        state.is_urgent = false;
        std::mem::swap(&mut state.waiting, into);
        true
    }

    /// Gives the places of what was taken to others.
    pub(super) fn done(&self, places: usize, bytes: usize) {
        let mut state = self.state.lock();
        state.places -= places;
        state.bytes -= bytes;
        let wake = state.givers_asleep > 0;
        drop(state);
        if wake {
            self.has_room.notify_all();
        }
    }

    /// Has a taker that gathers look again; if it `is_urgent`, it gathers no more this time.
    pub(super) fn press(&self, is_urgent: bool) {
        let mut state = self.state.lock();
        state.is_urgent |= is_urgent;
        let wakes = state.taker == Taker::Gathers;
        drop(state);
        if wakes {
            self.is_wanted.notify_one();
        }
    }

    /// Whether nothing enters any more.
    pub(super) fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::Acquire)
    }

    /// Nothing enters from now on.
    pub(super) fn close(&self) {
        let mut state = self.state.lock();
        state.is_closed = true;
        // Under the lock: who is refused finds it closed.
        self.is_closed.store(true, Ordering::Release);
        drop(state);
        self.is_wanted.notify_all();
        self.has_room.notify_all();
    }
}
