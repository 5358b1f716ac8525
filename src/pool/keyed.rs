//! Tasks with keys: into their key's line, and out of it.
//!
//! # Invariants
//! 1. A task that waits for its key holds a place in the queue's bound (`reserved`), and gives it up when it is granted or taken out.
//! 2. A granted task leaves its line exactly once, after it has ended: whoever ran or ended it, and whoever finds it ended in the
//!    queue, tries; `KeySlot::left` decides.
//! 3. Nothing of the user runs under a lock here but `Eq` of keys, under the table's; what is dropped is dropped outside.
//!
//! Lock order: the table, then the queue, then a slot's `line`; `helpers` is a leaf.

use std::mem;
use std::sync::Arc;

use super::control::{Control, KeySlot};
use super::core::{Core, NotIn};
use super::error::{KeyFailed, Refusal};
use super::gate::Phase;
use super::keys::{Entered, Key, KeyTable, LineId};
use super::queue::Store;
use super::rated::{NotYet, keep};
use super::seat::Seat;
use super::task::{Entry, Queued, Run, cancel_cause, drop_quietly};
use crate::cancel::CancellationToken;
use crate::sync::atomic::Ordering;
use crate::sync::{MutexGuard, thread};
use crate::trace::TaskEnd;

fn slot_of(task: &(impl Run + ?Sized)) -> Option<&KeySlot> {
    task.control().and_then(Control::key)
}

/// Whether the task has ended, and as a failure: its worker may not have taken it out of its line yet.
fn has_failed(task: &Queued<'_>) -> bool {
    task.is_over() && slot_of(&**task).is_some_and(|slot| slot.failed.load(Ordering::Relaxed))
}

/// The hash of the task's key.
pub(super) fn key_hash(task: &(impl Run + ?Sized)) -> Option<u64> {
    slot_of(task).map(|slot| slot.key.hash())
}

