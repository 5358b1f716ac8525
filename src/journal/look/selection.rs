//! Which entries are meant: filters that all have to hold.

use crate::sync::time::Duration;

/// Which entries of a journal are meant; every filter that is set has to hold.
///
/// A filter that is set again replaces what it was set to before.
///
/// ```
/// use std::time::Duration;
/// use gristmill::journal::Selection;
///
/// // What failed in one scope, more than a week ago.
/// let old = Selection::all().scope("render").failed().older_than(Duration::from_secs(7 * 24 * 3600));
/// assert_ne!(old, Selection::all());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    pub(super) scope: Option<String>,
    pub(super) handler: Option<String>,
    pub(super) version: Option<u32>,
    pub(super) is_older_version: bool,
    pub(super) key: Option<String>,
    pub(super) is_failed: bool,
    pub(super) older_than: Option<Duration>,
}

impl Selection {
    /// Every entry.
    #[must_use]
    pub fn all() -> Self {
        Self::default()
    }

    /// Only those of this scope.
    #[must_use]
    pub fn scope(mut self, scope: impl Into<String>) -> Self {
        self.scope = Some(scope.into());
        self
    }

    /// Only those of handlers of this name, in whatever scope.
    #[must_use]
    pub fn handler(mut self, handler: impl Into<String>) -> Self {
        self.handler = Some(handler.into());
        self
    }

    /// Only those of this version of their handler.
    #[must_use]
    pub fn version(mut self, version: u32) -> Self {
        self.version = Some(version);
        self
    }

    /// Only those of versions that are older than the latest of the same handler in the same scope.
    ///
    /// The latest is the highest that has an entry at the time of the call. A version that has none yet, because its first task has
    /// not ended, does not make the entries of the one before it old.
    #[must_use]
    pub fn older_versions(mut self) -> Self {
        self.is_older_version = true;
        self
    }

    /// Only the one with this key, of each handler and version that has one.
    #[must_use]
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Only those that ended in a failure: an error that was final, a panic, or a crash loop.
    #[must_use]
    pub fn failed(mut self) -> Self {
        self.is_failed = true;
        self
    }

    /// Only those that ended longer ago than this, on the clock of the machine.
    #[must_use]
    pub fn older_than(mut self, age: Duration) -> Self {
        self.older_than = Some(age);
        self
    }
}
