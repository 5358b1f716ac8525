//! The serial point in front of a stage that expands items: where they wait in order.
//!
//! # Invariants
//! 1. Every item has a credit of a source item with it, or a piece ([`Run::note_piece`]) stands for it: so the run is not finished while one waits.
//! 2. The stage's [`Expansion`](super::super::expansion::Expansion) counts what waits before anybody can take it, and not before it is
//!    there.
//!
//! Lock order: `state` is a leaf; no user code runs under it.

use std::collections::VecDeque;

use super::super::board::Gauge;
use super::super::chunk::Chunk;
use super::super::credit::Credit;
use super::super::deliver::Deliver;
use super::super::error::Failure;
use super::super::run::Run;
use super::super::tally::Tally;
use super::super::worker::Worker;
use crate::sync::time::{Duration, Instant};
use crate::sync::{Mutex, Padded};

/// An item that is to be expanded.
#[derive(Debug)]
pub(super) struct Waiting<U> {
    /// `None`: its credit comes alone, after pieces of the same chunk.
    pub(super) item: Option<U>,
    /// Its index in the source.
    pub(super) index: u64,
    pub(super) credit: Credit,
    pub(super) since: Instant,
    /// When the chunk that it came in had been read.
    pub(super) read: Instant,
}

/// What comes next.
#[derive(Debug)]
pub(super) enum Next<U, E> {
    Item(Waiting<U>),
    /// What ends the run once everything before it has gone on.
    Failure(Box<Failure<E>>),
}

#[derive(Debug)]
struct State<U, E> {
    items: VecDeque<Waiting<U>>,
    failure: Option<Box<Failure<E>>>,
    waiting: Duration,
}

/// The items that wait to be expanded.
#[allow(missing_debug_implementations)] // part of a running pipeline, which nobody can name
pub(super) struct Lineup<U, E> {
    pub(super) stage: usize,
    /// Which of the stages that expand it is.
    pub(super) expansion: usize,
    state: Padded<Mutex<State<U, E>>>,
    pub(super) queued: Gauge,
}

impl<U, E> Lineup<U, E> {
    pub(super) fn new(stage: usize, expansion: usize) -> Self {
        let empty = State { items: VecDeque::new(), failure: None, waiting: Duration::ZERO };
        Self { stage, expansion, state: Padded(Mutex::new(empty)), queued: Gauge::default() }
    }

    /// Takes what comes next.
    pub(super) fn take(&self, now: Instant) -> Option<Next<U, E>> {
        let mut state = self.state.lock();
        if let Some(item) = state.items.pop_front() {
            state.waiting += now.saturating_duration_since(item.since);
            self.queued.sub(usize::from(item.item.is_some()));
            return Some(Next::Item(item));
        }
        state.failure.take().map(Next::Failure)
    }
}

impl<U: Send, E: Send> Deliver<U, E> for Lineup<U, E> {
    const SHARED: bool = true;

    fn deliver(&self, run: &Run<E>, me: &mut Worker, chunk: &mut Chunk<U, E>) -> bool {
        let failure = chunk.failure.take();
        if failure.as_ref().is_some_and(|failure| run.halt_if_reaction(failure)) || run.stopped() {
            return false;
        }
        let (count, failed) = (chunk.items.len(), failure.is_some());
        if count == 0 && !failed && chunk.credit.is_none() {
            run.release(chunk.credit);
            return true;
        }
        // Otherwise all of it goes with the last, so that the window does not count too few while the others are on their way.
        let each_its_own = chunk.origin.is_dense() && chunk.credit == Credit::of(count);
        for _ in 1..if each_its_own { 0 } else { count } {
            run.note_piece();
        }
        let alone = count == 0 && !failed;
        self.queued.add(count);
        let (since, read) = (me.now, chunk.read);
        let mut state = self.state.lock();
        state.items.extend(chunk.items.drain(..).enumerate().map(|(place, item)| {
            let credit = match each_its_own {
                true => Credit::of(1),
                false if place + 1 == count => chunk.credit,
                false => Credit::NONE,
            };
            Waiting { item: Some(item), index: chunk.origin.index(place), credit, since, read }
        }));
        if alone {
            state.items.push_back(Waiting { item: None, index: 0, credit: chunk.credit, since, read });
        }
        state.failure = failure;
        run.expansions[self.expansion].come(count + usize::from(failed) + usize::from(alone));
        drop(state);
        run.wake_one();
        // After a failure nothing more may come: the turn is not passed on.
        !failed
    }

    fn take_waiting(&self) -> Vec<(u64, U)> {
        let items = std::mem::take(&mut self.state.lock().items);
        items.into_iter().filter_map(|waiting| Some((waiting.index, waiting.item?))).collect()
    }

    fn conclude(&self, tally: &mut Tally) {
        tally.stages[self.stage].waiting += self.state.lock().waiting;
    }
}
