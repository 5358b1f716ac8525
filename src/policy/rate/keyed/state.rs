//! The schedules of the kept keys, and which of them can be forgotten.
//!
//! # Invariants
//! 1. At most `most_keys` lines are kept. A line that is pending has no permits taken, has somebody who waits, and is there as long as that.
//! 2. A key is forgotten only when all it took is paid off by the clock and nobody waits for it. Nothing is lost with it: a
//!    fresh one begins with the latest `tat` of all that were forgotten, which lies behind the clock that saw them go. So a thread that
//!    read the clock before that, and comes later, finds the key no freer than it was.
//! 3. `listed` has each kept line once, at its own `listed`, and that is never after the tick at which it can be forgotten. What
//!    it takes moves that tick on and leaves the list as it is; the list is put right from its head when room is wanted. What
//!    makes the tick an earlier one (somebody leaves without permits, what is given back) puts its line right at once.
//! 4. Pending keys get room in the order in which they came, and nobody new gets any before them.

use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet};

use super::super::error::RateLimited;
use super::super::gcra::{Scale, Slot};
use super::super::line::{End, Line, Look, Turn, check_weight, expressible};
use super::super::setting::Rate;
use super::entry::{After, KeyLine, Standing};
use super::report::KeyedRateReport;
use super::table::Table;
use crate::cancel::Cancelled;
use crate::sync::thread::Thread;
use crate::sync::time::{Duration, Instant};

#[derive(Debug)]
pub(super) struct State<K> {
    pub(super) scale: Scale,
    pub(super) most_keys: usize,
    pub(super) lines: Table<K, KeyLine>,
    pub(super) listed: BTreeSet<(u128, usize)>,
    /// By order of arrival.
    pub(super) pending: BTreeMap<u64, usize>,
    pub(super) arrivals: u64,
    pub(super) forgotten_tat: u128,
    pub(super) generation: u64,
    pub(super) report: KeyedRateReport,
}

impl<K> State<K> {
    pub(super) fn new(rate: Rate, most_keys: usize, start: Instant) -> Self {
        Self {
            scale: Scale::new(rate, start),
            most_keys,
            lines: Table::new(),
            listed: BTreeSet::new(),
            pending: BTreeMap::new(),
            arrivals: 0,
            forgotten_tat: 0,
            generation: 0,
            report: KeyedRateReport::default(),
        }
    }

    pub(super) fn rate(&self) -> Rate {
        self.scale.rate()
    }

    pub(super) fn report(&self) -> KeyedRateReport {
        KeyedRateReport { keys: self.kept(), ..self.report }
    }

    pub(super) fn kept(&self) -> usize {
        self.lines.len() - self.pending.len()
    }

    #[inline]
    pub(super) fn find<Q>(&self, hash: u64, key: &Q) -> Option<usize>
    where
        K: Borrow<Q>,
        Q: Eq + ?Sized,
    {
        self.lines.find(hash, key)
    }

    pub(super) fn check_weight(&self, permits: u32) -> Result<(), RateLimited> {
        check_weight(self.scale.rate(), permits)
    }

    /// Takes permits of a key if they are there, and if nobody waits for any of it.
    #[inline]
    pub(super) fn take(&mut self, at: usize, permits: u32, now: Instant) -> Option<Slot> {
        let KeyLine { line, standing: Standing::Kept { .. } } = self.lines.get_mut(at)? else { return None };
        let slot = line.take_unless_queued(&self.scale, permits, now);
        if slot.is_some() {
            self.report.rate.acquired += u64::from(permits);
        }
        slot
    }

    /// Why the permits of a key that is there are not given.
    pub(super) fn refuse(&mut self, at: usize, permits: u32, now: Instant) -> RateLimited {
        if let Err(error) = self.check_weight(permits) {
            return error;
        }
        match self.lines.get(at).map(|line| line.standing) {
            Some(Standing::Kept { .. }) => {
                self.report.rate.refused += 1;
                let (not_before, wait) = self.earliest(Some(at), permits, now);
                RateLimited::NotYet { not_before, wait }
            }
            _ => self.refuse_new(permits, now),
        }
    }

    /// Why a key that is not kept is not taken on now.
    pub(super) fn refuse_new(&mut self, permits: u32, now: Instant) -> RateLimited {
        self.report.rate.refused += 1;
        self.report.too_many_keys += 1;
        let (not_before, wait) = self.earliest(None, permits, now);
        RateLimited::TooManyKeys { most_keys: self.most_keys, not_before, wait }
    }

    /// Counts a wait that is not begun, since it cannot succeed in time.
    pub(super) fn refuse_wait(&mut self, not_before: Instant, wait: Duration) -> RateLimited {
        self.report.rate.timed_out += 1;
        RateLimited::TimedOut { not_before, wait }
    }

    pub(super) fn count_cancelled(&mut self) {
        self.report.rate.cancelled += 1;
    }

