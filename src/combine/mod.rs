//! Several handles as one: wait for all, for the first, in the order in which they end; race, fall back, hedge; timers.
//!
//! Everything here waits for what is [`Waitable`](crate::Waitable): handles of tasks, of scoped tasks, timers, and your own. The handles are
//! taken by value, so there can be no duplicates among them, and they come back from a wait that ends early. What has ended
//! before the call counts, in the order of the handles, and beats a token that is cancelled and a time that is over.
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
//! # On a worker
//! Called from a task of the pool whose tasks are waited for, the waiting worker runs those that have not started, in the order of the handles,
//! until one has ended; it never runs others. So it cannot deadlock, with one worker either. As with
//! [`TaskHandle::wait`](crate::ScopedTaskHandle), a time-out or a token bounds the waiting, not a task that the waiter runs itself.

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
mod within;

pub use all::{try_wait_all, wait_all, wait_all_timeout, wait_all_with};
pub use completed::{AsCompleted, StillPending, as_completed};
pub use first::{
    First, race, race_timeout, race_with, try_race, try_wait_first, wait_first, wait_first_timeout,
    wait_first_with,
};
pub use outcome::{AllFailed, Attempt, AttemptError, Unsettled, attempt};
pub use second::{fallback, fallback_timeout, fallback_with, hedge, hedge_timeout, hedge_with};
pub use settle::{Settled, settle, settle_timeout, settle_with, try_settle};
pub use success::{FirstOk, first_ok, first_ok_timeout, first_ok_with, try_first_ok};
pub use timer::{Timer, after, at};
pub use within::{TimedOut, with_timeout, with_timeout_with};
