//! Values by key, each at a place that stays the same while it is there.
//!
//! # Invariants
//! 1. `index` has, for each hash that a kept key has, the place where the chain of those keys begins; `next` leads on. Two keys
//!    of one hash are next to impossible, but right.
//! 2. A place is either in a chain or in `vacant`.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::BuildHasherDefault;

use crate::fan::Hashed;

#[derive(Debug)]
pub(super) struct Table<K, V> {
    index: HashMap<u64, usize, BuildHasherDefault<Hashed>>,
    places: Vec<Option<Place<K, V>>>,
    vacant: Vec<usize>,
}

#[derive(Debug)]
struct Place<K, V> {
    hash: u64,
    key: K,
    next: Option<usize>,
    value: V,
}

impl<K, V> Table<K, V> {
    pub(super) fn new() -> Self {
        Self { index: HashMap::default(), places: Vec::new(), vacant: Vec::new() }
    }

    pub(super) fn len(&self) -> usize {
        self.places.len() - self.vacant.len()
    }

    /// Where the key is; its `Eq` runs here.
    #[inline]
    pub(super) fn find<Q>(&self, hash: u64, key: &Q) -> Option<usize>
    where
        K: Borrow<Q>,
        Q: Eq + ?Sized,
    {
        let mut next = self.index.get(&hash).copied();
        while let Some(at) = next {
            let place = self.places[at].as_ref()?;
            if place.key.borrow() == key {
                return Some(at);
            }
            next = place.next;
        }
        None
    }

    /// Puts in a key that is not there.
    pub(super) fn insert(&mut self, hash: u64, key: K, value: V) -> usize {
        let at = self.vacant.pop().unwrap_or(self.places.len());
        let next = self.index.insert(hash, at);
        let place = Some(Place { hash, key, next, value });
        match self.places.get_mut(at) {
            Some(vacant) => *vacant = place,
            None => self.places.push(place),
        }
        at
    }

    pub(super) fn remove(&mut self, at: usize) -> Option<(K, V)> {
        let Place { hash, key, next, value } = self.places.get_mut(at)?.take()?;
        self.vacant.push(at);
        self.unlink(hash, at, next);
        Some((key, value))
    }

    /// Takes a place out of its chain.
    fn unlink(&mut self, hash: u64, at: usize, next: Option<usize>) {
        let mut before = match self.index.get(&hash) {
            Some(first) if *first != at => Some(*first),
            _ => {
                match next {
                    Some(next) => self.index.insert(hash, next),
                    None => self.index.remove(&hash),
                };
                None
            }
        };
        while let Some(place) = before.and_then(|before| self.places[before].as_mut()) {
            if place.next == Some(at) {
                place.next = next;
                return;
            }
            before = place.next;
        }
    }

    #[inline]
    pub(super) fn get_mut(&mut self, at: usize) -> Option<&mut V> {
        self.places.get_mut(at)?.as_mut().map(|place| &mut place.value)
    }

    pub(super) fn get(&self, at: usize) -> Option<&V> {
        self.places.get(at)?.as_ref().map(|place| &place.value)
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (usize, &mut V)> {
        let places = self.places.iter_mut().enumerate();
        places.filter_map(|(at, place)| place.as_mut().map(|place| (at, &mut place.value)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_one_hash_are_apart() {
        let mut table = Table::new();
        let places: Vec<_> = (0..4).map(|key| table.insert(7, key, key * 10)).collect();
        for gone in [2, 0, 3] {
            assert_eq!(table.remove(places[gone]), Some((gone, gone * 10)));
            assert_eq!((table.find(7, &gone), table.remove(places[gone])), (None, None));
            assert_eq!(table.find(7, &1), Some(places[1]), "after {gone}");
        }
        assert_eq!((table.len(), table.get(places[1])), (1, Some(&10)));
        assert!(places.contains(&table.insert(8, 5, 50)), "a place is used again");
        assert_eq!((table.find(8, &1), table.find(7, &5), table.len()), (None, None, 2));
        table.remove(places[1]);
        assert_eq!(table.find(7, &1), None);
        assert_eq!(table.iter_mut().map(|(_, value)| *value).collect::<Vec<_>>(), [50]);
    }
}
