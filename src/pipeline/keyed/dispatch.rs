//! The serial point in front of a keyed stage: puts each item into the line of its key, in order.
//!
//! # Invariants
//! 1. Items enter their lines in the order of their places, because only the worker whose turn it is runs this.
//! 2. The map holds every line that is busy or dead, and idle ones until the next sweep: at most as many as there were lines after the sweep
//!    before, or [`KEPT`]. So a key that comes only once is forgotten.
//!
//! Lock order: `state`, which is taken by whoever has the turn and so never contended, then those of `line`, then `ring`. The `Eq` of
//! keys runs under `state`, and keys are dropped there.

use std::collections::HashMap;
use std::collections::hash_map::Entry as Slot;
use std::hash::{BuildHasherDefault, Hash, Hasher};
use std::sync::Arc;

use super::super::board::Gauge;
use super::super::chunk::{Chunk, Origin};
use super::super::credit::Credit;
use super::super::deliver::{Deliver, Relay};
use super::super::error::{Failure, What};
use super::super::feed::Feed;
use super::super::run::Run;
use super::super::step::Hashed;
use super::super::tally::Tally;
use super::super::worker::Worker;
use super::line::{Entry, Line, ReadyLines};
use super::ring::{End, Ended, Ring};
use super::share::{Share, Whole};
use crate::fan;
use crate::panics;
use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::time::{self, Duration, Instant};
use crate::sync::{Mutex, Padded};

/// Idle lines that are not worth a sweep.
const KEPT: usize = 1024;

impl<K> Hash for Hashed<K> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

impl<K: PartialEq> PartialEq for Hashed<K> {
    fn eq(&self, other: &Self) -> bool {
        self.hash == other.hash && self.key == other.key
    }
}

impl<K: Eq> Eq for Hashed<K> {}

struct State<K, U> {
    lines: HashMap<Hashed<K>, Arc<Line<U>>, BuildHasherDefault<fan::Hashed>>,
    /// How many lines are worth a sweep.
    sweep_at: usize,
    /// The chunk that is coming in pieces; a piece of the run stands for it.
    open: Option<Arc<Whole>>,
    /// The place of the next item.
    next: usize,
    panicked: u64,
    busy: Duration,
    waiting: Duration,
}

impl<K, U> State<K, U> {
    /// What the items of a chunk, or of a piece of one, belong to, `None` if there are none: an empty one may be the last piece. And whether its
    /// credit goes on alone, because all of them are through.
    fn whole<E>(&mut self, run: &Run<E>, items: usize, credit: Credit) -> (Option<Arc<Whole>>, bool) {
        if credit.is_none() && items == 0 {
            run.release(Credit::NONE);
            return (None, false);
        }
        let is_next = self.open.is_some();
        let whole = self.open.get_or_insert_with(Whole::open);
        whole.add(items);
        let kept = (items > 0).then(|| Arc::clone(whole));
        let is_last = !credit.is_none();
        let alone = is_last && self.open.take().is_some_and(|whole| whole.close(credit));
        // One piece of the run stands for all that came without credit, until the credit is there.
        if is_next {
            run.release(Credit::NONE);
        }
        (kept, alone)
    }
}

impl<K: Eq, U> State<K, U> {
    fn line(&mut self, key: Hashed<K>) -> &Arc<Line<U>> {
        if self.lines.len() >= self.sweep_at {
            self.lines.retain(|_, line| !line.is_idle());
            self.sweep_at = (self.lines.len() * 2).max(KEPT);
            self.lines.shrink_to(self.sweep_at);
        }
        match self.lines.entry(key) {
            Slot::Occupied(line) => line.into_mut(),
            Slot::Vacant(free) => free.insert(Line::new()),
        }
    }
}

/// Where items wait for their keys, and their results for their turn.
#[allow(missing_debug_implementations)] // part of a running pipeline, which nobody can name
pub(super) struct Dispatch<K, U, V, E> {
    pub(super) stage: usize,
    state: Padded<Mutex<State<K, U>>>,
    pub(super) ready: ReadyLines<U>,
    ring: Padded<Mutex<Ring<V, E>>>,
    /// The lowest place that failed: nothing from there on is needed. Stays at the end where the order is not kept.
    cut: AtomicUsize,
    ordered: bool,
    below: Arc<Feed<V, E>>,
    /// The items that wait for their keys.
    pub(super) queued: Gauge,
}

impl<K, U, V, E> Dispatch<K, U, V, E> {
    pub(super) fn new(stage: usize, ordered: bool, below: Arc<Feed<V, E>>) -> Self {
        let empty = State {
            lines: HashMap::default(),
            sweep_at: KEPT,
            open: None,
            next: 0,
            panicked: 0,
            busy: Duration::ZERO,
            waiting: Duration::ZERO,
        };
        Self {
            stage,
            state: Padded(Mutex::new(empty)),
            ready: ReadyLines::new(),
            ring: Padded(Mutex::new(Ring::new(ordered))),
            cut: AtomicUsize::new(usize::MAX),
            ordered,
            below,
            queued: Gauge::default(),
        }
    }

