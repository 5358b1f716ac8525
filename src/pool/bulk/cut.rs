//! Giving a slice out by ranges.

use std::mem;
use std::ops::Range;

use crate::sync::Mutex;
use crate::sync::atomic::{AtomicUsize, Ordering};

/// Ranges of indices, and what goes with them.
pub(super) trait Cut {
    type Piece;

    /// The next indices, as many as `len` says where it is told how many are left; `None` at the end.
    fn take(&self, len: impl Fn(usize) -> usize) -> Option<(Range<usize>, Self::Piece)>;
}

/// Indices only.
pub(super) struct Cursor {
    next: AtomicUsize,
    len: usize,
}

impl Cursor {
    pub(super) fn new(len: usize) -> Self {
        Self { next: AtomicUsize::new(0), len }
    }
}

impl Cut for Cursor {
    type Piece = ();

    fn take(&self, len: impl Fn(usize) -> usize) -> Option<(Range<usize>, ())> {
        let mut range = 0..0;
        // Relaxed: the numbers give nothing out but themselves.
        let taken = self.next.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |start| {
            let rest = self.len - start;
            range = start..start + len(rest).min(rest);
            (rest > 0).then_some(range.end)
        });
        taken.is_ok().then_some((range, ()))
    }
}

/// Places to write to, each given out once.
pub(super) struct Pieces<'env, B> {
    /// The index of the first that is left, and those that are left.
    rest: Mutex<(usize, &'env mut [B])>,
}

impl<'env, B> Pieces<'env, B> {
    pub(super) fn new(out: &'env mut [B]) -> Self {
        Self { rest: Mutex::new((0, out)) }
    }
}

impl<'env, B> Cut for Pieces<'env, B> {
    type Piece = &'env mut [B];

    fn take(&self, len: impl Fn(usize) -> usize) -> Option<(Range<usize>, &'env mut [B])> {
        let mut guard = self.rest.lock();
        let (start, rest) = mem::take(&mut *guard);
        if rest.is_empty() {
            return None;
        }
        let count = len(rest.len()).min(rest.len());
        let (piece, rest) = rest.split_at_mut(count);
        *guard = (start + count, rest);
        Some((start..start + count, piece))
    }
}
