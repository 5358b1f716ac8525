//! The protocol: where objects lie, who may make one, and how those who wait get one.
//!
//! The semaphore's permits are the pool's places. An object in somebody's hands or in a thread's cache has a permit; one on the idle list has none, so the
//! semaphore has one to give for it. So its queue is the pool's: who waits for a permit waits for an object on the list, or for
//! the right to make one.
//!
//! # Invariants
//! 1. Never more than the capacity live. Whoever holds a permit holds one object at most, or is making or dropping it; and one is made only by a holder of
//!    a permit who finds the list empty (or, in advance, while fewer than the capacity live), which is counted under the list's lock.
//!    An object goes onto the list before its permit goes back, and is dropped before its permit goes back.
//! 2. Nobody waits while an object is idle. One who is to wait sets the mark, searches the caches, and then queues; while it is set, objects go to the list
//!    and their permits to the semaphore, which has a queue that nobody passes.
//! 3. Nothing is made while an object is idle: one who finds the list empty searches the caches first. (Others may put one back just
//!    behind the search.)
//! 4. After `close` no object is idle. The caches and the list are told before they are emptied, and refuse what comes later.
//!
//! Lock order: the list and each cache are leaves. Hooks, drops of objects and the clock come with none of them held, permits are given back so,
//! and panics of the user's are caught at each call: a place is given back in every case.

use std::sync::Arc;

use super::caches::Caches;
use super::entry::{Claim, Lease};
use super::expiry::Expiry;
use super::hooks::Hooks;
use super::idle::{Found, IdleList, Tally};
use super::report::{Discarded, ObjectPoolReport};
use crate::cancel::CancellationToken;
use crate::clock::Clock;
use crate::semaphore::{AcquireError, OwnedPermit, Semaphore};
use crate::sync::time::Duration;
use crate::sync::{Mutex, Padded};

pub(super) struct Store<T> {
    pub(super) caches: Caches<T>,
    hooks: Hooks<T>,
    pub(super) expiry: Option<Expiry>,
    clock: Arc<dyn Clock>,
    pub(super) places: Arc<Semaphore>,
    pub(super) list: Padded<Mutex<IdleList<T>>>,
    /// An idle object may prove unfit.
    is_judged: bool,
}

/// How long one who takes waits, if it does.
#[derive(Clone, Copy)]
pub(super) enum Wait<'a> {
    Unlimited,
    For(Duration),
    Until(&'a CancellationToken),
}

/// Counts an object for the reason why it was dropped.
pub(super) type Reason = fn(&mut Discarded) -> &mut u64;

impl<T> Store<T> {
    /// At least one object, and at most so many as a semaphore has permits.
    pub(super) fn new(
        capacity: usize,
        hooks: Hooks<T>,
        max_idle: Option<Duration>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let is_judged = hooks.check.is_some() || max_idle.is_some();
        Self {
            caches: Caches::new(capacity, is_judged),
            hooks,
            expiry: max_idle.map(|max_idle| Expiry::new(Arc::clone(&clock), max_idle)),
            clock,
            places: Arc::new(Semaphore::new(capacity)),
            list: Padded(Mutex::new(IdleList::new(capacity, is_judged))),
            is_judged,
        }
    }

    /// An object, or the right to make one.
    #[inline]
    pub(super) fn claim(&self, wait: Option<Wait<'_>>) -> Result<Claim<T>, AcquireError> {
        if let Some(Wait::Until(token)) = wait {
            if let Some(cause) = token.cause() {
                self.count(|tally| tally.cancelled += 1);
                return Err(AcquireError::Cancelled(cause));
            }
        }
        let now = self.now();
        self.sweep_if_due(now);
        match self.caches.take_own() {
            Some(lease) => self.reuse(lease, now),
            None => self.claim_shared(wait),
        }
    }

    #[inline]
    fn reuse(&self, lease: Lease<T>, now: u64) -> Result<Claim<T>, AcquireError> {
        match self.admit(lease, now) {
            Ok(lease) => Ok(Claim::Object(lease)),
            Err(permit) => self.fill(permit),
        }
    }

    #[cold]
    fn claim_shared(&self, wait: Option<Wait<'_>>) -> Result<Claim<T>, AcquireError> {
        match self.places.try_acquire_owned(1) {
            Ok(permit) => return self.fill(permit),
            Err(AcquireError::NotNow) => {}
            Err(error) => return Err(error),
        }
        if let Some(lease) = self.caches.steal() {
            return self.reuse(lease, self.now());
        }
        let Some(wait) = wait else {
            self.count(|tally| tally.refused += 1);
            return Err(AcquireError::NotNow);
        };
        let waiting = self.caches.wait();
        if let Some(lease) = self.caches.steal() {
            drop(waiting);
            return self.reuse(lease, self.now());
        }
        let start = self.clock.now();
        let acquired = match wait {
            Wait::Unlimited => self.places.acquire_owned(1),
            Wait::For(timeout) => self.places.acquire_owned_timeout(1, timeout),
            Wait::Until(token) => self.places.acquire_owned_with(1, token),
        };
        drop(waiting);
        let waited = self.clock.now().saturating_duration_since(start);
        self.count(|tally| {
            tally.waited += 1;
            tally.wait_time = tally.wait_time.saturating_add(waited);
            tally.timed_out += u64::from(matches!(acquired, Err(AcquireError::TimedOut)));
            tally.cancelled += u64::from(matches!(acquired, Err(AcquireError::Cancelled(_))));
        });
        self.fill(acquired?)
    }

