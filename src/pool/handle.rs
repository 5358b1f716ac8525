//! The handle of a task: its result, and the ways to wait for it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::control::{Control, KeySlot};
use super::core::Core;
use super::error::{TaskError, WaitCancelled};
use super::gate::deadline;
use super::parking::{self, Interrupt};
use super::rated::{NotYet, keep};
use super::seat::Seat;
use super::task::{Join, cancel_cause, name_of, own_token};
use super::waiter::Waiter;
use crate::cancel::{CancellationToken, Registration};
use crate::sync::atomic::Ordering;
use crate::sync::time::Instant;
use crate::sync::{hint, thread};

/// How long a waiter looks before it parks: most tasks that a batch waits for are done or about to be.
const SPINS: u32 = 64;
const YIELDS: u32 = 4;
/// After so many waits in a row that ended only when the waiter gave its core away, it and the worker are taken to be on the same one.
const YIELDED: u32 = 64;

/// A task that borrows nothing, as submitted to a [`ThreadPool`](super::ThreadPool).
///
/// ```
/// use gristmill::{TaskHandle, ThreadPool};
///
/// let pool = ThreadPool::new()?;
/// let tasks: Vec<TaskHandle<u64>> = (1..4).map(|n| pool.submit(move || n * n)).collect::<Result<_, _>>()?;
/// let squares: Vec<u64> = tasks.into_iter().map(TaskHandle::wait).collect::<Result<_, _>>()?;
/// assert_eq!(squares, [1, 4, 9]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub type TaskHandle<T> = ScopedTaskHandle<'static, T>;

/// What [`cancel`](ScopedTaskHandle::cancel) did.
///
/// ```
/// use gristmill::{CancelOutcome, ThreadPool};
///
/// let pool = ThreadPool::new()?;
/// pool.pause();
/// let task = pool.submit(|| 42)?;
/// assert_eq!(task.cancel(), CancelOutcome::Prevented);
/// assert_eq!(task.cancel(), CancelOutcome::Finished);
/// assert!(task.wait().is_err_and(|error| error.is_cancelled()));
/// pool.resume();
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CancelOutcome {
    /// The task had not started and never will. Its closure is dropped; its handle gives [`TaskError::Cancelled`].
    Prevented,
    /// The task is running and its token is cancelled; it ends when it looks at it, with whatever it returns then.
    Requested,
    /// The task is running and has no token to look at: it was submitted without a context. It runs on.
    RunsOn,
    /// The task had ended before.
    Finished,
}

/// The handle of a submitted task, and the only way to its result.
///
/// For several of them at once, in whatever way, there is [`combine`](crate::combine).
///
/// Dropping the handle detaches the task: it runs all the same, its result is dropped, and a panic in it is counted by the
/// pool and seen by nobody else. Of a task that has ended, the result is dropped with the handle; if that panics, so does the drop of the handle.
///
/// # Waiting from a task
/// A task may wait for another task of its own pool. If that one has not started, the waiting worker runs it itself, and
/// it never runs any other (nor that one, if it is under a [policy](super::TaskOptions::under) that would wait for a permit which the
/// waiting task holds itself), but for those that are ahead in the line of its [key](super::TaskOptions::key): so one worker and a queue of one are enough for
/// any nesting (with the queue full, up to 64 submissions deep on one thread: see [`submit`](super::Submitter::submit)), and no lock that the
/// waiting task holds can be needed by a stranger. The stack grows with the depth of nesting: by the waiting task's frames plus under a
/// kilobyte of the pool's own for each level; give the pool a `stack_size` to match if the depth is in the thousands. A time-out
/// or a token bounds the waiting, not a task that the waiter runs itself.
///
/// Two tasks that wait for each other wait for ever, as two threads do; give such waits a time-out or a token. So do two pools in a
/// circle: a task that waits for another pool keeps its worker, and runs nothing meanwhile; if the other pool's task waits for
/// this pool in turn, somebody must be left here to run what it waits for.
///
/// ```
/// use gristmill::ThreadPool;
///
/// let pool = ThreadPool::new()?;
/// let sum = pool.submit(|| (1..=10).sum::<u32>())?;
/// assert_eq!(sum.wait()?, 55);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "dropping the handle detaches the task; say `drop(handle)` if that is meant"]
pub struct ScopedTaskHandle<'env, T> {
    pub(super) task: Arc<dyn Join<T> + 'env>,
    pub(super) core: Arc<Core<'env>>,
}

impl<'env, T> ScopedTaskHandle<'env, T> {
    pub(super) fn new(task: Arc<dyn Join<T> + 'env>, core: Arc<Core<'env>>) -> Self {
        Self { task, core }
    }

