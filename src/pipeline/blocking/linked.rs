//! A blocking stage as what lies before a segment, and what its threads do.
//!
//! A thread that finds nothing parks with its own kind. It waits for nothing else than an item and the end of the run: so it needs no
//! order to leave, and none of the run's other waits is for it, unless it is in a call.

use super::super::calls::SharedCall;
use super::super::chunk::Origin;
use super::super::deliver::Relay;
use super::super::error::What;
use super::super::reorder::{Counts, Ended, Entry, Inlet};
use super::super::run::Run;
use super::super::segment::{Segment, SegmentLocal};
use super::super::step::Step;
use super::super::tally::Tally;
use super::super::timed::Calls;
use super::super::upstream::{Advance, Upstream};
use super::super::worker::Worker;
use super::waiting::Waiting;
use crate::panics;
use crate::sync::time;
use crate::wakeup::Until;

/// What a worker keeps for a blocking stage: its counts are for a stage whose threads could not be created.
#[derive(Debug)]
pub struct BlockingLocal<L> {
    up: L,
    counts: Counts,
    calls: Calls,
}

type Way<U, V, E> = Inlet<Waiting<U>, Vec<Entry<U>>, V, E>;

/// A segment whose results go through a blocking stage to the segment below.
#[allow(missing_debug_implementations)] // part of a running pipeline, which nobody can name
pub struct BlockingLinked<P, S, T, U, G, V, E> {
    pub(super) segment: Segment<P, S, Way<U, V, E>, T, U, E>,
    pub(super) call: G,
}

impl<P, S, G, E> BlockingLinked<P, S, P::Item, S::Out, G, G::Out, E>
where
    P: Upstream<E>,
    S: Step<P::Item, E>,
    G: SharedCall<S::Out, E>,
    E: Send,
{
    /// Runs the stage on one item, and passes on what goes on by it. True if only room in the window came of it, or less.
    fn run_one(
        &self,
        run: &Run<E>,
        me: &mut Worker,
        (counts, calls): (&mut Counts, &mut Calls),
        entry: Entry<S::Out>,
    ) -> bool {
        let Inlet { queued, outlet, .. } = &self.segment.deliver;
        let Entry { place, index, share, since, read, item } = entry;
        queued.sub(1);
        if outlet.is_cut(place) {
            self.segment.undo(&Origin::Dense(index), 0, vec![item]);
            return false;
        }
        let start = time::now();
        counts.waiting += start.saturating_duration_since(since);
        me.log.enter(outlet.stage, start);
        let inside = me.step.spans.enter(outlet.stage);
        let outcome =
            panics::catch(|| me.stage_name(outlet.stage), || self.call.call(item, || index, &run.end));
        inside.leave();
        me.now = time::now();
        me.log.leave(1, me.now);
        let took = me.now.saturating_duration_since(start);
        counts.busy += took;
        calls.record(took, 1);
        let outcome = outcome.unwrap_or_else(|panic| Err(What::Panic(panic)));
        let Some(end) = outlet.judge(run, counts, (place, index), outcome) else { return false };
        let mut ended = vec![Ended { place, index, share, read, end }];
        let is_room = outlet.end(run, &mut ended);
        // What is behind a failure, which may still be waiting for its turn, and is to be the end.
        panics::drop_each_quietly(ended);
        is_room
    }
}

impl<P, S, G, E> Upstream<E> for BlockingLinked<P, S, P::Item, S::Out, G, G::Out, E>
where
    P: Upstream<E>,
    S: Step<P::Item, E>,
    G: SharedCall<S::Out, E>,
    E: Send,
{
    type Item = G::Out;
    type Local = BlockingLocal<SegmentLocal<P::Local, S::Local, S::Out>>;

    fn begin(&self, run: &Run<E>) {
        self.segment.begin(run);
        let Inlet { queued, outlet, .. } = &self.segment.deliver;
        queued.begin(&run.board, outlet.stage);
    }

    fn local(&self) -> Self::Local {
        BlockingLocal { up: self.segment.local(), counts: Counts::default(), calls: Calls::default() }
    }

    fn advance(
        &self,
        run: &Run<E>,
        me: &mut Worker,
        local: &mut Self::Local,
        _: usize,
    ) -> Advance<Self::Item, E> {
        let queue = &self.segment.deliver.queue;
        if !queue.crew(run).is_there() {
            if let Some(entry) = queue.take(run) {
                me.found(run);
                run.call_for_work();
                self.run_one(run, me, (&mut local.counts, &mut local.calls), entry);
                return Advance::Worked;
            }
        }
        let worked = self.segment.work(run, me, &mut local.up);
        // Also after work, as in front of any segment.
        let worked = run.source_ended() && self.segment.flush(run) || worked;
        if worked { Advance::Worked } else { Advance::Nothing }
    }

    fn attend(&self, run: &Run<E>, me: &mut Worker, crew: usize, counts: &mut Counts, calls: &mut Calls) {
        let queue = &self.segment.deliver.queue;
        if crew != queue.crew_number() {
            return self.segment.up.attend(run, me, crew, counts, calls);
        }
        let bell = &queue.crew(run).bell;
        let mut searching = false;
        while !run.finished() && !run.stopped() {
            if let Some(entry) = queue.take(run) {
                if std::mem::take(&mut searching) {
                    bell.found(|| !queue.is_empty());
                } else if !queue.is_empty() {
                    bell.wake_one();
                }
                if self.run_one(run, me, (&mut *counts, &mut *calls), entry) {
                    run.stir();
                }
                // What it has put somewhere has woken who sleeps, and it looks for no work itself.
                run.call_for_work();
                continue;
            }
            if !searching {
                searching = true;
                bell.start_searching();
            }
            bell.park_until(|| {
                let nothing = queue.is_empty() && !run.must_stop() && !run.finished();
                nothing.then_some(Until::Woken)
            });
        }
        if searching {
            bell.found(|| false);
        }
    }

    fn total(&self, run: &Run<E>) -> Option<usize> {
        if self.segment.has_delivered_all(run) { self.segment.deliver.passed() } else { None }
    }

    fn recycle(&self, _: &mut Self::Local, _: Vec<Self::Item>) {}

    fn paced(&self, _: &Run<E>, _: usize) {}

    fn settle(&self, me: &Worker, local: &Self::Local, tally: &mut Tally) {
        self.segment.settle(me, &local.up, tally);
        local.counts.add_to(self.segment.deliver.outlet.stage, &local.calls, tally);
    }

    fn conclude(&self, tally: &mut Tally) {
        self.segment.conclude(tally);
    }

    fn give_up(&self) {
        self.segment.give_up();
    }
}
