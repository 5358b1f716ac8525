//! Which groups' tasks the calling thread is in the midst of.

use std::cell::RefCell;

use crate::sync::atomic::{AtomicU64, Ordering};

/// How many tasks, each spawned by the one around it, one thread runs inside each other.
pub(super) const MAX_DEPTH: usize = 64;

crate::sync::thread_local! {
    // The groups whose tasks this thread runs, the innermost last.
    static INSIDE: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
}

crate::sync::process_static! {
    static LAST: AtomicU64 = AtomicU64::new(0);
}

/// A number for a group; no two have the same.
pub(super) fn new_id() -> u64 {
    LAST.fetch_add(1, Ordering::Relaxed)
}

/// How many tasks of that group, each inside the other, the calling thread is in.
pub(super) fn depth(group: u64) -> usize {
    let count = |inside: &RefCell<Vec<u64>>| inside.borrow().iter().filter(|id| **id == group).count();
    INSIDE.try_with(count).unwrap_or(0)
}

/// For as long as it lives, the calling thread runs tasks of a group.
pub(super) struct Inside;

impl Inside {
    pub(super) fn enter(group: u64) -> Self {
        let _ = INSIDE.try_with(|inside| inside.borrow_mut().push(group));
        Self
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        let _ = INSIDE.try_with(|inside| inside.borrow_mut().pop());
    }
}
