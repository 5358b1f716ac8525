//! Calls of a handler on the calling thread.

use std::error::Error;
use std::fmt::{self, Display};
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::durable_handle::DurableHandle;
use super::error::DurableError;
use super::handler::Handler;
use super::refusal::RefusedCall;
use super::submit::Begun;
use super::text::text;
use crate::cancel::CancellationToken;

/// Why a call gave no value: it was not taken, or the task ended without one.
///
/// ```
/// use gristmill::journal::{CallError, CallRefusal, Journal};
///
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("squares.journal");
/// let journal = Journal::open(path)?;
/// let scope = journal.scope("squares");
/// let square = scope.handler("square", 1, |_, number: &u64| Ok(number * number));
/// assert_eq!(square.call("seven", 7)?, 49);
/// match square.call("seven", 7).unwrap_err() {
///     CallError::Refused(call) => assert!(matches!(call.refusal(), CallRefusal::Duplicate)),
///     other => unreachable!("{other}"),
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[non_exhaustive]
pub enum CallError<I> {
    /// It was not taken; the input is in here.
    Refused(RefusedCall<I>),
    /// The task ended without a value.
    Ended(DurableError),
}

impl<I> fmt::Display for CallError<I> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(error) => fmt::Display::fmt(error, formatter),
            Self::Ended(error) => fmt::Display::fmt(error, formatter),
        }
    }
}

impl<I> fmt::Debug for CallError<I> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(error) => fmt::Debug::fmt(error, formatter),
            Self::Ended(error) => fmt::Debug::fmt(error, formatter),
        }
    }
}

impl<I> Error for CallError<I> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Refused(error) => error.source(),
            Self::Ended(error) => error.source(),
        }
    }
}

impl<I> From<RefusedCall<I>> for CallError<I> {
    fn from(error: RefusedCall<I>) -> Self {
        Self::Refused(error)
    }
}

impl<I> From<DurableError> for CallError<I> {
    fn from(error: DurableError) -> Self {
        Self::Ended(error)
    }
}

impl<I, T> Handler<I, T>
where
    I: Serialize + Send + 'static,
    T: Serialize + DeserializeOwned + Send + 'static,
{
    /// Runs the handler here and now, unless the task is recorded, and waits until its result is in the journal. For steps in a row.
    ///
    /// Not for many short tasks, in a stage of a pipeline or in a group: each waits for a commit of its own. [`run`](Self::run) leaves that wait to
    /// whoever takes the result.
    ///
    /// ```
    /// use gristmill::journal::Journal;
    ///
    /// # let folder = tempfile::tempdir()?;
    /// let journal = Journal::open(folder.path().join("words.journal"))?;
    /// let scope = journal.scope("words");
    /// let fetch = scope.handler("fetch", 1, |_, name: &String| Ok(format!("text of {name}")));
    /// let count = scope.handler("count", 1, |_, text: &String| Ok(text.split(' ').count()));
    /// let text = fetch.call("grist", "grist".to_owned())?;
    /// assert_eq!(count.call("grist", text)?, 3);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// It was not taken, or ended without a value: [`CallError`].
    ///
    /// # Panics
    /// As [`submit`](Self::submit).
    pub fn call(&self, key: impl Display, input: I) -> Result<T, CallError<I>> {
        Ok(self.run_under(&CancellationToken::new, true, text(key), input)?.wait()?)
    }

    /// As [`call`](Self::call), with a token for the handler to look at, which ends nothing else.
    ///
    /// # Errors
    /// As for [`call`](Self::call).
    pub fn call_with(
        &self,
        token: &CancellationToken,
        key: impl Display,
        input: I,
    ) -> Result<T, CallError<I>> {
        Ok(self.run_under(&|| token.clone(), true, text(key), input)?.wait()?)
    }

    /// Runs the handler here and now, unless the task is recorded, and hands its result to the journal without waiting for it: the handle ends when
    /// it is recorded. For stages of a pipeline and tasks of a group, which [give the handle on](super::super#in-a-pipeline-in-a-group).
    ///
    /// # Errors
    /// As for [`submit`](Self::submit), but for the pool's.
    ///
    /// # Panics
    /// As [`submit`](Self::submit).
    pub fn run(&self, key: impl Display, input: I) -> Result<DurableHandle<T>, RefusedCall<I>> {
        self.run_under(&CancellationToken::new, false, text(key), input)
    }

    /// As [`run`](Self::run), with a token for the handler to look at.
    ///
    /// # Errors
    /// As for [`run`](Self::run).
    pub fn run_with(
        &self,
        token: &CancellationToken,
        key: impl Display,
        input: I,
    ) -> Result<DurableHandle<T>, RefusedCall<I>> {
        self.run_under(&|| token.clone(), false, text(key), input)
    }

    fn run_under(
        &self,
        token: &dyn Fn() -> CancellationToken,
        is_urgent: bool,
        key: Arc<str>,
        input: I,
    ) -> Result<DurableHandle<T>, RefusedCall<I>> {
        match self.begin(key, input)? {
            Begun::Replay(handle) => Ok(handle),
            Begun::Run(work, handle) => {
                // Why it failed is in the handle.
                let _ = work.run_here(token, is_urgent);
                Ok(handle)
            }
        }
    }
}
