//! The seam between the journal and what keeps its records: a file of SQLite's, or memory with faults in tests.

mod memory;
mod rows;
mod schema;
mod sqlite;

pub(super) use sqlite::{Format, Sqlite};

pub use memory::Memory;

use super::error::{JournalError, JournalErrorKind};
use super::record::{Head, Identity, Job, Row};
use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// One change of what is kept; a batch of them is applied whole or not at all.
#[derive(Clone, Debug)]
pub(super) enum Change {
    /// Puts a job that is not there yet.
    Job(Job),
    /// Puts a record, and takes away the older one of the same task.
    Record {
        row: Row,
        /// The older one's number, which must be there.
        replaces: Option<u64>,
    },
    /// Takes away the record of that number, which must be there.
    Forget(u64),
    /// Puts in how many crashes in a row a task was running, in place of what is there.
    Crashes(Identity, u32),
    /// Takes that away, if it is there.
    NoCrashes(Identity),
    /// Says that the marks of that epoch of the side file have been counted.
    Counted(u64),
}

/// What is not what was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Damage {
    /// The record, 0 if it is about none.
    pub(super) seq: u64,
    pub(super) key: Option<Arc<str>>,
    pub(super) what: String,
}

impl Damage {
    /// Damage that is about no record in particular.
    pub(super) fn of_the_file(what: impl Into<String>) -> Self {
        Self { seq: 0, key: None, what: what.into() }
    }
}

/// What is known of the whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Meta {
    /// How many records there are.
    pub(super) count: u64,
    /// The highest number that a record ever had.
    pub(super) highest: u64,
    /// The epoch of the side file whose marks were counted last.
    pub(super) counted: u64,
}

/// Why a store could not do what it was asked.
#[derive(Debug)]
pub(super) enum StoreError {
    /// It cannot be read as it should be.
    Damaged(Damage),
    /// Reading or writing failed.
    Failed(Box<dyn std::error::Error + Send + Sync>),
    /// Somebody else holds it.
    Busy,
    /// It may be read, and not written.
    ReadOnly,
    /// The file has been removed, or another one has its name now: what is written is lost with it.
    Gone,
}

impl StoreError {
    /// The same for the user.
    pub(super) fn at(self, path: &Path) -> JournalError {
        match self {
            Self::Damaged(damage) => damage.at(path),
            Self::Failed(source) => JournalError::new(
                JournalErrorKind::Io,
                path,
                "cannot be read or written",
                "what was recorded before is kept: give it space and rights, and run again",
            )
            .because(source),
            Self::Busy => JournalError::new(
                JournalErrorKind::Held,
                path,
                "another program has the file open",
                "close it there, and run again",
            ),
            Self::ReadOnly => JournalError::new(
                JournalErrorKind::Place,
                path,
                "is read-only",
                "give the right to write, or copy it and use the copy",
            ),
            Self::Gone => JournalError::new(
                JournalErrorKind::Io,
                path,
                "was removed or replaced while it was open, and what it recorded went with it",
                "put it back if it was moved, leave it in its place while it is open, and run again",
            ),
        }
    }
}

impl Damage {
    /// The same for the user.
    pub(super) fn at(self, path: &Path) -> JournalError {
        let cure = if self.seq > 0 {
            "forget it so that it runs again, or salvage what is whole into a new file"
        } else {
            "salvage what is whole into a new file"
        };
        let what = format!("damaged: {}", self.what);
        JournalError::new(JournalErrorKind::Damaged, path, what, cure).about(self.seq, self.key.as_deref())
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Damaged(damage) => write!(formatter, "damaged: {}", damage.what),
            Self::Failed(source) => source.fmt(formatter),
            Self::Busy => formatter.write_str("held by another program"),
            Self::ReadOnly => formatter.write_str("read-only"),
            Self::Gone => formatter.write_str("removed or replaced"),
        }
    }
}

/// Many, each of which may be damaged by itself.
pub(super) type Checked<T> = Result<Vec<Result<T, Damage>>, StoreError>;

/// What keeps the records. One thread uses it at a time, and after an error of [`Store::apply`] nobody applies anything again.
pub(super) trait Store: Send {
    /// Applies all of the changes, or none and an error. When it returns they are as durable as was asked for at the opening.
    fn apply(&mut self, changes: &[Change]) -> Result<(), StoreError>;

    /// Called after the deliveries of a batch: room for upkeep that nobody should wait for.
    fn tidy(&mut self) -> Result<(), StoreError>;

    /// Says that many reads follow (`is_begun`), and that they have been done: what is cheaper for many may be done once.
    fn read_together(&mut self, is_begun: bool) -> Result<(), StoreError>;

    /// The record of that number, checked; `None` if there is none.
    fn row(&mut self, seq: u64) -> Result<Option<Result<Row, Damage>>, StoreError>;

    /// The heads of the first `limit` records whose numbers are above `after`, in order, each checked; payloads are not read.
    fn heads(&mut self, after: u64, limit: usize) -> Checked<Head>;

    /// The jobs, each checked.
    fn jobs(&mut self) -> Checked<Job>;

    /// The tasks that were running in crashes, with how many in a row, each checked.
    fn crashes(&mut self) -> Checked<(Identity, u32)>;

    /// What is known of the whole, checked.
    fn meta(&mut self) -> Result<Meta, StoreError>;

    /// What the structure of the file suffers from; empty if it is sound. Looks at all of it.
    fn check_structure(&mut self) -> Result<Vec<String>, StoreError>;

    /// Gives the space of what is not there any more back to the file system.
    fn compact(&mut self) -> Result<(), StoreError>;

    /// How much is on the disk, in bytes.
    fn bytes(&self) -> u64;

    /// Closes in order; after a failure (`has_failed`), so that nothing is written any more.
    fn close(self: Box<Self>, has_failed: bool) -> Result<(), StoreError>;
}
