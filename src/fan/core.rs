//! What a router and its lanes share.
//!
//! Lock order: `table`, then what a channel locks inside. Nothing waits under it, and none of the user's code runs under it.

use super::id::LaneId;
use super::policy::Policy;
use super::table::Table;
use crate::sync::Mutex;
use crate::sync::atomic::AtomicU64;

pub(super) struct Core<T> {
    pub(super) policy: Policy<T>,
    pub(super) table: Mutex<Table<T>>,
    /// Sends that failed.
    pub(super) refused: AtomicU64,
}

impl<T> Core<T> {
    /// A lane's receiver is gone.
    pub(super) fn lane_dropped(&self, id: LaneId) {
        let gone = self.table.lock().die(id);
        drop(gone); // without the lock
    }
}
