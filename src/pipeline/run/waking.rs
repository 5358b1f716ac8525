//! Who is woken for what: invariants 3, 4, 6 and 7 of a [run](super).

use super::super::expansion::Expansion;
use super::Run;
use crate::sync::atomic::{Ordering, fence};
use crate::sync::channel::Receiver;

impl<E> Run<E> {
    pub(in super::super) fn wake_one(&self) {
        if !self.sleepers.wake_one() && self.owner.idle() > 0 {
            self.owner.wake_one();
        }
    }

    /// Has a worker look for what is there, also if the only one without work waits in the source: called by whoever will not look for it himself for a while,
    /// once it is there.
    pub(in super::super) fn call_one(&self) {
        self.wake_one();
        // After the fence of that: invariant 7. Whoever searches finds it, and offers what is left.
        if self.in_source.load(Ordering::SeqCst)
            && !self.sleepers.is_searched()
            && self.in_source.swap(false, Ordering::SeqCst)
        {
            self.nudges.send();
        }
    }

    /// As [`offer_work`](Self::offer_work), by whoever goes into a call that may take longer than a worker needs to leave the source.
    #[cold]
    pub(in super::super) fn call_for_work(&self) {
        if self.has_work() {
            self.call_one();
        }
    }

    /// Whether the worker that waits in the source has been nudged.
    pub(in super::super) fn is_called(&self) -> bool {
        !self.in_source.load(Ordering::SeqCst)
    }

    /// What interrupts a wait in the source.
    pub(in super::super) fn nudges(&self) -> Option<Receiver<()>> {
        self.nudges.receiver()
    }

    /// A worker is about to wait in the source for the next item; false if there is something else to do by now.
    pub(in super::super) fn enter_source(&self, is_behind: impl FnOnce() -> bool) -> bool {
        self.in_source.store(true, Ordering::SeqCst);
        // Pairs with the one in `wake_one`: invariant 7.
        fence(Ordering::SeqCst);
        // Who is behind has not heard all nudges: another one may have, and be in a call now.
        let nothing = !self.has_items() && !is_behind();
        if !nothing {
            self.leave_source();
        }
        nothing
    }

    pub(in super::super) fn leave_source(&self) {
        self.in_source.store(false, Ordering::SeqCst);
    }

    pub(super) fn wake_all(&self) {
        self.sleepers.wake_all();
        self.owner.wake_all();
        for crew in &self.crews {
            crew.bell.wake_all();
        }
    }

    /// Something waits for its time from now on, and somebody has to see to it; or a thread that is no worker has made room in the window, or ended what was
    /// waited for further down (invariant 6). A worker looks at it.
    pub(in super::super) fn stir(&self) {
        self.stirs.fetch_add(1, Ordering::SeqCst);
        self.call_one();
    }

    /// Wakes a worker if there is work: called with work in hand, by whoever will not look for more for a while.
    #[inline]
    pub(in super::super) fn offer_work(&self) {
        if self.has_work() {
            self.wake_one();
        }
    }

    pub(super) fn wake_if_finished(&self) {
        if self.finished() {
            self.wake_all();
        }
    }

    /// Whether a worker that looks now would find something to do (invariant 4).
    pub(in super::super) fn has_work(&self) -> bool {
        self.has_items() || self.may_read()
    }

    /// The same for the owner of a thread-bound sink: whoever freed a source that may wait looks at it again itself.
    pub(in super::super) fn has_work_for_owner(&self) -> bool {
        self.has_items() || self.may_read() && self.owner_may_wait()
    }

    /// Whether the owner of a thread-bound sink may wait for the source.
    pub(in super::super) fn owner_may_wait(&self) -> bool {
        !self.source_waits.load(Ordering::Relaxed) || self.alone.load(Ordering::Relaxed)
    }

    fn has_items(&self) -> bool {
        self.queued.load(Ordering::SeqCst) > 0
            || !self.source_ended() && self.opened.load(Ordering::SeqCst)
            || self.expansions.iter().any(Expansion::may_expand)
    }

    fn may_read(&self) -> bool {
        !self.source_ended()
            && !self.reading.load(Ordering::SeqCst)
            && self.room() >= self.read_chunk.load(Ordering::SeqCst)
    }
}
