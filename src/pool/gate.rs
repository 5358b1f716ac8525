//! What everybody who touches a pool shares, whatever its tasks borrow: phase, counts, and who waits for what.
//!
//! # Invariants
//! 1. The phase only goes forward: open, closed, stopping.
//! 2. The phase is written under the queue's lock, and a submitter reads it, and counts its task, under the same lock. So whoever
//!    sees the pool closed sees every submission that was accepted, and a pool that is closed and quiet stays quiet.
//! 3. `finished` is set once, by whoever first sees the pool closed and quiet. Workers leave when it is set, and only then.
//! 4. Every change that can make the pool quiet is followed by [`Gate::settle`]: for a worker, at the latest when it finds
//!    the queue empty.
//!
//! Lock order: a task's lock, `space`, `quiet`, the wake-up's lock; callbacks of tokens start with none held.

use std::mem;
use std::sync::Arc;
use std::time::Duration;

use super::bells::Bells;
use super::counters::Counters;
use super::leavers::Leavers;
use super::limits::MAX_PANICS;
use super::meters::{EVERY, Meters};
use super::pace::Length;
use super::quiet::Quiet;
use super::running::Running;
use super::space::Space;
use crate::cancel::{CancellationToken, Cancelled};
use crate::panics::Panic;
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering, fence};
use crate::sync::time::{self, Instant};

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

const PHASE: u8 = 3;
/// Workers take no tasks until the pool is resumed.
pub(super) const PAUSED: u8 = 4;
/// There are more workers than there should be.
pub(super) const CROWDED: u8 = 8;

/// Panics that belong to no task.
#[derive(Debug, Default)]
pub(super) struct Noted {
    /// The first ones.
    pub(super) panics: Vec<Panic>,
    /// How many more there were.
    pub(super) more: u64,
}

/// Apart from other allocations' lines, as [`Core`](super::core::Core) is.
#[derive(Debug)]
#[repr(align(128))]
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
    pub(super) meters: Meters,
    pub(super) space: Space,
    pub(super) bells: Bells,
    pub(super) leavers: Leavers,
    /// The phase, and [`PAUSED`] and [`CROWDED`]. Written under the queue's lock only.
    status: AtomicU8,
    /// A [`Length`].
    length: AtomicU8,
    finished: AtomicBool,
    quiet: Quiet,
    /// How often what was known of rates has become void.
    reopened: AtomicU64,
    /// How many workers there should be, if they could not be had; 0 otherwise.
    unmet: AtomicUsize,
    /// Panics of hooks and of the ends of workers' states.
    panics: Mutex<Noted>,
}

impl Gate {
    pub(super) fn new(
        name: Arc<str>,
        bound: usize,
        grace: Duration,
        token: Option<CancellationToken>,
        one_each: bool,
    ) -> Self {
        let stop = token.as_ref().map_or_else(CancellationToken::new, CancellationToken::child);
        Self {
            name,
            bound,
            grace,
            token,
            stop,
            counters: Counters::new(),
            running: Running::new(),
            meters: Meters::new(),
            space: Space::new(),
            bells: Bells::new(one_each),
            leavers: Leavers::new(),
            status: AtomicU8::new(Phase::Open as u8),
            length: AtomicU8::new(Length::Long as u8),
            finished: AtomicBool::new(false),
            quiet: Quiet::new(),
            reopened: AtomicU64::new(0),
            unmet: AtomicUsize::new(0),
            panics: Mutex::new(Noted::default()),
        }
    }

    #[inline]
    pub(super) fn phase(&self) -> Phase {
        match self.status.load(Ordering::SeqCst) & PHASE {
            0 => Phase::Open,
            1 => Phase::Closed,
            _ => Phase::Stopping,
        }
    }

    /// Whether workers must look before they take a task: the pool is paused, or has more of them than it should.
    #[inline]
    pub(super) fn is_special(&self) -> bool {
        self.status.load(Ordering::Relaxed) & (PAUSED | CROWDED) != 0
    }

    /// Whether the pool is paused.
    pub(super) fn is_paused(&self) -> bool {
        self.status.load(Ordering::SeqCst) & PAUSED != 0
    }

    /// Whether workers have to leave.
    pub(super) fn is_crowded(&self) -> bool {
        self.status.load(Ordering::SeqCst) & CROWDED != 0
    }

    /// Moves on to `phase`, if the pool is not there yet; the caller holds the queue's lock.
    pub(super) fn raise(&self, phase: Phase) {
        if self.phase() < phase {
            let flags = self.status.load(Ordering::Relaxed) & !PHASE;
            self.status.store(flags | phase as u8, Ordering::SeqCst);
        }
    }

