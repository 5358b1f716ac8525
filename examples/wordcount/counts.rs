//! How often what came, and what could not be read.

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;

/// Something that could not be read.
#[derive(Debug)]
pub(crate) struct Unreadable {
    pub(crate) path: PathBuf,
    pub(crate) error: io::Error,
}

/// What a part of the input came to.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    by_key: HashMap<String, u64>,
    /// Lines without the field that was to be counted.
    pub(crate) without: u64,
    /// In the order of the input.
    pub(crate) unreadable: Vec<Unreadable>,
}

impl Counts {
    pub(crate) fn of_unreadable(path: PathBuf, error: io::Error) -> Self {
        Self { unreadable: vec![Unreadable { path, error }], ..Self::default() }
    }

    pub(crate) fn add(&mut self, key: &str) {
        // Most words have been there before: only new ones are worth memory of their own.
        match self.by_key.get_mut(key) {
            Some(count) => *count += 1,
            None => drop(self.by_key.insert(key.to_owned(), 1)),
        }
    }

    /// Both together; associative, as map-reduce asks for, and `other` is what came later.
    pub(crate) fn merge(mut self, mut other: Self) -> Self {
        self.unreadable.append(&mut other.unreadable);
        self.without += other.without;
        let (mut larger, smaller) = if self.by_key.len() < other.by_key.len() {
            (other.by_key, self.by_key)
        } else {
            (self.by_key, other.by_key)
        };
        for (key, count) in smaller {
            *larger.entry(key).or_default() += count;
        }
        Self { by_key: larger, ..self }
    }

    /// How many there were, and how many different ones.
    pub(crate) fn totals(&self) -> (u64, usize) {
        (self.by_key.values().sum(), self.by_key.len())
    }

    /// The `count` most frequent, or all for 0; equally frequent ones in the order of their bytes.
    pub(crate) fn top(&self, count: usize) -> Vec<(&str, u64)> {
        let mut all: Vec<_> = self.by_key.iter().map(|(key, count)| (key.as_str(), *count)).collect();
        all.sort_unstable_by(|(left, more), (right, less)| less.cmp(more).then(left.cmp(right)));
        if count > 0 {
            all.truncate(count);
        }
        all
    }
}
