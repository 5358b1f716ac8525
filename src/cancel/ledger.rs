//! A list in ascending key order, with removal by key, that gives its memory back.
//!
//! It holds a node's children and its reactions. A removed entry leaves a gap; gaps at the end go at once, and when
//! gaps outnumber entries the list is packed. So removal is a binary search, packing is paid for by the removals
//! before it, and the list is never longer than twice its entries. Rejected: a slab, which cannot shrink past its
//! last long-lived entry, and a B-tree, which takes a 200-byte node for a single child.

/// The capacity, in entries, that an emptied list may keep.
const KEPT: usize = 32;

pub(super) struct Ledger<T> {
    entries: Vec<(u64, Option<T>)>,
    live: usize,
}

impl<T> Default for Ledger<T> {
    fn default() -> Self {
        Self { entries: Vec::new(), live: 0 }
    }
}

impl<T> Ledger<T> {
    /// Appends; `key` is greater than every key before it.
    pub(super) fn push(&mut self, key: u64, value: T) {
        debug_assert!(self.entries.last().is_none_or(|(last, _)| *last < key));
        self.entries.push((key, Some(value)));
        self.live += 1;
    }

    pub(super) fn remove(&mut self, key: u64) -> Option<T> {
        let index = self.entries.binary_search_by_key(&key, |(at, _)| *at).ok()?;
        let value = self.entries[index].1.take()?;
        self.live -= 1;
        while self.entries.last().is_some_and(|(_, value)| value.is_none()) {
            self.entries.pop();
        }
        if self.live * 2 < self.entries.len() {
            self.entries.retain(|(_, value)| value.is_some());
        }
        if self.entries.capacity() > KEPT && self.entries.len() < self.entries.capacity() / 4 {
            self.entries.shrink_to((self.live * 2).max(KEPT / 2));
        }
        Some(value)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.live == 0
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = u64> + '_ {
        self.entries.iter().filter(|(_, value)| value.is_some()).map(|(key, _)| *key)
    }

    pub(super) fn into_values(self) -> impl Iterator<Item = T> {
        self.entries.into_iter().filter_map(|(_, value)| value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn removal_in_any_order_leaves_the_others_in_key_order() {
        let mut ledger = Ledger::default();
        for key in 0..100 {
            ledger.push(key, key);
        }
        for key in (0..100).filter(|key| key % 3 != 0) {
            assert_eq!(ledger.remove(key), Some(key));
            assert_eq!(ledger.remove(key), None, "gone already");
        }
        assert!(ledger.keys().eq((0..100).step_by(3)));
        assert!(ledger.into_values().eq((0..100).step_by(3)));
    }

    #[test]
    fn one_entry_that_stays_does_not_keep_the_memory_of_those_that_went() {
        let pushed = if cfg!(miri) { 1_000 } else { 100_000 };
        for stays in [0, pushed / 2, pushed - 1] {
            let mut ledger = Ledger::default();
            for key in 0..pushed {
                ledger.push(key, ());
            }
            for key in (0..pushed).filter(|key| *key != stays) {
                ledger.remove(key);
            }
            assert!(ledger.keys().eq([stays]));
            assert!(ledger.entries.capacity() <= KEPT, "{} left", ledger.entries.capacity());
        }
    }
}
