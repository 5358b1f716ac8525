//! Where items come from: plain iterators, iterators that may fail, channels.

use std::convert::Infallible;

use crate::cancel::CancellationToken;
use crate::fan::ReceiveError;
use crate::sync::channel::{Receiver, Select, TryRecvError};
use crate::sync::time::Instant;

/// What a source says about waiting; decides how much a reader may hold privately while it reads on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// Computes or looks up its items: read in bursts, once it has shown itself to be fast.
    Ready,
    /// May wait at any item: every item is made visible to the other workers before the next is asked for.
    MayBlock,
    /// Says by itself that the next item is not there yet: read as long as items are there.
    Polled,
}

/// How long a read may wait for its first item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// Not at all.
    Never,
    /// Until then: there is something else to do.
    Until(Instant),
    /// As long as it takes.
    Forever,
}

/// How a read ended.
#[derive(Debug)]
pub enum Reading<E> {
    /// As many items as asked for.
    Full,
    /// Fewer: there is nothing more for the moment.
    Pause,
    /// Fewer: there is nothing more.
    End,
    /// The source failed after the items that were read.
    Failed(E),
    /// Nothing can be received before somebody decides how to go on.
    NotReceived(ReceiveError),
}

/// A source of items; errors are of type `E`.
pub trait Source<E>: Send {
    /// What it gives.
    type Item: Send;

    /// How many items it will give, if it knows; asked before the first.
    fn expected(&self) -> Option<usize> {
        None
    }

    /// How to read it.
    fn readiness(&self) -> Readiness;

    /// The run begins: `token` ends waits, and a message of `nudges` interrupts one.
    fn begin(&mut self, token: &CancellationToken, nudges: Option<Receiver<()>>);

    /// Appends up to `limit` items. Waits for one no longer than `wait` says, if it can help it.
    fn read(&mut self, limit: usize, wait: Wait, into: &mut Vec<Self::Item>) -> Reading<E>;

    /// Whether every item travels by itself, because it has a weight of its own.
    const ONE_BY_ONE: bool = false;

    /// What the last item weighs.
    fn weight_of_last(&self) -> u64 {
        0
    }

    /// Whether an item has been taken out of what it reads that has not been given: it is given next, also after the source has been closed.
    fn has_waiting(&self) -> bool {
        false
    }

    /// Takes that item; asked once all workers have ended.
    fn take_waiting(&mut self) -> Option<Self::Item> {
        None
    }

    /// Whether [`take_back`](Self::take_back) does something.
    const TAKES_BACK: bool = false;

    /// The run has ended early, and these items, with this index and the next ones, were never begun. Called once all workers have ended.
    fn take_back(&mut self, _first: u64, _items: Vec<Self::Item>) {}
}

/// An iterator whose items cannot fail.
#[derive(Debug)]
pub struct Items<I> {
    iterator: I,
    readiness: Readiness,
}

/// An iterator that knows how many items are left has them, or computes them; one that does not may be waiting for somebody.
fn guess<I: Iterator>(iterator: &I) -> Readiness {
    match iterator.size_hint() {
        (usize::MAX, None) => Readiness::Ready, // endless, like `0..`: computed
        (least, Some(most)) if least == most => Readiness::Ready,
        _ => Readiness::MayBlock,
    }
}

/// How many items an iterator will give, if it knows.
fn exact_size<I: Iterator>(iterator: &I) -> Option<usize> {
    let (least, most) = iterator.size_hint();
    most.filter(|most| *most == least)
}

impl<I: Iterator> Items<I> {
    pub(super) fn new(iterator: I) -> Self {
        let readiness = guess(&iterator);
        Self { iterator, readiness }
    }
}

impl<I, E> Source<E> for Items<I>
where
    I: Iterator + Send,
    I::Item: Send,
{
    type Item = I::Item;

    fn expected(&self) -> Option<usize> {
        exact_size(&self.iterator)
    }

    fn readiness(&self) -> Readiness {
        self.readiness
    }

    fn begin(&mut self, _: &CancellationToken, _: Option<Receiver<()>>) {}

    #[inline]
    fn read(&mut self, limit: usize, _: Wait, into: &mut Vec<I::Item>) -> Reading<E> {
        let before = into.len();
        into.extend(self.iterator.by_ref().take(limit));
        if into.len() - before < limit { Reading::End } else { Reading::Full }
    }
}

