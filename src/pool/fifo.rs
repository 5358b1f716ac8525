//! A queue of numbered entries, lowest number first, that gives its memory back.
//!
//! Numbers are submission numbers. They almost always grow from push to push, and then a push and a pop cost what a `VecDeque`
//! costs. An entry that comes late (it was put back, or waited for its key) goes to its place in the order all the same. Rejected:
//! a binary heap, which is slower in the case that always happens, and a B-tree, which allocates while it grows.

use std::collections::VecDeque;

/// The capacity, in entries, that a queue keeps however short it is.
pub(super) const KEPT: usize = 32;

#[derive(Debug)]
pub(super) struct Fifo<T> {
    entries: VecDeque<(u64, T)>,
}

impl<T> Default for Fifo<T> {
    fn default() -> Self {
        Self { entries: VecDeque::new() }
    }
}

impl<T> Fifo<T> {
    /// Puts an entry into its place. No two entries have the same number.
    #[inline]
    pub(super) fn push(&mut self, number: u64, entry: T) {
        if self.entries.back().is_none_or(|(last, _)| *last < number) {
            self.entries.push_back((number, entry));
            return;
        }
        self.sort_in(number, entry);
    }

    /// Takes the entry with the lowest number.
    #[inline]
    pub(super) fn pop(&mut self) -> Option<(u64, T)> {
        let first = self.entries.pop_front()?;
        if self.entries.capacity() > KEPT && self.entries.len() < self.entries.capacity() / 4 {
            self.shrink();
        }
        Some(first)
    }

    /// The lowest number.
    pub(super) fn front(&self) -> Option<u64> {
        self.entries.front().map(|(number, _)| *number)
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    #[cfg(all(test, not(any(gristmill_shuttle, gristmill_loom))))]
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Takes all entries, with their numbers.
    pub(super) fn take(&mut self) -> VecDeque<(u64, T)> {
        std::mem::take(&mut self.entries)
    }

    // Apart and cold, so that `push` and `pop` are small.
    #[cold]
    fn sort_in(&mut self, number: u64, entry: T) {
        let place = self.entries.partition_point(|(before, _)| *before < number);
        debug_assert!(self.entries[place].0 != number, "number {number} is queued already");
        self.entries.insert(place, (number, entry));
    }

    /// Gives half of the room back when three quarters are not used: the pops since then have paid for moving the rest.
    #[cold]
    fn shrink(&mut self) {
        self.entries.shrink_to((self.entries.len() * 2).max(KEPT));
    }

    /// The number of entries that it has room for.
    #[cfg(all(test, not(any(gristmill_shuttle, gristmill_loom))))]
    pub(super) fn capacity(&self) -> usize {
        self.entries.capacity()
    }
}

#[cfg(all(test, not(any(gristmill_shuttle, gristmill_loom))))]
mod tests {
    use super::*;

    #[test]
    fn entry_that_comes_late_goes_to_its_place() {
        let mut fifo = Fifo::default();
        for number in [3, 7, 9, 1, 8, 4] {
            fifo.push(number, number * 10);
        }
        let popped: Vec<_> = std::iter::from_fn(|| fifo.pop()).collect();
        assert_eq!(popped, [1, 3, 4, 7, 8, 9].map(|number| (number, number * 10)));
    }

    #[test]
    fn queue_that_was_long_gives_its_memory_back() {
        let long = if cfg!(miri) { 1_000 } else { 1_000_000 };
        let mut fifo = Fifo::default();
        for number in 0..long {
            fifo.push(number, ());
        }
        while fifo.len() > 3 {
            fifo.pop();
        }
        assert!(fifo.capacity() <= KEPT, "{} left", fifo.capacity());
        assert_eq!((fifo.front(), fifo.is_empty()), (Some(long - 3), false));
        assert!(fifo.take().into_iter().map(|(number, ())| number).eq(long - 3..long));
    }
}
