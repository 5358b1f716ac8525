//! When a batch is full: by number, by weight, or where a key changes.

/// Where an item ends a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// Nowhere: it joins those that are held.
    No,
    /// Before it: it is the first of the next batch.
    Before,
    /// After it: it is the last of its batch.
    After,
    /// On both sides: it is a batch of its own.
    Around,
}

impl Cut {
    fn new(before: bool, after: bool) -> Self {
        match (before, after) {
            (false, false) => Self::No,
            (true, false) => Self::Before,
            (false, true) => Self::After,
            (true, true) => Self::Around,
        }
    }
}

/// Says where batches end.
pub trait Gather<T>: Send {
    /// Looks at the next item; `held` items are in the batch so far.
    fn look(&mut self, item: &T, held: usize) -> Cut;
}

/// So many items.
#[derive(Debug)]
pub struct ByCount(pub(super) usize);

impl<T> Gather<T> for ByCount {
    #[inline]
    fn look(&mut self, _: &T, held: usize) -> Cut {
        Cut::new(false, held + 1 >= self.0)
    }
}

/// As many items as weigh no more than the limit together, but at least one.
#[derive(Debug)]
pub struct ByWeight<F> {
    pub(super) limit: u64,
    pub(super) weigh: F,
    pub(super) sum: u64,
}

impl<T, F: FnMut(&T) -> u64 + Send> Gather<T> for ByWeight<F> {
    fn look(&mut self, item: &T, held: usize) -> Cut {
        let weight = (self.weigh)(item);
        let together = if held == 0 { weight } else { self.sum.saturating_add(weight) };
        let before = held > 0 && together > self.limit;
        self.sum = if before { weight } else { together };
        Cut::new(before, self.sum >= self.limit)
    }
}

/// Neighbours with equal keys, at most so many.
#[derive(Debug)]
pub struct ByKey<F, K> {
    pub(super) most: usize,
    pub(super) key: F,
    pub(super) last: Option<K>,
}

impl<T, K: PartialEq + Send, F: FnMut(&T) -> K + Send> Gather<T> for ByKey<F, K> {
    fn look(&mut self, item: &T, held: usize) -> Cut {
        let key = (self.key)(item);
        let before = held > 0 && self.last.as_ref() != Some(&key);
        self.last = Some(key);
        let held = if before { 0 } else { held };
        Cut::new(before, held + 1 >= self.most)
    }
}
