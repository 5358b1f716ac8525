//! Opening a journal: who may, what it says of the last run, and the index of what is recorded.
//!
//! The order matters: the lock first, so that nobody else is in the file; then what the file is, so that nothing is changed in another program's; then
//! its contents, whole, before anything is believed; then the crashes, counted durably; and only then are the marks of the last run cleared.

use std::fmt;
use std::fs;
use std::io::Read;
use std::path::Path;

use super::error::{JournalError, JournalErrorKind};
use super::index::Index;
use super::marks::Marks;
use super::place::{self, unfit};
use super::record::{Head, Identity, Job};
use super::side::{Left, Side, SideError};
use super::store::{Change, Damage, Format, Sqlite, Store, StoreError};

/// How many heads are read at once.
const HEADS: usize = 4096;

/// What was found when a journal was opened.
///
/// ```
/// use gristmill::journal::Journal;
///
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("squares.journal");
/// let journal = Journal::open(&path)?;
/// journal.scope("squares").handler("square", 1, |_, number: &u64| Ok(number * number)).call("seven", 7)?;
/// journal.close()?;
/// let journal = Journal::open(&path)?;
/// let opening = journal.opening();
/// assert_eq!((opening.records, opening.was_killed, opening.lost), (1, false, 0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Opening {
    /// How many records there are.
    pub records: u64,
    /// Whether the last run ended without closing the journal: it was killed, or the machine went down.
    pub was_killed: bool,
    /// How many of the last records are known to be lost, though they were delivered: after a power loss, or damage at the file's end. Those
    /// tasks run again. 0 after a kill alone.
    pub lost: u64,
    /// How many tasks are counted as running when the last run was killed. Tasks that were
    /// [marked with others](super::HandlerOptions::crash_limit) are not: it is not known which of them ran.
    pub crashed: u64,
}

impl fmt::Display for Opening {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} recorded", self.records)?;
        if self.was_killed {
            formatter.write_str(", the last run was killed")?;
        }
        if self.crashed > 0 {
            write!(formatter, " in the midst of {}", self.crashed)?;
        }
        if self.lost > 0 {
            write!(formatter, ", {} delivered ones are lost and run again", self.lost)?;
        }
        Ok(())
    }
}

/// What opening comes to.
pub(super) struct Found {
    pub(super) store: Box<dyn Store>,
    pub(super) index: Index,
    pub(super) jobs: Vec<Job>,
    pub(super) marks: Marks,
    /// The last number that was given.
    pub(super) last: u64,
    pub(super) opening: Opening,
}

/// Opens the journal in a file, or makes it.
pub(super) fn open_file(path: &Path, survives_power_loss: bool) -> Result<Found, JournalError> {
    let was_there = place::look(path)?;
    let real = &*place::real(path)?;
    let lock = Side::path_for(real);
    // Where there is no lock yet, nobody of ours has the file: it can be looked at, and another program's is left without a lock beside it.
    if was_there && !lock.exists() {
        look_at_header(path)?;
    }
    let (side, mut left) = Side::lock(real).map_err(|error| refused(path, error))?;
    if was_there {
        look_at_header(path)?;
    }
    let failed = |error: StoreError| error.at(path);
    let mut store = Box::new(Sqlite::open(real, survives_power_loss).map_err(failed)?);
    match store.format().map_err(failed)? {
        Format::Ours => {}
        Format::Empty => store.create().map_err(failed)?,
        Format::Foreign => return Err(foreign(path)),
        Format::Newer(version) => {
            let what = format!("has format {version}, and this version of gristmill knows 1");
            let cure = "open it with a newer version of gristmill";
            return Err(JournalError::new(JournalErrorKind::NewerFormat, path, what, cure));
        }
    }
    store.begin().map_err(failed)?;
    if !was_there {
        // A journal that was removed, on purpose: what is beside it is about another one.
        left = Left { clean: true, ..Left::default() };
    }
    let found = load(store, path, &left)?;
    side.begin_epoch().map_err(|error| unwritable(path, error))?;
    side.committed(found.last).map_err(|error| unwritable(path, error))?;
    Ok(Found { marks: Marks::of(side), ..found })
}

/// Opens the journal in any store; no marks are kept.
pub(super) fn open_store(store: Box<dyn Store>, path: &Path) -> Result<Found, JournalError> {
    load(store, path, &Left { clean: true, ..Left::default() })
}

/// Whether the first bytes are those of a database that SQLite would write to.
fn look_at_header(path: &Path) -> Result<(), JournalError> {
    let mut header = Vec::new();
    let read = fs::File::open(path).and_then(|file| file.take(20).read_to_end(&mut header));
    read.map_err(|error| unfit(path, "cannot be read", "give the right to read and write").because(error))?;
    let is_database = header.starts_with(b"SQLite format 3\0");
    if !header.is_empty() && !is_database {
        return Err(foreign(path));
    }
    // The versions of its own format; of a higher one SQLite says no more than that the file is read-only.
    if header.iter().skip(18).any(|version| *version > 2) {
        return Err(Damage::of_the_file("its first bytes are not what was written").at(path));
    }
    Ok(())
}

fn foreign(path: &Path) -> JournalError {
    let what = "is not a journal, or its first bytes are damaged";
    let cure = "name another file; what is in a damaged journal can be salvaged into a new file";
    JournalError::new(JournalErrorKind::NotAJournal, path, what, cure)
}

