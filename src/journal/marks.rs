//! The side file as the core sees it: marks of running tasks and the last number, or nothing of it for a journal in memory.

use std::io;

use super::record::Identity;
use super::side::{Side, Ticket};

/// See the module.
pub(super) struct Marks(Option<Side>);

/// The place of one announced task.
pub(super) struct Mark(Option<Ticket>);

impl Marks {
    pub(super) fn of(side: Side) -> Self {
        Self(Some(side))
    }

    /// Marks that nobody keeps: what is in memory only is gone with the process anyway.
    pub(super) fn nowhere() -> Self {
        Self(None)
    }

    /// A task may run soon. In memory only; `alone` if it was running in a crash before or replaces a record, so that it does not count with others.
    pub(super) fn announce(&self, identity: Identity, alone: bool) -> Mark {
        Mark(self.0.as_ref().map(|side| side.announce(identity.as_u128(), alone)))
    }

    /// The task runs from now on: its mark is in the file when this returns; `exact`, of its own, without the next ones in line.
    pub(super) fn begin(&self, mark: &Mark, exact: bool) -> io::Result<()> {
        match (&self.0, &mark.0) {
            (Some(side), Some(ticket)) => side.begin(ticket, exact),
            _ => Ok(()),
        }
    }

    /// The task runs no more, and is going to be recorded.
    pub(super) fn rest(&self, mark: &Mark) {
        if let (Some(side), Some(ticket)) = (&self.0, &mark.0) {
            // As in `withdraw`.
            let _ = side.rest(ticket);
        }
    }

    /// The task was given up: it is not to be suspected of anything.
    pub(super) fn withdraw(&self, mark: Mark) {
        if let (Some(side), Some(ticket)) = (&self.0, mark.0) {
            // A mark that stays behind is one suspicion too many, if the process is killed later.
            let _ = side.withdraw(ticket);
        }
    }

    /// The task is recorded.
    pub(super) fn end(&self, mark: Mark) {
        if let (Some(side), Some(ticket)) = (&self.0, mark.0) {
            side.end(ticket);
        }
    }

    /// The last number that is committed.
    pub(super) fn committed(&self, seq: u64) -> io::Result<()> {
        self.0.as_ref().map_or(Ok(()), |side| side.committed(seq))
    }

    /// The end in order: whoever opens next need not suspect anybody.
    pub(super) fn close(&self) -> io::Result<()> {
        self.0.as_ref().map_or(Ok(()), Side::close)
    }
}
