//! What the clones of a breaker share: its state and generation, and what its calls came to.
//!
//! # Invariants
//! 1. `word` is written under the lock alone, and says what `state.word` says whenever the lock is free. Each change gives it the next
//!    generation, so two periods of one state never look alike.
//! 2. A ticket carries the word under which it was given. Its end counts under that word only; under any other it is late, and
//!    moves nothing but the report. So a call from before an opening neither closes the breaker nor opens it again.
//! 3. Tickets of a half-open period are given under the lock, never more than there are probes. Each of them ends once: counted, given
//!    back, or late. Given back, it frees its place, so the places never run out without a decision.
//! 4. `until` belongs to the last opening. It is stored before the word that says open, and loaded after it: whoever sees that word sees its time, or that of a
//!    later opening.
//! 5. A change is queued for the callback under the lock under which it was made, so that they are told in their order.
//!
//! Lock order: `state`, then what a clock has inside, and what the teller has. The callback is called with none held.

use std::sync::Arc;

use super::change::{BreakerChange, OnChange};
use super::error::BreakerOpen;
use super::probes::Probes;
use super::report::BreakerReport;
use super::settings::{Settings, Slow, nanoseconds};
use super::state::{BreakerState, Word};
use super::tally::{Mark, share};
use super::teller::Teller;
use super::window::Window;
use crate::clock::Clock;
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::time::{Duration, Instant};
use crate::sync::{Mutex, MutexGuard};

#[derive(Debug)]
pub(super) struct Core {
    settings: Settings,
    clock: Arc<dyn Clock>,
    /// What times in nanoseconds are counted from.
    start: Instant,
    word: AtomicU64,
    /// When an open breaker lets a probe through; `u64::MAX` is never.
    until: AtomicU64,
    refused: AtomicU64,
    state: Mutex<State>,
    teller: Option<Arc<Teller>>,
}

#[derive(Debug)]
struct State {
    word: Word,
    since: Instant,
    window: Window,
    probes: Probes,
    /// Openings since it was last closed.
    openings_in_a_row: u32,
    totals: Totals,
}

#[derive(Debug, Default)]
struct Totals {
    successes: u64,
    failures: u64,
    slow: u64,
    abandoned: u64,
    ignored: u64,
    late: u64,
    openings: u64,
}

/// The right to one call. Two words, which stay in registers: a larger one cost two stalls of several nanoseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ticket {
    word: Word,
    /// When it was given; 0 if nobody asks how long calls take.
    started: u64,
}

/// How a call ended.
#[derive(Clone, Copy, Debug)]
pub(super) enum End {
    Success,
    Failure,
    /// It was told to stop by hand: that counts only if it was slow by then.
    Cancelled,
    Nothing,
}

impl Core {
    pub(super) fn new(settings: Settings, clock: Arc<dyn Clock>, on_change: Option<OnChange>) -> Self {
        let start = clock.now();
        let word = Word::first();
        let state = State {
            word,
            since: start,
            window: Window::new(settings.span),
            probes: Probes::default(),
            openings_in_a_row: 0,
            totals: Totals::default(),
        };
        Self {
            settings,
            clock,
            start,
            word: AtomicU64::new(word.bits()),
            until: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            state: Mutex::new(state),
            teller: on_change.map(Teller::new),
        }
    }

    pub(super) fn state(&self) -> BreakerState {
        self.word().state()
    }

    #[inline]
    fn word(&self) -> Word {
        // Acquire: invariant 4.
        Word::from_bits(self.word.load(Ordering::Acquire))
    }

    /// Lets a call through, or refuses it. Every ticket goes to `leave`, once.
    #[inline]
    pub(super) fn enter(&self) -> Result<Ticket, BreakerOpen> {
        let word = self.word();
        match word.state() {
            BreakerState::Closed | BreakerState::ObserveOnly | BreakerState::Disabled => {
                Ok(self.ticket(word))
            }
            BreakerState::Open | BreakerState::HalfOpen | BreakerState::ForcedOpen => {
                self.enter_guarded(word)
            }
        }
    }

    #[inline]
    fn ticket(&self, word: Word) -> Ticket {
        let started = if self.settings.slow.is_some() { self.now() } else { 0 };
        Ticket { word, started }
    }

