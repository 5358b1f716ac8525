//! What tests outside of the crate drive the core of a journal with, below its tasks. Not part of what the crate promises.
//!
//! Crash tests and model checks need the claim, the record and the delivery one by one, in a test binary that can kill itself, and stores that fail on
//! demand. So it is there whenever the feature is, hidden from the documentation, as `sync::fault` is for threads that cannot be started.

use std::fmt;
use std::sync::Arc;

use super::builder::{Journal, JournalBuilder};
use super::core::{Claim, ClaimRefusal, Core, Delivered, Delivery, Entry, Job, Order, Recorded};
use super::error::JournalError;
use super::record::{Kind, input_hash};
use crate::sync::channel::{self, Receiver, Sender};

pub use super::side::{MarkInMemory, MarksInMemory};
pub use super::store::Memory;

/// Opens a journal over a store in memory.
///
/// # Errors
/// The store failed as the test asked for.
pub fn open(builder: JournalBuilder, memory: &Memory) -> Result<Journal, JournalError> {
    builder.over(Box::new(memory.clone()))
}

/// One run over a journal.
pub struct Probe {
    core: Arc<Core>,
    job: Job,
    run: u32,
    told: (Sender<Told>, Receiver<Told>),
}

/// What a delivery told.
#[derive(Debug)]
pub struct Told {
    /// What the task was called when it was handed in.
    pub key: String,
    /// Its number and its payload, where it was read; or why not.
    pub outcome: Result<(u64, Option<Vec<u8>>), JournalError>,
}

/// What a claim came to.
#[derive(Debug)]
pub enum Claimed {
    /// It is to be run.
    Fresh(Work),
    /// It is recorded under that number with another input: it is to be run.
    Changed(Work, u64),
    /// It is recorded under that number.
    Recorded(Again),
    /// It is refused; `true` if somebody is working on it, `false` if this run has claimed it before.
    Refused(bool),
    /// Its key is too long.
    KeyTooLong,
    /// The journal has failed.
    Failed(JournalError),
}

/// An order, to be recorded or dropped.
#[derive(Debug)]
pub struct Work(Order);

/// A record, to be read.
#[derive(Debug)]
pub struct Again(Recorded);

impl Again {
    /// Its number.
    pub fn seq(&self) -> u64 {
        self.0.seq()
    }
}

impl Work {
    /// In how many crashes in a row it was running.
    pub fn crashes(&self) -> u32 {
        self.0.crashes()
    }
}

struct Teller {
    key: String,
    told: Sender<Told>,
    /// What the delivery keeps alive.
    _held: Option<Arc<Core>>,
}

impl Delivery for Teller {
    fn deliver(self: Arc<Self>, delivered: Delivered) {
        let outcome = match delivered {
            Delivered::Recorded { seq } => Ok((seq, None)),
            Delivered::Read(row) => Ok((row.head.seq, Some(row.payload))),
            Delivered::Failed(error) => Err(error),
        };
        // Bounded by the test: it asks for no more than it has room for.
        let _ = self.told.send(Told { key: self.key.clone(), outcome });
    }
}

impl Probe {
    /// A run of a handler, with room for so many deliveries that nobody has taken yet.
    ///
    /// # Errors
    /// The journal has failed.
    pub fn new(journal: &Journal, handler: &str, version: u32, room: usize) -> Result<Self, JournalError> {
        Self::in_scope(journal, "probe", handler, version, room)
    }

    /// The same in a scope of that name.
    ///
    /// # Errors
    /// The journal has failed.
    pub fn in_scope(
        journal: &Journal,
        scope: &str,
        handler: &str,
        version: u32,
        room: usize,
    ) -> Result<Self, JournalError> {
        let core = Arc::clone(journal.core());
        let (job, run) = (core.job(scope, handler, version)?, core.begin_run());
        Ok(Self { core, job, run, told: channel::bounded(room) })
    }

    /// Claims a key.
    pub fn claim(&self, key: &str, input: &[u8]) -> Claimed {
        match self.core.claim(self.run, &self.job, &key.into(), input_hash(input)) {
            Ok(Claim::Fresh(order)) => Claimed::Fresh(Work(order)),
            Ok(Claim::Changed(order, recorded)) => Claimed::Changed(Work(order), recorded.seq()),
            Ok(Claim::Recorded(recorded)) => Claimed::Recorded(Again(recorded)),
            Err(ClaimRefusal::Duplicate) => Claimed::Refused(false),
            Err(ClaimRefusal::InUse) => Claimed::Refused(true),
            Err(ClaimRefusal::KeyTooLong) => Claimed::KeyTooLong,
            Err(ClaimRefusal::Failed(error)) => Claimed::Failed(error),
        }
    }

    /// Works on a recorded key again.
    ///
    /// # Errors
    /// Somebody else is working on it.
    pub fn again(&self, again: Again) -> Result<Work, &'static str> {
        self.core.again(again.0).map(Work).map_err(|_| "in use")
    }

    /// Marks it as running.
    pub fn begin(&self, work: &Work, exact: bool) {
        self.core.begin(&work.0, exact);
    }

    /// It runs no more, and is going to be recorded.
    pub fn rest(&self, work: &Work) {
        work.0.rest();
    }

    fn teller(&self, key: &str) -> Arc<Teller> {
        Arc::new(Teller { key: key.to_owned(), told: self.told.0.clone(), _held: None })
    }

    /// Hands it in with a value.
    pub fn record(&self, work: Work, payload: Vec<u8>) {
        let teller = self.teller(work.0.key());
        self.core.record(work.0, Entry { kind: Kind::Value, attempts: 1, took: 1, payload }, false, teller);
    }

    /// Hands it in as a task that ended in the way of that number, after so many attempts, which took so many microseconds.
    ///
    /// # Panics
    /// If the number means nothing.
    pub fn record_as(&self, work: Work, kind: u8, attempts: u32, took: u64, payload: Vec<u8>) {
        let kind = Kind::from_number(kind.into()).expect("a kind of end");
        let teller = self.teller(work.0.key());
        self.core.record(work.0, Entry { kind, attempts, took, payload }, false, teller);
    }

    /// Hands it in and leaves: if this was the last user of the journal, the delivery is what drops it. What is told comes out of the receiver.
    pub fn record_and_leave(self, work: Work, payload: Vec<u8>) -> Receiver<Told> {
        let Self { core, told: (teller, told), .. } = self;
        let key = work.0.key().to_string();
        let delivery = Arc::new(Teller { key, told: teller, _held: Some(Arc::clone(&core)) });
        core.record(work.0, Entry { kind: Kind::Value, attempts: 1, took: 1, payload }, false, delivery);
        told
    }

    /// Asks for the record.
    pub fn read(&self, again: &Again) {
        self.core.read(&again.0, self.teller(&again.0.key));
    }

    /// What has been told, in order; waits for what is to come.
    ///
    /// # Panics
    /// Never: the other end is here.
    pub fn told(&self) -> Told {
        self.told.1.recv().expect("the sender is in self")
    }

    /// What has been told already.
    pub fn told_so_far(&self) -> Option<Told> {
        self.told.1.try_recv().ok()
    }
}

impl fmt::Debug for Probe {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Probe").field("job", &self.job).finish_non_exhaustive()
    }
}
