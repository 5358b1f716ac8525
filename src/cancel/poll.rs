//! Polling a token again and again, without the way to it each time.

use super::deadline;
use super::node::{Node, Status};
use super::token::CancellationToken;

/// What polls of one token read, fetched before a loop over items of nanoseconds, which would feel the way there.
#[derive(Clone, Copy)]
pub(crate) struct Poll<'a> {
    node: &'a Node,
    token: &'a CancellationToken,
}

impl<'a> Poll<'a> {
    pub(crate) fn of(token: &'a CancellationToken) -> Self {
        Self { node: &token.0, token }
    }

    /// As [`CancellationToken::is_cancelled`].
    #[inline]
    pub(crate) fn is_cancelled(self) -> bool {
        match self.node.status() {
            Status::Live => false,
            Status::Cancelled => true,
            Status::Unwatched => deadline::expire(&self.token.0),
        }
    }
}