    /// The most recently used idle object for one with a permit, or the right to make one.
    fn fill(&self, mut permit: OwnedPermit) -> Result<Claim<T>, AcquireError> {
        loop {
            let popped = self.list.lock().pop(&permit);
            let lease = if let Some(idle) = popped {
                idle.with(permit)
            } else if let Some(lease) = self.caches.steal() {
                drop(permit); // it came with its own
                lease
            } else {
                let found = self.list.lock().pop_or_reserve(&permit);
                match found {
                    Found::Object(idle) => idle.with(permit),
                    Found::Place => return Ok(Claim::Place(permit)),
                    Found::Closed => return Err(AcquireError::Closed),
                }
            };
            match self.admit(lease, self.now()) {
                Ok(lease) => return Ok(Claim::Object(lease)),
                Err(kept) => permit = kept,
            }
        }
    }

    /// An idle object to be used; only its permit, if it is not fit for that.
    #[inline]
    fn admit(&self, mut lease: Lease<T>, now: u64) -> Result<Lease<T>, OwnedPermit> {
        let is_over = self.expiry.as_ref().is_some_and(|expiry| expiry.is_over(lease.since(), now));
        if is_over {
            Err(self.discard(lease, |discarded| &mut discarded.expired))
        } else if !self.hooks.check(lease.object_mut()) {
            Err(self.discard(lease, |discarded| &mut discarded.failed_check))
        } else {
            if self.is_judged {
                self.caches.count_fit();
            }
            Ok(lease)
        }
    }

    /// Takes an object back from its holder.
    #[inline]
    pub(super) fn put_back(&self, mut lease: Lease<T>) {
        if !self.hooks.reset(lease.object_mut()) {
            drop(self.discard(lease, |discarded| &mut discarded.failed_reset));
            return;
        }
        let now = self.now();
        lease.rests(now);
        if let Some(lease) = self.caches.put_own(lease) {
            self.shelve(lease);
        }
        self.sweep_if_due(now);
    }

    /// The time, where objects expire; the clock is not read elsewhere, which would cost more than all the rest.
    #[inline]
    pub(super) fn now(&self) -> u64 {
        self.expiry.as_ref().map_or(0, Expiry::now)
    }

    /// Puts an object onto the list, for all.
    #[cold]
    fn shelve(&self, lease: Lease<T>) {
        let (idle, permit) = lease.into_idle();
        let refused = self.list.lock().push(idle);
        if let Err(idle) = refused {
            self.bury(idle.into_object(), |discarded| &mut discarded.cleared);
        }
        drop(permit); // only now: invariant 1
    }

    /// Puts a new object onto the list.
    pub(super) fn shelve_new(&self, mut lease: Lease<T>) {
        lease.rests(self.now());
        self.shelve(lease);
    }

    /// Drops an object; its permit is to be given back, or used for another one.
    pub(super) fn discard(&self, lease: Lease<T>, reason: Reason) -> OwnedPermit {
        let (object, permit) = lease.into_parts();
        self.bury(object, reason);
        permit
    }

    /// Drops an object, and counts it as gone after that.
    pub(super) fn bury(&self, object: T, reason: Reason) {
        self.hooks.dispose(object);
        let mut list = self.list.lock();
        list.count_gone();
        *reason(&mut list.tally.discarded) += 1;
    }

    /// Takes an object out of the pool.
    pub(super) fn detach(&self, lease: Lease<T>) -> T {
        let mut list = self.list.lock();
        list.count_gone();
        list.tally.detached += 1;
        drop(list);
        lease.into_parts().0
    }

    /// An object was made for a place.
    pub(super) fn fill_place(&self, object: T, permit: OwnedPermit) -> Lease<T> {
        self.count(|tally| tally.created += 1);
        Lease::new(object, permit)
    }

    /// The right to make an object in advance, if fewer than that live and there is a place.
    pub(super) fn reserve(&self, objects: usize) -> Result<Option<OwnedPermit>, AcquireError> {
        if self.places.is_closed() {
            return Err(AcquireError::Closed);
        }
        if !self.list.lock().has_room(objects) {
            return Ok(None); // without a permit, not even for a moment, in which another one would miss it
        }
        match self.places.try_acquire_owned(1) {
            Ok(permit) => {
                let reserved = self.list.lock().reserve_below(objects, &permit);
                Ok(reserved.then_some(permit))
            }
            Err(AcquireError::NotNow) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// No object could be made for a place.
    pub(super) fn give_up(&self, permit: OwnedPermit) {
        let mut list = self.list.lock();
        list.count_gone();
        list.tally.create_failures += 1;
        drop(list);
        drop(permit);
    }

    fn count(&self, count: impl FnOnce(&mut Tally)) {
        count(&mut self.list.lock().tally);
    }

    pub(super) fn report(&self) -> ObjectPoolReport {
        let (cached, taken_cached) = self.caches.counts();
        let list = self.list.lock();
        let (listed, alive, taken_listed) = list.counts();
        let tally = list.tally;
        drop(list);
        let places = self.places.snapshot();
        let idle = listed + cached;
        ObjectPoolReport {
            capacity: places.capacity,
            in_use: alive.saturating_sub(idle),
            idle,
            waiting: places.waiting,
            created: tally.created,
            reused: taken_cached + taken_listed,
            detached: tally.detached,
            discarded: tally.discarded,
            create_failures: tally.create_failures,
            refused: tally.refused,
            timed_out: tally.timed_out,
            cancelled: tally.cancelled,
            waited: tally.waited,
            wait_time: tally.wait_time,
            is_closed: places.is_closed,
        }
    }
}
