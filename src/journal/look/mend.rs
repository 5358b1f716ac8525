//! A copy of a damaged journal whose first page is that of a new one.
//!
//! The first page says what the file is and where its tables begin, which is the same in all journals of a format. Without it, nothing
//! can be read; so where it is damaged, that of a new journal takes its place. If that is not how the file was made, the checksums of the
//! records say so: none of them is whole then.

use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use super::file::beside;
use crate::journal::store::{Sqlite, Store, StoreError};

/// What SQLite makes of a file unless it is told otherwise, and we do not tell it.
const PAGE: usize = 4096;
/// Where the first page says how many pages there are. Zero has the length of the file looked at.
const PAGES: std::ops::Range<usize> = 28..32;

/// The copy, which goes when this does; see the module.
pub(super) struct Mended {
    path: PathBuf,
}

/// Removes a database and what SQLite puts beside it.
pub(super) fn remove(path: &Path) {
    for more in ["", "-wal", "-journal"] {
        // What is not there need not be removed, and what cannot be is overwritten by the next attempt.
        let _ = fs::remove_file(beside(path, more));
    }
}

impl Mended {
    /// Makes the copy at that path, with a journal beside it that is gone afterwards.
    pub(super) fn new(damaged: &Path, copy: PathBuf) -> Result<Self, StoreError> {
        let mended = Self { path: copy };
        remove(&mended.path);
        let page = first_page(&beside(&mended.path, "-new"))?;
        mended.fill(damaged, &page).map_err(|error| StoreError::Failed(error.into()))?;
        Ok(mended)
    }

    fn fill(&self, damaged: &Path, page: &[u8]) -> io::Result<()> {
        fs::copy(damaged, &self.path)?;
        let log = beside(damaged, "-wal");
        if log.exists() {
            fs::copy(log, beside(&self.path, "-wal"))?;
        }
        OpenOptions::new().write(true).open(&self.path)?.write_all(page)
    }

    /// The store in it.
    pub(super) fn open(&self) -> Result<Sqlite, StoreError> {
        Sqlite::inspect(&self.path)
    }
}

impl Drop for Mended {
    fn drop(&mut self) {
        remove(&self.path);
    }
}

/// The first page of a new journal, which is made at that path for a moment.
fn first_page(path: &Path) -> Result<Vec<u8>, StoreError> {
    remove(path);
    let made = make(path).and_then(|()| {
        let mut page = vec![0; PAGE];
        let read = fs::File::open(path).and_then(|mut file| file.read_exact(&mut page));
        read.map_err(|error| StoreError::Failed(error.into()))?;
        page[PAGES].fill(0);
        Ok(page)
    });
    remove(path);
    made
}

fn make(path: &Path) -> Result<(), StoreError> {
    let mut store = Sqlite::open(path, false)?;
    store.create()?;
    store.begin()?;
    Box::new(store).close(false)
}