    /// A look at the door without the lock, which refuses most; then one with it.
    fn enter_guarded(&self, word: Word) -> Result<Ticket, BreakerOpen> {
        let now = self.clock.now();
        if word.state() == BreakerState::Open && self.nanoseconds(now) < self.until.load(Ordering::Relaxed) {
            return Err(self.refuse(BreakerState::Open, now));
        }
        let mut state = self.state.lock();
        // Others may have changed it meanwhile, to anything.
        let due = match state.word.state() {
            BreakerState::Open if self.nanoseconds(now) >= self.until.load(Ordering::Relaxed) => {
                Some(BreakerState::HalfOpen)
            }
            BreakerState::HalfOpen if self.is_stuck(&state, now) => Some(BreakerState::Open),
            _ => None,
        };
        if let Some(to) = due {
            self.change(&mut state, to, now);
        }
        let word = state.word;
        let entered = match word.state() {
            BreakerState::Closed | BreakerState::ObserveOnly | BreakerState::Disabled => true,
            BreakerState::HalfOpen => state.probes.take(&self.settings),
            BreakerState::Open | BreakerState::ForcedOpen => false,
        };
        drop(state);
        if due.is_some() {
            self.tell();
        }
        if entered { Ok(self.ticket(word)) } else { Err(self.refuse(word.state(), now)) }
    }

    /// Whether its probes have had their time, and no other call can take the place of one.
    fn is_stuck(&self, state: &State, now: Instant) -> bool {
        let longest = self.settings.longest_half_open;
        state.probes.are_taken(&self.settings)
            && longest.is_some_and(|longest| now.saturating_duration_since(state.since) >= longest)
    }

    #[cold]
    fn refuse(&self, state: BreakerState, now: Instant) -> BreakerOpen {
        self.refused.fetch_add(1, Ordering::Relaxed); // a count, which orders nothing
        let until = self.until.load(Ordering::Relaxed);
        let is_timed = state == BreakerState::Open && until < u64::MAX;
        let at = is_timed.then(|| self.start.checked_add(Duration::from_nanos(until))).flatten();
        BreakerOpen::new(state, at.map(|at| (at, at.saturating_duration_since(now))))
    }

    /// Takes a ticket back, and counts what became of its call, which took as long as the ticket was out.
    #[inline]
    pub(super) fn leave(&self, ticket: Ticket, end: End) {
        let is_timed = self.settings.slow.is_some();
        let now = if is_timed || self.settings.has_time_window() { self.now() } else { 0 };
        let took = if is_timed { now.saturating_sub(ticket.started) } else { 0 };
        self.end(ticket, end, took, now);
    }

    /// As [`leave`](Self::leave), for a call that took as long as is said.
    pub(super) fn leave_after(&self, ticket: Ticket, end: End, took: Duration) {
        let now = if self.settings.has_time_window() { self.now() } else { 0 };
        self.end(ticket, end, nanoseconds(took), now);
    }

    #[inline]
    fn end(&self, ticket: Ticket, end: End, took: u64, now: u64) {
        if ticket.word.state() == BreakerState::Disabled {
            return;
        }
        let slow = self.settings.slow.is_some_and(|Slow { longer_than, .. }| took > longer_than);
        match end {
            End::Nothing => self.ignore(ticket),
            End::Cancelled if !slow => self.ignore(ticket),
            end => self.count(ticket, end, slow, now),
        }
    }

    fn count(&self, ticket: Ticket, end: End, slow: bool, now: u64) {
        let mark = Mark { failed: matches!(end, End::Failure), slow };
        let mut state = self.state.lock();
        if state.word != ticket.word {
            state.totals.late += 1;
            return;
        }
        state.totals.count(end, mark);
        if ticket.word.state() == BreakerState::HalfOpen {
            state.probes.end(mark);
            if let Some(opens) = state.probes.verdict(&self.settings) {
                let to = if opens { BreakerState::Open } else { BreakerState::Closed };
                self.change_now(state, to);
            }
        } else {
            state.window.add(mark, now);
            if ticket.word.state() == BreakerState::Closed && self.settings.opens(state.window.sum()) {
                self.change_now(state, BreakerState::Open);
            }
        }
    }

