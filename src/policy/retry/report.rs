//! What a retry did.

use crate::sync::time::Duration;

/// What a [`Retry`](super::Retry) and its clones did so far, read in one step.
///
/// `calls` are those that have ended, and each of them is in exactly one of `succeeded_at_first`, `succeeded_after_retry`,
/// `attempts_used_up`, `timed_out`, `budget_empty`, `terminal`, `cancelled` and `panicked`. Attempts and pauses are counted
/// as they end, those of calls that still run included.
///
/// ```
/// use std::time::Duration;
/// use gristmill::{Backoff, Policy, Retry};
///
/// let retry = Retry::builder().attempts(3).backoff(Backoff::Constant(Duration::ZERO)).build()?;
/// for good_attempt in [1, 2, 4] {
///     let _ = retry.call(|attempt| if attempt.number() < good_attempt { Err("busy") } else { Ok(()) });
/// }
/// let report = retry.report();
/// assert_eq!((report.calls, report.attempts, report.retries), (3, 6, 3));
/// assert_eq!((report.succeeded_at_first, report.succeeded_after_retry, report.attempts_used_up), (1, 1, 1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RetryReport {
    /// Calls that have ended, however.
    pub calls: u64,
    /// Attempts that have ended, however.
    pub attempts: u64,
    /// Of these, the ones beyond the first of their call.
    pub retries: u64,
    /// Calls whose first attempt succeeded.
    pub succeeded_at_first: u64,
    /// Calls of which a later attempt succeeded.
    pub succeeded_after_retry: u64,
    /// Calls that gave up since they had made all their attempts.
    pub attempts_used_up: u64,
    /// Calls that gave up since their time was over, or would have been after the pause.
    pub timed_out: u64,
    /// Calls that gave up since the budget that they share was empty.
    pub budget_empty: u64,
    /// Calls that gave up since no further attempt could mend the error.
    pub terminal: u64,
    /// Calls that a token ended, before the first attempt, in an attempt or in a pause.
    pub cancelled: u64,
    /// Calls whose work panicked.
    pub panicked: u64,
    /// Calls that pause now.
    pub sleeping: usize,
    /// How long the pauses took that have ended, all together, on the clock of the policy.
    pub slept: Duration,
}
