//! The serial point in front of such a stage: each item is given its place, and enters the queue in which it waits for the stage.
//!
//! # Invariants
//! 1. Items enter the queue in the order of their places, because only the worker whose turn it is runs this.
//! 2. Credit that comes without items has a place too, and has ended as it comes: so where order is kept it passes nothing that came before it, be that in
//!    the queue, in a call, or in the outlet.
//!
//! Lock order: `state`, which is taken by whoever has the turn and so never contended, then those of the queue, then that of the outlet.

use std::sync::Arc;

use super::super::board::Gauge;
use super::super::chunk::Chunk;
use super::super::credit::Credit;
use super::super::deliver::{Deliver, Relay};
use super::super::error::{Failure, What};
use super::super::feed::Feed;
use super::super::run::Run;
use super::super::tally::Tally;
use super::super::worker::Worker;
use super::outlet::Outlet;
use super::ring::{End, Ended, Entry};
use super::share::{Share, Whole};
use crate::panics;
use crate::sync::time::{self, Duration};
use crate::sync::{Mutex, Padded};

/// Where items wait for the stage.
pub(in super::super) trait Queue<I>: Send + Sync {
    /// What only the worker whose turn it is touches.
    type State: Send;

    /// An item enters. May run user code, and unwind: then the item has not entered, and is dropped.
    fn enter(&self, state: &mut Self::State, entry: Entry<I>);

    /// Takes everything, once all workers have ended, if that is what had come.
    fn take_all(&self, _: &mut Self::State) -> Vec<(u64, I)> {
        Vec::new()
    }

    /// What has entered may be taken from now on; wakes somebody for it.
    fn offer<E>(&self, run: &Run<E>, state: &mut Self::State);
}

struct State<S> {
    queue: S,
    /// What is coming in pieces until the credit of its source items is there; a piece of the run stands for it.
    open: Option<Arc<Whole>>,
    /// The part of it whose credit is still to come.
    part: Option<Arc<Whole>>,
    /// The place of the next item.
    next: usize,
    panicked: u64,
    busy: Duration,
    waiting: Duration,
}

impl<S> State<S> {
    /// What the items of a chunk, or of a piece of one, belong to; or its credit, if there are none: one item more, which has ended. `None` if there is neither: an
    /// empty one may be the last piece.
    fn part<E>(&mut self, run: &Run<E>, items: usize, credit: Credit) -> Option<Arc<Whole>> {
        if credit.is_none() && items == 0 {
            run.release(Credit::NONE);
            return None;
        }
        let is_next = self.open.is_some();
        let whole = self.open.get_or_insert_with(Whole::open);
        let part = Arc::clone(self.part.get_or_insert_with(|| whole.part()));
        part.add(items.max(1));
        // Neither is through by this: the items are not.
        if !credit.is_none() {
            self.part = None;
            part.close(credit.beside_items());
        }
        if credit.items > 0 {
            if let Some(whole) = self.open.take() {
                whole.close(credit.minus(credit.beside_items()));
            }
        }
        // One piece of the run stands for all that came without credit, until the credit is there.
        if is_next {
            run.release(Credit::NONE);
        }
        Some(part)
    }
}

/// A stage's way in, and its way out.
#[allow(missing_debug_implementations)] // part of a running pipeline, which nobody can name
pub(in super::super) struct Inlet<Q, S, V, E> {
    pub(in super::super) queue: Q,
    state: Padded<Mutex<State<S>>>,
    /// The items that wait.
    pub(in super::super) queued: Gauge,
    pub(in super::super) outlet: Outlet<V, E>,
}

impl<Q, S, V, E> Inlet<Q, S, V, E> {
    pub(in super::super) fn new(
        stage: usize,
        ordered: bool,
        below: Arc<Feed<V, E>>,
        queue: Q,
        entering: S,
    ) -> Self {
        let empty = State {
            queue: entering,
            open: None,
            part: None,
            next: 0,
            panicked: 0,
            busy: Duration::ZERO,
            waiting: Duration::ZERO,
        };
        Self {
            queue,
            state: Padded(Mutex::new(empty)),
            queued: Gauge::default(),
            outlet: Outlet::new(stage, ordered, below),
        }
    }
}

