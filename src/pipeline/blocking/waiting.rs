//! The items that wait for a thread of their stage.
//!
//! # Invariants
//! 1. No item lies here while a thread of the stage sleeps: whoever puts items in rings for one, and whoever takes one rings if there
//!    are more.
//! 2. If the stage has no thread, `Run::queued` counts the items, and a worker is rung for.
//!
//! Lock order: `items` is a leaf; no user code runs under it.

use std::collections::VecDeque;

use super::super::crew::Crew;
use super::super::reorder::{Entry, Queue};
use super::super::run::Run;
use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::{Mutex, Padded};

/// See the module.
pub(super) struct Waiting<U> {
    crew: usize,
    items: Padded<Mutex<VecDeque<Entry<U>>>>,
    count: AtomicUsize,
}

impl<U> Waiting<U> {
    pub(super) fn new(crew: usize) -> Self {
        Self { crew, items: Padded(Mutex::new(VecDeque::new())), count: AtomicUsize::new(0) }
    }

    /// The number of the crew that takes them.
    pub(super) fn crew_number(&self) -> usize {
        self.crew
    }

    pub(super) fn crew<'run, E>(&self, run: &'run Run<E>) -> &'run Crew {
        &run.crews[self.crew]
    }

    pub(super) fn is_empty(&self) -> bool {
        self.count.load(Ordering::SeqCst) == 0
    }

    /// Takes the one that has waited longest. The caller rings if there are more.
    pub(super) fn take<E>(&self, run: &Run<E>) -> Option<Entry<U>> {
        if self.is_empty() {
            return None;
        }
        let mut items = self.items.lock();
        let entry = items.pop_front()?;
        self.count.store(items.len(), Ordering::SeqCst);
        if !self.crew(run).is_there() {
            run.queued.fetch_sub(1, Ordering::SeqCst);
        }
        Some(entry)
    }
}

impl<U: Send> Queue<U> for Waiting<U> {
    type State = Vec<Entry<U>>;

    fn enter(&self, state: &mut Self::State, entry: Entry<U>) {
        state.push(entry);
    }

    fn take_all(&self, state: &mut Self::State) -> Vec<(u64, U)> {
        let items = std::mem::take(&mut *self.items.lock());
        items.into_iter().chain(state.drain(..)).map(|entry| (entry.index, entry.item)).collect()
    }

    fn offer<E>(&self, run: &Run<E>, state: &mut Self::State) {
        let more = state.len();
        if more == 0 {
            return;
        }
        let crew = self.crew(run);
        let mut items = self.items.lock();
        items.extend(state.drain(..));
        self.count.store(items.len(), Ordering::SeqCst);
        if crew.is_there() {
            drop(items);
            crew.bell.wake_one();
        } else {
            run.queued.fetch_add(more, Ordering::SeqCst);
            drop(items);
            run.wake_one();
        }
    }
}
