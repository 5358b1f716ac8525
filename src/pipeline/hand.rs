//! A chunk while a worker has it: how far it is, and what of its credit is still to be given away.

use super::chunk::{Chunk, Origin};
use super::credit::Credit;
use super::error::Failure;
use super::run::Run;
use crate::sync::time::{Duration, Instant};

/// A chunk in a worker's hands, apart from its items.
pub(super) struct InHand<E> {
    /// The place of the first item whose result has not been delivered.
    pub(super) first: usize,
    pub(super) origin: Origin,
    /// What has not been given away of the chunk's credit, and how many of its items stand for it.
    pub(super) credit: Credit,
    pub(super) left: usize,
    /// The failure that follows the last item.
    pub(super) after: Option<Box<Failure<E>>>,
    /// Items that are done, and of these the ones whose results have been delivered.
    pub(super) done: usize,
    pub(super) delivered: usize,
    /// Time spent, and the longest time between two looks at the clock.
    pub(super) spent: Duration,
    pub(super) worst: Duration,
    pub(super) read: Instant,
}

impl<E> InHand<E> {
    /// The place of the item that comes next.
    pub(super) fn place(&self) -> usize {
        self.first + (self.done - self.delivered)
    }

    /// The credit of the next `items` items: theirs alone where every item stands for one source item. Otherwise all of it goes
    /// with the last, so that the window does not count too few while the others are on their way.
    pub(super) fn take_credit(&mut self, run: &Run<E>, items: usize) -> Credit {
        let credit = match (self.left == items, self.origin.is_dense() && self.credit.is_plain()) {
            (true, _) => self.credit,
            (false, true) => Credit::of(items),
            (false, false) => {
                run.note_piece();
                Credit::NONE
            }
        };
        self.credit = self.credit.minus(credit);
        self.left -= items;
        credit
    }

    /// The items that are not done, as a chunk to give back.
    pub(super) fn cut_off<T>(&mut self, run: &Run<E>, items: Vec<T>, since: Instant) -> Chunk<T, E> {
        let span = items.len();
        let front = self.take_credit(run, self.left - span);
        let credit = std::mem::replace(&mut self.credit, front);
        self.left = self.done - self.delivered;
        Chunk {
            first: self.place(),
            span,
            items,
            origin: self.origin.range(self.done, span),
            credit,
            failure: self.after.take(),
            spent: Duration::ZERO,
            since,
            read: self.read,
        }
    }
}
