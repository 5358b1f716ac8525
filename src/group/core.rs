//! What everybody who has to do with one group shares; and how its tasks are run.
//!
//! The pool sees runners, at most `limit` of them at a time: closures that take tasks from the group's own queue. So a task that waits for
//! its group's limit occupies no worker and no place in the pool's queue.

use std::sync::Arc;
use std::time::Duration;

use super::done::Done;
use super::inside::{self, Inside};
use super::ledger::Ledger;
use super::line::{Line, Next};
use super::refusal::PoolGone;
use crate::cancel::{CancellationToken, Cancelled};
use crate::panics;
use crate::pool::{Pace, Submitter, drop_quietly};
use crate::sync::time;
use crate::trace::{TaskEnd, TaskSpan};

/// After so many tasks, or so much time, a runner lets the other tasks of a pool that is not the group's own pass.
const TURN_TASKS: u32 = 32;
const TURN_TIME: Duration = Duration::from_millis(1);

/// What a task does.
pub(super) trait Work<'env, T, E>: Send {
    /// Whether it may wait for permits, some of which its spawner may hold.
    fn may_wait(&self) -> bool {
        false
    }

    /// Whether it would wait for permits that the calling thread holds.
    fn would_wait_for_itself(&self) -> bool {
        false
    }

    fn work(
        self: Box<Self>,
        core: &Arc<Core<'env, T, E>>,
        index: u64,
        name: Option<&Arc<str>>,
    ) -> Result<T, E>
    where
        T: Send + 'env,
        E: Send + Sync + 'env;
}

/// A task that has not started.
pub(super) struct Job<'env, T, E> {
    pub(super) index: u64,
    pub(super) name: Option<Arc<str>>,
    pub(super) work: Box<dyn Work<'env, T, E> + 'env>,
    pub(super) span: TaskSpan,
}

pub(super) struct Core<'env, T, E> {
    pub(super) id: u64,
    pub(super) line: Line<Job<'env, T, E>>,
    pub(super) ledger: Ledger<'env, T, E>,
    /// The group's own token.
    pub(super) token: CancellationToken,
    /// What cancels it: the token that the group was given, and that of a shared pool. Who sees one of them cancelled may be earlier
    /// than the group's own.
    above: Vec<CancellationToken>,
    pub(super) pool: Submitter<'env>,
    /// Whether the pool has other users.
    pub(super) shares: bool,
}

/// The numbers that a group is made with.
pub(super) struct Bounds {
    pub(super) limit: usize,
    pub(super) queue_bound: usize,
}

/// A runner that was asked for. If it is dropped before it starts, the group hears of it.
struct Hired<'env, T: Send + 'env, E: Send + Sync + 'env>(Option<Arc<Core<'env, T, E>>>);

impl<'env, T: Send + 'env, E: Send + Sync + 'env> Hired<'env, T, E> {
    fn start(mut self) {
        if let Some(core) = self.0.take().filter(|core| core.line.start()) {
            core.work();
        }
    }
}

impl<'env, T: Send + 'env, E: Send + Sync + 'env> Drop for Hired<'env, T, E> {
    fn drop(&mut self) {
        // Its pool refused it, handed it back, or was purged.
        let Some(core) = self.0.take() else { return };
        let alone = core.line.unhired();
        if core.token.is_cancelled() {
            core.purge();
        } else if !core.pool.is_refusing() {
            // Also where others run: what they are at may wait for what is queued, or take long.
            core.rescue();
        } else if alone {
            core.abandon();
        }
    }
}

impl<'env, T: Send + 'env, E: Send + Sync + 'env> Core<'env, T, E> {
    pub(super) fn new(
        pool: Submitter<'env>,
        shares: bool,
        bounds: &Bounds,
        token: Option<CancellationToken>,
        done: Done<'env, T, E>,
        resumes: bool,
    ) -> Arc<Self> {
        let line = Line::new(bounds.limit, bounds.queue_bound);
        let own = token.as_ref().map_or_else(CancellationToken::new, CancellationToken::child);
        let stop = shares.then(|| pool.stop_token().clone());
        let above = token.into_iter().chain(stop).collect();
        let ledger = Ledger::new(done, resumes);
        Arc::new(Self { id: inside::new_id(), line, ledger, token: own, above, pool, shares })
    }

    /// Whether the calling thread is in a task of the pool but not of the group: it may wait, and runs the group's tasks meanwhile.
    pub(super) fn is_helper(&self) -> bool {
        self.shares && self.pool.is_inside()
    }