/// Why the lock was not given, for the user.
pub(super) fn refused(path: &Path, error: SideError) -> JournalError {
    match error {
        SideError::Held { holder } => JournalError::new(
            JournalErrorKind::Held,
            path,
            format!("is in use by {holder}"),
            "wait until it has ended, or use another journal",
        ),
        error @ SideError::Foreign { .. } => JournalError::new(
            JournalErrorKind::NotAJournal,
            path,
            error.to_string(),
            "the journal itself was not touched",
        ),
        error @ SideError::Newer { .. } => JournalError::new(
            JournalErrorKind::NewerFormat,
            path,
            error.to_string(),
            "the journal itself was not touched",
        ),
        SideError::Io { path: file, doing, source } => {
            let what = format!("its lock file {} cannot be {doing}", file.display());
            unfit(path, &what, "give the right to write to it and to its directory").because(source)
        }
    }
}

fn unwritable(path: &Path, error: std::io::Error) -> JournalError {
    let what = "its lock file cannot be written";
    let cure = "what was recorded before is kept: give it space, and run again";
    JournalError::new(JournalErrorKind::Io, path, what, cure).because(error)
}

/// Reads all but the payloads, and counts the crashes of what the last run left.
fn load(mut store: Box<dyn Store>, path: &Path, left: &Left) -> Result<Found, JournalError> {
    let failed = |error: StoreError| error.at(path);
    let whole = |what: &str| Damage::of_the_file(what).at(path);
    let meta = store.meta().map_err(failed)?;
    let jobs: Result<Vec<Job>, Damage> = store.jobs().map_err(failed)?.into_iter().collect();
    let jobs = jobs.map_err(|damage| damage.at(path))?;
    let mut index = Index::with_room(usize::try_from(meta.count).unwrap_or(0).min(1 << 20));
    let (mut count, mut last) = (0, 0);
    loop {
        let heads = store.heads(last, HEADS).map_err(failed)?;
        let is_last = heads.len() < HEADS;
        for head in heads {
            let head = head.map_err(|damage| damage.at(path))?;
            (count, last) = (count + 1, head.seq);
            enter(&mut index, &jobs, &head).map_err(|damage| damage.at(path))?;
        }
        if is_last {
            break;
        }
    }
    if count != meta.count || last > meta.highest {
        return Err(whole(&format!("{} records are in it, and {count} can be found", meta.count)));
    }
    let was_killed = !left.clean;
    let crashed = count_crashes(&mut *store, &mut index, left, meta.counted).map_err(failed)?;
    let opening =
        Opening { records: count, was_killed, lost: left.last_seq.saturating_sub(meta.highest), crashed };
    // Numbers that were lost were told to somebody: they are not used again.
    let last = meta.highest.max(left.last_seq);
    Ok(Found { store, index, jobs, marks: Marks::nowhere(), last, opening })
}

fn enter(index: &mut Index, jobs: &[Job], head: &Head) -> Result<(), Damage> {
    let damaged = |what: &str| Damage { seq: head.seq, key: Some(head.key.clone()), what: what.to_owned() };
    // They are in the order of their numbers.
    let job =
        jobs.binary_search_by_key(&head.job, Job::id).map_err(|_| damaged("its job is not in the file"))?;
    if index.found(jobs[job].identity(&head.key), head.seq, head.input) {
        Ok(())
    } else {
        Err(damaged("the task is recorded twice"))
    }
}

/// Puts into the index who was running in how many crashes in a row, after counting that of the last run, once; of how many it is known
/// that they were running then.
fn count_crashes(
    store: &mut dyn Store,
    index: &mut Index,
    left: &Left,
    counted: u64,
) -> Result<u64, StoreError> {
    let mut before = Vec::new();
    for found in store.crashes()? {
        before.push(found.map_err(StoreError::Damaged)?);
    }
    for (identity, crashes) in &before {
        index.crashed(*identity, *crashes);
    }
    if left.clean || left.epoch == counted {
        return Ok(0);
    }
    let is_rough = |identity: Identity| left.roughly.binary_search(&identity.as_u128()).is_ok();
    let marked = left.marked.iter().map(|number| Identity::from_u128(*number));
    // A mark that is shared stays after the record. One of its own was taken back before the record was handed in: it is there because the task was
    // running, also where an old record was to be replaced.
    let marked: Vec<Identity> =
        marked.filter(|identity| !is_rough(*identity) || !index.is_recorded(*identity)).collect();
    // In a row: who was not running this time begins anew.
    let over = before.iter().map(|(identity, _)| *identity).filter(|identity| !marked.contains(identity));
    let mut changes: Vec<Change> = over.map(Change::NoCrashes).collect();
    for identity in &marked {
        let more = u32::from(!is_rough(*identity));
        let crashes = index.crashes(*identity).unwrap_or(0).saturating_add(more);
        changes.push(Change::Crashes(*identity, crashes));
    }
    changes.push(Change::Counted(left.epoch));
    store.apply(&changes)?;
    for change in &changes {
        match change {
            Change::NoCrashes(identity) => index.crashed(*identity, 0),
            Change::Crashes(identity, crashes) => index.crashed(*identity, *crashes),
            _ => {}
        }
    }
    Ok(marked.iter().filter(|identity| !is_rough(**identity)).count() as u64)
}

#[cfg(all(test, not(any(gristmill_shuttle, gristmill_loom))))]
mod tests {
    use super::Opening;

    #[test]
    fn opening_says_what_happened_in_one_line() {
        let calm = Opening { records: 3, ..Opening::default() };
        assert_eq!(calm.to_string(), "3 recorded");
        let killed = Opening { records: 3, was_killed: true, lost: 2, crashed: 1 };
        assert_eq!(
            killed.to_string(),
            "3 recorded, the last run was killed in the midst of 1, 2 delivered ones are lost and run again"
        );
    }
}
