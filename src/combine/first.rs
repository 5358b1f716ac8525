//! Waiting for whichever ends first, and racing.

use std::fmt;

use super::limit::{Early, Limit, always, in_time, unless_cancelled};
use super::set::Set;
use crate::cancel::CancellationToken;
use crate::pool::WaitCancelled;
use crate::sync::time::Duration;
use crate::waitable::Waitable;

/// The one of several that ended first.
///
/// ```
/// use std::time::Duration;
/// use gristmill::combine::{after, race};
///
/// let first = race([Duration::MAX, Duration::ZERO].map(after)).expect("there are two");
/// assert_eq!(first.index, 1);
/// assert!(first.output.is_ok());
/// assert!(first.others[0].is_finished()); // cancelled, as it lost
/// ```
#[must_use = "the others are in here"]
pub struct First<W: Waitable> {
    /// Its place among the handles, from 0.
    pub index: usize,
    /// What it ended with.
    pub output: W::Output,
    /// The others, in their order; one that stood behind `index` has moved up by one.
    pub others: Vec<W>,
}

// By hand, here and for its like: handles need not be `Debug`, boxed ones are not, and say little.
impl<W: Waitable<Output: fmt::Debug>> fmt::Debug for First<W> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("First")
            .field("index", &self.index)
            .field("output", &self.output)
            .field("others", &self.others.len())
            .finish()
    }
}

/// Waits until one of them has ended, in whatever way; `None` if there are none.
///
/// A failure is an end, too: for the first success there is [`first_ok`](super::first_ok). The others go on and can be waited for again. To
/// take all of them as they end, [`as_completed`](super::as_completed) does not begin anew for each. Of several that have ended before the
/// call, the first in order is taken.
///
/// ```
/// use std::time::Duration;
/// use gristmill::combine::{after, wait_first};
///
/// let timers = [Duration::from_secs(3600), Duration::ZERO, Duration::MAX].map(after);
/// let first = wait_first(timers).expect("there are three");
/// assert_eq!((first.index, first.others.len()), (1, 2));
/// ```
///
/// # Panics
/// On a worker of the pool, if one that it might have to wait for is the task that waits, in this call. A panic of a function that the first was
/// [mapped](Waitable::map) by comes out of this call; the handles of the others are dropped, so that tasks run on, detached.
///
/// # Cost
/// It grows with the number of handles, all of which are watched and given back.
pub fn wait_first<W: Waitable>(handles: impl IntoIterator<Item = W>) -> Option<First<W>> {
    always(first(handles, Limit::NONE, Others::GoOn))
}

/// One that has ended, the first in order; `None` if there are no handles.
///
/// # Errors
/// None has ended; the handles are given back.
pub fn try_wait_first<W: Waitable>(handles: impl IntoIterator<Item = W>) -> Result<Option<First<W>>, Vec<W>> {
    in_time(first(handles, Limit::now(), Others::GoOn))
}

/// As [`wait_first`], for at most `timeout`. `Duration::MAX` waits without limit.
///
/// # Errors
/// The time was over first; the handles are given back.
///
/// # Panics
/// As [`wait_first`].
pub fn wait_first_timeout<W: Waitable>(
    handles: impl IntoIterator<Item = W>,
    timeout: Duration,
) -> Result<Option<First<W>>, Vec<W>> {
    in_time(first(handles, Limit::time(timeout), Others::GoOn))
}

/// As [`wait_first`], until `token` is cancelled.
///
/// # Errors
/// The token was cancelled first; the handles are given back.
///
/// # Panics
/// As [`wait_first`].
///
/// # Cancellation
/// Only the wait ends; what is waited for goes on.
pub fn wait_first_with<W: Waitable>(
    handles: impl IntoIterator<Item = W>,
    token: &CancellationToken,
) -> Result<Option<First<W>>, WaitCancelled<Vec<W>>> {
    unless_cancelled(first(handles, Limit::token(token), Others::GoOn))
}

