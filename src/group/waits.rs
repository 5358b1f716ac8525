//! Waiting in the group's queue: for room, and for the end of all tasks.
//!
//! The invariants are those of [`line`](super::line), the fourth above all.

use super::line::{Inbox, Line, NotIn, Outbox, is_empty};
use crate::sync::thread;

/// What somebody who waits for the group does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    Quiet,
    /// Runs a task; it is counted as active already.
    Help,
    /// Parks; it will be unparked.
    Park,
}

impl<J> Line<J> {
    /// What a spawner that found no room does. `helps`: it may run tasks.
    pub(super) fn wait_for_room(&self, helps: bool) -> Wait {
        let (mut outbox, mut inbox) = self.both();
        inbox.seen = outbox.ended;
        if self.admit(&inbox) != Err(NotIn::Full) {
            return Wait::Quiet;
        }
        if helps && self.takes_helper(&outbox, &mut inbox) {
            return Wait::Help;
        }
        // A wake-up per task costs more than the task: all spawners are woken when the queue is half empty.
        let roomy = self.limit.saturating_add(self.queue_bound / 2) as u64;
        let at = inbox.spawned.saturating_sub(roomy).max(outbox.ended + 1);
        watch(&mut outbox, &mut inbox, at, helps);
        Wait::Park
    }

    /// Whether a wait for room may have to be looked at in between, because it is woken late on purpose.
    pub(super) fn naps(&self) -> bool {
        self.queue_bound > 1
    }

    /// What somebody who waits for the end of all tasks does; closes the group if that has come.
    pub(super) fn wait_for_quiet(&self, helps: bool, parks: bool) -> Wait {
        let (mut outbox, mut inbox) = self.both();
        if outbox.ended == inbox.spawned {
            inbox.closed = true;
            return Wait::Quiet;
        }
        if helps && self.takes_helper(&outbox, &mut inbox) {
            return Wait::Help;
        }
        if parks {
            let at = inbox.spawned;
            watch(&mut outbox, &mut inbox, at, helps);
        }
        Wait::Park
    }

    fn takes_helper(&self, outbox: &Outbox<J>, inbox: &mut Inbox<J>) -> bool {
        let helps = inbox.active < self.limit && !is_empty(outbox, inbox);
        inbox.active += usize::from(helps);
        helps
    }

    /// The calling thread does not wait any more.
    pub(super) fn forget(&self) {
        let me = thread::current().id();
        let (mut outbox, mut inbox) = self.both();
        outbox.waiters.retain(|waiter| waiter.id() != me);
        inbox.helpers.retain(|helper| helper.id() != me);
    }
}

/// Has the calling thread unparked when `at` tasks have ended; a helper also when a task comes in.
fn watch<J>(outbox: &mut Outbox<J>, inbox: &mut Inbox<J>, at: u64, helps: bool) {
    let me = thread::current();
    outbox.wake_at = outbox.wake_at.min(at);
    if helps {
        inbox.helpers.retain(|helper| helper.id() != me.id());
        inbox.helpers.push(me.clone());
    }
    outbox.waiters.retain(|waiter| waiter.id() != me.id());
    outbox.waiters.push(me);
}
