//! A stage that makes many items of one, in order, and only as many at a time as its bound allows.
//!
//! The segment before it ends in a serial point, the [`Lineup`], where the items wait in order. For the segment below the stage is what the
//! source is for the first one: a worker that finds nothing to do further downstream takes a chunk of results, if the bound has room.

mod lineup;
mod linked;

use std::ops::Range;
use std::sync::Arc;

use super::feed::Feed;
use super::plan::Plan;
use super::segment::Segment;
use super::step::Step;

use self::lineup::Lineup;
use self::linked::Expanding;

/// A segment that ends in a stage that expands items.
#[derive(Debug)]
pub struct ThroughExpand<P, S, F> {
    pub(super) plan: P,
    pub(super) step: S,
    /// The stages of the segment; the one that expands is the next.
    pub(super) stages: Range<usize>,
    pub(super) call: F,
    /// Which of the stages that expand it is.
    pub(super) expansion: usize,
}

impl<P, S, F, I, E> Plan<E> for ThroughExpand<P, S, F>
where
    P: Plan<E>,
    S: Step<P::Item, E>,
    F: FnMut(S::Out) -> I + Send,
    I: IntoIterator,
    I::IntoIter: Send,
    I::Item: Send,
    E: Send,
{
    type Item = I::Item;
    type Running = Expanding<P::Running, S, P::Item, S::Out, F, I, E>;

    fn build(self, _: Arc<Feed<I::Item, E>>) -> Self::Running {
        let feed = Arc::new(Feed::new());
        let up = self.plan.build(Arc::clone(&feed));
        let lineup = Lineup::new(self.stages.end, self.expansion);
        Expanding::new(Segment::new(up, self.stages, feed, self.step, lineup, true), self.call)
    }
}
