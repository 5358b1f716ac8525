//! The serial point in front of such a stage: each item is given its place, and enters the queue in which it waits for the stage.
//!
//! # Invariants
//! 1. Items enter the queue in the order of their places, because only the worker whose turn it is runs this.
//!
//! Lock order: `state`, which is taken by whoever has the turn and so never contended, then those of the queue, then that of the outlet.

use std::sync::Arc;

use super::super::board::Gauge;
use super::super::chunk::Chunk;
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

    /// What has entered may be taken from now on; wakes somebody for it.
    fn offer<E>(&self, run: &Run<E>, state: &mut Self::State);
}

struct State<S> {
    queue: S,
    /// The place of the next item.
    next: usize,
    panicked: u64,
    busy: Duration,
    waiting: Duration,
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
        state: S,
    ) -> Self {
        let state =
            State { queue: state, next: 0, panicked: 0, busy: Duration::ZERO, waiting: Duration::ZERO };
        Self {
            queue,
            state: Padded(Mutex::new(state)),
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
        if count == 0 && chunk.failure.is_none() {
            run.release(chunk.credit);
            return true;
        }
        let stage = self.outlet.stage;
        let mut state = self.state.lock();
        let state = &mut *state;
        state.waiting += me.now.saturating_duration_since(chunk.since);
        let whole = if chunk.origin.is_dense() && chunk.credit == count {
            None
        } else {
            Some(Whole::new(count, chunk.credit))
        };
        // Before any of them can be taken out of the queue.
        self.queued.add(count);
        let mut entered = 0;
        let outcome = panics::catch(
            || me.stage_name(stage),
            || {
                for item in chunk.items.drain(..) {
                    if run.stopped() {
                        break;
                    }
                    let (place, index) = (state.next, chunk.origin.index(entered));
                    let share = whole.as_ref().map_or(Share::One, |whole| Share::Part(Arc::clone(whole)));
                    let entry = Entry { place, index, share, since: me.now, read: chunk.read, item };
                    self.queue.enter(&mut state.queue, entry);
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
                Some(Box::new(Failure { stage, index, what: What::Panic(panic) }))
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
