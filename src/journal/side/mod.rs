//! The file beside a journal: a lock that dies with the process, and what is to be known if it does.
//!
//! It says who holds the journal, who was running when the process was killed, and which number was the last that had been committed. The
//! lock is the system's, so there is never a stale one to be removed. The rest is advice: it is not synced, and a damaged file is read as far
//! as its checksums hold, and written anew. What is not a side file at all is refused, since it is somebody else's.
//!
//! # Invariants
//! 1. The file is written by who has the lock, and by nobody else.
//! 2. Until `begin_epoch`, nothing of what the last holder left has been changed but its name: a process that is killed in between leaves
//!    the same to the next one.
//! 3. A run's epoch is greater than that of every run before, whatever has become of the file: it is at least the time of day in
//!    microseconds. So marks that were counted once are not taken for new ones.
//!
//! Locks: those of `marks`; no other.

mod block;
mod error;
mod head;
mod holder;
mod marks;
mod model;
mod place;
#[cfg(all(test, not(any(gristmill_shuttle, gristmill_loom))))]
mod tests;

use std::collections::HashSet;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use crate::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use crate::sync::time;

pub(super) use error::SideError;
pub(super) use marks::Ticket;
pub use model::{MarkInMemory, MarksInMemory};

use head::{Head, LINES, Last, PAGE, Seen};
use marks::Marks;
use place::{Place, read_up_to};

/// What the last holder left.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Left {
    /// The last number that it said was committed; zero if none, or if that is damaged.
    pub(super) last_seq: u64,
    /// Who was running, each once, in no order that means anything. Tasks of its block that were next in line are among them, and so may be
    /// some that have been recorded since.
    pub(super) marked: Vec<u128>,
    /// Those of them that may have been next in line only, or are recorded: their block was marked as a whole, and they have no mark of their own.
    pub(super) roughly: Vec<u128>,
    /// Whether it ended in order. So does a file that is new.
    pub(super) clean: bool,
    /// The run that it was. Marks are to be counted once for each.
    pub(super) epoch: u64,
    /// Whether part of the file is not what was written: some of this may be missing, nothing of it is invented.
    pub(super) damaged: bool,
}

/// The side file, locked.
#[derive(Debug)]
pub(super) struct Side {
    file: File,
    epoch: u64,
    /// What `begin_epoch` carries over.
    last_seq: u64,
    /// How often a last number has been written in this run.
    turn: AtomicU64,
    marks: Marks,
    /// The lock has been given back, or is about to be.
    is_over: AtomicBool,
}

impl Side {
    /// Where the side file of a journal is.
    pub(super) fn path_for(journal: &Path) -> PathBuf {
        let mut path = journal.as_os_str().to_owned();
        path.push(".lock");
        path.into()
    }

    /// Takes the lock of the journal at that path, at once, and reads what the last holder left.
    ///
    /// # Errors
    /// Somebody has the lock, the file is something else's or a later version's, or the system refused. Nothing was changed, but an empty
    /// file may have been created.
    pub(super) fn lock(journal: &Path) -> Result<(Self, Left), SideError> {
        let path = Self::path_for(journal);
        let refused = |doing, source| SideError::Io { path: path.clone(), doing, source };
        if fs::metadata(&path).is_ok_and(|metadata| !metadata.is_file()) {
            return Err(SideError::Foreign { path });
        }
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(false).open(&path);
        let file = file.map_err(|error| refused("opened", error))?;
        take(&file, &path)?;
        let mut page = vec![0; PAGE];
        let length = read_up_to(&file, &mut page, 0).map_err(|error| refused("read", error))?;
        page.truncate(length);
        let today = u64::try_from(time::since_unix_epoch().as_micros()).unwrap_or(u64::MAX - 1);
        let (mut left, is_new) = match head::decode(&page) {
            Seen::New => (Left { clean: true, ..Left::default() }, true),
            Seen::Ours { head, last, damaged } => {
                let Head { epoch, clean } = head.unwrap_or(Head { epoch: 0, clean: false });
                (
                    Left {
                        last_seq: last.seq,
                        clean,
                        epoch,
                        damaged,
                        marked: Vec::new(),
                        roughly: Vec::new(),
                    },
                    false,
                )
            }
            Seen::Foreign => return Err(SideError::Foreign { path }),
            Seen::Newer { format } => {
                return Err(SideError::Newer { path, format, known: head::FORMAT });
            }
        };
        // Without a head it is not known whose the marks are.
        if left.epoch != 0 && !left.clean {
            read_marks(&file, &mut left).map_err(|error| refused("read", error))?;
        }
        let mut lines = holder::held(time::since_unix_epoch()).to_vec();
        if is_new {
            lines.extend(head::encode_rest(Head { epoch: 0, clean: true }, 0));
        }
        file.write_all_at(&lines, 0).map_err(|error| refused("written", error))?;
        let epoch = left.epoch.saturating_add(1).max(today);
        let (marks, last_seq) = (Marks::new(epoch), left.last_seq);
        // The two that `begin_epoch` writes are those of the turns 0 and 1.
        Ok((
            Self { file, epoch, last_seq, turn: AtomicU64::new(2), marks, is_over: AtomicBool::new(false) },
            left,
        ))
    }

    /// Which run this is.
    #[cfg(test)]
    pub(super) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Clears the marks of the last run, which have been counted durably, and says that this one is under way. Before the first task begins.
    ///
    /// # Errors
    /// The file could not be written. What the last run left may still be there.
    pub(super) fn begin_epoch(&self) -> io::Result<()> {
        let head = Head { epoch: self.epoch, clean: false };
        self.file.write_all_at(&head::encode_rest(head, self.last_seq), LINES as u64)?;
        // The old marks are of another epoch already; this gives their place back.
        self.file.set_len(PAGE as u64)
    }

