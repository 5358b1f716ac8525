//! A row of fused parallel stages between two serial points: claims a chunk, runs it, hands the results on.
//!
//! Segments are nested: each holds the one before it as its `up`, and asks it for work only when nothing lies ready in front of
//! itself. So work that is furthest downstream is done first, and the whole pipeline is one value without a list of boxed parts.

use std::ops::Range;
use std::sync::Arc;

use crate::panics;
use crate::sync::atomic::Ordering;
use crate::sync::time::{self, Duration, Instant};

use super::chunk::{Chunk, Origin};
use super::deliver::Deliver;
use super::error::{Failure, What};
use super::feed::Feed;
use super::pace::{Overdue, Pace};
use super::run::Run;
use super::step::Step;
use super::tally::Tally;
use super::turn::Turn;
use super::upstream::{Advance, Upstream};
use super::worker::Worker;

/// Time between two samples of single calls.
const SAMPLE_EVERY: Duration = Duration::from_micros(50);

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
    results: Vec<U>,
    origins: Vec<u64>,
    entered: u64,
    busy: Duration,
    waiting: Duration,
}

impl<P, S, D, E> Segment<P, S, D, P::Item, S::Out, E>
where
    P: Upstream<E>,
    S: Step<P::Item, E>,
    D: Deliver<S::Out, E>,
    E: Send,
{
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
            origins: Vec::new(),
            entered: 0,
            busy: Duration::ZERO,
            waiting: Duration::ZERO,
        }
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
            run.offer_work();
            self.process(run, me, local, chunk);
            return true;
        }
        match self.up.advance(run, me, &mut local.up, want) {
            Advance::Chunk(chunk) => {
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
        let Chunk {
            mut first, mut items, origin, mut credit, failure: mut after, spent: read, since, ..
        } = chunk;
        local.waiting += me.now.saturating_duration_since(since);
        if self.turn.is_cut(first) {
            return; // a failure before it ends the run; the items are given up
        }
        let total = items.len();
        let (mut spent, mut worst, mut failure) = (read, Duration::ZERO, None);
        // Items that are done, and of these the ones whose results are delivered already.
        let (mut done, mut delivered) = (0, 0);
        let block = self.pace.block();
        let mut rest = items.drain(..);
        local.results.reserve(total);
        loop {
            let sample = me.sample_due(SAMPLE_EVERY);
            let outcome = panics::catch(
                || me.stage_name(me.step.panicked.get()),
                || -> Result<(), Box<Failure<E>>> {
                    let SegmentLocal { step, results, origins, .. } = &mut *local;
                    let mut finish = |results: &mut Vec<S::Out>| {
                        if !S::ONE_TO_ONE {
                            origins.resize(results.len(), origin.index(done));
                        }
                        done += 1;
                    };
                    if sample {
                        if let Some(item) = rest.next() {
                            self.step.apply::<true>(&me.step, step, item, &mut |value| {
                                results.push(value);
                                Ok(())
                            })?;
                            finish(results);
                        }
                    }
                    for item in rest.by_ref().take(block) {
                        self.step.apply::<false>(&me.step, step, item, &mut |value| {
                            results.push(value);
                            Ok(())
                        })?;
                        finish(results);
                        if run.hungry.load(Ordering::Relaxed) {
                            break;
                        }
                    }
                    Ok(())
                },
            );
            let now = time::now();
            let took = now.saturating_duration_since(me.now);
            me.now = now;
            local.busy += took;
            spent += took;
            worst = worst.max(took);
            match outcome {
                Ok(Ok(())) => {}
                Ok(Err(mut error)) => {
                    error.index = origin.index(done);
                    if run.halt_if_reaction(&error) {
                        return;
                    }
                    failure = Some(error);
                }
                Err(panic) => {
                    let stage = me.step.panicked.get();
                    failure = Some(Box::new(Failure {
                        stage,
                        index: origin.index(done),
                        what: What::Panic(panic),
                    }));
                }
            }
            if let Some(failure) = &failure {
                me.failed[failure.stage] += 1;
                self.turn.cut(first + (done - delivered));
                // Nothing after the failure is needed.
                run.end_source();
                if !S::ONE_TO_ONE {
                    local.origins.resize(local.results.len(), origin.index(done));
                }
                local.entered += 1;
                break;
            }
            if run.stopped() {
                local.entered += done as u64;
                return;
            }
            if rest.len() == 0 {
                break;
            }
            let asked = run.hungry.load(Ordering::Relaxed) && run.hungry.swap(false, Ordering::Relaxed);
            let overdue = Pace::overdue(spent);
            if overdue == Overdue::Yes || asked && overdue == Overdue::IfAsked {
                // Heavier than expected: the rest goes back, for everybody, in front of all that comes after it. The size is
                // adapted first, so that it is taken in small pieces.
                self.learn(run, done, spent, worst);
                let items: Vec<_> = rest.by_ref().collect();
                let span = items.len();
                let left = if credit == total - delivered { span } else { credit };
                credit -= left;
                let back = Chunk {
                    first: first + (done - delivered),
                    span,
                    items,
                    origin: origin.range(done, span),
                    credit: left,
                    failure: after.take(),
                    spent: Duration::ZERO,
                    since: now,
                };
                self.feed.put(run, back);
                break;
            }
            if self.turn.is_at_head(first) {
                // Ours to deliver already: what is ready goes before the next block starts.
                let span = done - delivered;
                let part_credit = if credit == total - delivered { span } else { 0 };
                credit -= part_credit;
                let part = self.results(local, first, span, &origin, delivered, part_credit, None, now);
                if !self.hand_on(run, me, local, Some(part)) {
                    local.entered += done as u64;
                    return;
                }
                first += span;
                delivered = done;
            }
        }
        drop(rest);
        self.up.recycle(&mut local.up, items);
        local.entered += done as u64;
        self.learn(run, done, spent, worst);
        let span = done - delivered;
        let chunk = self.results(local, first, span, &origin, delivered, credit, failure.or(after), me.now);
        let (chunk, owner_waits) = self.turn.offer(chunk, &mut local.results);
        if owner_waits {
            run.owner.wake_one();
        }
        self.hand_on(run, me, local, chunk);
    }

    /// Takes the results so far as a chunk of their own; the first of them stands for the item at `place` of `origin`.
    #[allow(clippy::too_many_arguments)] // they are the fields of the chunk
    fn results(
        &self,
        local: &mut SegmentLocal<P::Local, S::Local, S::Out>,
        first: usize,
        span: usize,
        origin: &Origin,
        place: usize,
        credit: usize,
        failure: Option<Box<Failure<E>>>,
        since: Instant,
    ) -> Chunk<S::Out, E> {
        let items = std::mem::take(&mut local.results);
        let origin = if S::ONE_TO_ONE {
            origin.range(place, items.len())
        } else {
            Origin::Listed(std::mem::take(&mut local.origins))
        };
        Chunk { first, span, items, origin, credit, failure, spent: Duration::ZERO, since }
    }

    /// Delivers what it is this worker's turn to deliver, and what becomes so by it; false when the run is over.
    fn hand_on(
        &self,
        run: &Run<E>,
        me: &mut Worker,
        local: &mut SegmentLocal<P::Local, S::Local, S::Out>,
        mut turn: Option<Chunk<S::Out, E>>,
    ) -> bool {
        while let Some(mut chunk) = turn {
            let span = chunk.span;
            if !self.deliver.deliver(run, me, &mut chunk) {
                return false;
            }
            let mut spare = Some(chunk.items);
            if local.results.capacity() == 0 {
                local.results = spare.take().unwrap_or_default();
            }
            turn = self.turn.advance(span, spare);
            if turn.is_some() {
                // There is room in the window, and more to deliver before this worker looks for work.
                run.offer_work();
            }
        }
        true
    }

    fn learn(&self, run: &Run<E>, items: usize, spent: Duration, worst: Duration) {
        let chunk = self.pace.learn(items, spent, worst, run.largest_chunk());
        self.up.paced(run, chunk);
    }

    pub(super) fn settle(
        &self,
        me: &Worker,
        local: &SegmentLocal<P::Local, S::Local, S::Out>,
        tally: &mut Tally,
    ) {
        self.step.settle(&local.step, local.entered, tally);
        tally.divide(self.stages.clone(), local.busy, &me.step.sampled.borrow());
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
