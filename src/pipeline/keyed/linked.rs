//! A keyed stage as what lies before a segment: runs the lines that are ready, or asks further up.

use super::super::calls::SharedCall;
use super::super::deliver::Relay;
use super::super::error::What;
use super::super::pace::Pace;
use super::super::reorder::{Counts, End, Ended, Entry, Inlet, Share};
use super::super::run::Run;
use super::super::segment::{Segment, SegmentLocal};
use super::super::step::{Hashed, Step};
use super::super::tally::Tally;
use super::super::timed::{Calls, Pulse};
use super::super::upstream::{Advance, Upstream};
use super::super::worker::Worker;
use super::line::{Line, Place};
use super::lines::{ByKey, Lines};
use crate::panics;
use crate::sync::time;

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
    pulse: Pulse,
    /// How many calls are not timed before the next one that is.
    plain: usize,
}

/// What ended behind a failure, or when the run was over.
impl<L, U, V, E> Drop for KeyedLocal<L, U, V, E> {
    fn drop(&mut self) {
        panics::drop_each_quietly(self.ended.drain(..));
    }
}

type Local<P, S, U, G, E> = KeyedLocal<
    SegmentLocal<<P as Upstream<E>>::Local, <S as Step<<P as Upstream<E>>::Item, E>>::Local, Item<S, P, E>>,
    U,
    <G as SharedCall<U, E>>::Out,
    E,
>;
type Item<S, P, E> = <S as Step<<P as Upstream<E>>::Item, E>>::Out;
type Dispatch<K, U, V, E> = Inlet<ByKey<K, U>, Lines<K, U>, V, E>;
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
    G: SharedCall<U, E>,
    E: Send,
{
    /// Runs some items of the lines in hand: about as many as take a chunk's time.
    fn process(&self, run: &Run<E>, me: &mut Worker, local: &mut Local<P, S, U, G, E>) {
        let Inlet { queue, outlet, .. } = &self.segment.deliver;
        let before = local.counts.worked();
        local.plain = local.pulse.plain();
        me.log.enter(outlet.stage, me.now);
        let mut want = self.pace.chunk();
        let mut lines = std::mem::take(&mut local.lines);
        let mut others = lines.drain(..);
        while let Some((place, line)) = others.next() {
            if run.stopped() {
                break;
            }
            let asked = run.is_asked();
            if asked || want == 0 {
                // For somebody else, or for later.
                want = 0;
                local.again.push((place, line));
                continue;
            }
            want = self.process_line(run, me, local, &line, (want, others.len() > 0));
            if matches!(local.ended.last(), Some(Ended { end: End::Failed(_), .. })) {
                want = 0; // the run ends with it, and with no other
            }
            local.again.extend(line.next().map(|place| (place, line)));
        }
        drop(others);
        local.lines = lines;
        let now = time::now();
        let took = now.saturating_duration_since(me.now);
        me.now = now;
        local.counts.busy += took;
        let items = usize::try_from(local.counts.worked() - before).unwrap_or(usize::MAX);
        self.pace.learn(items, took, took, run.largest_chunk());
        local.pulse.learn(took, items, local.plain);
        me.log.leave(items, now);
        if run.stopped() {
            return;
        }
        // The lines first: another worker may go on with them.
        queue.ready.put(run, &mut local.again);
        outlet.end(run, &mut local.ended);
    }

    /// Runs up to `want` items of a line; gives how many more may follow. Breaks off, and gives 0, if somebody is idle for whom there are
    /// `others` in hand.
    fn process_line(
        &self,
        run: &Run<E>,
        me: &Worker,
        local: &mut Local<P, S, U, G, E>,
        line: &Line<U>,
        (want, others): (usize, bool),
    ) -> usize {
        let Inlet { queued, outlet, .. } = &self.segment.deliver;
        let KeyedLocal { entries, ended, counts, pulse, plain, .. } = local;
        let steps = me.log.steps();
        let mut is_dead = line.take(want, entries);
        let (taken, mut current, mut back) = (entries.len(), None, Vec::new());
        queued.sub(taken);
        let mut rest = entries.drain(..);
        let inside = me.step.spans.enter(outlet.stage);
        let outcome = panics::catch(
            || me.stage_name(outlet.stage),
            || {
                while let Some(Entry { place, index, share, since, read, item }) = rest.next() {
                    if outlet.is_cut(place) || run.attention().is_wanted() && run.stopped() {
                        break;
                    }
                    counts.waiting += me.now.saturating_duration_since(since);
                    current = Some((place, index, read));
                    let start = (*plain == 0).then(time::now);
                    steps.call(start, *plain);
                    let Some(end) = self.run_one(run, line, &mut is_dead, counts, (place, index, item))
                    else {
                        break;
                    };
                    match start {
                        Some(start) => *plain = pulse.timed(start),
                        None => *plain -= 1,
                    }
                    let is_failed = matches!(end, End::Failed(_));
                    ended.push(Ended { place, index, share, read, end });
                    current = None;
                    if is_failed {
                        break;
                    }
                    if others && run.is_asked() {
                        back.extend(rest.by_ref());
                        return true;
                    }
                }
                false
            },
        );
        inside.leave();
        panics::drop_each_quietly(rest);
        if let Ok(true) = outcome {
            queued.add(back.len());
            line.put_back(back);
            return 0;
        }
        if let (Err(panic), Some((place, index, read))) = (outcome, current) {
            if let Some(end) = outlet.judge(run, counts, (place, index), Err(What::Panic(panic))) {
                // A failure gives no credit back.
                ended.push(Ended { place, index, share: Share::One, read, end });
            }
        }
        want - taken
    }

    /// Runs one item; `None` if the run is over because of it.
    #[inline]
    fn run_one(
        &self,
        run: &Run<E>,
        line: &Line<U>,
        is_dead: &mut bool,
        counts: &mut Counts,
        (place, index, item): (usize, u64, U),
    ) -> Option<End<G::Out, E>> {
        if *is_dead {
            drop(item);
            counts.dropped += 1;
            return Some(End::Dropped);
        }
        let outcome = self.call.call(item, || index, &run.end);
        if self.drops_rest && matches!(outcome, Ok(None)) {
            *is_dead = true;
            line.kill();
        }
        self.segment.deliver.outlet.judge(run, counts, (place, index), outcome)
    }
}

