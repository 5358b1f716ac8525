//! What the core, its orders and the committer share.
//!
//! Locks: `index` and `failure`, both leaves: nothing is called under them but what is plain data.

use std::path::{Path, PathBuf};

use super::error::{JournalError, JournalErrorKind};
use super::index::Index;
use super::marks::Marks;
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{Mutex, MutexGuard};

/// See the module.
pub(super) struct Shared {
    path: PathBuf,
    index: Mutex<Index>,
    pub(super) marks: Marks,
    has_failed: AtomicBool,
    failure: Mutex<Option<JournalError>>,
}

impl Shared {
    pub(super) fn new(path: PathBuf, index: Index, marks: Marks) -> Self {
        let (index, failure) = (Mutex::new(index), Mutex::new(None));
        Self { path, index, marks, has_failed: AtomicBool::new(false), failure }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The identities of all keys, locked. Nothing may be called while it is.
    pub(super) fn index(&self) -> MutexGuard<'_, Index> {
        self.index.lock()
    }

    /// Why nothing is written any more.
    pub(super) fn failure(&self) -> Option<JournalError> {
        if self.has_failed.load(Ordering::Acquire) { self.failure.lock().clone() } else { None }
    }

    /// From now on nothing is written; the first reason stays.
    pub(super) fn fail(&self, error: JournalError) {
        let mut failure = self.failure.lock();
        if failure.is_none() {
            *failure = Some(error);
            // Release pairs with the Acquire in `failure`: who sees it finds the reason.
            self.has_failed.store(true, Ordering::Release);
        }
    }

    /// That the journal is closed already.
    pub(super) fn closed(&self) -> JournalError {
        let cure = "keep the journal open until the last task has ended";
        JournalError::new(JournalErrorKind::Closed, &self.path, "is closed", cure)
    }
}
