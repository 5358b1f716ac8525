//! The pause itself.

use crate::cancel::{CancellationToken, Cancelled};
use crate::clock::Clock;
use crate::policy::deadline::deadline_on;
use crate::sync::time::Instant;

/// Sleeps until `clock` reads `until` (`None`: without limit), or until `token` is cancelled, which counts more if both are so.
pub(super) fn sleep_until(
    clock: &dyn Clock,
    until: Option<Instant>,
    token: Option<&CancellationToken>,
) -> Result<(), Cancelled> {
    let _registration = token.map(CancellationToken::unpark_me);
    loop {
        // Asked for before the token is: a deadline that passes in between is seen there.
        let deadline = token.and_then(|token| deadline_on(clock, token));
        if let Some(cause) = token.and_then(CancellationToken::cause) {
            return Err(cause);
        }
        if until.is_some_and(|until| until <= clock.now()) {
            return Ok(());
        }
        clock.park([until, deadline].into_iter().flatten().min());
    }
}