impl<P, S, K, U, G, E> Upstream<E> for KeyedLinked<P, S, K, P::Item, U, G, G::Out, E>
where
    P: Upstream<E>,
    S: Step<P::Item, E, Out = (Hashed<K>, U)>,
    K: Eq + Send,
    U: Send,
    G: SharedCall<U, E>,
    E: Send,
{
    type Item = G::Out;
    type Local = Local<P, S, U, G, E>;

    fn begin(&self, run: &Run<E>) {
        self.segment.begin(run);
        let Inlet { queued, outlet, .. } = &self.segment.deliver;
        queued.begin(&run.board, outlet.stage);
    }

    fn local(&self) -> Self::Local {
        KeyedLocal {
            up: self.segment.local(),
            lines: Vec::new(),
            again: Vec::new(),
            entries: Vec::new(),
            ended: Vec::new(),
            counts: Counts::default(),
            pulse: Pulse::default(),
            plain: 0,
        }
    }

    fn advance(
        &self,
        run: &Run<E>,
        me: &mut Worker,
        local: &mut Self::Local,
        _: usize,
    ) -> Advance<Self::Item, E> {
        if self.segment.deliver.queue.ready.take(run, self.pace.chunk(), &mut local.lines) {
            me.found(run);
            if self.pace.is_heavy() {
                run.call_for_work();
            } else {
                run.offer_work();
            }
            self.process(run, me, local);
            return Advance::Worked;
        }
        let worked = self.segment.work(run, me, &mut local.up);
        // Also after work, as in front of any segment.
        let worked = run.source_ended() && self.segment.flush(run) || worked;
        if worked { Advance::Worked } else { Advance::Nothing }
    }

    fn attend(&self, run: &Run<E>, me: &mut Worker, crew: usize, counts: &mut Counts, calls: &mut Calls) {
        self.segment.up.attend(run, me, crew, counts, calls);
    }

    fn total(&self, run: &Run<E>) -> Option<usize> {
        if self.segment.has_delivered_all(run) { self.segment.deliver.passed() } else { None }
    }

    fn recycle(&self, _: &mut Self::Local, _: Vec<Self::Item>) {}

    fn paced(&self, _: &Run<E>, _: usize) {}

    fn settle(&self, me: &Worker, local: &Self::Local, tally: &mut Tally) {
        self.segment.settle(me, &local.up, tally);
        local.counts.add_to(self.segment.deliver.outlet.stage, &local.pulse.calls, tally);
    }

    fn conclude(&self, tally: &mut Tally) {
        self.segment.conclude(tally);
    }

    fn give_up(&self) {
        self.segment.give_up();
    }
}
