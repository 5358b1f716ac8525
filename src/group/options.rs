//! Options for one task.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::context::GroupContext;
use super::core::{Core, Work};
use super::patience::Patience;
use super::refusal::SpawnError;
use super::spawner::Spawner;
use crate::sync::Mutex;

/// A closure that takes its context.
struct Contextual<F>(F);

impl<'env, T: Send + 'env, E: Send + Sync + 'env, F> Work<'env, T, E> for Contextual<F>
where
    F: FnOnce(&GroupContext<'_, 'env, T, E>) -> Result<T, E> + Send,
{
    fn work(
        self: Box<Self>,
        core: &Arc<Core<'env, T, E>>,
        index: u64,
        name: Option<&Arc<str>>,
    ) -> Result<T, E> {
        (self.0)(&GroupContext { core, index, name, token: Mutex::new(None) })
    }
}

/// A task about to be spawned with more than its closure; made by [`Spawner::task`].
///
/// Its closure takes a [`GroupContext`]: the task's token, its index, the group.
#[must_use = "options do nothing until a task is spawned with them"]
pub struct GroupTaskOptions<'group, 'env, T, E> {
    spawner: &'group Spawner<'env, T, E>,
    name: Option<Arc<str>>,
}

impl<'env, T: Send + 'env, E: Send + Sync + 'env> GroupTaskOptions<'_, 'env, T, E> {
    /// Names the task in errors.
    pub fn name(mut self, name: impl Into<Arc<str>>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// As [`Spawner::spawn`].
    ///
    /// # Errors
    /// As for [`Spawner::spawn`].
    pub fn spawn<F>(self, task: F) -> Result<(), SpawnError<F>>
    where
        F: FnOnce(&GroupContext<'_, 'env, T, E>) -> Result<T, E> + Send + 'env,
    {
        self.enter(Contextual(task), Patience::Until(None)).map_err(contextual)
    }

    /// As [`Spawner::try_spawn`].
    ///
    /// # Errors
    /// As for [`Spawner::try_spawn`].
    pub fn try_spawn<F>(self, task: F) -> Result<(), SpawnError<F>>
    where
        F: FnOnce(&GroupContext<'_, 'env, T, E>) -> Result<T, E> + Send + 'env,
    {
        self.enter(Contextual(task), Patience::None).map_err(contextual)
    }

    /// As [`Spawner::spawn_timeout`].
    ///
    /// # Errors
    /// As for [`Spawner::spawn_timeout`].
    pub fn spawn_timeout<F>(self, task: F, timeout: Duration) -> Result<(), SpawnError<F>>
    where
        F: FnOnce(&GroupContext<'_, 'env, T, E>) -> Result<T, E> + Send + 'env,
    {
        self.enter(Contextual(task), Patience::timeout(timeout)).map_err(contextual)
    }

    /// Hands work of whatever form in with these options.
    pub(super) fn enter<W: Work<'env, T, E> + 'env>(
        self,
        work: W,
        patience: Patience,
    ) -> Result<(), SpawnError<W>> {
        self.spawner.enter(self.name, work, patience)
    }
}

impl<T, E> fmt::Debug for GroupTaskOptions<'_, '_, T, E> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("GroupTaskOptions").field("name", &self.name).finish_non_exhaustive()
    }
}

impl<'env, T: Send + 'env, E: Send + Sync + 'env> Spawner<'env, T, E> {
    /// Options for one task: its name; its closure takes a [`GroupContext`].
    pub fn task(&self) -> GroupTaskOptions<'_, 'env, T, E> {
        GroupTaskOptions { spawner: self, name: None }
    }
}

fn contextual<F>(error: SpawnError<Contextual<F>>) -> SpawnError<F> {
    error.map(|Contextual(task)| task)
}