impl<'env> Core<'env> {
    /// As `offer`, for a task with a key.
    #[cold]
    pub(super) fn offer_keyed(&self, task: Queued<'env>) -> Result<(), NotIn<'env>> {
        let Some(slot) = slot_of(&*task) else { return Err(NotIn::Full(task, Refusal::Full)) };
        let (mut table, found) = self.table_after_failures(&slot.key);
        if found.is_some_and(|line| table.is_full(line)) {
            drop(table);
            return Err(NotIn::Full(task, Refusal::KeyFull));
        }
        let mut store = self.queue.lock();
        if self.gate.phase() != Phase::Open {
            return Err(NotIn::Refused(Refusal::Closed));
        }
        if !self.queue.has_room(&mut store, 1) {
            return Err(NotIn::Full(Arc::clone(&task), Refusal::Full));
        }
        slot.queued_at.store(self.gate.stamp(), Ordering::Relaxed);
        let number = self.gate.counters.submit(1);
        slot.number.store(number, Ordering::Relaxed);
        let mut owner = None;
        match table.enter_line(found, &slot.key, Arc::clone(&task)) {
            Entered::Granted(line) => {
                *slot.line.lock() = Some(line);
                owner = self.requeue(&mut store, &task);
            }
            Entered::Parked(line) => {
                *slot.line.lock() = Some(line);
                store.reserved += 1;
            }
            Entered::Full(_) => unreachable!("asked for above, under the same lock"),
        }
        drop(store);
        drop(table);
        self.gate.bells.ring(owner);
        Ok(())
    }

    /// The table, and the line of a key, which a task that has failed is not in: who knows of the failure submits after it, and that must
    /// not be taken for the rest; and who asks after it finds the key held.
    fn table_after_failures(&self, key: &Key) -> (MutexGuard<'_, KeyTable<Queued<'env>>>, Option<LineId>) {
        self.table_without_failed(|table| {
            let found = table.find(key);
            (found, found.and_then(|line| table.current(line)).filter(has_failed))
        })
    }

    /// The table, and what `look` finds in it, once it finds no task that has failed and not left its line.
    fn table_without_failed<R>(
        &self,
        look: impl Fn(&KeyTable<Queued<'env>>) -> (R, Option<Queued<'env>>),
    ) -> (MutexGuard<'_, KeyTable<Queued<'env>>>, R) {
        loop {
            let table = self.keys.table.lock();
            let (found, ended) = look(&table);
            let Some(ended) = ended else { return (table, found) };
            drop(table);
            self.leave_key(&*ended);
            drop_quietly(ended);
            // Somebody else may be about to take it out.
            thread::yield_now();
        }
    }

    /// Counts a task whose key is idle, and makes it the one whose turn it is, without queueing it.
    pub(super) fn admit_keyed(&self, task: &Queued<'env>) -> Result<(), Refusal> {
        let Some(slot) = slot_of(&**task) else { return Ok(()) };
        let (mut table, found) = self.table_after_failures(&slot.key);
        if found.is_some() {
            return Err(Refusal::KeyBusy);
        }
        self.admit()?;
        if let Entered::Granted(line) = table.enter_line(None, &slot.key, Arc::clone(task)) {
            *slot.line.lock() = Some(line);
            slot.grant();
        }
        Ok(())
    }

    /// Lets the next task of the key go on, if `task` has a key, had its turn, and is over.
    pub(super) fn leave_key(&self, task: &(impl Run + ?Sized)) {
        let Some(slot) = slot_of(task) else { return };
        let turn = slot.is_granted() && task.is_over();
        if !turn || slot.left.swap(true, Ordering::AcqRel) {
            return;
        }
        let Some(line) = *slot.line.lock() else { return };
        let mut table = self.keys.table.lock();
        let left = table.leave(line, slot.failed.load(Ordering::Relaxed));
        let mut store = self.queue.lock();
        store.reserved -= left.dropped.len();
        let mut owner = None;
        if let Some(next) = &left.next {
            store.reserved -= 1;
            owner = self.requeue(&mut store, next);
        }
        drop(store);
        drop(table);
        self.gate.bells.ring(owner);
        self.gate.space.offer_all();
        self.rouse_helpers();
        self.drop_rest(left.dropped);
        drop_quietly((left.next, left.ended));
        if left.is_held && self.gate.phase() != Phase::Open {
            self.hand_back_held();
        }
    }

    /// Puts a task whose turn has come into the queue, where it has a place already; the worker that it belongs to, if it does.
    fn requeue(&self, store: &mut Store<Entry<'env>>, task: &Queued<'env>) -> Option<usize> {
        let control = task.control()?;
        let slot = control.key()?;
        slot.grant();
        let number = slot.number.load(Ordering::Relaxed);
        let hash = || Some(slot.key.hash());
        let entry = Entry { task: Arc::clone(task), queued_at: slot.queued_at.load(Ordering::Relaxed) };
        self.queue.push(store, Some(control.place()), hash, number, entry)
    }

    /// Has the calling thread unparked by the next change of a line; once, however often it asks before that.
    fn register_helper(&self) {
        let me = thread::current();
        let mut helpers = self.keys.helpers.lock();
        if helpers.iter().all(|helper| helper.id() != me.id()) {
            helpers.push(me);
        }
    }

    fn rouse_helpers(&self) {
        for helper in mem::take(&mut *self.keys.helpers.lock()) {
            helper.unpark();
        }
    }

    /// Ends tasks that another one of their key has spoilt.
    fn drop_rest(&self, dropped: Vec<Queued<'env>>) {
        if dropped.is_empty() {
            return;
        }
        let token = CancellationToken::new();
        token.cancel_with(KeyFailed);
        for task in dropped {
            if let Some(cause) = token.cause() {
                task.cancel(&self.gate, None, cause);
            }
            drop_quietly(task);
        }
        self.gate.settle();
    }

    /// Everything that waits for its key, with its number. A key that is held stays so.
    pub(super) fn take_parked(&self) -> Vec<(u64, Queued<'env>)> {
        let mut table = self.keys.table.lock();
        let parked = table.drain();
        self.queue.lock().reserved -= parked.len();
        drop(table);
        let number =
            |task: &Queued<'env>| slot_of(&**task).map_or(0, |slot| slot.number.load(Ordering::Relaxed));
        parked.into_iter().map(|task| (number(&task), task)).collect()
    }

    /// Hands back what waits for keys that are held: in a closed pool nobody lets them go on.
    pub(super) fn hand_back_held(&self) {
        let mut table = self.keys.table.lock();
        let held = table.drain_held();
        self.queue.lock().reserved -= held.entries.len();
        drop(table);
        for task in held.entries {
            self.hand_back(task, None);
        }
        held.ended.into_iter().for_each(drop_quietly); // each by itself: several may panic
        self.gate.settle();
    }

    /// The keys that are held after a failure.
    pub(super) fn held_keys(&self) -> Vec<Key> {
        let failed =
            |table: &KeyTable<Queued<'env>>| ((), table.granted().find(|task| has_failed(task)).cloned());
        self.table_without_failed(failed).0.held()
    }

    /// Lets a held key go on; whether it was held.
    pub(super) fn release_key(&self, key: &Key) -> bool {
        let (mut table, _) = self.table_after_failures(key);
        let Some(released) = table.release(key) else { return false };
        let mut owner = None;
        if let Some((_, next)) = &released.next {
            let mut store = self.queue.lock();
            store.reserved -= 1;
            owner = self.requeue(&mut store, next);
        }
        drop(table);
        self.gate.bells.ring(owner);
        self.rouse_helpers();
        drop_quietly(released);
        true
    }

    /// Takes what waits for a held key, which is idle then.
    pub(super) fn take_key(&self, key: &Key) -> Vec<Queued<'env>> {
        let (mut table, _) = self.table_after_failures(key);
        let taken = table.take(key);
        self.queue.lock().reserved -= taken.entries.len();
        drop(table);
        let mut returned = Vec::new();
        for task in taken.entries {
            if let Some(span) = task.hand_back(&self.gate, None) {
                span.end(TaskEnd::Returned);
                returned.push(Arc::clone(&task));
            }
            drop_quietly(task);
        }
        drop_quietly(taken.ended);
        self.gate.space.offer_all();
        self.gate.settle();
        returned
    }

