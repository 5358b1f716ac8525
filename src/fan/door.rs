//! Adding inputs to a merge that another thread reads.

use std::fmt;
use std::mem;
use std::sync::{Arc, Weak};

use super::input::MergeInput;
use super::sight::{MergeSnapshot, Sight};
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::channel::{Receiver, Sender, TryRecvError, bounded};

/// What waits to be let in.
struct Queue<T> {
    /// `None` once the merge is gone. A leaf lock; inputs are only moved under it.
    inputs: Mutex<Option<Vec<MergeInput<T>>>>,
    /// Whether there are any; written under the lock.
    is_waiting: AtomicBool,
    sight: Arc<Sight<T>>,
}

struct Entrance<T> {
    queue: Arc<Queue<T>>,
    /// Rung after each addition, and disconnected with the last handle.
    bell: Sender<()>,
}

/// Adds inputs to a [`Merge`](super::Merge) from other threads, while it runs; clones are the same handle.
///
/// As long as one exists, the merge waits for more inputs and does not end: drop it when no more will come.
///
/// ```
/// use crossbeam_channel::unbounded;
/// use gristmill::Merge;
///
/// let (first, inputs) = unbounded();
/// let mut merge = Merge::fair([inputs]);
/// let door = merge.handle();
/// let (second, more) = unbounded();
/// door.add(more).expect("the merge is there");
/// drop(door); // no more will come
/// first.send(1)?;
/// second.send(2)?;
/// drop((first, second));
/// assert_eq!(merge.sum::<i32>(), 3);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct MergeHandle<T> {
    entrance: Arc<Entrance<T>>,
}

impl<T> MergeHandle<T> {
    /// Adds an input: the last in turn and in rank.
    ///
    /// # Errors
    /// The merge is gone; the input comes back.
    pub fn add(&self, input: impl Into<MergeInput<T>>) -> Result<(), MergeInput<T>> {
        let input = input.into();
        let queue = &self.entrance.queue;
        let mut inputs = queue.inputs.lock();
        let Some(waiting) = &mut *inputs else {
            drop(inputs);
            return Err(input);
        };
        waiting.push(input);
        queue.is_waiting.store(true, Ordering::Relaxed);
        drop(inputs);
        // Full: it was rung, and not heard yet.
        let _ = self.entrance.bell.try_send(());
        Ok(())
    }

    /// What the merge has done so far, and what waits in its inputs. To look without keeping the merge from ending, use a
    /// [`MergeMonitor`](super::MergeMonitor).
    pub fn snapshot(&self) -> MergeSnapshot {
        self.entrance.queue.sight.snapshot()
    }
}

impl<T> Clone for MergeHandle<T> {
    fn clone(&self) -> Self {
        Self { entrance: Arc::clone(&self.entrance) }
    }
}

impl<T> fmt::Debug for MergeHandle<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("MergeHandle").finish_non_exhaustive()
    }
}

/// The merge's side.
pub(super) struct Door<T> {
    queue: Arc<Queue<T>>,
    entrance: Weak<Entrance<T>>,
    pub(super) bell: Receiver<()>,
}

impl<T> Door<T> {
    pub(super) fn new(sight: &Arc<Sight<T>>) -> (Self, MergeHandle<T>) {
        let (bell, heard) = bounded(1);
        let queue = Arc::new(Queue {
            inputs: Mutex::new(Some(Vec::new())),
            is_waiting: AtomicBool::new(false),
            sight: Arc::clone(sight),
        });
        let entrance = Arc::new(Entrance { queue: Arc::clone(&queue), bell });
        let door = Self { queue, entrance: Arc::downgrade(&entrance), bell: heard };
        (door, MergeHandle { entrance })
    }

    /// One more handle, if there still is one.
    pub(super) fn handle(&self) -> Option<MergeHandle<T>> {
        self.entrance.upgrade().map(|entrance| MergeHandle { entrance })
    }

    /// Whether something has come; a hint for between the items.
    #[inline]
    pub(super) fn is_waiting(&self) -> bool {
        self.queue.is_waiting.load(Ordering::Relaxed)
    }

    /// What has come.
    pub(super) fn admit(&self) -> Vec<MergeInput<T>> {
        let mut inputs = self.queue.inputs.lock();
        self.queue.is_waiting.store(false, Ordering::Relaxed);
        inputs.as_mut().map(mem::take).unwrap_or_default()
    }

    /// Lets nothing in any more; what has come before.
    pub(super) fn close(&self) -> Vec<MergeInput<T>> {
        self.queue.inputs.lock().take().unwrap_or_default()
    }

    /// Silences the bell; whether it will never ring again. Before waiting for it, what has come is to be let in: an addition that is
    /// not among it comes later, and rings.
    pub(super) fn is_closed(&self) -> bool {
        loop {
            match self.bell.try_recv() {
                Ok(()) => {}
                Err(TryRecvError::Empty) => return false,
                Err(TryRecvError::Disconnected) => return true,
            }
        }
    }
}

impl<T> Drop for Door<T> {
    fn drop(&mut self) {
        drop(self.close()); // without the lock: receivers may be the last of their channels
    }
}
