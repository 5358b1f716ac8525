//! A list that grows while others read it, and never moves what it holds.
//!
//! # Invariants
//! 1. Places are made in segments, each twice as long as the one before, and stay until the list goes: a reference to a
//!    place is good for as long as the list, and readers take no lock.
//! 2. Whoever calls [`Slots::grow`] holds a lock of its own against others who do; `len` is raised after the places are there.

use std::fmt;
use std::sync::OnceLock;

use super::atomic::{AtomicUsize, Ordering};

/// Enough for the largest pool.
const SEGMENTS: usize = 17;

/// See the module; `T::default()` makes a place.
pub struct Slots<T> {
    // The standard library's cell, not the model's: it is only ever written under somebody's lock.
    segments: [OnceLock<Box<[T]>>; SEGMENTS],
    len: AtomicUsize,
}

impl<T: Default> Slots<T> {
    /// A list of `len` places.
    pub fn new(len: usize) -> Self {
        let slots = Self { segments: [const { OnceLock::new() }; SEGMENTS], len: AtomicUsize::new(0) };
        slots.grow(len);
        slots
    }

    /// Makes places up to `len`; never fewer than there are.
    ///
    /// # Panics
    /// Beyond 131 071 places.
    pub fn grow(&self, len: usize) {
        let Some(last) = len.checked_sub(1) else { return };
        for segment in 0..=place(last).0 {
            self.segments[segment].get_or_init(|| (0..1_usize << segment).map(|_| T::default()).collect());
        }
        // Release pairs with the Acquire in `len`: the places are there.
        self.len.fetch_max(len, Ordering::Release);
    }

    /// How many places there are.
    pub fn len(&self) -> usize {
        self.len.load(Ordering::Acquire)
    }

    /// Whether there are no places.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The place at `index`.
    ///
    /// # Panics
    /// If there is none.
    pub fn at(&self, index: usize) -> &T {
        let (segment, offset) = place(index);
        &self.segments[segment].get().expect("the place was made before its index was given out")[offset]
    }

    /// The places, in order.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        (0..self.len()).map(|index| self.at(index))
    }
}

fn place(index: usize) -> (usize, usize) {
    let segment = (index + 1).ilog2() as usize;
    (segment, index + 1 - (1 << segment))
}

impl<T: Default + fmt::Debug> fmt::Debug for Slots<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_list().entries(self.iter()).finish()
    }
}

#[cfg(all(test, not(any(gristmill_shuttle, gristmill_loom))))]
mod tests {
    use super::Slots;
    use crate::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn places_keep_their_index_and_their_address_when_the_list_grows() {
        let slots = Slots::<AtomicUsize>::new(1);
        let first: *const AtomicUsize = slots.at(0);
        for len in 2..200 {
            slots.grow(len);
            slots.at(len - 1).store(len - 1, Ordering::Relaxed);
            assert_eq!(slots.len(), len);
        }
        assert!(std::ptr::eq(first, slots.at(0)));
        let held: Vec<usize> = slots.iter().map(|place| place.load(Ordering::Relaxed)).collect();
        assert_eq!(held, (0..199).collect::<Vec<_>>());
        slots.grow(3);
        assert_eq!(slots.len(), 199, "never fewer");
    }

    #[test]
    fn empty_list_has_no_places() {
        assert_eq!(Slots::<AtomicUsize>::new(0).iter().count(), 0);
    }
}
