//! The first success.

#![allow(clippy::type_complexity)] // a decided answer and a wait that ended early are two different things

use std::fmt;

use super::kept::Kept;
use super::limit::{Early, Limit, always, in_time, unless_cancelled};
use super::outcome::{AllFailed, Unsettled};
use super::set::Set;
use crate::cancel::CancellationToken;
use crate::pool::WaitCancelled;
use crate::sync::time::Duration;
use crate::waitable::Waitable;

/// The first of several attempts that succeeded.
///
/// ```
/// use gristmill::combine::first_ok;
/// use gristmill::waitable::ready;
///
/// let first = first_ok([ready(Err("no flour")), ready(Ok(42)), ready(Ok(43))])?;
/// assert_eq!((first.index, first.value), (1, 42));
/// assert_eq!(first.failed, [(0, "no flour")]);
/// assert_eq!(first.others.len(), 1); // its index and its handle
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "the others are in here"]
pub struct FirstOk<W, T, E> {
    /// Its place among the handles, from 0.
    pub index: usize,
    /// What it gave.
    pub value: T,
    /// Those that had failed before, in the order of their ends: index and error.
    pub failed: Vec<(usize, E)>,
    /// Those that had not ended: index and handle. They are cancelled, as by [`race`](super::race).
    pub others: Vec<(usize, W)>,
}

impl<W, T: fmt::Debug, E: fmt::Debug> fmt::Debug for FirstOk<W, T, E> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("FirstOk")
            .field("index", &self.index)
            .field("value", &self.value)
            .field("failed", &self.failed)
            .field("others", &self.others.len())
            .finish()
    }
}

/// Waits for the first success, and cancels the others then.
///
/// For several ways to one answer. What cancelling means for one that is running, [`race`](super::race) says. For tasks whose closures
/// return a `Result`, see [`attempt`](super::attempt).
///
/// ```
/// use gristmill::{ThreadPool, combine};
///
/// let pool = ThreadPool::new()?;
/// let broken = pool.task().name("broken").submit(|_| -> u32 { panic!("no luck") })?;
/// let sound = pool.submit(|| 42)?;
/// let first = combine::first_ok([broken, sound])?;
/// assert_eq!((first.index, first.value), (1, 42));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// All have failed: every error, in the order of the handles. Also if there are no handles; then there are no errors.
///
/// # Panics
/// As [`race`](super::race): a panic of a function that a handle was mapped by ends the call, and the others are cancelled.
#[track_caller]
pub fn first_ok<W, T, E>(handles: impl IntoIterator<Item = W>) -> Result<FirstOk<W, T, E>, AllFailed<E>>
where
    W: Waitable<Output = Result<T, E>>,
{
    always(success(handles, Limit::NONE))
}

/// As [`first_ok`], if that is decided.
///
/// # Errors
/// None has succeeded and some have not ended: everything is given back, and nothing is cancelled.
#[track_caller]
pub fn try_first_ok<W, T, E>(
    handles: impl IntoIterator<Item = W>,
) -> Result<Result<FirstOk<W, T, E>, AllFailed<E>>, Unsettled<W, E>>
where
    W: Waitable<Output = Result<T, E>>,
{
    in_time(success(handles, Limit::now()))
}

/// As [`first_ok`], for at most `timeout`. `Duration::MAX` waits without limit.
///
/// # Errors
/// The time was over first: everything is given back, and nothing is cancelled.
///
/// # Panics
/// As [`wait_first`](super::wait_first).
#[track_caller]
pub fn first_ok_timeout<W, T, E>(
    handles: impl IntoIterator<Item = W>,
    timeout: Duration,
) -> Result<Result<FirstOk<W, T, E>, AllFailed<E>>, Unsettled<W, E>>
where
    W: Waitable<Output = Result<T, E>>,
{
    in_time(success(handles, Limit::time(timeout)))
}

/// As [`first_ok`], until `token` is cancelled.
///
/// # Errors
/// The token was cancelled first: everything is given back, and nothing is cancelled.
///
/// # Panics
/// As [`wait_first`](super::wait_first).
///
/// # Cancellation
/// Only the wait ends. To cancel the attempts with it, submit them with this token.
#[track_caller]
pub fn first_ok_with<W, T, E>(
    handles: impl IntoIterator<Item = W>,
    token: &CancellationToken,
) -> Result<Result<FirstOk<W, T, E>, AllFailed<E>>, WaitCancelled<Unsettled<W, E>>>
where
    W: Waitable<Output = Result<T, E>>,
{
    unless_cancelled(success(handles, Limit::token(token)))
}

#[track_caller]
fn success<W, T, E>(
    handles: impl IntoIterator<Item = W>,
    limit: Limit<'_>,
) -> Result<Result<FirstOk<W, T, E>, AllFailed<E>>, Early<Unsettled<W, E>>>
where
    W: Waitable<Output = Result<T, E>>,
{
    let mut set = Set::new(handles);
    let mut failed = Kept::new(Vec::new());
    loop {
        match set.next(limit) {
            Ok(Some(index)) => match set.output_or_cancel(index) {
                Ok(value) => {
                    set.cancel_open();
                    return Ok(Ok(FirstOk {
                        index,
                        value,
                        failed: failed.into_inner(),
                        others: set.into_rest(),
                    }));
                }
                Err(error) => failed.push((index, error)),
            },
            Ok(None) => return Ok(Err(AllFailed::in_order(failed.into_inner()))),
            Err(interrupt) => {
                let failed = failed.into_inner();
                return Err((Unsettled { failed, pending: set.into_rest(), second: None }, interrupt));
            }
        }
    }
}
