//! The classes that are closed, and until when.

use std::collections::{BTreeMap, BTreeSet};

use crate::sync::time::Instant;

/// A class is in both or in neither, with the same instant.
#[derive(Debug, Default)]
pub(super) struct Closed {
    until: BTreeMap<Option<u64>, Instant>,
    order: BTreeSet<(Instant, Option<u64>)>,
}

impl Closed {
    pub(super) fn is_empty(&self) -> bool {
        self.until.is_empty()
    }

    pub(super) fn contains(&self, class: Option<u64>) -> bool {
        self.until.contains_key(&class)
    }

    /// Closes a class until `until`, or until what was said before if that is later: two workers that were refused at the
    /// same time may say so in either order. Returns whether it was open.
    pub(super) fn close(&mut self, class: Option<u64>, until: Instant) -> bool {
        let before = self.until.get(&class).copied();
        if before.is_none_or(|before| before < until) {
            self.until.insert(class, until);
            self.order.insert((until, class));
            if let Some(before) = before {
                self.order.remove(&(before, class));
            }
        }
        before.is_none()
    }

    /// Opens the classes whose time has come. What the iterator is not asked for stays closed.
    pub(super) fn open_due(&mut self, now: Instant) -> impl Iterator<Item = Option<u64>> + '_ {
        std::iter::from_fn(move || {
            let first = self.order.first().filter(|(until, _)| *until <= now).copied()?;
            self.order.remove(&first);
            self.until.remove(&first.1);
            Some(first.1)
        })
    }

    /// Opens all classes.
    pub(super) fn open_all(&mut self) -> impl Iterator<Item = Option<u64>> + use<> {
        self.order.clear();
        std::mem::take(&mut self.until).into_keys()
    }

    /// When the next class opens.
    pub(super) fn earliest(&self) -> Option<Instant> {
        self.order.first().map(|(until, _)| *until)
    }
}
