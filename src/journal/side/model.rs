//! Marks over a file in memory, for tests: what would be read if the process died now.
//!
//! It stands in for the file under the model checker, where looking at it between any two steps has to be cheap.

use std::fmt;
use std::io;

use super::block::{self, Found};
use super::marks::{self, Marks, Ticket};
use super::place::Place;
use crate::sync::Mutex;

/// The run of which these are the marks.
const EPOCH: u64 = 7;

/// The marks of one run. Not part of what the crate promises.
pub struct MarksInMemory {
    marks: Marks,
    file: Bytes,
}

/// A task that was announced and has not ended. Not part of what the crate promises.
#[derive(Debug)]
#[must_use = "its block is kept until it has ended"]
pub struct MarkInMemory(Ticket);

#[derive(Default)]
struct Bytes(Mutex<Vec<u8>>);

impl Place for Bytes {
    fn write_all_at(&self, bytes: &[u8], at: u64) -> io::Result<()> {
        let mut file = self.0.lock();
        let at = usize::try_from(at).map_err(io::Error::other)?;
        let needed = file.len().max(at + bytes.len());
        file.resize(needed, 0);
        file[at..at + bytes.len()].copy_from_slice(bytes);
        Ok(())
    }
}

impl MarksInMemory {
    /// None yet.
    #[allow(clippy::new_without_default)] // one way is enough for tests
    pub fn new() -> Self {
        Self { marks: Marks::new(EPOCH), file: Bytes::default() }
    }

    /// A task may begin from now on.
    pub fn announce(&self, identity: u128, alone: bool) -> MarkInMemory {
        MarkInMemory(self.marks.announce(identity, alone))
    }

    /// Its mark is in the file when this returns.
    ///
    /// # Panics
    /// Never: memory can be written.
    pub fn begin(&self, mark: &MarkInMemory, exact: bool) {
        self.marks.begin(&self.file, &mark.0, exact).expect("memory can be written");
    }

    /// It runs no more, and is not recorded yet.
    ///
    /// # Panics
    /// Never: memory can be written.
    pub fn rest(&self, mark: &MarkInMemory) {
        self.marks.rest(&self.file, &mark.0).expect("memory can be written");
    }

    /// It is recorded.
    pub fn end(&self, mark: MarkInMemory) {
        self.marks.end(mark.0);
    }

    /// It is given up.
    ///
    /// # Panics
    /// Never: memory can be written.
    pub fn withdraw(&self, mark: MarkInMemory) {
        self.marks.withdraw(&self.file, mark.0).expect("memory can be written");
    }

    /// Who would be taken for running by the next process, in no order.
    ///
    /// # Panics
    /// If a block is not what was written.
    pub fn named(&self) -> Vec<u128> {
        let file = self.file.0.lock();
        let mut named = Vec::new();
        for slot in 0..Self::slots_of(&file) {
            let at = usize::try_from(marks::at(slot)).expect("a short file");
            let end = file.len().min(at + block::STRIDE);
            match block::decode(&file[at..end], slot, EPOCH) {
                Found::Marked(marked) => named.extend(marked),
                Found::Nothing => {}
                Found::Damaged => panic!("block {slot} is damaged"),
            }
        }
        named
    }

    /// How many places for blocks the file has had to have.
    pub fn slots(&self) -> u32 {
        Self::slots_of(&self.file.0.lock())
    }

    fn slots_of(file: &[u8]) -> u32 {
        let bytes = (file.len() as u64).saturating_sub(marks::at(0));
        u32::try_from(bytes.div_ceil(block::STRIDE as u64)).unwrap_or(u32::MAX)
    }
}

impl fmt::Debug for MarksInMemory {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("MarksInMemory").finish_non_exhaustive()
    }
}
