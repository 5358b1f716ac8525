//! Waiting for all, in the order in which they were started.

use super::kept::{Kept, gather};
use super::limit::{Early, Limit, always, in_time, unless_cancelled};
use super::set::Set;
use crate::cancel::CancellationToken;
use crate::pool::WaitCancelled;
use crate::sync::time::Duration;
use crate::waitable::Waitable;

/// Waits until all have ended; their outputs, in the order of the handles.
///
/// None is cancelled, whatever the outputs are: a failed task keeps the others running. To stop at the first failure, look at
/// [`as_completed`](super::as_completed) and cancel the rest. Nothing to wait for gives an empty list at once.
///
/// ```
/// use gristmill::{ThreadPool, combine};
///
/// let pool = ThreadPool::new()?;
/// let handles: Vec<_> = (1..=3).map(|i| pool.submit(move || i * i)).collect::<Result<_, _>>()?;
/// let squares: Vec<u32> = combine::wait_all(handles).into_iter().collect::<Result<_, _>>()?;
/// assert_eq!(squares, [1, 4, 9]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Panics
/// On a worker of the pool of a task that waits, in this call, for itself. A panic of a function that a handle was
/// [mapped](Waitable::map) by comes out of this call, the first one in order, when all have ended and all functions have been called; the outputs
/// are dropped.
pub fn wait_all<W: Waitable>(handles: impl IntoIterator<Item = W>) -> Vec<W::Output> {
    always(all(handles, Limit::NONE))
}

/// The outputs of all, if all have ended.
///
/// # Errors
/// Some have not; all handles are given back, in their order, those that have ended with their outputs.
pub fn try_wait_all<W: Waitable>(handles: impl IntoIterator<Item = W>) -> Result<Vec<W::Output>, Vec<W>> {
    let handles = gather(handles);
    if handles.iter().all(W::is_finished) { Ok(wait_all(handles)) } else { Err(handles) }
}

/// As [`wait_all`], for at most `timeout`. `Duration::MAX` waits without limit.
///
/// # Errors
/// The time was over first; all handles are given back, in their order, those that have ended with their outputs.
///
/// # Panics
/// As [`wait_all`].
pub fn wait_all_timeout<W: Waitable>(
    handles: impl IntoIterator<Item = W>,
    timeout: Duration,
) -> Result<Vec<W::Output>, Vec<W>> {
    in_time(all(handles, Limit::time(timeout)))
}

/// As [`wait_all`], until `token` is cancelled.
///
/// # Errors
/// The token was cancelled first; all handles are given back, in their order, those that have ended with their outputs.
///
/// # Panics
/// As [`wait_all`].
///
/// # Cancellation
/// Only the wait ends; what is waited for goes on.
pub fn wait_all_with<W: Waitable>(
    handles: impl IntoIterator<Item = W>,
    token: &CancellationToken,
) -> Result<Vec<W::Output>, WaitCancelled<Vec<W>>> {
    unless_cancelled(all(handles, Limit::token(token)))
}

fn all<W: Waitable>(
    handles: impl IntoIterator<Item = W>,
    limit: Limit<'_>,
) -> Result<Vec<W::Output>, Early<Vec<W>>> {
    let mut set = Set::new(handles);
    loop {
        match set.next(limit) {
            Ok(Some(_)) => {}
            Ok(None) => return Ok(outputs(set)),
            Err(interrupt) => return Err((set.into_handles(), interrupt)),
        }
    }
}

/// The outputs of a set whose entries have all ended. A panic of one keeps no other from being taken, and then goes on.
fn outputs<W: Waitable>(mut set: Set<W>) -> Vec<W::Output> {
    let mut outputs = Kept::new(Vec::with_capacity(set.len()));
    let mut first = None;
    for index in 0..set.len() {
        match set.output(index) {
            Ok(output) => outputs.push(output),
            Err(panic) => _ = first.get_or_insert(panic),
        }
    }
    if let Some(panic) = first {
        panic.resume();
    }
    outputs.into_inner()
}
