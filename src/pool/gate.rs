//! What everybody who touches a pool shares, whatever its tasks borrow: phase, counts, and who waits for what.
//!
//! # Invariants
//! 1. The phase only goes forward: open, closed, stopping.
//! 2. A submitter counts its attempt and then reads the phase; whoever closes writes the phase and then reads the counts.
//!    So a pool that is closed and quiet stays quiet: no task is on its way into the queue.
//! 3. `finished` is set once, by whoever first sees the pool closed and quiet. Workers leave when it is set, and only then.
//! 4. Every change that can make the pool quiet is followed by [`Gate::settle`]: for a worker, at the latest when it finds
//!    the queue empty.
//!
//! Lock order: a task's lock, `space`, `quiet`, the wake-up's lock; callbacks of tokens start with none held.

use std::mem;
use std::sync::Arc;
use std::time::Duration;

use super::counters::Counters;
use super::quiet::Quiet;
use super::running::Running;
use super::space::Space;
use crate::cancel::{CancellationToken, Cancelled};
use crate::panics::Panic;
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicBool, AtomicU8, Ordering, fence};
use crate::sync::time::{self, Instant};
use crate::wakeup::WakeUp;

/// How far a pool has come. Ordered: see invariant 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    /// Takes tasks.
    Open = 0,
    /// Takes no more tasks, and runs those it has.
    Closed = 1,
    /// Hands back the tasks that have not started.
    Stopping = 2,
}

#[derive(Debug)]
pub(super) struct Gate {
    pub(super) name: Arc<str>,
    pub(super) bound: usize,
    /// How long a stopping pool waits for its running tasks before it reports them.
    pub(super) grace: Duration,
    /// The user's token for the whole pool.
    pub(super) token: Option<CancellationToken>,
    /// Parent of the tokens of all tasks: cancelled with `token`, and when the pool stops.
    pub(super) stop: CancellationToken,
    pub(super) counters: Counters,
    pub(super) running: Running,
    pub(super) space: Space,
    pub(super) wakeup: WakeUp,
    phase: AtomicU8,
    finished: AtomicBool,
    quiet: Quiet,
    /// Panics of hooks and of the ends of workers' states.
    panics: Mutex<Vec<Panic>>,
}

impl Gate {
    pub(super) fn new(
        name: Arc<str>,
        workers: usize,
        bound: usize,
        grace: Duration,
        token: Option<CancellationToken>,
    ) -> Self {
        let stop = token.as_ref().map_or_else(CancellationToken::new, CancellationToken::child);
        Self {
            name,
            bound,
            grace,
            token,
            stop,
            counters: Counters::new(workers),
            running: Running::new(workers),
            space: Space::new(),
            wakeup: WakeUp::new(),
            phase: AtomicU8::new(Phase::Open as u8),
            finished: AtomicBool::new(false),
            quiet: Quiet::new(),
            panics: Mutex::new(Vec::new()),
        }
    }

    #[inline]
    pub(super) fn phase(&self) -> Phase {
        match self.phase.load(Ordering::SeqCst) {
            0 => Phase::Open,
            1 => Phase::Closed,
            _ => Phase::Stopping,
        }
    }

    /// Moves on to `phase`, if the pool is not there yet, and tells everybody who has to know.
    pub(super) fn advance(&self, phase: Phase) {
        self.phase.fetch_max(phase as u8, Ordering::SeqCst);
        self.running.stamp();
        self.space.offer_all();
        self.settle();
    }

    /// The cause, if the token of the whole pool is cancelled.
    #[inline]
    pub(super) fn cancelled(&self) -> Option<Cancelled> {
        self.token.as_ref().filter(|token| token.is_cancelled()).and_then(CancellationToken::cause)
    }

    /// Wakes the blocked submitters and those who wait for quiet: the pool's token was cancelled. Workers need no call:
    /// while tasks are queued, no worker is idle for long, and each looks at the token before it runs one.
    pub(super) fn wake_everybody(&self) {
        self.space.offer_all();
        self.quiet.notify();
    }

    /// Looks whether the change just made was the last one that somebody waits for.
    pub(super) fn settle(&self) {
        fence(Ordering::SeqCst);
        let closed = self.phase.load(Ordering::Relaxed) != Phase::Open as u8;
        if !(closed || self.quiet.is_awaited()) || !self.counters.quiet() {
            return;
        }
        if closed && !self.finished.swap(true, Ordering::SeqCst) {
            self.wakeup.wake_all();
        }
        self.quiet.notify();
    }

    /// Whether the pool is closed and every task has ended, for good.
    #[inline]
    pub(super) fn is_finished(&self) -> bool {
        self.finished.load(Ordering::SeqCst)
    }

    /// Keeps a panic that belongs to no task, for the report.
    pub(super) fn note_panic(&self, panic: Panic) {
        self.panics.lock().push(panic);
    }

    pub(super) fn take_panics(&self) -> Vec<Panic> {
        mem::take(&mut *self.panics.lock())
    }

    /// Waits for an instant without pending tasks; `Some(Err(..))` if `ended` ends the wait, `None` at the deadline.
    pub(super) fn wait_quiet<E>(
        &self,
        deadline: Option<Instant>,
        mut ended: impl FnMut() -> Option<E>,
    ) -> Option<Result<(), E>> {
        self.quiet.wait(deadline, || if self.counters.quiet() { Some(Ok(())) } else { ended().map(Err) })
    }

    /// Wakes those who wait for quiet, because what ends their wait has changed.
    pub(super) fn recheck_quiet(&self) {
        self.quiet.notify();
    }

    /// Waits until the pool is closed and every task has ended; false at the deadline.
    pub(super) fn wait_finished(&self, deadline: Option<Instant>) -> bool {
        // A quiet pool that is closed is finished, whoever sees it first.
        self.settle();
        self.quiet.wait(deadline, || self.is_finished().then_some(())).is_some()
    }
}

/// The instant `after` from now; `None` if it is beyond what the clock can say, which is as good as never.
pub(super) fn deadline(after: Duration) -> Option<Instant> {
    time::now().checked_add(after)
}
