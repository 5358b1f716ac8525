//! The lines by key: a hash map that runs the user's `Eq` only where it changes nothing.
//!
//! # Invariants
//! 1. The map's key is the stored hash, so the map itself never hashes or compares a user's value. Lines of equal hash share a bucket.
//! 2. The user's `Eq` runs in [`Lines::find`] only, which takes `&self`: a panic in it leaves all as it was.
//! 3. When lines go, their memory goes: the room left is at most eight times what is used, or [`KEPT`].

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use super::super::fifo::KEPT;
use super::key::Key;
use super::line::{Line, LineId};

/// Takes a hash for a hash.
#[derive(Default)]
struct Stored(u64);

impl Hasher for Stored {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn write(&mut self, _: &[u8]) {
        unreachable!("a stored hash is a u64");
    }
}

/// The lines whose keys have one hash: hardly ever more than one.
#[derive(Debug)]
struct Bucket<T> {
    first: Line<T>,
    rest: Vec<Line<T>>,
}

#[derive(Debug)]
pub(super) struct Lines<T> {
    buckets: HashMap<u64, Bucket<T>, BuildHasherDefault<Stored>>,
    len: usize,
}

impl<T> Default for Lines<T> {
    fn default() -> Self {
        Self { buckets: HashMap::default(), len: 0 }
    }
}

impl<T> Lines<T> {
    #[cfg(all(test, not(any(gristmill_shuttle, gristmill_loom))))]
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// The line of this key. Runs the user's `Eq`, as often as there are other lines with the same hash, and once.
    pub(super) fn find(&self, key: &Key) -> Option<LineId> {
        let bucket = self.buckets.get(&key.hash())?;
        bucket.iter().find(|line| line.key == *key).map(Line::id)
    }

    pub(super) fn get(&self, id: LineId) -> Option<&Line<T>> {
        self.buckets.get(&id.hash)?.iter().find(|line| line.number == id.number)
    }

    pub(super) fn get_mut(&mut self, id: LineId) -> Option<&mut Line<T>> {
        self.buckets.get_mut(&id.hash)?.iter_mut().find(|line| line.number == id.number)
    }

    /// All lines, in no particular order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Line<T>> {
        self.buckets.values().flat_map(Bucket::iter)
    }

    /// All lines, in no particular order.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Line<T>> {
        self.buckets.values_mut().flat_map(Bucket::iter_mut)
    }

    /// Adds a line whose key has none yet.
    pub(super) fn insert(&mut self, line: Line<T>) {
        self.len += 1;
        let hash = line.key.hash();
        if let Some(bucket) = self.buckets.get_mut(&hash) {
            bucket.rest.push(line);
        } else {
            self.buckets.insert(hash, Bucket { first: line, rest: Vec::new() });
        }
    }

    pub(super) fn remove(&mut self, id: LineId) -> Option<Line<T>> {
        let bucket = self.buckets.get_mut(&id.hash)?;
        let place = bucket.iter().position(|line| line.number == id.number)?;
        self.len -= 1;
        if let Some(last) = bucket.rest.pop() {
            let room = bucket.rest.capacity();
            if room > KEPT && bucket.rest.len() < room / 4 {
                bucket.rest.shrink_to(bucket.rest.len() * 2);
            }
            return Some(match place {
                0 => std::mem::replace(&mut bucket.first, last),
                place if place > bucket.rest.len() => last,
                place => std::mem::replace(&mut bucket.rest[place - 1], last),
            });
        }
        let line = self.buckets.remove(&id.hash)?.first;
        if self.buckets.capacity() > KEPT && self.buckets.len() < self.buckets.capacity() / 8 {
            self.buckets.shrink_to((self.buckets.len() * 2).max(KEPT / 2));
        }
        Some(line)
    }

    /// The number of lines that there is room for.
    #[cfg(all(test, not(any(gristmill_shuttle, gristmill_loom))))]
    pub(super) fn capacity(&self) -> usize {
        self.buckets.capacity() + self.buckets.values().map(|bucket| bucket.rest.capacity()).sum::<usize>()
    }
}

impl<T> Bucket<T> {
    fn iter(&self) -> impl Iterator<Item = &Line<T>> {
        std::iter::once(&self.first).chain(&self.rest)
    }

    fn iter_mut(&mut self) -> impl Iterator<Item = &mut Line<T>> {
        std::iter::once(&mut self.first).chain(&mut self.rest)
    }
}
