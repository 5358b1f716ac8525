//! A stage that expands items as what lies before a segment: gives the next results, or asks further up.
//!
//! # Invariants
//! 1. Nobody waits for `current`: workers only try its lock, and whoever has it gives one chunk. So results are given in order.
//! 2. A result is counted as out before it leaves `current`, and at most as many are given as there is room for.
//! 3. The stage stays busy once it has given a failure: a chunk after that would have the same place.
//! 4. A chunk in which no item ends has no credit of a source item, and a piece stands for it. What an item had goes with the chunk in which it ends, even if
//!    that is empty: what the item gave, and what was cut from the same chunk as the item, may still be on the way.
//!
//! Lock order: `current`, then the lineup's `state`. The user's closure and iterators run under `current` alone.

use super::super::chunk::{Chunk, Origin};
use super::super::credit::Credit;
use super::super::error::{Failure, What};
use super::super::reorder::Counts;
use super::super::run::Run;
use super::super::segment::{Segment, SegmentLocal};
use super::super::step::Step;
use super::super::tally::Tally;
use super::super::timed::{Calls, Pulse};
use super::super::upstream::{Advance, Upstream};
use super::super::worker::Worker;
use super::lineup::{Lineup, Next};
use crate::panics;
use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::time::{self, Duration, Instant};
use crate::sync::{Mutex, Padded};

/// An item that is being expanded.
struct Open<I> {
    results: I,
    index: u64,
    credit: Credit,
    read: Instant,
}

/// How far the stage is.
struct Current<F, I> {
    call: F,
    open: Option<Open<I>>,
    begun: u64,
    given: u64,
    panicked: u64,
    busy: Duration,
    pulse: Pulse,
}

/// What is given of one chunk.
struct Given<V> {
    items: Vec<V>,
    indices: Vec<u64>,
    /// Of the items that have ended.
    credit: Credit,
    pieces: usize,
    ended: usize,
    read: Option<Instant>,
}

impl<V> Given<V> {
    /// An item has been expanded to its end.
    fn end(&mut self, credit: Credit) {
        self.ended += 1;
        self.pieces += usize::from(credit.items == 0);
        self.credit = self.credit.plus(credit);
    }
}

/// A segment whose results go through a stage that expands them to the segment below.
#[allow(missing_debug_implementations)] // part of a running pipeline, which nobody can name
pub struct Expanding<P, S, T, U, F, I: IntoIterator, E> {
    segment: Segment<P, S, Lineup<U, E>, T, U, E>,
    current: Padded<Mutex<Current<F, I::IntoIter>>>,
    /// The place of the next result in the order of the segment below.
    next: AtomicUsize,
}

impl<P, S, T, U, F, I: IntoIterator, E> Expanding<P, S, T, U, F, I, E> {
    pub(super) fn new(segment: Segment<P, S, Lineup<U, E>, T, U, E>, call: F) -> Self {
        let (open, busy, pulse) = (None, Duration::ZERO, Pulse::default());
        let current = Current { call, open, begun: 0, given: 0, panicked: 0, busy, pulse };
        Self { segment, current: Padded(Mutex::new(current)), next: AtomicUsize::new(0) }
    }
}

