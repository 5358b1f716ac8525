//! What a running task of a group can ask for: its token, its index, the group.

use std::fmt;
use std::sync::Arc;

use super::core::Core;
use super::spawner::Spawner;
use crate::cancel::CancellationToken;
use crate::sync::Mutex;

/// The context of a running task; closures given to [`GroupTaskOptions::spawn`](super::GroupTaskOptions::spawn) take it.
///
/// ```
/// use gristmill::ErrorGroup;
///
/// let group = ErrorGroup::<u64, String>::builder().limit(2).build()?;
/// group.task().name("outer").spawn(|context| {
///     let inner = context.group().spawn(|| Ok(2)); // a task may spawn more tasks of its group
///     inner.map_err(|refused| refused.to_string())?;
///     Ok(context.index())
/// }).ok();
/// assert_eq!(group.into_results().map_err(|error| error.to_string())?, [0, 2]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct GroupContext<'task, 'env, T, E> {
    pub(super) core: &'task Arc<Core<'env, T, E>>,
    pub(super) index: u64,
    pub(super) name: Option<&'task Arc<str>>,
    // Made when somebody asks for it: a token costs as much as the rest of a task.
    pub(super) token: Mutex<Option<CancellationToken>>,
}

impl<'env, T, E> GroupContext<'_, 'env, T, E> {
    /// The token of this task, a child of the group's: cancelled when the group is done, with the token that the group was given, and
    /// when its pool stops. Ask for it once and poll it.
    pub fn token(&self) -> CancellationToken {
        self.token.lock().get_or_insert_with(|| self.core.token.child()).clone()
    }

    /// The task's index in the group, from 0, in the order of spawning.
    pub fn index(&self) -> u64 {
        self.index
    }

    /// The task's name, if it was given one.
    pub fn name(&self) -> Option<&str> {
        self.name.map(|name| &**name)
    }

    /// The group, to spawn more tasks.
    ///
    /// A task does not wait for room in its own group: where there is none it runs the new task at once, on its own thread.
    ///
    /// ```
    /// use gristmill::ErrorGroup;
    ///
    /// let group = ErrorGroup::<u32, String>::builder().limit(2).build()?;
    /// group.task().spawn(|context| {
    ///     for n in 1..=3 {
    ///         context.group().spawn(move || Ok(n)).map_err(|refused| refused.to_string())?;
    ///     }
    ///     Ok(0)
    /// })?;
    /// assert_eq!(group.into_results()?, [0, 1, 2, 3]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn group(&self) -> Spawner<'env, T, E> {
        Spawner { core: Arc::clone(self.core) }
    }
}

impl<T, E> fmt::Debug for GroupContext<'_, '_, T, E> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("GroupContext")
            .field("index", &self.index)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
