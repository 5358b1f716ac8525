//! The way in: spawning tasks, and cancelling the group.

use std::fmt;
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use super::core::{Core, Job, Work};
use super::inside::{self, Inside, MAX_DEPTH};
use super::line::NotIn;
use super::patience::{Naps, Patience, park};
use super::refusal::{GroupRefusal, SpawnError};
use super::waits::Wait;
use crate::cancel::CancellationToken;
use crate::policy;
use crate::sync::thread;
use crate::sync::time::{self, Instant};
use crate::trace::{TaskEnd, TaskSpan};

/// How often a spawner gives its core away before it parks: short tasks make room sooner than a thread can go to sleep.
const YIELDS: u32 = 4;

/// Spawns tasks into a group. Cheap to clone, and independent of who owns the group: what other threads and tasks take along.
///
/// [`ErrorGroup`](super::ErrorGroup) lends its own by dereferencing, and a task gets one from its
/// [`GroupContext`](super::GroupContext::group). A spawner that outlives its group is harmless: every task is refused.
pub struct Spawner<'env, T, E> {
    pub(super) core: Arc<Core<'env, T, E>>,
}

struct Plain<F>(F);

impl<'env, T, E, F: FnOnce() -> Result<T, E> + Send> Work<'env, T, E> for Plain<F> {
    fn work(
        self: Box<Self>,
        _core: &Arc<Core<'env, T, E>>,
        _index: u64,
        _name: Option<&Arc<str>>,
    ) -> Result<T, E>
    where
        T: Send + 'env,
        E: Send + Sync + 'env,
    {
        (self.0)()
    }
}

impl<'env, T: Send + 'env, E: Send + Sync + 'env> Spawner<'env, T, E> {
    /// Spawns a task; waits while there is no room.
    ///
    /// There is room while fewer than [limit](super::ErrorGroupBuilder::limit) +
    /// [queue bound](super::ErrorGroupBuilder::queue_bound) tasks have not ended.
    ///
    /// # Cost
    /// An empty task takes 0.93 times what a boxed closure takes through a bounded crossbeam channel, on two threads
    /// (`benches/versus`, error group; two cores).
    ///
    /// # From a task
    /// A task that spawns into its own group never waits: where there is no room it runs the new task at once, on its own thread; 64
    /// runs, each inside the other, are the most. A task of the group's pool that is not one of the group's runs tasks of the group
    /// while it waits.
    ///
    /// # Errors
    /// The group is done or cancelled, before or during the wait; a wait has given its answer; or the pool that it was given is closed. The
    /// calling thread is in 64 such runs already ([`GroupRefusal::Full`]). The task is in the error, unchanged.
    ///
    /// A refusal that keeps the group from doing all that it was given (it is cancelled, or its pool is closed) is remembered: the wait
    /// tells it. So a loop that spawns may end at the first error and leave the rest to the wait.
    ///
    /// # Cancellation
    /// The group's token ends the wait.
    pub fn spawn<F>(&self, task: F) -> Result<(), SpawnError<F>>
    where
        F: FnOnce() -> Result<T, E> + Send + 'env,
    {
        self.enter(None, Plain(task), Patience::Until(None)).map_err(plain)
    }

    /// Spawns a task if there is room for it now.
    ///
    /// # Errors
    /// As for [`spawn`](Self::spawn), and if there is no room. The task is in the error, unchanged.
    pub fn try_spawn<F>(&self, task: F) -> Result<(), SpawnError<F>>
    where
        F: FnOnce() -> Result<T, E> + Send + 'env,
    {
        self.enter(None, Plain(task), Patience::None).map_err(plain)
    }

    /// Spawns a task; waits at most `timeout` while there is no room. `Duration::MAX` waits without limit.
    ///
    /// # Errors
    /// As for [`spawn`](Self::spawn), and if there was no room all the time. The task is in the error, unchanged.
    pub fn spawn_timeout<F>(&self, task: F, timeout: Duration) -> Result<(), SpawnError<F>>
    where
        F: FnOnce() -> Result<T, E> + Send + 'env,
    {
        self.enter(None, Plain(task), Patience::timeout(timeout)).map_err(plain)
    }

    /// The group's own token, cancelled when the group is done; a child of the one that it was given.
    pub fn token(&self) -> &CancellationToken {
        &self.core.token
    }

    /// Cancels the group: tasks that have not started never do, running ones find their tokens cancelled, and spawning is refused.
    /// `true` if this call did it.
    #[track_caller]
    pub fn cancel(&self) -> bool {
        let first = self.core.token.cancel();
        self.core.purge();
        first
    }

    /// How many tasks may run at a time.
    pub fn limit(&self) -> usize {
        self.core.line.limit()
    }

    /// How many tasks may wait for those that run.
    pub fn queue_bound(&self) -> usize {
        self.core.line.queue_bound()
    }

    /// How many tasks have not ended.
    pub fn pending(&self) -> u64 {
        let (spawned, ended) = self.core.line.counts();
        spawned - ended
    }

