//! How stages and sinks learn that the run is over.

use std::convert::Infallible;

use crate::cancel::{CancellationToken, Cancelled};
use crate::sync::channel::Receiver;

/// The end of a run, by its caller's token or by itself.
#[derive(Clone, Debug)]
pub struct RunEnd {
    token: CancellationToken,
    caller: CancellationToken,
    /// What the caller gave, where `caller` is a child of it.
    given: CancellationToken,
}

impl RunEnd {
    /// `token` is the run's own, a child of `caller`, which is `given` or a child of that.
    pub(super) fn new(
        token: &CancellationToken,
        caller: &CancellationToken,
        given: &CancellationToken,
    ) -> Self {
        Self { token: token.clone(), caller: caller.clone(), given: given.clone() }
    }

    /// Asks all: a child learns of its parent's cancellation a moment later, and a stage may have reacted to it by then.
    pub(super) fn has_come(&self) -> bool {
        self.cancelled() || self.token.is_cancelled()
    }

    /// Whether the run itself has seen it: who leaves off in the midst of an item may be sure then that nothing of it goes on. What the
    /// caller gave may be cancelled a moment before the run's own tokens are.
    pub(super) fn is_seen(&self) -> bool {
        self.token.is_cancelled()
    }

    /// Whether the end is a cancellation from outside.
    pub(super) fn cancelled(&self) -> bool {
        self.given.is_cancelled() || self.caller.is_cancelled()
    }

    /// The cancellation from outside, if there was one.
    pub(super) fn cause(&self) -> Option<Cancelled> {
        self.caller.cause().or_else(|| self.given.cause())
    }

    /// Cancelled when the end comes.
    pub(super) fn token(&self) -> &CancellationToken {
        &self.token
    }

    /// Disconnects when the end comes.
    pub(super) fn signal(&self) -> Receiver<Infallible> {
        self.token.cancelled()
    }
}
