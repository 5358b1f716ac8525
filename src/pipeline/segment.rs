//! A row of fused parallel stages between two serial points: claims a chunk, runs it, hands the results on.
//!
//! Segments are nested: each holds the one before it as its `up`, and asks it for work only when nothing lies ready in front of
//! itself. So work that is furthest downstream is done first, and the whole pipeline is one value without a list of boxed parts.

use std::ops::Range;
use std::sync::Arc;
use std::vec::Drain;

use crate::panics;
use crate::sync::time::{self, Duration};

use super::chunk::Chunk;
use super::deliver::Deliver;
use super::error::{Failure, What};
use super::feed::Feed;
use super::hand::InHand;
use super::origins::Origins;
use super::pace::{Overdue, Pace};
use super::run::Run;
use super::step::Step;
use super::tally::Tally;
use super::timed::{Gap, nanoseconds};
use super::turn::Turn;
use super::upstream::{Advance, Upstream};
use super::worker::Worker;

/// Items between two looks at the clock once a worker has asked for work: the chunk may turn heavy, and it asks only once.
const ASKED_BLOCK: usize = 8;

/// A row of fused stages, and what it delivers to.
pub(super) struct Segment<P, S, D, T, U, E> {
    pub(super) up: P,
    /// The numbers of its stages.
    pub(super) stages: Range<usize>,
    pub(super) feed: Arc<Feed<T, E>>,
    pub(super) step: S,
    pub(super) turn: Turn<U, E>,
    pub(super) deliver: D,
    pub(super) pace: Pace,
}

/// What a worker keeps for a segment.
#[derive(Debug)]
pub struct SegmentLocal<L, S, U> {
    pub(super) up: L,
    step: S,
    pub(super) results: Vec<U>,
    pub(super) origins: Origins,
    entered: u64,
    busy: Duration,
    waiting: Duration,
    gap: Gap,
}

/// Where it unwinds, results may be left.
impl<L, S, U> Drop for SegmentLocal<L, S, U> {
    fn drop(&mut self) {
        panics::drop_each_quietly(self.results.drain(..));
    }
}