    fn ignore(&self, ticket: Ticket) {
        let mut state = self.state.lock();
        state.totals.ignored += 1;
        if state.word == ticket.word && ticket.word.state() == BreakerState::HalfOpen {
            state.probes.give_back();
        }
    }

    /// Goes to a state that somebody asks for; one that is asked for twice goes on as it is.
    pub(super) fn set(&self, to: BreakerState) {
        let state = self.state.lock();
        if state.word.state() != to {
            self.change_now(state, to);
        }
    }

    /// Closes it, and begins anew if it is closed.
    pub(super) fn reset(&self) {
        self.change_now(self.state.lock(), BreakerState::Closed);
    }

    #[cold]
    fn change_now<'a>(&'a self, mut state: MutexGuard<'a, State>, to: BreakerState) {
        // Under the lock, so that the times of changes have the order of the changes.
        let now = self.clock.now();
        self.change(&mut state, to, now);
        drop(state);
        self.tell();
    }

    /// Invariants 1, 4 and 5. `now` may lie before the last change if it was read before the lock was taken.
    fn change(&self, state: &mut State, to: BreakerState, now: Instant) {
        let at = now.max(state.since);
        let from = state.word.state();
        if is_watching(from) {
            state.window.advance(self.nanoseconds(at)); // what it shows from now on
        }
        match to {
            BreakerState::Closed | BreakerState::ObserveOnly | BreakerState::Disabled => {
                state.window.clear();
                state.openings_in_a_row = 0; // from forced open, too, only a reset leads to an opening
            }
            BreakerState::HalfOpen => state.probes = Probes::default(),
            BreakerState::Open => {
                state.totals.openings += 1;
                state.openings_in_a_row = state.openings_in_a_row.saturating_add(1);
                let time = nanoseconds(self.settings.open_time(state.openings_in_a_row));
                self.until.store(self.nanoseconds(at).saturating_add(time), Ordering::Relaxed);
            }
            BreakerState::ForcedOpen => {}
        }
        state.since = at;
        state.word = state.word.next(to);
        self.word.store(state.word.bits(), Ordering::Release);
        if let Some(teller) = self.teller.as_ref().filter(|_| from != to) {
            teller.queue(BreakerChange { from, to, at });
        }
    }

    fn tell(&self) {
        if let Some(teller) = &self.teller {
            teller.tell();
        }
    }

    pub(super) fn report(&self) -> BreakerReport {
        let now = self.clock.now();
        let mut state = self.state.lock();
        let in_force = state.word.state();
        if is_watching(in_force) {
            state.window.advance(self.nanoseconds(now));
        }
        let sum = state.window.sum();
        let rate = |part: u64| self.settings.has_enough(sum).then(|| share(part, sum.calls));
        let Totals { successes, failures, slow, abandoned, ignored, late, openings } = state.totals;
        let (untold, omitted) = self.teller.as_ref().map_or((0, 0), |teller| teller.counts());
        BreakerReport {
            state: in_force,
            since: state.since,
            calls: successes + failures + abandoned + ignored + late,
            successes,
            failures,
            slow,
            abandoned,
            ignored,
            late,
            refused: self.refused.load(Ordering::Relaxed),
            openings,
            probes: if in_force == BreakerState::HalfOpen { state.probes.held() } else { 0 },
            failure_rate: rate(sum.failures),
            slow_rate: self.settings.slow.and_then(|_| rate(sum.slow)),
            untold_changes: untold,
            omitted_changes: omitted,
        }
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// From the start until now.
    #[inline]
    fn now(&self) -> u64 {
        self.nanoseconds(self.clock.now())
    }

    /// From the start to `at`; never as late as never is.
    #[inline]
    fn nanoseconds(&self, at: Instant) -> u64 {
        nanoseconds(at.saturating_duration_since(self.start)).min(u64::MAX - 1)
    }
}

/// Whether the window is that of the calls now; otherwise it shows what it held before.
fn is_watching(state: BreakerState) -> bool {
    matches!(state, BreakerState::Closed | BreakerState::ObserveOnly)
}

impl Totals {
    #[inline]
    fn count(&mut self, end: End, mark: Mark) {
        self.successes += u64::from(matches!(end, End::Success));
        self.abandoned += u64::from(matches!(end, End::Cancelled));
        self.failures += u64::from(mark.failed);
        self.slow += u64::from(mark.slow);
    }
}
