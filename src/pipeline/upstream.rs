//! What lies before a segment, and gives it work: the source, or another segment.

use super::chunk::Chunk;
use super::reorder::Counts;
use super::run::Run;
use super::tally::Tally;
use super::timed::Calls;
use super::worker::Worker;
use crate::panics;

/// What came of asking for work.
#[derive(Debug)]
pub enum Advance<T, E> {
    /// Items to process.
    Chunk(Chunk<T, E>),
    /// Some work was done further up.
    Worked,
    /// There is nothing to do.
    Nothing,
}

/// What lies before a segment: the source, or another segment.
pub trait Upstream<E>: Sync {
    /// What it gives.
    type Item: Send;
    /// What each worker keeps for it.
    type Local;

    /// The run begins.
    fn begin(&self, run: &Run<E>);

    /// The state a worker starts with; runs no user code.
    fn local(&self) -> Self::Local;

    /// Looks for work, at most `want` items of it.
    fn advance(
        &self,
        run: &Run<E>,
        me: &mut Worker,
        local: &mut Self::Local,
        want: usize,
    ) -> Advance<Self::Item, E>;

    /// The whole life of a thread of a blocking stage, here or further up, that belongs to `crew`.
    fn attend(&self, run: &Run<E>, me: &mut Worker, crew: usize, counts: &mut Counts, calls: &mut Calls);

    /// How many places of the order of the segment below it has filled, once nothing more can come.
    fn total(&self, run: &Run<E>) -> Option<usize>;

    /// An empty buffer may be used again.
    fn recycle(&self, local: &mut Self::Local, buffer: Vec<Self::Item>);

    /// The segment below now takes chunks of this many items.
    fn paced(&self, run: &Run<E>, chunk: usize);

    /// Adds up what a worker counted.
    fn settle(&self, me: &Worker, local: &Self::Local, tally: &mut Tally);

    /// Adds up what was counted under locks, once all workers have ended.
    fn conclude(&self, tally: &mut Tally);

    /// The run is over, and these items, of the source's index `first` and the next ones where it is a source, were never begun.
    ///
    /// What ended it may not have had its turn yet: where they are dropped, a drop that panics must not come before it.
    fn take_back(&self, _first: u64, items: Vec<Self::Item>) {
        panics::drop_each_quietly(items);
    }

    /// Gives up what still lies here, once all workers have ended.
    fn give_up(&self) {}
}
