//! Why a loop on the pool did not come to its end.

use super::super::error::Refusal;
use crate::cancel::Cancelled;
use crate::panics::Panic;

/// Why a [`map`](super::super::Submitter::map), [`for_each`](super::super::Submitter::for_each) or one of their kin ended early.
///
/// Whatever it says, none of the loop's code runs any more.
///
/// ```
/// use gristmill::{BulkError, ThreadPool};
///
/// let pool = ThreadPool::new()?;
/// let error = pool.map(&[6, 3, 0, 2], |n| 12 / n).unwrap_err();
/// assert_eq!(error.index(), Some(2));
/// match error {
///     BulkError::Panicked { source, .. } => assert_eq!(source.message(), "attempt to divide by zero"),
///     other => unreachable!("{other}"),
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BulkError {
    /// The function panicked, or the iterator did. Of several panics this is the one with the lowest index among those that were seen
    /// before all workers had stopped.
    #[error("item {index} panicked, {done} items were done: {}", source.message())]
    Panicked {
        /// The index of the item, from 0.
        index: usize,
        /// How many items were done, on all workers; not always the first ones.
        done: usize,
        /// The panic.
        #[source]
        source: Panic,
    },
    /// The pool's token, or the one given to the call, was cancelled.
    #[error("cancelled when {done} items were done")]
    Cancelled {
        /// How many items were done.
        done: usize,
        /// Who cancelled it, and why.
        #[source]
        source: Cancelled,
    },
    /// The pool took nothing of it: it is closed. No item was done.
    #[error("no item was done: {refusal}")]
    Refused {
        /// Why.
        refusal: Refusal,
    },
    /// The slice to write to is not as long as the one to read from. Nothing was done.
    #[error("{items} items do not fit into {out} places: the slices have to be equally long")]
    Lengths {
        /// How many items there are.
        items: usize,
        /// How many places there are.
        out: usize,
    },
    /// The pool was shut down meanwhile, and not by draining it.
    #[error("the pool was stopped when {done} items were done")]
    Stopped {
        /// How many items were done.
        done: usize,
    },
}

impl BulkError {
    /// How many items were done; their results are dropped.
    pub fn done(&self) -> usize {
        match self {
            Self::Panicked { done, .. } | Self::Cancelled { done, .. } | Self::Stopped { done } => *done,
            Self::Refused { .. } | Self::Lengths { .. } => 0,
        }
    }

    /// The index of the item that panicked; `None` if none did.
    pub fn index(&self) -> Option<usize> {
        match self {
            Self::Panicked { index, .. } => Some(*index),
            _ => None,
        }
    }
}
