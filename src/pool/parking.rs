//! How a thread parks that waits for tasks, and what ends its wait before they do.

use super::rated::NotYet;
use crate::cancel::{CancellationToken, Cancelled};
use crate::sync::thread;
use crate::sync::time::{self, Instant};

/// What ended a wait before what it waits for did.
pub(super) enum Interrupt {
    TimedOut,
    Cancelled(Cancelled),
}

/// How many of these have been seen to be cancelled. Where that grows between the moment from which a thread is unparked and the one in which it parks, a look of its own may have
/// run the callbacks of a deadline that nobody watches, and one that waits takes the unpark: then it looks again at what it waits for.
pub(super) fn seen<'a>(tokens: impl Iterator<Item = &'a CancellationToken>) -> usize {
    tokens.filter(|token| token.seen_cause().is_some()).count()
}

/// Parks the calling thread until something unparks it, unless `deadline` has passed. It wakes by itself at the deadline, at those of `tokens`, and when
/// what did not start may do so (`not_yet`).
pub(super) fn park<'a>(
    deadline: Option<Instant>,
    tokens: impl Iterator<Item = &'a CancellationToken>,
    not_yet: Option<NotYet>,
) -> Result<(), Interrupt> {
    if deadline.is_some_and(|at| at <= time::now()) {
        return Err(Interrupt::TimedOut);
    }
    let until = tokens.filter_map(CancellationToken::wake_at).chain(deadline).min();
    match (not_yet, until) {
        (Some(not_yet), _) => not_yet.park(until),
        (None, None) => thread::park(),
        (None, Some(at)) => thread::park_timeout(at.saturating_duration_since(time::now())),
    }
    Ok(())
}
