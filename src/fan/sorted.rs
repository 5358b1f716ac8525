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
    /// The inputs that have to show an item before anything can be said.
    bare: Vec<usize>,
    /// The indices mean nothing any more: inputs came or went, or a comparison panicked half way.
    is_stale: bool,
}

impl<T> Sorted<T> {
    pub(super) fn new(compare: Compare<T>) -> Self {
        Self { compare, heap: Vec::new(), bare: Vec::new(), is_stale: true }
    }

    pub(super) fn lines_changed(&mut self) {
        self.is_stale = true;
    }

    pub(super) fn next(&mut self, lines: &mut Lines<T>) -> Option<T> {
        if mem::replace(&mut self.is_stale, true) {
            self.heap.clear();
            self.bare.clear();
            self.bare.extend(0..lines.all.len());
        }
        self.fill(lines);
        let first = if self.bare.is_empty() { self.pop(lines) } else { None };
        self.is_stale = false;
        lines.take(first?)
    }

    fn fill(&mut self, lines: &mut Lines<T>) {
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
    }

    fn pop(&mut self, lines: &Lines<T>) -> Option<usize> {
        let last = self.heap.pop()?;
        let first = match self.heap.first_mut() {
            Some(root) => mem::replace(root, last),
            None => last,
        };
        self.sift_down(lines);
        self.bare.push(first);
        Some(first)
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
