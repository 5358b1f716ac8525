//! What a call that was given up says: its reason, its last error, and what became of the work.

use std::fmt;

use super::error::PolicyError;
use super::retry::{GaveUp, GaveUpReason};

impl<E> GaveUp<PolicyError<E>> {
    /// The work's own error in the last attempt that has one, of those whose errors were kept; a policy may have refused those after it.
    pub fn work(&self) -> Option<&E> {
        self.errors().rev().find_map(|(_, error)| error.work())
    }

    /// That error by value; handed back if there is none.
    pub(super) fn into_work(self) -> Result<E, Self> {
        if self.work().is_none() {
            return Err(self);
        }
        match self.into_errors().rev().find_map(|(_, error)| error.into_work().ok()) {
            Some(error) => Ok(error),
            None => unreachable!("it was seen above"),
        }
    }

    /// That error where the last attempt has none.
    fn earlier_work(&self) -> Option<&E> {
        if self.last().work().is_some() { None } else { self.work() }
    }
}

/// With the text of the last attempt's error; and, where the work did not run in that attempt, with that of the last error of the work.
impl<E: fmt::Display> fmt::Display for GaveUp<PolicyError<E>> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (attempts, last) = (self.attempts(), self.last());
        let plural = if attempts == 1 { "" } else { "s" };
        match self.reason() {
            GaveUpReason::AttemptsUsedUp => write!(formatter, "gave up after {attempts} attempt{plural}"),
            reason @ GaveUpReason::Terminal => {
                let number = self.errors().next_back().map_or(1, |(number, _)| number);
                write!(formatter, "gave up at attempt {number}, {reason}")
            }
            // By whom and why is in the source.
            GaveUpReason::Cancelled(_) => {
                write!(formatter, "cancelled after {attempts} failed attempt{plural}")
            }
            reason => write!(formatter, "gave up after {attempts} attempt{plural}, {reason}"),
        }?;
        write!(formatter, ": {last}")?;
        match self.earlier_work() {
            Some(error) => write!(formatter, "; last error of the work: {error}"),
            None => Ok(()),
        }
    }
}

/// The text has that of the last attempt's error, and so the source is the one behind that; or behind the last error of the work, if the work did
/// not run in that attempt. For a call that a token ended, it is the token's record.
impl<E: std::error::Error + 'static> std::error::Error for GaveUp<PolicyError<E>> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self.reason() {
            GaveUpReason::Cancelled(cause) => Some(cause),
            _ => self.last().source().or_else(|| self.earlier_work().and_then(std::error::Error::source)),
        }
    }
}
