//! The inputs of a merge while it runs.

use std::collections::VecDeque;

use super::input::MergeInput;
use crate::sync::channel::{Receiver, TryRecvError};

/// One input.
pub(super) struct Line<T> {
    /// Counts up in the order of addition.
    pub(super) id: u64,
    input: MergeInput<T>,
    /// What was received and not delivered, oldest first. All that a merge looks at lies here while it does.
    ahead: VecDeque<T>,
    /// The number of the first of them, once it was asked for.
    pub(super) number: Option<u64>,
    /// How many of its items are parked elsewhere.
    pub(super) parked: usize,
    is_ended: bool,
}

impl<T> Line<T> {
    pub(super) fn head(&self) -> Option<&T> {
        self.ahead.front()
    }

    /// Whether something may come from it that the merge has a use for.
    pub(super) fn is_awaited(&self) -> bool {
        !self.is_ended && self.ahead.is_empty()
    }

    pub(super) fn receiver(&self) -> &Receiver<T> {
        self.input.receiver()
    }

    /// Puts an item before all others.
    pub(super) fn put_back(&mut self, item: T) {
        self.ahead.push_front(item);
    }

    fn is_over(&self) -> bool {
        self.is_ended && self.ahead.is_empty() && self.parked == 0
    }
}

/// All inputs, in the order of addition.
pub(super) struct Lines<T> {
    pub(super) all: Vec<Line<T>>,
    /// Where the next round begins.
    pub(super) turn: usize,
    next_id: u64,
    has_ended: bool,
}

impl<T> Lines<T> {
    pub(super) fn new() -> Self {
        Self { all: Vec::new(), turn: 0, next_id: 0, has_ended: false }
    }

    pub(super) fn add(&mut self, input: MergeInput<T>) {
        let ahead = input.take_held();
        self.all.push(Line { id: self.next_id, input, ahead, number: None, parked: 0, is_ended: false });
        self.next_id += 1;
    }

    /// Sees to it that the first undelivered item of a line can be looked at; false if there is none now.
    #[inline]
    pub(super) fn look(&mut self, at: usize) -> bool {
        if self.all[at].ahead.is_empty() {
            if let Some(item) = self.receive(at) {
                self.all[at].ahead.push_back(item);
            }
        }
        !self.all[at].ahead.is_empty()
    }

    /// Takes the first undelivered item of a line, if there is one now.
    #[inline]
    pub(super) fn take(&mut self, at: usize) -> Option<T> {
        let line = &mut self.all[at];
        if line.ahead.is_empty() {
            return self.receive(at);
        }
        line.number = None;
        line.ahead.pop_front()
    }

    #[inline]
    fn receive(&mut self, at: usize) -> Option<T> {
        let line = &mut self.all[at];
        if line.is_ended {
            return None;
        }
        match line.input.receiver().try_recv() {
            Ok(item) => Some(item),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => {
                line.is_ended = true;
                self.has_ended = true;
                None
            }
        }
    }

    /// Takes out the lines that are over; true if there were any.
    #[inline]
    pub(super) fn forget_ended(&mut self) -> bool {
        self.has_ended && self.forget()
    }

    #[cold]
    fn forget(&mut self) -> bool {
        let before = self.all.len();
        let passed = self.all.iter().take(self.turn).filter(|line| line.is_over()).count();
        self.turn -= passed;
        self.all.retain(|line| !line.is_over());
        if self.turn >= self.all.len() {
            self.turn = 0;
        }
        self.has_ended = self.all.iter().any(|line| line.is_ended);
        self.all.len() < before
    }

    /// The inputs, with all that was not delivered given back to them.
    pub(super) fn give_back(&mut self) -> Vec<MergeInput<T>> {
        let lines = self.all.drain(..).filter(|line| !line.is_over());
        let give_back = |line: Line<T>| {
            line.input.give_back(line.ahead);
            line.input
        };
        lines.map(give_back).collect()
    }
}
