//! One idle object for each thread, where that thread finds it again without a write that others see.
//!
//! # Invariants
//! 1. A thread puts only into the cache that its number leads to, and looks there first; several threads may share one. Whoever finds nothing
//!    there may take from all others, so no object is out of reach.
//! 2. While somebody waits, or once the pool is closed, nothing is put in. The mark is set before the caches are searched, and asked under
//!    the cache's lock: a put comes before the search of its cache, which then finds the object, or it sees the mark.
//!    So they stay empty from the end of that search on.
//!
//! Lock order: each cache is a leaf, and no two are held at once. Objects are moved under it, never dropped or called.

use super::entry::Lease;
use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::{Mutex, Padded, thread};

/// More of them would make the search for an object in another one's cache a long one.
const MOST: usize = 64;

/// In the mark: the pool is closed. What is above it counts those who wait.
const CLOSED: usize = 1;
const WAITER: usize = 2;

crate::sync::process_static! {
    static NEXT_NUMBER: AtomicUsize = AtomicUsize::new(0);
}
crate::sync::thread_local! {
    // Numbers and no objects: nothing of a pool is left in a thread when either goes.
    static NUMBER: usize = NEXT_NUMBER.fetch_add(1, Ordering::Relaxed);
}

pub(super) struct Caches<T> {
    /// A power of two of them.
    all: Box<[Padded<Mutex<Cache<T>>>]>,
    /// Read at each put, and written only when somebody begins or ends to wait.
    mark: Padded<AtomicUsize>,
    /// Objects that are taken are looked at before they are used, and counted only then: a count that was taken back would fall.
    is_judged: bool,
}

struct Cache<T> {
    idle: Option<Lease<T>>,
    /// How often an object was taken out to be used; where objects are judged, how often the threads of this cache found one fit.
    taken: u64,
}

/// For as long as it lives, somebody waits.
pub(super) struct Waiting<'a>(&'a AtomicUsize);

impl<T> Caches<T> {
    /// For a pool of so many objects, at least one.
    pub(super) fn new(capacity: usize, is_judged: bool) -> Self {
        // Twice the cores: the workers of a pool, and whoever submits to it, get one each.
        let count = capacity.min(thread::available_cores().saturating_mul(2)).min(MOST).next_power_of_two();
        let cache = || Padded(Mutex::new(Cache { idle: None, taken: 0 }));
        Self { all: (0..count).map(|_| cache()).collect(), mark: Padded(AtomicUsize::new(0)), is_judged }
    }

    /// Where the calling thread looks first. A thread whose locals are gone shares with the first one.
    #[inline]
    fn own(&self) -> usize {
        NUMBER.try_with(|number| *number).unwrap_or(0) & (self.all.len() - 1)
    }

    /// What the calling thread has put in last, unless another one has taken it or is looking at it now.
    #[inline]
    pub(super) fn take_own(&self) -> Option<Lease<T>> {
        let mut cache = self.all[self.own()].try_lock()?;
        let lease = cache.idle.take()?;
        cache.taken += u64::from(!self.is_judged);
        Some(lease)
    }

    /// An object was taken, from wherever, judged and found fit.
    pub(super) fn count_fit(&self) {
        self.all[self.own()].lock().taken += 1;
    }

    /// Puts it where the calling thread finds it again. Returns what belongs on the idle list instead: what was there before, or,
    /// because of the mark or because somebody looks at the cache, the very same.
    #[inline]
    pub(super) fn put_own(&self, lease: Lease<T>) -> Option<Lease<T>> {
        let Some(mut cache) = self.all[self.own()].try_lock() else { return Some(lease) };
        // Relaxed: the cache's lock orders it, see invariant 2.
        if self.mark.load(Ordering::Relaxed) != 0 {
            return Some(lease);
        }
        cache.idle.replace(lease)
    }

    /// Takes an object from any cache, to use it. Caches that are empty at the time at which each is looked at give nothing.
    pub(super) fn steal(&self) -> Option<Lease<T>> {
        let own = self.own();
        (0..self.all.len()).find_map(|offset| {
            let mut cache = self.all[(own + offset) & (self.all.len() - 1)].lock();
            let lease = cache.idle.take()?;
            cache.taken += u64::from(!self.is_judged);
            Some(lease)
        })
    }

    /// Takes out, one after the other, what is to go, and hands it to `each` with no lock held.
    pub(super) fn take_out(&self, goes: impl Fn(&Lease<T>) -> bool, mut each: impl FnMut(Lease<T>)) {
        for cache in &self.all {
            let taken_out = cache.lock().idle.take_if(|lease| goes(lease));
            if let Some(lease) = taken_out {
                each(lease);
            }
        }
    }

    /// How many objects are cached, and how often one was taken to be used; the caches are looked at one after the other.
    pub(super) fn counts(&self) -> (usize, u64) {
        self.all.iter().fold((0, 0), |(cached, taken), cache| {
            let cache = cache.lock();
            (cached + usize::from(cache.idle.is_some()), taken + cache.taken)
        })
    }

    /// From now on somebody waits: see invariant 2.
    pub(super) fn wait(&self) -> Waiting<'_> {
        self.mark.fetch_add(WAITER, Ordering::Relaxed);
        Waiting(&self.mark)
    }

    /// From now on nothing is put in: see invariant 2.
    pub(super) fn close(&self) {
        self.mark.fetch_or(CLOSED, Ordering::Relaxed);
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(WAITER, Ordering::Relaxed);
    }
}
