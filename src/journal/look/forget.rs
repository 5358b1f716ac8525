//! Forgetting: entries go, in the file and in memory, and their tasks run again.
//!
//! # Invariants
//! 1. A batch of at most [`page::HEADS`] entries goes in one transaction of the store: it is gone whole or there whole, whenever the
//!    process is killed, and so is what is known of the crashes of its tasks.
//! 2. A key that somebody works on is left alone: its record is about to be replaced. Whether somebody does is looked at, and the key
//!    taken out of the index, under one lock of that; so a claim is made either before, and the key is left alone, or after, and it is
//!    fresh.
//! 3. All of it is done on the committer's thread: no record of the key can be written in between.

use std::ops::AddAssign;
use std::sync::Arc;

use super::filter::{Filter, Jobs};
use super::keep::Keep;
use super::page::{self, Bounds};
use super::selection::Selection;
use crate::journal::builder::Journal;
use crate::journal::committer::Desk;
use crate::journal::core::Core;
use crate::journal::error::JournalError;
use crate::journal::record::{Head, Identity};
use crate::journal::store::{Change, StoreError};

/// What was forgotten.
///
/// ```
/// use gristmill::journal::{Journal, Selection};
///
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("squares.journal");
/// let journal = Journal::open(path)?;
/// let square = journal.scope("squares").handler("square", 1, |_, number: &u64| Ok(number * number));
/// square.call("seven", 7)?;
/// square.call("eight", 8)?;
/// let forgotten = journal.forget(&Selection::all().key("seven"))?;
/// assert_eq!((forgotten.entries, forgotten.in_use), (1, 0)); // "seven" runs again, "eight" does not
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Forgotten {
    /// Entries that are gone; their tasks run again when they are submitted.
    pub entries: u64,
    /// What their payloads took, in bytes. The file has the space for other entries until it is
    /// [compacted](crate::journal::Journal::compact).
    pub payload_bytes: u64,
    /// Entries that were meant and left alone, because somebody works on their keys.
    pub in_use: u64,
    /// Tasks that had not been set aside and whose crashes are not counted any more.
    pub crashes: u64,
}

impl AddAssign for Forgotten {
    fn add_assign(&mut self, other: Self) {
        self.entries += other.entries;
        self.payload_bytes += other.payload_bytes;
        self.in_use += other.in_use;
        self.crashes += other.crashes;
    }
}

/// The identities that are free to be forgotten, taken out of the index.
fn retire(desk: &Desk<'_>, meant: &[(Identity, Head)]) -> Vec<bool> {
    let mut index = desk.index();
    let retire = |(identity, head): &(Identity, Head)| {
        // Another number would be a record that is not the one that was meant.
        let is_free = index.look(*identity).is_none_or(|(seq, is_working)| !is_working && seq == head.seq);
        if is_free {
            index.forget(*identity);
        }
        is_free
    };
    meant.iter().map(retire).collect()
}

/// Forgets what is meant among the next heads after a number; how far it came, if there is more.
fn forget_page(
    desk: &mut Desk<'_>,
    after: u64,
    bounds: &Bounds,
    filter: &Filter,
) -> Result<(Forgotten, Option<u64>), JournalError> {
    let mut forgotten = Forgotten::default();
    let heads = desk.store().heads(after, page::HEADS).map_err(|error| desk.failed(error))?;
    let next = page::next(&heads, after).filter(|&next| next < bounds.until);
    let mut meant = Vec::new();
    for head in heads {
        let head = head.map_err(|damage| desk.failed(StoreError::Damaged(damage)))?;
        let job = bounds.jobs.get(&head.job);
        if let Some(job) = job.filter(|_| head.seq <= bounds.until && filter.means(&head)) {
            meant.push((job.identity(&head.key), head));
        }
    }
    if meant.is_empty() {
        return Ok((forgotten, next));
    }
    let mut changes = Vec::with_capacity(2 * meant.len());
    for ((identity, head), is_free) in meant.iter().zip(retire(desk, &meant)) {
        if is_free {
            // A task that was set aside for its crashes would be set aside again.
            changes.extend([Change::Forget(head.seq), Change::NoCrashes(*identity)]);
            forgotten += Forgotten { entries: 1, payload_bytes: head.length, ..Forgotten::default() };
        } else {
            forgotten.in_use += 1;
        }
    }
    if !changes.is_empty() {
        desk.apply(&changes)?;
    }
    Ok((forgotten, next))
}

