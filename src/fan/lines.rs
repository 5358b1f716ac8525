//! The inputs of a merge while it runs.

use std::collections::VecDeque;
use std::sync::Arc;

use super::input::MergeInput;
use super::sight::Sight;
use crate::sync::channel::{Receiver, TryRecvError};

/// One input.
pub(super) struct Line<T> {
    /// Counts up in the order of addition.
    pub(super) id: u64,
    input: MergeInput<T>,
    /// The first item that was received and not delivered. All that a merge looks at lies here while it does.
    head: Option<T>,
    /// Those after it, oldest first; empty if there is no first.
    ahead: VecDeque<T>,
    /// The number of the first of them, once it was asked for.
    pub(super) number: Option<u64>,
    /// How many of its items are parked elsewhere.
    pub(super) parked: usize,
    is_ended: bool,
}

impl<T> Line<T> {
    pub(super) fn head(&self) -> Option<&T> {
        self.head.as_ref()
    }

    /// Whether something may come from it that the merge has a use for.
    pub(super) fn is_awaited(&self) -> bool {
        !self.is_ended && self.head.is_none()
    }

    pub(super) fn receiver(&self) -> &Receiver<T> {
        self.input.receiver()
    }

    /// Puts an item before all others.
    pub(super) fn put_back(&mut self, item: T) {
        if let Some(next) = self.head.replace(item) {
            self.ahead.push_front(next);
        }
    }

    fn is_over(&self) -> bool {
        self.is_ended && self.head.is_none() && self.parked == 0
    }
}

/// All inputs, in the order of addition.
pub(super) struct Lines<T> {
    pub(super) all: Vec<Line<T>>,
    /// Where the next round begins.
    pub(super) turn: usize,
    next_id: u64,
    has_ended: bool,
    /// Lists the inputs for those who look from outside.
    pub(super) sight: Arc<Sight<T>>,
}

impl<T> Lines<T> {
    pub(super) fn new() -> Self {
        Self { all: Vec::new(), turn: 0, next_id: 0, has_ended: false, sight: Sight::new() }
    }

    pub(super) fn add(&mut self, input: MergeInput<T>) {
        self.sight.add(self.next_id, input.receiver().clone());
        let mut ahead = input.take_held();
        let head = ahead.pop_front();
        self.all.push(Line {
            id: self.next_id,
            input,
            head,
            ahead,
            number: None,
            parked: 0,
            is_ended: false,
        });
        self.next_id += 1;
    }

    /// Sees to it that the first undelivered item of a line can be looked at; false if there is none now.
    #[inline]
    pub(super) fn look(&mut self, at: usize) -> bool {
        if self.all[at].head.is_none() {
            self.all[at].head = self.receive(at);
        }
        self.all[at].head.is_some()
    }

    /// Takes the first undelivered item of a line, if there is one now.
    #[inline]
    pub(super) fn take(&mut self, at: usize) -> Option<T> {
        let line = &mut self.all[at];
        let Some(item) = line.head.take() else { return self.receive(at) };
        line.number = None;
        line.head = line.ahead.pop_front();
        Some(item)
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
        let is_any_over = self.all.len() < before;
        if is_any_over {
            // Numbers only grow, and lines are kept in their order.
            self.sight.end(|id| self.all.binary_search_by_key(&id, |line| line.id).is_ok());
        }
        is_any_over
    }

    /// The inputs, with all that was not delivered given back to them.
    pub(super) fn give_back(&mut self) -> Vec<MergeInput<T>> {
        self.sight.close();
        let lines = self.all.drain(..).filter(|line| !line.is_over());
        let give_back = |mut line: Line<T>| {
            if let Some(first) = line.head {
                line.ahead.push_front(first);
            }
            line.input.give_back(line.ahead);
            line.input
        };
        lines.map(give_back).collect()
    }
}
