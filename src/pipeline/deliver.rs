//! Where a segment's results go, one chunk after the other: a serial stage in front of the next segment, the sink, or a thread
//! that owns the sink.
//!
//! Lock order: `state` is taken by whoever has the turn, so it is never contended; user code runs under it.

use std::sync::Arc;

use crate::observe::Histogram;
use crate::panics;
use crate::sync::time::{self, Duration, Instant};
use crate::sync::{Mutex, Padded};

use super::calls::SerialCall;
use super::chunk::Chunk;
use super::error::{Failure, What};
use super::feed::Feed;
use super::run::Run;
use super::sink::{Refused, Sink};
use super::tally::Tally;
use super::timed::{Pulse, nanoseconds};
use super::worker::Worker;

/// Takes a segment's results.
pub trait Deliver<U, E>: Sync {
    /// False where one thread alone takes results, in its own time.
    const SHARED: bool;

    /// Delivers a chunk and empties it; false when the run is over.
    fn deliver(&self, run: &Run<E>, me: &mut Worker, chunk: &mut Chunk<U, E>) -> bool;

    /// Passes on what it holds, when nothing more comes from above; false if it holds nothing.
    fn flush(&self, _: &Run<E>) -> bool {
        false
    }

    /// Adds up what was counted, once all workers have ended.
    fn conclude(&self, tally: &mut Tally);
}

/// What a serial point counts.
#[derive(Debug, Default)]
pub(super) struct Counts {
    taken: u64,
    failed: u64,
    panicked: u64,
    busy: Duration,
    waiting: Duration,
    pulse: Pulse,
    /// Of the items that left the pipeline here, since they were read.
    latency: Histogram,
}

impl Counts {
    /// A chunk is handed out whose items the caller takes himself.
    pub(super) fn hand_out<U, E>(&mut self, chunk: &Chunk<U, E>, now: Instant) {
        let items = chunk.items.len() as u64;
        self.taken += items;
        self.waiting += now.saturating_duration_since(chunk.since);
        self.latency.record(nanoseconds(now.saturating_duration_since(chunk.read)), items);
    }

    /// The caller has spent so long with that many of them, and left some.
    pub(super) fn used(&mut self, spent: Duration, items: usize, left: usize) {
        self.busy += spent;
        self.taken -= left as u64;
        if let Some(each) = u32::try_from(items).ok().and_then(|items| spent.checked_div(items)) {
            self.pulse.calls.record(each, items as u64);
        }
    }

    /// One item did not get through.
    fn miss<E>(&mut self, what: &What<E>) {
        match what {
            What::Panic(_) => self.panicked += 1,
            _ => self.failed += 1,
        }
    }

    pub(super) fn add_to(&self, stage: usize, tally: &mut Tally) {
        tally.timed[stage].add(&self.pulse.calls);
        tally.latency.add(&self.latency);
        let report = &mut tally.stages[stage];
        report.items_in += self.taken + self.failed + self.panicked;
        report.items_out += self.taken;
        report.failed += self.failed;
        report.panicked += self.panicked;
        report.busy += self.busy;
        report.waiting += self.waiting;
    }
}

