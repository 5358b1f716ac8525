//! The protocol: one word for those who need not wait, and a queue under a lock for those who must.
//!
//! # Invariants
//! 1. The word says `queued` while the queue is not empty. It changes under the lock only, and while it is set no fast path takes:
//!    nobody passes one who queues.
//! 2. The permits in the word are the capacity less what is held, less than none if the capacity was lowered below that.
//!    Capacity and word change together, under the lock.
//! 3. No lost permit. One who queues sets the mark in the step in which it sees that the permits do not suffice; one who gives back
//!    adds them, and sees in the same step whether the mark is set. They are changes of one word, so one of the two sees the
//!    other; and whoever sees the mark takes the lock and hands out (`grant`).
//! 4. Permits are granted under the lock, to the first of the queue, for as long as they suffice for it. Whatever can make the
//!    first a fitting one (permits given back, a larger capacity, the first leaving) is followed by `grant`.
//! 5. An entry leaves the queue in one of two ways, under the lock: with an answer, or by its own thread, which then knows that it was
//!    given nothing.
//! 6. The mark means that somebody waits: it is set only by one for whom the permits do not suffice, and it is gone before the last of
//!    those who queued knows how its wait has ended. So a call that does not wait never fails for one who comes and finds permits, nor
//!    for one who has gone.
//!
//! Lock order: `queue` is a leaf. Threads are unparked, and tokens asked, with it released: a token may run callbacks of the
//! user's when it is asked.

use std::sync::Arc;

use super::error::AcquireError;
use super::pace::Pace;
use super::queue::{Queue, Woken};
use super::waiter::{Answer, Waiter};
use super::word::{MOST, Reading, Word};
use crate::cancel::CancellationToken;
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::time::{self, Duration, Instant};
use crate::sync::{Mutex, MutexGuard, Padded, const_where_it_ships, thread};

#[derive(Debug)]
pub(super) struct Core {
    word: Padded<Word>,
    /// Written under the lock, with the word; read without it by those who are refused.
    capacity: AtomicU64,
    pace: Pace,
    queue: Mutex<Queue>,
}

/// When a wait ends in any case.
struct Limit<'a> {
    at: Option<Instant>,
    token: Option<&'a CancellationToken>,
}

impl Core {
    const_where_it_ships! {
        pub(super) fn new(capacity: u64, pace: Pace) -> Self {
            let capacity = if capacity > MOST { MOST } else { capacity };
            Self {
                word: Padded(Word::new(capacity)),
                capacity: AtomicU64::new(capacity),
                pace,
                queue: Mutex::new(Queue::new()),
            }
        }
    }

    pub(super) fn capacity(&self) -> u64 {
        self.capacity.load(Ordering::Relaxed)
    }

    pub(super) fn read(&self) -> Reading {
        self.word.read()
    }

    /// The word, the capacity that belongs to it, and how many wait.
    pub(super) fn read_all(&self) -> (Reading, u64, usize) {
        let queue = self.queue.lock();
        (self.word.read(), self.capacity(), queue.len())
    }

    /// Takes permits if nothing is in the way.
    #[inline]
    pub(super) fn take(&self, permits: u64) -> bool {
        self.word.take(permits)
    }

    #[inline]
    pub(super) fn give(&self, permits: u64) {
        if self.word.give(permits) {
            self.hand_out();
        }
    }

    #[cold]
    fn hand_out(&self) {
        let mut queue = self.queue.lock();
        let woken = self.grant(&mut queue);
        drop(queue);
        woken.unpark();
    }

    /// Grants what can be granted; returns those who have to be woken once the lock is released.
    fn grant(&self, queue: &mut Queue) -> Woken {
        if queue.is_empty() {
            self.word.open(); // the last has left without permits
        }
        let mut woken = Woken::default();
        while let Some(first) = queue.first() {
            if !self.word.take_queued(first.permits, queue.len() == 1) {
                break;
            }
            queue.answer_first(Answer::Granted, &mut woken);
        }
        woken
    }

    /// Grants what can be granted after those were taken out of the queue, and tells them why they were.
    fn refuse(&self, mut queue: MutexGuard<'_, Queue>, taken_out: &[Arc<Waiter>], answer: Answer) {
        let mut woken = self.grant(&mut queue);
        woken.answer(taken_out, answer); // the mark comes first: invariant 6
        drop(queue);
        woken.unpark();
    }

    /// An error if the request can never be granted as things are.
    fn check(&self, permits: u64) -> Result<(), AcquireError> {
        if self.word.read().is_closed() {
            return Err(AcquireError::Closed);
        }
        let capacity = self.capacity();
        if permits > capacity { Err(AcquireError::exceeds(permits, capacity)) } else { Ok(()) }
    }

    /// Why a fast path did not take.
    #[cold]
    pub(super) fn refusal(&self, permits: u64) -> Result<(), AcquireError> {
        if permits == 0 && !self.word.read().is_closed() {
            return Ok(());
        }
        self.check(permits)?;
        Err(AcquireError::NotNow)
    }

