//! A keyed stage as what lies before a segment: runs the lines that are ready, or asks further up.

use super::super::deliver::Relay;
use super::super::error::{Failure, What};
use super::super::error_policy::ErrorPolicy;
use super::super::pace::Pace;
use super::super::run::Run;
use super::super::run_end::RunEnd;
use super::super::segment::{Segment, SegmentLocal};
use super::super::serial::{Fallible, Sure};
use super::super::step::{Hashed, Step};
use super::super::tally::Tally;
use super::super::timed::Pulse;
use super::super::upstream::{Advance, Upstream};
use super::super::worker::Worker;
use super::dispatch::Dispatch;
use super::line::{Entry, Line, Place};
use super::ring::{End, Ended};
use super::share::Share;
use crate::panics;
use crate::sync::atomic::Ordering;
use crate::sync::time::{self, Duration};

/// The closure of a keyed stage.
pub trait KeyedCall<U, E>: Send + Sync {
    /// What it gives.
    type Out: Send;

    /// Runs it on one item, as that of a serial stage.
    fn call(&self, item: U, index: impl FnOnce() -> u64, end: &RunEnd) -> Result<Option<Self::Out>, What<E>>;
}

impl<U, V: Send, E, F: Fn(U) -> V + Send + Sync> KeyedCall<U, E> for Sure<F> {
    type Out = V;

    #[inline]
    fn call(&self, item: U, _: impl FnOnce() -> u64, _: &RunEnd) -> Result<Option<V>, What<E>> {
        Ok(Some((self.0)(item)))
    }
}

impl<U, V, E, F, R> KeyedCall<U, E> for Fallible<F, R>
where
    V: Send,
    F: Fn(U) -> Result<V, E> + Send + Sync,
    R: ErrorPolicy<U, E>,
{
    type Out = V;

    #[inline]
    fn call(&self, item: U, index: impl FnOnce() -> u64, end: &RunEnd) -> Result<Option<V>, What<E>> {
        let kept = self.policy.keep(&item);
        match (self.call)(item) {
            Ok(value) => Ok(Some(value)),
            Err(error) => self.policy.decide(error, kept, index, end).map(|()| None),
        }
    }
}

/// What a worker counts of a keyed stage.
#[derive(Debug, Default)]
struct Counts {
    passed: u64,
    dropped: u64,
    failed: u64,
    panicked: u64,
    busy: Duration,
    waiting: Duration,
    pulse: Pulse,
    /// How many calls are not timed before the next one that is.
    plain: usize,
}

impl Counts {
    /// How many items have come.
    fn worked(&self) -> u64 {
        self.passed + self.dropped + self.failed + self.panicked
    }
}

/// What a worker keeps for a keyed stage.
#[allow(missing_debug_implementations)] // part of a running pipeline, which nobody can name
pub struct KeyedLocal<L, U, V, E> {
    up: L,
    /// Lines in hand, with the places of their first items; and those that go back.
    lines: Vec<Place<U>>,
    again: Vec<Place<U>>,
    entries: Vec<Entry<U>>,
    ended: Vec<Ended<V, E>>,
    counts: Counts,
}

type Local<P, S, U, G, E> = KeyedLocal<
    SegmentLocal<<P as Upstream<E>>::Local, <S as Step<<P as Upstream<E>>::Item, E>>::Local, Item<S, P, E>>,
    U,
    <G as KeyedCall<U, E>>::Out,
    E,
>;
type Item<S, P, E> = <S as Step<<P as Upstream<E>>::Item, E>>::Out;
type KeyedSegment<P, S, K, T, U, V, E> = Segment<P, S, Dispatch<K, U, V, E>, T, (Hashed<K>, U), E>;

/// A segment whose results go through a keyed stage to the segment below.
#[allow(missing_debug_implementations)] // part of a running pipeline, which nobody can name
pub struct KeyedLinked<P, S, K, T, U, G, V, E> {
    pub(super) segment: KeyedSegment<P, S, K, T, U, V, E>,
    pub(super) call: G,
    pub(super) drops_rest: bool,
    pub(super) pace: Pace,
}

