//! Opening a journal, and holding it.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use super::core::{Core, Opened};
use super::error::JournalError;
use super::opening::{self, Found, Opening};
use super::store::Store;
use crate::sync::time::{self, Duration};

/// The longest payload that SQLite takes, in bytes: a row has at most 1 000 000 000, and the key is in it.
const LONGEST_PAYLOAD: usize = 999_000_000;

/// What a delivered result survives.
///
/// ```
/// use gristmill::journal::{Durability, Journal};
///
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("batch.journal");
/// // Computed again in no time, should the power fail; a kill of the process loses nothing.
/// let journal = Journal::builder().durability(Durability::ProcessCrash).open(path)?;
/// let scope = journal.scope("squares");
/// let square = scope.handler("square", 1, |_, number: &u64| Ok(number * number));
/// assert_eq!(square.call("seven", 7)?, 49);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Durability {
    /// The process: whatever kills it, SIGKILL too. If the machine loses its power or its system crashes, the last results may be lost,
    /// and [`Opening::lost`] says so: those tasks run again. The journal is whole in any case.
    #[default]
    ProcessCrash,
    /// The machine's power as well, as far as its disks keep what they say they have: every commit is synced, which costs a group of tasks
    /// one sync, 0.2 to 5 milliseconds.
    PowerLoss,
}

/// Records of finished tasks in a file; clones are the same journal.
///
/// The file is a database of SQLite's, with a log (`-wal`) while it is open and a lock (`.lock`) beside it. One process has it at a time; the lock is
/// the system's and goes with the process, so there is never one to be removed by hand. Network file systems, whose locks cannot be relied on, are no
/// place for it.
///
/// Leave it in its place while it is open: [`close`](Self::close) says if it was removed or replaced meanwhile. Symbolic links to it are followed; a file with
/// two names (hard links) is refused. Copy or replace it while it is closed, and after a kill together with its log, which holds the last records.
///
/// # Examples
/// ```
/// use gristmill::journal::Journal;
///
/// let folder = tempfile::tempdir()?;
/// let journal = Journal::open(folder.path().join("render.journal"))?;
/// assert_eq!(journal.opening().records, 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Cost
/// A thread that sleeps while nothing ends, and under 100 bytes of memory for each key that is recorded.
#[derive(Clone)]
pub struct Journal {
    core: Arc<Core>,
    opening: Opening,
}

impl Journal {
    /// Opens the journal in that file, or makes it, with the defaults of [`JournalBuilder`].
    ///
    /// # Errors
    /// See [`JournalBuilder::open`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self, JournalError> {
        Self::builder().open(path)
    }

    /// Settings, to open a journal with.
    pub fn builder() -> JournalBuilder {
        JournalBuilder { durability: Durability::default(), queue: 256, longest_payload: 16 << 20 }
    }

    /// What was found when it was opened.
    pub fn opening(&self) -> &Opening {
        &self.opening
    }

    /// The file.
    pub fn path(&self) -> &Path {
        self.core.path()
    }

    /// Why nothing is recorded any more, if that is so.
    pub fn failure(&self) -> Option<JournalError> {
        self.core.failure()
    }

    /// Waits until all that has ended so far is recorded and delivered.
    ///
    /// # Errors
    /// The journal has failed or is closed: some of it is not recorded, and was not delivered.
    ///
    /// # Panics
    /// In a callback on the journal's own thread, which cannot wait for itself.
    pub fn flush(&self) -> Result<(), JournalError> {
        self.core.flush()
    }

    /// As [`flush`](Self::flush), but waits at most `timeout`; `None` if some of it is still not recorded and delivered then, which it will be all the
    /// same. `Duration::MAX` waits without limit.
    ///
    /// What it waits for is the disk, and what is delivered to: not the tasks that are running.
    ///
    /// ```
    /// use std::time::Duration;
    /// use gristmill::journal::Journal;
    ///
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("batch.journal");
    /// let journal = Journal::open(path)?;
    /// match journal.flush_timeout(Duration::from_secs(60)) {
    ///     Some(outcome) => outcome?,
    ///     None => eprintln!("the disk hangs"),
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As for [`flush`](Self::flush).
    ///
    /// # Panics
    /// As for [`flush`](Self::flush).
    pub fn flush_timeout(&self, timeout: Duration) -> Option<Result<(), JournalError>> {
        match time::now().checked_add(timeout) {
            Some(until) => self.core.flush_until(until),
            None => Some(self.core.flush()),
        }
    }

    /// Records what has ended, and closes the file. Whatever ends later is not recorded, and its result is the error that the journal is closed.
    ///
    /// The file is free for whoever opens it next. Dropping the last of all that use it, handlers and the workers that have just run one included, does the
    /// same, a moment later, and does not say what went wrong.
    ///
    /// # Errors
    /// The journal has failed: what was delivered is recorded all the same. Or the file was removed or replaced while it was open: what was recorded is in the
    /// file that was there.
    pub fn close(self) -> Result<(), JournalError> {
        self.core.close()
    }

    pub(super) fn core(&self) -> &Arc<Core> {
        &self.core
    }
}

