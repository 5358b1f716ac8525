//! A stage that runs items with equal keys one at a time and in order, and those with different keys on all workers at once.
//!
//! The segment before it ends in a serial point, an [`Inlet`], where each item enters the *line* of its key. A worker takes a line,
//! runs some of its items, and puts each result where the order of the items has it; what is complete goes on to the segment below in
//! chunks. A busy key holds up no worker and no other key.

mod line;
mod lines;
mod linked;

use std::hash::Hash;
use std::ops::Range;
use std::sync::Arc;

use super::calls::SharedCall;
use super::feed::Feed;
use super::pace::Pace;
use super::plan::Plan;
use super::reorder::Inlet;
use super::segment::Segment;
use super::step::{Hashed, Step};

use self::lines::{ByKey, Lines};
use self::linked::KeyedLinked;

/// A segment that ends in a keyed stage.
#[derive(Debug)]
pub struct ThroughKeyed<P, S, G> {
    pub(super) plan: P,
    pub(super) step: S,
    /// The stages of the segment; the keyed one is the next.
    pub(super) stages: Range<usize>,
    pub(super) call: G,
    /// A failure that the run goes on without drops all later items of its key.
    pub(super) drops_rest: bool,
    pub(super) ordered: bool,
}

impl<P, S, G, K, U, E> Plan<E> for ThroughKeyed<P, S, G>
where
    P: Plan<E>,
    S: Step<P::Item, E, Out = (Hashed<K>, U)>,
    G: SharedCall<U, E>,
    K: Hash + Eq + Send,
    U: Send,
    E: Send,
{
    type Item = G::Out;
    type Running = KeyedLinked<P::Running, S, K, P::Item, U, G, G::Out, E>;

    fn build(self, below: Arc<Feed<G::Out, E>>) -> Self::Running {
        let feed = Arc::new(Feed::new());
        let up = self.plan.build(Arc::clone(&feed));
        let inlet = Inlet::new(self.stages.end, self.ordered, below, ByKey::new(), Lines::new());
        let segment = Segment::new(up, self.stages, feed, self.step, inlet, true);
        KeyedLinked { segment, call: self.call, drops_rest: self.drops_rest, pace: Pace::new() }
    }
}