impl<P, S, U, F, I, E> Expanding<P, S, P::Item, U, F, I, E>
where
    P: Upstream<E>,
    S: Step<P::Item, E, Out = U>,
    U: Send,
    F: FnMut(U) -> I + Send,
    I: IntoIterator,
    I::IntoIter: Send,
    I::Item: Send,
    E: Send,
{
    /// Takes up to `most` results of what comes next; the failure that ends the run after them.
    fn take(
        &self,
        run: &Run<E>,
        me: &Worker,
        current: &mut Current<F, I::IntoIter>,
        given: &mut Given<I::Item>,
        most: usize,
    ) -> Option<Box<Failure<E>>> {
        let lineup = &self.segment.deliver;
        let (mut plain, mut at, steps) = (current.pulse.plain(), 0, me.log.steps());
        let inside = me.step.spans.enter(lineup.stage);
        let outcome = panics::catch(
            || me.stage_name(lineup.stage),
            || {
                while given.items.len() < most && !run.stopped() {
                    let Some(open) = &mut current.open else {
                        match lineup.take(me.now) {
                            None => return None,
                            Some(Next::Failure(failure)) => return Some(failure),
                            Some(Next::Item(next)) => {
                                let Some(item) = next.item else {
                                    given.end(next.credit);
                                    continue;
                                };
                                (at, current.begun) = (next.index, current.begun + 1);
                                steps.plain(0);
                                let results = (current.call)(item).into_iter();
                                let (index, credit, read) = (next.index, next.credit, next.read);
                                current.open = Some(Open { results, index, credit, read });
                                continue;
                            }
                        }
                    };
                    at = open.index;
                    let start = (plain == 0).then(time::now);
                    steps.call(start, plain);
                    let result = open.results.next();
                    match start {
                        Some(start) => plain = current.pulse.timed(start),
                        None => plain -= 1,
                    }
                    if let Some(result) = result {
                        given.read = given.read.or(Some(open.read));
                        given.items.push(result);
                        given.indices.push(at);
                        if run.attention().is_wanted() {
                            run.is_asked(); // this answers it: else every result from here on would go alone
                            return None;
                        }
                    } else if let Some(Open { results, credit, .. }) = current.open.take() {
                        drop(results); // user code too
                        given.end(credit);
                    }
                }
                None
            },
        );
        inside.leave();
        let spent = time::now().saturating_duration_since(me.now);
        current.busy += spent;
        current.pulse.learn(spent, given.items.len() + given.ended, plain);
        match outcome {
            Ok(None) => None,
            Ok(Some(failure)) => Some(failure),
            Err(panic) => {
                current.panicked += 1;
                // What came before still goes on; nothing after it is needed.
                run.end_source();
                Some(Box::new(Failure { stage: lineup.stage, index: at, what: What::Panic(panic) }))
            }
        }
    }

    /// Gives the next results, if it is nobody's turn and there is room.
    fn give(&self, run: &Run<E>, me: &mut Worker, want: usize) -> Option<Advance<I::Item, E>> {
        let lineup = &self.segment.deliver;
        let bound = &run.expansions[lineup.expansion];
        if !bound.may_expand() {
            return None;
        }
        let mut current = self.current.try_lock()?;
        if !bound.may_expand() {
            return None; // it has failed meanwhile
        }
        let most = want.min(bound.room()).min(bound.largest_chunk(run.workers));
        if most == 0 {
            return None;
        }
        bound.set_busy(true);
        me.found(run);
        // The iterator is the user's, and may be slow.
        run.call_for_work();
        me.log.enter(lineup.stage, me.now);
        let (items, indices) = (Vec::with_capacity(most.min(64)), Vec::new());
        let mut given = Given { items, indices, credit: Credit::NONE, pieces: 0, ended: 0, read: None };
        let start = me.now;
        let failure = self.take(run, me, &mut current, &mut given, most);
        me.now = time::now();
        me.log.leave(given.items.len(), me.now);
        let span = given.items.len();
        current.given += span as u64;
        bound.give(span);
        let failed = failure.is_some();
        let chunk = self.chunk(run, given, failure, (start, me.now));
        if !failed {
            bound.set_busy(false);
        }
        drop(current);
        // Somebody else may give the next ones.
        run.offer_work();
        Some(match chunk {
            Some(chunk) => Advance::Chunk(chunk),
            None => Advance::Worked,
        })
    }

    /// What goes on, under `current`; `None` if that is nothing.
    fn chunk(
        &self,
        run: &Run<E>,
        given: Given<I::Item>,
        failure: Option<Box<Failure<E>>>,
        (start, now): (Instant, Instant),
    ) -> Option<Chunk<I::Item, E>> {
        let lineup = &self.segment.deliver;
        let Given { items, indices, credit: ended, mut pieces, ended: count, read } = given;
        let span = items.len();
        // What the items took up of an earlier bound is free; what they weigh goes on with them.
        run.free(Credit { items: 0, weight: 0, ..ended });
        let credit = Credit { expanded: span, expansion: lineup.expansion, ..ended };
        let credit_only = span == 0 && failure.is_none();
        let goes_on = !credit_only || ended.items > 0;
        let first =
            self.next.fetch_add(if credit_only { usize::from(goes_on) } else { span }, Ordering::SeqCst);
        run.expansions[lineup.expansion].end(count);
        if goes_on && credit.items == 0 {
            // One of theirs, or one of its own.
            match pieces {
                0 => run.note_piece(),
                _ => pieces -= 1,
            }
        }
        if !goes_on {
            run.free(credit);
        }
        for _ in 0..pieces {
            run.release(Credit::NONE);
        }
        if credit_only {
            return goes_on.then(|| Chunk::credit_only(first, credit, now, now));
        }
        let origin = match &failure {
            Some(failure) if span == 0 => Origin::Dense(failure.index),
            _ => Origin::Listed(indices),
        };
        let (spent, read) = (now.saturating_duration_since(start), read.unwrap_or(now));
        Some(Chunk { first, span, items, origin, credit, failure, spent, since: now, read })
    }
}