/// Forgets what is meant, batch by batch; others are served in between.
fn forget_all(core: &Core, bounds: &Bounds, filter: &Arc<Filter>) -> Result<Forgotten, JournalError> {
    let (mut forgotten, mut after) = (Forgotten::default(), 0);
    loop {
        let (bounds, filter) = (bounds.clone(), Arc::clone(filter));
        let (batch, next) = core.with_store(move |desk| forget_page(desk, after, &bounds, &filter))??;
        forgotten += batch;
        let Some(next) = next else { return Ok(forgotten) };
        after = next;
    }
}

/// Which of the tasks that crashed and have not been set aside a selection is about. Only their identities are kept, not their names: they
/// are found by their key, or all are meant.
fn is_about(
    selection: &Selection,
    jobs: &Jobs,
    filter: &Filter,
) -> impl Fn(Identity) -> bool + Send + 'static {
    let by_key: Option<Vec<Identity>> = selection.key.as_deref().map(|key| {
        let meant = jobs.values().filter(|job| filter.jobs().contains(&job.id()));
        meant.map(|job| job.identity(key)).collect()
    });
    let is_all = *selection == Selection::all() || *selection == Selection::all().failed();
    move |identity| by_key.as_ref().map_or(is_all, |meant| meant.contains(&identity))
}

/// Forgets the crashes of tasks that are meant and which nobody works on; those of entries that were forgotten are gone already.
fn forget_crashes(
    core: &Core,
    is_meant: impl Fn(Identity) -> bool + Send + 'static,
) -> Result<u64, JournalError> {
    core.with_store(move |desk| {
        let crashes = desk.store().crashes().map_err(|error| desk.failed(error))?;
        let crashes: Result<Vec<(Identity, u32)>, _> = crashes.into_iter().collect();
        let crashes = crashes.map_err(|damage| desk.failed(StoreError::Damaged(damage)))?;
        let (mut changes, mut were_running) = (Vec::new(), 0);
        let mut index = desk.index();
        for (identity, times) in crashes {
            // One with a record was killed while that was to be replaced.
            if is_meant(identity) && index.look(identity).is_none_or(|(_, is_working)| !is_working) {
                index.pardon(identity);
                changes.push(Change::NoCrashes(identity));
                // None: it was only next in line.
                were_running += u64::from(times > 0);
            }
        }
        drop(index);
        if !changes.is_empty() {
            desk.apply(&changes)?;
        }
        Ok(were_running)
    })?
}

impl Journal {
    /// Forgets the entries that a selection means: their tasks run again when they are submitted, in this process too.
    ///
    /// Entries of keys that somebody works on are left alone and counted in [`Forgotten::in_use`]. What is forgotten leaves gaps in the
    /// numbers. That a task was running in crashes is forgotten with its entry.
    ///
    /// # Errors
    /// The journal has failed or is closed, is damaged in the head of an entry, or could not be written. It goes in batches of at most 256
    /// entries, each whole or not at all: those before the error are forgotten, and so it is when the process is killed. Called again, it
    /// forgets the rest.
    ///
    /// # Panics
    /// On the journal's own thread.
    ///
    /// # Cost
    /// The heads of all entries are read; the committer works on between two batches.
    pub fn forget(&self, selection: &Selection) -> Result<Forgotten, JournalError> {
        let core = self.core();
        let bounds = page::bounds(core)?;
        let filter = Arc::new(page::chosen(core, selection, &bounds)?);
        forget_all(core, &bounds, &filter)
    }

