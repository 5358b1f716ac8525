//! What a handler can ask for while it runs.

use std::cell::OnceCell;
use std::fmt;

use crate::cancel::{CancellationToken, Cancelled};

/// The context of one call of a handler.
///
/// ```
/// use gristmill::journal::Journal;
///
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("pages.journal");
/// let journal = Journal::open(path)?;
/// let scope = journal.scope("pages");
/// let name = scope.handler("name", 1, |context, (): &()| {
///     context.token().check()?; // told to stop?
///     Ok(format!("{}, attempt {}", context.key(), context.attempt()))
/// });
/// assert_eq!(name.call("page 7", ())?, "page 7, attempt 1");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct CallContext<'call> {
    key: &'call str,
    attempt: u32,
    crashes: u32,
    token: &'call LazyToken<'call>,
}

/// A token that is made when somebody asks for it: most handlers do not.
pub(super) struct LazyToken<'call> {
    make: &'call dyn Fn() -> CancellationToken,
    made: OnceCell<CancellationToken>,
}

impl<'call> LazyToken<'call> {
    pub(super) fn new(make: &'call dyn Fn() -> CancellationToken) -> Self {
        Self { make, made: OnceCell::new() }
    }

    pub(super) fn get(&self) -> &CancellationToken {
        self.made.get_or_init(self.make)
    }

    /// Why it is cancelled, if it is and somebody asked for it.
    pub(super) fn cause(&self) -> Option<Cancelled> {
        self.made.get().and_then(CancellationToken::cause)
    }
}

impl<'call> CallContext<'call> {
    pub(super) fn new(key: &'call str, attempt: u32, crashes: u32, token: &'call LazyToken<'call>) -> Self {
        Self { key, attempt, crashes, token }
    }

    /// The task's key: what makes effects outside of the journal idempotent, if they are named by it.
    pub fn key(&self) -> &str {
        self.key
    }

    /// The number of this attempt in this run of the program, from 1. An attempt may also have been made by a process that died: see
    /// [`crashes`](Self::crashes).
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// How often in a row the process died while this task ran; 0 if it did not.
    pub fn crashes(&self) -> u32 {
        self.crashes
    }

    /// The token of this task: cancelled with the one given to the task, with the pool's, and by the handle. A handler that gives up because of it
    /// returns a retryable error (as `token.check()?` does), and the task is not recorded.
    ///
    /// # Cost
    /// The first call makes the token; keep it outside of loops.
    pub fn token(&self) -> CancellationToken {
        self.token.get().clone()
    }
}

impl fmt::Debug for CallContext<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("CallContext")
            .field("key", &self.key)
            .field("attempt", &self.attempt)
            .field("crashes", &self.crashes)
            .finish_non_exhaustive()
    }
}
