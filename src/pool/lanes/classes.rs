//! The lanes of the classes of one level: which has the oldest entry, among those that are open.
//!
//! # Invariants
//! 1. No lane is empty: one that becomes empty is removed, so a million classes leave nothing behind.
//! 2. `fronts` has the first number of every lane that is open, and nothing else.

use std::collections::{BTreeMap, VecDeque};

use super::super::fifo::Fifo;

#[derive(Debug)]
pub(super) struct Classes<T> {
    lanes: BTreeMap<u64, Fifo<T>>,
    /// First number -> class.
    fronts: BTreeMap<u64, u64>,
}

impl<T> Default for Classes<T> {
    fn default() -> Self {
        Self { lanes: BTreeMap::new(), fronts: BTreeMap::new() }
    }
}

impl<T> Classes<T> {
    pub(super) fn push(&mut self, class: u64, number: u64, entry: T, is_open: bool) {
        let lane = self.lanes.entry(class).or_default();
        let before = lane.front();
        lane.push(number, entry);
        if is_open && before.is_none_or(|before| number < before) {
            if let Some(before) = before {
                self.fronts.remove(&before);
            }
            self.fronts.insert(number, class);
        }
    }

    /// The lowest number among the open lanes.
    pub(super) fn front(&self) -> Option<u64> {
        self.fronts.first_key_value().map(|(number, _)| *number)
    }

    /// Takes the entry with the lowest number among the open lanes.
    pub(super) fn pop(&mut self) -> Option<(u64, u64, T)> {
        let (_, class) = self.fronts.pop_first()?;
        let lane = self.lanes.get_mut(&class)?;
        let (number, entry) = lane.pop()?;
        if let Some(next) = lane.front() {
            self.fronts.insert(next, class);
        } else {
            self.lanes.remove(&class);
        }
        Some((class, number, entry))
    }

    pub(super) fn close(&mut self, class: u64) {
        if let Some(front) = self.lanes.get(&class).and_then(Fifo::front) {
            self.fronts.remove(&front);
        }
    }

    pub(super) fn open(&mut self, class: u64) {
        if let Some(front) = self.lanes.get(&class).and_then(Fifo::front) {
            self.fronts.insert(front, class);
        }
    }

    /// Takes all entries of all lanes, open or not, by class.
    pub(super) fn take(&mut self) -> impl Iterator<Item = (u64, VecDeque<(u64, T)>)> + use<T> {
        self.fronts.clear();
        std::mem::take(&mut self.lanes).into_iter().map(|(class, mut lane)| (class, lane.take()))
    }

    /// The number of lanes, and of those that are open.
    #[cfg(all(test, not(any(gristmill_shuttle, gristmill_loom))))]
    pub(super) fn sizes(&self) -> (usize, usize) {
        (self.lanes.len(), self.fronts.len())
    }
}
