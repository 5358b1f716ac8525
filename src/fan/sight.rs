//! Seeing a merge from outside while another thread receives.
//!
//! The merge counts what it delivers in an atomic that it alone writes, and lists its inputs when they come and go. Who looks reads the rest from the
//! channels themselves.
//!
//! `inputs` is a leaf lock, but for what a channel locks to tell its length; no receiver is dropped under it.

use std::fmt;
use std::mem;
use std::sync::Arc;

use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::channel::Receiver;
use crate::sync::{Mutex, Padded};

struct Inputs<T> {
    added: u64,
    ended: u64,
    /// Those that have not, by number.
    live: Vec<(u64, Receiver<T>)>,
}

/// What a merge shows of itself.
pub(super) struct Sight<T> {
    received: Padded<AtomicU64>,
    inputs: Mutex<Inputs<T>>,
}

impl<T> Sight<T> {
    pub(super) fn new() -> Arc<Self> {
        let inputs = Mutex::new(Inputs { added: 0, ended: 0, live: Vec::new() });
        Arc::new(Self { received: Padded(AtomicU64::new(0)), inputs })
    }

    /// Counts an item; called by the merge only, which has no equal: no read-modify-write is needed.
    #[inline]
    pub(super) fn receive(&self) {
        self.received.0.store(self.received.0.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }

    pub(super) fn add(&self, id: u64, receiver: Receiver<T>) {
        let mut inputs = self.inputs.lock();
        inputs.added += 1;
        inputs.live.push((id, receiver));
    }

    /// Inputs have ended: all but these.
    pub(super) fn end(&self, is_live: impl Fn(u64) -> bool) {
        let mut inputs = self.inputs.lock();
        let (live, over): (Vec<_>, Vec<_>) =
            mem::take(&mut inputs.live).into_iter().partition(|(id, _)| is_live(*id));
        inputs.ended += over.len() as u64;
        inputs.live = live;
        drop(inputs);
        drop(over);
    }

    /// The merge is over: lets go of the inputs that it has left.
    pub(super) fn close(&self) {
        let live = mem::take(&mut self.inputs.lock().live);
        drop(live);
    }

    pub(super) fn snapshot(&self) -> MergeSnapshot {
        // First, as what it counts was queued before.
        let received = self.received.0.load(Ordering::Relaxed);
        let inputs = self.inputs.lock();
        let see = |(id, receiver): &(u64, Receiver<T>)| InputSnapshot { input: *id, queued: receiver.len() };
        MergeSnapshot {
            received,
            added: inputs.added,
            ended: inputs.ended,
            inputs: inputs.live.iter().map(see).collect(),
        }
    }
}

/// Shows what a [`Merge`](super::Merge) does, from any thread; by [`Merge::monitor`](super::Merge::monitor). Clones show the same.
///
/// Unlike a [`MergeHandle`](super::MergeHandle) it does not keep the merge from ending. After the merge is gone it shows what there was at last.
///
/// ```
/// use crossbeam_channel::unbounded;
/// use gristmill::Merge;
///
/// let (sender, input) = unbounded();
/// let mut merge = Merge::fair([input]);
/// let monitor = merge.monitor();
/// sender.send(1)?;
/// assert_eq!(monitor.snapshot().queued(), 1);
/// drop(sender);
/// assert_eq!(merge.by_ref().count(), 1);
/// assert_eq!(monitor.snapshot().ended, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct MergeMonitor<T>(pub(super) Arc<Sight<T>>);

impl<T> MergeMonitor<T> {
    /// What the merge has done so far, and what waits in its inputs.
    ///
    /// # Cost
    /// Reads the length of each input's channel, under a lock that the merge takes only when inputs come and go.
    pub fn snapshot(&self) -> MergeSnapshot {
        self.0.snapshot()
    }
}

impl<T> Clone for MergeMonitor<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> fmt::Debug for MergeMonitor<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("MergeMonitor").field(&self.snapshot()).finish()
    }
}

/// A [`Merge`](super::Merge) at one moment.
///
/// ```
/// use crossbeam_channel::unbounded;
/// use gristmill::Merge;
///
/// let (sender, input) = unbounded();
/// let mut merge = Merge::fair([input]);
/// sender.send(1)?;
/// sender.send(2)?;
/// merge.recv()?;
/// let now = merge.monitor().snapshot();
/// assert_eq!((now.added, now.ended, now.received, now.queued()), (1, 0, 1, 1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct MergeSnapshot {
    /// How many items were delivered.
    pub received: u64,
    /// How many inputs were let in; one that was added by a handle is let in when the merge looks.
    pub added: u64,
    /// How many of them have ended and were emptied, as far as the merge has noticed: it does when it finds nothing to deliver.
    pub ended: u64,
    /// The others, in the order of addition; none once the merge is gone.
    pub inputs: Vec<InputSnapshot>,
}

impl MergeSnapshot {
    /// How many items are queued in all inputs; see [`InputSnapshot::queued`].
    pub fn queued(&self) -> usize {
        self.inputs.iter().map(|input| input.queued).sum()
    }
}

/// An input of a merge, in a [`MergeSnapshot`].
///
/// ```
/// use crossbeam_channel::unbounded;
/// use gristmill::Merge;
///
/// let (senders, inputs): (Vec<_>, Vec<_>) = (0..2).map(|_| unbounded()).unzip();
/// let merge = Merge::fair(inputs);
/// senders[1].send("flour")?;
/// let now = merge.monitor().snapshot();
/// let queued: Vec<_> = now.inputs.iter().map(|input| (input.input, input.queued)).collect();
/// assert_eq!(queued, [(0, 0), (1, 1)]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct InputSnapshot {
    /// Its number, from 0, in the order of addition.
    pub input: u64,
    /// How many items are in its channel; without those that a sorted merge, or one by sequence, has taken out to look at.
    pub queued: usize,
}