    /// The earliest instant for one who comes now, and how far it is. For a key that is not kept, as if it were the next to get room.
    pub(super) fn earliest(&mut self, at: Option<usize>, permits: u32, now: Instant) -> (Instant, Duration) {
        let room = match at.and_then(|at| self.lines.get(at)) {
            Some(KeyLine { line, standing: Standing::Kept { .. } }) => {
                return line.earliest(&self.scale, permits, now);
            }
            _ => self.room_at(now),
        };
        let before = at.and_then(|at| self.lines.get(at)).map_or(0, |pending| pending.line.queue.permits());
        let rate = self.scale.rate();
        let more =
            rate.span(before.saturating_add(permits.into())).saturating_sub(rate.span(rate.burst().into()));
        let due = room.max(self.scale.ticks(now)).checked_add(more);
        expressible(due.and_then(|due| self.scale.instant(due, now)), now)
    }

    /// Puts the calling thread into the line of a key.
    pub(super) fn enter(&mut self, at: usize, permits: u32, now: Instant) -> u64 {
        self.report.rate.waited += 1;
        self.report.rate.waiting += 1;
        self.lines.get_mut(at).map_or(0, |line| line.line.queue.enter(permits, now))
    }

    /// What one who waits has to do now: `Err` is until when to park.
    pub(super) fn look(
        &mut self,
        at: usize,
        turn: &Turn,
        cancelled: Option<Cancelled>,
        now: Instant,
        after: &mut After<K>,
    ) -> Result<Result<(), RateLimited>, Option<Instant>> {
        let look = match Line::look_aside(&self.scale, turn, cancelled) {
            Some(end) => Look::Leave(end),
            None => match self.admit(at, turn.ticket, now, after) {
                Ok(()) => match self.lines.get_mut(at) {
                    Some(line) => line.line.look(&self.scale, turn, now),
                    None => Look::Leave(End::TimedOut),
                },
                Err(_) if turn.limit.is_some_and(|limit| limit <= now) => Look::Leave(End::TimedOut),
                Err(room) => Look::Wait([room, turn.limit].into_iter().flatten().min()),
            },
        };
        match look {
            Look::Wait(until) => Err(until),
            Look::Leave(end) => Ok(self.leave(at, turn, end, now, after)),
        }
    }

    fn leave(
        &mut self,
        at: usize,
        turn: &Turn,
        end: End,
        now: Instant,
        after: &mut After<K>,
    ) -> Result<(), RateLimited> {
        self.report.rate.waiting -= 1;
        let Some(KeyLine { line, standing }) = self.lines.get_mut(at) else { return Ok(()) };
        let next = line.leave(turn.ticket, now, &mut self.report.rate);
        let (standing, is_empty) = (*standing, line.queue.is_empty());
        match standing {
            Standing::Kept { .. } => self.list_earlier(at, now, after),
            Standing::Pending { arrival } if is_empty => {
                self.pending.remove(&arrival);
                after.gone = self.lines.remove(at).map(|(key, _)| key);
                after.wake[0] = self.watcher();
            }
            Standing::Pending { .. } => {}
        }
        after.wake[1] = next;
        let earliest = if matches!(end, End::TimedOut) {
            let at = self.lines.get(at).map(|_| at);
            Some(self.earliest(at, turn.permits, now))
        } else {
            None
        };
        let earliest = || earliest.unwrap_or((now, Duration::ZERO));
        end.settle(turn.permits, &mut self.report.rate, earliest).map(drop)
    }

    /// Gives back what was taken, unless the key has been forgotten since: then it was paid off.
    pub(super) fn give_back(
        &mut self,
        at: usize,
        slot: Slot,
        permits: u32,
        now: Instant,
        after: &mut After<K>,
    ) {
        self.report.rate.acquired -= u64::from(permits);
        self.report.rate.given_back += u64::from(permits);
        if let Some(KeyLine { line, .. }) = self.lines.get_mut(at) {
            line.gcra.give_back(&self.scale, slot, permits, now);
            after.wake[1] = line.queue.first();
            self.list_earlier(at, now, after);
        }
    }

    /// Changes the rate of all keys, and answers who has to look again: all who wait.
    pub(super) fn change<E>(
        &mut self,
        change: impl FnOnce(Rate) -> Result<Rate, E>,
        now: Instant,
    ) -> Result<Vec<Thread>, E> {
        let before = self.scale;
        self.scale = before.with_rate(change(before.rate())?);
        if !self.scale.is_same(&before) {
            self.generation += 1;
            self.forgotten_tat = self.scale.carried_over(self.forgotten_tat, &before, now);
            self.listed.clear();
            for (at, key_line) in self.lines.iter_mut() {
                key_line.line.gcra.carry_over(&before, &self.scale, self.generation, now);
                let tick = key_line.paid_off(&self.scale, now);
                if let Standing::Kept { listed } = &mut key_line.standing {
                    *listed = tick;
                    self.listed.insert((tick, at));
                }
            }
        }
        Ok(self.lines.iter_mut().flat_map(|(_, line)| line.line.queue.threads()).collect())
    }
}