    pub(super) fn enter<W: Work<'env, T, E> + 'env>(
        &self,
        name: Option<Arc<str>>,
        work: W,
        patience: Patience,
    ) -> Result<(), SpawnError<W>> {
        // It would wait for a permit that this thread gives up only when it comes back: for ever.
        let must_queue = work.may_wait() && policy::holds_permits();
        // Before the job is made, which is done under a lock.
        let mut span = TaskSpan::new(self.core.pool.name(), name.as_deref(), None::<&String>, 0);
        let mut held = Some(Box::new(work));
        let mut given = name;
        let mut job = |index| {
            let Some(work) = held.take() else { unreachable!("a task is made once") };
            Job { index, name: given.take(), work, span: mem::replace(&mut span, TaskSpan::NONE) }
        };
        self.admit(&mut job, patience, must_queue).map_err(|refusal| {
            span.end(TaskEnd::Refused);
            let Some(work) = held else { unreachable!("a refused task was not made") };
            self.refuse(given, *work, refusal)
        })
    }

    #[cold]
    fn refuse<W>(&self, name: Option<Arc<str>>, work: W, refusal: GroupRefusal) -> SpawnError<W> {
        if let Some(cause) = refusal.cause() {
            self.core.ledger.refused(cause);
        }
        SpawnError::new(name, work, refusal)
    }

    fn admit(
        &self,
        job: &mut dyn FnMut(u64) -> Job<'env, T, E>,
        patience: Patience,
        must_queue: bool,
    ) -> Result<(), GroupRefusal> {
        let core = &self.core;
        self.check()?;
        loop {
            match core.line.push(&mut *job) {
                Ok(false) => return Ok(()),
                Ok(true) => {
                    core.hire();
                    return Ok(());
                }
                Err(NotIn::Closed) => return Err(GroupRefusal::Closed),
                Err(NotIn::Full) if core.line.refresh() => {}
                Err(NotIn::Full) => match patience {
                    Patience::None => return Err(GroupRefusal::Full),
                    // Nor may it wait for room without end: the others may be waiting for that permit.
                    Patience::Until(None) if must_queue => return Err(GroupRefusal::PermitHeld),
                    Patience::Until(_) if !must_queue && inside::depth(core.id) > 0 => {
                        return self.run_inline(job);
                    }
                    Patience::Until(until) => self.wait_for_room(until)?,
                },
            }
        }
    }

    fn check(&self) -> Result<(), GroupRefusal> {
        let core = &self.core;
        match core.token.cause() {
            Some(cause) => Err(GroupRefusal::Cancelled(cause)),
            None if core.shares && core.pool.is_closed() => Err(GroupRefusal::PoolClosed),
            None => Ok(()),
        }
    }

    #[cold]
    fn run_inline(&self, job: &mut dyn FnMut(u64) -> Job<'env, T, E>) -> Result<(), GroupRefusal> {
        let core = &self.core;
        if inside::depth(core.id) > MAX_DEPTH {
            return Err(GroupRefusal::Full);
        }
        let index = core.line.admit_inline().map_err(|_| GroupRefusal::Closed)?;
        let inside = Inside::enter(core.id);
        core.run(job(index));
        drop(inside);
        core.line.end(1);
        Ok(())
    }

    /// Returns when there may be room.
    #[cold]
    fn wait_for_room(&self, until: Option<Instant>) -> Result<(), GroupRefusal> {
        let core = &self.core;
        // Under a model it would only add schedules that differ in nothing.
        if !cfg!(any(gristmill_shuttle, gristmill_loom)) {
            for _ in 0..YIELDS {
                thread::yield_now();
                if core.line.refresh() {
                    return Ok(());
                }
            }
        }
        let helps = core.is_helper();
        let _registration = core.token.unpark_me();
        let (mut naps, mut helped, mut refused) = (Naps::new(), false, false);
        let answer = loop {
            if let Err(refusal) = self.check() {
                break Err(refusal);
            }
            let wait = core.line.wait_for_room(helps && !refused);
            if wait == Wait::Quiet {
                break Ok(());
            }
            if wait == Wait::Help {
                refused = !core.help();
                helped = true;
            }
            if until.is_some_and(|until| until <= time::now()) {
                break Err(GroupRefusal::TimedOut);
            }
            if wait == Wait::Park {
                // Room that was freed while every runner is stuck in a long task is used after a nap, and not never; and so is what may be run by then.
                park(until, (refused || core.line.naps()).then_some(&mut naps), [&core.token]);
                refused = false;
            }
        };
        core.line.forget();
        if helped {
            core.rescue(); // what it leaves to others
        }
        answer
    }
}

fn plain<F>(error: SpawnError<Plain<F>>) -> SpawnError<F> {
    error.map(|Plain(task)| task)
}

impl<T, E> Clone for Spawner<'_, T, E> {
    fn clone(&self) -> Self {
        Self { core: Arc::clone(&self.core) }
    }
}

impl<T, E> fmt::Debug for Spawner<'_, T, E> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (spawned, ended) = self.core.line.counts();
        formatter
            .debug_struct("Spawner")
            .field("limit", &self.core.line.limit())
            .field("pending", &(spawned - ended))
            .finish_non_exhaustive()
    }
}
