//! A serial point that gathers items: what comes out is a vector of them, passed on when it is full, or when nothing more can come.
//!
//! # Invariants
//! 1. While items are held the run is not finished: there is credit among them, or a piece ([`Run::note_piece`]) stands for them. Where every
//!    item stands for one source item each keeps its own credit. Otherwise all credit goes with the batches that go, and is held if none does: so
//!    where order is kept the window counts too few by one chunk at most, the one whose first results went on in a batch and whose last are held. (To let
//!    its credit go on behind that batch would keep the window and count as finished what is held; the report is the one that must not lie.)
//! 2. The credit of what is held is known to the run ([`Run::hold`]), which reads on for it: a batch that is larger than the window
//!    fills all the same.
//! 3. The rest is passed on by whoever finds that all that comes from above has been delivered here; it looks after the source has
//!    ended and after the turn has moved, and one of the two that do these comes last.
//! 4. Where an item is held no longer than so long, whoever makes an item the first of those that are held says until when, and rings
//!    ([`Run::stir`]): so a worker that parks does so until then. It has no need of the turn: what is held has had its own.
//!
//! Lock order: `state`, which is taken by whoever has the turn, at the end by whoever looks first, and when its time has come by whoever
//! gets it without waiting; then `due`, a leaf. User code runs under `state`.

use std::sync::Arc;

use crate::panics;
use crate::sync::time::{self, Duration, Instant};
use crate::sync::{Mutex, Padded};

use super::chunk::{Chunk, Origin};
use super::credit::Credit;
use super::deliver::{Deliver, Relay};
use super::error::{Failure, What};
use super::feed::Feed;
use super::gather::{Cut, Gather};
use super::run::Run;
use super::tally::Tally;
use super::timed::Pulse;
use super::worker::Worker;

/// The batch that is being filled.
struct Held<U> {
    items: Vec<U>,
    /// The index of its first item in the source.
    index: u64,
    credit: Credit,
    /// A piece of the run stands for them, because there is no credit.
    piece: bool,
    /// When the earliest of what goes next had been read.
    read: Option<Instant>,
    /// When the first of them came.
    since: Option<Instant>,
}

struct State<G, U> {
    gather: G,
    held: Held<U>,
    /// Items that went on, and the batches that they went in.
    taken: u64,
    passed: u64,
    panicked: u64,
    busy: Duration,
    waiting: Duration,
    pulse: Pulse,
    /// The place of the next batch in the order of the segment below.
    next: usize,
    /// What went on last is a piece whose credit is still to come, or may be.
    is_cut: bool,
    /// Nothing more will come.
    over: bool,
}

/// A stage that gathers items into batches, in front of a segment.
#[allow(missing_debug_implementations)] // part of a running pipeline, which nobody can name
pub struct Batch<G, U, E> {
    stage: usize,
    state: Padded<Mutex<State<G, U>>>,
    /// How long an item is held at most, and until when the first of those that are is.
    timeout: Option<Duration>,
    due: Mutex<Option<Instant>>,
    below: Arc<Feed<Vec<U>, E>>,
}

/// What goes on of a chunk.
#[derive(Debug)]
struct Full<U> {
    batches: Vec<Vec<U>>,
    indices: Vec<u64>,
}

// Both hold items that were to go together, when the run is over before.
impl<U> Drop for Held<U> {
    fn drop(&mut self) {
        panics::drop_each_quietly(self.items.drain(..));
    }
}

impl<U> Drop for Full<U> {
    fn drop(&mut self) {
        panics::drop_each_quietly(self.batches.drain(..).flatten());
    }
}

impl<U> Full<U> {
    fn close(&mut self, held: &mut Held<U>) {
        if held.items.is_empty() {
            return;
        }
        self.indices.push(held.index);
        self.batches.push(std::mem::take(&mut held.items));
        held.since = None;
    }
}

