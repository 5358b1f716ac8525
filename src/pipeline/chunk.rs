//! A run of neighbouring items that travels as one, and the source index of each of its items.

use crate::sync::time::{Duration, Instant};

use super::credit::Credit;
use super::error::Failure;

/// The source index of every item of a chunk: what errors name.
#[derive(Debug)]
pub(super) enum Origin {
    /// Item `k` has the index `first + k`: nothing was filtered out or multiplied so far.
    Dense(u64),
    /// Item `k` has the index at place `k`.
    Listed(Vec<u64>),
    /// Item `k` stands for all source items from the index at place `k` to the next one, the last to `end`.
    Spans {
        /// The index of the first source item of each.
        starts: Vec<u64>,
        /// One past the last.
        end: u64,
    },
}

impl Origin {
    /// Whether every item stands for one source item, and so for its credit.
    pub(super) fn is_dense(&self) -> bool {
        matches!(self, Self::Dense(_))
    }

    pub(super) fn index(&self, place: usize) -> u64 {
        match self {
            Self::Dense(first) => first + place as u64,
            // One past the end is asked for by a failure that follows the last item.
            Self::Listed(indices) => indices.get(place).or(indices.last()).copied().unwrap_or(0),
            Self::Spans { starts, end } => starts.get(place).copied().unwrap_or(*end),
        }
    }

    /// The origin of `count` items from `place` on.
    pub(super) fn range(&self, place: usize, count: usize) -> Self {
        match self {
            Self::Dense(first) => Self::Dense(*first + place as u64),
            Self::Listed(indices) => Self::Listed(indices[place..place + count].to_vec()),
            Self::Spans { starts, .. } => {
                let end = self.index(place + count);
                Self::Spans { starts: starts[place..place + count].to_vec(), end }
            }
        }
    }

    /// The origin of the first `count` items without those at the places `dropped`, which ascend.
    pub(super) fn without(&self, dropped: &[usize], count: usize) -> Self {
        if dropped.is_empty() {
            return self.range(0, count);
        }
        let mut dropped = dropped.iter().peekable();
        let left = (0..count).filter(|place| dropped.next_if_eq(&place).is_none());
        Self::Listed(left.map(|place| self.index(place)).collect())
    }

    /// What comes after the items before `place`, the last of them.
    pub(super) fn end(&self, place: usize) -> u64 {
        match self {
            Self::Listed(_) => place.checked_sub(1).map_or(0, |last| self.index(last) + 1),
            Self::Dense(_) | Self::Spans { .. } => self.index(place),
        }
    }

    /// How many source items are completely covered by the items before `place`, of a chunk with that credit.
    pub(super) fn sources_before(&self, place: usize, credit: usize) -> usize {
        match self {
            Self::Dense(_) => place,
            Self::Listed(indices) => {
                let mut sources = indices[..place].to_vec();
                sources.dedup();
                let cut_short = sources.last().is_some_and(|last| indices.get(place) == Some(last));
                sources.len() - usize::from(cut_short)
            }
            Self::Spans { starts, .. } => {
                let sources = starts.first().map_or(0, |from| self.index(place).saturating_sub(*from));
                usize::try_from(sources).unwrap_or(usize::MAX).min(credit)
            }
        }
    }

    /// The same in front of a failure at `index`: the source item that it is of is not through, though some of its results are.
    pub(super) fn sources_before_failure(&self, place: usize, credit: usize, index: u64) -> usize {
        let last = place.checked_sub(1);
        let is_begun =
            matches!(self, Self::Listed(indices) if last.and_then(|last| indices.get(last)) == Some(&index));
        self.sources_before(place, credit).saturating_sub(usize::from(is_begun))
    }
}

/// Items that are processed together, in order.
#[derive(Debug)]
pub struct Chunk<T, E> {
    /// The place of the first item in the order of its segment's input.
    pub(super) first: usize,
    /// How many places of that order the chunk covers: what to add to `first` to get the next chunk's.
    pub(super) span: usize,
    pub(super) items: Vec<T>,
    pub(super) origin: Origin,
    /// What becomes free when the chunk leaves the pipeline; none for a piece whose credit goes with the last one.
    pub(super) credit: Credit,
    /// What ends the run once the items have been delivered.
    pub(super) failure: Option<Box<Failure<E>>>,
    /// Time that was spent on it in its segment so far: reading it.
    pub(super) spent: Duration,
    /// Since when the chunk has been ready for the next stage.
    pub(super) since: Instant,
    /// When it had been read; of items that were gathered, the earliest.
    pub(super) read: Instant,
}

impl<T, E> Chunk<T, E> {
    /// Credit that comes without items, when pieces of the same chunk have gone on without any: were it released here, the window would count too
    /// few while these are on their way. It covers one place, so that it has one of its own.
    pub(super) fn credit_only(first: usize, credit: Credit, since: Instant, read: Instant) -> Self {
        let (items, origin) = (Vec::new(), Origin::Listed(Vec::new()));
        Self { first, span: 1, items, origin, credit, failure: None, spent: Duration::ZERO, since, read }
    }

    /// Whether it is that.
    pub(super) fn is_credit_only(&self) -> bool {
        self.items.is_empty() && self.failure.is_none()
    }
}

/// Orders chunks by place, lowest first out of a [`BinaryHeap`](std::collections::BinaryHeap).
#[derive(Debug)]
pub(super) struct Parked<U, E>(pub(super) Chunk<U, E>);

impl<U, E> PartialEq for Parked<U, E> {
    fn eq(&self, other: &Self) -> bool {
        self.0.first == other.0.first
    }
}

impl<U, E> Eq for Parked<U, E> {}

impl<U, E> PartialOrd for Parked<U, E> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<U, E> Ord for Parked<U, E> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        other.0.first.cmp(&self.0.first)
    }
}

#[cfg(all(test, not(any(gristmill_shuttle, gristmill_loom))))]
mod tests {
    use super::*;

    #[test]
    fn end_is_one_past_the_last_of_what_comes_before_the_place() {
        // The fourth and the fifth source item were dropped; the third became two.
        let listed = Origin::Listed(vec![2, 2, 5]);
        assert_eq!([0, 1, 2, 3].map(|place| listed.end(place)), [0, 3, 3, 6]);
        let dense = Origin::Dense(4);
        assert_eq!([0, 3].map(|place| dense.end(place)), [4, 7]);
        let spans = Origin::Spans { starts: vec![1, 4], end: 9 };
        assert_eq!([0, 1, 2].map(|place| spans.end(place)), [1, 4, 9]);
    }
}
