//! The tasks of one chunk: which have not started, who holds some, and what the others came to.
//!
//! Closures and results lie apart: what moves between the caches of submitter, worker and waiter is most of the cost of a short task, and
//! so each moves once.
//!
//! # Invariants
//! 1. A task is in exactly one place: `fresh` or `again` (not started), a worker's hand (`holders`), `returned`, or `results`.
//!    Whoever moves it out of the first two, or out of a hand, decides its end.
//! 2. `pending` counts those that have not ended: not started, or in a hand.

use std::mem;
use std::ops::Range;
use std::vec;

use super::super::error::TaskError;
use super::super::task::drop_quietly;
use crate::cancel::Cancelled;

/// The most tasks that a worker holds at once.
pub(super) const HAND: usize = 20;

/// In how many steps a chunk gives its places back.
const STEPS: usize = 8;

/// What a task came to. The error in a box: it is larger than most results.
pub(super) type Outcome<T> = Result<T, Box<TaskError>>;

/// Tasks that a worker holds, with their indices, the next one last.
pub(super) type Hand<F> = Vec<(usize, F)>;

pub(super) struct Slots<F, T> {
    fresh: vec::IntoIter<F>,
    /// Given back by a worker that held them; the lowest last.
    again: Hand<F>,
    /// Which workers hold how many.
    holders: Vec<(Option<usize>, usize)>,
    results: Vec<Option<Outcome<T>>>,
    /// Handed back; empty once it is run.
    pub(super) returned: Vec<(usize, Option<F>)>,
    /// How many of these somebody has been given.
    given_out: usize,
    len: usize,
    pub(super) pending: usize,
    /// Places in the queue's bound besides the entry's own.
    places: usize,
    /// Set where what has not started is not to start any more.
    pub(super) cause: Option<Cancelled>,
}

impl<F, T> Slots<F, T> {
    pub(super) fn new(tasks: Vec<F>, places: usize) -> Self {
        let len = tasks.len();
        Self {
            fresh: tasks.into_iter(),
            again: Vec::new(),
            holders: Vec::new(),
            results: Vec::new(),
            returned: Vec::new(),
            given_out: 0,
            len,
            pending: len,
            places: places - 1,
            cause: None,
        }
    }

    /// The tasks of a chunk that nobody else has seen.
    pub(super) fn reclaim(&mut self) -> Vec<F> {
        mem::take(&mut self.fresh).collect()
    }

    /// How many have not started.
    pub(super) fn rest(&self) -> usize {
        self.again.len() + self.fresh.len()
    }

    fn next(&mut self) -> Option<(usize, F)> {
        self.again.pop().or_else(|| {
            let index = self.len - self.fresh.len();
            self.fresh.next().map(|work| (index, work))
        })
    }

    /// Fills `hand`, which is empty, with up to `most` tasks.
    pub(super) fn take(&mut self, hand: &mut Hand<F>, most: usize, worker: Option<usize>) {
        while hand.len() < most {
            let Some(task) = self.next() else { break };
            hand.push(task);
        }
        hand.reverse();
        if !hand.is_empty() {
            self.holders.push((worker, hand.len()));
        }
    }

    /// Takes tasks back that have not started.
    pub(super) fn give_back(&mut self, hand: &mut Hand<F>, worker: Option<usize>) {
        self.let_go(worker, hand.len());
        self.again.append(hand);
    }

    /// Puts down what tasks in a worker's hand came to.
    pub(super) fn put(&mut self, results: &mut Vec<(usize, Outcome<T>)>, worker: Option<usize>) {
        self.let_go(worker, results.len());
        for (index, result) in results.drain(..) {
            self.put_one(index, result);
        }
    }

    #[inline]
    fn put_one(&mut self, index: usize, result: Outcome<T>) {
        if index == self.results.len() && index < self.results.capacity() {
            self.results.push(Some(result));
        } else {
            self.put_elsewhere(index, result);
        }
    }

    /// The first, or one out of order: as soon as a second worker takes part.
    #[cold]
    fn put_elsewhere(&mut self, index: usize, result: Outcome<T>) {
        self.results.reserve_exact(self.len - self.results.len());
        if self.results.len() <= index {
            self.results.resize_with(index + 1, || None);
        }
        self.results[index] = Some(result);
    }

    fn let_go(&mut self, worker: Option<usize>, count: usize) {
        // The last one: a worker that holds several hands has waited inside a task.
        if let Some(at) = self.holders.iter().rposition(|(holder, _)| *holder == worker) {
            self.holders[at].1 -= count;
            if self.holders[at].1 == 0 {
                self.holders.remove(at);
            }
        }
    }

    pub(super) fn is_held_by(&self, worker: usize) -> bool {
        self.holders.iter().any(|(holder, _)| *holder == Some(worker))
    }

    /// The places that are not needed any more, when it is worth while to give them back.
    pub(super) fn surplus(&mut self) -> usize {
        let rest = self.rest();
        let surplus = self.places.saturating_sub(rest.saturating_sub(1));
        if rest > 0 && surplus < self.len.div_ceil(STEPS) {
            return 0;
        }
        self.places -= surplus;
        surplus
    }

    /// Ends what has not started with an error; its closures.
    pub(super) fn refuse(&mut self, error: impl Fn() -> TaskError) -> Vec<F> {
        let mut closures = Vec::with_capacity(self.rest());
        while let Some((index, work)) = self.next() {
            closures.push(work);
            self.put_one(index, Err(Box::new(error())));
        }
        closures
    }

    /// Keeps what has not started for those who are given it back; how many.
    pub(super) fn hand_back(&mut self) -> usize {
        let count = self.rest();
        while let Some((index, work)) = self.next() {
            self.returned.push((index, Some(work)));
        }
        count
    }

    /// Those that were handed back since this was last asked.
    pub(super) fn give_out(&mut self) -> Range<usize> {
        mem::replace(&mut self.given_out, self.returned.len())..self.returned.len()
    }

    /// What each task came to, once all have ended; those that were handed back get an error.
    pub(super) fn collect(
        &mut self,
        returned: impl Fn() -> TaskError,
    ) -> impl Iterator<Item = Result<T, TaskError>> {
        let mut results = mem::take(&mut self.results);
        results.resize_with(self.len, || None);
        results.into_iter().map(move |result| match result {
            Some(result) => result.map_err(|error| *error),
            None => Err(returned()),
        })
    }
}

impl<F, T> Drop for Slots<F, T> {
    fn drop(&mut self) {
        // One by one: a panic of one drop must not cost the others, nor the worker.
        if mem::needs_drop::<F>() {
            while let Some((_, work)) = self.next() {
                drop_quietly(work);
            }
            self.returned.drain(..).for_each(drop_quietly);
        }
        for result in self.results.drain(..).flatten() {
            if mem::needs_drop::<T>() || result.is_err() {
                drop_quietly(result);
            }
        }
    }
}