impl<G, U, E> Batch<G, U, E> {
    pub(super) fn new(
        stage: usize,
        gather: G,
        timeout: Option<Duration>,
        below: Arc<Feed<Vec<U>, E>>,
    ) -> Self {
        let empty = State {
            gather,
            held: Held {
                items: Vec::new(),
                index: 0,
                credit: Credit::NONE,
                piece: false,
                read: None,
                since: None,
            },
            taken: 0,
            passed: 0,
            panicked: 0,
            busy: Duration::ZERO,
            waiting: Duration::ZERO,
            pulse: Pulse::default(),
            next: 0,
            is_cut: false,
            over: false,
        };
        Self { stage, state: Padded(Mutex::new(empty)), timeout, due: Mutex::new(None), below }
    }

    /// What is held has changed: its time runs from when the first of it came.
    fn set_due(&self, run: &Run<E>, held: &Held<U>) {
        let Some(timeout) = self.timeout else { return };
        // One that never comes is none.
        let due = held.since.and_then(|since| since.checked_add(timeout));
        let before = std::mem::replace(&mut *self.due.lock(), due);
        if due.is_some() && due != before {
            run.stir();
        }
    }

    /// Passes on what is held.
    fn pass_held(&self, run: &Run<E>, state: &mut State<G, U>, now: Instant) {
        let mut full = Full { batches: Vec::new(), indices: Vec::new() };
        let end = state.held.index + state.held.items.len() as u64;
        full.close(&mut state.held);
        self.pass(run, state, full, None, (0, Credit::NONE, false, end), now);
        self.set_due(run, &state.held);
    }

    /// Passes batches on, with the credit that came and was held (invariant 1). `dense`: every item stands for one source item.
    fn pass(
        &self,
        run: &Run<E>,
        state: &mut State<G, U>,
        mut full: Full<U>,
        failure: Option<Box<Failure<E>>>,
        (came, credit, dense, end): (usize, Credit, bool, u64),
        since: Instant,
    ) {
        let goes_on = !full.batches.is_empty() || failure.is_some();
        let rest = state.held.items.len();
        // All that came is held, so its credit is too: what goes has what was held before.
        let apart = goes_on && came > 0 && rest == came;
        let available = state.held.credit.plus(credit);
        let held = match (goes_on, dense && available.is_plain()) {
            (false, _) if rest == 0 => Credit::NONE, // all that came was filtered out
            (false, _) => available,
            (true, true) => Credit::of(available.items.min(rest)),
            (true, false) if apart => credit,
            (true, false) => Credit::NONE,
        };
        run.hold(state.held.credit, held);
        state.held.credit = held;
        let had_piece = std::mem::take(&mut state.held.piece);
        if rest > 0 && held.items == 0 {
            run.note_piece();
            state.held.piece = true;
        }
        if goes_on {
            let credit = available.minus(held);
            state.is_cut = credit.items == 0 || !dense;
            if credit.items == 0 {
                run.note_piece();
            }
            let span = full.batches.len();
            let origin = Origin::Spans { starts: std::mem::take(&mut full.indices), end };
            let first = state.next;
            state.next += span;
            state.passed += span as u64;
            state.taken += full.batches.iter().map(|batch| batch.len() as u64).sum::<u64>();
            let items = std::mem::take(&mut full.batches);
            let read = state.held.read.unwrap_or(since);
            let passed =
                Chunk { first, span, items, origin, credit, failure, spent: Duration::ZERO, since, read };
            self.below.put(run, passed);
        }
        if had_piece {
            run.release(Credit::NONE);
        }
        if !goes_on && rest == 0 {
            if available.items == 0 {
                run.note_piece(); // of its own, which goes with it
            }
            let State { next, is_cut, .. } = state;
            self.below.put_credit(run, (next, is_cut), available, (since, since));
        }
    }
}