impl fmt::Debug for Journal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = formatter.debug_struct("Journal");
        shown.field("path", &self.path()).field("opening", &self.opening).finish_non_exhaustive()
    }
}

/// How a journal is opened; made by [`Journal::builder`].
///
/// ```
/// use gristmill::journal::{Durability, Journal};
///
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("batch.journal");
/// let journal = Journal::builder().durability(Durability::ProcessCrash).queue_bound(64).open(path)?;
/// assert_eq!(journal.opening().records, 0);
/// journal.close()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "settings do nothing until a journal is opened with them"]
pub struct JournalBuilder {
    durability: Durability,
    queue: usize,
    longest_payload: usize,
}

impl JournalBuilder {
    /// What a delivered result survives; [`Durability::ProcessCrash`] unless said otherwise.
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// How many finished tasks may wait to be recorded, at least 1; 256 unless said otherwise.
    ///
    /// That is also how many, besides those that are running, have to run again after a kill at the worst moment. While more tasks are at work, records
    /// gather for up to 5 ms, until half of the queue is full or none has come for 1 ms, unless somebody stands still for one: a [`call`](super::Handler::call), or a
    /// worker that waits for a durable handle.
    pub fn queue_bound(mut self, bound: usize) -> Self {
        self.queue = bound.max(1);
        self
    }

    /// The longest encoded result that is recorded, in bytes; 16 MiB unless said otherwise. At most 999 000 000: what SQLite takes as a row.
    ///
    /// It holds for values. What a terminal failure or a panic says is recorded whatever this is, up to 64 KiB of it.
    pub fn longest_payload(mut self, bytes: usize) -> Self {
        self.longest_payload = bytes.min(LONGEST_PAYLOAD);
        self
    }

    /// Opens the journal in that file, or makes it.
    ///
    /// # Errors
    /// Another process or another part of this one has it, which is told at once and by name; the path cannot hold a file; the file is not a journal, or a
    /// newer version's; something in it is not what was written; it cannot be read or written. In all of these cases nothing was changed in it.
    ///
    /// # Cost
    /// One pass over the records without their results: a second for a million, or less.
    pub fn open(self, path: impl AsRef<Path>) -> Result<Journal, JournalError> {
        let path = path.as_ref();
        let found = opening::open_file(path, self.durability == Durability::PowerLoss)?;
        self.start(path, found)
    }

    /// Opens the journal in another store; for tests, and so without marks and lock.
    pub(super) fn over(self, store: Box<dyn Store>) -> Result<Journal, JournalError> {
        let path = Path::new("in memory");
        let found = opening::open_store(store, path)?;
        self.start(path, found)
    }

    fn start(self, path: &Path, found: Found) -> Result<Journal, JournalError> {
        let Found { store, index, jobs, marks, last, opening } = found;
        let (path, queue, longest) = (path.to_owned(), self.queue, self.longest_payload);
        let core = Core::start(Opened { path, store, index, marks, jobs, last, queue, longest })?;
        Ok(Journal { core, opening })
    }
}

#[cfg(all(test, not(any(gristmill_shuttle, gristmill_loom))))]
mod tests {
    use super::*;
    use crate::journal::error::JournalErrorKind;
    use crate::sync::fault;

    #[test]
    fn opening_that_gets_no_thread_is_not_taken_for_a_killed_run() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("batch.journal");
        let fault = fault::fail_every_spawn();
        assert_eq!(Journal::open(&path).unwrap_err().kind(), JournalErrorKind::Thread);
        drop(fault);
        assert_eq!(Journal::open(&path).unwrap().opening(), &Opening::default());
    }
}
