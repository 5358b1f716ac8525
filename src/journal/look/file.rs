//! A journal's file that is looked at as it is, damaged or not.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::journal::error::{JournalError, JournalErrorKind};
use crate::journal::opening;
use crate::journal::place;
use crate::journal::side::{Left, Side};
use crate::journal::store::{Format, Sqlite, StoreError};

/// A file under its lock, so that nobody writes to it; see the module.
pub(super) struct File {
    path: PathBuf,
    /// The same without links.
    real: PathBuf,
    /// The log beside it, if there is none yet: an empty one is left behind.
    new_log: Option<PathBuf>,
    /// What the last holder left, if that is known.
    pub(super) left: Left,
    /// Held for as long as this lives. Nothing is written to it, so the next holder finds in it what the last one left.
    _side: Side,
}

/// A file that lies beside another, with so much more to its name.
pub(super) fn beside(path: &Path, more: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(more);
    name.into()
}

fn refused(path: &Path, what: impl Into<String>, cure: &'static str) -> JournalError {
    JournalError::new(JournalErrorKind::Place, path, what, cure)
}

/// Takes the lock of a journal.
pub(super) fn lock(path: &Path) -> Result<(Side, Left), JournalError> {
    Side::lock(&place::real(path)?).map_err(|error| opening::refused(path, error))
}

impl File {
    /// Locks the journal at that path, which must be there.
    pub(super) fn lock(path: &Path) -> Result<Self, JournalError> {
        // Before the lock, whose file would be made for nothing.
        let cure = "give the path of a journal";
        match fs::metadata(path) {
            Err(error) => return Err(refused(path, "cannot be found", cure).because(error)),
            Ok(metadata) if !metadata.is_file() => return Err(refused(path, "is not a file", cure)),
            Ok(_) => {}
        }
        let (side, left) = lock(path)?;
        let real = place::real(path)?;
        let log = beside(&real, "-wal");
        let new_log = (!log.exists()).then_some(log);
        Ok(Self { path: path.to_owned(), real, new_log, left, _side: side })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Where it really is, with its log beside it.
    pub(super) fn real(&self) -> &Path {
        &self.real
    }

    /// Whether there is nothing in it.
    pub(super) fn is_empty(&self) -> bool {
        fs::metadata(&self.real).is_ok_and(|metadata| metadata.len() == 0)
    }

    /// Whether the file itself says that it is a database. The log may hold a copy of what should stand there, which is what is read.
    pub(super) fn begins_as_a_database(&self) -> bool {
        let mut first = [0; 16];
        let read = fs::File::open(&self.real).and_then(|mut file| file.read_exact(&mut first));
        read.is_ok() && first == *b"SQLite format 3\0"
    }

    /// The store in it, if it is so much as a journal of a format that is known.
    pub(super) fn open(&self) -> Result<Sqlite, JournalError> {
        let store = Sqlite::inspect(&self.real).map_err(|error| error.at(&self.path))?;
        let kind = |kind, what: &str, cure| JournalError::new(kind, &self.path, what, cure);
        match store.format() {
            Ok(Format::Ours) => Ok(store),
            Ok(Format::Newer(version)) => {
                let what = format!("has the format {version}, which is not known here");
                Err(kind(JournalErrorKind::NewerFormat, &what, "use a newer version of gristmill"))
            }
            Ok(Format::Empty) => Err(kind(
                JournalErrorKind::NotAJournal,
                "is empty",
                "remove it: a new one is made in its place",
            )),
            Ok(Format::Foreign) => {
                let what = "is not a journal, or damaged where it says so";
                Err(kind(
                    JournalErrorKind::NotAJournal,
                    what,
                    "try to salvage it into a new file, and keep it if that finds nothing",
                ))
            }
            Err(StoreError::Damaged(damage)) => {
                let what = format!("damaged where it says what it is: {}", damage.what);
                let cure = "try to salvage it into a new file, and keep it if that finds nothing";
                Err(kind(JournalErrorKind::Damaged, &what, cure))
            }
            Err(error) => Err(error.at(&self.path)),
        }
    }
}

impl Drop for File {
    fn drop(&mut self) {
        // One that is not empty is somebody's, and so it is if it cannot be removed.
        if let Some(log) = self.new_log.take().filter(|log| fs::metadata(log).is_ok_and(|log| log.len() == 0))
        {
            let _ = fs::remove_file(log);
        }
    }
}
