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
//! 4. `queued` is the sum of the weights in `queue`. An entry is removed by its own thread only.
//! 5. Memory is one entry for each thread that waits, and the tree gives it back.
//!
//! Lock order: `state` is a leaf. The clock is read, threads are unparked and tokens are asked with it released: a token may
//! run callbacks of the user's when it is asked.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::error::RateLimited;
use super::gcra::{Gcra, Rate, Slot};
use super::report::RateReport;
use crate::cancel::{CancellationToken, Cancelled};
use crate::clock::Clock;
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::thread::{self, Thread};
use crate::sync::time::{Duration, Instant};

crate::sync::process_static! {
    static NEXT_ID: AtomicU64 = AtomicU64::new(0);
}

/// What stands for an instant that the clock cannot express.
const FAR: Duration = Duration::from_secs(30 * 365 * 24 * 3600);

#[derive(Debug)]
pub(super) struct Core {
    id: u64,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    gcra: Gcra,
    /// By order of arrival.
    queue: BTreeMap<u64, Waiter>,
    next_ticket: u64,
    queued: u64,
    report: RateReport,
}

#[derive(Debug)]
struct Waiter {
    permits: u32,
    since: Instant,
    thread: Thread,
}

/// What one who waits does after a look at its place.
enum Look {
    Wait(Option<Instant>),
    Leave(End),
}

/// How a wait ends.
enum End {
    Taken,
    Cancelled(Cancelled),
    TimedOut,
    Refused(RateLimited),
}

impl Core {
    pub(super) fn new(rate: Rate, clock: Arc<dyn Clock>) -> Self {
        let state = State {
            gcra: Gcra::new(rate, clock.now()),
            queue: BTreeMap::new(),
            next_ticket: 0,
            queued: 0,
            report: RateReport::default(),
        };
        // Relaxed: it carries nothing, and no two get the same.
        Self { id: NEXT_ID.fetch_add(1, Ordering::Relaxed), clock, state: Mutex::new(state) }
    }

    pub(super) fn id(&self) -> u64 {
        self.id
    }

    pub(super) fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    pub(super) fn rate(&self) -> Rate {
        self.state.lock().gcra.rate()
    }

    pub(super) fn report(&self) -> RateReport {
        let state = self.state.lock();
        RateReport { waiting: state.queue.len(), ..state.report }
    }

    /// Takes permits if they are there and nobody waits.
    #[inline]
    pub(super) fn try_take(&self, permits: u32) -> Result<Option<Slot>, RateLimited> {
        if permits == 0 {
            return Ok(None);
        }
        let now = self.clock.now();
        let mut state = self.state.lock();
        if let Some(slot) = state.take_unless_queued(permits, now) {
            return Ok(Some(slot));
        }
        state.check_weight(permits)?;
        state.report.refused += 1;
        let (not_before, wait) = state.earliest(permits, now);
        Err(RateLimited::NotYet { not_before, wait })
    }

    /// Takes permits; waits for them until `limit` (`None`: no limit) or until `token` is cancelled.
    pub(super) fn take(
        &self,
        permits: u32,
        limit: Option<Instant>,
        token: Option<&CancellationToken>,
    ) -> Result<(), RateLimited> {
        if let Some(cause) = token.and_then(CancellationToken::cause) {
            self.state.lock().report.cancelled += 1;
            return Err(RateLimited::Cancelled(cause));
        }
        if permits == 0 {
            return Ok(());
        }
        let now = self.clock.now();
        let mut state = self.state.lock();
        if state.take_unless_queued(permits, now).is_some() {
            return Ok(());
        }
        state.check_weight(permits)?;
        let (not_before, wait) = state.earliest(permits, now);
        if limit.is_some_and(|limit| limit < not_before) {
            state.report.timed_out += 1;
            return Err(RateLimited::TimedOut { not_before, wait });
        }
        let ticket = state.enter(permits, now);
        drop(state);
        let _registration = token.map(|token| {
            let me = thread::current();
            token.on_cancel(move |_| me.unpark())
        });
        self.wait(ticket, permits, limit, token)
    }

    fn wait(
        &self,
        ticket: u64,
        permits: u32,
        limit: Option<Instant>,
        token: Option<&CancellationToken>,
    ) -> Result<(), RateLimited> {
        loop {
            let cancelled = token.and_then(CancellationToken::cause);
            let now = self.clock.now();
            let mut state = self.state.lock();
            match state.look(ticket, permits, limit, cancelled, now) {
                Look::Wait(until) => {
                    drop(state);
                    self.clock.park(until);
                }
                Look::Leave(end) => {
                    let next = state.leave(ticket, now);
                    let result = state.account(end, permits, now);
                    drop(state);
                    if let Some(next) = next {
                        next.unpark();
                    }
                    return result;
                }
            }
        }
    }

