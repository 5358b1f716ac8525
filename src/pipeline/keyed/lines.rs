//! The lines of all keys: where an item that enters the stage waits for its key.
//!
//! # Invariants
//! 1. The map holds every line that is busy or dead, and idle ones until the next sweep: at most as many as there were lines after the sweep
//!    before, or [`KEPT`]. So a key that comes only once is forgotten.
//!
//! Lock order: those of `line`, under that of the inlet. The `Eq` of keys runs under the inlet's, and keys are dropped there.

use std::collections::HashMap;
use std::collections::hash_map::Entry as Slot;
use std::hash::{BuildHasherDefault, Hash, Hasher};
use std::sync::Arc;

use super::super::reorder::{Entry, Queue};
use super::super::run::Run;
use super::super::step::Hashed;
use super::line::{Line, Place, ReadyLines};
use crate::fan;
use crate::panics;

/// Idle lines that are not worth a sweep.
const KEPT: usize = 1024;

impl<K> Hash for Hashed<K> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

impl<K: PartialEq> PartialEq for Hashed<K> {
    fn eq(&self, other: &Self) -> bool {
        self.hash == other.hash && self.key == other.key
    }
}

impl<K: Eq> Eq for Hashed<K> {}

/// The lines by their keys.
pub(super) struct Lines<K, U> {
    by_key: HashMap<Hashed<K>, Arc<Line<U>>, BuildHasherDefault<fan::Hashed>>,
    /// How many lines are worth a sweep.
    sweep_at: usize,
    /// Lines that were idle, and have to be made ready.
    woken: Vec<Place<U>>,
}

impl<K, U> Drop for Lines<K, U> {
    fn drop(&mut self) {
        panics::drop_each_quietly(self.by_key.drain());
    }
}

impl<K, U> Lines<K, U> {
    pub(super) fn new() -> Self {
        Self { by_key: HashMap::default(), sweep_at: KEPT, woken: Vec::new() }
    }
}

impl<K: Eq, U> Lines<K, U> {
    fn line(&mut self, key: Hashed<K>) -> &Arc<Line<U>> {
        if self.by_key.len() >= self.sweep_at {
            self.by_key.retain(|_, line| !line.is_idle());
            self.sweep_at = (self.by_key.len() * 2).max(KEPT);
            self.by_key.shrink_to(self.sweep_at);
        }
        match self.by_key.entry(key) {
            Slot::Occupied(line) => line.into_mut(),
            Slot::Vacant(free) => free.insert(Line::new()),
        }
    }
}

/// The keys' queue: items enter the line of their key, and are taken by the line.
pub(super) struct ByKey<K, U> {
    pub(super) ready: ReadyLines<U>,
    keys: std::marker::PhantomData<fn(K)>,
}

impl<K, U> ByKey<K, U> {
    pub(super) fn new() -> Self {
        Self { ready: ReadyLines::new(), keys: std::marker::PhantomData }
    }
}

impl<K, U> Queue<(Hashed<K>, U)> for ByKey<K, U>
where
    K: Eq + Send,
    U: Send,
{
    type State = Lines<K, U>;

    fn enter(&self, state: &mut Lines<K, U>, entry: Entry<(Hashed<K>, U)>) {
        let Entry { place, index, share, since, read, item: (key, item) } = entry;
        let line = state.line(key);
        if line.push(Entry { place, index, share, since, read, item }) {
            let line = Arc::clone(line);
            state.woken.push((place, line));
        }
    }

    fn offer<E>(&self, run: &Run<E>, state: &mut Lines<K, U>) {
        self.ready.put(run, &mut state.woken);
    }
}
