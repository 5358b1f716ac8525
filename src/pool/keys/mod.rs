//! Tasks with equal keys run one at a time, in submission order.
//!
//! Each key in use has a *line*: at most one entry that is granted (queued to run, or running), and behind it a backlog of parked ones.
//! A parked entry is nowhere else, so a busy key holds up no worker and no other key.
//!
//! # Invariants
//! 1. A line exists while its key is busy (an entry is granted) or held (none is). So a key without either costs nothing.
//! 2. Of one line at most one entry is granted, and entries are granted in the order in which they entered.
//! 3. Only [`KeyTable::leave`] and [`KeyTable::release`] grant; whoever gets an entry from them has to queue it.
//! 4. User code: the `Eq` of keys runs where a [`Key`] is looked up ([`find`](KeyTable::find), [`release`](KeyTable::release),
//!    [`take`](KeyTable::take)), before anything has changed, so a panic in it leaves the table as it was.
//! 5. Nothing of the user's is dropped in here: the key of a line that ends is handed out, to be dropped outside of the lock, and the
//!    granted entry of [`leave`](KeyTable::leave) is one that the caller, who has just run it, has too.
//!
//! It is a plain value: its owner holds it in a lock. Since `Eq` runs under that lock, it must not use the pool.

mod failure;
mod key;
mod line;
mod lines;
mod shown;

pub use failure::KeyFailure;
pub use key::Key;

pub(in crate::pool) use line::LineId;

use self::line::Line;
use self::lines::Lines;
use super::fifo::Fifo;

/// What became of an entry that entered.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Entered<T> {
    /// The key was idle: it is this entry's turn. The caller owes [`KeyTable::leave`].
    Granted(LineId),
    /// It waits behind others of its key.
    Parked(LineId),
    /// The key's backlog has as many entries as it may: this one comes back.
    Full(T),
}

/// What a granted entry leaves behind.
#[derive(Debug, PartialEq)]
#[must_use = "the next entry has to be queued"]
pub(super) struct Left<T> {
    /// Whose turn it is now, in the same line.
    pub(super) next: Option<T>,
    /// The entries that were dropped because of the failure, in submission order.
    pub(super) dropped: Vec<T>,
    /// Whether the key is held now.
    pub(super) is_held: bool,
    /// The key, if its line has ended: to be dropped outside of the lock.
    pub(super) ended: Option<Key>,
}

/// What a held key that was released goes on with.
#[derive(Debug, PartialEq)]
#[must_use = "the next entry has to be queued"]
pub(super) struct Released<T> {
    /// Whose turn it is now, and its line.
    pub(super) next: Option<(LineId, T)>,
    /// The key, if its line has ended because nothing was parked: to be dropped outside of the lock.
    pub(super) ended: Option<Key>,
}

/// Entries that will not be granted any more.
#[derive(Debug, PartialEq)]
#[must_use = "the entries are out of the table"]
pub(super) struct Taken<T> {
    /// In submission order.
    pub(super) entries: Vec<T>,
    /// The keys whose lines have ended, in the order in which the lines began: to be dropped outside of the lock.
    pub(super) ended: Vec<Key>,
}

#[derive(Debug)]
pub(super) struct KeyTable<T> {
    lines: Lines<T>,
    bound: usize,
    on_failure: KeyFailure,
    parked: usize,
    /// The number of the next line, and of the next parked entry: one count for both, it only has to grow.
    next_number: u64,
}

impl<T: Clone> KeyTable<T> {
    /// With at most `bound` entries parked per key. With 0, a submission to a busy key is refused at once.
    pub(super) fn new(bound: usize, on_failure: KeyFailure) -> Self {
        Self { lines: Lines::default(), bound, on_failure, parked: 0, next_number: 0 }
    }

    /// Puts an entry at the end of its key's line.
    ///
    /// # Panics
    /// If the key's `Eq` panics. The table is then as before, and the entry is dropped.
    #[cfg(all(test, not(any(gristmill_shuttle, gristmill_loom))))]
    pub(super) fn enter(&mut self, key: &Key, entry: T) -> Entered<T> {
        let found = self.find(key);
        self.enter_line(found, key, entry)
    }

    /// The line of a key; `None` if it is idle. Good for as long as the caller holds the table's lock.
    ///
    /// # Panics
    /// If the key's `Eq` panics. The table is then as before.
    pub(super) fn find(&self, key: &Key) -> Option<LineId> {
        self.lines.find(key)
    }

    /// Whether no more may be parked in a line.
    pub(super) fn is_full(&self, id: LineId) -> bool {
        self.lines.get(id).is_some_and(|line| line.backlog.len() >= self.bound)
    }

    /// As `enter`, with what [`find`](Self::find) said just before; no code of the user runs.
    pub(super) fn enter_line(&mut self, found: Option<LineId>, key: &Key, entry: T) -> Entered<T> {
        if let Some(line) = found.and_then(|id| self.lines.get_mut(id)) {
            if line.backlog.len() >= self.bound {
                return Entered::Full(entry);
            }
            line.backlog.push(self.next_number, entry);
            self.next_number += 1;
            self.parked += 1;
            return Entered::Parked(line.id());
        }
        let backlog = Fifo::default();
        let line = Line { number: self.next_number, key: key.clone(), granted: Some(entry), backlog };
        let id = line.id();
        self.next_number += 1;
        self.lines.insert(line);
        Entered::Granted(id)
    }

