//! The most recent samples of one worker, readable by anybody while it writes.
//!
//! # Invariants
//! 1. One thread writes. It needs no read-modify-write, and nobody else ever writes these cache lines.
//! 2. A reader sees only values that were recorded: `count` is published after the place that it counts, so a reader looks
//!    only at places that have been written. A place that is written again while it reads shows the newer value, whole.
//! 3. No value that a reader sees is above the maximum that it returns: `max` is written before the place, and read after
//!    it.

use crate::sync::Padded;
use crate::sync::atomic::{AtomicU64, Ordering};

/// How many values fill the lines of one [`Padded`].
const BLOCK: usize = 16;

/// The running sums, on lines of their own.
#[derive(Debug, Default)]
struct Sums {
    count: AtomicU64,
    max: AtomicU64,
}

/// A ring of the most recent samples of one worker, in nanoseconds, with the exact number and maximum of all.
///
/// A histogram would answer for all samples, at a stated error; this answers exactly, for the most recent ones.
#[derive(Debug)]
pub(crate) struct Samples {
    sums: Padded<Sums>,
    ring: Box<[Padded<[AtomicU64; BLOCK]>]>,
    /// The number of places less one: a place's index is the number of its sample in these bits.
    mask: u64,
}

/// What [`Samples::copy_into`] says of all samples, beside the recent ones that it copies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    /// How many samples were recorded when the reader looked.
    pub(crate) count: u64,
    /// The largest of them, or a larger one that was recorded while the reader copied.
    pub(crate) max: u64,
}

impl Samples {
    /// A ring that keeps `capacity` samples, which is a power of two: 256 take two kilobytes.
    pub(crate) fn new(capacity: usize) -> Self {
        assert!(capacity.is_power_of_two(), "the capacity of a ring is a power of two, not {capacity}");
        let block = || Padded(std::array::from_fn(|_| AtomicU64::new(0)));
        Self {
            sums: Padded::default(),
            ring: (0..capacity.div_ceil(BLOCK)).map(|_| block()).collect(),
            mask: capacity as u64 - 1,
        }
    }

    fn place(&self, number: u64) -> &AtomicU64 {
        // The mask came from a `usize`.
        #[allow(clippy::cast_possible_truncation)]
        let index = (number & self.mask) as usize;
        &self.ring[index / BLOCK].0[index % BLOCK]
    }

    /// Records one sample. Only ever called by one thread; a second one would lose samples, not more.
    #[inline]
    pub(crate) fn record(&self, nanoseconds: u64) {
        let Sums { count, max } = &self.sums.0;
        if nanoseconds > max.load(Ordering::Relaxed) {
            max.store(nanoseconds, Ordering::Relaxed);
        }
        let number = count.load(Ordering::Relaxed);
        // Release pairs with the Acquire of the place in `copy_into`: who sees the value sees the maximum (invariant 3).
        self.place(number).store(nanoseconds, Ordering::Release);
        // Release pairs with the Acquire of the count in `copy_into`: who sees the count sees the value (invariant 2).
        count.store(number.wrapping_add(1), Ordering::Release);
    }

    /// Appends the most recent samples to `recent`, in no stated order, without holding up the writer.
    pub(crate) fn copy_into(&self, recent: &mut Vec<u64>) -> Totals {
        let Sums { count, max } = &self.sums.0;
        let count = count.load(Ordering::Acquire);
        let written = count.min(self.mask + 1);
        recent.extend((0..written).map(|number| self.place(number).load(Ordering::Acquire)));
        Totals { count, max: max.load(Ordering::Relaxed) }
    }
}
