//! Where items that have ended leave their stage: in order if that is asked for, and in chunks of what is complete.
//!
//! Lock order: `ring` is a leaf; no user code runs under it.

use std::sync::Arc;

use super::super::chunk::{Chunk, Origin};
use super::super::credit::Credit;
use super::super::error::{Failure, What};
use super::super::feed::Feed;
use super::super::run::Run;
use super::counts::Counts;
use super::ring::{End, Ended, Ring};
use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::time::{self, Duration, Instant};
use crate::sync::{Mutex, Padded};

/// See the module.
#[allow(missing_debug_implementations)] // part of a running pipeline, which nobody can name
pub(in super::super) struct Outlet<V, E> {
    pub(in super::super) stage: usize,
    ring: Padded<Mutex<Ring<V, E>>>,
    /// The lowest place that failed: nothing from there on is needed. Stays at the end where the order is not kept.
    cut: AtomicUsize,
    ordered: bool,
    below: Arc<Feed<V, E>>,
}

impl<V, E> Outlet<V, E> {
    pub(super) fn new(stage: usize, ordered: bool, below: Arc<Feed<V, E>>) -> Self {
        Self {
            stage,
            ring: Padded(Mutex::new(Ring::new(ordered))),
            cut: AtomicUsize::new(usize::MAX),
            ordered,
            below,
        }
    }

    /// Passes on what has ended, as far as the order allows; leaves the buffer empty. True if room in the window, or less, is all that came
    /// of it: nobody was woken for that.
    pub(in super::super) fn end(&self, run: &Run<E>, ended: &mut Vec<Ended<V, E>>) -> bool {
        let mut ring = self.ring.lock();
        let Some(mut ready) = ring.put(ended) else { return false };
        if ready.goes_on() {
            ready.credits.stand_in(run);
        }
        drop(ring);
        if ready.items.is_empty() && ready.failure.is_none() {
            if !ready.credit_only {
                ready.credits.release(run);
                return true;
            }
            let (credit, since) = (ready.credits.pass_on(run), time::now());
            let read = ready.read.unwrap_or(since);
            self.below.put(run, Chunk::credit_only(ready.first, credit, since, read));
            return false;
        }
        let origin = match &ready.failure {
            Some(failure) if ready.items.is_empty() => Origin::Dense(failure.index),
            _ => ready.origin(),
        };
        let span = ready.items.len();
        let credit = ready.credits.pass_on(run);
        let (first, items, failure) = (ready.first, ready.items, ready.failure);
        let since = time::now();
        let read = ready.read.unwrap_or(since);
        self.below.put(
            run,
            Chunk { first, span, items, origin, credit, failure, spent: Duration::ZERO, since, read },
        );
        false
    }

    /// Credit comes when all its items are through.
    pub(super) fn put_credit(&self, run: &Run<E>, credit: Credit, (since, read): (Instant, Instant)) {
        let place = self.ring.lock().put_credit();
        match place {
            Some(first) => self.below.put(run, Chunk::credit_only(first, credit, since, read)),
            None => run.release(credit),
        }
    }

    /// How the call for the item at that place and index of the source has ended; `None` if the run is over because of it.
    #[inline]
    pub(in super::super) fn judge(
        &self,
        run: &Run<E>,
        counts: &mut Counts,
        (place, index): (usize, u64),
        outcome: Result<Option<V>, What<E>>,
    ) -> Option<End<V, E>> {
        let what = match outcome {
            Ok(Some(value)) => {
                counts.passed += 1;
                return Some(End::Result(value));
            }
            Ok(None) => {
                counts.failed += 1;
                return Some(End::Dropped);
            }
            Err(what) => what,
        };
        counts.miss(&what);
        let failure = Failure { stage: self.stage, index, what };
        if run.halt_if_reaction(&failure) {
            return None;
        }
        self.cut(run, place);
        Some(End::Failed(Box::new(failure)))
    }

    /// Notes that the item at that place failed.
    pub(super) fn cut(&self, run: &Run<E>, place: usize) {
        if self.ordered {
            self.cut.fetch_min(place, Ordering::Relaxed);
        }
        run.end_source();
    }

    /// Whether what comes of the item at that place is of no use any more.
    pub(in super::super) fn is_cut(&self, place: usize) -> bool {
        self.cut.load(Ordering::Relaxed) < place
    }

    /// How many places have been filled, if they are those of all `total` items.
    pub(super) fn passed(&self, total: usize) -> Option<usize> {
        self.ring.lock().passed(total)
    }
}
