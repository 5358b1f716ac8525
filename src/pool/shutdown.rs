//! Ending a pool: close, stop, wait, join, report.
//!
//! # Invariants
//! 1. Threads are joined only when the pool is finished (closed, and every task has ended), so that a join cannot wait for
//!    a task. They are joined under `joins`, so that a second shutdown returns no earlier than the first.
//! 2. A worker of the pool never waits for the pool and never joins: it would wait for itself.
//!
//! Lock order: `joins` before all others.

use std::fmt;
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use super::core::Core;
use super::error::UNNAMED;
use super::gate::{Phase, deadline};
use super::report::{ReturnedTask, ShutdownReport, StuckTask};
use super::running::Sighting;
use super::seat::Seat;
use crate::cancel::Registration;
use crate::sync::Mutex;

/// How a pool ends. All ways close it first: nothing more is accepted, from its own tasks either.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Shutdown {
    /// Every accepted task runs; waits without limit.
    Drain,
    /// Drains for at most this long, then goes on as [`Abort`](Self::Abort). `Duration::ZERO` is `Abort`, and
    /// `Duration::MAX` is `Drain`.
    DrainFor(Duration),
    /// Hands back what has not started, cancels the tokens of what runs, and waits for that for at most the pool's
    /// [`stop_grace`](super::ThreadPoolBuilder::stop_grace).
    Abort,
}

/// Waits for one thread to end. What a worker returns is nothing, and a worker does not panic.
pub(super) type Join<'scope> = Box<dyn FnOnce() + Send + 'scope>;

/// The threads of a pool, in the hands of its owner.
pub(super) struct Threads<'scope> {
    /// `None` once the threads were let go.
    joins: Mutex<Option<Vec<Join<'scope>>>>,
    /// Wakes who waits in the pool when the pool's token is cancelled.
    _cancelled: Option<Registration>,
}

impl<'scope> Threads<'scope> {
    pub(super) fn new(joins: Vec<Join<'scope>>, cancelled: Option<Registration>) -> Self {
        Self { joins: Mutex::new(Some(joins)), _cancelled: cancelled }
    }

    /// Ends the pool in the given way and says what became of its tasks.
    pub(super) fn shutdown<'env>(&self, core: &Core<'env>, mode: Shutdown) -> ShutdownReport<'env> {
        let gate = &*core.gate;
        gate.advance(Phase::Closed);
        let drain = match mode {
            Shutdown::Drain => Duration::MAX,
            Shutdown::DrainFor(time) => time,
            Shutdown::Abort => Duration::ZERO,
        };
        if Seat::current_of(gate).is_some() {
            if drain.is_zero() {
                stop(core);
            }
            return report(core, false);
        }
        if !drain.is_zero() && gate.wait_finished(deadline(drain)) {
            return self.finish(core);
        }
        stop(core);
        if gate.wait_finished(deadline(gate.grace)) { self.finish(core) } else { report(core, false) }
    }

    fn finish<'env>(&self, core: &Core<'env>) -> ShutdownReport<'env> {
        self.join();
        let report = report(core, true);
        debug_assert_eq!(report.totals.submitted, report.totals.ended(), "the counts close");
        report
    }

    /// Joins the threads of a pool that is finished.
    pub(super) fn join(&self) {
        let mut joins = self.joins.lock();
        joins.iter_mut().flat_map(mem::take).for_each(|join| join());
    }

    /// What the drop of an owner does: drain, from outside. From one of the pool's own tasks: close, and let the threads
    /// end by themselves once the queue is drained.
    pub(super) fn drain_on_drop(&self, core: &Core<'_>) {
        core.gate.advance(Phase::Closed);
        if Seat::current_of(&core.gate).is_some() {
            self.let_go();
        }
        if self.joins.lock().is_some() {
            core.gate.wait_finished(None);
            self.join();
        }
    }

    /// Forgets the threads: they end by themselves when the pool is finished.
    pub(super) fn let_go(&self) {
        *self.joins.lock() = None;
    }
}

/// Makes the pool hand back what has not started, and asks what runs to stop.
fn stop(core: &Core<'_>) {
    // The phase first: a worker that takes a task from now on hands it back, and does not run it under a dead token.
    core.gate.advance(Phase::Stopping);
    core.gate.stop.cancel();
    core.hand_back_queue();
}

fn report<'env>(core: &Core<'env>, joined: bool) -> ShutdownReport<'env> {
    let stuck = |sighting: Sighting| StuckTask {
        name: sighting.name.unwrap_or_else(|| Arc::from(UNNAMED)),
        worker: sighting.worker,
        elapsed: sighting.elapsed,
    };
    ShutdownReport {
        totals: if joined { core.gate.counters.closed() } else { core.gate.counters.totals() },
        returned: core.take_returned().into_iter().map(ReturnedTask::new).collect(),
        stuck: if joined {
            Vec::new()
        } else {
            core.gate.running.sightings().into_iter().map(stuck).collect()
        },
        panics: core.gate.take_panics(),
        joined,
    }
}

impl fmt::Debug for Threads<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Threads")
            .field("unjoined", &self.joins.lock().as_ref().map(Vec::len))
            .finish_non_exhaustive()
    }
}
