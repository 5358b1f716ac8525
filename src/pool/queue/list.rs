//! The rest of a worker's batch, in sight of all.
//!
//! # Invariants
//! 1. Only the owner puts tasks in, under the queue's lock: a batch when the list is empty, or the entry that it goes on with.
//! 2. `len` and `front` follow `tasks`, under its lock; without a lock they are hints.
//!
//! Lock order: the queue's lock, then `tasks`.

use std::collections::VecDeque;
use std::mem;

use crate::sync::Mutex;
use crate::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// A task and its number in the order of submission.
pub(super) type Numbered<T> = (u64, T);

#[derive(Debug)]
pub(in crate::pool) struct List<T> {
    tasks: Mutex<VecDeque<Numbered<T>>>,
    len: AtomicUsize,
    /// Number of the task at the front, if there is one.
    front: AtomicU64,
}

impl<T> Default for List<T> {
    fn default() -> Self {
        Self { tasks: Mutex::new(VecDeque::new()), len: AtomicUsize::new(0), front: AtomicU64::new(0) }
    }
}

impl<T> List<T> {
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.len.load(Ordering::Relaxed)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether there is a task with a number below `number`.
    pub(super) fn is_behind(&self, number: u64) -> bool {
        !self.is_empty() && self.front.load(Ordering::Relaxed) < number
    }

    /// The owner takes the next one.
    #[inline]
    pub(in crate::pool) fn pop(&self) -> Option<Numbered<T>> {
        if self.is_empty() {
            return None; // only the owner, who asks, puts anything in
        }
        let mut tasks = self.tasks.lock();
        let first = tasks.pop_front();
        self.follow(&tasks);
        first
    }

    pub(super) fn fill(&self, rest: impl Iterator<Item = Numbered<T>>) {
        let mut tasks = self.tasks.lock();
        debug_assert!(tasks.is_empty(), "only an empty list is filled");
        tasks.extend(rest);
        self.follow(&tasks);
    }

    /// Adds a task at the back, under the queue's lock; the new length.
    pub(super) fn append(&self, task: Numbered<T>) -> usize {
        let mut tasks = self.tasks.lock();
        tasks.push_back(task);
        self.follow(&tasks);
        tasks.len()
    }

    /// The owner takes the last one, if it is the one that is meant.
    pub(super) fn take_last(&self, is_it: impl FnOnce(&T) -> bool) {
        let mut tasks = self.tasks.lock();
        let last = if tasks.back().is_some_and(|(_, task)| is_it(task)) { tasks.pop_back() } else { None };
        self.follow(&tasks);
        drop(tasks);
        drop(last);
    }

    /// Takes the front half, rounded up.
    pub(super) fn cut(&self) -> VecDeque<Numbered<T>> {
        let mut tasks = self.tasks.lock();
        let count = tasks.len().div_ceil(2);
        let rest = tasks.split_off(count);
        let taken = mem::replace(&mut *tasks, rest);
        self.follow(&tasks);
        taken
    }

    /// Takes everything.
    pub(super) fn take(&self) -> VecDeque<Numbered<T>> {
        let mut tasks = self.tasks.lock();
        let taken = mem::take(&mut *tasks);
        self.follow(&tasks);
        taken
    }

    /// Restores invariant 2.
    #[inline]
    fn follow(&self, tasks: &VecDeque<Numbered<T>>) {
        if let Some((number, _)) = tasks.front() {
            self.front.store(*number, Ordering::Relaxed);
        }
        self.len.store(tasks.len(), Ordering::Relaxed);
    }
}
