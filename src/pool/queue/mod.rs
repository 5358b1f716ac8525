//! What is queued: one list under one lock, and a short list per worker that others may take from.
//!
//! A worker that comes to the queue takes several tasks at once, so that the lock, and the cache line that every submitter
//! writes, is paid for once per batch. The rest of a batch lies in the worker's own list, in sight: a worker that finds the
//! queue empty takes half of somebody's, and one that comes to the queue takes over what has been left lying too long.
//!
//! As soon as a task comes that is not like the others (a priority, a rate), everything moves into [`Lanes`], and
//! tasks are taken one by one until the lanes are empty again. A pool without such tasks never makes them.
//!
//! # Invariants
//! 1. A task is in exactly one place, and moves between the queue and the lists only under the queue's lock. So whoever holds it
//!    sees every task, except that an owner may take one from its list at any time.
//! 2. `lent[worker]` is at least the length of that worker's list. So the sum is an upper bound of what is queued, and cheap;
//!    where it says "full", the lists are counted.
//! 3. `depth` follows what can be taken from the queue itself, under the lock; without it, it is a hint. The protocol by which workers park
//!    (`wakeup`) looks under the lock.
//! 4. Without lanes, a task starts at most 64 starts per worker later than in the order of submission, and a turn of
//!    [`take_over`](Queue::take_over) through the lists (a batch for every four lists), however many workers are stuck.
//!
//! Lock order: the queue's lock, then one list's.

mod crew;
mod list;
mod share;
mod store;

use std::collections::BTreeMap;
use std::mem;

pub(super) use self::crew::Crew;
pub(super) use self::list::List;
use self::list::Numbered;
pub(super) use self::store::{Hold, Store};
use super::lanes::{Lanes, Pick, Place, Ready};
use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::time::{self, Instant};
use crate::sync::{Mutex, MutexGuard, Padded, Slots};

/// The most tasks that a worker takes at once. Batches of 32 bring the lock down to a few nanoseconds a task; longer ones gain
/// nothing more, and only move work about when it has to be shared out again.
pub(super) const BATCH: usize = 32;

/// Where a task is queued that has no wishes.
const ORDINARY: Place = Place { level: 0, class: None };

/// What is queued for one pool.
#[derive(Debug)]
pub(super) struct Queue<T> {
    counter: Padded<Counter<T>>,
    lists: Slots<Padded<List<T>>>,
    /// Places that entries which stand for several tasks hold besides their own; taken under the lock, given back without.
    extra: Padded<AtomicUsize>,
    bound: usize,
}

/// On one line: whoever writes the one has just written the other.
#[derive(Debug)]
struct Counter<T> {
    store: Mutex<Store<T>>,
    depth: AtomicUsize,
}

/// What a worker saw that came to the queue.
#[derive(Clone, Copy, Debug)]
pub(super) struct Visit {
    /// How many tasks lay in the queue, the one that was taken included.
    pub(super) seen: usize,
    /// Whether at most half of the bound is used.
    pub(super) roomy: bool,
    /// Whether there is work left for others.
    pub(super) more: bool,
}

/// A task that a worker took.
#[derive(Debug)]
pub(super) struct Taken<T> {
    pub(super) task: T,
    pub(super) number: u64,
    /// Where it lay, if it came out of the lanes; then its end is owed to [`Queue::ended`].
    pub(super) place: Option<Place>,
    /// What the worker saw.
    pub(super) visit: Visit,
}

/// What a worker that came to the queue gets.
#[derive(Debug)]
pub(super) enum Next<T> {
    Task(Taken<T>),
    Nothing,
    /// A task of a class, for which the worker did not come: it lies where it lay.
    Rated,
}

