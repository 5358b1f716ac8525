//! What ends a wait before its time, and how the forms of a wait answer for it.

use crate::cancel::{CancellationToken, Cancelled};
use crate::pool::WaitCancelled;
use crate::sync::time::{self, Duration, Instant};

/// How long a wait may last.
#[derive(Clone, Copy, Default)]
pub(super) struct Limit<'a> {
    pub(super) deadline: Option<Instant>,
    pub(super) token: Option<&'a CancellationToken>,
}

/// What ended a wait.
pub(super) enum Interrupt {
    TimedOut,
    Cancelled(Cancelled),
}

/// A wait that ended early, and what is handed back.
pub(super) type Early<B> = (B, Interrupt);

impl<'a> Limit<'a> {
    pub(super) const NONE: Self = Self { deadline: None, token: None };

    /// A time too long for the clock is no limit.
    pub(super) fn time(timeout: Duration) -> Self {
        Self { deadline: time::now().checked_add(timeout), token: None }
    }

    pub(super) fn token(token: &'a CancellationToken) -> Self {
        Self { deadline: None, token: Some(token) }
    }

    /// Only what is there already.
    pub(super) fn now() -> Self {
        Self { deadline: Some(time::now()), token: None }
    }

    /// Whether the wait is over, and why.
    pub(super) fn interrupt(&self) -> Option<Interrupt> {
        if let Some(cause) = self.token.and_then(CancellationToken::cause) {
            return Some(Interrupt::Cancelled(cause));
        }
        self.deadline.is_some_and(|at| at <= time::now()).then_some(Interrupt::TimedOut)
    }

    /// When to look again if nobody unparks.
    pub(super) fn wake_at(&self) -> Option<Instant> {
        let token_says = self.token.and_then(CancellationToken::wake_at);
        [self.deadline, token_says].into_iter().flatten().min()
    }
}

/// The answer of a wait without limit.
pub(super) fn always<T, B>(result: Result<T, Early<B>>) -> T {
    result.unwrap_or_else(|_| unreachable!("a wait without limit ends with what it waits for"))
}

/// The answer of a wait with a time limit: what was handed in comes back as it was.
pub(super) fn in_time<T, B>(result: Result<T, Early<B>>) -> Result<T, B> {
    result.map_err(|(back, _)| back)
}

/// The answer of a wait with a token.
pub(super) fn unless_cancelled<T, B>(result: Result<T, Early<B>>) -> Result<T, WaitCancelled<B>> {
    result.map_err(|(back, interrupt)| match interrupt {
        Interrupt::Cancelled(cause) => WaitCancelled::new(back, cause),
        Interrupt::TimedOut => unreachable!("a wait without time-out does not time out"),
    })
}
