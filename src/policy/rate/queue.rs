//! Those who wait for their turn at one schedule, in the order in which they came.
//!
//! # Invariants
//! 1. `permits` is the sum of the weights in `waiters`.
//! 2. Memory is one entry for each thread that waits, and the tree gives it back.

use std::collections::BTreeMap;

use crate::sync::thread::{self, Thread};
use crate::sync::time::{Duration, Instant};

#[derive(Debug, Default)]
pub(super) struct Queue {
    waiters: BTreeMap<u64, Waiter>,
    next_ticket: u64,
    permits: u64,
}

#[derive(Debug)]
struct Waiter {
    permits: u32,
    since: Instant,
    thread: Thread,
}

impl Queue {
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.waiters.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.waiters.len()
    }

    /// What all who wait want together.
    pub(super) fn permits(&self) -> u64 {
        self.permits
    }

    /// What those before this one want together.
    pub(super) fn permits_before(&self, ticket: u64) -> u64 {
        self.waiters.range(..ticket).map(|(_, waiter)| u64::from(waiter.permits)).sum()
    }

    /// Puts the calling thread at the end; it takes itself out with the ticket.
    pub(super) fn enter(&mut self, permits: u32, now: Instant) -> u64 {
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        self.permits += u64::from(permits);
        self.waiters.insert(ticket, Waiter { permits, since: now, thread: thread::current() });
        ticket
    }

    /// Takes a waiter out, and answers how long it was in.
    pub(super) fn leave(&mut self, ticket: u64, now: Instant) -> Duration {
        self.waiters.remove(&ticket).map_or(Duration::ZERO, |waiter| {
            self.permits -= u64::from(waiter.permits);
            now.saturating_duration_since(waiter.since)
        })
    }

    pub(super) fn is_first(&self, ticket: u64) -> bool {
        self.waiters.first_key_value().is_some_and(|(first, _)| *first == ticket)
    }

    pub(super) fn first(&self) -> Option<Thread> {
        self.waiters.first_key_value().map(|(_, waiter)| waiter.thread.clone())
    }

    pub(super) fn threads(&self) -> impl Iterator<Item = Thread> {
        self.waiters.values().map(|waiter| waiter.thread.clone())
    }
}
