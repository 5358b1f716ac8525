//! What the clones of a limiter share: the schedule, and the queue of those who wait for their turn.
//!
//! # Invariants
//! 1. Nobody passes: permits are taken by the first of the queue, or by a caller who finds the queue empty.
//! 2. A thread takes for itself, at an instant that it reads when it is awake. Those who wait hold nothing, so one who leaves
//!    has nothing to give back, and permits are counted when they are used and not when they were promised.
//! 3. No lost turn. The first of the queue alone watches the clock. Whatever can make its instant an earlier one (what
//!    is given back, another rate) or another thread the first (the first leaves, for whatever reason) is done under the
//!    lock, and unparks the thread that is then the first. A thread looks at its place under the lock before each park, and
//!    an unpark in between is kept by the thread.
//! 4. An entry of the queue is removed by its own thread only.
//! 5. What is given back, and what is left to be paid off when the rate changes, goes by an instant that is read under the lock. An earlier one, from before
//!    others took theirs, would take what time has served for unserved: too much would come back, or be carried over into a rate a thousand times slower. A
//!    take by an earlier instant finds less than there is, and needs no lock for it.
//!
//! Lock order: `state`, then what a clock has inside. Threads are unparked and tokens are asked with it released: a token may
//! run callbacks of the user's when it is asked.

use std::sync::Arc;

use super::error::RateLimited;
use super::gcra::{Gcra, Scale, Slot};
use super::line::{Line, Look, Turn, check_weight};
use super::report::RateReport;
use super::reservation::TakesBack;
use super::setting::Rate;
use super::time::Time;
use super::wait::wait;
use crate::cancel::CancellationToken;
use crate::clock::Clock;
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::thread::Thread;
use crate::sync::time::Instant;
use crate::sync::{Mutex, MutexGuard};

crate::sync::process_static! {
    static NEXT_ID: AtomicU64 = AtomicU64::new(0);
}

#[derive(Debug)]
pub(super) struct Core {
    id: u64,
    time: Time,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    scale: Scale,
    line: Line,
    report: RateReport,
}

impl Core {
    pub(super) fn new(rate: Rate, time: Time) -> Self {
        let state = State {
            scale: Scale::new(rate, time.now()),
            line: Line::new(Gcra::new(0, 0)),
            report: RateReport::default(),
        };
        // Relaxed: it carries nothing, and no two get the same.
        Self { id: NEXT_ID.fetch_add(1, Ordering::Relaxed), time, state: Mutex::new(state) }
    }

    pub(super) fn id(&self) -> u64 {
        self.id
    }

    pub(super) fn clock(&self) -> &Arc<dyn Clock> {
        self.time.clock()
    }

    pub(super) fn now(&self) -> Instant {
        self.time.now()
    }

    pub(super) fn rate(&self) -> Rate {
        self.state.lock().scale.rate()
    }

    pub(super) fn report(&self) -> RateReport {
        let state = self.state.lock();
        RateReport { waiting: state.line.queue.len(), ..state.report }
    }

    /// Takes permits if they are there and nobody waits.
    #[inline]
    pub(super) fn try_take(&self, permits: u32) -> Result<(), RateLimited> {
        if permits == 0 {
            return Ok(());
        }
        let now = self.time.now();
        let mut state = self.state.lock();
        match state.take_unless_queued(permits, now) {
            Some(_) => Ok(()),
            None => Err(refuse(state, permits, now)),
        }
    }

    /// The same, to be given back: apart, since the slot costs what it takes to write it down.
    #[inline]
    pub(super) fn try_reserve(&self, permits: u32) -> Result<Option<Slot>, RateLimited> {
        if permits == 0 {
            return Ok(None);
        }
        let now = self.time.now();
        let mut state = self.state.lock();
        match state.take_unless_queued(permits, now) {
            Some(slot) => Ok(Some(slot)),
            None => Err(refuse(state, permits, now)),
        }
    }