impl<P, S, U, F, I, E> Upstream<E> for Expanding<P, S, P::Item, U, F, I, E>
where
    P: Upstream<E>,
    S: Step<P::Item, E, Out = U>,
    U: Send,
    F: FnMut(U) -> I + Send,
    I: IntoIterator,
    I::IntoIter: Send,
    I::Item: Send,
    E: Send,
{
    type Item = I::Item;
    type Local = SegmentLocal<P::Local, S::Local, U>;

    fn begin(&self, run: &Run<E>) {
        self.segment.begin(run);
        self.segment.deliver.queued.begin(&run.board, self.segment.deliver.stage);
    }

    fn local(&self) -> Self::Local {
        self.segment.local()
    }

    fn advance(
        &self,
        run: &Run<E>,
        me: &mut Worker,
        local: &mut Self::Local,
        want: usize,
    ) -> Advance<Self::Item, E> {
        if let Some(given) = self.give(run, me, want) {
            return given;
        }
        if self.segment.work(run, me, local) { Advance::Worked } else { Advance::Nothing }
    }

    fn attend(&self, run: &Run<E>, me: &mut Worker, crew: usize, counts: &mut Counts, calls: &mut Calls) {
        self.segment.up.attend(run, me, crew, counts, calls);
    }

    fn total(&self, run: &Run<E>) -> Option<usize> {
        let all_came = self.segment.has_delivered_all(run);
        // What waits is counted out after `next` has moved.
        let all_given = all_came && !run.expansions[self.segment.deliver.expansion].is_waiting();
        all_given.then(|| self.next.load(Ordering::SeqCst))
    }

    fn recycle(&self, _: &mut Self::Local, _: Vec<Self::Item>) {}

    fn paced(&self, _: &Run<E>, _: usize) {}

    fn settle(&self, me: &Worker, local: &Self::Local, tally: &mut Tally) {
        self.segment.settle(me, local, tally);
    }

    fn conclude(&self, tally: &mut Tally) {
        self.segment.conclude(tally);
        let (stage, current) = (self.segment.deliver.stage, self.current.lock());
        tally.timed[stage].add(&current.pulse.calls);
        let report = &mut tally.stages[stage];
        report.items_in += current.begun;
        report.items_out += current.given;
        report.panicked += current.panicked;
        report.busy += current.busy;
    }

    fn give_up(&self) {
        self.segment.give_up();
    }
}
