//! A time limit after which what still runs is told to stop.

use std::error::Error;
use std::fmt;

use super::either::{Either, Ended};
use super::limit::{Early, Limit, always, unless_cancelled};
use super::set::Set;
use super::timer::Timer;
use crate::cancel::CancellationToken;
use crate::pool::WaitCancelled;
use crate::waitable::Waitable;

/// The time was over before the end. What had not ended has been cancelled, and its handle is in here: it may still run.
#[must_use = "the handle of what still runs is in here"]
pub struct TimedOut<W> {
    handle: W,
}

impl<W> TimedOut<W> {
    /// The handle of what may still run.
    pub fn into_handle(self) -> W {
        self.handle
    }
}

// By hand: the handle says nothing that an error should.
impl<W> fmt::Debug for TimedOut<W> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("TimedOut").finish_non_exhaustive()
    }
}

impl<W> fmt::Display for TimedOut<W> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("it had not ended when the time was over; it was cancelled, and may still run")
    }
}

impl<W> Error for TimedOut<W> {}

/// Waits for `handle` until `limit` (a [`Duration`](std::time::Duration), an instant, or any [`Timer`]) is over, and cancels it then.
///
/// No thread can be stopped from outside: a task that is running goes on until it looks at its token, and to its end if it has none. So the
/// error says that it was told, and gives its handle, to wait for the rest or to drop. To end the wait and leave the task
/// alone, use `wait_timeout` of the handle. An end that is there when the call is made counts, even if the time is over.
///
/// A timer that is cancelled is no limit any more.
///
/// ```
/// use std::time::Duration;
/// use gristmill::{ThreadPool, combine};
///
/// let pool = ThreadPool::builder().workers(1).build()?;
/// let endless = pool.task().submit(|context| context.token().wait().to_string())?;
/// let error = combine::with_timeout(endless, Duration::from_millis(1)).unwrap_err();
/// match error.into_handle().wait() {
///     Ok(told) => println!("it was running, and has stopped: {told}"),
///     Err(error) => println!("it never started: {error}"),
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// The time was over first.
///
/// # Panics
/// On a worker of the pool, if the task waits for itself.
#[track_caller]
pub fn with_timeout<W: Waitable>(handle: W, limit: impl Into<Timer>) -> Result<W::Output, TimedOut<W>> {
    always(within(handle, limit.into(), Limit::NONE))
}

/// As [`with_timeout`], until `token` is cancelled.
///
/// # Errors
/// The token was cancelled first: the handle is given back, and it was not cancelled. Inside: as [`with_timeout`].
///
/// # Panics
/// As [`with_timeout`].
///
/// # Cancellation
/// Only the wait ends; what is waited for goes on.
#[track_caller]
pub fn with_timeout_with<W: Waitable>(
    handle: W,
    limit: impl Into<Timer>,
    token: &CancellationToken,
) -> Result<Result<W::Output, TimedOut<W>>, WaitCancelled<W>> {
    unless_cancelled(within(handle, limit.into(), Limit::token(token)))
}

#[track_caller]
fn within<W: Waitable>(
    handle: W,
    timer: Timer,
    limit: Limit<'_>,
) -> Result<Result<W::Output, TimedOut<W>>, Early<W>> {
    let mut set = Set::new([Either::Handle(handle), Either::Timer(timer)]);
    loop {
        match set.next(limit).map(|index| index.map(|index| set.output_or_resume(index))) {
            Ok(Some(Ended::Handle(output))) => return Ok(Ok(output)),
            // One that this thread ran itself may have ended before it could look at the time: a result beats that.
            Ok(Some(Ended::Timer(true))) if set.has_ended(0) => {}
            Ok(Some(Ended::Timer(true))) => {
                let handle = only_handle(set);
                handle.cancel();
                return Ok(Err(TimedOut { handle }));
            }
            Ok(Some(Ended::Timer(false))) => {}
            Ok(None) => unreachable!("the handle has not ended"),
            Err(interrupt) => return Err((only_handle(set), interrupt)),
        }
    }
}

fn only_handle<W: Waitable>(set: Set<Either<W>>) -> W {
    let handle = set.into_handles().into_iter().find_map(Either::into_handle);
    handle.unwrap_or_else(|| unreachable!("it is taken out when it ends, and it has not"))
}
