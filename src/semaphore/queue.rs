//! Those who wait, in the order in which they came.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::waiter::{Answer, Waiter};
use crate::sync::thread::Thread;

/// A tree: one who leaves from the middle costs a logarithm, and memory is one entry for each who waits, whoever left before.
#[derive(Debug)]
pub(super) struct Queue {
    waiters: BTreeMap<u64, Arc<Waiter>>,
    next_ticket: u64,
}

/// Threads to unpark once the lock is released; the first one, which mostly is the only one, without an allocation.
#[derive(Debug, Default)]
#[must_use]
pub(super) struct Woken {
    first: Option<Thread>,
    others: Vec<Thread>,
}

impl Queue {
    pub(super) const fn new() -> Self {
        Self { waiters: BTreeMap::new(), next_ticket: 0 }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiters.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.waiters.len()
    }

    /// Puts it at the end; its ticket takes it out again.
    pub(super) fn push(&mut self, waiter: Arc<Waiter>) -> u64 {
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        self.waiters.insert(ticket, waiter);
        ticket
    }

    pub(super) fn first(&self) -> Option<&Waiter> {
        self.waiters.first_key_value().map(|(_, waiter)| &**waiter)
    }

    pub(super) fn answer_first(&mut self, answer: Answer, woken: &mut Woken) {
        if let Some((_, waiter)) = self.waiters.pop_first() {
            woken.add(waiter.answer(answer));
        }
    }

    /// Takes out all who ask for more than that; they are to be answered under the same lock.
    pub(super) fn take_out_above(&mut self, permits: u64) -> Vec<Arc<Waiter>> {
        let mut out = Vec::new();
        self.waiters.retain(|_, waiter| {
            let stays = waiter.permits <= permits;
            if !stays {
                out.push(Arc::clone(waiter));
            }
            stays
        });
        out
    }

    pub(super) fn remove(&mut self, ticket: u64) {
        self.waiters.remove(&ticket);
    }
}

impl Woken {
    /// Answers those who were taken out.
    pub(super) fn answer(&mut self, out: &[Arc<Waiter>], answer: Answer) {
        for waiter in out {
            self.add(waiter.answer(answer));
        }
    }

    fn add(&mut self, thread: Option<Thread>) {
        if self.first.is_none() {
            self.first = thread;
        } else {
            self.others.extend(thread);
        }
    }

    pub(super) fn unpark(self) {
        self.first.iter().chain(&self.others).for_each(Thread::unpark);
    }
}
