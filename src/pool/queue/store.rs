//! The part of the queue under its lock.

use std::collections::{BTreeMap, VecDeque};

use super::crew::Crew;
use super::list::Numbered;
use crate::pool::lanes::{Lanes, Ready};
use crate::sync::time::Instant;

/// Whether workers may take tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::pool) enum Hold {
    Free,
    /// The pool is paused.
    Held,
    /// Free, and never held again: the pool ends.
    Never,
}

/// No pool accepts so many tasks.
const BEHIND: u64 = u64::MAX / 2;

#[derive(Debug)]
pub(in crate::pool) struct Store<T> {
    /// Oldest first; empty while `ordered`.
    pub(super) list: VecDeque<Numbered<T>>,
    pub(super) lanes: Lanes<T>,
    /// Whether tasks are queued in `lanes`; then all are, and the workers' lists are empty.
    pub(super) ordered: bool,
    /// Whether `ordered` stays.
    pub(super) always: bool,
    /// Where tasks go that belong to one worker; `None` if all share `lanes`.
    pub(super) crew: Option<Crew<T>>,
    /// Here too, and not only in the gate's flags: a worker that has looked at those and then comes to the queue must see a pause that
    /// was finished in between.
    pub(in crate::pool) hold: Hold,
    /// Nothing may start before this instant.
    closed: Option<Instant>,
    /// Of which version what is known of rates is.
    rates_version: u64,
    /// The upper bound of each worker's list, and their sum.
    pub(super) lent: Vec<usize>,
    pub(super) lent_sum: usize,
    /// The list that was last looked at for what has been left lying.
    pub(super) look: usize,
    /// Places taken by tasks that are not here: those that wait for their key, and all but one of those that share an entry.
    pub(in crate::pool) reserved: usize,
    /// The number of the next entry that is laid open again.
    behind: u64,
    /// How many workers there are, and how many there should be.
    pub(in crate::pool) workers: usize,
    pub(in crate::pool) target: usize,
}

impl<T> Store<T> {
    pub(super) fn new(lanes: Lanes<T>, crew: Option<Crew<T>>, always: bool) -> Self {
        let always = always || crew.is_some();
        Self {
            crew,
            list: VecDeque::new(),
            lanes,
            ordered: always,
            always,
            hold: Hold::Free,
            closed: None,
            rates_version: 0,
            lent: Vec::new(),
            lent_sum: 0,
            look: 0,
            reserved: 0,
            behind: BEHIND,
            workers: 0,
            target: 0,
        }
    }

    /// Puts a task into its place in the list. Almost always that is the end; a task that comes late waited for its key, or comes
    /// back from a worker that leaves.
    #[inline]
    pub(super) fn insert(&mut self, number: u64, task: T) {
        if self.list.back().is_none_or(|(last, _)| *last < number) {
            self.list.push_back((number, task));
        } else {
            self.sort_in(number, task);
        }
    }

    #[cold]
    fn sort_in(&mut self, number: u64, task: T) {
        let place = self.list.partition_point(|(before, _)| *before < number);
        self.list.insert(place, (number, task));
    }

    /// A number behind all submissions, and behind what was laid open before.
    pub(super) fn number_behind(&mut self) -> u64 {
        self.behind += 1;
        self.behind
    }

    /// How many tasks lie in the queue itself.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.list.len() + self.lanes.len() + self.crew.as_ref().map_or(0, Crew::len)
    }

    /// How many places are taken at most.
    #[inline]
    pub(super) fn at_most(&self) -> usize {
        self.len() + self.lent_sum + self.reserved
    }

    #[inline]
    pub(super) fn lend(&mut self, worker: usize, count: usize) {
        self.lent_sum = self.lent_sum + count - self.lent[worker];
        self.lent[worker] = count;
    }

    /// Lets nothing start before `until`.
    pub(super) fn close_until(&mut self, until: Instant) {
        self.closed = Some(self.closed.map_or(until, |before| before.max(until)));
    }

    /// Forgets what was known about rates, if it is of an earlier version.
    pub(in crate::pool) fn reopen(&mut self, version: u64) {
        if self.rates_version != version {
            self.rates_version = version;
            self.closed = None;
            self.lanes.open_all();
            self.crew.iter_mut().for_each(Crew::open_all);
        }
    }

    /// The lanes that a worker takes from.
    pub(super) fn lanes_of(&mut self, worker: usize) -> &mut Lanes<T> {
        match &mut self.crew {
            Some(crew) => crew.lanes_of(worker),
            None => &mut self.lanes,
        }
    }

    /// Whether anything may start.
    pub(super) fn is_open(&mut self, now: impl FnOnce() -> Instant) -> bool {
        if self.closed.is_some_and(|until| now() >= until) {
            self.closed = None;
        }
        self.closed.is_none()
    }

    /// When a worker finds something in the lanes.
    pub(super) fn ready(&mut self, worker: usize, now: impl Fn() -> Instant) -> Ready {
        if self.lanes_of(worker).is_empty() {
            return Ready::Never;
        }
        if !self.is_open(&now) {
            return self.closed.map_or(Ready::Now, Ready::At);
        }
        self.lanes_of(worker).ready(now)
    }

    /// How many tasks lie in the lanes, by priority.
    pub(super) fn levels(&self) -> BTreeMap<i8, usize> {
        let crew = self.crew.iter().flat_map(Crew::levels);
        let mut levels = BTreeMap::new();
        for (level, count) in self.lanes.levels().chain(crew) {
            *levels.entry(level).or_default() += count;
        }
        levels
    }
}