    /// Sets or clears a flag; the caller holds the queue's lock.
    pub(super) fn flag(&self, flag: u8, set: bool) {
        let others = self.status.load(Ordering::Relaxed) & !flag;
        self.status.store(if set { others | flag } else { others }, Ordering::SeqCst);
    }

    /// Tells everybody who has to know of a new phase.
    pub(super) fn announce(&self) {
        self.running.stamp();
        self.space.offer_all();
        self.settle();
    }

    /// Whether tasks take less than a sleep and a wake-up, as some worker found lately; a hint.
    #[inline]
    pub(super) fn tasks_are_short(&self) -> bool {
        self.length.load(Ordering::Relaxed) == Length::Short as u8
    }

    /// Whether tasks take so long that all of them can be timed; a hint.
    #[inline]
    pub(super) fn tasks_are_long(&self) -> bool {
        self.length.load(Ordering::Relaxed) == Length::Long as u8
    }

    /// Publishes what a worker measured; written only when it changes, since everybody reads it.
    #[inline]
    pub(super) fn note_length(&self, length: Length) {
        if self.length.load(Ordering::Relaxed) != length as u8 {
            self.length.store(length as u8, Ordering::Relaxed);
        }
    }

    /// Whether the task of that number is to be timed when it runs.
    #[inline]
    pub(super) fn is_timed(&self, number: u64) -> bool {
        number % EVERY == 0 || self.tasks_are_long()
    }

    /// The instant for a task that is queued now, if it is to be timed, and 0 otherwise.
    #[inline]
    pub(super) fn stamp(&self) -> u64 {
        if self.tasks_are_long() || self.counters.submitted() % EVERY == 0 { self.running.now() } else { 0 }
    }

    /// The cause, if the token of the whole pool is cancelled.
    #[inline]
    pub(super) fn cancelled(&self) -> Option<Cancelled> {
        self.token.as_ref().filter(|token| token.is_cancelled()).and_then(CancellationToken::cause)
    }

    /// Wakes everybody who waits for something: the pool's token was cancelled. Workers too, which may sleep until a rate
    /// allows the next start: cancelled tasks need no permit.
    pub(super) fn wake_everybody(&self) {
        self.space.offer_all();
        self.quiet.notify();
        self.reopen();
    }

    /// Has the workers forget what they know of rates, and look again.
    pub(super) fn reopen(&self) {
        // Before the wake-up: a worker that is about to park sees it, or is woken.
        self.reopened.fetch_add(1, Ordering::SeqCst);
        self.bells.wake_all();
    }

    /// Of when the present knowledge of rates is: what a limiter said before this number changed holds no more.
    pub(super) fn rates_version(&self) -> u64 {
        self.reopened.load(Ordering::SeqCst)
    }

    /// Looks whether the change just made was the last one that somebody waits for.
    pub(super) fn settle(&self) {
        fence(Ordering::SeqCst);
        let closed = self.phase() != Phase::Open;
        if !(closed || self.quiet.is_awaited()) || !self.counters.quiet() {
            return;
        }
        if closed && !self.finished.swap(true, Ordering::SeqCst) {
            self.bells.wake_all();
        }
        self.quiet.notify();
    }

    /// Whether the pool is closed and every task has ended, for good.
    #[inline]
    pub(super) fn is_finished(&self) -> bool {
        self.finished.load(Ordering::SeqCst)
    }

    /// Keeps a panic that belongs to no task, for the report; only counts it if there are [`MAX_PANICS`] already.
    pub(super) fn note_panic(&self, panic: Panic) {
        let mut noted = self.panics.lock();
        if noted.panics.len() < MAX_PANICS {
            noted.panics.push(panic);
            return;
        }
        noted.more += 1;
        drop(noted); // before `panic`: its payload is the user's
    }

    /// How many there were since a report took them, and the first.
    pub(super) fn panics_noted(&self) -> Option<(u64, String)> {
        let noted = self.panics.lock();
        let first = noted.panics.first()?.to_string();
        Some((noted.panics.len() as u64 + noted.more, first))
    }

    /// The workers that there should be could not be had; 0: there is nothing to complain of.
    pub(super) fn want(&self, workers: usize) {
        self.unmet.store(workers, Ordering::Relaxed);
    }

    /// How many workers there should be, if they could not be had.
    pub(super) fn unmet(&self) -> Option<usize> {
        Some(self.unmet.load(Ordering::Relaxed)).filter(|workers| *workers > 0)
    }

    pub(super) fn take_panics(&self) -> Noted {
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
