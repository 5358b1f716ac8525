//! The way in: submitting to a pool, waiting for its tasks, closing it.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use super::context::Plain;
use super::control::{self, Control};
use super::core::{Core, Load, NotIn};
use super::error::{Refusal, SubmitError, WaitError};
use super::gate::{Phase, deadline};
use super::handle::ScopedTaskHandle;
use super::saturation::Saturation;
use super::seat::{self, Seat};
use super::task::{Queued, Task, Work, cancel_cause};
use crate::cancel::{CancellationToken, Cancelled};
use crate::policy;
use crate::sync::time::{self, Instant};
use crate::trace::TaskSpan;

/// Submits tasks to a pool. Cheap to clone, and independent of who owns the pool's threads: a task that submits to its own
/// pool takes a clone along.
///
/// [`ThreadPool`](super::ThreadPool) and [`ScopedPool`](super::ScopedPool) lend theirs by dereferencing. A submitter that
/// outlives its pool is harmless: every submission is refused as closed.
///
/// ```
/// use gristmill::ThreadPool;
///
/// let pool = ThreadPool::new()?;
/// let submitter = pool.submitter().clone();
/// let outer = pool.submit(move || {
///     let inner = submitter.submit(|| 20)?; // nested: cannot deadlock, even with one worker
///     Ok::<i32, Box<dyn std::error::Error + Send + Sync>>(inner.wait()? + 1)
/// })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Submitter<'env, S = ()> {
    core: Arc<Core<'env>>,
    state: PhantomData<fn(S)>,
}

/// How long a submission waits for space.
#[derive(Clone, Copy)]
pub(super) enum Patience {
    None,
    Until(Option<Instant>),
    /// What the pool's [`Saturation`] says.
    AsChosen,
}

impl Patience {
    /// When a wait ends, where there is one that ends.
    pub(super) fn deadline(self) -> Option<Instant> {
        if let Self::Until(until) = self { until } else { None }
    }
}

