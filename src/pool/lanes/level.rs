//! One priority level: its lanes, its rank among the levels, its cap.
//!
//! Most tasks have no class. Their lane stands apart from the others, and stays when it is empty, so that a push and a pop of such
//! a task are little more than those of a `VecDeque`.
//!
//! # Invariants
//! 1. `next` is the lowest number among the lanes that are open, if anything is queued there: looking for the level that goes first
//!    reads nothing else of it. Whatever changes a lane refreshes it.

use super::super::fifo::Fifo;
use super::classes::Classes;
use super::place::Place;

#[derive(Debug)]
pub(super) struct Level<T> {
    priority: i8,
    /// What the level is worth in submission numbers: `level * ageing`. 128 bits, because `ageing` may be `u64::MAX`.
    credit: i128,
    cap: usize,
    /// Counted only if there is a cap.
    running: usize,
    queued: usize,
    next: Option<u64>,
    plain: Fifo<T>,
    is_plain_open: bool,
    classes: Classes<T>,
}

impl<T> Level<T> {
    /// An empty level; a cap of `usize::MAX` is none.
    pub(super) fn new(priority: i8, ageing: u64, cap: usize) -> Self {
        Self {
            priority,
            credit: i128::from(priority) * i128::from(ageing),
            cap,
            running: 0,
            queued: 0,
            next: None,
            plain: Fifo::default(),
            is_plain_open: true,
            classes: Classes::default(),
        }
    }

    pub(super) fn priority(&self) -> i8 {
        self.priority
    }

    pub(super) fn queued(&self) -> usize {
        self.queued
    }

    /// The rank of the task that would be popped; `None` if none can be: nothing is queued and open, or the cap is reached.
    #[inline]
    pub(super) fn rank(&self) -> Option<i128> {
        if self.running >= self.cap {
            return None;
        }
        self.next.map(|number| i128::from(number) - self.credit)
    }

    /// Queues a task; `is_open`: its class is.
    #[inline]
    pub(super) fn push(&mut self, class: Option<u64>, number: u64, entry: T, is_open: bool) {
        match class {
            None => self.plain.push(number, entry),
            Some(class) => self.classes.push(class, number, entry, is_open),
        }
        self.queued += 1;
        if is_open && self.next.is_none_or(|next| number < next) {
            self.next = Some(number);
        }
    }

    /// Takes the first task of the open lanes, with its class and number.
    #[inline]
    pub(super) fn pop(&mut self) -> Option<(Option<u64>, u64, T)> {
        let next = self.next?;
        // Numbers are unique, so the lane that has this one in front is the one meant.
        let popped = if self.plain.front() == Some(next) {
            let (number, entry) = self.plain.pop()?;
            (None, number, entry)
        } else {
            let (class, number, entry) = self.classes.pop()?;
            (Some(class), number, entry)
        };
        self.queued -= 1;
        if self.cap < usize::MAX {
            self.running += 1;
        }
        self.refresh();
        Some(popped)
    }

    /// A popped task is over, or was put back. Returns whether that made a task of an open lane eligible.
    pub(super) fn ended(&mut self) -> bool {
        if self.cap == usize::MAX {
            return false;
        }
        debug_assert!(self.running > 0, "level {}: more tasks ended than were popped", self.priority);
        let was_full = self.running >= self.cap;
        self.running = self.running.saturating_sub(1);
        was_full && self.next.is_some()
    }

    pub(super) fn close(&mut self, class: Option<u64>) {
        match class {
            None => self.is_plain_open = false,
            Some(class) => self.classes.close(class),
        }
        self.refresh();
    }

    pub(super) fn open(&mut self, class: Option<u64>) {
        match class {
            None => self.is_plain_open = true,
            Some(class) => self.classes.open(class),
        }
        self.refresh();
    }

    /// Moves all entries, with their places and numbers, into `entries`, and opens all lanes.
    pub(super) fn drain_into(&mut self, entries: &mut Vec<(Place, u64, T)>) {
        let level = self.priority;
        let plain = self.plain.take().into_iter();
        entries.extend(plain.map(|(number, entry)| (Place { level, class: None }, number, entry)));
        for (class, lane) in self.classes.take() {
            let place = Place { level, class: Some(class) };
            entries.extend(lane.into_iter().map(|(number, entry)| (place, number, entry)));
        }
        self.is_plain_open = true;
        self.queued = 0;
        self.next = None;
    }

    /// Restores invariant 1.
    #[inline]
    fn refresh(&mut self) {
        let plain = if self.is_plain_open { self.plain.front() } else { None };
        self.next = match (plain, self.classes.front()) {
            (Some(plain), Some(classed)) => Some(plain.min(classed)),
            (plain, classed) => plain.or(classed),
        };
    }

    /// The entries there is room for without a class, the lanes of classes, and those of them that are open.
    #[cfg(all(test, not(any(gristmill_shuttle, gristmill_loom))))]
    pub(super) fn sizes(&self) -> (usize, usize, usize) {
        let (lanes, open) = self.classes.sizes();
        (self.plain.capacity(), lanes, open)
    }
}
