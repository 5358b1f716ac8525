//! What a breaker did.

use super::state::BreakerState;
use crate::sync::time::Instant;

/// What a [`CircuitBreaker`](super::CircuitBreaker) did so far, read in one step (but for [`refused`](Self::refused)); calls are counted when they end.
///
/// Calls that were let through while the breaker was disabled are not counted.
///
/// ```
/// use gristmill::{CircuitBreaker, Policy};
///
/// let breaker = CircuitBreaker::new();
/// for text in ["1", "2", "three", "4"] {
///     let _ = breaker.call(|_| text.parse::<u32>());
/// }
/// let report = breaker.report();
/// assert_eq!((report.calls, report.successes, report.failures), (4, 3, 1));
/// assert_eq!(report.error_rate(), 0.25);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct BreakerReport {
    /// The state now.
    pub state: BreakerState,
    /// The instant, on the breaker's clock, of the last change or [`reset`](super::CircuitBreaker::reset).
    pub since: Instant,
    /// Calls that ended: successes, failures, abandoned, ignored and late ones.
    pub calls: u64,
    /// Calls that succeeded.
    pub successes: u64,
    /// Calls that failed, or panicked.
    pub failures: u64,
    /// Of the successes and failures, those that were slow, and the abandoned ones; 0 if it is not said what is slow.
    pub slow: u64,
    /// Calls that were cancelled by hand when they were slow already; for the rates they were slow, and did not fail.
    pub abandoned: u64,
    /// Calls that counted as nothing: refused further in, cancelled before they were slow, or their permit was dropped.
    pub ignored: u64,
    /// Calls whose result came after the state in which they were let through, and counted as nothing.
    pub late: u64,
    /// Calls that were not let through.
    pub refused: u64,
    /// How many times it opened because of its calls.
    pub openings: u64,
    /// Probes that are under way; 0 unless it is half-open.
    pub probes: u32,
    /// The share of failures in the window, 0 to 1; `None` with fewer calls than the minimum in it. An open, forced open or half-open breaker keeps the window
    /// that it had when it was closed.
    pub failure_rate: Option<f64>,
    /// The share of slow calls in the window, as [`failure_rate`](Self::failure_rate); `None` also if it is not said what is slow.
    pub slow_rate: Option<f64>,
    /// Changes that are still to be told, the one that is being told included; 0 without a callback.
    pub untold_changes: usize,
    /// Changes that were never told, since [too many](super::CircuitBreakerBuilder::on_change) waited.
    pub omitted_changes: u64,
}
