//! How a segment hands its results on: in its turn, and with them those that wait behind.

use super::chunk::{Chunk, Origin};
use super::deliver::Deliver;
use super::error::Failure;
use super::hand::InHand;
use super::run::Run;
use super::segment::{Segment, SegmentLocal};
use super::step::Step;
use super::upstream::Upstream;
use super::worker::Worker;
use crate::panics;
use crate::sync::time::{Duration, Instant};

/// Who took so long for a chunk is likely to for the next, and does not look for work meanwhile.
const SLOW: Duration = Duration::from_micros(50);

impl<P, S, D, E> Segment<P, S, D, P::Item, S::Out, E>
where
    P: Upstream<E>,
    S: Step<P::Item, E>,
    D: Deliver<S::Out, E>,
    E: Send,
{
    /// Takes the results so far as a chunk of their own.
    pub(super) fn results(
        run: &Run<E>,
        local: &mut SegmentLocal<P::Local, S::Local, S::Out>,
        hand: &mut InHand<E>,
        failure: Option<Box<Failure<E>>>,
        since: Instant,
    ) -> Chunk<S::Out, E> {
        let items = std::mem::take(&mut local.results);
        let origin = local.origins.take(&hand.origin, hand.delivered, items.len());
        let (first, span) = (hand.first, hand.done - hand.delivered);
        let credit = hand.take_credit(run, span);
        hand.first += span;
        hand.delivered = hand.done;
        Chunk { first, span, items, origin, credit, failure, spent: Duration::ZERO, since, read: hand.read }
    }

    /// Delivers what it is this worker's turn to deliver, and what becomes so by it; false when the run is over.
    pub(super) fn hand_on(
        &self,
        run: &Run<E>,
        me: &mut Worker,
        local: &mut SegmentLocal<P::Local, S::Local, S::Out>,
        mut turn: Option<Chunk<S::Out, E>>,
    ) -> bool {
        let spans = me.step.spans.clone();
        while let Some(mut chunk) = turn {
            let span = chunk.span;
            let count = chunk.items.len();
            let before = me.now;
            // Before `deliver` takes a lock.
            let inside = spans.enter(self.stages.end);
            let goes_on = self.deliver.deliver(run, me, &mut chunk);
            inside.leave();
            if !goes_on {
                self.undo(&chunk.origin, count - chunk.items.len(), chunk.items);
                return false;
            }
            let mut spare = Some(chunk.items);
            if local.results.capacity() == 0 {
                local.results = spare.take().unwrap_or_default();
            }
            turn = self.turn.advance(span, spare);
            if turn.is_some() {
                // There is room in the window, and more to deliver before this worker looks for work.
                if me.now.saturating_duration_since(before) > SLOW {
                    run.call_for_work();
                } else {
                    run.offer_work();
                }
            }
        }
        true
    }

    /// What no stage has begun, of a chunk whose items before `from` have gone, is given up as what had come in.
    pub(super) fn undo(&self, origin: &Origin, from: usize, items: Vec<S::Out>) {
        if !S::UNDOES {
            // Quietly: see `take_back`.
            panics::drop_each_quietly(items);
        } else if !items.is_empty() {
            let mut undone = Vec::with_capacity(items.len());
            // What a stage has added is dropped by this.
            let undo = items.into_iter().filter_map(S::undo);
            panics::drop_each_quietly(undo.map(|item| undone.push(item)));
            self.up.take_back(origin.index(from), undone);
        }
    }

    /// Gives up what nobody has begun, here and further up, once all workers have ended.
    pub(super) fn give_up(&self) {
        for (index, item) in self.deliver.take_waiting() {
            self.undo(&Origin::Dense(index), 0, vec![item]);
        }
        for chunk in self.turn.take_all() {
            // It never had its turn: its drop must not keep the others from being given up.
            panics::drop_quietly(chunk.failure);
            self.undo(&chunk.origin, 0, chunk.items);
        }
        for (first, items) in self.feed.take_all() {
            self.up.take_back(first, items);
        }
        self.up.give_up();
    }

    /// Delivers a chunk of results when it is its turn.
    pub(super) fn pass(
        &self,
        run: &Run<E>,
        me: &mut Worker,
        local: &mut SegmentLocal<P::Local, S::Local, S::Out>,
        ready: Chunk<S::Out, E>,
    ) {
        let (turn, owner_waits) = self.turn.offer(ready, &mut local.results);
        if owner_waits {
            run.owner.wake_one();
        }
        self.hand_on(run, me, local, turn);
    }
}
