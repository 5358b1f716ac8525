//! A call under a breaker: let through, run, and counted.

use super::core::{Core, End, Ticket};
use crate::cancel::{CancelKind, CancellationToken};
use crate::policy::attempt::Attempt;
use crate::policy::error::PolicyError;

/// A call that is let through. Dropped before it is told its end, its work panicked, which is a failure.
struct Running<'a> {
    core: &'a Core,
    ticket: Ticket,
}

impl Running<'_> {
    fn end(self, end: End) {
        self.core.leave(self.ticket, end);
        std::mem::forget(self); // nothing in it has a drop of its own
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.core.leave(self.ticket, End::FAILURE);
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
        Ok(_) => End::SUCCESS,
        Err(error) => judge(attempt, error, counts),
    };
    running.end(end);
    result
}

/// What an error says about whatever was called.
#[cold]
fn judge<E>(attempt: Attempt<'_>, error: &PolicyError<E>, counts: impl Fn(&E) -> bool) -> End {
    match error.work() {
        // It was refused further in, or cancelled while it waited there.
        None => End::Nothing,
        // Told to stop by hand, work fails for no fault of what it called. A deadline is another matter: it passes because that is slow.
        Some(_) if was_cancelled_by_hand(attempt.token()) => End::Nothing,
        Some(error) if counts(error) => End::FAILURE,
        Some(_) => End::SUCCESS,
    }
}

fn was_cancelled_by_hand(token: Option<&CancellationToken>) -> bool {
    token.and_then(CancellationToken::cause).is_some_and(|cause| cause.kind() == CancelKind::Cancelled)
}
