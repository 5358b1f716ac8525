//! Options for one task.

use std::fmt;
use std::hash::Hash;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use super::context::{Contextual, TaskContext};
use super::control::Control;
use super::error::SubmitError;
use super::gate::deadline;
use super::handle::ScopedTaskHandle;
use super::judgement::{AnyResult, ErrFails, Judgement};
use super::keys::Key;
use super::submitter::{Patience, Submitter};
use super::task::Work;
use crate::cancel::CancellationToken;
use crate::policy::RateLimiter;

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
pub struct TaskOptions<'pool, 'env, S, J = AnyResult> {
    submitter: &'pool Submitter<'env, S>,
    control: Box<Control>,
    judgement: PhantomData<fn(J)>,
}

impl<'env, S: 'static> Submitter<'env, S> {
    /// Options for one task: name, token, priority, key; its closure takes a [`TaskContext`].
    pub fn task(&self) -> TaskOptions<'_, 'env, S> {
        TaskOptions { submitter: self, control: Box::default(), judgement: PhantomData }
    }
}

impl<'pool, 'env, S: 'static, J: 'static> TaskOptions<'pool, 'env, S, J> {
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

    /// The task's priority: of those queued the higher starts first, and equal ones in the order of submission. 0 if nothing is
    /// said, which every plain submission has too.
    ///
    /// Low tasks are late, but never starved: see [`ageing`](super::ThreadPoolBuilder::ageing). Workers may have taken up to 31 ordinary tasks
    /// each when the first task with another priority comes; they go back into the order then.
    ///
    /// ```
    /// use std::sync::Mutex;
    /// use gristmill::ThreadPool;
    ///
    /// let started = Mutex::new(Vec::new());
    /// ThreadPool::builder().workers(1).scope(|pool| {
    ///     pool.pause();
    ///     for (name, priority) in [("report", -1), ("import", 0), ("alarm", 9)] {
    ///         let started = &started;
    ///         drop(pool.task().priority(priority).submit(move |_| started.lock().unwrap().push(name)));
    ///     }
    ///     pool.resume();
    /// })?;
    /// assert_eq!(started.into_inner()?, ["alarm", "import", "report"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Cost
    /// While tasks of several priorities are queued, workers take them one by one instead of in batches.
    pub fn priority(mut self, priority: i8) -> Self {
        self.control.set_priority(priority);
        self
    }

    /// The task's key: tasks with equal keys run one at a time, in the order of submission; others in parallel. Keys are equal if
    /// they are of one type and `==`; equal hashes mean nothing.
    ///
    /// A task that waits for its key occupies no worker, and a place in the queue. When its turn comes it goes by its priority
    /// and the number of its submission. See [`key_bound`](super::ThreadPoolBuilder::key_bound) and
    /// [`on_key_failure`](super::ThreadPoolBuilder::on_key_failure).
    ///
    /// A task of the pool that waits for one whose key is busy runs those that are ahead of it, if they have not started; so it must
    /// not hold a lock that they need.
    ///
    /// A task must not wait for a later one of its own key, which cannot start before it has ended: that wait panics if it is on the
    /// same thread, and is for ever otherwise. `Eq` of the key must not use the pool.
    ///
    /// ```
    /// use std::sync::Mutex;
    /// use gristmill::ThreadPool;
    ///
    /// let balance = Mutex::new(100);
    /// ThreadPool::scope(|pool| {
    ///     for amount in [-70, 50, -70] { // in this order, whatever the number of workers
    ///         let balance = &balance;
    ///         let book = pool.task().key("account 7").submit(move |_| {
    ///             let mut balance = balance.lock().unwrap();
    ///             *balance += amount;
    ///             assert!(*balance >= 0);
    ///         });
    ///         drop(book);
    ///     }
    /// })?;
    /// assert_eq!(balance.into_inner()?, 10);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Panics
    /// If the key's `Hash` panics. The submission panics if its `Eq` does, and the task is dropped.
    pub fn key<K: Hash + Eq + Send + Sync + 'static>(mut self, key: K) -> Self {
        self.control.set_key(Key::new(key));
        self
    }

    /// Makes the task one of a class, those with the same limiter, which start no faster than it allows. Others pass them
    /// meanwhile; among themselves they keep their order.
    ///
    /// ```
    /// use std::time::Duration;
    /// use gristmill::{RateLimiter, ThreadPool};
    ///
    /// let pool = ThreadPool::new()?;
    /// let uploads = RateLimiter::builder(500, Duration::from_secs(1)).burst(10).build()?;
    /// let upload = pool.task().rate(&uploads).submit(|_| "uploaded")?;
    /// assert_eq!(upload.wait()?, "uploaded");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn rate(mut self, limiter: &RateLimiter) -> Self {
        self.control.set_rate(limiter.clone());
        self
    }

    /// A result that is an `Err` counts as failed, in the counts of the pool and for the task's key. The handle gives it like any
    /// other result.
    pub fn fallible(self) -> TaskOptions<'pool, 'env, S, ErrFails> {
        TaskOptions { submitter: self.submitter, control: self.control, judgement: PhantomData }
    }

    /// As [`Submitter::submit`].
    ///
    /// # Errors
    /// As for [`Submitter::submit`], and if the task's token is cancelled before or during the wait. For a task of this pool also if
    /// there is no space and the key is busy ([`Refusal::KeyBusy`](super::Refusal::KeyBusy)): it can neither wait nor run the new task.
    pub fn submit<F, T>(self, task: F) -> Result<ScopedTaskHandle<'env, T>, SubmitError<F>>
    where
        F: FnOnce(&TaskContext<'_, S>) -> T + Send + 'env,
        T: Send + 'env,
        J: Judgement<T>,
    {
        self.hand_in(task, Patience::AsChosen)
    }

    /// As [`Submitter::try_submit`].
    ///
    /// # Errors
    /// As for [`Submitter::try_submit`], and if the task's token is cancelled.
    pub fn try_submit<F, T>(self, task: F) -> Result<ScopedTaskHandle<'env, T>, SubmitError<F>>
    where
        F: FnOnce(&TaskContext<'_, S>) -> T + Send + 'env,
        T: Send + 'env,
        J: Judgement<T>,
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
        J: Judgement<T>,
    {
        self.hand_in(task, Patience::Until(deadline(timeout)))
    }

    fn hand_in<F, T>(self, run: F, patience: Patience) -> Result<ScopedTaskHandle<'env, T>, SubmitError<F>>
    where
        F: FnOnce(&TaskContext<'_, S>) -> T + Send + 'env,
        T: Send + 'env,
        J: Judgement<T>,
    {
        self.enter(Contextual::<F, S, J> { run, named: PhantomData }, patience).map_err(|error| {
            let (Contextual { run, .. }, refusal) = error.into_parts();
            SubmitError::new(run, refusal)
        })
    }

    /// Hands work of whatever form in with these options.
    pub(super) fn enter<W: Work + 'env>(
        self,
        work: W,
        patience: Patience,
    ) -> Result<ScopedTaskHandle<'env, W::Output>, SubmitError<W>> {
        self.submitter.hand_in(work, Some(self.control), patience)
    }
}

impl<S, J> fmt::Debug for TaskOptions<'_, '_, S, J> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("TaskOptions").field("name", &self.control.name()).finish_non_exhaustive()
    }
}
