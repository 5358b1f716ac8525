//! The list of idle objects that belong to no thread, and the count of all that live.

use std::collections::VecDeque;

use super::entry::Idle;
use super::report::Discarded;
use crate::semaphore::OwnedPermit;
use crate::sync::time::Duration;

/// Under the list's lock.
pub(super) struct IdleList<T> {
    /// By the time of their return, the most recently used last.
    idle: VecDeque<Idle<T>>,
    /// Objects that are idle, held, being made or being dropped, those in the caches of threads included.
    alive: usize,
    capacity: usize,
    is_closed: bool,
    /// How often an object was taken from the list to be used, without those that are judged: see the caches.
    taken: u64,
    is_judged: bool,
    pub(super) tally: Tally,
}

/// What happened, except for what each thread finds in its cache.
#[derive(Clone, Copy, Default)]
pub(super) struct Tally {
    pub(super) created: u64,
    pub(super) detached: u64,
    pub(super) discarded: Discarded,
    pub(super) create_failures: u64,
    pub(super) refused: u64,
    pub(super) timed_out: u64,
    pub(super) cancelled: u64,
    pub(super) waited: u64,
    pub(super) wait_time: Duration,
}

/// What one with a permit finds who asks for an object or the right to make one.
pub(super) enum Found<T> {
    Object(Idle<T>),
    Place,
    Closed,
}

impl<T> IdleList<T> {
    pub(super) fn new(capacity: usize, is_judged: bool) -> Self {
        Self {
            idle: VecDeque::new(),
            alive: 0,
            capacity,
            is_closed: false,
            taken: 0,
            is_judged,
            tally: Tally::default(),
        }
    }

    /// How many are on the list, how many live, and how often one was taken.
    pub(super) fn counts(&self) -> (usize, usize, u64) {
        (self.idle.len(), self.alive, self.taken)
    }

    /// Adds an object, or returns it if the list is closed.
    pub(super) fn push(&mut self, idle: Idle<T>) -> Result<(), Idle<T>> {
        if self.is_closed {
            return Err(idle);
        }
        // What a thread's cache gives up was returned a little before what is here: few steps.
        let newer = self.idle.iter().rev().take_while(|other| other.since() > idle.since()).count();
        self.idle.insert(self.idle.len() - newer, idle);
        Ok(())
    }

    /// Takes the most recently used one, for the holder of a permit.
    pub(super) fn pop(&mut self, _permit: &OwnedPermit) -> Option<Idle<T>> {
        let idle = self.idle.pop_back()?;
        self.taken += u64::from(!self.is_judged);
        Some(idle)
    }

    /// As [`pop`](Self::pop); if there is none, a new object counts as alive from now on.
    pub(super) fn pop_or_reserve(&mut self, permit: &OwnedPermit) -> Found<T> {
        if self.is_closed {
            return Found::Closed;
        }
        if let Some(idle) = self.pop(permit) {
            return Found::Object(idle);
        }
        self.count_new();
        Found::Place
    }

    /// Whether fewer than that live, and fewer than may.
    pub(super) fn has_room(&self, objects: usize) -> bool {
        self.alive < objects.min(self.capacity)
    }

    /// For the holder of a permit: a new object counts as alive from now on, if fewer than that do.
    pub(super) fn reserve_below(&mut self, objects: usize, _permit: &OwnedPermit) -> bool {
        let has_room = !self.is_closed && self.has_room(objects);
        if has_room {
            self.count_new();
        }
        has_room
    }

    fn count_new(&mut self) {
        self.alive += 1;
        debug_assert!(self.alive <= self.capacity, "{} of {} live", self.alive, self.capacity);
    }

    /// An object is no more, or will not be.
    pub(super) fn count_gone(&mut self) {
        self.alive -= 1;
    }

    /// Since when that one is idle that is so for the longest.
    pub(super) fn oldest(&self) -> Option<u64> {
        self.idle.front().map(Idle::since)
    }

    /// Takes that one, if it is to go.
    pub(super) fn take_oldest(&mut self, goes: impl Fn(u64) -> bool) -> Option<Idle<T>> {
        let goes = self.oldest().is_some_and(goes);
        if goes { self.idle.pop_front() } else { None }
    }

    /// Takes nothing in and reserves nothing from now on; what was idle.
    pub(super) fn close(&mut self) -> VecDeque<Idle<T>> {
        self.is_closed = true;
        std::mem::take(&mut self.idle)
    }
}