/// An iterator of results: the first error ends the run.
#[derive(Debug)]
pub struct TryItems<I> {
    iterator: I,
    readiness: Readiness,
}

impl<I: Iterator> TryItems<I> {
    pub(super) fn new(iterator: I) -> Self {
        let readiness = guess(&iterator);
        Self { iterator, readiness }
    }
}

impl<I, T, E> Source<E> for TryItems<I>
where
    I: Iterator<Item = Result<T, E>> + Send,
    T: Send,
{
    type Item = T;

    fn expected(&self) -> Option<usize> {
        exact_size(&self.iterator)
    }

    fn readiness(&self) -> Readiness {
        self.readiness
    }

    fn begin(&mut self, _: &CancellationToken, _: Option<Receiver<()>>) {}

    #[inline]
    fn read(&mut self, limit: usize, _: Wait, into: &mut Vec<T>) -> Reading<E> {
        for _ in 0..limit {
            match self.iterator.next() {
                Some(Ok(item)) => into.push(item),
                Some(Err(error)) => return Reading::Failed(error),
                None => return Reading::End,
            }
        }
        Reading::Full
    }
}

/// The receiving side of a channel; ends when all senders are gone.
#[derive(Debug)]
pub struct Incoming<T> {
    receiver: Receiver<T>,
    end: Option<(CancellationToken, Receiver<Infallible>)>,
    nudges: Option<Receiver<()>>,
}

impl<T> Incoming<T> {
    pub(super) fn new(receiver: Receiver<T>) -> Self {
        Self { receiver, end: None, nudges: None }
    }

    /// Waits until there may be an item, the run ends, somebody nudges, or it has waited long enough.
    fn wait(&self, wait: Wait) {
        let mut select = Select::new();
        select.recv(&self.receiver);
        if let Some((_, cancelled)) = &self.end {
            select.recv(cancelled);
        }
        if let Some(nudges) = &self.nudges {
            select.recv(nudges);
        }
        let due = if let Wait::Until(due) = wait { Some(due) } else { None };
        // If nobody watches the deadline, the caller has to look at the token then.
        let unwatched = self.end.as_ref().and_then(|(token, _)| token.unwatched_deadline());
        match due.into_iter().chain(unwatched).min() {
            Some(at) => _ = select.ready_deadline(at),
            None => _ = select.ready(),
        }
        if let Some(nudges) = &self.nudges {
            // Whoever sent it wants to be looked at, and is next.
            _ = nudges.try_recv();
        }
    }
}

impl<T: Send, E> Source<E> for Incoming<T> {
    type Item = T;

    fn readiness(&self) -> Readiness {
        Readiness::Polled
    }

    fn begin(&mut self, token: &CancellationToken, nudges: Option<Receiver<()>>) {
        self.end = Some((token.clone(), token.cancelled()));
        self.nudges = nudges;
    }

    fn read(&mut self, limit: usize, wait: Wait, into: &mut Vec<T>) -> Reading<E> {
        let before = into.len();
        let mut waited = false;
        while into.len() - before < limit {
            match self.receiver.try_recv() {
                Ok(item) => into.push(item),
                Err(TryRecvError::Disconnected) => return Reading::End,
                Err(TryRecvError::Empty) if into.len() > before || wait == Wait::Never || waited => {
                    return Reading::Pause;
                }
                Err(TryRecvError::Empty) => {
                    // Once: what woke us may have been the token or a nudge, and these are the caller's to look at.
                    self.wait(wait);
                    waited = true;
                }
            }
        }
        Reading::Full
    }
}

#[cfg(all(test, not(any(gristmill_shuttle, gristmill_loom))))]
mod tests {
    use super::*;
    use crate::sync::channel::bounded;
    use crate::sync::time::{self, Duration};

    #[test]
    fn wait_for_an_item_ends_at_a_deadline_that_nobody_watches() {
        let hour = time::now() + Duration::from_secs(3600);
        for wait in [Wait::Forever, Wait::Until(hour)] {
            let token = CancellationToken::unwatched(Duration::from_millis(20));
            let ((nudge, nudges), (sender, receiver)) = (bounded(1), bounded::<u32>(1));
            let mut source = Incoming::new(receiver);
            Source::<Infallible>::begin(&mut source, &token, Some(nudges));
            let reading: Reading<Infallible> = source.read(1, wait, &mut Vec::new());
            assert!(matches!(reading, Reading::Pause) && token.is_cancelled(), "its channel stays open");
            drop((sender, nudge));
        }
    }
}
