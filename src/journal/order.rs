//! Claims of keys: an order to do a task, or that it is done already.

use std::fmt;
use std::sync::Arc;

use super::error::JournalError;
use super::marks::Mark;
use super::record::{Identity, InputHash, Job};
use super::shared::Shared;

/// What a key that was claimed comes to.
#[derive(Debug)]
pub(super) enum Claim {
    /// It was never recorded: run it.
    Fresh(Order),
    /// It is recorded with another input: run it, and the record replaces the old one, or refuse.
    Changed(Order, Recorded),
    /// It is recorded with this input.
    Recorded(Recorded),
}

/// Why a key could not be claimed.
#[derive(Debug)]
pub(super) enum ClaimRefusal {
    /// This run has claimed it already.
    Duplicate,
    /// Another run is working on it.
    InUse,
    /// It is longer than [`LONGEST_KEY`](super::record::LONGEST_KEY).
    KeyTooLong,
    /// The journal has failed.
    Failed(JournalError),
}

/// A key that is being worked on. Dropped without a record, it gives the key back: it can be claimed again, by the same run as well.
pub(super) struct Order {
    shared: Arc<Shared>,
    identity: Identity,
    job: Job,
    key: Arc<str>,
    input: InputHash,
    /// The number of the record that this one's will replace; 0 if there is none.
    replaces: u64,
    /// See [`Index::crashes`](super::index::Index::crashes).
    crashes: Option<u32>,
    mark: Option<Mark>,
    is_done: bool,
}

impl Order {
    /// An order for what the index has just been told that somebody works on; announces it.
    pub(super) fn new(
        shared: Arc<Shared>,
        job: Job,
        key: Arc<str>,
        identity: Identity,
        input: InputHash,
        replaces: u64,
        crashes: Option<u32>,
    ) -> Self {
        shared.begin_order();
        // The record that it replaces is there however this ends: only a mark of its own says that it ran.
        let is_alone = crashes.is_some() || replaces > 0;
        let mark = Some(shared.marks.announce(identity, is_alone));
        Self { shared, identity, job, key, input, replaces, crashes, mark, is_done: false }
    }

    pub(super) fn job(&self) -> &Job {
        &self.job
    }

    pub(super) fn key(&self) -> &Arc<str> {
        &self.key
    }

    pub(super) fn input(&self) -> InputHash {
        self.input
    }

    /// In how many crashes in a row it was running.
    pub(super) fn crashes(&self) -> u32 {
        self.crashes.unwrap_or(0)
    }

    /// It runs no more, and is going to be recorded: if the process dies while it waits for that, it was not running.
    pub(super) fn rest(&self) {
        if let Some(mark) = &self.mark {
            self.shared.marks.rest(mark);
        }
    }

    /// Whether it was near a crash: there is an entry of it among the crashes then, which its record ends.
    pub(super) fn is_suspected(&self) -> bool {
        self.crashes.is_some()
    }

    pub(super) fn identity(&self) -> Identity {
        self.identity
    }

    pub(super) fn replaces(&self) -> Option<u64> {
        (self.replaces > 0).then_some(self.replaces)
    }

    pub(super) fn mark(&self) -> Option<&Mark> {
        self.mark.as_ref()
    }

    /// Its record is committed, and the index knows: only its mark is left.
    pub(super) fn recorded(mut self) {
        self.is_done = true;
    }
}

impl Drop for Order {
    fn drop(&mut self) {
        self.shared.end_order(self.is_done);
        match self.mark.take() {
            Some(mark) if self.is_done => self.shared.marks.end(mark),
            Some(mark) => self.shared.marks.withdraw(mark),
            None => {}
        }
        if !self.is_done {
            self.shared.index().give_back(self.identity);
        }
    }
}

impl fmt::Debug for Order {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Order({:?}, {:?})", self.job, self.key)
    }
}

/// A key that is recorded: what to read it by.
#[derive(Clone, Debug)]
pub(super) struct Recorded {
    pub(super) seq: u64,
    pub(super) identity: Identity,
    pub(super) job: Job,
    pub(super) key: Arc<str>,
    /// The hash of the input that it was claimed with, which is the recorded one unless it was a [`Claim::Changed`].
    pub(super) input: InputHash,
}

impl Recorded {
    /// Its number.
    pub(super) fn seq(&self) -> u64 {
        self.seq
    }
}

#[cfg(all(test, not(any(gristmill_shuttle, gristmill_loom))))]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;
    use crate::journal::index::Index;
    use crate::journal::marks::Marks;
    use crate::journal::side::Side;

    /// Who would be taken for running if the process were killed now.
    fn marked(journal: &Path) -> Vec<u128> {
        let copy = journal.with_extension("killed");
        fs::copy(Side::path_for(journal), Side::path_for(&copy)).expect("it is there");
        Side::lock(&copy).expect("nobody has the copy").1.marked
    }

    #[test]
    fn order_that_is_given_up_takes_its_mark_back_and_one_that_is_recorded_writes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let journal = folder.path().join("batch.journal");
        let (side, _) = Side::lock(&journal).unwrap();
        side.begin_epoch().unwrap();
        let (index, marks) = (Index::default(), Marks::of(side));
        let shared = Arc::new(Shared::new(journal.clone(), index, marks, Box::new(|_: bool| {})));
        let job = Job::new(1, "scope", "handler", 1, false);
        let begun = |key: &str| {
            let (identity, input) = (job.identity(key), [0; 16]);
            shared.index().claim(1, identity, input).expect("it is fresh");
            let order = Order::new(Arc::clone(&shared), job.clone(), key.into(), identity, input, 0, None);
            shared.marks.begin(order.mark().expect("it was announced"), true).expect("it can be written");
            order
        };
        let (given_up, recorded) = (begun("given up"), begun("recorded"));
        let mut both = vec![given_up.identity().as_u128(), recorded.identity().as_u128()];
        let of_recorded = vec![both[1]];
        both.sort_unstable();
        assert_eq!(marked(&journal), both);
        drop(given_up);
        assert_eq!(marked(&journal), of_recorded);
        // Whoever reads the marks leaves out what is recorded: another write for each record would be for nothing.
        let before = fs::read(Side::path_for(&journal)).unwrap();
        recorded.recorded();
        assert!(fs::read(Side::path_for(&journal)).unwrap() == before);
    }
}
