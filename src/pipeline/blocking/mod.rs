//! A stage whose calls wait, on threads of its own: while they do, no worker is missing where there is something to compute.
//!
//! The segment before it ends in a serial point, an [`Inlet`], from which items go into one queue. The stage's threads take one item at a
//! time, since calls are long and none should wait for another behind the same thread; what has ended goes on in order.

mod linked;
mod waiting;

use std::ops::Range;
use std::sync::Arc;

use super::calls::SharedCall;
use super::feed::Feed;
use super::plan::Plan;
use super::reorder::Inlet;
use super::segment::Segment;
use super::step::Step;

use self::linked::BlockingLinked;
use self::waiting::Waiting;

/// A segment that ends in a blocking stage.
#[derive(Debug)]
pub struct ThroughBlocking<P, S, G> {
    pub(super) plan: P,
    pub(super) step: S,
    /// The stages of the segment; the blocking one is the next.
    pub(super) stages: Range<usize>,
    pub(super) call: G,
    /// Which of the run's crews works for it.
    pub(super) crew: usize,
    pub(super) ordered: bool,
}

impl<P, S, G, E> Plan<E> for ThroughBlocking<P, S, G>
where
    P: Plan<E>,
    S: Step<P::Item, E>,
    G: SharedCall<S::Out, E>,
    E: Send,
{
    type Item = G::Out;
    type Running = BlockingLinked<P::Running, S, P::Item, S::Out, G, G::Out, E>;

    fn build(self, below: Arc<Feed<G::Out, E>>) -> Self::Running {
        let feed = Arc::new(Feed::new());
        let up = self.plan.build(Arc::clone(&feed));
        let inlet = Inlet::new(self.stages.end, self.ordered, below, Waiting::new(self.crew), Vec::new());
        let segment = Segment::new(up, self.stages, feed, self.step, inlet, true);
        BlockingLinked { segment, call: self.call }
    }
}
