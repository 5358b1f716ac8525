//! Values of the user's that a panic must not drop all at once.

use std::mem;
use std::ops::{Deref, DerefMut};

use crate::panics::drop_quietly;

/// A collection whose items are dropped one by one when a combinator unwinds: a drop that panics then costs neither the others nor
/// the process.
pub(super) struct Kept<C: IntoIterator + Default>(C);

impl<C: IntoIterator + Default> Kept<C> {
    pub(super) fn new(items: C) -> Self {
        Self(items)
    }

    pub(super) fn into_inner(mut self) -> C {
        mem::take(&mut self.0)
    }
}

impl<C: IntoIterator + Default> Default for Kept<C> {
    fn default() -> Self {
        Self(C::default())
    }
}

impl<C: IntoIterator + Default> Deref for Kept<C> {
    type Target = C;

    fn deref(&self) -> &C {
        &self.0
    }
}

impl<C: IntoIterator + Default> DerefMut for Kept<C> {
    fn deref_mut(&mut self) -> &mut C {
        &mut self.0
    }
}

impl<C: IntoIterator + Default> Drop for Kept<C> {
    fn drop(&mut self) {
        mem::take(&mut self.0).into_iter().for_each(drop_quietly);
    }
}

/// The handles, all of them in hand; should the iterator panic, those that it gave are dropped one by one.
pub(super) fn gather<W>(handles: impl IntoIterator<Item = W>) -> Vec<W> {
    let mut all = Kept::new(Vec::new());
    all.extend(handles);
    all.into_inner()
}
