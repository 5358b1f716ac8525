//! Waiting in the order in which they end.

use std::fmt;

use super::limit::{Interrupt, Limit};
use super::set::Set;
use crate::cancel::{CancellationToken, Cancelled};
use crate::sync::time::Duration;
use crate::waitable::Waitable;

/// Goes through handles in the order in which they end, each with its index.
///
/// Not for results that are wanted in the order of the handles: [`wait_all`](super::wait_all), or simply waiting for one after the other, is that.
///
/// ```
/// use gristmill::{ThreadPool, combine};
///
/// let pool = ThreadPool::builder().workers(2).build()?;
/// let words = ["grist", "mill", "wheel"];
/// let handles = words.map(|word| pool.submit(move || word.len()));
/// let handles = handles.into_iter().collect::<Result<Vec<_>, _>>()?;
/// let mut lengths = [0; 3];
/// for (index, length) in combine::as_completed(handles) {
///     println!("{} is done", words[index]); // in whatever order
///     lengths[index] = length?;
/// }
/// assert_eq!(lengths, [5, 4, 5]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Panics
/// On a worker of the pool, its waits panic if one that they might have to wait for is the task that waits. A panic of a function that a
/// handle was [mapped](Waitable::map) by comes out of the wait that takes it; the others are still there to be waited for.
///
/// # Cost
/// What ends puts its index into one queue; so the cost of each is the same, however many there are (`benches/versus`, group
/// "completion order").
pub fn as_completed<W: Waitable>(handles: impl IntoIterator<Item = W>) -> AsCompleted<W> {
    AsCompleted { set: Set::new(handles) }
}

/// Handles that are waited for in the order in which they end: what [`as_completed`] gives.
///
/// As an iterator it waits for each. Dropping it drops the handles of what has not been taken: tasks are detached and run on.
#[must_use = "it waits for nothing until it is asked"]
pub struct AsCompleted<W: Waitable> {
    set: Set<W>,
}

/// None of those that are waited for has ended, or none in time.
///
/// ```
/// use std::time::Duration;
/// use gristmill::combine::{after, as_completed};
///
/// let mut ends = as_completed([Duration::ZERO, Duration::MAX].map(after));
/// assert_eq!(ends.next().map(|(index, _)| index), Some(0));
/// let error = ends.try_next().unwrap_err();
/// assert_eq!((error.pending, error.total), (1, 2));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{pending} of {total} are still pending")]
#[non_exhaustive]
pub struct StillPending {
    /// How many have not been taken.
    pub pending: usize,
    /// How many there were from the start.
    pub total: usize,
}

impl<W: Waitable> AsCompleted<W> {
    /// The next one, if one has ended; `Ok(None)` if all have been taken.
    ///
    /// # Errors
    /// There are some, and none has ended.
    pub fn try_next(&mut self) -> Result<Option<(usize, W::Output)>, StillPending> {
        self.next_within(Limit::now()).map_err(|_| self.still_pending())
    }

    /// Waits for the next one, for at most `timeout`; `Ok(None)` if all have been taken. `Duration::MAX` waits without limit.
    ///
    /// # Errors
    /// The time was over first. Nothing is lost: ask again.
    pub fn next_timeout(&mut self, timeout: Duration) -> Result<Option<(usize, W::Output)>, StillPending> {
        self.next_within(Limit::time(timeout)).map_err(|_| self.still_pending())
    }

    /// Waits for the next one until `token` is cancelled; `Ok(None)` if all have been taken.
    ///
    /// # Errors
    /// The token was cancelled first. Nothing is lost: ask again, or take the rest out.
    pub fn next_with(&mut self, token: &CancellationToken) -> Result<Option<(usize, W::Output)>, Cancelled> {
        self.next_within(Limit::token(token)).map_err(|interrupt| match interrupt {
            Interrupt::Cancelled(cause) => cause,
            Interrupt::TimedOut => unreachable!("a wait without time-out does not time out"),
        })
    }

    /// Adds one more; its index, one above the highest so far. So tasks can be submitted as others end, for as long as there are any.
    ///
    /// # Cost
    /// The memory is that of the handles that have not been taken, however many there were.
    pub fn push(&mut self, handle: W) -> usize {
        self.set.push(handle)
    }

    /// The handle of that index, if it has not been taken: to cancel one, or to ask it something. Watching it anew would take it from this wait.
    ///
    /// ```
    /// use std::time::Duration;
    /// use gristmill::combine::{after, as_completed};
    ///
    /// let mut ends = as_completed([Duration::MAX, Duration::MAX].map(after));
    /// assert!(ends.get(1).is_some_and(|timer| timer.cancel()));
    /// assert_eq!(ends.next().map(|(index, end)| (index, end.is_err())), Some((1, true)));
    /// assert!(ends.get(1).is_none() && ends.get(0).is_some());
    /// ```
    pub fn get(&self, index: usize) -> Option<&W> {
        self.set.get(index)
    }

    /// How many have not been taken.
    pub fn len(&self) -> usize {
        self.set.open()
    }

    /// Whether all have been taken.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Cancels all that have not been taken. They are waited for all the same.
    #[track_caller]
    pub fn cancel(&self) {
        self.set.cancel_open();
    }

    /// The handles that have not been taken, each with its index, in the order of the indices.
    ///
    /// ```
    /// use std::time::Duration;
    /// use gristmill::combine::{after, as_completed};
    ///
    /// let mut ends = as_completed([Duration::MAX, Duration::ZERO].map(after));
    /// assert!(ends.next().is_some_and(|(index, _)| index == 1));
    /// let rest = ends.into_rest(); // with their indices
    /// assert_eq!((rest.len(), rest[0].0), (1, 0));
    /// ```
    pub fn into_rest(self) -> Vec<(usize, W)> {
        self.set.into_rest()
    }

    fn next_within(&mut self, limit: Limit<'_>) -> Result<Option<(usize, W::Output)>, Interrupt> {
        let index = self.set.next(limit)?;
        Ok(index.map(|index| (index, self.set.output_or_resume(index))))
    }

    fn still_pending(&self) -> StillPending {
        StillPending { pending: self.set.open(), total: self.set.len() }
    }
}

impl<W: Waitable> Iterator for AsCompleted<W> {
    type Item = (usize, W::Output);

    fn next(&mut self) -> Option<Self::Item> {
        super::limit::always(self.next_within(Limit::NONE).map_err(|interrupt| ((), interrupt)))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.len(), Some(self.len()))
    }
}

impl<W: Waitable> fmt::Debug for AsCompleted<W> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let StillPending { pending, total } = self.still_pending();
        formatter
            .debug_struct("AsCompleted")
            .field("pending", &pending)
            .field("total", &total)
            .finish_non_exhaustive()
    }
}
