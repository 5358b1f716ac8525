//! The caller's side of a pipeline whose results are pulled: a worker that owns the sink's place.

use std::ops::{ControlFlow, Deref};
use std::sync::Arc;
use std::vec;

use crate::sync::time::{self, Instant};

use super::board::Board;
use super::chunk::Origin;
use super::core::{Core, Local};
use super::credit::Credit;
use super::deliver::{Counts, Owned};
use super::error::Ending;
use super::step::Step;
use super::upstream::Upstream;
use super::worker::Worker;

/// The number of the caller's thread among the workers.
const OWNER: usize = 0;

/// The caller's side of a running pipeline: works until a chunk of results is there.
pub(super) trait Pull<T> {
    /// The next results; the ones given before have left the pipeline. `None` when there are no more.
    fn pull(&mut self) -> Option<vec::IntoIter<T>>;

    /// The caller stops, and leaves this many of the last results.
    fn leave(&mut self, results: usize);
}

/// Where the caller notes that it goes on to the next result; `left`, how many of its chunk follow.
#[derive(Debug)]
pub(super) struct Mark(Arc<Board>);

impl Mark {
    #[inline]
    pub(super) fn moved(&self, left: usize) {
        self.0.steps(OWNER).plain(left);
    }
}

pub(super) struct Puller<C, P, S, E>
where
    C: Deref<Target = Core<P, S, Owned, E>>,
    P: Upstream<E>,
    S: Step<P::Item, E>,
    E: Send,
{
    pub(super) core: C,
    /// Taken when the results have ended.
    working: Option<(Worker, Local<P, S, E>)>,
    /// The chunk that is being consumed: the origin and number of its items, and what to release when it is used up.
    current: Option<(Origin, usize, Credit)>,
    counts: Counts,
    /// When the caller was handed what it has, and how much.
    handed: Option<(Instant, usize)>,
}

impl<C, P, S, E> Puller<C, P, S, E>
where
    C: Deref<Target = Core<P, S, Owned, E>>,
    P: Upstream<E>,
    S: Step<P::Item, E>,
    E: Send,
{
    pub(super) fn new(core: C) -> Self {
        let working = Some((core.worker(OWNER, true), core.segment.local()));
        core.run.board.begin_pulling(OWNER, core.sink());
        Self { core, working, current: None, counts: Counts::default(), handed: None }
    }

    pub(super) fn mark(&self) -> Mark {
        Mark(Arc::clone(&self.core.run.board))
    }

    /// The results have ended, or nobody wants them any more.
    pub(super) fn end(&mut self) {
        // A cancellation that nobody has seen yet comes first.
        if !self.core.run.finished() && !self.core.run.stopped() {
            self.core.run.halt(Ending::Abandoned);
        }
        if let Some((me, local)) = self.working.take() {
            self.core.count_sink(&self.counts);
            self.core.settle(&me, local);
        }
    }
}

impl<C, P, S, E> Pull<S::Out> for Puller<C, P, S, E>
where
    C: Deref<Target = Core<P, S, Owned, E>>,
    P: Upstream<E>,
    S: Step<P::Item, E>,
    E: Send,
{
    fn pull(&mut self) -> Option<vec::IntoIter<S::Out>> {
        let core = &*self.core;
        let now = time::now();
        if let Some((_, _, credit)) = self.current.take() {
            core.run.release(credit);
            core.run.offer_work();
        }
        let (me, local) = self.working.as_mut()?;
        if let Some((since, items)) = self.handed.take() {
            self.counts.used(now.saturating_duration_since(since), items, 0);
            me.log.leave(items, now);
        } else {
            core.run.board.leave(OWNER);
        }
        // What the caller did meanwhile is no stage's time.
        me.now = now;
        let mut chunk = None;
        core.guard(|| {
            chunk = me.work(
                &core.run,
                |me| match core.segment.turn.take_ready() {
                    Some(chunk) => {
                        me.found(&core.run);
                        // What this thread did may have made room, and the caller's code comes next.
                        core.run.call_for_work();
                        ControlFlow::Break(chunk)
                    }
                    None => ControlFlow::Continue(core.segment.work(&core.run, me, local)),
                },
                || core.segment.turn.is_ready(),
            );
        });
        let Some(chunk) = chunk else {
            self.end();
            return None;
        };
        core.segment.turn.advance(chunk.span, None);
        let now = time::now();
        self.counts.hand_out(&chunk, now);
        self.handed = Some((now, chunk.items.len()));
        me.log.enter(core.sink(), now);
        if let Some(failure) = chunk.failure {
            let (items, credit) = (chunk.items.len(), chunk.credit.items);
            core.run.count_in_part(chunk.origin.sources_before_failure(items, credit, failure.index));
            core.run.fail(failure);
        } else {
            self.current = Some((chunk.origin, chunk.items.len(), chunk.credit));
        }
        Some(chunk.items.into_iter())
    }

    fn leave(&mut self, results: usize) {
        if let Some((since, items)) = self.handed.take() {
            self.counts.used(time::now().saturating_duration_since(since), items - results, results);
        }
        match self.current.take() {
            Some((_, _, credit)) if results == 0 => self.core.run.release(credit),
            Some((origin, items, credit)) => {
                self.core.run.count_in_part(origin.sources_before(items - results, credit.items));
            }
            None => {}
        }
    }
}

impl<C, P, S, E> Drop for Puller<C, P, S, E>
where
    C: Deref<Target = Core<P, S, Owned, E>>,
    P: Upstream<E>,
    S: Step<P::Item, E>,
    E: Send,
{
    fn drop(&mut self) {
        self.end();
    }
}
