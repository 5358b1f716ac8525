//! Where a segment's results go, one chunk after the other: a serial point in front of the next segment, the sink, or a thread
//! that owns the sink.
//!
//! Lock order: `state` is taken by whoever has the turn, so it is never contended; user code runs under it.

use crate::observe::Histogram;
use crate::panics;
use crate::sync::time::{self, Duration, Instant};
use crate::sync::{Mutex, Padded};

use super::chunk::Chunk;
use super::error::{Failure, What};
use super::run::Run;
use super::sink::{Refused, Sink};
use super::tally::Tally;
use super::timed::{Pulse, nanoseconds};
use super::worker::Worker;

/// Takes a segment's results.
pub trait Deliver<U, E>: Sync {
    /// False where one thread alone takes results, in its own time.
    const SHARED: bool;

    /// Delivers a chunk and empties it; false when the run is over, and then it has left the items in it that it has not begun.
    fn deliver(&self, run: &Run<E>, me: &mut Worker, chunk: &mut Chunk<U, E>) -> bool;

    /// Passes on what it holds, when nothing more comes from above; false if it holds nothing.
    fn flush(&self, _: &Run<E>) -> bool {
        false
    }

    /// Until when it holds what it holds at most: it is to be [passed on](Self::flush_due) then.
    fn due(&self) -> Option<Instant> {
        None
    }

    /// Passes on what it holds, if it is due; false if not, or if somebody is at it.
    fn flush_due(&self, _: &Run<E>, _: Instant) -> bool {
        false
    }

    /// Takes what waits here and was never begun, each with its index in the source, once all workers have ended.
    fn take_waiting(&self) -> Vec<(u64, U)> {
        Vec::new()
    }

    /// Adds up what was counted, once all workers have ended.
    fn conclude(&self, tally: &mut Tally);
}

/// What a serial point counts.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) taken: u64,
    pub(super) failed: u64,
    pub(super) panicked: u64,
    pub(super) busy: Duration,
    pub(super) waiting: Duration,
    pub(super) pulse: Pulse,
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
    pub(super) fn miss<E>(&mut self, what: &What<E>) {
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

/// How much of a chunk a sink has taken that refused nothing.
enum Taken {
    All,
    /// The run is over.
    InPart,
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
    let (mut skipped, steps) = (0, me.log.steps());
    // So many calls are not timed, from that item on.
    let (mut plain, mut from) = (counts.pulse.plain(), 0);
    let origin = &chunk.origin;
    let mut rest = chunk.items.drain(..);
    let all = rest.len();
    let outcome = panics::catch(
        || me.stage_name(stage),
        || -> Result<Taken, Refused<E>> {
            let attention = run.attention();
            let mut accept = |item, place| match sink.accept(item, || origin.index(place), &run.end) {
                Err(Refused::Skipped) => {
                    skipped += 1;
                    Ok(())
                }
                outcome => outcome,
            };
            let is_over = |left: usize| attention.may_be_over() && left > 0 && run.stopped();
            if is_over(all) {
                return Ok(Taken::InPart);
            }
            loop {
                let mut left = plain;
                while left > 0 {
                    let Some(item) = rest.next() else { return Ok(Taken::All) };
                    steps.plain(left);
                    accept(item, all - rest.len() - 1)?;
                    left -= 1;
                    if is_over(rest.len()) {
                        return Ok(Taken::InPart);
                    }
                }
                let Some(item) = rest.next() else { return Ok(Taken::All) };
                let start = time::now();
                steps.timed(start);
                let outcome = accept(item, all - rest.len() - 1);
                (plain, from) = (counts.pulse.timed(start), all - rest.len());
                outcome?;
                if is_over(rest.len()) {
                    return Ok(Taken::InPart);
                }
            }
        },
    );
    let left: Vec<_> = rest.collect();
    // What was taken out is taken, but for the item that was refused.
    let called = all - left.len();
    let taken = called - usize::from(!matches!(outcome, Ok(Ok(_))));
    let plain = plain.saturating_sub(called - from);
    chunk.items.extend(left);
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
        Ok(Ok(Taken::All)) => {
            let Some(failure) = chunk.failure.take() else {
                run.release(chunk.credit);
                return true;
            };
            let index = failure.index;
            run.count_in_part(chunk.origin.sources_before_failure(taken, chunk.credit.items, index));
            run.fail(failure);
            return false;
        }
        Ok(Ok(Taken::InPart) | Err(Refused::Stopped | Refused::Skipped)) => None,
        Ok(Err(Refused::Failed(what))) => Some(what),
        Err(panic) => Some(What::Panic(panic)),
    };
    run.count_in_part(chunk.origin.sources_before(taken, chunk.credit.items));
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

    /// Drops results that nobody wants any more. Quietly: see [`Upstream::take_back`](super::upstream::Upstream::take_back).
    fn discard(results: Vec<Self::Out>) {
        panics::drop_each_quietly(results);
    }

    /// How many places of the order of the segment below it has filled; `None` while it may still hold something. Asked when nothing
    /// more comes from above.
    fn passed(&self) -> Option<usize>;
}
