//! Entries one after the other, a page in memory at a time.

use std::collections::VecDeque;
use std::fmt;
use std::iter::FusedIterator;
use std::sync::Arc;

use super::entry::JournalEntry;
use super::filter::Filter;
use super::page::{self, Bounds};
use super::selection::Selection;
use crate::journal::builder::Journal;
use crate::journal::error::JournalError;

/// The entries of a journal in the order of completion; see [`Journal::entries`].
///
/// ```
/// use gristmill::journal::{Journal, Selection};
///
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("squares.journal");
/// let journal = Journal::open(path)?;
/// let scope = journal.scope("squares");
/// let square = scope.handler("square", 1, |_, number: &u64| Ok(number * number));
/// for number in [3, 1, 2] {
///     square.call(number, number)?;
/// }
/// let mut keys = Vec::new();
/// for entry in journal.entries(&Selection::all()) {
///     keys.push(entry?.key().to_owned());
/// }
/// assert_eq!(keys, ["3", "1", "2"]); // as they ended
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "entries are read one after the other as they are asked for"]
pub struct Entries<'journal> {
    journal: &'journal Journal,
    with_payload: bool,
    page: VecDeque<Result<JournalEntry, JournalError>>,
    stage: Stage,
}

enum Stage {
    /// Nothing has been read yet.
    Before(Selection),
    Within {
        after: u64,
        bounds: Bounds,
        filter: Arc<Filter>,
    },
    Over,
}

impl<'journal> Entries<'journal> {
    fn new(journal: &'journal Journal, selection: &Selection, with_payload: bool) -> Self {
        Self { journal, with_payload, page: VecDeque::new(), stage: Stage::Before(selection.clone()) }
    }

    /// Reads the next page. An error ends the walk: what it would skip is not known.
    fn turn(&mut self) -> Result<(), JournalError> {
        let core = self.journal.core();
        let (after, bounds, filter) = match std::mem::replace(&mut self.stage, Stage::Over) {
            Stage::Over => return Ok(()),
            Stage::Before(selection) => {
                let bounds = page::bounds(core)?;
                let filter = page::chosen(core, &selection, &bounds)?;
                (0, bounds, Arc::new(filter))
            }
            Stage::Within { after, bounds, filter } => (after, bounds, filter),
        };
        let (read_bounds, read_filter, with_payload) =
            (bounds.clone(), Arc::clone(&filter), self.with_payload);
        let read =
            core.with_store(move |desk| page::read(desk, after, &read_bounds, &read_filter, with_payload))??;
        self.page = read.entries.into();
        if let Some(after) = read.next {
            self.stage = Stage::Within { after, bounds, filter };
        }
        Ok(())
    }
}

impl Iterator for Entries<'_> {
    type Item = Result<JournalEntry, JournalError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(entry) = self.page.pop_front() {
                return Some(entry);
            }
            if matches!(self.stage, Stage::Over) {
                return None;
            }
            if let Err(error) = self.turn() {
                return Some(Err(error));
            }
        }
    }
}

impl FusedIterator for Entries<'_> {}

impl fmt::Debug for Entries<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_over = self.page.is_empty() && matches!(self.stage, Stage::Over);
        f.debug_struct("Entries").field("is_over", &is_over).finish_non_exhaustive()
    }
}

impl Journal {
    /// The entries that a selection means, in the order in which their tasks ended, without their payloads.
    ///
    /// A running batch can be looked at: the committer is asked for one page after the other, and works on in between. What is recorded
    /// after the first page was read is not shown, and what is replaced or forgotten meanwhile may be missing.
    ///
    /// # Errors
    /// A damaged entry is an error in its place, and the walk goes on behind it. Any other error is the last item: the journal is closed,
    /// or the file cannot be read.
    ///
    /// # Panics
    /// On the journal's own thread.
    ///
    /// # Cost
    /// Memory for a page: at most 256 entries, and with payloads about 1 MiB, or one payload if that is larger. The whole file is gone
    /// through, whatever the selection: about a second for a million entries.
    pub fn entries(&self, selection: &Selection) -> Entries<'_> {
        Entries::new(self, selection, false)
    }

    /// As [`Journal::entries`], with their payloads, each checked.
    pub fn entries_with_payload(&self, selection: &Selection) -> Entries<'_> {
        Entries::new(self, selection, true)
    }
}
