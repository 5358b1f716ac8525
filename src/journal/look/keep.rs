//! What garbage collection leaves in a journal.

use std::collections::BTreeSet;

use crate::sync::time::Duration;

/// What [`Journal::collect_garbage`](crate::journal::Journal::collect_garbage) keeps: the entries for which every rule holds.
///
/// [`Keep::everything`] has no rule and keeps all; each rule that is added lets go of more.
///
/// ```
/// use gristmill::journal::Keep;
///
/// // What an older version of a handler made is garbage, and so is every scope but these two.
/// let keep = Keep::everything().latest_versions().scopes(["render", "upload"]);
/// assert_ne!(keep, Keep::everything());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keep {
    pub(super) is_latest_version: bool,
    pub(super) scopes: Option<BTreeSet<String>>,
    pub(super) younger_than: Option<Duration>,
}

impl Keep {
    /// No rule: everything is kept.
    #[must_use]
    pub fn everything() -> Self {
        Self::default()
    }

    /// Keeps only the latest version of each handler in each scope: the highest that has an entry.
    #[must_use]
    pub fn latest_versions(mut self) -> Self {
        self.is_latest_version = true;
        self
    }

    /// Keeps only these scopes; said again, those as well.
    ///
    /// With no names at all, no scope is kept, and so no entry.
    #[must_use]
    pub fn scopes<T: Into<String>>(mut self, scopes: impl IntoIterator<Item = T>) -> Self {
        self.scopes.get_or_insert_default().extend(scopes.into_iter().map(Into::into));
        self
    }

    /// Keeps only what ended at most so long ago, on the clock of the machine.
    #[must_use]
    pub fn younger_than(mut self, age: Duration) -> Self {
        self.younger_than = Some(age);
        self
    }
}