    /// Waits until the task has ended.
    ///
    /// # Errors
    /// The task panicked, was cancelled before it started, or was handed back before it started.
    ///
    /// # Panics
    /// If a task waits for itself, or for a task that waits for it on the same thread: it would wait for ever.
    ///
    /// # Cancellation
    /// A task that has not started is ended by its token and the pool's, and the wait with it. A running task is waited for
    /// until it ends, since its result would be lost; [`wait_with`](Self::wait_with) leaves earlier.
    pub fn wait(self) -> Result<T, TaskError> {
        match self.block(None, None) {
            Ok(()) => self.result(),
            Err(_) => unreachable!("a wait without time-out and token ends with the task"),
        }
    }

    /// The result, if the task has ended; the handle, if not.
    ///
    /// ```
    /// use gristmill::ThreadPool;
    ///
    /// let pool = ThreadPool::new()?;
    /// pool.pause();
    /// let task = pool.submit(|| 42)?;
    /// let task = task.try_wait().unwrap_err(); // not yet: the handle comes back
    /// pool.resume();
    /// pool.wait()?;
    /// assert_eq!(task.try_wait().expect("it has ended")?, 42);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The task has not ended.
    pub fn try_wait(self) -> Result<Result<T, TaskError>, Self> {
        if self.is_finished() { Ok(self.result()) } else { Err(self) }
    }

    /// Waits until the task has ended, for at most `timeout`. `Duration::MAX` waits without limit.
    ///
    /// # Errors
    /// The time was over first; the handle is given back.
    ///
    /// # Panics
    /// As [`wait`](Self::wait).
    pub fn wait_timeout(self, timeout: Duration) -> Result<Result<T, TaskError>, Self> {
        match self.block(deadline(timeout), None) {
            Ok(()) => Ok(self.result()),
            Err(_) => Err(self),
        }
    }

    /// Waits until the task has ended or `token` is cancelled.
    ///
    /// # Errors
    /// The token was cancelled first; the handle is given back.
    ///
    /// # Panics
    /// As [`wait`](Self::wait).
    ///
    /// # Cancellation
    /// Only the wait ends; the task goes on. To end the task, [`cancel`](Self::cancel) it.
    pub fn wait_with(self, token: &CancellationToken) -> Result<Result<T, TaskError>, WaitCancelled<Self>> {
        match self.block(None, Some(token)) {
            Ok(()) => Ok(self.result()),
            Err(Interrupt::Cancelled(cause)) => Err(WaitCancelled::new(self, cause)),
            Err(Interrupt::TimedOut) => unreachable!("a wait without time-out does not time out"),
        }
    }

    /// Whether the task has ended, in whatever way.
    pub fn is_finished(&self) -> bool {
        if self.task.is_over() {
            return true;
        }
        self.end_if_cancelled();
        self.task.is_over()
    }

    /// Cancels the task, and says what that did.
    ///
    /// A task that has not started is ended at once and its closure dropped before this returns. Its place in the queue
    /// counts against the bound until a worker comes to it.
    #[track_caller]
    pub fn cancel(&self) -> CancelOutcome {
        // Ended by its token, too: the first cause wins.
        if self.is_finished() {
            return CancelOutcome::Finished;
        }
        // A token of its own is what gives the cause its kind and the caller's location.
        let token = CancellationToken::new();
        token.cancel();
        let Some(cause) = token.cause() else { unreachable!("the token was cancelled just now") };
        if self.task.cancel(&self.core.gate, None, cause) {
            self.core.gate.settle();
            return CancelOutcome::Prevented;
        }
        if self.task.is_over() {
            return CancelOutcome::Finished;
        }
        match own_token(&*self.task, &self.core.gate) {
            Some(token) => {
                token.cancel();
                CancelOutcome::Requested
            }
            None => CancelOutcome::RunsOn,
        }
    }

    /// The task's name; `task` if it was given none.
    pub fn name(&self) -> Arc<str> {
        name_of(self.task.control())
    }

    /// Whether a token may end it before it starts.
    #[cfg(feature = "journal")]
    pub(crate) fn has_own_tokens(&self) -> bool {
        self.own_tokens().next().is_some()
    }

    fn result(self) -> Result<T, TaskError> {
        self.task.take().unwrap_or_else(|| panic!("the result was taken before, through `Waitable::take`"))
    }

    /// A queued task whose token or whose pool's token is cancelled never starts: whoever sees that first says so.
    fn end_if_cancelled(&self) {
        if let Some(cause) = cancel_cause(self.task.control(), &self.core.gate) {
            if self.task.cancel(&self.core.gate, None, cause) {
                self.core.gate.settle();
            }
        }
    }

    /// The tokens that end the task if it has not started: the pool's, and the one given to it.
    pub(super) fn own_tokens(&self) -> impl Iterator<Item = &CancellationToken> {
        let given = self.task.control().and_then(Control::given);
        [self.core.gate.token.as_ref(), given].into_iter().flatten()
    }

