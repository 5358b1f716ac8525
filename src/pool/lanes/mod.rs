//! The order in which queued tasks start: by priority level, with ageing, caps per level and classes that may be closed for a while.
//!
//! A *lane* is what is queued for one level and one class (the tasks of one rate limiter; no class is a class, too). Within a lane, and
//! among the lanes of one level, tasks start in submission order. Between levels the *rank* decides: the submission number less
//! `level * ageing`. The lowest rank is first, and of equal ranks the higher level.
//!
//! # The bound against starvation
//! While nothing holds it up (a cap, a closed class), a task is overtaken by at most `difference * ageing` later submissions, where
//! `difference` is that to the highest level in use, whatever the load. With `ageing` 0 levels do not count at all; with `u64::MAX`
//! nothing ages, and a lower level waits for as long as a higher one has tasks.
//!
//! Ageing counts submissions, not time: the order is then a function of what was submitted, so a run can be replayed and the
//! bound tested, no clock is read per task, and a rank never changes, so nothing has to be sorted again. A task that waits while
//! nothing else is submitted needs no ageing: nothing comes that could overtake it.
//!
//! # Invariants
//! 1. The rank of an entry never changes, also when it is put back.
//! 2. A class is closed only while it has an entry queued. So what is kept about classes is bounded by what is queued.
//! 3. A class is open or closed in all levels alike: what opens or closes it goes through all of them.
//! 4. For a level with a cap: `running` = popped - put back - ended, and nothing of it is popped while `running` is the cap.
//!
//! It is a plain value: its owner holds it in a lock, and no code of the user runs inside.

mod classes;
mod closed;
mod level;
mod place;

use std::collections::BTreeMap;

use self::closed::Closed;
use self::level::Level;
pub(super) use self::place::Place;
use crate::sync::time::Instant;

/// What [`Lanes::pop`] found.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Pick<T> {
    /// The task that is to start now. The caller owes [`Lanes::ended`] or [`Lanes::put_back`].
    Task { place: Place, number: u64, entry: T },
    /// Nothing is queued.
    Empty,
    /// All that is queued waits for a task of its own level to end.
    Held,
    /// Nothing may start before this instant, at which a class opens, unless a task ends or comes before.
    Until(Instant),
}

/// When a task may start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ready {
    Now,
    /// Not before this instant, unless a task ends or comes before.
    At(Instant),
    /// Not before a task ends or comes.
    Never,
}

#[derive(Debug)]
pub(super) struct Lanes<T> {
    ageing: u64,
    /// The highest first; a level that once was used stays (there are 256 at most).
    levels: Vec<Level<T>>,
    closed: Closed,
    len: usize,
}

impl<T> Lanes<T> {
    /// With `caps`, the most tasks of a level that run at once; a level that is not in it has no cap.
    ///
    /// A level with a cap of 0 never starts anything; the builder refuses that.
    pub(super) fn new(ageing: u64, caps: BTreeMap<i8, usize>) -> Self {
        let levels = caps.into_iter().rev().map(|(level, cap)| Level::new(level, ageing, cap)).collect();
        Self { ageing, levels, closed: Closed::default(), len: 0 }
    }

    /// Queues a task. `number` is its submission number: one that no other queued task has.
    ///
    /// # Cost
    /// Constant if numbers grow from push to push; a task with an earlier number than some in its lane is sorted in.
    pub(super) fn push(&mut self, place: Place, number: u64, entry: T) {
        let at = match self.position(place.level) {
            Ok(at) => at,
            Err(at) => {
                let mut level = Level::new(place.level, self.ageing, usize::MAX);
                if self.closed.contains(None) {
                    level.close(None); // invariant 3
                }
                self.levels.insert(at, level);
                at
            }
        };
        let is_open = !self.closed.contains(place.class);
        self.levels[at].push(place.class, number, entry, is_open);
        self.len += 1;
    }