    /// Gives back what was taken (invariant 3).
    pub(super) fn give_back(&self, slot: Slot, permits: u32) {
        let now = self.clock.now();
        let mut state = self.state.lock();
        state.gcra.give_back(slot, permits, now);
        state.report.acquired -= u64::from(permits);
        state.report.given_back += u64::from(permits);
        let first = state.first();
        drop(state);
        if let Some(first) = first {
            first.unpark();
        }
    }

    /// Changes the rate to what `change` makes of it. All who wait look again: their weight may be above a new burst.
    pub(super) fn change<E>(&self, change: impl FnOnce(Rate) -> Result<Rate, E>) -> Result<(), E> {
        let now = self.clock.now();
        let mut state = self.state.lock();
        let rate = change(state.gcra.rate())?;
        state.gcra.set_rate(rate, now);
        let waiters: Vec<Thread> = state.queue.values().map(|waiter| waiter.thread.clone()).collect();
        drop(state);
        waiters.iter().for_each(Thread::unpark);
        Ok(())
    }
}

impl State {
    #[inline]
    fn take_unless_queued(&mut self, permits: u32, now: Instant) -> Option<Slot> {
        if self.queue.is_empty() { self.take(permits, now) } else { None }
    }

    #[inline]
    fn take(&mut self, permits: u32, now: Instant) -> Option<Slot> {
        let slot = self.gcra.take(permits, now);
        if slot.is_some() {
            self.report.acquired += u64::from(permits);
        }
        slot
    }

    fn check_weight(&self, permits: u32) -> Result<(), RateLimited> {
        let burst = self.gcra.rate().burst();
        if permits > burst { Err(RateLimited::ExceedsBurst { permits, burst }) } else { Ok(()) }
    }

    /// The earliest instant for one who comes now, and how far it is.
    fn earliest(&self, permits: u32, now: Instant) -> (Instant, Duration) {
        self.earliest_after(self.queued, permits, now)
    }

    fn earliest_after(&self, before: u64, permits: u32, now: Instant) -> (Instant, Duration) {
        let at = self.gcra.earliest(before, permits, now).or_else(|| now.checked_add(FAR)).unwrap_or(now);
        (at, at.saturating_duration_since(now))
    }

    /// What one who waits has to do now.
    fn look(
        &mut self,
        ticket: u64,
        permits: u32,
        limit: Option<Instant>,
        cancelled: Option<Cancelled>,
        now: Instant,
    ) -> Look {
        if let Some(cause) = cancelled {
            return Look::Leave(End::Cancelled(cause));
        }
        if let Err(error) = self.check_weight(permits) {
            return Look::Leave(End::Refused(error));
        }
        let is_first = self.is_first(ticket);
        if is_first && self.take(permits, now).is_some() {
            return Look::Leave(End::Taken);
        }
        if limit.is_some_and(|limit| limit <= now) {
            // If those before are due and only have not woken yet, the turn has come in time: the last of them unparks.
            let before = self.queue.range(..ticket).map(|(_, waiter)| u64::from(waiter.permits)).sum();
            let in_time = self.gcra.earliest(before, permits, now).is_some_and(|at| at <= now);
            return if in_time { Look::Wait(None) } else { Look::Leave(End::TimedOut) };
        }
        let due = if is_first { self.gcra.earliest(0, permits, now) } else { None };
        Look::Wait([due, limit].into_iter().flatten().min())
    }

    /// Counts the end of a wait; the one who waited has left the queue.
    fn account(&mut self, end: End, permits: u32, now: Instant) -> Result<(), RateLimited> {
        match end {
            End::Taken => Ok(()),
            End::Refused(error) => Err(error),
            End::Cancelled(cause) => {
                self.report.cancelled += 1;
                Err(RateLimited::Cancelled(cause))
            }
            End::TimedOut => {
                self.report.timed_out += 1;
                let (not_before, wait) = self.earliest(permits, now);
                Err(RateLimited::TimedOut { not_before, wait })
            }
        }
    }

    fn enter(&mut self, permits: u32, now: Instant) -> u64 {
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        self.queued += u64::from(permits);
        self.report.waited += 1;
        self.queue.insert(ticket, Waiter { permits, since: now, thread: thread::current() });
        ticket
    }

    /// Takes a waiter out of the queue; the thread to unpark, if another one is the first now (invariant 3).
    fn leave(&mut self, ticket: u64, now: Instant) -> Option<Thread> {
        let was_first = self.is_first(ticket);
        if let Some(waiter) = self.queue.remove(&ticket) {
            self.queued -= u64::from(waiter.permits);
            let waited = now.saturating_duration_since(waiter.since);
            self.report.wait_time = self.report.wait_time.saturating_add(waited);
        }
        if was_first { self.first() } else { None }
    }

    fn is_first(&self, ticket: u64) -> bool {
        self.queue.first_key_value().is_some_and(|(first, _)| *first == ticket)
    }

    fn first(&self) -> Option<Thread> {
        self.queue.first_key_value().map(|(_, waiter)| waiter.thread.clone())
    }
}
