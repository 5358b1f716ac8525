//! The clock that policies read: the system's, or one that a test moves by hand.
//!
//! A policy that takes its time from a [`Clock`] is tested without a sleep: give it a [`ManualClock`], and time passes
//! when the test says so. Deadlines of [cancellation tokens](crate::cancel) stay on the system's clock in any case.
//!
//! Inside the crate a clock is also what a thread waits on. There are two ways: `park`, which is a thread's park with the
//! clock's idea of time, and, for those who sleep on a condition variable of their own, `timeout_until` with `on_advance`.

mod manual;
mod system;
mod timing;

pub use manual::ManualClock;
pub use system::SystemClock;

use crate::sync::time::Instant;
use timing::Timing;

/// What a policy reads the time from: [`SystemClock`] or [`ManualClock`].
///
/// Sealed: waiting on a clock is a protocol between it and the threads that park, which a clock from outside could get
/// wrong only in ways that show as hangs. A test moves a [`ManualClock`] instead of writing a clock.
///
/// ```
/// use std::time::Duration;
/// use gristmill::{Clock, ManualClock, SystemClock};
///
/// fn elapsed(clock: &impl Clock, work: impl FnOnce()) -> Duration {
///     let begin = clock.now();
///     work();
///     clock.now() - begin
/// }
/// let clock = ManualClock::new();
/// assert_eq!(elapsed(&clock, || clock.advance(Duration::from_secs(5))), Duration::from_secs(5));
/// assert!(elapsed(&SystemClock, || ()) < Duration::from_secs(60));
/// ```
pub trait Clock: Timing {
    /// The current instant; never earlier than one that was read before.
    fn now(&self) -> Instant;
}