    fn block(&self, deadline: Option<Instant>, token: Option<&CancellationToken>) -> Result<(), Interrupt> {
        if self.task.is_over() {
            return Ok(());
        }
        let seat = Seat::current_of(&self.core.gate);
        if let Some(seat) = &seat {
            if matches!(self.run_it_here(seat), Ok(true)) {
                return Ok(());
            }
            self.assert_not_below(seat);
        }
        if self.look_for_a_moment() {
            return Ok(());
        }
        self.park(deadline, token, seat.as_deref())
    }

    /// Runs the task on the worker that waits for it, if it is not running, its turn has come, and its rate and what the thread holds allow.
    fn run_it_here(&self, seat: &Seat) -> Result<bool, NotYet> {
        let slot = self.task.control().and_then(Control::key);
        if self.task.is_over() || !slot.is_none_or(KeySlot::is_granted) {
            return Ok(false);
        }
        if self.task.would_wait_for_itself() {
            return Err(NotYet::Permit);
        }
        if !self.core.is_rated(self.task.control()) {
            return Ok(self.core.run_here(&*self.task, Some(seat)));
        }
        if !self.task.is_queued() {
            return Ok(false);
        }
        keep(self.core.reserve(&*self.task)?);
        Ok(self.core.run_here(&*self.task, Some(seat)))
    }

    /// Does what a waiting worker can do towards the start of a task that it could not run at once; true if it did something.
    pub(super) fn try_help(&self, seat: &Seat) -> Result<bool, NotYet> {
        match self.task.control().and_then(Control::key) {
            Some(slot) if !slot.is_granted() => self.core.help(slot, seat),
            _ => self.run_it_here(seat),
        }
    }

    /// # Panics
    /// If the task runs on this very thread: it waits for itself, or for one that waits for it.
    pub(super) fn assert_not_below(&self, seat: &Seat) {
        assert!(
            !self.task.runs_on(seat.worker()),
            "task `{}` waits for itself: it runs on this thread, below the wait",
            self.name()
        );
    }

    fn look_for_a_moment(&self) -> bool {
        if cfg!(any(gristmill_shuttle, gristmill_loom)) {
            return false; // it would only add schedules that differ in nothing
        }
        let yielded = &self.core.yielded;
        for _ in 0..SPINS {
            if self.task.is_over() {
                if yielded.load(Ordering::Relaxed) != 0 {
                    yielded.store(0, Ordering::Relaxed);
                }
                return true;
            }
            hint::spin_loop();
        }
        let waits = yielded.load(Ordering::Relaxed);
        if waits >= YIELDED && waits.is_power_of_two() {
            // Threads that only yield to each other stay where they are until the system balances its cores, milliseconds later; one that
            // parks is woken on an idle core. If there is none it has cost a wake-up, so it is tried more and more rarely.
            yielded.fetch_add(1, Ordering::Relaxed);
            return false;
        }
        for _ in 0..YIELDS {
            thread::yield_now();
            if self.task.is_over() {
                yielded.fetch_add(1, Ordering::Relaxed);
                return true;
            }
        }
        false
    }

    #[cold]
    fn park(
        &self,
        deadline: Option<Instant>,
        token: Option<&CancellationToken>,
        seat: Option<&Seat>,
    ) -> Result<(), Interrupt> {
        let tokens = || self.own_tokens().chain(token);
        let _unpark: Vec<Registration> = tokens().map(CancellationToken::unpark_me).collect();
        let interrupt = loop {
            self.end_if_cancelled();
            let seen = parking::seen(tokens());
            // From here on the end of the task unparks this thread; an end before is seen here.
            if self.task.watch(Some(Box::new(Waiter::Thread(thread::current())))).is_err() {
                return Ok(());
            }
            if let Some(cause) = token.and_then(CancellationToken::cause) {
                break Interrupt::Cancelled(cause);
            }
            let not_yet = match seat.map(|seat| self.try_help(seat)) {
                Some(Ok(true)) => continue,
                Some(Err(not_yet)) => Some(not_yet),
                _ => None,
            };
            if parking::seen(tokens()) > seen {
                continue;
            }
            if let Err(interrupt) = parking::park(deadline, tokens(), not_yet) {
                break interrupt;
            }
        };
        // If not: the task has ended after all, and a result beats an interrupt.
        if self.task.watch(None).is_ok() { Err(interrupt) } else { Ok(()) }
    }
}

impl<T> fmt::Debug for ScopedTaskHandle<'_, T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("TaskHandle")
            .field("name", &self.name())
            .field("finished", &self.task.is_over())
            .finish_non_exhaustive()
    }
}
