//! Reading the source: one reader at a time, in bursts, without letting an item wait behind a source that blocks.
//!
//! # Invariants
//! 1. Nobody parks on `source`: workers only try its lock, and whoever has it reads one chunk.
//! 2. What the reader has read of its chunk before a read that may block lies in `open`, where another worker takes it if
//!    the reader does not move for [`STALL`]. So no item waits behind a source that blocks, unless the source has shown
//!    itself to be fast (`trust`), or there is no other worker (then a chunk ends before such a read).
//! 3. `read` counts an item only after it lies in the reader's hands, and at most `room()` items are asked for. The item at which the
//!    source fails counts too.
//!
//! Lock order: `source`, then `open` or `undone`. The user's iterator runs under `source` alone.

use crate::panics;
use crate::sync::atomic::Ordering;
use crate::sync::time::{self, Duration, Instant};
use crate::sync::{Mutex, Padded, hint};

use super::chunk::{Chunk, Origin};
use super::credit::Credit;
use super::error::{Failure, What};
use super::reorder::Counts;
use super::report::StageReport;
use super::run::Run;
use super::source::{Readiness, Reading, Source};
use super::tally::Tally;
use super::timed::Calls;
use super::trusted::Trusted;
use super::upstream::{Advance, Upstream};
use super::worker::Worker;

/// A reader that has not moved for this long is taken to be blocked.
const STALL: Duration = Duration::from_micros(5);

/// The stage number of every source.
const SOURCE: usize = 0;

/// The head of a pipeline: the source, and what of it is in the reader's hands.
#[allow(missing_debug_implementations)] // part of a running pipeline, which nobody can name
pub struct Reader<S, T> {
    source: Padded<Mutex<Trusted<S>>>,
    readiness: Readiness,
    /// First place and items: invariant 2.
    open: Padded<Mutex<(usize, Vec<T>)>>,
    /// What was never begun, with the index of its first; for the source, once all workers have ended.
    undone: Mutex<Vec<(u64, Vec<T>)>>,
}

/// What a worker keeps for the source.
#[derive(Debug)]
pub struct ReaderLocal<T> {
    /// An empty buffer to read into.
    spare: Vec<T>,
    /// `read` as it was when the worker last saw it move, and when that was.
    seen: Option<(usize, Instant)>,
    busy: Duration,
    failed: u64,
    panicked: u64,
}

impl<S, T> Reader<S, T> {
    pub(super) fn new(source: S, readiness: Readiness) -> Self {
        Self {
            source: Padded(Mutex::new(Trusted::new(source))),
            readiness,
            open: Padded(Mutex::new((0, Vec::new()))),
            undone: Mutex::new(Vec::new()),
        }
    }

    /// Makes what has been read so far visible to the others.
    fn publish<E>(&self, run: &Run<E>, first: usize, items: &mut Vec<T>) {
        let mut open = self.open.lock();
        if open.1.is_empty() {
            open.0 = first;
            std::mem::swap(items, &mut open.1);
            run.opened.store(true, Ordering::SeqCst);
            drop(open);
            run.wake_one();
        } else {
            open.1.append(items);
        }
    }

    /// Takes what a blocked reader has read, once it has not moved for long enough.
    fn steal<E>(&self, run: &Run<E>, local: &mut ReaderLocal<T>) -> Option<Chunk<T, E>> {
        let read = run.read.load(Ordering::Relaxed);
        let now = time::now();
        match local.seen {
            Some((seen, since)) if seen == read => {
                if now.saturating_duration_since(since) > STALL {
                    let mut open = self.open.lock();
                    if !open.1.is_empty() {
                        let items = std::mem::replace(&mut open.1, std::mem::take(&mut local.spare));
                        run.opened.store(false, Ordering::SeqCst);
                        return Some(source_chunk(open.0, items, None, now, Duration::ZERO));
                    }
                }
            }
            _ => local.seen = Some((read, now)),
        }
        // The reader is at work: do not disturb its cache lines meanwhile.
        for _ in 0..48 {
            hint::spin_loop();
        }
        None
    }

    /// Takes what was never begun. Not to the source itself: another worker may be waiting in it, and these items may be what it waits for.
    fn keep_undone<E>(&self, first: u64, items: Vec<T>)
    where
        S: Source<E, Item = T>,
    {
        if !S::TAKES_BACK {
            panics::drop_each_quietly(items);
        } else if !items.is_empty() {
            self.undone.lock().push((first, items));
        }
    }