    /// Takes permits after the fast path has refused; waits for them.
    #[cold]
    pub(super) fn wait(
        &self,
        permits: u64,
        timeout: Option<Duration>,
        token: Option<&CancellationToken>,
    ) -> Result<(), AcquireError> {
        self.check(permits)?;
        if permits == 0 {
            return Ok(());
        }
        if timeout.is_some_and(|timeout| timeout.is_zero()) {
            return Err(AcquireError::TimedOut);
        }
        let limit = Limit { at: timeout.and_then(|timeout| time::now().checked_add(timeout)), token };
        if self.pace.ask_again(|| self.word.take(permits)) {
            return Ok(());
        }
        match self.enter(permits)? {
            Some((ticket, waiter)) => self.wait_queued(ticket, &waiter, &limit),
            None => Ok(()),
        }
    }

    /// Takes permits, or queues for them.
    fn enter(&self, permits: u64) -> Result<Option<(u64, Arc<Waiter>)>, AcquireError> {
        let waiter = Waiter::new(permits);
        let mut queue = self.queue.lock();
        self.check(permits)?;
        if queue.is_empty() && self.word.take_or_shut(permits) {
            return Ok(None);
        }
        let ticket = queue.push(Arc::clone(&waiter));
        Ok(Some((ticket, waiter)))
    }

    fn wait_queued(&self, ticket: u64, waiter: &Waiter, limit: &Limit<'_>) -> Result<(), AcquireError> {
        if let Some(answer) = self.pace.watch(|| waiter.answered()) {
            return ended(answer, waiter);
        }
        let _registration = limit.token.map(|token| {
            let me = waiter.thread().clone();
            token.wake_on_cancel(move || me.unpark())
        });
        waiter.parks();
        loop {
            if let Some(answer) = waiter.answered() {
                return ended(answer, waiter);
            }
            let now = limit.now();
            if let Some(end) = limit.passed(now) {
                return self.leave(ticket, waiter, end);
            }
            match limit.wake_in(now) {
                Some(time) => thread::park_timeout(time),
                None => thread::park(),
            }
        }
    }

    /// Steps out of the queue, unless an answer was there first.
    fn leave(&self, ticket: u64, waiter: &Waiter, end: AcquireError) -> Result<(), AcquireError> {
        let mut queue = self.queue.lock();
        if let Some(answer) = waiter.answered() {
            drop(queue);
            return ended(answer, waiter);
        }
        queue.remove(ticket);
        let woken = self.grant(&mut queue); // those behind may fit where this one did not
        drop(queue);
        woken.unpark();
        Err(end)
    }

    /// Changes the capacity to what `change` makes of it.
    pub(super) fn change_capacity(&self, change: impl FnOnce(u64) -> u64) {
        let queue = self.queue.lock();
        let to = change(self.capacity()).min(MOST);
        self.resize(queue, to, 0);
    }

    /// Ends the existence of permits that are held: the capacity is as much smaller.
    pub(super) fn forget(&self, permits: u64) {
        let queue = self.queue.lock();
        let to = self.capacity().saturating_sub(permits);
        self.resize(queue, to, permits);
    }

    /// Sets the capacity while so many permits cease to be held, and answers those who ask for more than that.
    fn resize(&self, mut queue: MutexGuard<'_, Queue>, to: u64, returned: u64) {
        let from = self.capacity();
        self.capacity.store(to, Ordering::Relaxed);
        self.word.adjust(to + returned, from);
        let refused = if to < from { queue.take_out_above(to) } else { Vec::new() };
        self.refuse(queue, &refused, Answer::Exceeds(to));
    }

    /// Refuses everybody from now on; true if this call did it.
    pub(super) fn close(&self) -> bool {
        let mut queue = self.queue.lock();
        let closes = self.word.close();
        let refused = queue.take_out_above(0);
        self.refuse(queue, &refused, Answer::Closed);
        closes
    }
}

fn ended(answer: Answer, waiter: &Waiter) -> Result<(), AcquireError> {
    match answer {
        Answer::Granted => Ok(()),
        Answer::Closed => Err(AcquireError::Closed),
        Answer::Exceeds(capacity) => Err(AcquireError::exceeds(waiter.permits, capacity)),
    }
}

impl Limit<'_> {
    /// The clock, if there is something to compare it with.
    fn now(&self) -> Option<Instant> {
        let token_has = self.token.is_some_and(|token| token.deadline().is_some());
        (self.at.is_some() || token_has).then(time::now)
    }

    fn passed(&self, now: Option<Instant>) -> Option<AcquireError> {
        if let Some(cause) = self.token.and_then(CancellationToken::cause) {
            return Some(AcquireError::Cancelled(cause));
        }
        let is_over = self.at.zip(now).is_some_and(|(at, now)| at <= now);
        is_over.then_some(AcquireError::TimedOut)
    }

    /// When to look again if nobody unparks. The token's deadline is one such instant, in case that no thread could be had to watch
    /// it; once it has passed, whoever watches it is about to unpark.
    fn wake_in(&self, now: Option<Instant>) -> Option<Duration> {
        let now = now?;
        let deadline = self.token.and_then(CancellationToken::deadline).filter(|at| *at > now);
        let at = [self.at, deadline].into_iter().flatten().min()?;
        Some(at.saturating_duration_since(now))
    }
}