    /// The granted entry of a line is over. `failed`: what [`KeyFailure`] says is done.
    pub(super) fn leave(&mut self, id: LineId, failed: bool) -> Left<T> {
        let mut left = Left { next: None, dropped: Vec::new(), is_held: false, ended: None };
        let Some(line) = self.lines.get_mut(id).filter(|line| !line.is_held()) else {
            debug_assert!(false, "nothing is granted in {id:?}");
            return left;
        };
        match self.on_failure {
            KeyFailure::Hold if failed => {
                line.granted = None;
                left.is_held = true;
                return left;
            }
            KeyFailure::DropRest if failed => {
                left.dropped.extend(line.backlog.take().into_iter().map(|(_, entry)| entry));
                self.parked -= left.dropped.len();
            }
            _ => {}
        }
        (left.next, left.ended) = self.advance(id);
        left
    }

    /// Takes back an entry that was granted when it entered but could not be queued. Nothing is parked behind it, because the
    /// caller has held the lock since.
    #[cfg(all(test, not(any(gristmill_shuttle, gristmill_loom))))]
    pub(super) fn undo(&mut self, id: LineId) -> Left<T> {
        debug_assert!(
            self.lines.get(id).is_some_and(|line| line.backlog.is_empty()),
            "the lock was given up"
        );
        self.leave(id, false)
    }

    /// The entry whose turn it is in a line; `None` if the line has ended or is held.
    pub(super) fn current(&self, id: LineId) -> Option<T> {
        self.lines.get(id)?.granted.clone()
    }

    /// The entries whose turn it is, in no particular order.
    pub(super) fn granted(&self) -> impl Iterator<Item = &T> {
        self.lines.iter().filter_map(|line| line.granted.as_ref())
    }

    /// The keys that are held, in the order in which their lines began. Linear in the lines.
    pub(super) fn held(&self) -> Vec<Key> {
        let mut held: Vec<_> = self.lines.iter().filter(|line| line.is_held()).collect();
        held.sort_unstable_by_key(|line| line.number);
        held.into_iter().map(|line| line.key.clone()).collect()
    }

    /// Lets a held key go on with the next of its entries; `None` if it is not held.
    ///
    /// # Panics
    /// If the key's `Eq` panics. The table is then as before.
    pub(super) fn release(&mut self, key: &Key) -> Option<Released<T>> {
        let id = self.find_held(key)?;
        let (next, ended) = self.advance(id);
        Some(Released { next: next.map(|entry| (id, entry)), ended })
    }

    /// Takes the entries of a held key, which is idle then; nothing if it is not held.
    ///
    /// # Panics
    /// If the key's `Eq` panics. The table is then as before.
    pub(super) fn take(&mut self, key: &Key) -> Taken<T> {
        let held = self.find_held(key).into_iter().collect();
        self.end(held)
    }

    /// Takes the entries of all held keys, which are idle then. Linear in the lines.
    pub(super) fn drain_held(&mut self) -> Taken<T> {
        let held = self.lines.iter().filter(|line| line.is_held()).map(Line::id).collect();
        self.end(held)
    }

    /// Takes all parked entries, in submission order. What is granted stays so, and what is held. Linear in the lines.
    pub(super) fn drain(&mut self) -> Vec<T> {
        self.parked = 0;
        in_order(self.lines.iter_mut().flat_map(|line| line.backlog.take()).collect())
    }

    /// The number of entries parked.
    #[cfg(all(test, not(any(gristmill_shuttle, gristmill_loom))))]
    pub(super) fn parked(&self) -> usize {
        self.parked
    }

    /// The number of keys that are busy or held.
    #[cfg(all(test, not(any(gristmill_shuttle, gristmill_loom))))]
    pub(super) fn len(&self) -> usize {
        self.lines.len()
    }

    fn find_held(&self, key: &Key) -> Option<LineId> {
        let id = self.lines.find(key)?;
        self.lines.get(id).is_some_and(Line::is_held).then_some(id)
    }

    /// Grants the next entry of a line, or ends the line.
    fn advance(&mut self, id: LineId) -> (Option<T>, Option<Key>) {
        let next = self.lines.get_mut(id).and_then(Line::grant);
        if next.is_some() {
            self.parked -= 1;
            return (next, None);
        }
        (None, self.lines.remove(id).map(|line| line.key))
    }

    /// Ends lines, and takes what is parked in them.
    fn end(&mut self, mut ids: Vec<LineId>) -> Taken<T> {
        ids.sort_unstable_by_key(|id| id.number);
        let (mut entries, mut ended) = (Vec::new(), Vec::new());
        for mut line in ids.into_iter().filter_map(|id| self.lines.remove(id)) {
            entries.extend(line.backlog.take());
            ended.push(line.key);
        }
        self.parked -= entries.len();
        Taken { entries: in_order(entries), ended }
    }
}

fn in_order<T>(mut entries: Vec<(u64, T)>) -> Vec<T> {
    entries.sort_unstable_by_key(|(number, _)| *number);
    entries.into_iter().map(|(_, entry)| entry).collect()
}

#[cfg(all(test, not(any(gristmill_shuttle, gristmill_loom))))]
mod tests;
