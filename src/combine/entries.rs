//! The handles of a set, by index.
//!
//! Indices only grow, and are never given out again: a late signal of a handle that has gone must not be taken for that of another. Memory
//! follows the number of handles that are there, not of those that were: those that have been taken out leave holes, and when most
//! are holes the rest moves together.

use super::kept::Kept;

pub(super) struct Entry<W> {
    index: usize,
    /// `None` once it was taken out.
    pub(super) handle: Option<W>,
    pub(super) is_over: bool,
    /// Whether its signal was dropped unsent.
    pub(super) is_lost: bool,
}

pub(super) struct Entries<W> {
    /// In the order of the indices.
    list: Kept<Vec<Entry<W>>>,
    holes: usize,
    next: usize,
}

/// An iterator that promises more than this is not taken at its word.
const MANY: usize = 1 << 20;

/// Shorter lists are not worth moving.
const FEW: usize = 32;

impl<W> Entries<W> {
    pub(super) fn new() -> Self {
        Self { list: Kept::default(), holes: 0, next: 0 }
    }

    /// Makes room for so many more, as far as an iterator can be believed.
    pub(super) fn reserve(&mut self, count: usize) {
        self.list.reserve(count.min(MANY));
    }

    /// Adds one; its index.
    pub(super) fn push(&mut self, handle: W) -> usize {
        if self.list.len() >= FEW && self.holes > self.list.len() / 2 {
            self.list.retain(|entry| entry.handle.is_some());
            self.holes = 0;
        }
        let index = self.next;
        self.next += 1;
        self.list.push(Entry { index, handle: Some(handle), is_over: false, is_lost: false });
        index
    }

    /// How many there were, those included that have been taken out.
    pub(super) fn total(&self) -> usize {
        self.next
    }

    pub(super) fn get(&self, index: usize) -> Option<&Entry<W>> {
        let place = self.place(index);
        self.list.get(place).filter(|entry| entry.index == index)
    }

    pub(super) fn get_mut(&mut self, index: usize) -> Option<&mut Entry<W>> {
        let place = self.place(index);
        self.list.get_mut(place).filter(|entry| entry.index == index)
    }

    /// Takes a handle out.
    pub(super) fn take(&mut self, index: usize) -> Option<W> {
        let handle = self.get_mut(index)?.handle.take();
        self.holes += usize::from(handle.is_some());
        handle
    }

    /// Those that have not been taken out, from that index on.
    pub(super) fn from(&self, index: usize) -> impl DoubleEndedIterator<Item = (usize, &Entry<W>)> {
        let there = self.list[self.place(index)..].iter().filter(|entry| entry.handle.is_some());
        there.map(|entry| (entry.index, entry))
    }

    pub(super) fn into_all(self) -> Vec<Entry<W>> {
        self.list.into_inner()
    }

    /// Where the index is, or the first one above it.
    fn place(&self, index: usize) -> usize {
        // Nothing has moved: the common case.
        if self.list.get(index).is_some_and(|entry| entry.index == index) {
            return index;
        }
        self.list.partition_point(|entry| entry.index < index)
    }
}

impl<W> Entry<W> {
    pub(super) fn index(&self) -> usize {
        self.index
    }
}

#[cfg(all(test, not(any(gristmill_shuttle, gristmill_loom))))]
mod tests {
    use super::*;

    #[test]
    fn slots_are_bounded_by_those_that_are_there() {
        let mut entries = Entries::new();
        let oldest = entries.push(0_u32);
        let many = if cfg!(miri) { 1_000 } else { 100_000 };
        for value in 1..many {
            let index = entries.push(value);
            assert_eq!(entries.take(index), Some(value));
            assert!(entries.list.len() <= FEW + 1, "{}", entries.list.len());
        }
        assert_eq!(
            (entries.total(), entries.take(oldest), entries.take(oldest)),
            (many as usize, Some(0), None)
        );
        assert!(entries.get(many as usize / 2).is_none_or(|entry| entry.handle.is_none()));
    }

    #[test]
    fn indices_stay_when_entries_move_together() {
        let mut entries = Entries::new();
        for value in 0..100_usize {
            assert_eq!(entries.push(value), value);
        }
        for value in (0..100).filter(|value| value % 4 != 0) {
            assert_eq!(entries.take(value), Some(value));
        }
        assert_eq!(entries.push(100), 100);
        assert!(entries.list.len() < 30);
        let rest: Vec<_> = entries.from(50).map(|(index, _)| index).collect();
        assert_eq!(rest, (52..=100).step_by(4).collect::<Vec<_>>());
        assert_eq!((entries.take(52), entries.take(53)), (Some(52), None));
        // Where an index was there is another entry now.
        for value in 101..200 {
            assert_eq!(entries.push(value), value);
        }
        let rest: Vec<_> = entries.from(54).map(|(index, _)| index).collect();
        assert_eq!(rest[..12], [56, 60, 64, 68, 72, 76, 80, 84, 88, 92, 96, 100]);
        assert_eq!((entries.take(56), entries.take(57)), (Some(56), None));
    }
}
