//! Results that come one by one and in any order, put back in order.
//!
//! A plain value: its owner holds it in a lock. Nothing of the user's is dropped in here, but with the ring itself.

use std::collections::VecDeque;

use super::super::chunk::Origin;
use super::super::error::Failure;
use super::share::{Credits, Share};
use crate::panics;
use crate::sync::time::Instant;

/// An item that waits for its stage.
#[derive(Debug)]
pub(in super::super) struct Entry<U> {
    /// Its place in the order in which the items came.
    pub(in super::super) place: usize,
    /// Its index in the source.
    pub(in super::super) index: u64,
    pub(in super::super) share: Share,
    pub(in super::super) since: Instant,
    /// When the chunk that it came in had been read.
    pub(in super::super) read: Instant,
    pub(in super::super) item: U,
}

/// How one item ended.
#[derive(Debug)]
pub(in super::super) enum End<V, E> {
    Result(V),
    /// It was dropped, as the stage's policy says.
    Dropped,
    /// It ends the run once what comes before it has been delivered.
    Failed(Box<Failure<E>>),
}

/// An item that has ended.
#[derive(Debug)]
pub(in super::super) struct Ended<V, E> {
    pub(in super::super) place: usize,
    /// Its index in the source.
    pub(in super::super) index: u64,
    pub(in super::super) share: Share,
    /// When the chunk that it came in had been read.
    pub(in super::super) read: Instant,
    pub(in super::super) end: End<V, E>,
}

/// What may go on.
#[derive(Debug)]
pub(in super::super) struct Ready<V, E> {
    /// The place of the first result in the order of what comes out.
    pub(in super::super) first: usize,
    pub(in super::super) items: Vec<V>,
    indices: Vec<u64>,
    pub(in super::super) credits: Credits,
    /// There are no items, and the credit has a place of its own all the same; otherwise it is released then.
    pub(in super::super) credit_only: bool,
    pub(in super::super) failure: Option<Box<Failure<E>>>,
    /// When the earliest of them had been read.
    pub(in super::super) read: Option<Instant>,
    is_dense: bool,
}

impl<V, E> Ready<V, E> {
    /// Whether a chunk comes of it; otherwise its credit is released.
    pub(super) fn goes_on(&self) -> bool {
        !self.items.is_empty() || self.failure.is_some() || self.credit_only
    }

    /// The source index of each result.
    pub(in super::super) fn origin(&mut self) -> Origin {
        let indices = std::mem::take(&mut self.indices);
        match indices.first() {
            Some(first) if self.is_dense && indices.windows(2).all(|pair| pair[1] == pair[0] + 1) => {
                Origin::Dense(*first)
            }
            _ => Origin::Listed(indices),
        }
    }

    fn add(&mut self, ended: Ended<V, E>) {
        let Ended { index, share, read, end, .. } = ended;
        self.read = Some(self.read.map_or(read, |earliest| earliest.min(read)));
        match end {
            End::Result(value) => {
                self.items.push(value);
                self.indices.push(index);
            }
            End::Dropped => self.is_dense = false,
            End::Failed(failure) => {
                // Its item never leaves: the run is not finished before the failure has ended it.
                self.failure = Some(failure);
                return;
            }
        }
        self.is_dense &= matches!(share, Share::One);
        self.credits.add(&share);
    }
}

/// The results that wait for earlier ones, and where the order stands.
#[derive(Debug)]
pub(in super::super) struct Ring<V, E> {
    ordered: bool,
    /// The place of the first slot: what comes before it has gone on.
    head: usize,
    slots: VecDeque<Option<Ended<V, E>>>,
    /// How many places of the order below have been filled.
    passed: usize,
    /// Pieces have gone on, and the credit of one may be still to come.
    is_cut: bool,
    /// A failure has: nothing may come after it.
    over: bool,
}

/// What waits behind a place that was never filled, once the run is over.
impl<V, E> Drop for Ring<V, E> {
    fn drop(&mut self) {
        panics::drop_each_quietly(self.slots.drain(..));
    }
}

impl<V, E> Ring<V, E> {
    pub(in super::super) fn new(ordered: bool) -> Self {
        Self { ordered, head: 0, slots: VecDeque::new(), passed: 0, is_cut: false, over: false }
    }

    /// Takes what has ended, and gives what may go on by it; leaves the buffer empty. `None`: nothing, not even credit.
    pub(in super::super) fn put(&mut self, ended: &mut Vec<Ended<V, E>>) -> Option<Ready<V, E>> {
        if self.over {
            return None; // nothing may pass a failure; what has ended stays with the caller
        }
        let mut ready = Ready {
            first: self.passed,
            items: Vec::new(),
            indices: Vec::new(),
            credits: Credits::default(),
            credit_only: false,
            failure: None,
            read: None,
            is_dense: true,
        };
        let before = self.head;
        if self.ordered {
            for one in ended.drain(..) {
                let at = one.place - self.head;
                if self.slots.len() <= at {
                    self.slots.resize_with(at + 1, || None);
                }
                self.slots[at] = Some(one);
            }
            while !self.over {
                let Some(one) = self.slots.front_mut().and_then(Option::take) else { break };
                self.slots.pop_front();
                self.head += 1;
                ready.add(one);
                self.over = ready.failure.is_some();
            }
        } else {
            self.head += ended.len();
            // What has ended before a failure goes on with it; what comes after does not matter any more.
            ended.drain(..).for_each(|one| ready.add(one));
            self.over = ready.failure.is_some();
        }
        if ready.items.is_empty() && ready.failure.is_none() {
            ready.credit_only = self.is_cut && !ready.credits.is_none();
            if !ready.credit_only {
                return (self.head != before).then_some(ready);
            }
        }
        self.is_cut |= ready.credits.is_cut();
        self.passed += ready.items.len() + usize::from(ready.credit_only);
        (self.head != before).then_some(ready)
    }

    /// Credit comes without items: the place it gets, if it goes on and is not released.
    pub(in super::super) fn put_credit(&mut self) -> Option<usize> {
        let place = (self.is_cut && !self.over).then_some(self.passed)?;
        self.passed += 1;
        Some(place)
    }

    /// How many places have been filled, if they are those of all `total` items.
    pub(in super::super) fn passed(&self, total: usize) -> Option<usize> {
        (self.head == total).then_some(self.passed)
    }
}
