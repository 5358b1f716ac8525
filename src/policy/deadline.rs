//! A token's own deadline, in a wait on a policy's clock.

use crate::cancel::CancellationToken;
use crate::clock::Clock;
use crate::sync::time::Instant;

/// The token's deadline, for who has to look at it by oneself in case that no thread could be had to watch it, or wants to know it before. That is an instant of the system's
/// clock; one that is moved by hand cannot wait for it, and does not give a time-out for an instant ahead either.
pub(super) fn deadline_on(clock: &dyn Clock, token: &CancellationToken) -> Option<Instant> {
    token.wake_at().filter(|at| clock.timeout_until(*at).is_some_and(|left| !left.is_zero()))
}
