//! The threads of a pool: hiring workers, and joining them when they have left.
//!
//! # Invariants
//! 1. A worker's index is free again when its thread has been joined: two threads never have one index at a time.
//! 2. Threads are joined only after they left the pool (it is finished, or it shrinks), so that a join cannot wait for a task.
//! 3. A worker of the pool never waits for the pool and never joins: it would wait for itself.
//! 4. Whoever changes the size, or joins workers, holds `roster`: a second shutdown returns no earlier than the first. Nobody waits for a
//!    task meanwhile, nor for the supervisor: the task, or the hook of slow tasks, may want it.
//! 5. The supervisor is joined under `supervisor`, when the workers are joined and none can be hired any more.
//!
//! Lock order: `supervisor` by itself; `roster` before all others.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::sync::Arc;

use super::core::Core;
use super::error::{BuildError, ResizeError};
use super::gate::Phase;
use super::seat;
use super::task::drop_quietly;
use super::worker::{Plan, live};
use crate::cancel::Registration;
use crate::panics::Panic;
use crate::sync::channel::{Receiver, Sender, bounded};
use crate::sync::{Mutex, MutexGuard, thread};

/// Waits for one thread to end. What a worker returns is nothing, and a worker does not panic.
pub(super) type Join<'scope> = Box<dyn FnOnce() + Send + 'scope>;

/// The whole life of one worker.
pub(super) type Life<'scope> = Box<dyn FnOnce() + Send + 'scope>;

/// Starts one thread.
pub(super) type Spawn<'scope> =
    Arc<dyn Fn(thread::Builder, Life<'scope>) -> io::Result<Join<'scope>> + Send + Sync + 'scope>;

/// Why a worker could not be hired. The pool goes on with those it has.
#[derive(Debug)]
pub(super) enum HireError {
    Thread { worker: usize, source: io::Error },
    State { worker: usize, source: Panic },
}

impl From<HireError> for BuildError {
    fn from(error: HireError) -> Self {
        match error {
            HireError::Thread { worker, source } => Self::Thread { worker, source },
            HireError::State { worker, source } => Self::State { worker, source },
        }
    }
}

impl From<HireError> for ResizeError {
    fn from(error: HireError) -> Self {
        match error {
            HireError::Thread { worker, source } => Self::Thread { worker, source },
            HireError::State { worker, source } => Self::State { worker, source },
        }
    }
}

type Made = (usize, Result<(), Panic>);

type Hire<'scope> =
    Box<dyn Fn(usize, Option<Sender<Made>>) -> io::Result<Join<'scope>> + Send + Sync + 'scope>;

/// The threads of a pool, in the hands of its owner.
pub(super) struct Threads<'scope> {
    roster: Mutex<Roster<'scope>>,
    supervisor: Mutex<Option<Join<'scope>>>,
    /// Starts the thread of one worker, which says there how the making of its state went.
    hire: Hire<'scope>,
    spawn: Spawn<'scope>,
    /// Whether the workers have a state whose making can fail.
    await_state: bool,
    /// Wakes who waits in the pool when the pool's token is cancelled.
    _cancelled: Option<Registration>,
}

/// Who is there.
pub(super) struct Roster<'scope> {
    /// `None` once the threads were joined for good, or let go.
    joins: Option<BTreeMap<usize, Join<'scope>>>,
}

