//! Entries as lines of JSON.

use std::fmt;
use std::io::{self, Write};

use serde::{Serialize, Serializer};

use super::entry::JournalEntry;
use super::selection::Selection;
use crate::journal::builder::Journal;
use crate::journal::error::JournalError;

/// Why an export ended early; what was written before are whole lines, or the first part of one.
///
/// ```
/// use std::io::ErrorKind;
/// use gristmill::journal::{ExportError, Journal, Selection};
///
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("squares.journal");
/// let journal = Journal::open(path)?;
/// let scope = journal.scope("squares");
/// scope.handler("square", 1, |_, number: &u64| Ok(number * number)).call("seven", 7)?;
/// let mut too_small = [0; 8];
/// let error = journal.export(&Selection::all(), &mut too_small[..]).unwrap_err();
/// assert!(matches!(error, ExportError::Write(why) if why.kind() == ErrorKind::WriteZero));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// The journal could not be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// What was to be written to refused.
    #[error("cannot write the export: {0}")]
    Write(std::sync::Arc<io::Error>),
}

impl From<io::Error> for ExportError {
    fn from(error: io::Error) -> Self {
        Self::Write(error.into())
    }
}

/// One line. The names of the fields are a promise: programs read them.
#[derive(Serialize)]
struct Line<'entry> {
    seq: u64,
    scope: &'entry str,
    handler: &'entry str,
    version: u32,
    key: &'entry str,
    kind: &'static str,
    attempts: u32,
    ended_unix_ms: u64,
    took_us: u64,
    input_hash: Hexadecimal<'entry>,
    payload_hex: Hexadecimal<'entry>,
}

/// Bytes as two digits each, written without a copy of the whole text.
struct Hexadecimal<'bytes>(&'bytes [u8]);

impl fmt::Display for Hexadecimal<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl Serialize for Hexadecimal<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Writes entries, which have their payloads, and counts them.
fn write_lines<W: Write>(
    entries: impl Iterator<Item = Result<JournalEntry, JournalError>>,
    mut to: W,
) -> Result<u64, ExportError> {
    let mut lines = 0;
    let mut text = Vec::new();
    for entry in entries {
        let entry = entry?;
        let line = Line {
            seq: entry.sequence(),
            scope: entry.scope(),
            handler: entry.handler(),
            version: entry.version(),
            key: entry.key(),
            kind: entry.kind().name(),
            attempts: entry.attempts(),
            ended_unix_ms: entry.ended_unix_ms(),
            took_us: u64::try_from(entry.took().as_micros()).unwrap_or(u64::MAX),
            input_hash: Hexadecimal(entry.input_hash()),
            payload_hex: Hexadecimal(entry.payload().unwrap_or_default()),
        };
        // A line goes out in one write, so that what has to be cut off is the last line and no more.
        text.clear();
        serde_json::to_writer(&mut text, &line).map_err(io::Error::from)?;
        text.push(b'\n');
        to.write_all(&text)?;
        lines += 1;
    }
    to.flush()?;
    Ok(lines)
}

impl Journal {
    /// Writes the entries that a selection means as JSON, one on a line, with their payloads; how many.
    ///
    /// The fields of a line, each always there: `seq`, `scope`, `handler`, `version`, `key`, `kind` (see [`EntryKind::name`]), `attempts`,
    /// `ended_unix_ms` (milliseconds since 1970 began, UTC), `took_us` (microseconds), `input_hash` (hexadecimal) and `payload_hex`
    /// (the encoded value or error, hexadecimal: two digits a byte). Later versions may add fields.
    ///
    /// Nothing but a page of entries is in memory. Each line is one write, so what is not a buffer may want one around it.
    ///
    /// # Errors
    /// An entry is damaged, the journal is closed or cannot be read, or `to` refused. The lines before it are written.
    ///
    /// # Panics
    /// On the journal's own thread.
    ///
    /// [`EntryKind::name`]: crate::journal::EntryKind::name
    pub fn export(&self, selection: &Selection, to: impl Write) -> Result<u64, ExportError> {
        write_lines(self.entries_with_payload(selection), to)
    }
}
