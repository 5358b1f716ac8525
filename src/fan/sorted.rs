//! Merging sorted inputs: the smallest of all first items, which needs one of every input.

use std::cmp::Ordering;
use std::mem;

use super::lines::Lines;

type Compare<T> = Box<dyn FnMut(&T, &T) -> Ordering + Send>;

/// A binary heap of inputs by their first item; of equal items, that of the input that was added first.
///
/// The heap is of indices: the items stay with their inputs, where a panic of the comparison leaves them.
pub(super) struct Sorted<T> {
    compare: Compare<T>,
    heap: Vec<usize>,
    /// The inputs outside of the heap, which have to show an item before anything can be said.
    bare: Vec<usize>,
    /// The first of the heap has given its item, and its next one was not looked at yet.
    is_root_taken: bool,
    /// The indices mean nothing any more: inputs came or went, or a comparison panicked half way.
    is_stale: bool,
}

impl<T> Sorted<T> {
    pub(super) fn new(compare: Compare<T>) -> Self {
        Self { compare, heap: Vec::new(), bare: Vec::new(), is_root_taken: false, is_stale: true }
    }

    pub(super) fn lines_changed(&mut self) {
        self.is_stale = true;
    }

    pub(super) fn next(&mut self, lines: &mut Lines<T>) -> Option<T> {
        if mem::replace(&mut self.is_stale, true) {
            self.heap.clear();
            self.bare.clear();
            self.bare.extend(0..lines.all.len());
            self.is_root_taken = false;
        }
        let is_ready = self.refill_root(lines) && self.fill(lines);
        self.is_stale = false;
        let first = self.heap.first().copied().filter(|_| is_ready)?;
        self.is_root_taken = true;
        lines.take(first)
    }

    /// The input that gave the last item shows its next one, and takes its new place; false if it has to be waited for.
    fn refill_root(&mut self, lines: &mut Lines<T>) -> bool {
        let Some(root) = self.heap.first().copied().filter(|_| self.is_root_taken) else { return true };
        if !lines.look(root) {
            if lines.all[root].is_awaited() {
                return false;
            }
            self.heap.swap_remove(0);
        }
        self.is_root_taken = false;
        self.sift_down(lines);
        true
    }

    /// The inputs outside of the heap show their first items; false if one of them has to be waited for.
    fn fill(&mut self, lines: &mut Lines<T>) -> bool {
        let mut at = 0;
        while let Some(line) = self.bare.get(at).copied() {
            if lines.look(line) {
                self.bare.swap_remove(at);
                self.heap.push(line);
                self.sift_up(lines);
            } else if lines.all[line].is_awaited() {
                at += 1;
            } else {
                self.bare.swap_remove(at);
            }
        }
        self.bare.is_empty()
    }

    fn sift_up(&mut self, lines: &Lines<T>) {
        let mut at = self.heap.len() - 1;
        while at > 0 {
            let parent = (at - 1) / 2;
            if !self.is_before(lines, at, parent) {
                return;
            }
            self.heap.swap(at, parent);
            at = parent;
        }
    }

    fn sift_down(&mut self, lines: &Lines<T>) {
        let mut at = 0;
        loop {
            let (left, right) = (2 * at + 1, 2 * at + 2);
            if left >= self.heap.len() {
                return;
            }
            let child =
                if right < self.heap.len() && self.is_before(lines, right, left) { right } else { left };
            if !self.is_before(lines, child, at) {
                return;
            }
            self.heap.swap(at, child);
            at = child;
        }
    }

    /// Whether one place of the heap belongs before another one.
    fn is_before(&mut self, lines: &Lines<T>, one: usize, other: usize) -> bool {
        let (one, other) = (&lines.all[self.heap[one]], &lines.all[self.heap[other]]);
        let order = one.head().zip(other.head()).map(|(a, b)| (self.compare)(a, b));
        order.unwrap_or(Ordering::Equal).then(one.id.cmp(&other.id)).is_lt()
    }
}
