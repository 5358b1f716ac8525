//! Options for one task whose closure runs under policies.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::context::GroupContext;
use super::core::{Core, Work};
use super::options::GroupTaskOptions;
use super::patience::Patience;
use super::refusal::SpawnError;
use crate::policy::{self, Attempt, Policy, PolicyError};
use crate::sync::Mutex;

/// A closure and its policy.
struct UnderPolicy<Q, F> {
    policy: Q,
    task: F,
}

impl<'env, T, E, Q, F> Work<'env, T, PolicyError<E>> for UnderPolicy<Q, F>
where
    T: Send + 'env,
    E: Send + Sync + 'env,
    Q: Policy<E> + Send,
    F: FnMut(&GroupContext<'_, 'env, T, PolicyError<E>>, Attempt<'_>) -> Result<T, E> + Send,
{
    fn may_wait(&self) -> bool {
        true
    }

    fn would_wait_for_itself(&self) -> bool {
        policy::would_wait_for_itself(&self.policy)
    }

    fn work(
        self: Box<Self>,
        core: &Arc<Core<'env, T, PolicyError<E>>>,
        index: u64,
        name: Option<&Arc<str>>,
    ) -> Result<T, PolicyError<E>> {
        let Self { policy, mut task } = *self;
        let context = GroupContext { core, index, name, token: Mutex::new(None) };
        policy.call_with(&context.token(), |attempt| task(&context, attempt))
    }
}

/// A task about to be spawned whose closure runs under a policy; made by [`GroupTaskOptions::under`].
///
/// The policy runs within the task: its waits occupy a place of the group's limit, and end with the group.
///
/// ```
/// use std::time::Duration;
/// use gristmill::{Backoff, ErrorGroup, Retry};
///
/// let retry = Retry::builder().attempts(2).backoff(Backoff::Constant(Duration::ZERO)).build()?;
/// let group = ErrorGroup::<u32, _>::new()?;
/// group.task().name("fetch").under(retry).spawn(|_context, attempt| {
///     let answer = if attempt.number() == 1 { "busy" } else { "42" };
///     answer.parse::<u32>()
/// })?;
/// assert_eq!(group.into_results()?, [42]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "options do nothing until a task is spawned with them"]
pub struct GuardedGroupTaskOptions<'group, 'env, T, E, Q> {
    options: GroupTaskOptions<'group, 'env, T, PolicyError<E>>,
    policy: Q,
}

impl<'group, 'env, T, E> GroupTaskOptions<'group, 'env, T, PolicyError<E>>
where
    T: Send + 'env,
    E: Send + Sync + 'env,
{
    /// Runs the task's closure under `policy`, which may run it again; what comes out of it in the end is the task's result.
    ///
    /// The closure takes its context and the [`Attempt`], and fails with an `E` where the group's tasks fail with a [`PolicyError`] of it.
    /// The token to look at is the attempt's: it ends with the group's, and with a time limit of the policy as well.
    ///
    /// Within a bulkhead, a task that spawns another one under a policy neither runs it itself nor waits without end when there is no room, as
    /// it would for a plain one: it might wait for its own permit. It is refused then
    /// ([`GroupRefusal::PermitHeld`](super::GroupRefusal::PermitHeld)).
    ///
    /// ```
    /// use std::sync::Arc;
    /// use gristmill::{ErrorGroup, PolicyError, Semaphore};
    ///
    /// let group = ErrorGroup::<u32, PolicyError<std::num::ParseIntError>>::new()?;
    /// let large = Arc::new(Semaphore::new(1)); // one at a time, of whatever group
    /// for text in ["1", "2"] {
    ///     group.task().under(Arc::clone(&large)).spawn(move |_context, _attempt| text.parse())?;
    /// }
    /// assert_eq!(group.into_results()?, [1, 2]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn under<Q: Policy<E> + Send + 'env>(
        self,
        policy: Q,
    ) -> GuardedGroupTaskOptions<'group, 'env, T, E, Q> {
        GuardedGroupTaskOptions { options: self, policy }
    }
}

impl<'env, T, E, Q> GuardedGroupTaskOptions<'_, 'env, T, E, Q>
where
    T: Send + 'env,
    E: Send + Sync + 'env,
    Q: Policy<E> + Send + 'env,
{
    /// As [`GroupTaskOptions::spawn`].
    ///
    /// # Errors
    /// As for [`GroupTaskOptions::spawn`]; the policy was not asked.
    pub fn spawn<F>(self, task: F) -> Result<(), SpawnError<F>>
    where
        F: FnMut(&GroupContext<'_, 'env, T, PolicyError<E>>, Attempt<'_>) -> Result<T, E> + Send + 'env,
    {
        self.enter(task, Patience::Until(None))
    }

    /// As [`GroupTaskOptions::try_spawn`].
    ///
    /// # Errors
    /// As for [`GroupTaskOptions::try_spawn`]; the policy was not asked.
    pub fn try_spawn<F>(self, task: F) -> Result<(), SpawnError<F>>
    where
        F: FnMut(&GroupContext<'_, 'env, T, PolicyError<E>>, Attempt<'_>) -> Result<T, E> + Send + 'env,
    {
        self.enter(task, Patience::None)
    }

    /// As [`GroupTaskOptions::spawn_timeout`].
    ///
    /// # Errors
    /// As for [`GroupTaskOptions::spawn_timeout`]; the policy was not asked.
    pub fn spawn_timeout<F>(self, task: F, timeout: Duration) -> Result<(), SpawnError<F>>
    where
        F: FnMut(&GroupContext<'_, 'env, T, PolicyError<E>>, Attempt<'_>) -> Result<T, E> + Send + 'env,
    {
        self.enter(task, Patience::timeout(timeout))
    }

    fn enter<F>(self, task: F, patience: Patience) -> Result<(), SpawnError<F>>
    where
        F: FnMut(&GroupContext<'_, 'env, T, PolicyError<E>>, Attempt<'_>) -> Result<T, E> + Send + 'env,
    {
        let work = UnderPolicy { policy: self.policy, task };
        self.options.enter(work, patience).map_err(|error| error.map(|work| work.task))
    }
}

impl<T, E, Q: fmt::Debug> fmt::Debug for GuardedGroupTaskOptions<'_, '_, T, E, Q> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("GuardedGroupTaskOptions")
            .field("options", &self.options)
            .field("policy", &self.policy)
            .finish()
    }
}
