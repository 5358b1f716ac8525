//! The line of one key, and the lines that have something to do.
//!
//! # Invariants
//! 1. A line is *busy* from the moment an item enters it until a worker that has run some of its items finds it empty. While it is busy it is
//!    either in [`ReadyLines`], once, or in one worker's hands: so the items of a key run one at a time, in the order in which they entered.
//! 2. `Run::queued` counts the lines in [`ReadyLines`], so that a worker which looks for work without a lock sees them.
//!
//! Lock order: a line's `state`, then `ready`; both are leaves for everybody else. No user code runs under them.

use std::cmp::Ordering as Order;
use std::collections::{BinaryHeap, VecDeque};
use std::sync::Arc;

use super::super::reorder::Entry;
use super::super::run::Run;
use crate::panics;
use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::{Mutex, Padded};

#[derive(Debug)]
struct State<U> {
    waiting: VecDeque<Entry<U>>,
    busy: bool,
    /// An item failed, and the policy says that the rest of the key is dropped.
    dead: bool,
}

/// The items of one key that wait.
#[derive(Debug)]
pub(super) struct Line<U> {
    state: Mutex<State<U>>,
}

/// What was never run, once the run is over.
impl<U> Drop for Line<U> {
    fn drop(&mut self) {
        let waiting = std::mem::take(&mut self.state.lock().waiting);
        panics::drop_each_quietly(waiting);
    }
}

impl<U> Line<U> {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { state: Mutex::new(State { waiting: VecDeque::new(), busy: false, dead: false }) })
    }

    /// Adds an item; true if the line was idle, and has to be made ready.
    pub(super) fn push(&self, entry: Entry<U>) -> bool {
        let mut state = self.state.lock();
        state.waiting.push_back(entry);
        !std::mem::replace(&mut state.busy, true)
    }

    /// Takes up to `want` items, for whoever has the line in hand; true if the key is dead.
    pub(super) fn take(&self, want: usize, into: &mut Vec<Entry<U>>) -> bool {
        let mut state = self.state.lock();
        let count = state.waiting.len().min(want);
        into.extend(state.waiting.drain(..count));
        state.dead
    }

    /// The last ones that were taken come back, unbegun.
    pub(super) fn put_back(&self, entries: Vec<Entry<U>>) {
        let mut state = self.state.lock();
        for entry in entries.into_iter().rev() {
            state.waiting.push_front(entry);
        }
    }

    /// What was taken has run: gives the place of the next item, if there is one; otherwise the line is idle.
    pub(super) fn next(&self) -> Option<usize> {
        let mut state = self.state.lock();
        let next = state.waiting.front().map(|entry| entry.place);
        state.busy = next.is_some();
        next
    }

    /// The rest of the key is to be dropped.
    pub(super) fn kill(&self) {
        self.state.lock().dead = true;
    }

    /// Whether nothing is known of the key but that it exists.
    pub(super) fn is_idle(&self) -> bool {
        let state = self.state.lock();
        !state.busy && !state.dead
    }
}

/// A line, and the place of its first item.
pub(super) type Place<U> = (usize, Arc<Line<U>>);

struct Ready<U>(Place<U>);

impl<U> PartialEq for Ready<U> {
    fn eq(&self, other: &Self) -> bool {
        self.0.0 == other.0.0
    }
}

impl<U> Eq for Ready<U> {}

impl<U> PartialOrd for Ready<U> {
    fn partial_cmp(&self, other: &Self) -> Option<Order> {
        Some(self.cmp(other))
    }
}

impl<U> Ord for Ready<U> {
    fn cmp(&self, other: &Self) -> Order {
        other.0.0.cmp(&self.0.0)
    }
}

/// The lines that are busy and in nobody's hands, the one with the oldest item first: the order waits for that most.
pub(super) struct ReadyLines<U> {
    lines: Padded<Mutex<BinaryHeap<Ready<U>>>>,
    count: Padded<AtomicUsize>,
}

impl<U> ReadyLines<U> {
    pub(super) fn new() -> Self {
        Self { lines: Padded(Mutex::new(BinaryHeap::new())), count: Padded(AtomicUsize::new(0)) }
    }

    /// Makes lines ready; leaves the buffer empty.
    pub(super) fn put<E>(&self, run: &Run<E>, ready: &mut Vec<Place<U>>) {
        let more = ready.len();
        if more == 0 {
            return;
        }
        let mut lines = self.lines.lock();
        lines.extend(ready.drain(..).map(Ready));
        self.count.store(lines.len(), Ordering::SeqCst);
        run.queued.fetch_add(more, Ordering::SeqCst);
        drop(lines);
        run.wake_one();
    }

    /// Takes lines, those with the oldest items first: at most `most`, and no more than a worker's share of what is there. False if there is
    /// none.
    pub(super) fn take<E>(&self, run: &Run<E>, most: usize, into: &mut Vec<Place<U>>) -> bool {
        if self.count.load(Ordering::Acquire) == 0 {
            return false;
        }
        let mut lines = self.lines.lock();
        let share = lines.len() / (2 * run.workers);
        let before = lines.len();
        into.extend((0..share.clamp(1, most.max(1))).map_while(|_| lines.pop()).map(|ready| ready.0));
        self.count.store(lines.len(), Ordering::SeqCst);
        run.queued.fetch_sub(before - lines.len(), Ordering::SeqCst);
        before > lines.len()
    }
}
