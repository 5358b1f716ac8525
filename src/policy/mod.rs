//! Policies: limits and rules that are put around work, by value.
//!
//! A policy is cheap to clone, and a clone is the same policy: hand one to each thread, pool or stage that it is to cover. All
//! take their time from a [`Clock`](crate::clock::Clock), the system's unless they are built with another.

mod admission;
mod attempt;
mod breaker;
mod budget;
mod contract;
mod error;
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
pub use error::PolicyError;
pub use nest::{Around, Nest, TerminalIf};
pub use rate::{RateError, RateLimited, RateLimiter, RateLimiterBuilder, RateReport, Reservation};
pub use retry::{Backoff, GaveUp, GaveUpReason, Jitter, Retry, RetryBuildError, RetryBuilder, RetryReport};
pub use time_limit::TimeLimit;
