//! Why a durable task gave no value.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use crate::cancel::Cancelled;
use crate::journal::error::JournalError;
use crate::pool::TaskError;

/// Why a durable task gave no value: which task, and why.
///
/// ```
/// use gristmill::ThreadPool;
/// use gristmill::journal::{HandlerError, Journal};
///
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("pages.journal");
/// let (journal, pool) = (Journal::open(path)?, ThreadPool::new()?);
/// let scope = journal.scope("pages");
/// let fetch = scope.handler("fetch", 1, |_, (): &()| Err::<(), _>(HandlerError::retryable("the server is down")));
/// let error = fetch.submit(&pool, "page 7", ())?.wait().unwrap_err();
/// assert_eq!((error.handler(), error.key()), ("fetch", "page 7"));
/// assert!(!error.is_recorded()); // the next run of the program tries again
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct DurableError(Box<Inner>);

struct Inner {
    handler: Arc<str>,
    key: Arc<str>,
    kind: DurableErrorKind,
}

/// What ended a durable task without a value. Whether it is recorded, and so told again after a restart, is said at each.
///
/// ```
/// use gristmill::ThreadPool;
/// use gristmill::journal::{DurableErrorKind, HandlerError, Journal};
///
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("pages.journal");
/// let (journal, pool) = (Journal::open(path)?, ThreadPool::new()?);
/// let scope = journal.scope("pages");
/// let fetch = scope.handler("fetch", 1, |_, (): &()| Err::<(), _>(HandlerError::terminal_with_code(404, "no page")));
/// let error = fetch.submit(&pool, "page 7", ())?.wait().unwrap_err();
/// match error.into_kind() {
///     DurableErrorKind::Failed { code, message } => assert_eq!((code, message.as_str()), (404, "no page")),
///     other => unreachable!("{other:?}"),
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum DurableErrorKind {
    /// The handler said that no retry can help. Recorded.
    Failed {
        /// The number that the handler gave, or 0.
        code: u16,
        /// What the handler said.
        message: String,
    },
    /// The handler panicked. Recorded, with its message only.
    Panicked {
        /// The text of the panic.
        message: String,
    },
    /// The process died in the midst of this task so many times
    /// [in a row](crate::journal::HandlerOptions::crash_limit); it is not tried again until it is forgotten or
    /// [re-armed](crate::journal::Journal::retry_failed). Recorded.
    CrashLoop {
        /// How many times.
        crashes: u32,
    },
    /// The handler failed in a way that may go well the next time. Not recorded: the next run of the program tries again.
    Retryable {
        /// What the handler said last.
        message: String,
        /// How often it was tried in this run.
        attempts: u32,
    },
    /// The task was told to stop, and did. Not recorded.
    Cancelled(Cancelled),
    /// The pool ended the task before it started. Not recorded.
    NotRun(TaskError),
    /// What the handler returned cannot be encoded, or is too large. Not recorded: the task has no result.
    Unrecordable {
        /// Why not.
        message: String,
    },
    /// The journal has failed, or the task's record is damaged. What was not recorded runs again once the cause is gone.
    Journal(JournalError),
}

impl DurableError {
    pub(super) fn new(handler: &Arc<str>, key: &Arc<str>, kind: DurableErrorKind) -> Self {
        Self(Box::new(Inner { handler: Arc::clone(handler), key: Arc::clone(key), kind }))
    }

    /// What happened.
    pub fn kind(&self) -> &DurableErrorKind {
        &self.0.kind
    }

    /// What happened, by value.
    pub fn into_kind(self) -> DurableErrorKind {
        self.0.kind
    }

    /// The name of the handler.
    pub fn handler(&self) -> &str {
        &self.0.handler
    }

    /// The key of the task.
    pub fn key(&self) -> &str {
        &self.0.key
    }

    /// Whether it stands in the journal: the task will not be run again unless it is forgotten or re-armed.
    pub fn is_recorded(&self) -> bool {
        use DurableErrorKind as Kind;
        matches!(self.0.kind, Kind::Failed { .. } | Kind::Panicked { .. } | Kind::CrashLoop { .. })
    }

    /// Whether the task was cancelled, while it ran or before it started.
    pub fn is_cancelled(&self) -> bool {
        match &self.0.kind {
            DurableErrorKind::Cancelled(_) => true,
            DurableErrorKind::NotRun(error) => error.is_cancelled(),
            _ => false,
        }
    }
}

impl fmt::Display for DurableErrorKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed { code: 0, message } => write!(formatter, "it failed: {message}"),
            Self::Failed { code, message } => write!(formatter, "it failed with code {code}: {message}"),
            Self::Panicked { message } => write!(formatter, "it panicked: {message}"),
            Self::CrashLoop { crashes } => {
                write!(formatter, "the process died {crashes} times in a row while it ran; it is set aside")
            }
            Self::Retryable { message, attempts: 1 } => {
                write!(formatter, "it failed and may be tried again: {message}")
            }
            Self::Retryable { message, attempts } => {
                write!(formatter, "it failed {attempts} times and may be tried again: {message}")
            }
            Self::Cancelled(cause) => write!(formatter, "it was cancelled: {cause}"),
            Self::NotRun(error) => write!(formatter, "it did not run: {error}"),
            Self::Unrecordable { message } => write!(formatter, "its result cannot be recorded: {message}"),
            Self::Journal(error) => error.fmt(formatter),
        }
    }
}

impl fmt::Display for DurableError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} of {:?}: {}", self.handler(), self.key(), self.kind())
    }
}

impl fmt::Debug for DurableError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("DurableError")
            .field("handler", &self.handler())
            .field("key", &self.key())
            .field("kind", self.kind())
            .finish()
    }
}

impl Error for DurableError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self.kind() {
            DurableErrorKind::Cancelled(cause) => Some(cause),
            DurableErrorKind::NotRun(error) => Some(error),
            DurableErrorKind::Journal(error) => error.source(),
            _ => None,
        }
    }
}
