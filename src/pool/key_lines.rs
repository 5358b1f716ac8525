//! The lines of a pool's keys; `keyed` says how tasks go through them.

use super::keys::{KeyFailure, KeyTable};
use super::task::Queued;
use crate::sync::Mutex;
use crate::sync::thread::Thread;

/// The lines of a pool's keys, and the workers that wait for one inside a task.
pub(super) struct Keys<'env> {
    pub(super) table: Mutex<KeyTable<Queued<'env>>>,
    pub(super) helpers: Mutex<Vec<Thread>>,
}

impl Keys<'_> {
    pub(super) fn new(bound: usize, on_failure: KeyFailure) -> Self {
        Self { table: Mutex::new(KeyTable::new(bound, on_failure)), helpers: Mutex::new(Vec::new()) }
    }
}
