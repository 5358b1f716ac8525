//! Several handles as one: wait for all, for the first, in the order in which they end; race, fall back, hedge; timers.
//!
//! Everything here waits for what is [`Waitable`](crate::Waitable): handles of tasks, of scoped tasks, timers, and your own. The handles are
//! taken by value, so there can be no duplicates among them, and they come back from a wait that ends early. What has ended
//! before the call counts, in the order of the handles, and beats a token that is cancelled and a time that is over. All handles are taken from
//! the iterator first, which may be what submits the tasks, and then watched one after the other, in order: so one that ends while the call
//! begins can come ahead of an earlier one that had not ended when its turn came.
//!
//! | You want | Use |
//! |---|---|
//! | all outputs, in order | [`wait_all`] |
//! | each as it ends, with its index | [`as_completed`] |
//! | the first to end, and go on with the others | [`wait_first`] |
//! | the first to end, and stop the others | [`race`] |
//! | the first success, and stop the others | [`first_ok`] |
//! | what can be had, successes and failures | [`settle()`] |
//! | one, told to stop if it takes too long | [`with_timeout`] |
//! | a second attempt if the first fails | [`fallback`] |
//! | a second attempt if the first takes long | [`hedge`] |
//! | an instant, waited for like a task | [`after`], [`at`] |
//!
//! Each wait comes as `x`, `try_x` where that makes sense, `x_timeout` and, with a token, `x_with`. What a task's closure returns is an
//! output like any other; for tasks that return a `Result`, [`attempt`] makes an `Err` a failure.
//!
//! # To leave nothing running
//! A form that ends early (`x_timeout`, `x_with`) cancels nothing and gives everything back, and dropping a handle detaches its task, which
//! runs on. Where that is not wanted: give the tasks a child of the token that bounds the wait
//! ([`TaskOptions::token`](crate::TaskOptions::token)), so that they are told by the same cancel; or cancel what came back; and then wait for it,
//! without limit, since only its end says that it is gone:
//!
//! ```
//! use std::time::Duration;
//! use gristmill::{ThreadPool, Waitable, combine};
//!
//! let pool = ThreadPool::builder().workers(2).build()?;
//! let endless = || pool.task().submit(|context| context.token().wait().kind());
//! if let Err(handles) = combine::wait_all_timeout([endless()?, endless()?], Duration::from_millis(1)) {
//!     handles.iter().for_each(|handle| _ = handle.cancel());
//!     combine::wait_all(handles); // when this returns, none of them runs
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The losers of a decision ([`First::others`], [`FirstOk::others`], [`TimedOut::into_handle`]) are cancelled already: wait for them.
//!
//! # Panics
//! A task that panics has an output that says so, like any other. A panic on the waiting thread, in a function that a handle was
//! [mapped](crate::Waitable::map) by, comes out of the wait, which makes the rest safe before: where a decision would have cancelled the others,
//! they are cancelled; outputs, errors and closures that the wait holds are dropped one by one, and a panic in one of those drops goes
//! to the panic hook and no further. A wait also panics where it would never end: on a worker, for the task that waits, and for handles that
//! have all dropped their [signals](crate::Signal) unsent.
//!
//! # On a worker
//! Called from a task of the pool whose tasks are waited for, the waiting worker runs those that have not started, in the order of the handles,
//! until one has ended; it never runs others. So it cannot deadlock, with one worker either. As with
//! [`TaskHandle::wait`](crate::ScopedTaskHandle), a time-out or a token bounds the waiting, not a task that the waiter runs itself.
//!
//! # Cost
//! An end costs the same, however many handles there are. Not so where the waiting worker cannot run a task yet, because others of its key are
//! ahead or its rate does not allow it: such tasks are asked again, all of them, each time that the worker wakes, which grows with their number.
//! Threads that are no workers of the pool ask nothing.

mod all;
mod completed;
mod either;
mod entries;
mod first;
mod kept;
mod limit;
mod outcome;
mod second;
mod set;
mod settle;
mod success;
mod timer;
mod turns;
mod within;

pub use all::{try_wait_all, wait_all, wait_all_timeout, wait_all_with};
pub use completed::{AsCompleted, StillPending, as_completed};
pub use first::{
    First, race, race_timeout, race_with, try_race, try_wait_first, wait_first, wait_first_timeout,
    wait_first_with,
};
pub use outcome::{AllFailed, AttemptError, Attempted, Unsettled, attempt};
pub use second::{fallback, fallback_timeout, fallback_with, hedge, hedge_timeout, hedge_with};
pub use settle::{Settled, settle, settle_timeout, settle_with, try_settle};
pub use success::{FirstOk, first_ok, first_ok_timeout, first_ok_with, try_first_ok};
pub use timer::{Timer, after, at};
pub use within::{TimedOut, with_timeout, with_timeout_with};