impl<T> Queue<T> {
    /// `lanes`: those to use when they are needed; `always`: they are needed from the start. `crew`: if workers have queues of their
    /// own.
    pub(super) fn new(bound: usize, lanes: Lanes<T>, crew: Option<Crew<T>>, always: bool) -> Self {
        let store = Mutex::new(Store::new(lanes, crew, always));
        let counter = Counter { store, depth: AtomicUsize::new(0) };
        Self { counter: Padded(counter), lists: Slots::new(0), extra: Padded(AtomicUsize::new(0)), bound }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Store<T>> {
        self.counter.store.lock()
    }

    /// Makes a list for `worker`.
    pub(super) fn seat(&self, store: &mut Store<T>, worker: usize) {
        self.lists.grow(worker + 1);
        store.lent.resize(self.lists.len(), 0);
        store.crew.iter_mut().for_each(|crew| crew.seat(worker));
    }

    /// Takes a worker out that leaves while others stay, and gives what it had not started to them: back into its place in the
    /// queue, or as if it had just been submitted.
    pub(super) fn unseat(&self, store: &mut Store<T>, worker: usize, hash: impl Fn(&T) -> Option<u64>) {
        let rest = self.lists.at(worker).take();
        store.lend(worker, 0);
        rest.into_iter().rev().for_each(|(number, task)| store.insert(number, task));
        if let Some(crew) = &mut store.crew {
            for (place, number, task) in crew.leave(worker) {
                crew.push(place, hash(&task), number, task);
            }
        }
        self.show(store);
    }

    /// Whether `count` more tasks may be queued.
    #[inline]
    pub(super) fn has_room(&self, store: &mut Store<T>, count: usize) -> bool {
        let extra = self.extra();
        let fits = |used: usize| (used + extra).checked_add(count).is_some_and(|sum| sum <= self.bound);
        fits(store.at_most()) || fits(self.count(store))
    }

    fn extra(&self) -> usize {
        self.extra.load(Ordering::Relaxed)
    }

    /// Takes places besides those of the entries, for which there is room; the caller holds the lock.
    pub(super) fn reserve(&self, places: usize) {
        self.extra.fetch_add(places, Ordering::Relaxed);
    }

    /// Gives such places back.
    pub(super) fn release(&self, places: usize) {
        self.extra.fetch_sub(places, Ordering::Relaxed);
    }

    /// Queues a task, for which there is room; the worker that it belongs to, if it does. `hash`: that of its key.
    #[inline]
    pub(super) fn push(
        &self,
        store: &mut Store<T>,
        place: Option<Place>,
        hash: impl FnOnce() -> Option<u64>,
        number: u64,
        task: T,
    ) -> Option<usize> {
        if let Some(crew) = &mut store.crew {
            let worker = crew.push(place.unwrap_or(ORDINARY), hash(), number, task);
            self.show(store);
            return Some(worker);
        }
        if store.ordered || place.is_some_and(|place| place != ORDINARY) {
            self.push_ordered(store, place.unwrap_or(ORDINARY), number, task);
        } else {
            store.insert(number, task);
        }
        self.show(store);
        None
    }

    #[cold]
    fn push_ordered(&self, store: &mut Store<T>, place: Place, number: u64, task: T) {
        self.order(store);
        store.lanes.push(place, number, task);
    }

    /// Goes over to the lanes: as long as they have something, the lists have nothing, since nobody looks there.
    fn order(&self, store: &mut Store<T>) {
        if mem::replace(&mut store.ordered, true) {
            return;
        }
        for worker in 0..store.lent.len() {
            store.lend(worker, 0);
            let rest = self.lists.at(worker).take();
            for (number, task) in rest {
                store.lanes.push(ORDINARY, number, task);
            }
        }
        for (number, task) in store.list.drain(..) {
            store.lanes.push(ORDINARY, number, task);
        }
    }

    /// The rest of a worker's batch.
    pub(super) fn rest(&self, worker: usize) -> &List<T> {
        self.lists.at(worker)
    }

    /// The next task for a worker that has no rest of a batch; `took` is called under the lock if there is one. `rated`: whether one of
    /// a class will do. Such a worker asks for a permit before it starts the task, so the task is queued still: its place is
    /// kept, for the worker to [release](Self::release) or to [put back](Self::put_back).
    pub(super) fn take(&self, worker: usize, rated: bool, took: impl FnOnce()) -> Next<T> {
        let mut guard = self.lock();
        let store = &mut *guard;
        store.lend(worker, 0);
        if store.hold == Hold::Held {
            return Next::Nothing;
        }
        let seen = store.len();
        let (place, (number, task)) = if store.ordered {
            let taken = self.take_ordered(store, worker);
            if let Some((place, (number, task))) = taken {
                if place.class.is_some() && !rated {
                    store.lanes_of(worker).push(place, number, task);
                    store.lanes_of(worker).ended(place.level);
                    store.ordered = true;
                    return Next::Rated;
                }
                store.crew.iter_mut().for_each(|crew| crew.visited(worker, true));
                self.show(store);
                (Some(place), (number, task))
            } else {
                store.crew.iter_mut().for_each(|crew| crew.visited(worker, false));
                return Next::Nothing;
            }
        } else {
            let Some(task) = self.take_batch(store, worker) else { return Next::Nothing };
            (None, task)
        };
        took();
        let used = store.at_most() + self.extra();
        // What belongs to others is no work for whoever would be woken.
        let more = store.crew.is_none() && store.len() + store.lent_sum > 0;
        let visit = Visit { seen, roomy: used <= self.bound / 2, more };
        if rated {
            self.reserve(1);
        }
        Next::Task(Taken { task, number, place, visit })
    }

    #[cold]
    fn take_ordered(&self, store: &mut Store<T>, worker: usize) -> Option<(Place, Numbered<T>)> {
        let pick = if store.is_open(time::now) { store.lanes_of(worker).pop(time::now) } else { Pick::Held };
        let Pick::Task { place, number, entry } = pick else {
            // Nothing that can be taken: a worker need not look before somebody says so.
            self.counter.depth.store(0, Ordering::Relaxed);
            return None;
        };
        store.ordered = store.always || !store.lanes.is_empty();
        Some((place, (number, entry)))
    }

    /// The next task; what follows it goes to the worker's list.
    fn take_batch(&self, store: &mut Store<T>, worker: usize) -> Option<Numbered<T>> {
        if let Some(task) = self.take_over(store, worker) {
            return Some(task);
        }
        let Some(first) = store.list.pop_front() else {
            return self.steal(store, worker);
        };
        let rest = store.list.len().min(BATCH - 1);
        if rest > 0 {
            self.lists.at(worker).fill(store.list.drain(..rest));
            store.lend(worker, rest);
        }
        self.show(store);
        Some(first)
    }

    /// Puts a task back that may not start before `until`; no task of its class may, and, with `all`, none at all.
    pub(super) fn put_back(
        &self,
        store: &mut Store<T>,
        worker: usize,
        taken: Taken<T>,
        until: Instant,
        all: bool,
    ) {
        let Taken { task, number, place, .. } = taken;
        let place = place.unwrap_or(ORDINARY);
        self.release(1);
        // Others may have queued tasks without a class, while the lanes were empty.
        self.order(store);
        if all {
            store.close_until(until);
            store.lanes_of(worker).push(place, number, task);
            store.lanes_of(worker).ended(place.level);
        } else {
            store.lanes_of(worker).put_back(place, number, task, until);
        }
        store.crew.iter_mut().for_each(Crew::count_back);
        self.show(store);
    }

    /// A task out of the lanes is over; whether that may have let another one start.
    pub(super) fn ended(&self, store: &mut Store<T>, place: Place) -> bool {
        let more = store.lanes.ended(place.level);
        if more {
            self.show(store);
        }
        more
    }

    /// Everything that is queued, in no particular order.
    pub(super) fn drain(&self, store: &mut Store<T>) -> Vec<Numbered<T>> {
        let mut all: Vec<Numbered<T>> = self.lists.iter().flat_map(|list| list.take()).collect();
        all.extend(store.list.drain(..));
        let crew = store.crew.iter_mut().flat_map(Crew::drain);
        all.extend(crew.map(|(_, number, task)| (number, task)));
        all.extend(store.lanes.drain());
        store.ordered = store.always;
        store.lent.fill(0);
        store.lent_sum = 0;
        self.show(store);
        all
    }

    /// How many places are taken.
    pub(super) fn places(&self, store: &mut Store<T>) -> usize {
        self.count(store) + self.extra()
    }

    /// As [`places`](Self::places), without those of entries that stand for several tasks.
    fn count(&self, store: &mut Store<T>) -> usize {
        for worker in 0..store.lent.len() {
            store.lend(worker, self.lists.at(worker).len());
        }
        store.at_most()
    }

    /// How many places are taken, by priority; without those of tasks that are not here.
    pub(super) fn levels(&self, store: &mut Store<T>) -> BTreeMap<i8, usize> {
        self.count(store);
        let mut levels = store.levels();
        // Only entries without wishes stand for several tasks.
        let ordinary = store.list.len() + store.lent_sum + self.extra();
        if ordinary > 0 {
            *levels.entry(0).or_default() += ordinary;
        }
        levels
    }

    /// When `worker` finds something here.
    pub(super) fn ready(&self, store: &mut Store<T>, worker: usize) -> Ready {
        if store.ordered {
            return store.ready(worker, time::now);
        }
        let is_empty = store.list.is_empty() && self.lists.iter().all(|list| list.is_empty());
        if is_empty { Ready::Never } else { Ready::Now }
    }

    /// Whether there is nothing that can be taken; a hint.
    pub(super) fn is_empty(&self) -> bool {
        self.counter.depth.load(Ordering::Relaxed) == 0 && self.lists.iter().all(|list| list.is_empty())
    }

    /// Whether the queue is at most half full; a hint.
    pub(super) fn is_roomy(&self) -> bool {
        self.counter.depth.load(Ordering::Relaxed) + self.extra() <= self.bound / 2
    }

    /// Restores invariant 3.
    #[inline]
    fn show(&self, store: &Store<T>) {
        self.counter.depth.store(store.len(), Ordering::Relaxed);
    }
}
