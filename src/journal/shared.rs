//! What the core, its orders and the committer share.
//!
//! Locks: `index` and `failure`, both leaves: nothing is called under them but what is plain data.

use std::path::{Path, PathBuf};

use super::error::{JournalError, JournalErrorKind};
use super::index::Index;
use super::marks::Marks;
use crate::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use crate::sync::{Mutex, MutexGuard};

/// See the module.
pub(super) struct Shared {
    path: PathBuf,
    index: Mutex<Index>,
    pub(super) marks: Marks,
    /// How many orders there are: tasks that may come to a record.
    at_work: AtomicUsize,
    /// Has a committer that waits for more look again, or not wait.
    press: Box<dyn Fn(bool) + Send + Sync>,
    has_failed: AtomicBool,
    failure: Mutex<Option<JournalError>>,
}

impl Shared {
    pub(super) fn new(
        path: PathBuf,
        index: Index,
        marks: Marks,
        press: Box<dyn Fn(bool) + Send + Sync>,
    ) -> Self {
        let (index, failure) = (Mutex::new(index), Mutex::new(None));
        Self {
            path,
            index,
            marks,
            at_work: AtomicUsize::new(0),
            press,
            has_failed: AtomicBool::new(false),
            failure,
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The identities of all keys, locked. Nothing may be called while it is.
    pub(super) fn index(&self) -> MutexGuard<'_, Index> {
        self.index.lock()
    }

    /// How many tasks may come to a record. Relaxed here and below: it is a reason to wait a little or not, and hands nothing over.
    pub(super) fn at_work(&self) -> usize {
        self.at_work.load(Ordering::Relaxed)
    }

    pub(super) fn begin_order(&self) {
        self.at_work.fetch_add(1, Ordering::Relaxed);
    }

    /// The end of an order: with `is_done` it was recorded. If not, the committer is not to wait for it.
    pub(super) fn end_order(&self, is_done: bool) {
        self.at_work.fetch_sub(1, Ordering::Relaxed);
        if !is_done {
            (self.press)(false);
        }
    }

    /// Somebody waits for what lies in the queue.
    pub(super) fn hurry(&self) {
        (self.press)(true);
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
