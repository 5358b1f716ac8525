//! Which keys have items in flight, and in which lane.
//!
//! Keys are known by their hash only. Two keys with the same hash are bound together, which nobody can tell from two keys
//! that happen to be in one lane.

use std::collections::HashMap;
use std::collections::hash_map::{DefaultHasher, Entry};
use std::hash::{BuildHasherDefault, Hash, Hasher};

use super::id::LaneId;

/// The hash of a key, the same for equal keys.
pub(crate) fn hash(key: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    hasher.finish()
}

/// How much a key wants to be in a lane: it goes to the lane where this is highest, so a lane that comes or goes moves only the
/// keys that it gets or had (rendezvous hashing; Thaler and Ravishankar 1998).
pub(super) fn score(hash: u64, lane: LaneId) -> u64 {
    // The finalizer of SplitMix64 (Steele, Lea, Flood 2014), with its increment between the lanes.
    let mut mixed = hash ^ lane.0.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// The keys with items in flight.
#[derive(Debug, Default)]
pub(super) struct Bindings {
    bound: HashMap<u64, Binding, BuildHasherDefault<Hashed>>,
    /// How many of them are bound to another lane than the one that is their home now.
    strays: usize,
}

#[derive(Debug)]
struct Binding {
    lane: LaneId,
    is_stray: bool,
    items: usize,
}

impl Bindings {
    pub(super) fn lane_of(&self, hash: u64) -> Option<LaneId> {
        self.bound.get(&hash).map(|binding| binding.lane)
    }

    /// One item more of the key is in flight, in the lane to which it is bound, if it is bound.
    pub(super) fn add(&mut self, hash: u64, lane: LaneId, home: LaneId) {
        let binding = self.bound.entry(hash).or_insert_with(|| {
            let is_stray = lane != home;
            self.strays += usize::from(is_stray);
            Binding { lane, is_stray, items: 0 }
        });
        binding.items += 1;
    }

    /// One item less of the key is in flight.
    pub(super) fn remove(&mut self, hash: u64) {
        if let Entry::Occupied(mut entry) = self.bound.entry(hash) {
            entry.get_mut().items -= 1;
            if entry.get().items == 0 {
                self.strays -= usize::from(entry.remove().is_stray);
            }
        }
    }

    /// Whether the binding of each key is no other than what its home says.
    pub(super) fn are_all_at_home(&self) -> bool {
        self.strays == 0
    }
}

/// A hasher for what is a hash already.
#[derive(Debug, Default)]
pub(crate) struct Hashed(u64);

impl Hasher for Hashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {
        unreachable!("only a u64 is hashed");
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

#[cfg(all(test, not(any(gristmill_shuttle, gristmill_loom))))]
mod tests {
    use super::*;

    #[test]
    fn score_of_the_hash_zero_is_what_splitmix64_gives_from_the_seed_zero() {
        // The first numbers of the reference implementation (Vigna, prng.di.unimi.it/splitmix64.c).
        let reference = [0xe220_a839_7b1d_cdaf, 0x6e78_9e6a_a1b9_65f4, 0x06c4_5d18_8009_454f];
        assert_eq!([0, 1, 2].map(|lane| score(0, LaneId(lane))), reference);
    }

    #[test]
    fn hash_of_a_hash_is_the_hash() {
        let mut hasher = Hashed::default();
        hasher.write_u64(0x0123_4567_89ab_cdef);
        assert_eq!(hasher.finish(), 0x0123_4567_89ab_cdef);
    }
}