impl<'env, S: 'static> Submitter<'env, S> {
    pub(super) fn new(core: Arc<Core<'env>>) -> Self {
        Self { core, state: PhantomData }
    }

    pub(super) fn core(&self) -> &Arc<Core<'env>> {
        &self.core
    }

    /// The same submitter, for tasks that do not ask for a worker's state.
    pub(crate) fn without_state(&self) -> Submitter<'env> {
        Submitter::new(Arc::clone(&self.core))
    }

    /// Cancelled when the pool stops, and with its token.
    pub(crate) fn stop_token(&self) -> &CancellationToken {
        &self.core.gate.stop
    }

    /// Whether the calling thread is in a task of the pool, which must not wait for the pool's queue or its workers.
    pub(crate) fn is_inside(&self) -> bool {
        seat::is_inside(&self.core.gate)
    }

    /// Which worker of the pool the calling thread is, if it is one.
    pub(crate) fn worker_here(&self) -> Option<usize> {
        Seat::current_of(&self.core.gate).map(|seat| seat.worker())
    }

    /// Submits a task; waits while the queue is full, unless the pool's [`Saturation`] says otherwise.
    ///
    /// Called from a worker of this pool while the queue is full, it runs the task at once on the calling thread: a worker
    /// never waits for its own queue. Use [`try_submit`](Self::try_submit) to be told instead. A task that runs so may submit in turn;
    /// 64 runs, each inside the other, are the most for one thread, so that a chain of tasks does not grow to the end of the stack.
    ///
    /// # Errors
    /// The pool is closed, or its token is cancelled, before or during the wait; with [`Saturation::Reject`] also if the queue is full.
    /// The queue is full ([`Refusal::Full`]), and the calling thread is in 64 such runs already: run the task, or give up.
    /// The task is in the error, unchanged.
    ///
    /// # Cancellation
    /// The pool's token ends the wait; [`task`](Self::task) gives a task a token of its own, which does so too.
    pub fn submit<F, T>(&self, task: F) -> Result<ScopedTaskHandle<'env, T>, SubmitError<F>>
    where
        F: FnOnce() -> T + Send + 'env,
        T: Send + 'env,
    {
        self.hand_in(Plain(task), None, Patience::AsChosen).map_err(plain)
    }

    /// Submits a task if there is space for it now.
    ///
    /// # Errors
    /// The queue is full, the pool is closed, or its token is cancelled. The task is in the error, unchanged.
    pub fn try_submit<F, T>(&self, task: F) -> Result<ScopedTaskHandle<'env, T>, SubmitError<F>>
    where
        F: FnOnce() -> T + Send + 'env,
        T: Send + 'env,
    {
        self.hand_in(Plain(task), None, Patience::None).map_err(plain)
    }

    /// Submits a task; waits at most `timeout` while the queue is full. `Duration::MAX` waits without limit.
    ///
    /// Where a worker runs the task at once, as for [`submit`](Self::submit), and there is a rate, the time is for the wait for its turn.
    ///
    /// # Errors
    /// As for [`submit`](Self::submit), and if the queue was full all the time; in a worker also, at once, if the rate leaves no turn for the
    /// task within `timeout` ([`Refusal::TimedOut`]). The task is in the error, unchanged.
    pub fn submit_timeout<F, T>(
        &self,
        task: F,
        timeout: Duration,
    ) -> Result<ScopedTaskHandle<'env, T>, SubmitError<F>>
    where
        F: FnOnce() -> T + Send + 'env,
        T: Send + 'env,
    {
        self.hand_in(Plain(task), None, Patience::Until(deadline(timeout))).map_err(plain)
    }

    /// Whether every submission is refused.
    pub(crate) fn is_refusing(&self) -> bool {
        self.is_closed() || self.core.gate.cancelled().is_some()
    }

    /// Submits a task although the queue may be full: for one who has bounds of his own, and few of them.
    pub(crate) fn submit_beyond<F>(&self, task: F) -> Result<(), SubmitError<F>>
    where
        F: FnOnce() + Send + 'env,
    {
        // What it does has spans of its own, if it is to have any.
        let task = Arc::new(Task::new(Plain(task), None, TaskSpan::NONE));
        let refusal = match self.core.gate.cancelled() {
            Some(cause) => Refusal::Cancelled(cause),
            None => match self.core.offer(Arc::clone(&task) as Queued<'env>, None, Load::BEYOND) {
                Ok(()) => return Ok(()),
                Err(NotIn::Refused(refusal) | NotIn::Full(_, refusal)) => refusal,
            },
        };
        let work = task.reclaim().expect("a refused task is in nobody else's hands");
        Err(plain(SubmitError::new(work, refusal)))
    }

    pub(super) fn hand_in<W>(
        &self,
        work: W,
        control: Option<Box<Control>>,
        patience: Patience,
    ) -> Result<ScopedTaskHandle<'env, W::Output>, SubmitError<W>>
    where
        W: Work + 'env,
        W::Output: 'env,
    {
        let span = control::span(control.as_deref(), &self.core.gate);
        let task = Arc::new(Task::new(work, control, span));
        // It would wait for a permit that this thread gives up only when it comes back: for ever.
        let must_queue = W::MAY_WAIT && policy::holds_permits();
        match self.accept(Arc::clone(&task) as Queued<'env>, task.options(), patience, must_queue) {
            Ok(()) => Ok(ScopedTaskHandle::new(task, Arc::clone(&self.core))),
            Err(refusal) => {
                let work = task.reclaim().expect("a refused task is in nobody else's hands");
                Err(SubmitError::new(work, refusal))
            }
        }
    }

    fn accept(
        &self,
        task: Queued<'env>,
        control: Option<&Control>,
        patience: Patience,
        must_queue: bool,
    ) -> Result<(), Refusal> {
        let core = &*self.core;
        if let Some(cause) = cancel_cause(control, &core.gate) {
            return Err(Refusal::Cancelled(cause));
        }
        let (task, refusal) = match core.offer(task, control, Load::ONE) {
            Ok(()) => return Ok(()),
            Err(NotIn::Refused(refusal)) => return Err(refusal),
            Err(NotIn::Full(task, refusal)) => (task, refusal),
        };
        if let Patience::None = patience {
            return Err(refusal);
        }
        let until = patience.deadline();
        if must_queue {
            // Nor may it wait for room without end: the workers may be waiting for that permit.
            return match until {
                Some(_) => core.wait_for_space(task, Load::ONE, until, control.and_then(Control::given)),
                None => Err(Refusal::PermitHeld),
            };
        }
        if let Some(seat) = Seat::current_of(&core.gate) {
            return core.run_inline(&task, Some(&seat), until, None);
        }
        if let Patience::AsChosen = patience {
            match core.saturation {
                Saturation::Block => {}
                Saturation::Reject => return Err(refusal),
                Saturation::CallerRuns => {
                    if task.control().is_none_or(|control| control.key().is_none()) {
                        return core.run_inline(&task, None, until, None);
                    }
                }
            }
        }
        core.wait_for_space(task, Load::ONE, until, control.and_then(Control::given))
    }

    /// Takes no more tasks, from anybody: tasks that submit to their own pool are refused too. What is queued still runs; what waits
    /// for a [held key](Self::held_keys) is handed back.
    ///
    /// Blocked submitters get their task back. Closing twice changes nothing.
    pub fn close(&self) {
        self.core.advance(Phase::Closed);
    }

    /// Whether the pool takes no more tasks.
    pub fn is_closed(&self) -> bool {
        self.core.gate.phase() != Phase::Open
    }

    /// Waits until every accepted task has ended. The pool stays open; tasks that are submitted meanwhile are waited for
    /// too, so with others submitting for ever this waits for ever.
    ///
    /// # Errors
    /// The pool's token was cancelled while tasks were still running; or this is a task of the same pool, also one that its
    /// submitter runs.
    pub fn wait(&self) -> Result<(), WaitError> {
        self.wait_until(None, None)
    }

    /// Whether every accepted task has ended, as an error if not.
    ///
    /// # Errors
    /// Tasks are pending ([`WaitError::TimedOut`]).
    pub fn try_wait(&self) -> Result<(), WaitError> {
        if self.core.gate.counters.quiet() { Ok(()) } else { Err(WaitError::TimedOut) }
    }

    /// As [`wait`](Self::wait), for at most `timeout`. `Duration::MAX` waits without limit.
    ///
    /// # Errors
    /// As for [`wait`](Self::wait), and if the time was over first.
    pub fn wait_timeout(&self, timeout: Duration) -> Result<(), WaitError> {
        self.wait_until(deadline(timeout), None)
    }

    /// As [`wait`](Self::wait), until `token` is cancelled.
    ///
    /// ```
    /// use gristmill::{CancellationToken, ThreadPool, WaitError};
    ///
    /// let (pool, stop) = (ThreadPool::new()?, CancellationToken::new());
    /// pool.pause();
    /// let task = pool.submit(|| 42)?;
    /// stop.cancel();
    /// assert!(matches!(pool.wait_with(&stop), Err(WaitError::Cancelled(_))));
    /// pool.resume();
    /// pool.wait()?;
    /// assert!(task.is_finished());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As for [`wait`](Self::wait), and if `token` was cancelled first.
    ///
    /// # Cancellation
    /// Only the wait ends; the tasks go on.
    pub fn wait_with(&self, token: &CancellationToken) -> Result<(), WaitError> {
        let gate = Arc::clone(&self.core.gate);
        let _registration = token.wake_on_cancel(move || gate.recheck_quiet());
        self.wait_until(None, Some(token))
    }

    fn wait_until(
        &self,
        deadline: Option<Instant>,
        token: Option<&CancellationToken>,
    ) -> Result<(), WaitError> {
        let gate = &*self.core.gate;
        if seat::is_inside(gate) {
            return Err(WaitError::OwnTask);
        }
        // The pool's owner sees to that, too, but may have let go of it.
        let _registration = gate.token.as_ref().map(|token| {
            let gate = Arc::clone(&self.core.gate);
            token.wake_on_cancel(move || gate.recheck_quiet())
        });
        let tokens = || [gate.token.as_ref(), token].into_iter().flatten();
        let cancelled = || -> Option<Cancelled> { tokens().find_map(CancellationToken::seen_cause) };
        loop {
            let until = tokens().filter_map(CancellationToken::wake_at).chain(deadline).min();
            tokens().for_each(|token| _ = token.is_cancelled()); // see `seen_cause`
            if let Some(result) = gate.wait_quiet(until, cancelled) {
                return result.map_err(WaitError::Cancelled);
            }
            if deadline.is_some_and(|at| at <= time::now()) {
                return Err(WaitError::TimedOut);
            }
        }
    }

    /// How many tasks are queued now; a task that was cancelled counts until a worker comes to it.
    pub fn queued(&self) -> usize {
        self.core.queued()
    }

    /// How many workers the pool has; one that was told to leave counts until it has.
    pub fn workers(&self) -> usize {
        self.core.workers()
    }

    /// The bound of the queue.
    pub fn queue_bound(&self) -> usize {
        self.core.gate.bound
    }

    /// The pool's name.
    pub fn name(&self) -> &str {
        &self.core.gate.name
    }
}

fn plain<F>(error: SubmitError<Plain<F>>) -> SubmitError<F> {
    let (Plain(task), refusal) = error.into_parts();
    SubmitError::new(task, refusal)
}

impl<S> Clone for Submitter<'_, S> {
    fn clone(&self) -> Self {
        Self { core: Arc::clone(&self.core), state: PhantomData }
    }
}

impl<S> fmt::Debug for Submitter<'_, S> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Submitter").field("pool", &self.core.gate.name).finish_non_exhaustive()
    }
}
