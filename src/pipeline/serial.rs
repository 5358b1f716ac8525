//! A serial stage between two segments: one item at a time and in order, by whoever has the turn.
//!
//! Lock order: `state` is taken by whoever has the turn, so it is never contended; user code runs under it.

use std::sync::Arc;

use crate::panics;
use crate::sync::time::{self, Duration};
use crate::sync::{Mutex, Padded};

use super::calls::SerialCall;
use super::chunk::Chunk;
use super::deliver::{Counts, Deliver, Relay};
use super::error::{Failure, What};
use super::feed::Feed;
use super::run::Run;
use super::tally::Tally;
use super::worker::Worker;

struct SerialState<G> {
    call: G,
    counts: Counts,
    /// The place of the next item in the order of the segment below.
    next: usize,
    /// What went on last is a piece whose credit is still to come, or may be.
    is_cut: bool,
}

/// A serial stage in front of a segment.
#[allow(missing_debug_implementations)] // part of a running pipeline, which nobody can name
pub struct Serial<G, V, E> {
    stage: usize,
    state: Padded<Mutex<SerialState<G>>>,
    below: Arc<Feed<V, E>>,
}

impl<G, V, E> Serial<G, V, E> {
    pub(super) fn new(stage: usize, call: G, below: Arc<Feed<V, E>>) -> Self {
        let serial = SerialState { call, counts: Counts::default(), next: 0, is_cut: false };
        Self { stage, state: Padded(Mutex::new(serial)), below }
    }
}

impl<U, E, G> Deliver<U, E> for Serial<G, G::Out, E>
where
    E: Send,
    G: SerialCall<U, E>,
{
    const SHARED: bool = true;

    fn deliver(&self, run: &Run<E>, me: &mut Worker, chunk: &mut Chunk<U, E>) -> bool {
        let mut state = self.state.lock();
        let SerialState { call, counts, next, is_cut } = &mut *state;
        me.log.enter(self.stage, me.now);
        counts.waiting += me.now.saturating_duration_since(chunk.since);
        let (mut plain, steps) = (counts.pulse.plain(), me.log.steps());
        let mut items = Vec::with_capacity(chunk.items.len());
        let (mut done, mut dropped) = (0, Vec::new());
        let origin = &chunk.origin;
        let mut rest = chunk.items.drain(..);
        let outcome = panics::catch(
            || me.stage_name(self.stage),
            || -> Result<(), What<E>> {
                while !run.stopped() {
                    let Some(item) = rest.next() else { break };
                    let start = (plain == 0).then(time::now);
                    steps.call(start, plain);
                    let outcome = call.call(item, || origin.index(done), &run.end);
                    match start {
                        Some(start) => plain = counts.pulse.timed(start),
                        None => plain -= 1,
                    }
                    match outcome? {
                        Some(value) => items.push(value),
                        None => dropped.push(done),
                    }
                    done += 1;
                }
                Ok(())
            },
        );
        let left: Vec<_> = rest.collect();
        chunk.items.extend(left);
        let now = time::now();
        let spent = now.saturating_duration_since(me.now);
        counts.busy += spent;
        counts.pulse.learn(spent, done, plain);
        counts.taken += items.len() as u64;
        counts.failed += dropped.len() as u64;
        me.now = now;
        me.log.leave(done, now);
        let what = match outcome {
            Ok(outcome) => outcome.err(),
            Err(panic) => Some(What::Panic(panic)),
        };
        let origin = chunk.origin.without(&dropped, done);
        let failure = match what {
            None => chunk.failure.take(),
            Some(what) => {
                counts.miss(&what);
                // What this stage has passed on before still goes on; nothing after it is needed.
                run.end_source();
                let index = chunk.origin.index(done);
                Some(Box::new(Failure { stage: self.stage, index, what }))
            }
        };
        if failure.as_ref().is_some_and(|failure| run.halt_if_reaction(failure)) || run.stopped() {
            panics::drop_each_quietly(items);
            return false;
        }
        if items.is_empty() && failure.is_none() {
            self.below.put_credit(run, (next, is_cut), chunk.credit, (now, chunk.read));
            return true;
        }
        // Behind a stage that puts items in order or gathers them, the credit may be that of the earlier of them alone.
        *is_cut = chunk.credit.items == 0 || !chunk.origin.is_dense();
        let failed = failure.is_some();
        let span = items.len();
        let passed = Chunk {
            first: *next,
            span,
            items,
            origin,
            credit: chunk.credit,
            failure,
            spent: Duration::ZERO,
            since: now,
            read: chunk.read,
        };
        *next += span;
        self.below.put(run, passed);
        // After a failure nothing more may come: the turn is not passed on.
        !failed
    }

    fn conclude(&self, tally: &mut Tally) {
        self.state.lock().counts.add_to(self.stage, tally);
    }
}

impl<U, E, G> Relay<U, E> for Serial<G, G::Out, E>
where
    E: Send,
    G: SerialCall<U, E>,
{
    type Out = G::Out;

    fn passed(&self) -> Option<usize> {
        Some(self.state.lock().next)
    }
}