    /// Says that everything up to that number is committed. Not synced: it is for a process that dies, and for comparing after a power loss.
    ///
    /// The last call counts, whatever the number: one that is lower than before is for a journal that was begun anew.
    ///
    /// # Errors
    /// The file could not be written. One of the last two numbers is still there.
    pub(super) fn committed(&self, seq: u64) -> io::Result<()> {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let (at, bytes) = head::encode_last(Last { epoch: self.epoch, turn, seq });
        self.file.write_all_at(&bytes, at as u64)
    }

    /// Takes in a task that may begin from now on; in memory only. One that is announced `alone` is marked by itself.
    ///
    /// # Cost
    /// A short lock and a share of an allocation; `alone`, an allocation of its own.
    pub(super) fn announce(&self, identity: u128, alone: bool) -> Ticket {
        self.marks.announce(identity, alone)
    }

    /// Returns when the mark of the task is in the file.
    ///
    /// With `exact`, the task writes a mark of its own; without, the first of a block of 64 writes it for those that are next in line as well.
    /// What the first of a block says holds for all of the block.
    ///
    /// # Errors
    /// The file could not be written, and the task must not begin. Another call tries it again.
    ///
    /// # Cost
    /// One write of a kilobyte for every block; nothing for the others of the block, with `exact` a write of 4 bytes.
    pub(super) fn begin(&self, ticket: &Ticket, exact: bool) -> io::Result<()> {
        if self.is_over() { Ok(()) } else { self.marks.begin(&self.file, ticket, exact) }
    }

    /// The task does not run any more, and is not recorded yet: takes its mark back, if it has one of its own. Who is marked with others is only suspected.
    ///
    /// # Errors
    /// The file could not be written, and the mark may still be there.
    pub(super) fn rest(&self, ticket: &Ticket) -> io::Result<()> {
        if self.is_over() { Ok(()) } else { self.marks.rest(&self.file, ticket) }
    }

    /// The task has been recorded, after it was told to rest. A mark that it shares may still be there: who reads it leaves out what is recorded.
    pub(super) fn end(&self, ticket: Ticket) {
        self.marks.end(ticket);
    }

    /// The task was given up without a record, having begun or not: its mark is taken back.
    ///
    /// # Errors
    /// The file could not be written, and the mark may still be there. The task has ended all the same.
    pub(super) fn withdraw(&self, ticket: Ticket) -> io::Result<()> {
        if self.is_over() { Ok(()) } else { self.marks.withdraw(&self.file, ticket) }
    }

    /// Says that this run ended in order, and gives the lock back. Marks are not written any more: they could come over one of the next
    /// holder's.
    ///
    /// # Errors
    /// The file could not be written: the next holder may take the end for a crash.
    pub(super) fn close(&self) -> io::Result<()> {
        self.is_over.store(true, Ordering::SeqCst);
        let (at, bytes) = head::encode_head(Head { epoch: self.epoch, clean: true });
        let mut page = holder::free().to_vec();
        page.resize(at, 0);
        page.extend(bytes);
        self.file.write_all_at(&page, 0)?;
        self.file.set_len(PAGE as u64)?;
        self.unlock()
    }

    /// Whether tasks that begin or end now do so after the end of the journal: nothing of them is recorded.
    fn is_over(&self) -> bool {
        self.is_over.load(Ordering::SeqCst)
    }

    #[allow(clippy::incompatible_msrv)] // the feature needs 1.89
    fn unlock(&self) -> io::Result<()> {
        self.file.unlock()
    }
}

impl Drop for Side {
    fn drop(&mut self) {
        // Not left to the closing of the file: a process that is just being started from here may have a copy of the handle for a moment.
        let _ = self.unlock();
    }
}

/// Takes the system's lock, or says who has it.
fn take(file: &File, path: &Path) -> Result<(), SideError> {
    #[allow(clippy::incompatible_msrv)] // the feature needs 1.89
    match file.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => {
            let mut lines = vec![0; LINES];
            // Where locks keep readers out, this fails.
            let length = read_up_to(file, &mut lines, 0).unwrap_or(0);
            let holder = holder::named(&lines[..length]).unwrap_or_else(|| "another process".to_owned());
            Err(SideError::Held { holder })
        }
        Err(TryLockError::Error(source)) => {
            Err(SideError::Io { path: path.to_owned(), doing: "locked", source })
        }
    }
}

/// Reads all blocks of the run that left the file.
fn read_marks(file: &File, left: &mut Left) -> io::Result<()> {
    let mut bytes = vec![0; block::STRIDE];
    let mut exactly = HashSet::new();
    for slot in 0.. {
        let length = read_up_to(file, &mut bytes, marks::at(slot))?;
        if length == 0 {
            break;
        }
        match block::decode(&bytes[..length], slot, left.epoch) {
            block::Found::Nothing => {}
            block::Found::Damaged => left.damaged = true,
            block::Found::Marked(marked) => {
                if block::is_exact(&bytes[..length]) {
                    exactly.extend(marked.iter().copied());
                } else {
                    left.roughly.extend(&marked);
                }
                left.marked.extend(marked);
            }
        }
    }
    // Recorded by then, it ran again.
    left.roughly.retain(|identity| !exactly.contains(identity));
    left.roughly.sort_unstable();
    left.marked.sort_unstable();
    left.marked.dedup();
    Ok(())
}
