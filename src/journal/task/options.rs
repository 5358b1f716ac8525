//! How a handler is run.

use std::fmt;
use std::num::NonZeroU32;

use crate::policy::Retry;

/// What to do with a task whose input is not the one that its record was made of.
///
/// ```
/// use gristmill::journal::{CallError, CallRefusal, ChangedInput, HandlerOptions, Journal};
///
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("squares.journal");
/// let journal = Journal::open(path)?;
/// let square = || {
///     let options = HandlerOptions::new().changed_input(ChangedInput::Refuse);
///     journal.scope("squares").handler_with(options, "square", 1, |_, number: &u64| Ok(number * number))
/// };
/// assert_eq!(square().call("first", 7)?, 49);
/// let Err(CallError::Refused(call)) = square().call("first", 8) else { unreachable!("it was 7") };
/// assert!(matches!(call.refusal(), CallRefusal::InputChanged));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ChangedInput {
    /// Run it; its new record takes the place of the old one.
    #[default]
    Rerun,
    /// Refuse the call.
    Refuse,
}

/// How many crashes in a row set a task aside if nothing else is said.
const CRASHES: NonZeroU32 = NonZeroU32::new(3).unwrap();

/// Options for a handler, for [`Scope::handler_with`](crate::journal::Scope::handler_with).
///
/// ```
/// use std::num::NonZeroU32;
/// use gristmill::Retry;
/// use gristmill::journal::{ChangedInput, HandlerOptions};
///
/// let options = HandlerOptions::<u64>::new()
///     .retry(Retry::new(3)?)
///     .changed_input(ChangedInput::Refuse)
///     .crash_limit(NonZeroU32::new(2).unwrap())
///     .accept_if(|recorded| *recorded > 0);
/// # let _ = options;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "options do nothing until a handler is made with them"]
pub struct HandlerOptions<T> {
    pub(super) retry: Option<Retry>,
    pub(super) changed_input: ChangedInput,
    pub(super) crash_limit: NonZeroU32,
    pub(super) accept_if: Option<Accept<T>>,
}

pub(super) type Accept<T> = Box<dyn Fn(&T) -> bool + Send + Sync>;

impl<T> HandlerOptions<T> {
    /// No retry; a changed input runs again; three crashes in a row set a task aside.
    pub fn new() -> Self {
        Self { retry: None, changed_input: ChangedInput::default(), crash_limit: CRASHES, accept_if: None }
    }

    /// Runs a task again that failed in a retryable way, by that rule. Its pauses take the worker; cancelling the task ends them.
    pub fn retry(mut self, retry: Retry) -> Self {
        self.retry = Some(retry);
        self
    }

    /// What to do with a task whose input has changed.
    pub fn changed_input(mut self, changed_input: ChangedInput) -> Self {
        self.changed_input = changed_input;
        self
    }

    /// How often the process may die while a task runs, in a row, before the task is set aside as
    /// [`CrashLoop`](super::DurableErrorKind::CrashLoop).
    ///
    /// A row ends with the task's record, and with a run of the program that dies while the task is not running. A run that ends in order does not end
    /// it, whether the task ran in it or not: so a task that dies every other time is set aside too, if it is not recorded in between.
    ///
    /// Tasks of under half a millisecond that wait in a long queue are marked 64 at a time. A crash among those is not counted, since it is not
    /// known whose it was; it has them marked one by one from then on. So it may take one crash more.
    pub fn crash_limit(mut self, crashes: NonZeroU32) -> Self {
        self.crash_limit = crashes;
        self
    }

    /// Looks at a recorded value before it is taken instead of running the task: if it says no, the task runs again. For results that name something
    /// outside of the journal, such as a file that may have been changed or deleted since.
    ///
    /// # Cost
    /// The call waits until the record is read, instead of going on while the journal reads ahead.
    pub fn accept_if(mut self, accept: impl Fn(&T) -> bool + Send + Sync + 'static) -> Self {
        self.accept_if = Some(Box::new(accept));
        self
    }
}

impl<T> Default for HandlerOptions<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> fmt::Debug for HandlerOptions<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("HandlerOptions")
            .field("retry", &self.retry)
            .field("changed_input", &self.changed_input)
            .field("crash_limit", &self.crash_limit)
            .field("accept_if", &self.accept_if.is_some())
            .finish()
    }
}