impl<Q, I, V, E> Deliver<I, E> for Inlet<Q, Q::State, V, E>
where
    Q: Queue<I>,
    V: Send,
    E: Send,
{
    const SHARED: bool = true;

    fn deliver(&self, run: &Run<E>, me: &mut Worker, chunk: &mut Chunk<I, E>) -> bool {
        let count = chunk.items.len();
        if chunk.failure.is_some() {
            // The chunk's credit is that of the failed item as well, and leaves before the failure has ended the run: this piece stays.
            run.note_piece();
        }
        let mut state = self.state.lock();
        let state = &mut *state;
        let own_credit = chunk.origin.is_dense() && chunk.credit == Credit::of(count);
        let part = if own_credit { None } else { state.part(run, count, chunk.credit) };
        if let (Some(part), 0) = (&part, count) {
            let (place, index, share) = (state.next, chunk.origin.index(0), Share::Part(Arc::clone(part)));
            state.next += 1;
            self.outlet
                .end(run, &mut vec![Ended { place, index, share, read: chunk.read, end: End::Dropped }]);
        }
        if count == 0 && chunk.failure.is_none() {
            return true;
        }
        state.waiting += me.now.saturating_duration_since(chunk.since);
        // Before any of them can be taken out of the queue.
        self.queued.add(count);
        let mut entered = 0;
        let mut rest = chunk.items.drain(..);
        let outcome = panics::catch(
            || me.stage_name(self.outlet.stage),
            || {
                while !run.stopped() {
                    let Some(item) = rest.next() else { break };
                    let (place, index) = (state.next, chunk.origin.index(entered));
                    let share = part.as_ref().map_or(Share::One, |part| Share::Part(Arc::clone(part)));
                    let entry = Entry { place, index, share, since: me.now, read: chunk.read, item };
                    self.queue.enter(&mut state.queue, entry);
                    state.next += 1;
                    entered += 1;
                }
            },
        );
        let left: Vec<_> = rest.collect();
        chunk.items.extend(left);
        let now = time::now();
        state.busy += now.saturating_duration_since(me.now);
        me.now = now;
        self.queued.sub(count - entered);
        let failure = match outcome {
            Ok(()) => chunk.failure.take(),
            Err(panic) => {
                state.panicked += 1;
                let index = chunk.origin.index(entered);
                Some(Box::new(Failure { stage: self.outlet.stage, index, what: What::Panic(panic) }))
            }
        };
        if failure.as_ref().is_some_and(|failure| run.halt_if_reaction(failure)) || run.stopped() {
            return false;
        }
        self.queue.offer(run, &mut state.queue);
        let Some(failure) = failure else { return true };
        // What came before still goes on; nothing after it is needed.
        let (place, index) = (state.next, failure.index);
        state.next += 1;
        self.outlet.cut(run, place);
        let end = End::Failed(failure);
        self.outlet.end(run, &mut vec![Ended { place, index, share: Share::One, read: chunk.read, end }]);
        false
    }

    fn flush(&self, run: &Run<E>) -> bool {
        let mut state = self.state.lock();
        let Some(open) = state.open.take() else { return false };
        if let Some(part) = state.part.take() {
            part.close(Credit::NONE);
        }
        if open.close(Credit::NONE) {
            let now = time::now();
            self.outlet.put_credit(run, Credit::NONE, (now, now));
        }
        true
    }

    fn take_waiting(&self) -> Vec<(u64, I)> {
        self.queue.take_all(&mut self.state.lock().queue)
    }

    fn conclude(&self, tally: &mut Tally) {
        let state = self.state.lock();
        let report = &mut tally.stages[self.outlet.stage];
        report.items_in += state.panicked;
        report.panicked += state.panicked;
        report.busy += state.busy;
        report.waiting += state.waiting;
    }
}

impl<Q, I, V, E> Relay<I, E> for Inlet<Q, Q::State, V, E>
where
    Q: Queue<I>,
    V: Send,
    E: Send,
{
    type Out = V;

    fn passed(&self) -> Option<usize> {
        let total = self.state.lock().next;
        self.outlet.passed(total)
    }
}