impl<P, S, D, E> Segment<P, S, D, P::Item, S::Out, E>
where
    P: Upstream<E>,
    S: Step<P::Item, E>,
    D: Deliver<S::Out, E>,
    E: Send,
{
    /// Whether items are counted one by one, which is a write to memory for each: where a step asks for the index, or an item may give
    /// another number of results than one.
    const COUNTS: bool = !S::ONE_TO_ONE || S::NEEDS_INDEX;

    pub(super) fn new(
        up: P,
        stages: Range<usize>,
        feed: Arc<Feed<P::Item, E>>,
        step: S,
        deliver: D,
        ordered: bool,
    ) -> Self {
        Self { up, stages, feed, step, turn: Turn::new(ordered, D::SHARED), deliver, pace: Pace::new() }
    }

    pub(super) fn local(&self) -> SegmentLocal<P::Local, S::Local, S::Out> {
        SegmentLocal {
            up: self.up.local(),
            step: self.step.local(),
            results: Vec::new(),
            origins: Origins::default(),
            entered: 0,
            busy: Duration::ZERO,
            waiting: Duration::ZERO,
            gap: Gap::default(),
        }
    }

    /// The run begins.
    pub(super) fn begin(&self, run: &Run<E>) {
        self.feed.queued.begin(&run.board, self.stages.start);
        self.turn.queued.begin(&run.board, self.stages.end);
        self.up.begin(run);
    }

    /// Does one piece of work, here or further up; false if there is none.
    pub(super) fn work(
        &self,
        run: &Run<E>,
        me: &mut Worker,
        local: &mut SegmentLocal<P::Local, S::Local, S::Out>,
    ) -> bool {
        let want = self.pace.chunk();
        if let Some(chunk) = self.feed.take(run, want) {
            me.found(run);
            if self.pace.is_heavy() {
                run.call_for_work();
            } else {
                run.offer_work();
            }
            self.process(run, me, local, chunk);
            return true;
        }
        match self.up.advance(run, me, &mut local.up, want) {
            Advance::Chunk(chunk) => {
                if !run.expansions.is_empty() && self.pace.is_heavy() {
                    run.call_for_work(); // there may be more where this comes from
                }
                self.process(run, me, local, chunk);
                true
            }
            Advance::Worked => true,
            Advance::Nothing => false,
        }
    }

    /// Runs the stages over a chunk, and hands the results on when it is their turn.
    fn process(
        &self,
        run: &Run<E>,
        me: &mut Worker,
        local: &mut SegmentLocal<P::Local, S::Local, S::Out>,
        chunk: Chunk<P::Item, E>,
    ) {
        if chunk.is_credit_only() {
            let Chunk { first, credit, read, .. } = chunk;
            self.pass(run, me, local, Chunk::credit_only(first, credit, me.now, read));
            return;
        }
        let Chunk { first, mut items, origin, credit, failure: after, spent, since, read, .. } = chunk;
        local.waiting += me.now.saturating_duration_since(since);
        if self.turn.is_cut(first) || run.stopped() {
            // What is before it ends the run.
            panics::drop_quietly(after);
            self.up.take_back(origin.index(0), items);
            return;
        }
        let (left, worst) = (items.len(), Duration::ZERO);
        let mut hand =
            InHand { first, origin, credit, after, left, done: 0, delivered: 0, spent, worst, read };
        let (mut block, mut asked) = (self.pace.block(), false);
        self.enter(me);
        let mut rest = items.drain(..);
        local.results.reserve(left);
        let failure = loop {
            if let Err(failure) = self.run_block(me, local, run, &mut hand, &mut rest, block) {
                if run.halt_if_reaction(&failure) {
                    self.give_back(&hand, 1, rest.collect());
                    self.undo(&hand.origin, hand.delivered, std::mem::take(&mut local.results));
                    return;
                }
                self.turn.cut(hand.place());
                // Nothing after the failure is needed.
                run.end_source();
                break Some(failure);
            }
            if run.stopped() {
                self.give_back(&hand, 0, rest.collect());
                self.undo(&hand.origin, hand.delivered, std::mem::take(&mut local.results));
                return;
            }
            if rest.len() == 0 {
                break None;
            }
            if run.is_asked() {
                asked = true;
                block = block.min(ASKED_BLOCK);
            }
            let overdue = Pace::overdue(hand.spent);
            if overdue == Overdue::Yes || asked && overdue == Overdue::IfAsked {
                // Heavier than expected: the rest goes back, for everybody, in front of all that comes after it. The size is
                // adapted first, so that it is taken in small pieces.
                self.learn(run, &hand);
                self.feed.put(run, hand.cut_off(run, rest.by_ref().collect(), me.now));
                run.call_for_work();
                break None;
            }
            if self.turn.is_at_head(hand.first) {
                // Ours to deliver already: what is ready goes before the next block starts.
                me.log.leave(hand.done - hand.delivered, me.now);
                let ready = Self::results(run, local, &mut hand, None, me.now);
                if !self.hand_on(run, me, local, Some(ready)) {
                    self.give_back(&hand, 0, rest.collect());
                    return;
                }
                self.enter(me);
            }
        };
        self.give_back(&hand, 1, rest.collect());
        self.up.recycle(&mut local.up, items);
        self.learn(run, &hand);
        let after = hand.after.take();
        let failure = if failure.is_some() {
            panics::drop_quietly(after);
            failure
        } else {
            after
        };
        me.log.leave(hand.done - hand.delivered, me.now);
        let ready = Self::results(run, local, &mut hand, failure, me.now);
        self.pass(run, me, local, ready);
    }

    /// Notes that the worker is at this row; one without stages is no place to be at.
    fn enter(&self, me: &mut Worker) {
        if !self.stages.is_empty() {
            me.log.enter(self.stages.start, me.now);
        }
    }

    /// Runs the stages over up to `block` items, and looks at the clock; times the calls of an item if it is its turn.
    fn run_block(
        &self,
        me: &mut Worker,
        local: &mut SegmentLocal<P::Local, S::Local, S::Out>,
        run: &Run<E>,
        hand: &mut InHand<E>,
        rest: &mut Drain<'_, P::Item>,
        block: usize,
    ) -> Result<(), Box<Failure<E>>> {
        let (before, waiting) = (hand.done, rest.len());
        local.gap.cap(self.pace.item_nanoseconds());
        let steps = me.log.steps();
        let outcome = panics::catch(
            || me.stage_name(me.step.panicked.get()),
            || -> Result<(), Box<Failure<E>>> {
                let SegmentLocal { step, results, origins, gap, .. } = &mut *local;
                let attention = run.attention();
                let locate_next = |hand: &InHand<E>| {
                    if S::NEEDS_INDEX {
                        me.step.index.set(hand.origin.index(hand.done));
                    }
                };
                locate_next(hand);
                let mut finish = |results: &mut Vec<S::Out>| {
                    if !S::AT_MOST_ONE {
                        origins.note_many(&hand.origin, hand.done, results.len());
                    } else if !S::ONE_TO_ONE {
                        origins.note(&hand.origin, hand.delivered, hand.done, results.len());
                    }
                    if Self::COUNTS {
                        hand.done += 1;
                        locate_next(hand);
                    }
                };
                let mut left = block;
                loop {
                    // There is nothing to be timed in a row without stages.
                    let plain = if self.stages.is_empty() { left } else { left.min(gap.left()) };
                    let mut passed = 0;
                    for item in rest.by_ref().take(plain) {
                        steps.plain(passed);
                        self.step.apply::<false>(&me.step, step, item, &mut |value| {
                            results.push(value);
                            Ok(())
                        })?;
                        finish(results);
                        passed += 1;
                        if attention.is_wanted() {
                            break;
                        }
                    }
                    gap.pass(passed);
                    left -= passed;
                    if left == 0 || passed < plain || passed > 0 && attention.is_wanted() {
                        return Ok(());
                    }
                    let Some(item) = rest.next() else { return Ok(()) };
                    let start = time::now();
                    steps.timed(start);
                    me.step.time_next(gap.stands_for());
                    self.step.apply::<true>(&me.step, step, item, &mut |value| {
                        results.push(value);
                        Ok(())
                    })?;
                    finish(results);
                    let took = nanoseconds(time::now().saturating_duration_since(start));
                    gap.draw(took.max(self.pace.item_nanoseconds()));
                    left -= 1;
                    if left == 0 || attention.is_wanted() {
                        return Ok(());
                    }
                }
            },
        );
        // Whatever was taken out is done, but for the item that failed.
        let failed = usize::from(!matches!(outcome, Ok(Ok(()))));
        let done = before + (waiting - rest.len()) - failed;
        debug_assert!(!Self::COUNTS || hand.done == done, "{} of {done}", hand.done);
        hand.done = done;
        let now = time::now();
        let took = now.saturating_duration_since(me.now);
        me.now = now;
        me.log.steps().timed(now);
        local.busy += took;
        hand.spent += took;
        hand.worst = hand.worst.max(took);
        local.entered += (hand.done - before) as u64;
        let index = hand.origin.index(hand.done);
        let failure = match outcome {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(failure)) => Failure { index, ..*failure },
            Err(panic) => Failure { stage: me.step.panicked.get(), index, what: What::Panic(panic) },
        };
        if !S::AT_MOST_ONE {
            // What the failed item gave before it failed.
            local.origins.note_many(&hand.origin, hand.done, local.results.len());
        }
        local.entered += 1;
        let counts = match &failure.what {
            What::Panic(_) => &mut me.panicked,
            _ => &mut me.failed,
        };
        counts[failure.stage] += 1;
        Err(Box::new(failure))
    }

    /// Whether everything that comes from above has been delivered.
    pub(super) fn has_delivered_all(&self, run: &Run<E>) -> bool {
        self.up.total(run).is_some_and(|total| self.turn.is_at_head_of_all(total))
    }

    /// Has what is held behind the segment passed on, if nothing more comes; true if that was something.
    pub(super) fn flush(&self, run: &Run<E>) -> bool {
        self.has_delivered_all(run) && self.deliver.flush(run)
    }

    /// What of a chunk was never begun is given up; `failed` is 1 if an item after those that are done has failed.
    fn give_back(&self, hand: &InHand<E>, failed: usize, rest: Vec<P::Item>) {
        if !rest.is_empty() {
            self.up.take_back(hand.origin.index(hand.done + failed), rest);
        }
    }

    fn learn(&self, run: &Run<E>, hand: &InHand<E>) {
        let chunk = self.pace.learn(hand.done, hand.spent, hand.worst, run.largest_chunk());
        self.up.paced(run, chunk);
    }

    pub(super) fn settle(
        &self,
        me: &Worker,
        local: &SegmentLocal<P::Local, S::Local, S::Out>,
        tally: &mut Tally,
    ) {
        self.step.settle(&local.step, local.entered, tally);
        tally.row(self.stages.clone(), local.busy, &me.step.timed.borrow());
        if !self.stages.is_empty() {
            tally.stages[self.stages.start].waiting += local.waiting;
        }
        self.up.settle(me, &local.up, tally);
    }

    pub(super) fn conclude(&self, tally: &mut Tally) {
        self.deliver.conclude(tally);
        self.up.conclude(tally);
    }
}