    /// A worker waits, inside a task, for a task with a key: runs what is ahead of it, if that has not started. False if there
    /// is nothing that it could run now; it is unparked when that changes.
    ///
    /// # Errors
    /// What is ahead may not start here yet, by its rate or for a permit: nobody else may be there to ask again.
    ///
    /// # Panics
    /// If what is ahead runs on this very thread, below: it would wait for itself.
    pub(super) fn help(&self, slot: &KeySlot, seat: &Seat) -> Result<bool, NotYet> {
        self.register_helper();
        let line = *slot.line.lock(); // let go of before the table's lock, which comes first
        let ahead = line.and_then(|line| self.keys.table.lock().current(line));
        let Some(ahead) = ahead else { return Ok(false) };
        if ahead.would_wait_for_itself() {
            return Err(NotYet::Permit);
        }
        // What is cancelled, runs or is over starts nothing, and needs no permit; it may have to leave its key.
        let starts =
            |ahead: &Queued<'env>| ahead.is_queued() && cancel_cause(ahead.control(), &self.gate).is_none();
        if self.is_rated(ahead.control()) && starts(&ahead) {
            let permits = self.reserve(&*ahead)?;
            if ahead.is_queued() {
                keep(permits);
            }
        }
        if self.run_here(&*ahead, Some(seat)) {
            return Ok(true);
        }
        assert!(
            slot.is_granted() || !ahead.runs_on(seat.worker()),
            "a task waits for a task of its own key, which cannot start before it has ended"
        );
        Ok(false)
    }
}
