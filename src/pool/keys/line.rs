//! The line of one key: the entry that has it, and those behind.

use super::super::fifo::Fifo;
use super::key::Key;

/// Names a line for as long as it exists, and never another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::pool) struct LineId {
    pub(super) hash: u64,
    /// Lines are numbered in the order in which they began.
    pub(super) number: u64,
}

#[derive(Debug)]
pub(super) struct Line<T> {
    pub(super) number: u64,
    pub(super) key: Key,
    /// Whose turn it is; `None`: the key is held.
    pub(super) granted: Option<T>,
    pub(super) backlog: Fifo<T>,
}

impl<T> Line<T> {
    pub(super) fn id(&self) -> LineId {
        LineId { hash: self.key.hash(), number: self.number }
    }

    pub(super) fn is_held(&self) -> bool {
        self.granted.is_none()
    }
}

impl<T: Clone> Line<T> {
    /// Gives the turn to the next in the backlog.
    pub(super) fn grant(&mut self) -> Option<T> {
        self.granted = self.backlog.pop().map(|(_, entry)| entry);
        self.granted.clone()
    }
}