    /// Puts what was published and nobody took in front of the items again.
    fn take_back_published<E>(&self, run: &Run<E>, items: &mut Vec<T>) {
        if run.opened.load(Ordering::Relaxed) {
            let mut open = self.open.lock();
            open.1.append(items);
            std::mem::swap(items, &mut open.1);
            run.opened.store(false, Ordering::SeqCst);
        }
    }

    /// Reads one chunk of at most `want` items.
    fn pull<E>(
        &self,
        run: &Run<E>,
        trusted: &mut Trusted<S>,
        me: &mut Worker,
        local: &mut ReaderLocal<T>,
        want: usize,
        may_wait: bool,
    ) -> Option<Chunk<T, E>>
    where
        S: Source<E, Item = T>,
    {
        if run.source_ended() {
            return None; // ended between the look and the lock
        }
        let polled = self.readiness == Readiness::Polled;
        let alone = run.alone.load(Ordering::Relaxed);
        let mut want = want.min(run.room());
        if S::ONE_BY_ONE {
            want = want.min(1);
        }
        if alone && !polled {
            want = want.min(trusted.trust);
        }
        let start = run.read.load(Ordering::Relaxed);
        let mut items = std::mem::take(&mut local.spare);
        me.log.enter(SOURCE, me.now);
        let (mut calls, mut plain) = (0, trusted.pulse.plain());
        let (mut got, mut ended, mut failure) = (0, false, None);
        while got < want && !ended && !run.source_ended() && !run.stopped() {
            if run.is_closed() && !trusted.source.has_waiting() {
                // Of a cancelled run too: that is no end of its source.
                ended = !run.stopped();
                break;
            }
            if !items.is_empty() && !polled && !alone {
                self.publish(run, start + got - items.len(), &mut items);
            }
            let limit = if polled { want - got } else { trusted.trust.min(want - got) };
            let before = items.len();
            let timed = (plain == 0).then(time::now);
            let inside = me.step.spans.enter(SOURCE);
            let waits = may_wait && polled && got == 0;
            let reading =
                panics::catch(|| me.stage_name(SOURCE), || trusted.read(run, me, limit, waits, &mut items));
            inside.leave();
            got += items.len() - before;
            calls += 1;
            match timed {
                Some(begun) => plain = trusted.pulse.timed_burst(begun, items.len() - before, start + got),
                None => plain -= 1,
            }
            run.read.store(start + got, Ordering::SeqCst);
            let what = match reading {
                Ok(Reading::Full) => continue,
                Ok(Reading::Pause) => break,
                Ok(Reading::End) => None,
                Ok(Reading::Failed(error)) => Some(What::Error(error)),
                Ok(Reading::NotReceived(error)) => Some(What::NotReceived(error)),
                Err(panic) => Some(What::Panic(panic)),
            };
            ended = true;
            if what.is_some() {
                // The item that failed counts as read and never leaves: the run is not finished before the failure has ended it.
                run.read.store(start + got + 1, Ordering::SeqCst);
            }
            failure = what.map(|what| Box::new(Failure { stage: SOURCE, index: (start + got) as u64, what }));
        }
        let now = time::now();
        let spent = now.saturating_duration_since(me.now);
        trusted.read = start + got;
        local.busy += spent;
        trusted.pulse.learn(spent, calls, plain);
        me.now = now;
        me.log.leave(got, now);
        trusted.learn(self.readiness, got, spent);
        self.take_back_published(run, &mut items);
        if let Some(failure) = &failure {
            match failure.what {
                What::Panic(_) => local.panicked += 1,
                _ => local.failed += 1,
            }
            if run.halt_if_reaction(failure) {
                let count = items.len();
                self.keep_undone((start + got - count) as u64, items);
                return None;
            }
        }
        if items.is_empty() && failure.is_none() {
            local.spare = items;
            if ended {
                run.end_source();
            }
            return None;
        }
        let first = start + got - items.len();
        let mut chunk = source_chunk(first, items, failure, now, spent);
        if S::ONE_BY_ONE && chunk.span > 0 {
            chunk.credit.weight = trusted.source.weight_of_last();
        }
        if ended {
            run.end_source();
        }
        Some(chunk)
    }
}

