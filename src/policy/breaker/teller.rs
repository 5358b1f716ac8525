//! Who tells the changes, and what becomes of those that come too fast.
//!
//! # Invariants
//! 1. Changes are told in the order in which they were queued, by one thread at a time: the one that set `is_telling`, or the one that it gave its change to. It has one in hand.
//! 2. `is_telling` ends under the lock under which the queue was seen to be empty. Whoever queues a change calls `tell` afterwards. So no change is left
//!    untold when nobody tells.
//! 3. No caller tells more than so many: the rest goes to a thread of its own, whose calls hold nobody up. Waiting for a caller to take over would hang a callback that waits
//!    for that caller.
//!
//! Lock order: `untold` is a leaf. Nothing is called under it.

use std::collections::VecDeque;
use std::sync::Arc;

use super::change::{BreakerChange, OnChange};
use crate::sync::{Mutex, thread};

/// What one caller tells at most.
const TOLD_BY_CALLER: usize = 8;

/// Changes that wait; when one more comes, the oldest is omitted.
const MOST_UNTOLD: usize = 256;

#[derive(Debug)]
pub(super) struct Teller {
    on_change: OnChange,
    untold: Mutex<Untold>,
}

#[derive(Debug, Default)]
struct Untold {
    changes: VecDeque<BreakerChange>,
    is_telling: bool,
    omitted: u64,
}

impl Teller {
    pub(super) fn new(on_change: OnChange) -> Arc<Self> {
        Arc::new(Self { on_change, untold: Mutex::new(Untold::default()) })
    }

    /// Puts a change behind those before it; called under the lock under which it was made.
    pub(super) fn queue(&self, change: BreakerChange) {
        let mut untold = self.untold.lock();
        if untold.changes.len() == MOST_UNTOLD {
            untold.changes.pop_front();
            untold.omitted += 1;
        }
        untold.changes.push_back(change);
    }

    /// Sees to it that all that is queued is told; called with no lock held.
    pub(super) fn tell(self: &Arc<Self>) {
        let mut next = {
            let mut untold = self.untold.lock();
            if untold.is_telling {
                return;
            }
            untold.take()
        };
        for _ in 0..TOLD_BY_CALLER {
            let Some(change) = next else { return };
            next = self.tell_one(&change);
        }
        let Some(change) = next else { return };
        let there = Arc::clone(self);
        let builder = thread::Builder::new().name("grist-on-change".to_owned());
        if builder.spawn(move || there.tell_from(change)).is_err() {
            self.tell_from(change);
        }
    }

    fn tell_from(&self, change: BreakerChange) {
        let mut next = Some(change);
        while let Some(change) = next {
            next = self.tell_one(&change);
        }
    }

    /// Tells one, and takes the next.
    fn tell_one(&self, change: &BreakerChange) -> Option<BreakerChange> {
        self.on_change.call(change);
        self.untold.lock().take()
    }

    /// How many are still to be told, and how many were omitted.
    pub(super) fn counts(&self) -> (usize, u64) {
        let untold = self.untold.lock();
        (untold.changes.len() + usize::from(untold.is_telling), untold.omitted)
    }
}

impl Untold {
    /// The oldest one, in the hands of the thread that tells from now on; or nobody does.
    fn take(&mut self) -> Option<BreakerChange> {
        let change = self.changes.pop_front();
        self.is_telling = change.is_some();
        change
    }
}
