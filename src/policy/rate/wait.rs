//! The wait itself: a look at one's place after each thing that can have changed it.

use crate::cancel::{CancellationToken, Cancelled};
use crate::clock::Clock;
use crate::policy::deadline::deadline_on;
use crate::sync::time::Instant;

/// Parks on `clock` until `look` has an answer. It is called with the cause if `token` was cancelled, and with the instant; `Err` is until when to park.
///
/// The caller has entered a queue before, from which others unpark it.
pub(super) fn wait<R>(
    clock: &dyn Clock,
    token: Option<&CancellationToken>,
    mut look: impl FnMut(Option<Cancelled>, Instant) -> Result<R, Option<Instant>>,
) -> R {
    let _registration = token.map(CancellationToken::unpark_me);
    loop {
        // Asked for before the token is: a deadline that passes in between is seen there.
        let deadline = token.and_then(|token| deadline_on(clock, token));
        let cancelled = token.and_then(CancellationToken::cause);
        match look(cancelled, clock.now()) {
            Ok(result) => return result,
            Err(until) => clock.park([until, deadline].into_iter().flatten().min()),
        }
    }
}
