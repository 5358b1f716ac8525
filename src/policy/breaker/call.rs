//! A call under a breaker: let through, run, and counted.

use std::mem;

use super::core::{Core, End, Ticket};
use crate::cancel::{CancelKind, CancellationToken};
use crate::policy::attempt::Attempt;
use crate::policy::error::PolicyError;

/// A call that is under way. It is dropped only when its work panics, which is a failure.
struct Running<'a> {
    core: &'a Core,
    ticket: Ticket,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.core.leave(self.ticket, End::Failure);
    }
}

/// Runs `work` if the breaker lets it through; `counts` says which errors of the work are failures.
#[inline]
pub(super) fn run<T, E, F>(
    core: &Core,
    attempt: Attempt<'_>,
    mut work: F,
    counts: impl Fn(&E) -> bool,
) -> Result<T, PolicyError<E>>
where
    F: FnMut(Attempt<'_>) -> Result<T, PolicyError<E>>,
{
    attempt.check().map_err(PolicyError::Cancelled)?;
    let ticket = core.enter().map_err(PolicyError::Open)?;
    let running = Running { core, ticket };
    let result = work(attempt);
    let end = match &result {
        Ok(_) => End::Success,
        Err(error) => judge(attempt, error, counts),
    };
    // By the ticket that is at hand: to move it out of the guard costs more than the rest.
    mem::forget(running);
    core.leave(ticket, end);
    result
}

/// What an error says about whatever was called.
#[cold]
fn judge<E>(attempt: Attempt<'_>, error: &PolicyError<E>, counts: impl Fn(&E) -> bool) -> End {
    match error.work() {
        // It was refused further in, or cancelled while it waited there.
        None => End::Nothing,
        // Told to stop by hand, work fails for no fault of what it called, which may have been slow all the same. A deadline is another matter: it passes because
        // that is slow.
        Some(_) if was_cancelled_by_hand(attempt.token()) => End::Cancelled,
        Some(error) if counts(error) => End::Failure,
        Some(_) => End::Success,
    }
}

fn was_cancelled_by_hand(token: Option<&CancellationToken>) -> bool {
    token.and_then(CancellationToken::cause).is_some_and(|cause| cause.kind() == CancelKind::Cancelled)
}
