//! Options for one task.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use super::context::{Contextual, TaskContext};
use super::control::Control;
use super::error::SubmitError;
use super::gate::deadline;
use super::handle::ScopedTaskHandle;
use super::submitter::{Patience, Submitter};
use crate::cancel::CancellationToken;

/// A task about to be submitted with more than its closure; made by [`Submitter::task`].
///
/// Its closure takes a [`TaskContext`]: the worker's state, the task's token.
///
/// ```
/// use gristmill::{CancellationToken, ThreadPool};
///
/// let pool = ThreadPool::new()?;
/// let token = CancellationToken::new();
/// let rounds = pool.task().name("grind").token(&token).submit(|context| {
///     let token = context.token(); // also cancelled with the pool, and by the handle
///     (0..1000).take_while(|_| !token.is_cancelled()).count()
/// })?;
/// assert_eq!(rounds.wait()?, 1000);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "options do nothing until a task is submitted with them"]
pub struct TaskOptions<'pool, 'env, S> {
    submitter: &'pool Submitter<'env, S>,
    control: Box<Control>,
}

impl<'env, S: 'static> Submitter<'env, S> {
    /// Options for one task: a name, a token; its closure takes a [`TaskContext`].
    pub fn task(&self) -> TaskOptions<'_, 'env, S> {
        TaskOptions::new(self)
    }
}

impl<'pool, 'env, S: 'static> TaskOptions<'pool, 'env, S> {
    pub(super) fn new(submitter: &'pool Submitter<'env, S>) -> Self {
        Self { submitter, control: Box::default() }
    }

    /// Names the task in errors and reports.
    pub fn name(mut self, name: impl Into<Arc<str>>) -> Self {
        self.control.set_name(name.into());
        self
    }

    /// Binds the task to a token. When it is cancelled, the task does not start any more, a submission of it that waits
    /// for space ends, and the token in its context is cancelled.
    pub fn token(mut self, token: &CancellationToken) -> Self {
        self.control.set_token(token.clone());
        self
    }

    /// As [`Submitter::submit`].
    ///
    /// # Errors
    /// As for [`Submitter::submit`], and if the task's token is cancelled before or during the wait.
    pub fn submit<F, T>(self, task: F) -> Result<ScopedTaskHandle<'env, T>, SubmitError<F>>
    where
        F: FnOnce(&TaskContext<'_, S>) -> T + Send + 'env,
        T: Send + 'env,
    {
        self.hand_in(task, Patience::Until(None))
    }

    /// As [`Submitter::try_submit`].
    ///
    /// # Errors
    /// As for [`Submitter::try_submit`], and if the task's token is cancelled.
    pub fn try_submit<F, T>(self, task: F) -> Result<ScopedTaskHandle<'env, T>, SubmitError<F>>
    where
        F: FnOnce(&TaskContext<'_, S>) -> T + Send + 'env,
        T: Send + 'env,
    {
        self.hand_in(task, Patience::None)
    }

    /// As [`Submitter::submit_timeout`].
    ///
    /// # Errors
    /// As for [`Submitter::submit_timeout`], and if the task's token is cancelled before or during the wait.
    pub fn submit_timeout<F, T>(
        self,
        task: F,
        timeout: Duration,
    ) -> Result<ScopedTaskHandle<'env, T>, SubmitError<F>>
    where
        F: FnOnce(&TaskContext<'_, S>) -> T + Send + 'env,
        T: Send + 'env,
    {
        self.hand_in(task, Patience::Until(deadline(timeout)))
    }

    fn hand_in<F, T>(self, run: F, patience: Patience) -> Result<ScopedTaskHandle<'env, T>, SubmitError<F>>
    where
        F: FnOnce(&TaskContext<'_, S>) -> T + Send + 'env,
        T: Send + 'env,
    {
        let work = Contextual { run, state: PhantomData };
        self.submitter.hand_in(work, Some(self.control), patience).map_err(|error| {
            let (Contextual { run, .. }, refusal) = error.into_parts();
            SubmitError::new(run, refusal)
        })
    }
}

impl<S> fmt::Debug for TaskOptions<'_, '_, S> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("TaskOptions").field("name", &self.control.name()).finish_non_exhaustive()
    }
}
