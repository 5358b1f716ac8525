//! Why a journal could not be opened, read or written.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What kind of trouble a journal is in; see [`JournalError::kind`].
///
/// ```
/// use gristmill::journal::{Journal, JournalErrorKind};
///
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("notes.txt");
/// std::fs::write(&path, "not a journal, but something that matters")?;
/// let error = Journal::open(&path).unwrap_err();
/// match error.kind() {
///     JournalErrorKind::NotAJournal => assert_eq!(error.path(), path),
///     kind => unreachable!("{kind:?}"),
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum JournalErrorKind {
    /// Another process, or this one, has the journal open.
    Held,
    /// The path cannot hold a journal: a directory, a missing parent, no right to write.
    Place,
    /// The file is not a journal: another program's, or no database at all.
    NotAJournal,
    /// The file was written by a newer version of this crate.
    NewerFormat,
    /// What is in the file is not what was written.
    Damaged,
    /// A record is whole, but is not what the program makes of it: the type of a result has changed without a new version.
    Undecodable,
    /// Reading or writing failed: a full disk, a failing one, a file that is gone.
    Io,
    /// A payload is longer than the journal takes.
    TooLong,
    /// A record was replaced or forgotten while somebody waited to read it.
    Gone,
    /// The thread that writes could not be started.
    Thread,
    /// The journal has been closed.
    Closed,
}

/// Why a journal could not be opened, read or written: one line with the path, what it is about and what helps.
///
/// Clones are the same error: whoever waits for a journal that has failed is told the one reason.
///
/// # Examples
/// ```
/// use gristmill::journal::{Journal, JournalErrorKind};
///
/// let folder = tempfile::tempdir()?;
/// let error = Journal::open(folder.path()).unwrap_err();
/// assert_eq!(error.kind(), JournalErrorKind::Place);
/// assert!(error.to_string().contains("is a directory"));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone)]
pub struct JournalError(Arc<Told>);

struct Told {
    kind: JournalErrorKind,
    path: PathBuf,
    /// What is the matter, without the path.
    what: String,
    /// What helps.
    cure: &'static str,
    seq: Option<u64>,
    key: Option<Box<str>>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl JournalError {
    pub(super) fn new(
        kind: JournalErrorKind,
        path: &Path,
        what: impl Into<String>,
        cure: &'static str,
    ) -> Self {
        let (path, what) = (path.to_owned(), what.into());
        Self(Arc::new(Told { kind, path, what, cure, seq: None, key: None, source: None }))
    }

    /// With what it came from. For a new one only: clones keep what they have.
    pub(super) fn because(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        if let Some(told) = Arc::get_mut(&mut self.0) {
            told.source = Some(source.into());
        }
        self
    }

    /// With the record it is about. For a new one only: clones keep what they have.
    pub(super) fn about(mut self, seq: u64, key: Option<&str>) -> Self {
        if let Some(told) = Arc::get_mut(&mut self.0) {
            told.seq = (seq > 0).then_some(seq);
            told.key = key.map(Into::into);
        }
        self
    }

    /// What kind of trouble it is.
    pub fn kind(&self) -> JournalErrorKind {
        self.0.kind
    }

    /// The journal's path.
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// The number of the record that it is about, if it is about one.
    pub fn sequence(&self) -> Option<u64> {
        self.0.seq
    }

    /// The key of the record that it is about, if it is about one whose key could be read.
    pub fn key(&self) -> Option<&str> {
        self.0.key.as_deref()
    }

    /// What helps.
    pub fn cure(&self) -> &str {
        self.0.cure
    }
}

impl fmt::Display for JournalError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Told { path, what, cure, seq, key, source, .. } = &*self.0;
        write!(formatter, "journal {}: {what}", path.display())?;
        if let Some(seq) = seq {
            write!(formatter, ", record {seq}")?;
        }
        if let Some(key) = key {
            write!(formatter, ", key {key:?}")?;
        }
        if let Some(source) = source {
            write!(formatter, ": {source}")?;
        }
        write!(formatter, "; {cure}")
    }
}

impl fmt::Debug for JournalError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "JournalError({:?}: {self})", self.0.kind)
    }
}

// Its source is part of its one line, so it is not told a second time.
impl std::error::Error for JournalError {}