impl<P, S, K, U, G, E> KeyedLinked<P, S, K, P::Item, U, G, G::Out, E>
where
    P: Upstream<E>,
    S: Step<P::Item, E, Out = (Hashed<K>, U)>,
    K: Eq + Send,
    U: Send,
    G: KeyedCall<U, E>,
    E: Send,
{
    /// Runs some items of the lines in hand: about as many as take a chunk's time.
    fn process(&self, run: &Run<E>, me: &mut Worker, local: &mut Local<P, S, U, G, E>) {
        let dispatch = &self.segment.deliver;
        let before = local.counts.worked();
        local.counts.plain = local.counts.pulse.plain();
        me.log.enter(dispatch.stage, me.now);
        let mut want = self.pace.chunk();
        let mut lines = std::mem::take(&mut local.lines);
        for (place, line) in lines.drain(..) {
            if run.stopped() {
                break;
            }
            let asked = run.hungry.load(Ordering::Relaxed) && run.hungry.swap(false, Ordering::Relaxed);
            if asked || want == 0 {
                // For somebody else, or for later.
                want = 0;
                local.again.push((place, line));
                continue;
            }
            want -= self.process_line(run, me, local, &line, want);
            if matches!(local.ended.last(), Some(Ended { end: End::Failed(_), .. })) {
                want = 0; // the run ends with it, and with no other
            }
            local.again.extend(line.next().map(|place| (place, line)));
        }
        local.lines = lines;
        let now = time::now();
        let took = now.saturating_duration_since(me.now);
        me.now = now;
        local.counts.busy += took;
        let items = usize::try_from(local.counts.worked() - before).unwrap_or(usize::MAX);
        self.pace.learn(items, took, took, run.largest_chunk());
        local.counts.pulse.learn(took, items, local.counts.plain);
        me.log.leave(items, now);
        if run.stopped() {
            return;
        }
        // The lines first: another worker may go on with them.
        dispatch.ready.put(run, &mut local.again);
        dispatch.end(run, &mut local.ended);
    }

    /// Runs up to `want` items of a line; gives how many were taken out of it.
    fn process_line(
        &self,
        run: &Run<E>,
        me: &Worker,
        local: &mut Local<P, S, U, G, E>,
        line: &Line<U>,
        want: usize,
    ) -> usize {
        let dispatch = &self.segment.deliver;
        let KeyedLocal { entries, ended, counts, .. } = local;
        let mut is_dead = line.take(want, entries);
        let (taken, mut current) = (entries.len(), None);
        dispatch.queued.sub(taken);
        let outcome = panics::catch(
            || me.stage_name(dispatch.stage),
            || {
                for Entry { place, index, share, since, read, item } in entries.drain(..) {
                    if dispatch.is_cut(place) || run.wants_attention() && run.stopped() {
                        break;
                    }
                    counts.waiting += me.now.saturating_duration_since(since);
                    current = Some((place, index, read));
                    let start = (counts.plain == 0).then(time::now);
                    let Some(end) = self.run_one(run, line, &mut is_dead, counts, (index, item)) else {
                        break;
                    };
                    match start {
                        Some(start) => counts.plain = counts.pulse.timed(start, 1),
                        None => counts.plain -= 1,
                    }
                    let is_failed = matches!(end, End::Failed(_));
                    ended.push(Ended { place, index, share, read, end });
                    current = None;
                    if is_failed {
                        dispatch.cut(run, place);
                        break;
                    }
                }
            },
        );
        if let (Err(panic), Some((place, index, read))) = (outcome, current) {
            counts.panicked += 1;
            dispatch.cut(run, place);
            let failure = Failure { stage: dispatch.stage, index, what: What::Panic(panic) };
            // A failure gives no credit back.
            ended.push(Ended { place, index, share: Share::One, read, end: End::Failed(Box::new(failure)) });
        }
        entries.clear();
        taken
    }

    /// Runs one item; `None` if the run is over because of it.
    #[inline]
    fn run_one(
        &self,
        run: &Run<E>,
        line: &Line<U>,
        is_dead: &mut bool,
        counts: &mut Counts,
        (index, item): (u64, U),
    ) -> Option<End<G::Out, E>> {
        if *is_dead {
            drop(item);
            counts.dropped += 1;
            return Some(End::Dropped);
        }
        let what = match self.call.call(item, || index, &run.end) {
            Ok(Some(value)) => {
                counts.passed += 1;
                return Some(End::Result(value));
            }
            Ok(None) => {
                counts.failed += 1;
                if self.drops_rest {
                    *is_dead = true;
                    line.kill();
                }
                return Some(End::Dropped);
            }
            Err(what) => what,
        };
        counts.failed += 1;
        let failure = Failure { stage: self.segment.deliver.stage, index, what };
        if run.halt_if_reaction(&failure) { None } else { Some(End::Failed(Box::new(failure))) }
    }
}

impl<P, S, K, U, G, E> Upstream<E> for KeyedLinked<P, S, K, P::Item, U, G, G::Out, E>
where
    P: Upstream<E>,
    S: Step<P::Item, E, Out = (Hashed<K>, U)>,
    K: Eq + Send,
    U: Send,
    G: KeyedCall<U, E>,
    E: Send,
{
    type Item = G::Out;
    type Local = Local<P, S, U, G, E>;

    fn begin(&self, run: &Run<E>) {
        self.segment.begin(run);
        self.segment.deliver.queued.begin(&run.board, self.segment.deliver.stage);
    }

    fn local(&self) -> Self::Local {
        KeyedLocal {
            up: self.segment.local(),
            lines: Vec::new(),
            again: Vec::new(),
            entries: Vec::new(),
            ended: Vec::new(),
            counts: Counts::default(),
        }
    }

    fn advance(
        &self,
        run: &Run<E>,
        me: &mut Worker,
        local: &mut Self::Local,
        _: usize,
    ) -> Advance<Self::Item, E> {
        if self.segment.deliver.ready.take(run, self.pace.chunk(), &mut local.lines) {
            me.found(run);
            run.offer_work();
            self.process(run, me, local);
            return Advance::Worked;
        }
        let worked = self.segment.work(run, me, &mut local.up);
        // Also after work, as in front of any segment.
        let worked = run.source_ended() && self.segment.flush(run) || worked;
        if worked { Advance::Worked } else { Advance::Nothing }
    }

    fn total(&self, run: &Run<E>) -> Option<usize> {
        if self.segment.has_delivered_all(run) { self.segment.deliver.passed() } else { None }
    }

    fn recycle(&self, _: &mut Self::Local, _: Vec<Self::Item>) {}

    fn paced(&self, _: &Run<E>, _: usize) {}

    fn settle(&self, me: &Worker, local: &Self::Local, tally: &mut Tally) {
        self.segment.settle(me, &local.up, tally);
        tally.timed[self.segment.deliver.stage].add(&local.counts.pulse.calls);
        let (counts, report) = (&local.counts, &mut tally.stages[self.segment.deliver.stage]);
        report.items_in += counts.worked();
        report.items_out += counts.passed;
        report.filtered += counts.dropped;
        report.failed += counts.failed;
        report.panicked += counts.panicked;
        report.busy += counts.busy;
        report.waiting += counts.waiting;
    }

    fn conclude(&self, tally: &mut Tally) {
        self.segment.conclude(tally);
    }

    fn give_up(&self) {
        self.segment.give_up();
    }
}