impl<'scope> Threads<'scope> {
    pub(super) fn new<'env: 'scope, S: 'static>(
        core: &Arc<Core<'env>>,
        plan: Plan<'env, S>,
        stack_size: Option<usize>,
        await_state: bool,
        spawn: Spawn<'scope>,
    ) -> Self {
        let gate = &core.gate;
        let cancelled = gate.token.as_ref().map(|token| {
            let gate = Arc::downgrade(gate);
            token.wake_on_cancel(move || gate.upgrade().iter().for_each(|gate| gate.wake_everybody()))
        });
        let (core, start) = (Arc::clone(core), Arc::clone(&spawn));
        let hire = move |worker, states: Option<Sender<Made>>| {
            let mut thread = thread::Builder::new().name(format!("{}-{worker}", core.gate.name));
            if let Some(bytes) = stack_size {
                thread = thread.stack_size(bytes);
            }
            let (core, plan) = (Arc::clone(&core), plan.clone());
            let life = move || {
                live(&core, worker, plan, |made| {
                    if let Some(states) = states {
                        // Only somebody who has failed already does not listen.
                        let _ = states.send((worker, made));
                    }
                });
            };
            start(thread, Box::new(life))
        };
        Self {
            roster: Mutex::new(Roster { joins: Some(BTreeMap::new()) }),
            supervisor: Mutex::new(None),
            hire: Box::new(hire),
            spawn,
            await_state,
            _cancelled: cancelled,
        }
    }

    pub(super) fn roster(&self) -> MutexGuard<'_, Roster<'scope>> {
        self.roster.lock()
    }

    /// The roster, if nobody has it.
    pub(super) fn try_roster(&self) -> Option<MutexGuard<'_, Roster<'scope>>> {
        self.roster.try_lock()
    }

    /// Starts a thread that is no worker, and ends when the pool is finished.
    pub(super) fn start_supervisor(&self, name: &str, life: Life<'scope>) -> io::Result<()> {
        let thread = thread::Builder::new().name(format!("{name}-supervisor"));
        let join = (self.spawn)(thread, life)?;
        *self.supervisor.lock() = Some(join);
        Ok(())
    }

    /// Has `workers` workers from now on, as far as they can be hired; does not wait for those that leave.
    pub(super) fn apply(
        &self,
        roster: &mut Roster<'scope>,
        core: &Core<'_>,
        workers: usize,
    ) -> Result<usize, HireError> {
        Self::collect(roster, core);
        let leaving = core.aim(workers);
        if leaving == 0 {
            // Those who were told to leave and have not yet, stay: only the missing ones are hired.
            let there = roster.len() + workers.saturating_sub(core.workers());
            if let Err(error) = self.hire(roster, core, there) {
                core.aim(core.workers());
                core.gate.want(workers);
                return Err(error);
            }
        }
        core.gate.want(0);
        Ok(leaving)
    }

    /// Hires workers until there are `workers`, or one cannot be; waits until their states are made.
    pub(super) fn hire(
        &self,
        roster: &mut Roster<'scope>,
        core: &Core<'_>,
        workers: usize,
    ) -> Result<(), HireError> {
        let Some(joins) = &mut roster.joins else { return Ok(()) };
        let free = (0..).filter(|worker| !joins.contains_key(worker)).take(workers - joins.len());
        let free: Vec<usize> = free.collect();
        let (states, made) = if self.await_state { Some(bounded(free.len().max(1))) } else { None }.unzip();
        let mut failed = None;
        for worker in free {
            core.seat(worker);
            match (self.hire)(worker, states.clone()) {
                Ok(join) => _ = joins.insert(worker, join),
                Err(source) => {
                    core.unseat(worker);
                    failed = Some(HireError::Thread { worker, source });
                    break;
                }
            }
        }
        drop(states);
        failed.or_else(|| made.and_then(first_failure)).map_or(Ok(()), Err)
    }

    /// Joins the threads that have left the pool.
    pub(super) fn collect(roster: &mut Roster<'scope>, core: &Core<'_>) {
        let Some(joins) = &mut roster.joins else { return };
        for worker in core.gate.leavers.take() {
            if let Some(join) = joins.remove(&worker) {
                join();
            }
        }
    }

    /// Joins the threads of a pool that is finished.
    pub(super) fn join(&self) {
        let mut roster = self.roster.lock();
        for join in roster.joins.take().into_iter().flat_map(BTreeMap::into_values) {
            join();
        }
        drop(roster);
        let mut supervisor = self.supervisor.lock();
        supervisor.take().into_iter().for_each(|join| join());
    }

    /// What the drop of an owner does: drain, from outside. From one of the pool's own tasks: close, and let the threads
    /// end by themselves once the queue is drained.
    pub(super) fn drain_on_drop(&self, core: &Core<'_>) {
        core.advance(Phase::Closed);
        core.resume_for_good();
        if seat::is_inside(&core.gate) {
            self.let_go();
        }
        if self.roster.lock().joins.is_some() {
            core.gate.wait_finished(None);
            self.join();
        }
        core.forget_returned();
    }

    /// Forgets the threads: they end by themselves when the pool is finished.
    pub(super) fn let_go(&self) {
        self.roster.lock().joins = None;
        *self.supervisor.lock() = None;
    }
}

/// Waits for all states; the failure of the lowest worker.
fn first_failure(made: Receiver<Made>) -> Option<HireError> {
    let failures = made.into_iter().filter_map(|(worker, made)| made.err().map(|source| (worker, source)));
    let (worker, source) = failures.min_by_key(|(worker, _)| *worker)?;
    Some(HireError::State { worker, source })
}

impl Roster<'_> {
    /// How many threads there are, those included that have left and were not joined.
    pub(super) fn len(&self) -> usize {
        self.joins.as_ref().map_or(0, BTreeMap::len)
    }
}

impl Drop for Threads<'_> {
    fn drop(&mut self) {
        // The hooks may end here, and what they captured with them.
        let nobody = |_, _| Err(io::ErrorKind::Unsupported.into());
        drop_quietly(std::mem::replace(&mut self.hire, Box::new(nobody)));
    }
}

impl fmt::Debug for Threads<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Threads").field("unjoined", &self.roster.lock().len()).finish_non_exhaustive()
    }
}
