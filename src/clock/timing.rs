//! How threads wait on a clock: the crate's side of [`Clock`](super::Clock), which also seals it.

use std::fmt;
use std::sync::Weak;

use crate::sync::time::{Duration, Instant};

/// Waiting for an instant of this clock.
pub trait Timing: fmt::Debug + Send + Sync {
    /// Parks the calling thread until the clock reads `until` (`None`: no limit) or somebody unparks it.
    ///
    /// May return early for no reason, as any park may: callers look at the clock and wait again.
    fn park(&self, until: Option<Instant>);

    /// For a thread that sleeps by other means: the time-out to sleep with, so that it wakes at `until`. `None` if no
    /// time-out of its own will do, because only [`on_advance`](Self::on_advance) tells when this clock moves.
    fn timeout_until(&self, until: Instant) -> Option<Duration>;

    /// Calls `moved` each time after the clock was moved by hand, from the thread that moved it, with no lock held,
    /// until the subscriber is dropped. A clock that moves by itself never calls.
    ///
    /// `at` is the instant that the subscriber waits for, if it is one: of several, those with earlier instants are called first, and equal ones in the
    /// order of these calls. Those without come before them all, since they have to look for themselves.
    ///
    /// A subscriber that looks at the clock and then sleeps must make its own `moved` wait for the two together, as with
    /// any condition variable: by taking the lock that it sleeps on.
    fn on_advance(&self, at: Option<Instant>, moved: Weak<dyn Fn() + Send + Sync>);
}
