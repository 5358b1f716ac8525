//! A receiver to which items can be given back.

use std::collections::VecDeque;
use std::fmt;
use std::mem;
use std::sync::Arc;

use crate::sync::Mutex;
use crate::sync::channel::Receiver;

/// A channel's receiver, and before it the items that a [`Merge`](super::Merge) had taken from it and did not deliver.
///
/// A merge makes one of each receiver that it is given. Make it yourself, and keep a clone, where a merge may be dropped half way and its inputs go on: the clones
/// hold the same items.
///
/// # Examples
/// ```
/// use gristmill::fan::{Merge, MergeInput};
///
/// let (sender, receiver) = crossbeam_channel::bounded(4);
/// [1, 5].map(|number| sender.send(number).unwrap());
/// let input = MergeInput::from(receiver);
/// let (_silent, other) = crossbeam_channel::bounded(4);
/// let mut merge = Merge::sorted([input.clone(), other.into()]);
/// assert!(merge.try_recv().unwrap_err().is_empty(), "the other may still send a 0");
/// drop(merge);
/// let (held, receiver) = input.into_parts();
/// assert_eq!(held, [1], "it had been looked at");
/// assert_eq!(receiver.try_recv(), Ok(5));
/// ```
pub struct MergeInput<T> {
    receiver: Receiver<T>,
    /// A leaf lock; items are only moved under it.
    held: Arc<Mutex<VecDeque<T>>>,
}

impl<T> MergeInput<T> {
    /// The receiver. What the input holds comes before what is received here.
    pub fn receiver(&self) -> &Receiver<T> {
        &self.receiver
    }

    /// Takes out what is held, oldest first, and the receiver.
    pub fn into_parts(self) -> (Vec<T>, Receiver<T>) {
        let held = self.take_held();
        (held.into(), self.receiver)
    }

    pub(super) fn take_held(&self) -> VecDeque<T> {
        mem::take(&mut *self.held.lock())
    }

    /// Puts items before those that are held.
    pub(super) fn give_back(&self, mut items: VecDeque<T>) {
        let mut held = self.held.lock();
        items.append(&mut held);
        *held = items;
    }
}

impl<T> From<Receiver<T>> for MergeInput<T> {
    fn from(receiver: Receiver<T>) -> Self {
        Self { receiver, held: Arc::default() }
    }
}

impl<T> Clone for MergeInput<T> {
    fn clone(&self) -> Self {
        Self { receiver: self.receiver.clone(), held: Arc::clone(&self.held) }
    }
}

impl<T> fmt::Debug for MergeInput<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("MergeInput").field("held", &self.held.lock().len()).finish_non_exhaustive()
    }
}
