//! What the clones of a limiter by keys share.
//!
//! # Invariants
//! Those of [`State`] and of [`Line`](super::super::line::Line), and:
//! 1. No lost turn. The first of each kept line alone watches the clock for its permits, and the first of the first pending line
//!    alone for room. Whatever makes their instant an earlier one, or makes another thread one of these, is done under the lock, and
//!    unparks the thread concerned. A thread looks at its place under the lock before each park.
//! 2. A line that somebody waits in stays at its place, so a place is found by its key once for each wait.
//!
//! Lock order: `state`, then what a clock has inside, which is read under it where the instant must not be an earlier one than others have used. Keys
//! are hashed, cloned and dropped with it released, and threads are unparked and tokens asked likewise. The `Eq` of keys runs under it.

use std::borrow::Borrow;
use std::hash::{BuildHasher, Hash, RandomState};

use super::super::error::RateLimited;
use super::super::gcra::Slot;
use super::super::line::Turn;
use super::super::reservation::TakesBack;
use super::super::setting::Rate;
use super::super::time::Time;
use super::super::wait::wait;
use super::entry::After;
use super::report::KeyedRateReport;
use super::state::State;
use crate::cancel::CancellationToken;
use crate::sync::thread::Thread;
use crate::sync::time::Instant;
use crate::sync::{Mutex, MutexGuard};

#[derive(Debug)]
pub(super) struct Core<K> {
    time: Time,
    /// Its own, so that nobody can choose keys that collide.
    hasher: RandomState,
    state: Mutex<State<K>>,
}

impl<K> Core<K> {
    pub(super) fn new(rate: Rate, most_keys: usize, time: Time) -> Self {
        let state = Mutex::new(State::new(rate, most_keys, time.now()));
        Self { time, hasher: RandomState::new(), state }
    }

    pub(super) fn now(&self) -> Instant {
        self.time.now()
    }

    pub(super) fn rate(&self) -> Rate {
        self.state.lock().rate()
    }

    pub(super) fn report(&self) -> KeyedRateReport {
        self.state.lock().report()
    }

    /// Takes permits of a key if they are there and nobody waits for any of it; with the place of the key.
    #[inline]
    pub(super) fn try_take<Q>(&self, key: &Q, permits: u32) -> Result<Option<(usize, Slot)>, RateLimited>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        if permits == 0 {
            return Ok(None);
        }
        let hash = self.hasher.hash_one(key);
        let now = self.time.now();
        let mut state = self.state.lock();
        let Some(at) = state.find(hash, key) else {
            drop(state);
            return self.try_take_new(hash, key, permits, now).map(Some);
        };
        match state.take(at, permits, now) {
            Some(slot) => Ok(Some((at, slot))),
            None => Err(state.refuse(at, permits, now)),
        }
    }

    fn try_take_new<Q>(
        &self,
        hash: u64,
        key: &Q,
        permits: u32,
        now: Instant,
    ) -> Result<(usize, Slot), RateLimited>
    where
        K: Borrow<Q>,
        Q: Eq + ToOwned<Owned = K> + ?Sized,
    {
        {
            let mut state = self.state.lock();
            state.check_weight(permits)?;
            if !state.has_room(now) {
                return Err(state.refuse_new(permits, now));
            }
        }
        // Before the lock, so that they are dropped after it.
        let (mut own, mut after) = (None, After::nothing());
        let (mut state, found) = self.find_or_clone(hash, key, permits, &mut own)?;
        let at = found.or_else(|| own.take().and_then(|own| state.keep(hash, own, now, &mut after)));
        let result = match at {
            Some(at) => match state.take(at, permits, now) {
                Some(slot) => Ok((at, slot)),
                None => Err(state.refuse(at, permits, now)),
            },
            None => Err(state.refuse_new(permits, now)),
        };
        drop(state);
        drop(after.act());
        result
    }

    /// Looks for a key under the lock; if it is not there, there is a clone of it in `own`, and only then.
    ///
    /// A clone that another thread made needless is dropped here, where nothing is taken and nobody waits: that runs code of the user's.
    fn find_or_clone<Q>(
        &self,
        hash: u64,
        key: &Q,
        permits: u32,
        own: &mut Option<K>,
    ) -> Result<(MutexGuard<'_, State<K>>, Option<usize>), RateLimited>
    where
        K: Borrow<Q>,
        Q: Eq + ToOwned<Owned = K> + ?Sized,
    {
        loop {
            let state = self.state.lock();
            match state.find(hash, key) {
                None if own.is_none() => {
                    state.check_weight(permits)?;
                    drop(state);
                    *own = Some(key.to_owned());
                }
                Some(_) if own.is_some() => {
                    drop(state);
                    *own = None;
                }
                found => return Ok((state, found)),
            }
        }
    }

    /// Takes permits of a key; waits for them until `limit` (`None`: no limit) or until `token` is cancelled.
    pub(super) fn take<Q>(
        &self,
        key: &Q,
        permits: u32,
        limit: Option<Instant>,
        token: Option<&CancellationToken>,
    ) -> Result<(), RateLimited>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        if let Some(cause) = token.and_then(CancellationToken::cause) {
            self.state.lock().count_cancelled();
            return Err(RateLimited::Cancelled(cause));
        }
        if permits == 0 {
            return Ok(());
        }
        let hash = self.hasher.hash_one(key);
        let now = self.time.now();
        // Of user code, so it goes when the wait is over: a panic in its drop would leave a line with somebody in it who is gone.
        let mut gone = None;
        let (at, turn) = {
            let (mut own, mut after) = (None, After::nothing());
            let (mut state, mut found) = self.find_or_clone(hash, key, permits, &mut own)?;
            if found.is_none() && state.has_room(now) {
                found = own.take().and_then(|own| state.keep(hash, own, now, &mut after));
            }
            if found.is_some_and(|at| state.take(at, permits, now).is_some()) {
                drop(state);
                drop(after.act());
                return Ok(());
            }
            state.check_weight(permits)?;
            let (not_before, far) = state.earliest(found, permits, now);
            if limit.is_some_and(|limit| limit < not_before) {
                return Err(state.refuse_wait(not_before, far));
            }
            let at = found.or_else(|| own.take().map(|own| state.pend(hash, own)));
            let at = at.unwrap_or_else(|| unreachable!("a key that is not found was cloned"));
            let turn = Turn { ticket: state.enter(at, permits, now), permits, limit };
            drop(state);
            gone = after.act().or(gone);
            (at, turn)
        };
        wait(&**self.time.clock(), token, |cancelled, now| {
            let mut after = After::nothing();
            let answer = self.state.lock().look(at, &turn, cancelled, now, &mut after);
            if let Some(key) = after.act() {
                gone = Some(key);
            }
            answer
        })
    }

    /// Changes the rate of all keys to what `change` makes of it.
    pub(super) fn change<E>(&self, change: impl FnOnce(Rate) -> Result<Rate, E>) -> Result<(), E> {
        let mut state = self.state.lock();
        let waiters = state.change(change, self.time.now())?;
        drop(state);
        waiters.iter().for_each(Thread::unpark);
        Ok(())
    }
}

impl<K: Send> TakesBack for Core<K> {
    fn give_back(&self, place: usize, slot: Slot, permits: u32) {
        let mut after = After::nothing();
        let mut state = self.state.lock();
        let now = self.time.now();
        state.give_back(place, slot, permits, now, &mut after);
        drop(state);
        drop(after.act());
    }
}
