//! Who is running, kept in the file so that it outlives the process.
//!
//! Announced tasks lie in blocks in the order of their announcement. The first of a block to begin writes the whole block, and those after
//! it find their mark written. So a long queue of short tasks costs a write for every 64, and the price is that after a crash those next in
//! line count as having run. A task that is announced `alone` has a block of its own; and a block whose first task begins `exact` marks
//! those only that have begun, for a small write each.
//!
//! # Invariants
//! 1. A block takes in tasks while it is the open one, and never again: its state leaves `OPEN` once, under both locks.
//! 2. A block's identities are in the open block's list while it is open, and in its own content from then until they are in the file.
//! 3. The state is `WHOLE` or `EXACT` only after the block's bytes were written.
//! 4. A slot of the file belongs to one block from the first try to write it until the last of its tickets is gone: the list of free slots
//!    never holds the slot of a living block, so there are never more slots than blocks with a task that has not ended.
//! 5. Who announces never waits for the file: `open` is not held while anything is written.
//!
//! Order of locks: `open`, then a block's `content`, then `slots`.

use std::io;
use std::sync::Arc;

use super::block::{self, PLACES, Tag, Writing};
use super::head::PAGE;
use super::place::Place;
use crate::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};
use crate::sync::{Mutex, Padded};

/// Takes in tasks.
const OPEN: u8 = 0;
/// Full, or one of its tasks is about to begin.
const SEALED: u8 = 1;
/// All of its tasks are marked.
const WHOLE: u8 = 2;
/// Each of its tasks marks itself.
const EXACT: u8 = 3;

const NO_SLOT: u32 = u32::MAX;

/// A task that was announced, and has not ended.
///
/// To be given to [`Marks::end`] or [`Marks::withdraw`]: one that is only dropped keeps its block's place in the file.
#[derive(Debug)]
#[must_use = "its block is kept until it has ended"]
pub(in crate::journal) struct Ticket {
    block: Arc<Block>,
    place: u8,
}

impl Ticket {
    fn bit(&self) -> u64 {
        1 << self.place
    }
}

#[derive(Debug)]
struct Block {
    state: AtomicU8,
    /// Where it is in the file, and the number of that writing; given once, before the first try to write.
    slot: AtomicU32,
    generation: AtomicU64,
    content: Mutex<Content>,
}

#[derive(Debug, Default)]
struct Content {
    identities: Vec<u128>,
    /// Those given up before the block was written.
    withdrawn: u64,
}

impl Block {
    fn new(state: u8, identities: Vec<u128>) -> Arc<Self> {
        Arc::new(Self {
            state: AtomicU8::new(state),
            slot: AtomicU32::new(NO_SLOT),
            generation: AtomicU64::new(0),
            content: Mutex::new(Content { identities, withdrawn: 0 }),
        })
    }
}

/// The block that takes in tasks, if there is one.
#[derive(Debug, Default)]
struct Open {
    block: Option<Arc<Block>>,
    identities: Vec<u128>,
}

impl Open {
    fn seal(&mut self) {
        if let Some(block) = self.block.take() {
            block.content.lock().identities = std::mem::take(&mut self.identities);
            block.state.store(SEALED, Ordering::Release);
        }
    }
}

#[derive(Debug, Default)]
struct Slots {
    free: Vec<u32>,
    /// How many there are.
    count: u32,
    /// The number of the next writing.
    generation: u64,
}

/// The marks of one run.
#[derive(Debug)]
pub(super) struct Marks {
    epoch: u64,
    open: Padded<Mutex<Open>>,
    slots: Padded<Mutex<Slots>>,
}

impl Marks {
    pub(super) fn new(epoch: u64) -> Self {
        Self { epoch, open: Padded::default(), slots: Padded::default() }
    }

    /// Takes a task in, which may begin from now on. Nothing is written.
    pub(super) fn announce(&self, identity: u128, alone: bool) -> Ticket {
        if alone {
            return Ticket { block: Block::new(SEALED, vec![identity]), place: 0 };
        }
        let mut open = self.open.lock();
        if open.block.is_none() {
            open.block = Some(Block::new(OPEN, Vec::new()));
            open.identities = Vec::with_capacity(PLACES);
        }
        // Less than 64.
        #[allow(clippy::cast_possible_truncation)]
        let place = open.identities.len() as u8;
        open.identities.push(identity);
        let block = Arc::clone(open.block.as_ref().expect("it was made above"));
        if open.identities.len() == PLACES {
            open.seal();
        }
        Ticket { block, place }
    }

