//! Inputs that a run has read but never begun.

use std::fmt;
use std::sync::Arc;

use super::builder::Pipeline;
use super::plan::FromSource;
use super::source::{Readiness, Reading, Source, Wait};
use super::step::Through;
use crate::cancel::CancellationToken;
use crate::sync::Mutex;
use crate::sync::channel::Receiver;

/// Collects what a run that ends early has read from its source and not begun; see
/// [`return_undone`](super::Pipeline::return_undone).
///
/// One may serve several runs, one after the other; the indices are those of each run.
///
/// ```
/// use gristmill::pipeline::UndoneInputs;
/// use gristmill::{CancellationToken, Pipeline};
///
/// let undone = UndoneInputs::new();
/// let error = Pipeline::from_iter(["", "flour", "oats"])
///     .return_undone(&undone)
///     .try_map("grind", |sack| if sack.is_empty() { Err("nothing in it") } else { Ok(sack) })
///     .for_each("drop", drop)
///     .run(&CancellationToken::new())
///     .unwrap_err();
/// assert_eq!(error.index(), Some(0));
/// for (index, sack) in undone.take() {
///     assert!(index > 0 && !sack.is_empty()); // may be done again without doing anything twice
/// }
/// ```
pub struct UndoneInputs<T> {
    inputs: Arc<Mutex<Vec<(u64, T)>>>,
}

impl<T> Clone for UndoneInputs<T> {
    fn clone(&self) -> Self {
        Self { inputs: Arc::clone(&self.inputs) }
    }
}

// No item: its `Debug` would run under the lock.
impl<T> fmt::Debug for UndoneInputs<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("UndoneInputs").field("len", &self.inputs.lock().len()).finish_non_exhaustive()
    }
}

impl<T> Default for UndoneInputs<T> {
    fn default() -> Self {
        Self { inputs: Arc::new(Mutex::new(Vec::new())) }
    }
}

impl<T> UndoneInputs<T> {
    /// Makes an empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes what has been given back, each with its index in the source, in that order. Complete once the run has returned.
    pub fn take(&self) -> Vec<(u64, T)> {
        let mut inputs = std::mem::take(&mut *self.inputs.lock());
        inputs.sort_unstable_by_key(|(index, _)| *index);
        inputs
    }
}

/// A source that has what was not begun given back.
#[derive(Debug)]
pub struct Returning<Z, T> {
    pub(super) source: Z,
    pub(super) undone: UndoneInputs<T>,
}

impl<Z, T, E> Source<E> for Returning<Z, T>
where
    Z: Source<E, Item = T>,
    T: Send,
{
    type Item = T;

    fn expected(&self) -> Option<usize> {
        self.source.expected()
    }

    fn readiness(&self) -> Readiness {
        self.source.readiness()
    }

    fn begin(&mut self, token: &CancellationToken, nudges: Option<Receiver<()>>) {
        self.source.begin(token, nudges);
    }

    #[inline]
    fn read(&mut self, limit: usize, wait: Wait, into: &mut Vec<T>) -> Reading<E> {
        self.source.read(limit, wait, into)
    }

    const ONE_BY_ONE: bool = Z::ONE_BY_ONE;

    const TAKES_BACK: bool = true;

    fn weight_of_last(&self) -> u64 {
        self.source.weight_of_last()
    }

    fn has_waiting(&self) -> bool {
        self.source.has_waiting()
    }

    fn take_waiting(&mut self) -> Option<T> {
        self.source.take_waiting()
    }

    fn take_back(&mut self, first: u64, items: Vec<T>) {
        self.undone.inputs.lock().extend((first..).zip(items));
    }
}

impl<Z, T, M> Pipeline<FromSource<Z>, Through, T, M> {
    /// Gives back what has been read and never begun, if the run ends early: by an error, a panic, a cancellation, a time-out while it
    /// drains, or because nobody pulls its results any more. Said right after the source, before or
    /// after a [window by weight](Pipeline::window_by_weight).
    ///
    /// An item that a stage has begun is not given back: what has become of it by then is dropped, and its stage counts it. Nor is one that a
    /// [batch](Self::batch) has gathered or that waits in front of a [keyed](Self::keyed) stage, where one of these is the first stage. With what has not
    /// been read, which stays in the channel or in the iterator, these are the items that may be done again without doing anything twice.
    ///
    /// # Examples
    /// ```
    /// use gristmill::pipeline::UndoneInputs;
    /// use gristmill::{CancellationToken, Pipeline};
    ///
    /// let undone = UndoneInputs::new();
    /// let mut names = ["a", "b", "", "c", "d"].into_iter();
    /// let error = Pipeline::from_iter(&mut names)
    ///     .return_undone(&undone)
    ///     .try_map("check", |name| if name.is_empty() { Err("no name") } else { Ok(name) })
    ///     .for_each("drop", drop)
    ///     .run(&CancellationToken::new())
    ///     .unwrap_err();
    /// assert_eq!(error.index(), Some(2));
    /// let mut rest: Vec<_> = undone.take().into_iter().map(|(_, name)| name).collect();
    /// rest.extend(names);
    /// assert!(["c", "d"].ends_with(&rest)); // what no stage has seen
    /// ```
    pub fn return_undone(
        self,
        undone: &UndoneInputs<T>,
    ) -> Pipeline<FromSource<Returning<Z, T>>, Through, T, M> {
        let FromSource { source, declared } = self.plan;
        let source = Returning { source, undone: undone.clone() };
        Pipeline {
            plan: FromSource { source, declared },
            step: self.step,
            settings: self.settings,
            types: self.types,
        }
    }
}
