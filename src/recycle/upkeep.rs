//! Dropping idle objects: those that are too old, all of them, for good.

use super::expiry::Expiry;
use super::store::{Reason, Store};

impl<T> Store<T> {
    /// Drops what is idle for too long, if it is time to look for it.
    #[inline]
    pub(super) fn sweep_if_due(&self, now: u64) {
        let Some(expiry) = &self.expiry else { return };
        if expiry.sweep_is_due(now) {
            self.evict_older(expiry, now);
        }
    }

    pub(super) fn evict_expired(&self) -> usize {
        self.expiry.as_ref().map_or(0, |expiry| self.evict_older(expiry, expiry.now()))
    }

    fn evict_older(&self, expiry: &Expiry, now: u64) -> usize {
        self.evict(|since| expiry.is_over(since, now), |discarded| &mut discarded.expired)
    }

    pub(super) fn clear(&self) -> usize {
        self.evict(|_| true, |discarded| &mut discarded.cleared)
    }

    /// Drops the idle objects that are to go; how many it were.
    fn evict(&self, goes: impl Fn(u64) -> bool, reason: Reason) -> usize {
        let mut dropped = 0;
        self.caches.take_out(
            |lease| goes(lease.since()),
            |lease| {
                drop(self.discard(lease, reason));
                dropped += 1;
            },
        );
        while self.evict_listed(&goes, reason) {
            dropped += 1;
        }
        dropped
    }

    /// Drops the object that is on the list for the longest, if it is to go.
    fn evict_listed(&self, goes: impl Fn(u64) -> bool, reason: Reason) -> bool {
        let has_one = self.list.lock().oldest().is_some_and(&goes);
        if !has_one {
            return false; // without a permit, not even for a moment, in which another one would miss it
        }
        // One that is dropped has a place, as one in use. If there is no permit, those who have them are about to take what is on the list.
        let Ok(permit) = self.places.try_acquire_owned(1) else { return false };
        let oldest = self.list.lock().take_oldest(&goes);
        let is_found = oldest.is_some();
        if let Some(idle) = oldest {
            self.bury(idle.into_object(), reason);
        }
        drop(permit);
        is_found
    }

    /// Gives nothing out any more and drops what is idle; true if this call did it.
    pub(super) fn close(&self) -> bool {
        self.caches.close();
        let mut cached = Vec::new();
        self.caches.take_out(|_| true, |lease| cached.push(lease));
        let listed = self.list.lock().close();
        let closes = self.places.close(); // last: who was refused once is not given what another thread's cache still had
        for lease in cached {
            drop(self.discard(lease, |discarded| &mut discarded.cleared));
        }
        // Without permits, which a closed semaphore does not give: nothing is made any more that could be one too many beside them.
        for idle in listed {
            self.bury(idle.into_object(), |discarded| &mut discarded.cleared);
        }
        closes
    }
}
