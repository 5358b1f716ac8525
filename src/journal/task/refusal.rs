//! Why a call was not taken.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use crate::journal::error::JournalError;
use crate::pool::Refusal;

/// A call that was not taken. The input is in it, as it was handed in; nothing was run, and the key is free.
///
/// ```
/// use gristmill::ThreadPool;
/// use gristmill::journal::Journal;
///
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("lengths.journal");
/// let (journal, pool) = (Journal::open(path)?, ThreadPool::new()?);
/// let scope = journal.scope("lengths");
/// let length = scope.handler("length", 1, |_, word: &String| Ok(word.len()));
/// pool.close();
/// let refused = length.submit(&pool, "first", "grist".to_owned()).unwrap_err();
/// assert_eq!(refused.key(), "first");
/// assert_eq!(refused.into_input(), "grist"); // nothing is lost
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct RefusedCall<I> {
    handler: Arc<str>,
    key: Arc<str>,
    input: I,
    refusal: CallRefusal,
}

/// Why a call was not taken.
///
/// ```
/// use gristmill::ThreadPool;
/// use gristmill::journal::{CallRefusal, Journal};
///
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("lengths.journal");
/// let (journal, pool) = (Journal::open(path)?, ThreadPool::new()?);
/// let scope = journal.scope("lengths");
/// let length = scope.handler("length", 1, |_, word: &String| Ok(word.len()));
/// let handle = length.submit(&pool, "first", "grist".to_owned())?;
/// let refused = length.submit(&pool, "first", "mill".to_owned()).unwrap_err();
/// assert!(matches!(refused.refusal(), CallRefusal::Duplicate));
/// assert_eq!(handle.wait()?, 5);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum CallRefusal {
    /// The key was used before in this run of the scope, and by no other run since: two tasks would have one result.
    Duplicate,
    /// Another run of the scope in this process is working on this key.
    InUse,
    /// The key is longer than 4096 bytes.
    KeyTooLong,
    /// The input is not the one that the record was made of, and the handler is to
    /// [refuse](super::ChangedInput::Refuse) that.
    InputChanged,
    /// The input cannot be encoded.
    Unencodable(String),
    /// The pool did not take the task.
    Pool(Refusal),
    /// The journal has failed, or the task's record is damaged.
    Journal(JournalError),
}

impl<I> RefusedCall<I> {
    pub(super) fn new(handler: &Arc<str>, key: Arc<str>, input: I, refusal: CallRefusal) -> Self {
        Self { handler: Arc::clone(handler), key, input, refusal }
    }

    /// Why.
    pub fn refusal(&self) -> &CallRefusal {
        &self.refusal
    }

    /// The key.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The input, as it was handed in.
    pub fn into_input(self) -> I {
        self.input
    }

    /// The input and the reason.
    pub fn into_parts(self) -> (I, CallRefusal) {
        (self.input, self.refusal)
    }
}

impl fmt::Display for CallRefusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Duplicate => formatter.write_str("the key was used before in this run; every task needs a key of its own"),
            Self::InUse => formatter.write_str("another run of the scope in this process is working on the key"),
            Self::KeyTooLong => formatter.write_str("a key is at most 4096 bytes"),
            Self::InputChanged => formatter.write_str(
                "its input is not the one that is recorded; forget the key, or raise the handler's version, to run it anew",
            ),
            Self::Unencodable(why) => write!(formatter, "the input cannot be encoded: {why}"),
            Self::Pool(refusal) => refusal.fmt(formatter),
            Self::Journal(error) => error.fmt(formatter),
        }
    }
}

impl<I> fmt::Display for RefusedCall<I> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown: String = self.key.chars().take(80).collect();
        write!(formatter, "{} of {shown:?} was not taken: {}", self.handler, self.refusal)
    }
}

impl<I> fmt::Debug for RefusedCall<I> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("RefusedCall")
            .field("handler", &self.handler)
            .field("key", &self.key)
            .field("refusal", &self.refusal)
            .finish_non_exhaustive()
    }
}

impl<I> Error for RefusedCall<I> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.refusal {
            CallRefusal::Pool(refusal) => refusal.source(),
            CallRefusal::Journal(error) => error.source(),
            _ => None,
        }
    }
}