    /// Passes on what has ended, as far as the order allows; leaves the buffer empty.
    pub(super) fn end(&self, run: &Run<E>, ended: &mut Vec<Ended<V, E>>) {
        let ready = self.ring.lock().put(ended);
        let Some(mut ready) = ready else { return };
        if ready.items.is_empty() && ready.failure.is_none() {
            if ready.credit_only {
                let (credit, since) = (ready.credits.pass_on(run), time::now());
                let read = ready.read.unwrap_or(since);
                self.below.put(run, Chunk::credit_only(ready.first, credit, since, read));
            } else {
                ready.credits.release(run);
            }
            return;
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
    }

    /// Credit comes when all its items are through.
    fn put_credit(&self, run: &Run<E>, credit: Credit, (since, read): (Instant, Instant)) {
        let place = self.ring.lock().put_credit();
        match place {
            Some(first) => self.below.put(run, Chunk::credit_only(first, credit, since, read)),
            None => run.release(credit),
        }
    }

    /// Notes that the item at that place failed.
    pub(super) fn cut(&self, run: &Run<E>, place: usize) {
        if self.ordered {
            self.cut.fetch_min(place, Ordering::Relaxed);
        }
        run.end_source();
    }

    /// Whether what comes of the item at that place is of no use any more.
    pub(super) fn is_cut(&self, place: usize) -> bool {
        self.cut.load(Ordering::Relaxed) < place
    }
}

impl<K, U, V, E> Deliver<(Hashed<K>, U), E> for Dispatch<K, U, V, E>
where
    K: Eq + Send,
    U: Send,
    V: Send,
    E: Send,
{
    const SHARED: bool = true;

    fn deliver(&self, run: &Run<E>, me: &mut Worker, chunk: &mut Chunk<(Hashed<K>, U), E>) -> bool {
        let count = chunk.items.len();
        let mut state = self.state.lock();
        let state = &mut *state;
        let own_credit = chunk.origin.is_dense() && chunk.credit == Credit::of(count);
        let (whole, alone) = if own_credit { (None, false) } else { state.whole(run, count, chunk.credit) };
        if alone {
            self.put_credit(run, chunk.credit, (me.now, chunk.read));
        }
        if count == 0 && chunk.failure.is_none() {
            return true;
        }
        state.waiting += me.now.saturating_duration_since(chunk.since);
        // Before any of them can be taken out of its line.
        self.queued.add(count);
        let mut idle = Vec::new();
        let mut entered = 0;
        let outcome = panics::catch(
            || me.stage_name(self.stage),
            || {
                for (key, item) in chunk.items.drain(..) {
                    if run.stopped() {
                        break;
                    }
                    let (place, index) = (state.next, chunk.origin.index(entered));
                    let line = state.line(key);
                    let share = whole.as_ref().map_or(Share::One, |whole| Share::Part(Arc::clone(whole)));
                    if line.push(Entry { place, index, share, since: me.now, read: chunk.read, item }) {
                        idle.push((place, Arc::clone(line)));
                    }
                    state.next += 1;
                    entered += 1;
                }
            },
        );
        let now = time::now();
        state.busy += now.saturating_duration_since(me.now);
        me.now = now;
        self.queued.sub(count - entered);
        let failure = match outcome {
            Ok(()) => chunk.failure.take(),
            Err(panic) => {
                state.panicked += 1;
                let index = chunk.origin.index(entered);
                Some(Box::new(Failure { stage: self.stage, index, what: What::Panic(panic) }))
            }
        };
        if failure.as_ref().is_some_and(|failure| run.halt_if_reaction(failure)) || run.stopped() {
            return false;
        }
        self.ready.put(run, &mut idle);
        let Some(failure) = failure else { return true };
        // What came before still goes on; nothing after it is needed.
        let (place, index) = (state.next, failure.index);
        state.next += 1;
        self.cut(run, place);
        self.end(
            run,
            &mut vec![Ended { place, index, share: Share::One, read: chunk.read, end: End::Failed(failure) }],
        );
        false
    }

    fn flush(&self, run: &Run<E>) -> bool {
        let Some(open) = self.state.lock().open.take() else { return false };
        if open.close(Credit::NONE) {
            run.release(Credit::NONE);
        }
        true
    }

    fn conclude(&self, tally: &mut Tally) {
        let state = self.state.lock();
        let report = &mut tally.stages[self.stage];
        report.items_in += state.panicked;
        report.panicked += state.panicked;
        report.busy += state.busy;
        report.waiting += state.waiting;
    }
}

impl<K, U, V, E> Relay<(Hashed<K>, U), E> for Dispatch<K, U, V, E>
where
    K: Eq + Send,
    U: Send,
    V: Send,
    E: Send,
{
    type Out = V;

    fn passed(&self) -> Option<usize> {
        let total = self.state.lock().next;
        self.ring.lock().passed(total)
    }
}
