//! How workers share what one of them has taken: half of it when there is nothing else, all of it when it has been left lying, and
//! entries that stand for several tasks as long as some have not started.

use std::collections::VecDeque;

use super::list::{List, Numbered};
use super::store::Store;
use super::{BATCH, ORDINARY, Queue};

/// How many numbers, per worker, the front of a list may be behind the queue's front before others take it over.
pub(super) const OVERDUE: u64 = 2 * BATCH as u64;

/// How many lists a worker looks at when it comes to the queue, each time the next ones: stuck neighbours hide nobody.
const LOOKS: usize = 4;

impl<T> Queue<T> {
    /// Puts an entry that stands for more tasks into sight again: behind everything else, since the worker goes on with it anyway. Where
    /// tasks belong to one worker nobody else could take it.
    pub(in crate::pool) fn lay_open(&self, store: &mut Store<T>, worker: usize, task: T) {
        if store.crew.is_some() {
            return;
        }
        let number = store.number_behind();
        if store.ordered {
            store.lanes.push(ORDINARY, number, task);
            self.show(store);
        } else {
            let len = self.lists.at(worker).append((number, task));
            store.lend(worker, len);
        }
    }

    /// Takes an entry back that was laid open, if nobody else has taken it and it is still the last of the worker's list.
    pub(in crate::pool) fn take_back(&self, worker: usize, is_it: impl FnOnce(&T) -> bool) {
        self.lists.at(worker).take_last(is_it);
    }

    /// A task from a list that its owner does not get to.
    #[inline]
    pub(super) fn take_over(&self, store: &mut Store<T>, worker: usize) -> Option<Numbered<T>> {
        if store.lent_sum == 0 {
            return None;
        }
        self.rob_overdue(store, worker)
    }

    fn rob_overdue(&self, store: &mut Store<T>, worker: usize) -> Option<Numbered<T>> {
        let due = store.list.front()?.0.saturating_sub(OVERDUE * store.workers as u64);
        let lists = store.lent.len();
        for _ in 0..LOOKS.min(lists) {
            store.look = if store.look + 1 < lists { store.look + 1 } else { 0 };
            let victim = store.look;
            if victim != worker && store.lent[victim] > 0 && self.lists.at(victim).is_behind(due) {
                // Whole: by halves, the last task would take as many turns as there are halves.
                if let Some(task) = self.rob(store, worker, victim, List::take) {
                    return Some(task);
                }
            }
        }
        None
    }

    /// A task from the first list that is not empty.
    pub(super) fn steal(&self, store: &mut Store<T>, worker: usize) -> Option<Numbered<T>> {
        let lists = self.lists.len();
        let mut victims = (1..lists).map(|step| (worker + step) % lists);
        victims.find_map(|victim| {
            if self.lists.at(victim).is_empty() {
                return None;
            }
            self.rob(store, worker, victim, List::cut)
        })
    }

    /// Takes another's list or a part of it: one task to run, the rest to the worker's own list.
    fn rob(
        &self,
        store: &mut Store<T>,
        worker: usize,
        victim: usize,
        part: impl FnOnce(&List<T>) -> VecDeque<Numbered<T>>,
    ) -> Option<Numbered<T>> {
        let list = self.lists.at(victim);
        let mut taken = part(list);
        store.lend(victim, list.len());
        let first = taken.pop_front()?;
        store.lend(worker, taken.len());
        self.lists.at(worker).fill(taken.into_iter());
        Some(first)
    }
}
