//! How stages and sinks learn that the run is over.

use std::convert::Infallible;

use crate::cancel::CancellationToken;
use crate::sync::channel::Receiver;

/// The end of a run, by its caller's token or by itself.
#[derive(Clone, Debug)]
pub struct RunEnd {
    token: CancellationToken,
    caller: CancellationToken,
}

impl RunEnd {
    /// `token` is the run's own, a child of the `caller`'s.
    pub(super) fn new(token: &CancellationToken, caller: &CancellationToken) -> Self {
        Self { token: token.clone(), caller: caller.clone() }
    }

    /// Asks both: a child learns of its parent's cancellation a moment later, and a stage may have reacted to it by then.
    pub(super) fn has_come(&self) -> bool {
        self.caller.is_cancelled() || self.token.is_cancelled()
    }

    /// Disconnects when the end comes.
    pub(super) fn signal(&self) -> Receiver<Infallible> {
        self.token.cancelled()
    }
}
