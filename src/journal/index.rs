//! Which tasks are recorded and who is working on which: the identities of all keys, in memory.
//!
//! # Invariants
//! 1. An identity is in the index if it is recorded (`seq` is not 0), or somebody works on it (`State::Working`), or both.
//! 2. At most one order works on an identity at a time: only [`Index::claim`] and [`Index::again`] make it `Working`, from `Free` or
//!    `Seen`, and only the order that they were called for ends that.
//! 3. A slot remembers one run, the last that claimed it. Of two runs that claim the same recorded key in turn, neither is told that it
//!    has claimed it before: both replay the record, which is right, and a set for every run would double the memory.
//! 4. `seq` and `input` change only for a commit that has succeeded, by the committer.
//!
//! The index itself is plain data; its lock is in [`core`](super::core), a leaf: nothing is called under it.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hash, Hasher};

use super::record::{Identity, InputHash};

/// Takes the low half of an identity as it is: it is a hash already.
#[derive(Debug, Default)]
pub(super) struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {
        // Identities hash as one number; anything else would be a mistake that makes the index slow, not wrong.
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }
}

/// An identity as a key: hashed by its low half.
#[derive(Clone, Copy, PartialEq, Eq)]
struct ByLow(Identity);

impl Hash for ByLow {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.0.low);
    }
}

/// The first 64 bits of an input's hash: enough to see that an input has changed.
fn short(input: InputHash) -> u64 {
    let mut first = [0; 8];
    first.copy_from_slice(&input[..8]);
    u64::from_le_bytes(first)
}

/// What is known of a key; 24 bytes.
#[derive(Clone, Copy, Debug)]
struct Slot {
    /// The record's number; 0 if there is none yet.
    seq: u64,
    input: u64,
    /// The run that claimed it last; 0 if that claim was given back, or none has.
    run: u32,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nobody works on it.
    Free,
    /// An order works on it.
    Working,
}

/// What a claim comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Claimed {
    /// Not recorded: it is worked on from now on.
    Fresh,
    /// Recorded under that number with another input: it is worked on from now on.
    Changed(u64),
    /// Recorded under that number with this input: nobody works on it.
    Recorded(u64),
}

/// Why there is no claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// This run has claimed it already.
    Duplicate,
    /// Another run works on it.
    InUse,
}

/// See the module.
#[derive(Default)]
pub(super) struct Index {
    slots: HashMap<ByLow, Slot, BuildHasherDefault<AsItIs>>,
    /// Who was running in crashes, in how many in a row, and has not been recorded since: few, mostly none.
    crashes: HashMap<Identity, u32>,
}

impl Index {
    /// An index with room for that many keys.
    pub(super) fn with_room(keys: usize) -> Self {
        let slots = HashMap::with_capacity_and_hasher(keys, BuildHasherDefault::default());
        Self { slots, crashes: HashMap::new() }
    }

    /// A task was running in so many crashes in a row.
    pub(super) fn crashed(&mut self, identity: Identity, crashes: u32) {
        self.crashes.insert(identity, crashes);
    }

    /// In how many crashes in a row it was running.
    /// Nothing of one that was not near a crash, and zero of one that may have been next in line only.
    pub(super) fn crashes(&self, identity: Identity) -> Option<u32> {
        if self.crashes.is_empty() { None } else { self.crashes.get(&identity).copied() }
    }

    /// Whether that record is in the index: what was marked and is recorded was not lost in a crash.
    pub(super) fn is_recorded(&self, identity: Identity) -> bool {
        self.slots.get(&ByLow(identity)).is_some_and(|slot| slot.seq > 0)
    }

    /// Puts a record that was found in the file; `false` if the identity is there already.
    pub(super) fn found(&mut self, identity: Identity, seq: u64, input: InputHash) -> bool {
        let slot = Slot { seq, input: short(input), run: 0, state: State::Free };
        self.slots.insert(ByLow(identity), slot).is_none()
    }

    /// Claims a key for a run, which is not 0.
    pub(super) fn claim(&mut self, run: u32, identity: Identity, input: InputHash) -> Result<Claimed, Taken> {
        let fresh = Slot { seq: 0, input: 0, run: 0, state: State::Free };
        let slot = self.slots.entry(ByLow(identity)).or_insert(fresh);
        if slot.run == run {
            return Err(Taken::Duplicate);
        }
        if slot.state == State::Working {
            return Err(Taken::InUse);
        }
        slot.run = run;
        if slot.seq > 0 && slot.input == short(input) {
            return Ok(Claimed::Recorded(slot.seq));
        }
        slot.state = State::Working;
        Ok(if slot.seq == 0 { Claimed::Fresh } else { Claimed::Changed(slot.seq) })
    }

    /// Works on a recorded key again; the number of its record now.
    pub(super) fn again(&mut self, identity: Identity) -> Result<u64, Taken> {
        let fresh = Slot { seq: 0, input: 0, run: 0, state: State::Free };
        // It may have been forgotten since.
        let slot = self.slots.entry(ByLow(identity)).or_insert(fresh);
        if slot.state == State::Working {
            return Err(Taken::InUse);
        }
        slot.state = State::Working;
        Ok(slot.seq)
    }

    /// Ends work that came to nothing: the key can be claimed again, by the same run as well.
    pub(super) fn give_back(&mut self, identity: Identity) {
        if let Some(slot) = self.slots.get_mut(&ByLow(identity)) {
            (slot.state, slot.run) = (State::Free, 0);
            if slot.seq == 0 {
                self.slots.remove(&ByLow(identity));
            }
        }
    }

