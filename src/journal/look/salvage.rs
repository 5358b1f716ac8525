//! Copying what is whole of a damaged journal into a new one.
//!
//! # Invariants
//! 1. Of each task, what is copied is the newest record that is whole, under its own number; nothing that fails a checksum is.
//! 2. The damaged file is not changed.
//! 3. The new journal appears under its name when it is complete and on the disk, or not at all. Until then it has another name.

use std::fmt;
use std::fs;
use std::io;
use std::path::Path;

use super::file::{self, File, beside};
use super::filter::Jobs;
use super::mend::{Mended, remove};
use super::survey::Survey;
use super::verification::Verification;
use crate::journal::builder::Journal;
use crate::journal::error::{JournalError, JournalErrorKind};
use crate::journal::store::{Change, Sqlite, Store, StoreError};

/// So many records are written at once, or fewer if their payloads are large.
const RECORDS: usize = 1024;
const BYTES: usize = 16 << 20;

/// What was copied of a damaged journal and what was not; see [`Journal::salvage`].
///
/// ```
/// use gristmill::journal::Journal;
///
/// # let folder = tempfile::tempdir()?;
/// # let (old, new) = (folder.path().join("old.journal"), folder.path().join("new.journal"));
/// let journal = Journal::open(&old)?;
/// let square = journal.scope("squares").handler("square", 1, |_, number: &u64| Ok(number * number));
/// square.call("seven", 7)?;
/// journal.close()?;
/// let salvaged = Journal::salvage(&old, &new)?; // what is whole, into a new one
/// assert_eq!(salvaged.entries, 1);
/// assert!(salvaged.found.is_sound());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Salvaged {
    /// Entries that are in the new journal.
    pub entries: u64,
    /// What their payloads take, in bytes.
    pub payload_bytes: u64,
    /// What was found in the damaged one, and so what was left behind.
    pub found: Verification,
}

impl fmt::Display for Salvaged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for damage in &self.found.damages {
            writeln!(f, "left behind: {damage}")?;
        }
        if self.found.further_damages > 0 {
            writeln!(f, "left behind: {} more", self.found.further_damages)?;
        }
        write!(f, "{} entries are salvaged, with {} bytes of payload", self.entries, self.payload_bytes)
    }
}

/// Copies the records of these numbers, which were whole a moment ago; how many and how many bytes.
fn copy(
    from: &mut dyn Store,
    to: &mut dyn Store,
    numbers: &[u64],
    jobs: Jobs,
) -> Result<(u64, u64), StoreError> {
    let mut jobs: Vec<_> = jobs.into_values().collect();
    jobs.sort_by_key(crate::journal::record::Job::id);
    let mut changes: Vec<Change> = jobs.into_iter().map(Change::Job).collect();
    // One that cannot be read is told of already, and costs no more than that its task is tried again.
    if let Ok(crashes) = from.crashes() {
        let whole = crashes.into_iter().flatten();
        changes.extend(whole.map(|(identity, crashes)| Change::Crashes(identity, crashes)));
    }
    let (mut entries, mut payload_bytes, mut waiting) = (0, 0, 0);
    for &seq in numbers {
        if let Ok(Some(Ok(row))) = from.row(seq) {
            entries += 1;
            payload_bytes += row.head.length;
            waiting += row.payload.len();
            changes.push(Change::Record { row, replaces: None });
        }
        if changes.len() >= RECORDS || waiting >= BYTES {
            to.apply(&changes)?;
            to.tidy()?;
            changes.clear();
            waiting = 0;
        }
    }
    to.apply(&changes)?;
    Ok((entries, payload_bytes))
}

/// Makes a journal of what is whole.
fn write(from: &mut dyn Store, to: &Path, numbers: &[u64], jobs: Jobs) -> Result<(u64, u64), StoreError> {
    let mut store = Sqlite::open(to, true)?;
    store.create()?;
    store.begin()?;
    let copied = copy(from, &mut store, numbers, jobs);
    let closed = Box::new(store).close(copied.is_err());
    let copied = copied?;
    closed?;
    Ok(copied)
}

/// Gives the complete journal its name.
fn publish(new: &Path, to: &Path) -> io::Result<()> {
    fs::File::open(new)?.sync_all()?;
    fs::rename(new, to)?;
    // Where folders can be synced, the name is as lasting as the file.
    let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if cfg!(unix) { fs::File::open(folder)?.sync_all() } else { Ok(()) }
}