    /// Takes the task that is to start next. `now` is asked only if a class is closed.
    ///
    /// # Cost
    /// Linear in the levels in use (most programs have three), logarithmic in the classes queued.
    pub(super) fn pop(&mut self, now: impl FnOnce() -> Instant) -> Pick<T> {
        if self.len == 0 {
            return Pick::Empty;
        }
        if !self.closed.is_empty() {
            self.open_what_is_due(now());
        }
        // Of equal ranks `min_by_key` takes the first, which is the highest level.
        let fronts = self.levels.iter().enumerate().filter_map(|(at, level)| Some((level.rank()?, at)));
        let Some((_, at)) = fronts.min_by_key(|(rank, _)| *rank) else {
            return self.closed.earliest().map_or(Pick::Held, Pick::Until);
        };
        let level = &mut self.levels[at];
        let Some((class, number, entry)) = level.pop() else {
            unreachable!("what has a rank has a front");
        };
        self.len -= 1;
        Pick::Task { place: Place { level: level.priority(), class }, number, entry }
    }

    /// What [`pop`](Self::pop) would find.
    pub(super) fn ready(&mut self, now: impl FnOnce() -> Instant) -> Ready {
        if self.len == 0 {
            return Ready::Never;
        }
        if !self.closed.is_empty() {
            self.open_what_is_due(now());
        }
        if self.levels.iter().any(|level| level.rank().is_some()) {
            return Ready::Now;
        }
        self.closed.earliest().map_or(Ready::Never, Ready::At)
    }

    /// Opens all classes: what was known of their limiters holds no more.
    pub(super) fn open_all(&mut self) {
        for class in self.closed.open_all() {
            for level in &mut self.levels {
                level.open(class);
            }
        }
    }

    /// Puts a popped task back into its place in the order, as if it had not been popped, and closes its class, in all levels,
    /// until `until`; if it is closed already, until the later of both instants.
    ///
    /// Returns whether that may have let another task start that a cap held back.
    pub(super) fn put_back(&mut self, place: Place, number: u64, entry: T, until: Instant) -> bool {
        self.push(place, number, entry);
        if self.closed.close(place.class, until) {
            for level in &mut self.levels {
                level.close(place.class);
            }
        }
        self.ended(place.level)
    }

    /// A popped task of this level is over.
    ///
    /// Returns whether that may have let a task start that a cap held back.
    pub(super) fn ended(&mut self, level: i8) -> bool {
        self.position(level).is_ok_and(|at| self.levels[at].ended())
    }

    /// The number of tasks queued.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing is queued.
    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The number of tasks queued in one level.
    #[cfg(all(test, not(any(gristmill_shuttle, gristmill_loom))))]
    pub(super) fn queued(&self, level: i8) -> usize {
        self.position(level).map_or(0, |at| self.levels[at].queued())
    }

    /// The levels that have tasks queued, the highest first, and how many.
    pub(super) fn levels(&self) -> impl Iterator<Item = (i8, usize)> + '_ {
        self.levels.iter().map(|level| (level.priority(), level.queued())).filter(|(_, queued)| *queued > 0)
    }

    /// Takes all that is queued, with its numbers and in their order, whatever is held or closed.
    ///
    /// Popped tasks go on to count for their caps. No class is closed afterwards (invariant 2): the next task asks its limiter anew.
    pub(super) fn drain(&mut self) -> Vec<(u64, T)> {
        self.take().into_iter().map(|(_, number, entry)| (number, entry)).collect()
    }

    /// As [`drain`](Self::drain), with the places.
    pub(super) fn take(&mut self) -> Vec<(Place, u64, T)> {
        let mut entries = Vec::with_capacity(self.len);
        for level in &mut self.levels {
            level.drain_into(&mut entries);
        }
        self.closed = Closed::default();
        self.len = 0;
        entries.sort_unstable_by_key(|(_, number, _)| *number);
        entries
    }

    /// Where in `levels` this level is, or where it would be.
    fn position(&self, level: i8) -> Result<usize, usize> {
        self.levels.binary_search_by(|at| level.cmp(&at.priority()))
    }

    fn open_what_is_due(&mut self, now: Instant) {
        for class in self.closed.open_due(now) {
            for level in &mut self.levels {
                level.open(class);
            }
        }
    }
}

#[cfg(all(test, not(any(gristmill_shuttle, gristmill_loom))))]
mod tests;