    /// Takes back the claim of a recorded key that nobody worked on: the same run can claim it again.
    pub(super) fn release(&mut self, run: u32, identity: Identity) {
        let slot = self.slots.get_mut(&ByLow(identity));
        if let Some(slot) = slot.filter(|slot| slot.run == run && slot.state == State::Free) {
            slot.run = 0;
        }
    }

    /// Ends work with a record that is committed.
    pub(super) fn recorded(&mut self, identity: Identity, seq: u64, input: InputHash) {
        if let Some(slot) = self.slots.get_mut(&ByLow(identity)) {
            (slot.seq, slot.input, slot.state) = (seq, short(input), State::Free);
        }
        if !self.crashes.is_empty() {
            self.crashes.remove(&identity);
        }
    }

    /// The number of a recorded key that nobody works on; whether somebody does.
    pub(super) fn look(&self, identity: Identity) -> Option<(u64, bool)> {
        let slot = self.slots.get(&ByLow(identity))?;
        Some((slot.seq, slot.state == State::Working))
    }

    /// That a task was running in crashes is forgotten; its record, if it has one, is not.
    pub(super) fn pardon(&mut self, identity: Identity) {
        self.crashes.remove(&identity);
    }

    /// Takes a key out whose record and crashes are gone from the file; the next claim of it is fresh.
    pub(super) fn forget(&mut self, identity: Identity) {
        self.crashes.remove(&identity);
        if let Some(slot) = self.slots.get_mut(&ByLow(identity)) {
            if slot.state == State::Working {
                (slot.seq, slot.input) = (0, 0);
            } else {
                self.slots.remove(&ByLow(identity));
            }
        }
    }
}

#[cfg(all(test, not(any(gristmill_shuttle, gristmill_loom))))]
mod tests {
    use super::*;

    const INPUT: InputHash = [1; 16];
    const OTHER: InputHash = [2; 16];

    fn identity(number: u128) -> Identity {
        Identity::from_u128(number)
    }

    #[test]
    fn key_is_claimed_once_in_a_run_and_by_one_run_at_a_time() {
        let mut index = Index::default();
        assert_eq!(index.claim(1, identity(7), INPUT), Ok(Claimed::Fresh));
        assert_eq!(index.claim(1, identity(7), INPUT), Err(Taken::Duplicate));
        assert_eq!(index.claim(2, identity(7), INPUT), Err(Taken::InUse));
        index.recorded(identity(7), 1, INPUT);
        assert_eq!(index.claim(1, identity(7), INPUT), Err(Taken::Duplicate));
        assert_eq!(index.claim(2, identity(7), INPUT), Ok(Claimed::Recorded(1)));
        assert_eq!(index.claim(3, identity(7), OTHER), Ok(Claimed::Changed(1)));
        index.recorded(identity(7), 2, OTHER);
        assert_eq!(index.claim(4, identity(7), OTHER), Ok(Claimed::Recorded(2)));
    }

    #[test]
    fn work_that_came_to_nothing_leaves_nothing_behind() {
        let mut index = Index::default();
        assert_eq!(index.claim(1, identity(7), INPUT), Ok(Claimed::Fresh));
        index.give_back(identity(7));
        assert!(index.slots.is_empty());
        assert_eq!(index.claim(1, identity(7), INPUT), Ok(Claimed::Fresh), "by the same run as well");
    }

    #[test]
    fn recorded_key_is_worked_on_again_by_one_at_a_time() {
        let mut index = Index::default();
        assert!(index.found(identity(7), 5, INPUT));
        assert!(!index.found(identity(7), 6, INPUT), "twice in the file");
        assert_eq!(index.again(identity(7)), Ok(6));
        assert_eq!(index.again(identity(7)), Err(Taken::InUse));
        index.give_back(identity(7));
        assert_eq!(index.look(identity(7)), Some((6, false)), "it is still recorded");
    }

    #[test]
    fn record_ends_the_row_of_crashes_of_its_task_and_of_no_other() {
        let mut index = Index::default();
        index.crashed(identity(7), 2);
        index.crashed(identity(8), 1);
        assert_eq!(index.claim(1, identity(7), INPUT), Ok(Claimed::Fresh));
        assert_eq!(index.crashes(identity(7)), Some(2), "it is worked on, and may crash again");
        index.recorded(identity(7), 1, INPUT);
        assert_eq!((index.crashes(identity(7)), index.crashes(identity(8))), (None, Some(1)));
    }

    #[test]
    fn released_key_can_be_claimed_again_and_that_of_another_run_is_left_alone() {
        let mut index = Index::default();
        index.found(identity(7), 5, INPUT);
        assert_eq!(index.claim(1, identity(7), INPUT), Ok(Claimed::Recorded(5)));
        index.release(1, identity(7));
        assert_eq!(index.claim(1, identity(7), INPUT), Ok(Claimed::Recorded(5)));
        assert_eq!(index.claim(2, identity(7), OTHER), Ok(Claimed::Changed(5)));
        index.release(1, identity(7));
        index.release(2, identity(7));
        assert_eq!(index.claim(2, identity(7), OTHER), Err(Taken::Duplicate), "somebody works on it");
    }

    #[test]
    fn forgotten_key_is_fresh() {
        let mut index = Index::default();
        index.found(identity(7), 5, INPUT);
        index.forget(identity(7));
        assert_eq!(index.claim(1, identity(7), INPUT), Ok(Claimed::Fresh));
    }

    #[test]
    fn key_takes_forty_bytes() {
        assert_eq!(size_of::<(ByLow, Slot)>(), 40);
    }
}