    /// Returns when the task's mark is in the file: the process may be killed from then on, and it will be known that the task was running.
    ///
    /// # Errors
    /// The file could not be written. The mark may or may not be there; another call tries it again.
    pub(super) fn begin(&self, file: &impl Place, ticket: &Ticket, exact: bool) -> io::Result<()> {
        let block = &*ticket.block;
        match block.state.load(Ordering::Acquire) {
            WHOLE => return Ok(()),
            EXACT => return self.write_tag(file, ticket, Tag::Started),
            SEALED => {}
            _ => self.seal(&ticket.block),
        }
        let mut content = block.content.lock();
        // Another of the block may have been here first.
        match block.state.load(Ordering::Acquire) {
            WHOLE => return Ok(()),
            EXACT => {
                drop(content);
                return self.write_tag(file, ticket, Tag::Started);
            }
            _ => {}
        }
        let all = 1_u64
            .checked_shl(u32::try_from(content.identities.len()).unwrap_or(64))
            .map_or(u64::MAX, |next| next - 1);
        let left = all & !content.withdrawn;
        // One that is in its block alone, or left of it, is not marked for others: whoever reads it takes it for a mark of its own, so it has to rest.
        let exact = exact || left.count_ones() <= 1;
        let writing = self.writing(block);
        let marked = if exact { ticket.bit() } else { left };
        let encoded = block::encode(writing, &content.identities, marked);
        file.write_all_at(encoded.bytes(), at(writing.slot))?;
        content.identities = Vec::new();
        block.state.store(if exact { EXACT } else { WHOLE }, Ordering::Release);
        Ok(())
    }

    /// The task runs no more, and goes on to be recorded: takes its mark back, if it has one of its own.
    pub(super) fn rest(&self, file: &impl Place, ticket: &Ticket) -> io::Result<()> {
        let is_exact = ticket.block.state.load(Ordering::Acquire) == EXACT;
        if is_exact { self.write_tag(file, ticket, Tag::Withdrawn) } else { Ok(()) }
    }

    /// The task has been recorded: its mark means nothing any more. Once all of its block have ended, the block's place is free.
    pub(super) fn end(&self, ticket: Ticket) {
        // The last ticket of a block has it to itself: while it is open, the open list has it too, and then no task has begun.
        if let Some(block) = Arc::into_inner(ticket.block) {
            let slot = block.slot.load(Ordering::Relaxed);
            if slot != NO_SLOT {
                self.slots.lock().free.push(slot);
            }
        }
    }

    /// The task is given up, and was not recorded: takes its mark back, and ends it.
    ///
    /// # Errors
    /// The file could not be written: the mark may be there until the block's place is used again. The task has ended all the same.
    pub(super) fn withdraw(&self, file: &impl Place, ticket: Ticket) -> io::Result<()> {
        let block = &*ticket.block;
        let is_written = {
            let mut content = block.content.lock();
            content.withdrawn |= ticket.bit();
            block.state.load(Ordering::Acquire) > SEALED
        };
        // One whose writing failed may be there as well; but then nothing can be written, and the error was told.
        let outcome = if is_written { self.write_tag(file, &ticket, Tag::Withdrawn) } else { Ok(()) };
        self.end(ticket);
        outcome
    }

    fn seal(&self, block: &Arc<Block>) {
        let mut open = self.open.lock();
        if open.block.as_ref().is_some_and(|open| Arc::ptr_eq(open, block)) {
            open.seal();
        }
    }

    /// Where the block is written, and under which number. Its content is locked.
    fn writing(&self, block: &Block) -> Writing {
        if block.slot.load(Ordering::Relaxed) == NO_SLOT {
            let mut slots = self.slots.lock();
            let slot = slots.free.pop().unwrap_or_else(|| {
                slots.count += 1;
                slots.count - 1
            });
            block.slot.store(slot, Ordering::Relaxed);
            block.generation.store(slots.generation, Ordering::Relaxed);
            slots.generation += 1;
        }
        self.written(block)
    }

    fn written(&self, block: &Block) -> Writing {
        Writing {
            epoch: self.epoch,
            generation: block.generation.load(Ordering::Relaxed),
            slot: block.slot.load(Ordering::Relaxed),
        }
    }

    /// Says what has become of one task of a block that has been written.
    fn write_tag(&self, file: &impl Place, ticket: &Ticket, tag: Tag) -> io::Result<()> {
        let writing = self.written(&ticket.block);
        let place = usize::from(ticket.place);
        file.write_all_at(&block::tag(writing, place, tag), at(writing.slot) + block::tag_at(place))
    }

    /// How many slots the file has had to have.
    #[cfg(test)]
    pub(super) fn slots(&self) -> u32 {
        self.slots.lock().count
    }
}

/// Where a slot starts.
pub(super) fn at(slot: u32) -> u64 {
    PAGE as u64 + u64::from(slot) * block::STRIDE as u64
}
