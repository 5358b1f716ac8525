//! What has ended with a stamp and waits for its turn, the smallest first.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

/// A stamp and an index.
pub(super) type Turn = (u64, usize);

/// Most come in order already: those lie in a line, and only the others in a heap.
#[derive(Default)]
pub(super) struct Turns {
    in_order: VecDeque<Turn>,
    others: BinaryHeap<Reverse<Turn>>,
}

impl Turns {
    pub(super) fn push(&mut self, turn: Turn) {
        if self.in_order.back().is_none_or(|last| *last <= turn) {
            self.in_order.push_back(turn);
        } else {
            self.others.push(Reverse(turn));
        }
    }

    /// The smallest.
    pub(super) fn first(&self) -> Option<Turn> {
        let other = self.others.peek().map(|Reverse(turn)| *turn);
        [self.in_order.front().copied(), other].into_iter().flatten().min()
    }

    pub(super) fn pop(&mut self) -> Option<Turn> {
        let first = self.first()?;
        if self.in_order.front() == Some(&first) {
            self.in_order.pop_front()
        } else {
            self.others.pop().map(|Reverse(turn)| turn)
        }
    }
}
