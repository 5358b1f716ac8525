//! What an item that travels by itself carries of the credit of the chunk it came in.
//!
//! # Invariants
//! 1. While an item of a chunk is on its way the run is not finished: its own credit is out, or that of its chunk, or a piece stands for it.
//! 2. The credit of a chunk whose items do not each stand for one source item leaves with the last of them, whatever their order, so
//!    that the window does not count too few while the others are on their way.
//! 3. Of a source item that became many, what its chunks took up of the bound of that stage leaves chunk by chunk, since there may be more of them than the bound
//!    has room for; the credit of the item itself leaves with the last of them all.

use std::sync::{Arc, OnceLock};

use super::super::credit::Credit;
use super::super::run::Run;
use crate::sync::atomic::{AtomicUsize, Ordering};

/// The share of one item.
#[derive(Debug)]
pub(in super::super) enum Share {
    /// It stands for one source item.
    One,
    /// It is one of several that share a credit.
    Part(Arc<Whole>),
}

/// Credit that the last of some items takes along. A chunk that was cut comes in pieces, one behind the other, of which only the last has credit: all
/// of them are one whole. So are the chunks that one source item became, of which only the last has that item's credit; each of them is a part with what
/// credit it has.
#[derive(Debug)]
pub(in super::super) struct Whole {
    /// Items on their way, or parts, and one more while others may still come.
    left: AtomicUsize,
    credit: OnceLock<Credit>,
    /// What it is a part of; if it is none, and its credit is of no source item, a piece of the run stands for it.
    within: Option<Arc<Self>>,
}

impl Whole {
    /// Without items yet, and open to more.
    pub(in super::super) fn open() -> Arc<Self> {
        Arc::new(Self { left: AtomicUsize::new(1), credit: OnceLock::new(), within: None })
    }

    /// A part of it, open as well.
    pub(in super::super) fn part(self: &Arc<Self>) -> Arc<Self> {
        self.add(1);
        Arc::new(Self { left: AtomicUsize::new(1), credit: OnceLock::new(), within: Some(Arc::clone(self)) })
    }

    /// More items, before the first of them goes on its way.
    pub(in super::super) fn add(&self, items: usize) {
        self.left.fetch_add(items, Ordering::Relaxed);
    }

    /// No more items come; with them the credit came. True if all of them are through already, those of other parts included.
    pub(in super::super) fn close(&self, credit: Credit) -> bool {
        _ = self.credit.set(credit);
        self.is_last() && self.within.as_ref().is_none_or(|whole| whole.is_last())
    }

    /// Takes one off. Whoever takes the last one off sees the credit, and nothing of what the others did but that they are through.
    fn is_last(&self) -> bool {
        self.left.fetch_sub(1, Ordering::AcqRel) == 1
    }
}

/// What some items give back together.
#[derive(Debug, Default)]
pub(in super::super) struct Credits {
    credit: Credit,
    pieces: usize,
    /// Some are parts of a whole.
    is_cut: bool,
}

impl Credits {
    /// Whether there is no credit, and at most pieces.
    pub(in super::super) fn is_none(&self) -> bool {
        self.credit.is_none()
    }

    /// Whether credit may still be to come for what these are given back with.
    pub(in super::super) fn is_cut(&self) -> bool {
        self.is_cut
    }

    pub(in super::super) fn add(&mut self, share: &Share) {
        match share {
            Share::One => self.credit.items += 1,
            Share::Part(part) => {
                self.is_cut = true;
                let mut next = Some(part);
                while let Some(whole) = next.take_if(|whole| whole.is_last()) {
                    let credit = whole.credit.get().copied().unwrap_or(Credit::NONE);
                    self.credit = self.credit.plus(credit);
                    self.pieces += usize::from(whole.within.is_none() && credit.items == 0);
                    next = whole.within.as_ref();
                }
            }
        }
    }

    /// Has a piece stand for what goes on without credit. Under the lock of the ring: once others can come there, the last item of the same whole can, and
    /// where no order is kept its credit may leave first. The run is not finished then.
    pub(super) fn stand_in<E>(&mut self, run: &Run<E>) {
        if self.credit.items == 0 && self.pieces == 0 {
            run.note_piece();
            self.pieces = 1;
        }
    }

    /// What a chunk that goes on carries: its credit, or a piece, which [`stand_in`](Self::stand_in) has seen to.
    pub(in super::super) fn pass_on<E>(mut self, run: &Run<E>) -> Credit {
        if self.credit.items == 0 {
            self.pieces -= 1; // it stands for what goes on
        }
        self.release_pieces(run);
        self.credit
    }

    /// Nothing goes on.
    pub(in super::super) fn release<E>(self, run: &Run<E>) {
        if self.credit.items > 0 {
            run.release(self.credit);
        } else {
            run.free(self.credit);
        }
        self.release_pieces(run);
    }

    fn release_pieces<E>(&self, run: &Run<E>) {
        for _ in 0..self.pieces {
            run.release(Credit::NONE);
        }
    }
}
