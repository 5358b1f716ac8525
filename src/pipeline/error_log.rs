//! The failures that a run went on without, up to so many.
//!
//! Lock order: `state` is a leaf; no user code runs under it.

use std::fmt;
use std::sync::Arc;

use crate::sync::Mutex;

use super::failed_item::ItemError;

#[derive(Debug)]
struct State<E> {
    errors: Vec<ItemError<E>>,
    /// How many more may be recorded.
    left: usize,
}

/// Collects failures of items, at most so many; written by [`collect_errors`](super::Pipeline::collect_errors).
///
/// It is a handle: clones name the same log, and a log may serve several stages and runs, whose failures count together.
///
/// Not for failures that should be counted only, which [`skip_errors`](super::Pipeline::skip_errors) does, nor to work through them
/// while the run goes on, for which [`divert_errors`](super::Pipeline::divert_errors) has a channel.
///
/// # Examples
/// ```
/// use gristmill::pipeline::ErrorLog;
/// use gristmill::{CancellationToken, Pipeline};
///
/// let log = ErrorLog::new(10);
/// let (numbers, _) = Pipeline::from_iter(["1", "two", "3"])
///     .try_map("parse", |text: &str| text.parse::<u32>())
///     .collect_errors(&log)
///     .collect::<Vec<_>>()
///     .run(&CancellationToken::new())?;
/// assert_eq!(numbers, [1, 3]);
/// for failed in log.take() {
///     assert_eq!(failed.to_string(), "parse failed at item 1: invalid digit found in string");
/// }
/// # Ok::<(), gristmill::PipelineError<std::num::ParseIntError>>(())
/// ```
pub struct ErrorLog<E> {
    state: Arc<Mutex<State<E>>>,
}

impl<E> ErrorLog<E> {
    /// A log for at most `most` failures. With zero the first failure ends the run, as without a log; `usize::MAX` is no limit but memory.
    ///
    /// Memory is taken as failures come.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self { state: Arc::new(Mutex::new(State { errors: Vec::new(), left: most })) }
    }

    /// How many failures are in it now.
    #[must_use]
    pub fn len(&self) -> usize {
        self.state.lock().errors.len()
    }

    /// Whether there is no failure in it now.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes the failures out, in the order of their index in the source; those of one index as they came.
    ///
    /// Also while a run goes on: it gives what was recorded so far. Taking makes no room: `most` bounds all that are ever recorded.
    #[must_use = "what is taken is no longer in the log"]
    pub fn take(&self) -> Vec<ItemError<E>> {
        let mut errors = std::mem::take(&mut self.state.lock().errors);
        errors.sort_by_key(|failed| failed.index);
        errors
    }

    /// Adds a failure; gives it back if there were as many as there may be.
    pub(super) fn record(&self, failed: ItemError<E>) -> Result<(), ItemError<E>> {
        let mut state = self.state.lock();
        let Some(left) = state.left.checked_sub(1) else { return Err(failed) };
        state.left = left;
        state.errors.push(failed);
        Ok(())
    }
}

impl<E> Clone for ErrorLog<E> {
    fn clone(&self) -> Self {
        Self { state: Arc::clone(&self.state) }
    }
}

impl<E> fmt::Debug for ErrorLog<E> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ErrorLog").field("len", &self.len()).finish_non_exhaustive()
    }
}
