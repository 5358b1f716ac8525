//! Best effort: what came of several, successes and failures.

#![allow(clippy::type_complexity)] // a decided answer and a wait that ended early are two different things

use std::fmt;

use super::all::{try_wait_all, wait_all, wait_all_timeout, wait_all_with};
use super::outcome::AllFailed;
use crate::cancel::CancellationToken;
use crate::pool::WaitCancelled;
use crate::sync::time::Duration;
use crate::waitable::Waitable;

/// What came of several, each by itself.
///
/// ```
/// use gristmill::combine::settle;
/// use gristmill::waitable::ready;
///
/// let settled = settle([ready(Ok(1)), ready(Err("no flour")), ready(Ok(3))])?;
/// assert!(!settled.is_complete());
/// assert_eq!(settled.successes, [(0, 1), (2, 3)]);
/// assert_eq!(settled.failures, [(1, "no flour")]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, PartialEq, Eq)]
pub struct Settled<T, E> {
    /// Index and value of those that succeeded, in the order of the handles.
    pub successes: Vec<(usize, T)>,
    /// Index and error of those that failed, in the order of the handles.
    pub failures: Vec<(usize, E)>,
}

impl<T, E> Settled<T, E> {
    /// Whether none failed.
    pub fn is_complete(&self) -> bool {
        self.failures.is_empty()
    }
}

impl<T, E: fmt::Display> fmt::Display for Settled<T, E> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} succeeded, {} failed", self.successes.len(), self.failures.len())?;
        self.failures.iter().try_for_each(|(index, error)| write!(formatter, "\n{index}: {error}"))
    }
}

/// Waits until all have ended, and takes what there is: the successes and the failures, each with its index.
///
/// For work of which a part is better than nothing. None is cancelled when another one fails. When the time form gives handles back, cancel those
/// that have not ended and settle the rest.
///
/// ```
/// use gristmill::{ThreadPool, combine};
///
/// let pool = ThreadPool::new()?;
/// let texts = ["1", "two", "3"];
/// let attempts: Result<Vec<_>, _> =
///     texts.into_iter().map(|text| pool.submit(move || text.parse::<u32>()).map(combine::attempt)).collect();
/// let settled = combine::settle(attempts?)?;
/// assert_eq!(settled.successes, [(0, 1), (2, 3)]);
/// assert_eq!(settled.to_string(), "2 succeeded, 1 failed\n1: invalid digit found in string");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// There were some, and all have failed: every error, in order.
///
/// # Panics
/// As [`wait_all`].
pub fn settle<W, T, E>(handles: impl IntoIterator<Item = W>) -> Result<Settled<T, E>, AllFailed<E>>
where
    W: Waitable<Output = Result<T, E>>,
{
    sort_out(wait_all(handles))
}

/// As [`settle`], if all have ended.
///
/// # Errors
/// Some have not; all handles are given back, in their order, those that have ended with their outputs.
pub fn try_settle<W, T, E>(
    handles: impl IntoIterator<Item = W>,
) -> Result<Result<Settled<T, E>, AllFailed<E>>, Vec<W>>
where
    W: Waitable<Output = Result<T, E>>,
{
    try_wait_all(handles).map(sort_out)
}

/// As [`settle`], for at most `timeout`. `Duration::MAX` waits without limit.
///
/// # Errors
/// The time was over first; all handles are given back, in their order, those that have ended with their outputs.
///
/// # Panics
/// As [`wait_all`].
pub fn settle_timeout<W, T, E>(
    handles: impl IntoIterator<Item = W>,
    timeout: Duration,
) -> Result<Result<Settled<T, E>, AllFailed<E>>, Vec<W>>
where
    W: Waitable<Output = Result<T, E>>,
{
    wait_all_timeout(handles, timeout).map(sort_out)
}

/// As [`settle`], until `token` is cancelled.
///
/// # Errors
/// The token was cancelled first; all handles are given back, in their order, those that have ended with their outputs.
///
/// # Panics
/// As [`wait_all`].
///
/// # Cancellation
/// Only the wait ends; what is waited for goes on.
pub fn settle_with<W, T, E>(
    handles: impl IntoIterator<Item = W>,
    token: &CancellationToken,
) -> Result<Result<Settled<T, E>, AllFailed<E>>, WaitCancelled<Vec<W>>>
where
    W: Waitable<Output = Result<T, E>>,
{
    wait_all_with(handles, token).map(sort_out)
}

fn sort_out<T, E>(outputs: Vec<Result<T, E>>) -> Result<Settled<T, E>, AllFailed<E>> {
    let mut settled = Settled { successes: Vec::new(), failures: Vec::new() };
    for (index, output) in outputs.into_iter().enumerate() {
        match output {
            Ok(value) => settled.successes.push((index, value)),
            Err(error) => settled.failures.push((index, error)),
        }
    }
    if settled.successes.is_empty() && !settled.failures.is_empty() {
        return Err(AllFailed::in_order(settled.failures));
    }
    Ok(settled)
}
