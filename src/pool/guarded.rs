//! Options for one task whose closure runs under policies.

use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use super::context::{Contextual, TaskContext};
use super::control::Control;
use super::error::SubmitError;
use super::gate::{Gate, deadline};
use super::handle::ScopedTaskHandle;
use super::judgement::ErrFails;
use super::options::TaskOptions;
use super::seat::Seat;
use super::submitter::Patience;
use super::task::Work;
use crate::policy::{self, Attempt, Policy, PolicyError};

/// A task about to be submitted whose closure runs under a policy; made by [`TaskOptions::under`].
///
/// The policy runs on the worker, within the task: its waits occupy the worker, and end when the task's token is cancelled. For a rate alone,
/// [`TaskOptions::rate`] occupies none.
///
/// ```
/// use std::time::Duration;
/// use gristmill::{Backoff, Retry, ThreadPool};
///
/// let pool = ThreadPool::new()?;
/// let retry = Retry::builder().attempts(3).backoff(Backoff::Constant(Duration::ZERO)).build()?;
/// let task = pool.task().name("fetch").under(retry).submit(|_context, attempt| match attempt.number() {
///     1 => "busy".parse::<u32>(),
///     _ => "42".parse(),
/// })?;
/// assert_eq!(task.wait()??, 42);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "options do nothing until a task is submitted with them"]
pub struct GuardedTaskOptions<'pool, 'env, S, Q> {
    options: TaskOptions<'pool, 'env, S, ErrFails>,
    policy: Q,
}

/// What a handle of such a task gives.
type Guarded<'env, T, E> = ScopedTaskHandle<'env, Result<T, PolicyError<E>>>;

impl<'pool, 'env, S: 'static, J: 'static> TaskOptions<'pool, 'env, S, J> {
    /// Runs the task's closure under `policy`, which may run it again; the handle gives what comes out of the policy in the end.
    ///
    /// The closure takes its context and the [`Attempt`], and returns a `Result`. An `Err`, the closure's or the policy's, counts as
    /// [failed](Self::fallible). The token to look at is the attempt's: it ends with the task's, and with a time limit of the policy as well.
    ///
    /// Within a bulkhead, a task that submits another one under a policy neither runs it itself nor waits without end when there is no space, as
    /// it would for a plain one: it might wait for its own permit. It is refused then
    /// ([`Refusal::PermitHeld`](super::Refusal::PermitHeld)). Nor does it run one itself for which it [waits](super::ScopedTaskHandle::wait), if that would
    /// wait for a permit that the waiting task holds: see [`Policy::would_wait_for_itself`].
    ///
    /// ```
    /// use gristmill::{Semaphore, ThreadPool};
    ///
    /// let pool = ThreadPool::new()?;
    /// let large = std::sync::Arc::new(Semaphore::new(1)); // one at a time, of whatever pool
    /// let task = pool.task().under(large).submit(|_context, attempt| {
    ///     assert_eq!(attempt.number(), 1);
    ///     "42".parse::<u32>()
    /// })?;
    /// assert_eq!(task.wait()??, 42);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn under<Q>(self, policy: Q) -> GuardedTaskOptions<'pool, 'env, S, Q> {
        GuardedTaskOptions { options: self.fallible(), policy }
    }
}

impl<'env, S: 'static, Q: Send + 'env> GuardedTaskOptions<'_, 'env, S, Q> {
    /// As [`TaskOptions::submit`].
    ///
    /// # Errors
    /// As for [`TaskOptions::submit`]; the policy was not asked.
    pub fn submit<F, T, E>(self, task: F) -> Result<Guarded<'env, T, E>, SubmitError<F>>
    where
        F: FnMut(&TaskContext<'_, S>, Attempt<'_>) -> Result<T, E> + Send + 'env,
        T: Send + 'env,
        E: Send + 'env,
        Q: Policy<E>,
    {
        self.hand_in(task, Patience::AsChosen)
    }

    /// As [`TaskOptions::try_submit`].
    ///
    /// # Errors
    /// As for [`TaskOptions::try_submit`]; the policy was not asked.
    pub fn try_submit<F, T, E>(self, task: F) -> Result<Guarded<'env, T, E>, SubmitError<F>>
    where
        F: FnMut(&TaskContext<'_, S>, Attempt<'_>) -> Result<T, E> + Send + 'env,
        T: Send + 'env,
        E: Send + 'env,
        Q: Policy<E>,
    {
        self.hand_in(task, Patience::None)
    }

    /// As [`TaskOptions::submit_timeout`].
    ///
    /// # Errors
    /// As for [`TaskOptions::submit_timeout`]; the policy was not asked.
    pub fn submit_timeout<F, T, E>(
        self,
        task: F,
        timeout: Duration,
    ) -> Result<Guarded<'env, T, E>, SubmitError<F>>
    where
        F: FnMut(&TaskContext<'_, S>, Attempt<'_>) -> Result<T, E> + Send + 'env,
        T: Send + 'env,
        E: Send + 'env,
        Q: Policy<E>,
    {
        self.hand_in(task, Patience::Until(deadline(timeout)))
    }

    fn hand_in<F, T, E>(self, task: F, patience: Patience) -> Result<Guarded<'env, T, E>, SubmitError<F>>
    where
        F: FnMut(&TaskContext<'_, S>, Attempt<'_>) -> Result<T, E> + Send + 'env,
        T: Send + 'env,
        E: Send + 'env,
        Q: Policy<E>,
    {
        let Self { options, policy } = self;
        let work = UnderPolicy::<Q, F, S> { policy, task, named: PhantomData };
        options.enter(work, patience).map_err(|error| {
            let (UnderPolicy { task, .. }, refusal) = error.into_parts();
            SubmitError::new(task, refusal)
        })
    }
}

impl<S, Q: fmt::Debug> fmt::Debug for GuardedTaskOptions<'_, '_, S, Q> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("GuardedTaskOptions")
            .field("options", &self.options)
            .field("policy", &self.policy)
            .finish()
    }
}

/// A closure and its policy. `S` is named, not held: the closure may be sent even where `S` may not.
struct UnderPolicy<Q, F, S> {
    policy: Q,
    task: F,
    named: PhantomData<fn(S)>,
}

impl<T: Send, E: Send, S: 'static, Q, F> Work for UnderPolicy<Q, F, S>
where
    Q: Policy<E> + Send,
    F: FnMut(&TaskContext<'_, S>, Attempt<'_>) -> Result<T, E> + Send,
{
    type Output = Result<T, PolicyError<E>>;

    const MAY_WAIT: bool = true;

    fn would_wait_for_itself(&self) -> bool {
        policy::would_wait_for_itself(&self.policy)
    }

    fn is_failure(result: &Self::Output) -> bool {
        result.is_err()
    }

    fn work(self, gate: Option<&Gate>, seat: Option<&Seat>, control: Option<&Control>) -> Self::Output {
        let Self { policy, mut task, .. } = self;
        let run = move |context: &TaskContext<'_, S>| {
            policy.call_with(&context.token(), |attempt| task(context, attempt))
        };
        Contextual::<_, S, ErrFails> { run, named: PhantomData }.work(gate, seat, control)
    }
}