    /// Why the group is cancelled, or about to be.
    pub(super) fn cause(&self) -> Option<Cancelled> {
        self.token.cause().or_else(|| self.above.iter().find_map(CancellationToken::cause))
    }

    /// Has the pool start a runner, which is counted as hired already. It takes no place of the pool's bound: the group has bounds of its own,
    /// and tasks whose runner was refused would lie there until somebody comes.
    #[cold]
    pub(super) fn hire(self: &Arc<Self>) {
        let hired = Hired(Some(Arc::clone(self)));
        drop(self.pool.submit_beyond(move || hired.start()));
    }

    /// Hires a runner if there are too few: after a helper has left, or when one was purged.
    pub(super) fn rescue(self: &Arc<Self>) {
        if self.shares && self.line.is_short_handed() {
            self.hire();
        }
    }

    /// Runs one task as a helper, who is counted as active already. One, so that it sees in time that its wait is over. False if the next one would
    /// wait for a permit of the helper itself, and others have to run it.
    #[cold]
    pub(super) fn help(self: &Arc<Self>) -> bool {
        let inside = Inside::enter(self.id);
        let Next::Run { job, hire, .. } = self.line.next(0, false, &mut false) else { return true };
        (0..hire).for_each(|_| self.hire());
        if job.work.would_wait_for_itself() {
            self.line.put_back(job);
            self.rescue();
            return false;
        }
        self.run(job);
        drop(inside);
        self.line.leave();
        true
    }

    /// The life of an active runner.
    pub(super) fn work(self: &Arc<Self>) {
        let _inside = Inside::enter(self.id);
        let mut pace = Pace::new();
        let (mut ended, mut lingering) = (0, false);
        let mut turn = (0, time::now());
        loop {
            match self.line.next(ended, pace.lingers(), &mut lingering) {
                Next::Leave => return,
                Next::Linger => {
                    ended = 0;
                    pace.linger();
                }
                Next::Run { job, refill, hire } => {
                    if let Some(there) = refill {
                        pace.visited(there);
                    }
                    (0..hire).for_each(|_| self.hire());
                    self.run(job);
                    pace.ran();
                    ended = 1;
                    if self.shares && self.lets_others_pass(&mut turn, &mut ended) {
                        return;
                    }
                }
            }
        }
    }

    /// At the end of a turn: goes to the end of the pool's queue, if anybody is in it; true if it did.
    fn lets_others_pass(self: &Arc<Self>, turn: &mut (u32, time::Instant), ended: &mut u64) -> bool {
        turn.0 += 1;
        if turn.0 < TURN_TASKS && time::now().saturating_duration_since(turn.1) < TURN_TIME {
            return false;
        }
        *turn = (0, time::now());
        if self.pool.queued() == 0 || self.pool.is_closed() {
            return false;
        }
        // The end of the last task first: somebody may wait for it.
        self.line.end(std::mem::take(ended));
        self.line.hire_one_more();
        let hired = Hired(Some(Arc::clone(self)));
        self.pool.submit_beyond(move || hired.start()).is_ok() && self.line.steps_back()
    }

    /// Runs a task, or drops it if the group is cancelled. Its end is still to be counted.
    #[inline]
    pub(super) fn run(self: &Arc<Self>, job: Job<'env, T, E>) {
        if self.token.is_cancelled() {
            drop_quietly(job);
            self.ledger.unrun(1);
            self.purge();
            return;
        }
        let Job { index, name, work, span } = job;
        let called = || name.as_deref().unwrap_or("task").to_owned();
        let body = || panics::catch(called, || work.work(self, index, name.as_ref()));
        let result = span.run(
            || self.pool.worker_here(),
            body,
            |result| match result {
                Ok(Ok(_)) => TaskEnd::Ok,
                Ok(Err(_)) => TaskEnd::Failed,
                Err(_) => TaskEnd::Panicked,
            },
        );
        self.ledger.record(index, name.as_ref(), result, &self.token, || self.cause().is_some());
    }

    /// Drops all tasks that have not started; true if there were any.
    pub(super) fn purge(&self) -> bool {
        let jobs = self.line.purge();
        let count = jobs.len() as u64;
        if count > 0 {
            // One that owns the group cannot wait for it in its drop: it is one of those waited for.
            let _inside = Inside::enter(self.id);
            jobs.into_iter().for_each(drop_quietly);
            self.line.end_unrun(count, || self.ledger.unrun(count));
        }
        count > 0
    }

    /// Ends a group whose pool runs nothing any more.
    pub(super) fn abandon(&self) {
        self.token.cancel_with(PoolGone);
        self.purge();
    }
}