/// Feeds a chunk to a sink, item by item; false when the run is over.
pub(super) fn drain<U, E, K: Sink<U, E>>(
    run: &Run<E>,
    me: &mut Worker,
    stage: usize,
    sink: &mut K,
    counts: &mut Counts,
    chunk: &mut Chunk<U, E>,
) -> bool {
    me.log.enter(stage, me.now);
    counts.waiting += me.now.saturating_duration_since(chunk.since);
    let (mut taken, mut skipped) = (0, 0);
    let mut plain = counts.pulse.plain();
    let origin = &chunk.origin;
    let outcome = panics::catch(
        || me.stage_name(stage),
        || -> Result<(), Refused<E>> {
            for item in chunk.items.drain(..) {
                if run.stopped() {
                    return Err(Refused::Stopped);
                }
                let start = (plain == 0).then(time::now);
                let outcome = sink.accept(item, || origin.index(taken), &run.end);
                match start {
                    Some(start) => plain = counts.pulse.timed(start, 1),
                    None => plain -= 1,
                }
                match outcome {
                    Err(Refused::Skipped) => skipped += 1,
                    outcome => outcome?,
                }
                taken += 1;
            }
            Ok(())
        },
    );
    let now = time::now();
    let spent = now.saturating_duration_since(me.now);
    counts.busy += spent;
    counts.pulse.learn(spent, taken, plain);
    counts.taken += taken as u64 - skipped;
    counts.failed += skipped;
    counts.latency.record(nanoseconds(now.saturating_duration_since(chunk.read)), taken as u64);
    me.now = now;
    me.log.leave(taken, now);
    let what = match outcome {
        Ok(Ok(())) => {
            let Some(failure) = chunk.failure.take() else {
                run.release(chunk.credit);
                return true;
            };
            run.count_in_part(chunk.origin.sources_before(taken, chunk.credit));
            run.fail(failure);
            return false;
        }
        Ok(Err(Refused::Stopped | Refused::Skipped)) => None,
        Ok(Err(Refused::Failed(what))) => Some(what),
        Err(panic) => Some(What::Panic(panic)),
    };
    run.count_in_part(chunk.origin.sources_before(taken, chunk.credit));
    if let Some(what) = what {
        counts.miss(&what);
        let failure = Box::new(Failure { stage, index: chunk.origin.index(taken), what });
        if !run.halt_if_reaction(&failure) {
            run.fail(failure);
        }
    }
    false
}

/// A sink that any worker may run.
pub(super) struct Shared<K> {
    stage: usize,
    state: Padded<Mutex<(K, Counts)>>,
}

impl<K> Shared<K> {
    pub(super) fn new(stage: usize, sink: K) -> Self {
        Self { stage, state: Padded(Mutex::new((sink, Counts::default()))) }
    }

    pub(super) fn into_sink(self) -> K {
        self.state.0.into_inner().0
    }
}

impl<U, E, K: Sink<U, E> + Send> Deliver<U, E> for Shared<K> {
    const SHARED: bool = true;

    fn deliver(&self, run: &Run<E>, me: &mut Worker, chunk: &mut Chunk<U, E>) -> bool {
        let mut state = self.state.lock();
        let (sink, counts) = &mut *state;
        drain(run, me, self.stage, sink, counts, chunk)
    }

    fn conclude(&self, tally: &mut Tally) {
        self.state.lock().1.add_to(self.stage, tally);
    }
}

/// The sink belongs to one thread, which takes the chunks from the segment's [`Turn`](super::turn::Turn) itself.
#[derive(Debug)]
pub(super) struct Owned;

impl<U, E> Deliver<U, E> for Owned {
    const SHARED: bool = false;

    fn deliver(&self, _: &Run<E>, _: &mut Worker, _: &mut Chunk<U, E>) -> bool {
        unreachable!("chunks for an owned sink are always parked")
    }

    fn conclude(&self, _: &mut Tally) {}
}

/// A delivery that passes something on to a segment below.
pub trait Relay<U, E>: Deliver<U, E> {
    /// What it passes on.
    type Out: Send;

    /// How many places of the order of the segment below it has filled; `None` while it may still hold something. Asked when nothing
    /// more comes from above.
    fn passed(&self) -> Option<usize>;
}

struct SerialState<G> {
    call: G,
    counts: Counts,
    /// The place of the next item in the order of the segment below.
    next: usize,
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
        let serial = SerialState { call, counts: Counts::default(), next: 0 };
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
        let SerialState { call, counts, next } = &mut *state;
        me.log.enter(self.stage, me.now);
        counts.waiting += me.now.saturating_duration_since(chunk.since);
        let mut plain = counts.pulse.plain();
        let mut items = Vec::with_capacity(chunk.items.len());
        let (mut done, mut dropped) = (0, Vec::new());
        let origin = &chunk.origin;
        let outcome = panics::catch(
            || me.stage_name(self.stage),
            || -> Result<(), What<E>> {
                for item in chunk.items.drain(..) {
                    if run.stopped() {
                        break;
                    }
                    let start = (plain == 0).then(time::now);
                    let outcome = call.call(item, || origin.index(done), &run.end);
                    match start {
                        Some(start) => plain = counts.pulse.timed(start, 1),
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
            return false;
        }
        if items.is_empty() && failure.is_none() {
            run.release(chunk.credit);
            return true;
        }
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
