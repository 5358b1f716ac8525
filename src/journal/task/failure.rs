//! What a handler says when it fails.

use std::error::Error;
use std::fmt::{self, Write};

use serde::{Deserialize, Serialize};

/// Why a handler failed: for good, or perhaps not the next time.
///
/// A **terminal** failure is a result like any other: it is recorded, and told again after a restart without the handler being run. A **retryable**
/// one is not recorded: the task is run again under the handler's [`retry`](super::HandlerOptions::retry) if it has one, and in the next run of the
/// program otherwise. Every [`std::error::Error`] becomes a retryable one by `?`; the rule is Restate's.
///
/// It is not an `Error` itself, which is what makes that conversion possible.
///
/// ```
/// use gristmill::journal::HandlerError;
///
/// fn parse(line: &str) -> Result<u32, HandlerError> {
///     if line.is_empty() {
///         return Err(HandlerError::terminal("an empty line"));
///     }
///     Ok(line.parse::<u32>()?)
/// }
/// assert!(parse("").unwrap_err().is_terminal());
/// assert!(!parse("x").unwrap_err().is_terminal());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandlerError {
    said: Said,
    is_terminal: bool,
}

/// What is recorded of a terminal failure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Said {
    pub(super) code: u16,
    pub(super) message: String,
}

impl HandlerError {
    /// No retry can help. The code is 0.
    pub fn terminal(message: impl Into<String>) -> Self {
        Self::terminal_with_code(0, message)
    }

    /// No retry can help; with a number that means something to the program, such as an HTTP status or an exit code.
    pub fn terminal_with_code(code: u16, message: impl Into<String>) -> Self {
        Self { said: Said { code, message: message.into() }, is_terminal: true }
    }

    /// It may go well the next time.
    pub fn retryable(message: impl Into<String>) -> Self {
        Self { said: Said { code: 0, message: message.into() }, is_terminal: false }
    }

    /// Whether it is recorded and never retried.
    pub fn is_terminal(&self) -> bool {
        self.is_terminal
    }

    /// The number given to [`terminal_with_code`](Self::terminal_with_code), and 0 otherwise.
    pub fn code(&self) -> u16 {
        self.said.code
    }

    /// The text; of a converted error with those of its sources.
    pub fn message(&self) -> &str {
        &self.said.message
    }

    pub(super) fn into_said(self) -> Said {
        self.said
    }
}

impl<E: Error> From<E> for HandlerError {
    fn from(error: E) -> Self {
        let mut message = error.to_string();
        let mut next = error.source();
        while let Some(source) = next {
            // Writing to a string does not fail.
            let _ = write!(message, ": {source}");
            next = source.source();
        }
        Self::retryable(message)
    }
}

impl fmt::Display for HandlerError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.message())
    }
}
