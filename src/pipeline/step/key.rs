//! The step in front of a keyed stage: finds each item's key, on all workers.

use std::hash::Hash;

use super::{Passed, Step, StepContext, Tally};
use crate::fan;

/// A key and its hash, so that who looks it up need not hash it again.
#[derive(Debug)]
pub struct Hashed<K> {
    pub(in super::super) hash: u64,
    pub(in super::super) key: K,
}

/// Pairs each item with its key.
#[derive(Debug)]
pub struct KeyOf<F> {
    pub(in super::super) stage: usize,
    pub(in super::super) key: F,
}

impl<T, K, E, F> Step<T, E> for KeyOf<F>
where
    T: Send,
    K: Hash + Send,
    F: Fn(&T) -> K + Send + Sync,
{
    type Out = (Hashed<K>, T);
    type Local = ();
    const ONE_TO_ONE: bool = true;
    // Its key is known, but the stage has not begun it.
    const UNDOES: bool = true;

    fn undo((_, item): Self::Out) -> Option<T> {
        Some(item)
    }

    fn local(&self) {}

    #[inline]
    fn apply<const SAMPLED: bool>(
        &self,
        context: &StepContext,
        (): &mut (),
        item: T,
        next: &mut impl FnMut(Self::Out) -> Passed<E>,
    ) -> Passed<E> {
        // The keyed stage itself times what its items take.
        let key = context.part::<false, _>(self.stage, || {
            let key = (self.key)(&item);
            Hashed { hash: fan::hash(&key), key }
        });
        next((key, item))
    }

    fn settle(&self, (): &(), entered: u64, tally: &mut Tally) -> u64 {
        // The keyed stage itself counts the items that get as far as that.
        tally.before(self.stage, entered)
    }
}
