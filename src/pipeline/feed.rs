//! Chunks that lie ready in front of a segment: what the stage before has let through, and what a worker gave back.
//!
//! Ordered by place, so that what is taken is always what the order waits for most. `Run::queued` counts the entries of all
//! feeds, for those who look for work without a lock.
//!
//! Lock order: `entries` is a leaf; no user code runs under it.

use std::collections::VecDeque;
use std::vec;

use crate::panics;
use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::time::{Duration, Instant};
use crate::sync::{Mutex, Padded};

use super::board::Gauge;
use super::chunk::{Chunk, Origin};
use super::credit::Credit;
use super::error::Failure;
use super::run::Run;

/// A chunk from whose front pieces are taken; an iterator, because cutting a vector again and again would copy its tail each time.
struct Entry<T, E> {
    first: usize,
    items: vec::IntoIter<T>,
    origin: Origin,
    /// How many items were taken so far: where `items` stands in `origin`.
    taken: usize,
    credit: Credit,
    failure: Option<Box<Failure<E>>>,
    since: Instant,
    read: Instant,
}

/// The queue in front of a segment.
#[allow(missing_debug_implementations)] // part of a running pipeline, which nobody can name
pub struct Feed<T, E> {
    entries: Padded<Mutex<VecDeque<Entry<T, E>>>>,
    count: AtomicUsize,
    pub(super) queued: Gauge,
}

impl<T, E> Feed<T, E> {
    pub(super) fn new() -> Self {
        Self {
            entries: Padded(Mutex::new(VecDeque::new())),
            count: AtomicUsize::new(0),
            queued: Gauge::default(),
        }
    }

    /// Adds a chunk at its place, and wakes a worker for it.
    pub(super) fn put(&self, run: &Run<E>, chunk: Chunk<T, E>) {
        let Chunk { first, items, origin, credit, failure, since, read, .. } = chunk;
        let entry = Entry { first, items: items.into_iter(), origin, taken: 0, credit, failure, since, read };
        self.queued.add(entry.items.len());
        let mut entries = self.entries.lock();
        let place = entries.partition_point(|other| other.first <= first);
        entries.insert(place, entry);
        self.count.store(entries.len(), Ordering::SeqCst);
        run.queued.fetch_add(1, Ordering::SeqCst);
        drop(entries);
        run.wake_one();
    }

    /// What a stage does with credit that comes without items: releases it, unless `is_cut` says that what went on before is, or may be, a piece of the same.
    /// Where items are expanded within a bound that may be a piece of the same in any case: with an item's last results come the first of the next.
    pub(super) fn put_credit(
        &self,
        run: &Run<E>,
        (next, is_cut): (&mut usize, &mut bool),
        credit: Credit,
        (since, read): (Instant, Instant),
    ) {
        if credit.is_none() || !*is_cut && run.expansions.is_empty() {
            run.release(credit);
            return;
        }
        *is_cut = credit.items == 0;
        self.put(run, Chunk::credit_only(*next, credit, since, read));
        *next += 1;
    }

    /// Takes everything, once all workers have ended: runs of items, each with the index of its first.
    pub(super) fn take_all(&self) -> Vec<(u64, Vec<T>)> {
        let entries = std::mem::take(&mut *self.entries.lock());
        let runs = entries.into_iter().map(|entry| {
            panics::drop_quietly(entry.failure);
            (entry.origin.index(entry.taken), entry.items.collect())
        });
        runs.collect()
    }

    /// Takes up to `want` items from the front.
    ///
    /// Where every item stands for one source item their credit goes with them; otherwise all of it goes with the last piece, so
    /// that the window does not count too few while the others are on their way.
    #[inline]
    pub(super) fn take(&self, run: &Run<E>, want: usize) -> Option<Chunk<T, E>> {
        if self.count.load(Ordering::Acquire) == 0 { None } else { self.take_piece(run, want) }
    }

    fn take_piece(&self, run: &Run<E>, want: usize) -> Option<Chunk<T, E>> {
        let mut entries = self.entries.lock();
        let entry = entries.front_mut()?;
        let left = entry.items.len();
        let span = left.min(want);
        let whole = span == left;
        let credit = match (whole, entry.origin.is_dense() && entry.credit.is_plain()) {
            (true, _) => entry.credit,
            (false, true) => Credit::of(span),
            (false, false) => {
                run.note_piece();
                Credit::NONE
            }
        };
        let credit_only = left == 0 && entry.failure.is_none();
        let chunk = Chunk {
            first: entry.first,
            span: if credit_only { 1 } else { span },
            items: entry.items.by_ref().take(span).collect(),
            origin: entry.origin.range(entry.taken, span),
            credit,
            failure: if whole { entry.failure.take() } else { None },
            spent: Duration::ZERO,
            since: entry.since,
            read: entry.read,
        };
        self.queued.sub(span);
        entry.first += span;
        entry.taken += span;
        entry.credit = entry.credit.minus(credit);
        if whole {
            entries.pop_front();
            self.count.store(entries.len(), Ordering::SeqCst);
            run.queued.fetch_sub(1, Ordering::SeqCst);
        }
        Some(chunk)
    }
}