    /// Forgets the failures that a selection means, so that their tasks run again: final errors, panics and crash loops.
    ///
    /// Crashes of tasks that have not been set aside yet are forgotten too, if the selection names their key or is
    /// [all](Selection::all): a journal knows nothing else of them. By its key a task is found if its handler has an entry, or has been
    /// [made](crate::journal::Scope::handler) in this process since the journal was opened.
    ///
    /// # Errors
    /// As [`Journal::forget`].
    ///
    /// # Panics
    /// On the journal's own thread.
    pub fn retry_failed(&self, selection: &Selection) -> Result<Forgotten, JournalError> {
        let core = self.core();
        let mut bounds = page::bounds(core)?;
        // One whose first task crashed each time is not in the file.
        Arc::make_mut(&mut bounds.jobs).extend(core.known_jobs().into_iter().map(|job| (job.id(), job)));
        let filter = Arc::new(page::chosen(core, selection, &bounds)?.and_failed());
        let mut forgotten = forget_all(core, &bounds, &filter)?;
        forgotten.crashes = forget_crashes(core, is_about(selection, &bounds.jobs, &filter))?;
        Ok(forgotten)
    }

    /// Forgets what is not to be kept: older versions, other scopes, what is too old.
    ///
    /// # Errors
    /// As [`Journal::forget`].
    ///
    /// # Panics
    /// On the journal's own thread.
    pub fn collect_garbage(&self, keep: &Keep) -> Result<Forgotten, JournalError> {
        let core = self.core();
        let bounds = page::bounds(core)?;
        let filter = Arc::new(page::garbage(core, keep, &bounds)?);
        forget_all(core, &bounds, &filter)
    }

    /// Gives the space of what was replaced or forgotten back to the file system; how many bytes the file is smaller.
    ///
    /// The file is written anew within itself, as one transaction: killed at any time, it holds what it held. Records wait until it is done.
    ///
    /// What is kept is first copied to a temporary file of SQLite's, in the system's folder for such files (on Unix, that of `SQLITE_TMPDIR` or
    /// `TMPDIR`), and then written to the log beside the journal: while it runs it needs as much free space again in both places.
    ///
    /// # Errors
    /// The journal has failed or is closed, or there was not enough space, in the journal's folder or in that for temporary files. What it holds is what it held; nothing more is written until it
    /// is opened again.
    ///
    /// # Panics
    /// On the journal's own thread.
    ///
    /// # Cost
    /// All that is kept is written twice: about a second for a million small entries.
    pub fn compact(&self) -> Result<u64, JournalError> {
        self.core().with_store(compact)?
    }
}

/// Makes the file small; how many bytes smaller it is.
fn compact(desk: &mut Desk<'_>) -> Result<u64, JournalError> {
    desk.may_write()?;
    let before = desk.store().bytes();
    desk.store().compact().map_err(|error| desk.failed(error))?;
    Ok(before.saturating_sub(desk.store().bytes()))
}

#[cfg(all(test, not(any(gristmill_shuttle, gristmill_loom))))]
mod tests {
    use super::*;
    use crate::journal::store::Memory;

    #[test]
    fn nothing_is_compacted_after_a_failure_though_it_was_asked_for_before() {
        let memory = Memory::new(true);
        let journal = Journal::builder().over(Box::new(memory.clone())).expect("it is well");
        memory.fail_at(usize::MAX, false);
        let error = journal.core().with_store(move |desk| {
            // What was queued before it fails.
            let failed = desk.failed(StoreError::Failed("the test asked for this failure".into()));
            let before = memory.calls();
            let refused = compact(desk).expect_err("it has failed");
            assert_eq!((refused.to_string(), memory.calls()), (failed.to_string(), before));
        });
        error.expect("it is open");
        assert!(journal.compact().is_err());
    }
}