impl<G, U, E> Deliver<U, E> for Batch<G, U, E>
where
    U: Send,
    E: Send,
    G: Gather<U>,
{
    const SHARED: bool = true;

    fn deliver(&self, run: &Run<E>, me: &mut Worker, chunk: &mut Chunk<U, E>) -> bool {
        let mut state = self.state.lock();
        let state = &mut *state;
        me.log.enter(self.stage, me.now);
        state.waiting += me.now.saturating_duration_since(chunk.since);
        let mut full = Full { batches: Vec::new(), indices: Vec::new() };
        let mut place = 0;
        let (mut plain, steps) = (state.pulse.plain(), me.log.steps());
        let mut rest = chunk.items.drain(..);
        let outcome = panics::catch(
            || me.stage_name(self.stage),
            || {
                while !run.stopped() {
                    let Some(item) = rest.next() else { break };
                    let start = (plain == 0).then(time::now);
                    steps.call(start, plain);
                    let cut = state.gather.look(&item, state.held.items.len());
                    if matches!(cut, Cut::Before | Cut::Around) {
                        full.close(&mut state.held);
                    }
                    if state.held.items.is_empty() {
                        state.held.index = chunk.origin.index(place);
                        state.held.since = Some(me.now);
                    }
                    state.held.items.push(item);
                    place += 1;
                    match start {
                        Some(start) => plain = state.pulse.timed(start),
                        None => plain -= 1,
                    }
                    if matches!(cut, Cut::After | Cut::Around) {
                        full.close(&mut state.held);
                    }
                }
            },
        );
        let left: Vec<_> = rest.collect();
        chunk.items.extend(left);
        let now = time::now();
        let spent = now.saturating_duration_since(me.now);
        state.busy += spent;
        state.pulse.learn(spent, place, plain);
        me.now = now;
        me.log.leave(place, now);
        let failure = match outcome {
            Ok(()) => chunk.failure.take(),
            Err(panic) => {
                state.panicked += 1;
                // What this stage has gathered before still goes on; nothing after it is needed.
                run.end_source();
                let index = chunk.origin.index(place);
                Some(Box::new(Failure { stage: self.stage, index, what: What::Panic(panic) }))
            }
        };
        if failure.as_ref().is_some_and(|failure| run.halt_if_reaction(failure)) || run.stopped() {
            return false;
        }
        let failed = failure.is_some();
        if failed {
            full.close(&mut state.held);
        }
        // What follows the last item of these batches: the failure, the held ones, or else what comes next.
        let end = match &failure {
            Some(failure) => failure.index,
            None if state.held.items.is_empty() => chunk.origin.end(place),
            None => state.held.index,
        };
        let dense = chunk.origin.is_dense();
        let goes_on = !full.batches.is_empty();
        state.held.read = state.held.read.or(Some(chunk.read));
        self.pass(run, state, full, failure, (place, chunk.credit, dense, end), now);
        state.held.read = match state.held.read {
            _ if state.held.items.is_empty() => None,
            _ if goes_on => Some(chunk.read),
            earlier => earlier,
        };
        if chunk.credit.items == 0 {
            run.release(Credit::NONE); // it was a piece itself
        }
        self.set_due(run, &state.held);
        // After a failure nothing more may come: the turn is not passed on.
        !failed
    }

    fn flush(&self, run: &Run<E>) -> bool {
        let mut state = self.state.lock();
        let state = &mut *state;
        state.over = true;
        if state.held.items.is_empty() || run.stopped() {
            return false;
        }
        self.pass_held(run, state, time::now());
        true
    }

    fn due(&self) -> Option<Instant> {
        self.timeout.and_then(|_| *self.due.lock())
    }

    fn flush_due(&self, run: &Run<E>, now: Instant) -> bool {
        // Whoever has it says afterwards what is due.
        let Some(mut state) = self.state.try_lock() else { return false };
        let is_due = self.due.lock().is_some_and(|due| due <= now);
        if !is_due || state.held.items.is_empty() || run.stopped() {
            return false;
        }
        self.pass_held(run, &mut state, now);
        true
    }

    fn conclude(&self, tally: &mut Tally) {
        let state = self.state.lock();
        tally.timed[self.stage].add(&state.pulse.calls);
        let report = &mut tally.stages[self.stage];
        report.items_in += state.taken + state.panicked;
        report.items_out += state.passed;
        report.panicked += state.panicked;
        report.busy += state.busy;
        report.waiting += state.waiting;
    }
}

impl<G, U, E> Relay<U, E> for Batch<G, U, E>
where
    U: Send,
    E: Send,
    G: Gather<U>,
{
    type Out = Vec<U>;

    fn discard(batches: Vec<Vec<U>>) {
        panics::drop_each_quietly(batches.into_iter().flatten());
    }

    fn passed(&self) -> Option<usize> {
        let state = self.state.lock();
        state.over.then_some(state.next)
    }
}