/// What can be read of a damaged journal, and by which store.
struct Source {
    store: Sqlite,
    found: Verification,
    numbers: Vec<u64>,
    jobs: Jobs,
    /// The copy that it reads, if it is not the journal itself. It goes after the store.
    _copy: Option<Mended>,
}

impl Source {
    fn over(mut store: Sqlite, copy: Option<Mended>) -> Result<Self, StoreError> {
        let mut survey = Survey::new(false);
        if copy.is_some() {
            survey.note("the first page of the file is not what was written");
        }
        survey.run(&mut store)?;
        let (found, numbers, jobs) = survey.finish();
        Ok(Self { store, found, numbers, jobs, _copy: copy })
    }

    /// Reads the journal as it is, and if nothing can be read of it, with the first page of another.
    fn find(file: &File, to: &Path) -> Result<Self, JournalError> {
        let from = file.path();
        let as_it_is = match file.open() {
            Ok(store) => Ok(Self::over(store, None).map_err(|error| error.at(from))?),
            Err(error) => Err(error),
        };
        let may_be_mended = match &as_it_is {
            Ok(source) => source.numbers.is_empty() && !source.found.is_sound(),
            Err(error) => matches!(error.kind(), JournalErrorKind::Damaged | JournalErrorKind::NotAJournal),
        };
        if !may_be_mended || file.is_empty() {
            return as_it_is;
        }
        let copy = Mended::new(file.real(), beside(to, ".mended")).map_err(|error| error.at(to))?;
        // Another program's file has no such numbers at all, and its pages need not be searched.
        let opened = copy.open().and_then(|mut store| store.meta().map(|_| store));
        // What it is like inside can be no error of the new journal's, and is none of the old one's that was not told.
        let mended = opened.and_then(|store| Self::over(store, Some(copy)));
        mended.ok().filter(|mended| !mended.numbers.is_empty()).map_or(as_it_is, Ok)
    }
}

impl Journal {
    /// Copies every whole entry of a damaged journal, which is not open, into a new one, and says what was left behind.
    ///
    /// The tasks of entries that are left behind run again. Numbers and so the order of the others stay as they were. The damaged journal
    /// is not changed.
    ///
    /// # Errors
    /// There is something at `to` already, which is not overwritten; or `from` cannot be looked at, as [`Journal::verify_file`] says; or
    /// the new journal could not be written. In each case there is no new journal.
    ///
    /// # Cost
    /// Where nothing can be read of it because its first page is damaged, a copy of it is made for the time being, with that page as it is
    /// in other journals.
    ///
    /// The damaged journal is read twice, and the new one written as durably as with
    /// [`Durability::PowerLoss`](crate::journal::Durability::PowerLoss); about 40 bytes of memory for an entry.
    pub fn salvage(from: impl AsRef<Path>, to: impl AsRef<Path>) -> Result<Salvaged, JournalError> {
        let (from, to) = (from.as_ref(), to.as_ref());
        let file = File::lock(from)?;
        let is_there = |path: &Path| fs::symlink_metadata(path).is_ok();
        let occupied = || {
            let cure = "give a name that nothing has yet";
            JournalError::new(JournalErrorKind::Place, to, "is there already and is not overwritten", cure)
        };
        if is_there(to) || is_there(&beside(to, "-wal")) {
            return Err(occupied());
        }
        let _side = file::lock(to)?;
        let Source { mut store, found, numbers, jobs, _copy } = Source::find(&file, to)?;
        let new = beside(to, ".salvaging");
        remove(&new);
        let written = write(&mut store, &new, &numbers, jobs).map_err(|error| error.at(to));
        let published = written.and_then(|copied| {
            // Under the lock nobody of ours can have made it; somebody else may have.
            if is_there(to) {
                return Err(occupied());
            }
            let published = publish(&new, to).map_err(|error| StoreError::Failed(error.into()).at(to));
            published.map(|()| copied)
        });
        if published.is_err() {
            remove(&new);
        }
        let (entries, payload_bytes) = published?;
        Ok(Salvaged { entries, payload_bytes, found })
    }
}