    /// Takes permits; waits for them until `limit` (`None`: no limit) or until `token` is cancelled. `keep`: what to make of where they
    /// stand in the schedule, which is for giving them back.
    pub(super) fn take<R>(
        &self,
        permits: u32,
        limit: Option<Instant>,
        token: Option<&CancellationToken>,
        keep: impl Fn(Option<Slot>) -> R,
    ) -> Result<R, RateLimited> {
        if let Some(cause) = token.and_then(CancellationToken::cause) {
            self.state.lock().report.cancelled += 1;
            return Err(RateLimited::Cancelled(cause));
        }
        if permits == 0 {
            return Ok(keep(None));
        }
        let now = self.time.now();
        let mut state = self.state.lock();
        if let Some(slot) = state.take_unless_queued(permits, now) {
            return Ok(keep(Some(slot)));
        }
        check_weight(state.scale.rate(), permits)?;
        let (not_before, far) = state.line.earliest(&state.scale, permits, now);
        if limit.is_some_and(|limit| limit < not_before) {
            state.report.timed_out += 1;
            return Err(RateLimited::TimedOut { not_before, wait: far });
        }
        state.report.waited += 1;
        let turn = Turn { ticket: state.line.queue.enter(permits, now), permits, limit };
        drop(state);
        wait(&**self.time.clock(), token, |cancelled, now| {
            let mut state = self.state.lock();
            let State { scale, line, report } = &mut *state;
            let look = Line::look_aside(scale, &turn, cancelled)
                .map_or_else(|| line.look(scale, &turn, now), Look::Leave);
            match look {
                Look::Wait(until) => Err(until),
                Look::Leave(end) => {
                    let next = line.leave(turn.ticket, now, report);
                    let result = end.settle(permits, report, || line.earliest(scale, permits, now));
                    drop(state);
                    if let Some(next) = next {
                        next.unpark();
                    }
                    Ok(result.map(|slot| keep(Some(slot))))
                }
            }
        })
    }

    /// Changes the rate to what `change` makes of it. All who wait look again: their weight may be above a new burst.
    pub(super) fn change<E>(&self, change: impl FnOnce(Rate) -> Result<Rate, E>) -> Result<(), E> {
        let mut state = self.state.lock();
        let now = self.time.now();
        let before = state.scale;
        let after = before.with_rate(change(before.rate())?);
        if !after.is_same(&before) {
            let generation = state.line.gcra.generation() + 1;
            state.line.gcra.carry_over(&before, &after, generation, now);
        }
        state.scale = after;
        let waiters: Vec<Thread> = state.line.queue.threads().collect();
        drop(state);
        waiters.iter().for_each(Thread::unpark);
        Ok(())
    }
}

impl TakesBack for Core {
    // Invariant 3.
    fn give_back(&self, _: usize, slot: Slot, permits: u32) {
        let mut state = self.state.lock();
        let now = self.time.now();
        let State { scale, line, report } = &mut *state;
        line.gcra.give_back(scale, slot, permits, now);
        report.acquired -= u64::from(permits);
        report.given_back += u64::from(permits);
        let first = line.queue.first();
        drop(state);
        if let Some(first) = first {
            first.unpark();
        }
    }
}

/// Apart, so that the way of a permit that is there is short enough to be inlined.
#[cold]
#[inline(never)]
fn refuse(mut state: MutexGuard<'_, State>, permits: u32, now: Instant) -> RateLimited {
    if let Err(error) = check_weight(state.scale.rate(), permits) {
        return error;
    }
    state.report.refused += 1;
    let (not_before, wait) = state.line.earliest(&state.scale, permits, now);
    RateLimited::NotYet { not_before, wait }
}

impl State {
    #[inline]
    fn take_unless_queued(&mut self, permits: u32, now: Instant) -> Option<Slot> {
        let slot = self.line.take_unless_queued(&self.scale, permits, now);
        if slot.is_some() {
            self.report.acquired += u64::from(permits);
        }
        slot
    }
}