/// As [`wait_first`], and cancels the others once one has ended.
///
/// They are cancelled in the reverse of the order they came in, so that one that ends at once makes no room for a later one to start.
/// What that means for a task is what [`TaskHandle::cancel`](crate::ScopedTaskHandle::cancel) says: one that has not started never
/// will. One that is running has its token cancelled, and goes on until it looks at it; if it was submitted without a context it has no token
/// and goes on to its end. No thread can be stopped from outside. The losers' handles are in [`First::others`], to
/// be waited for, if it matters that they are gone, or dropped.
///
/// ```
/// use gristmill::{CancelKind, Cancelled, ThreadPool, combine};
///
/// let pool = ThreadPool::builder().workers(2).build()?;
/// let racers = [None, Some(42)].map(|answer| {
///     pool.task().submit(move |context| match answer {
///         Some(answer) => answer,
///         None => {
///             context.token().wait(); // looks everywhere, until it is told to stop
///             0
///         }
///     })
/// });
/// let [tortoise, hare] = racers;
/// let first = combine::race([tortoise?, hare?]).expect("there are two");
/// assert_eq!((first.index, first.output?), (1, 42));
/// assert_eq!(combine::wait_all(first.others).len(), 1); // the loser was told, and has stopped, or never started
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Panics
/// As [`wait_first`]; where that is a panic of a function that the first was mapped by, the others are cancelled before.
#[track_caller]
pub fn race<W: Waitable>(handles: impl IntoIterator<Item = W>) -> Option<First<W>> {
    always(first(handles, Limit::NONE, Others::Cancelled))
}

/// As [`race`], if one has ended.
///
/// # Errors
/// None has ended; the handles are given back, and none is cancelled.
#[track_caller]
pub fn try_race<W: Waitable>(handles: impl IntoIterator<Item = W>) -> Result<Option<First<W>>, Vec<W>> {
    in_time(first(handles, Limit::now(), Others::Cancelled))
}

/// As [`race`], for at most `timeout`. `Duration::MAX` waits without limit.
///
/// # Errors
/// The time was over first; the handles are given back, and none is cancelled.
///
/// # Panics
/// As [`wait_first`].
#[track_caller]
pub fn race_timeout<W: Waitable>(
    handles: impl IntoIterator<Item = W>,
    timeout: Duration,
) -> Result<Option<First<W>>, Vec<W>> {
    in_time(first(handles, Limit::time(timeout), Others::Cancelled))
}

/// As [`race`], until `token` is cancelled.
///
/// # Errors
/// The token was cancelled first; the handles are given back, and none is cancelled.
///
/// # Panics
/// As [`wait_first`].
///
/// # Cancellation
/// Only the wait ends. To cancel the racers with it, submit them with this token.
#[track_caller]
pub fn race_with<W: Waitable>(
    handles: impl IntoIterator<Item = W>,
    token: &CancellationToken,
) -> Result<Option<First<W>>, WaitCancelled<Vec<W>>> {
    unless_cancelled(first(handles, Limit::token(token), Others::Cancelled))
}

/// What becomes of those that are not the first.
#[derive(Clone, Copy)]
enum Others {
    GoOn,
    Cancelled,
}

// No closure on the way to `cancel`: it would be the caller.
#[track_caller]
fn first<W: Waitable>(
    handles: impl IntoIterator<Item = W>,
    limit: Limit<'_>,
    others: Others,
) -> Result<Option<First<W>>, Early<Vec<W>>> {
    let mut set = Set::new(handles);
    match set.next(limit) {
        Ok(Some(index)) => {
            let output = match others {
                Others::GoOn => set.output_or_resume(index),
                Others::Cancelled => {
                    let output = set.output_or_cancel(index);
                    set.cancel_open();
                    output
                }
            };
            Ok(Some(First { index, output, others: set.into_handles() }))
        }
        Ok(None) => Ok(None),
        Err(interrupt) => Err((set.into_handles(), interrupt)),
    }
}
