//! What an item that travels by itself carries of the credit of the chunk it came in.
//!
//! # Invariants
//! 1. While an item of a chunk is on its way the run is not finished: its own credit is out, or that of its chunk, or a piece stands for it.
//! 2. The credit of a chunk whose items do not each stand for one source item leaves with the last of them, whatever their order, so
//!    that the window never counts too few.

use std::sync::Arc;

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

/// The credit of a chunk, which its last item takes along.
#[derive(Debug)]
pub(in super::super) struct Whole {
    left: AtomicUsize,
    /// 0: a piece of the run stands for it.
    credit: usize,
}

impl Whole {
    /// For `items` items, at least one.
    pub(in super::super) fn new(items: usize, credit: usize) -> Arc<Self> {
        Arc::new(Self { left: AtomicUsize::new(items), credit })
    }
}

/// What some items give back together.
#[derive(Debug, Default)]
pub(in super::super) struct Credits {
    credit: usize,
    pieces: usize,
}

impl Credits {
    pub(in super::super) fn add(&mut self, share: &Share) {
        match share {
            Share::One => self.credit += 1,
            Share::Part(whole) => {
                // The last one has to see nothing of what the others did but that they are through.
                if whole.left.fetch_sub(1, Ordering::AcqRel) == 1 {
                    self.credit += whole.credit;
                    self.pieces += usize::from(whole.credit == 0);
                }
            }
        }
    }

    /// What a chunk that goes on carries: its credit, or a piece.
    pub(in super::super) fn pass_on<E>(mut self, run: &Run<E>) -> usize {
        if self.credit == 0 {
            if self.pieces == 0 {
                run.note_piece();
            } else {
                self.pieces -= 1;
            }
        }
        self.release_pieces(run);
        self.credit
    }

    /// Nothing goes on.
    pub(in super::super) fn release<E>(self, run: &Run<E>) {
        self.release_pieces(run);
        if self.credit > 0 {
            run.release(self.credit);
        }
    }

    fn release_pieces<E>(&self, run: &Run<E>) {
        for _ in 0..self.pieces {
            run.release(0);
        }
    }
}
