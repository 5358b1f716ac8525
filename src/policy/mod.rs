//! Policies: limits and rules that are put around work, by value.
//!
//! One policy can cover many threads, pools and stages: a [`RateLimiter`], a [`Retry`], a [`CircuitBreaker`], a [`TimeLimit`] and an [`AttemptBudget`] are cheap to clone,
//! and a clone is the same policy; a [`Semaphore`](crate::Semaphore) is shared by reference or in an `Arc`, which are policies as well.
//!
//! Those that go by time take it from a [`Clock`](crate::clock::Clock), the system's unless they are built with another. The waits of a semaphore that
//! are limited, and the deadlines of tokens, are on the system's clock in any case.
//!
//! | policy | what it does | where |
//! |---|---|---|
//! | rate | lets so many runs start in so much time | [`RateLimiter`]; for each of many keys [`KeyedRateLimiter::key`] |
//! | bulkhead | lets so many run at once | [`Semaphore`](crate::Semaphore), which is a policy |
//! | retry | runs again what failed, after a pause, within limits | [`Retry`], with an [`AttemptBudget`] that calls share |
//! | circuit breaker | refuses runs while too many fail, or are slow | [`CircuitBreaker`] |
//! | time-out | tells a run to end when its time is over | [`TimeLimit`] |
//! | terminal errors | says what running again cannot help | [`Nest::terminal_if`] |
//! | fallback | another value, or a second attempt, after a failure | a value: `or_else` of what a call gives; a task: [`combine::fallback`](crate::combine::fallback) of handles |
//! | hedge | a second attempt beside one that is slow | [`combine::hedge`](crate::combine::hedge) of handles |
//!
//! The first six nest, in the order in which they are written: [`around`](Nest::around). The last two are of handles, since they need a
//! thread beside the caller's or know the type of the value; the tasks behind the handles run under the others, by `under`:
//!
//! ```
//! use std::time::Duration;
//! use gristmill::{AttemptBudget, CircuitBreaker, Nest, Retry, Semaphore, ThreadPool, TimeLimit, combine};
//!
//! let pool = ThreadPool::builder().workers(2).build()?;
//! let policy = TimeLimit::new(Duration::from_secs(5))
//!     .around(Retry::new(3)?)
//!     .around(CircuitBreaker::builder().build()?)
//!     .around(std::sync::Arc::new(Semaphore::new(8)));
//! let policy = std::sync::Arc::new(policy);
//! let start = |text: &'static str| {
//!     let work = move |_: &gristmill::TaskContext<'_, ()>, _: gristmill::Attempt<'_>| text.parse::<u32>();
//!     combine::attempt(pool.task().under(std::sync::Arc::clone(&policy)).submit(work).expect("the pool is open"))
//! };
//! let budget = AttemptBudget::new(5, 10);
//! let quick = combine::hedge(start("12"), Duration::from_secs(1), &budget, || start("12"))?;
//! assert_eq!(quick.value, 12);
//! let stand_in = combine::fallback(start("12;"), || start("13"))?;
//! assert_eq!((stand_in.index, stand_in.value), (1, 13));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod account;
mod admission;
mod attempt;
mod breaker;
mod budget;
mod contract;
mod deadline;
mod entry;
mod error;
mod expiring;
mod growth;
mod held;
mod measured;
mod nest;
mod rate;
mod retry;
mod time_limit;

pub use attempt::Attempt;
pub use breaker::{
    BreakerChange, BreakerError, BreakerOpen, BreakerPermit, BreakerReport, BreakerState, CircuitBreaker,
    CircuitBreakerBuilder, CountingBreaker,
};
pub use budget::AttemptBudget;
pub use contract::Policy;
pub use entry::Entry;
pub use error::PolicyError;
pub(crate) use held::{holds_permits, would_wait_for_itself};
pub use nest::{Around, Nest, TerminalIf};
pub use rate::{
    KeyRate, KeyedRateLimiter, KeyedRateLimiterBuilder, KeyedRateReport, RateError, RateLimited, RateLimiter,
    RateLimiterBuilder, RateReport, Reservation,
};
pub use retry::{Backoff, GaveUp, GaveUpReason, Jitter, Retry, RetryBuildError, RetryBuilder, RetryReport};
pub use time_limit::TimeLimit;
