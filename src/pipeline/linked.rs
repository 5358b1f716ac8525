//! A segment as what lies before another one.

use super::deliver::Relay;
use super::reorder::Counts;
use super::run::Run;
use super::segment::{Segment, SegmentLocal};
use super::step::Step;
use super::tally::Tally;
use super::timed::Calls;
use super::upstream::{Advance, Upstream};
use super::worker::Worker;
use crate::sync::time::{self, Duration};

/// When to look again at what another worker is at.
const RETRY: Duration = Duration::from_micros(50);

/// A segment whose results go through a serial stage to the segment below.
#[allow(missing_debug_implementations)] // part of a running pipeline, which nobody can name
pub struct Linked<P, S, D, T, U, E> {
    pub(super) segment: Segment<P, S, D, T, U, E>,
}

impl<P, S, D, E> Upstream<E> for Linked<P, S, D, P::Item, S::Out, E>
where
    P: Upstream<E>,
    S: Step<P::Item, E>,
    D: Relay<S::Out, E>,
    E: Send,
{
    type Item = D::Out;
    type Local = SegmentLocal<P::Local, S::Local, S::Out>;

    fn begin(&self, run: &Run<E>) {
        self.segment.begin(run);
    }

    fn local(&self) -> Self::Local {
        self.segment.local()
    }

    fn advance(
        &self,
        run: &Run<E>,
        me: &mut Worker,
        local: &mut Self::Local,
        _: usize,
    ) -> Advance<Self::Item, E> {
        if let Some(due) = self.segment.deliver.due() {
            let now = time::now();
            if due <= now && self.segment.deliver.flush_due(run, now) {
                me.found(run);
                return Advance::Worked;
            }
            // If it is due and somebody is at it, he may have looked at the clock before: it is looked at again.
            me.is_due(due.max(now + RETRY));
        }
        let worked = self.segment.work(run, me, local);
        // Also after work: it may have been the last that was waited for, and the owner of a sink looks no further then.
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
        self.segment.settle(me, local, tally);
    }

    fn conclude(&self, tally: &mut Tally) {
        self.segment.conclude(tally);
    }

    fn take_back(&self, _: u64, items: Vec<D::Out>) {
        D::discard(items);
    }

    fn give_up(&self) {
        self.segment.give_up();
    }
}
