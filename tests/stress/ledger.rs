//! Counted items: each that is made is dropped, exactly once.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

#[derive(Clone, Debug, Default)]
pub(crate) struct Ledger(Arc<AtomicI64>);

/// An item on the heap.
#[derive(Debug)]
pub(crate) struct Item {
    pub(crate) number: u64,
    ledger: Ledger,
}

impl Ledger {
    pub(crate) fn item(&self, number: u64) -> Item {
        self.0.fetch_add(1, Ordering::SeqCst);
        Item { number, ledger: self.clone() }
    }

    /// How many exist.
    pub(crate) fn live(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }

    #[track_caller]
    pub(crate) fn is_closed(&self) {
        assert_eq!(self.live(), 0, "items are left over, or were dropped twice");
    }
}

impl Clone for Item {
    fn clone(&self) -> Self {
        self.ledger.item(self.number)
    }
}

impl Drop for Item {
    fn drop(&mut self) {
        self.ledger.0.fetch_sub(1, Ordering::SeqCst);
    }
}
