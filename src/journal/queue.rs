//! The bounded queue in front of the committer.
//!
//! # Invariants
//! 1. `places` counts what waits and what was taken and is not [`Queue::done`]: so what a crash can undo, being neither committed nor refused,
//!    is bounded by the limit, and not by the limit twice.
//! 2. An item that is larger than `most_bytes` enters once nothing else has a place: no size waits for ever.
//! 3. After [`Queue::close`], nothing enters, and what has entered is taken.
//!
//! Locks: `state`, a leaf: nothing is called under it.

use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{Condvar, Mutex};

/// See the module.
pub(super) struct Queue<T> {
    state: Mutex<State<T>>,
    /// Something waits, or it is closed.
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
    taker_sleeps: bool,
    givers_asleep: usize,
}

impl<T> Queue<T> {
    pub(super) fn new(most_places: usize, most_bytes: usize) -> Self {
        let state = State {
            waiting: Vec::new(),
            places: 0,
            bytes: 0,
            is_closed: false,
            taker_sleeps: false,
            givers_asleep: 0,
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

    /// Puts an item of that many bytes, after waiting for room if it `may_wait`; gives it back if the queue is closed.
    pub(super) fn put(&self, item: T, bytes: usize, may_wait: bool) -> Result<(), T> {
        let mut state = self.state.lock();
        while may_wait && !state.is_closed && self.is_full(&state, bytes) {
            state.givers_asleep += 1;
            self.has_room.wait(&mut state);
            state.givers_asleep -= 1;
        }
        if state.is_closed {
            return Err(item);
        }
        state.places += 1;
        state.bytes += bytes;
        state.waiting.push(item);
        let sleeps = std::mem::take(&mut state.taker_sleeps);
        drop(state);
        if sleeps {
            self.is_wanted.notify_one();
        }
        Ok(())
    }

    fn is_full(&self, state: &State<T>, bytes: usize) -> bool {
        state.places >= self.most_places
            || (state.places > 0 && state.bytes.saturating_add(bytes) > self.most_bytes)
    }

    /// Takes all that waits, in order, into an empty list; waits for something. `false` if it is closed and nothing is left.
    pub(super) fn take(&self, into: &mut Vec<T>) -> bool {
        let mut state = self.state.lock();
        while state.waiting.is_empty() {
            if state.is_closed {
                return false;
            }
            state.taker_sleeps = true;
            self.is_wanted.wait(&mut state);
        }
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

    /// Whether nothing enters any more.
    pub(super) fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::Acquire)
    }

    /// Nothing enters from now on.
    pub(super) fn close(&self) {
        self.state.lock().is_closed = true;
        self.is_closed.store(true, Ordering::Release);
        self.is_wanted.notify_all();
        self.has_room.notify_all();
    }
}