fn source_chunk<T, E>(
    first: usize,
    items: Vec<T>,
    failure: Option<Box<Failure<E>>>,
    since: Instant,
    spent: Duration,
) -> Chunk<T, E> {
    let count = items.len();
    let origin = Origin::Dense(first as u64);
    Chunk { first, span: count, items, origin, credit: Credit::of(count), failure, spent, since, read: since }
}

impl<S, E> Upstream<E> for Reader<S, S::Item>
where
    S: Source<E>,
{
    type Item = S::Item;
    type Local = ReaderLocal<S::Item>;

    fn begin(&self, run: &Run<E>) {
        run.source_waits.store(self.readiness != Readiness::Ready, Ordering::Relaxed);
        let mut trusted = self.source.lock();
        if let Some(items) = trusted.source.expected() {
            run.board.expect(items);
        }
        trusted.source.begin(&run.source_token, run.nudges());
    }

    fn local(&self) -> Self::Local {
        ReaderLocal { spare: Vec::new(), seen: None, busy: Duration::ZERO, failed: 0, panicked: 0 }
    }

    fn advance(
        &self,
        run: &Run<E>,
        me: &mut Worker,
        local: &mut Self::Local,
        want: usize,
    ) -> Advance<S::Item, E> {
        if run.source_ended() {
            return Advance::Nothing;
        }
        let may_wait = !me.is_owner() || run.owner_may_wait();
        let may_read = may_wait || self.readiness == Readiness::Polled;
        if may_read && run.room() >= want && !run.reading.load(Ordering::Relaxed) {
            if let Some(mut trusted) = self.source.try_lock() {
                run.reading.store(true, Ordering::SeqCst);
                // Where it waits for the source, it wakes up in time for what is due.
                let minds = self.readiness == Readiness::Polled && std::mem::take(&mut me.minds);
                me.found(run);
                let chunk = self.pull(run, &mut trusted, me, local, want, may_wait);
                run.reading.store(false, Ordering::SeqCst);
                drop(trusted);
                // The source is free for another reader.
                run.offer_work();
                me.minds = minds || me.due.is_some();
                if chunk.is_some() && me.minds {
                    me.leave_to_others(run);
                }
                // Without a chunk it may have been told to look up; it goes on as one that searches, which gives way to who is at work.
                return match chunk {
                    Some(chunk) => Advance::Chunk(chunk),
                    None => Advance::Nothing,
                };
            }
        }
        if run.opened.load(Ordering::Acquire) {
            if let Some(chunk) = self.steal(run, local) {
                me.found(run);
                return Advance::Chunk(chunk);
            }
        } else {
            local.seen = None;
        }
        Advance::Nothing
    }

    fn attend(&self, _: &Run<E>, _: &mut Worker, _: usize, _: &mut Counts, _: &mut Calls) {}

    fn total(&self, run: &Run<E>) -> Option<usize> {
        run.source_ended().then(|| run.read.load(Ordering::SeqCst))
    }

    fn recycle(&self, local: &mut Self::Local, buffer: Vec<S::Item>) {
        if local.spare.capacity() == 0 {
            local.spare = buffer;
        }
    }

    fn paced(&self, run: &Run<E>, chunk: usize) {
        run.read_chunk.store(chunk, Ordering::Relaxed);
    }

    fn settle(&self, _: &Worker, local: &Self::Local, tally: &mut Tally) {
        let report: &mut StageReport = &mut tally.stages[SOURCE];
        report.busy += local.busy;
        report.failed += local.failed;
        report.panicked += local.panicked;
    }

    fn conclude(&self, tally: &mut Tally) {
        tally.timed[SOURCE].add(&self.source.lock().pulse.calls);
    }

    fn take_back(&self, first: u64, items: Vec<S::Item>) {
        self.keep_undone(first, items);
    }

    fn give_up(&self) {
        let (first, items) = std::mem::take(&mut *self.open.lock());
        self.take_back(first as u64, items);
        let mut trusted = self.source.lock();
        if let Some(item) = trusted.source.take_waiting() {
            self.take_back(trusted.read as u64, vec![item]);
        }
        for (first, items) in std::mem::take(&mut *self.undone.lock()) {
            trusted.source.take_back(first, items);
        }
    }
}
