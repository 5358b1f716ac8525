//! What a submission of many tasks gives back of those that were not accepted.

use std::fmt;
use std::iter::Chain;
use std::vec;

use super::super::error::Refusal;
use super::many::ManyHandle;

/// Some tasks were not accepted, and why. Nothing is lost: [`into_parts`](Self::into_parts) gives the handle of those that were accepted
/// and an iterator over the others.
///
/// ```
/// use gristmill::{Refusal, ThreadPool};
///
/// let pool = ThreadPool::builder().queue_bound(2).build()?;
/// pool.pause();
/// let error = pool.try_submit_many((0..5).map(|n| move || n)).unwrap_err();
/// assert_eq!(error.accepted(), 2);
/// let (accepted, rest, refusal) = error.into_parts();
/// assert!(matches!(refusal, Refusal::Full));
/// pool.resume();
/// assert_eq!(accepted.wait().len(), 2);
/// assert_eq!(rest.map(|task| task()).collect::<Vec<_>>(), [2, 3, 4]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "the tasks that were refused are in here, and the handle of those that were accepted"]
pub struct SubmitManyError<'env, I: Iterator, T> {
    accepted: ManyHandle<'env, T>,
    rest: Unsubmitted<I>,
    refusal: Refusal,
}

impl<'env, I: Iterator, T> SubmitManyError<'env, I, T> {
    pub(super) fn new(
        accepted: ManyHandle<'env, T>,
        pulled: Vec<I::Item>,
        tasks: I,
        refusal: Refusal,
    ) -> Self {
        Self { accepted, rest: Unsubmitted(pulled.into_iter().chain(tasks)), refusal }
    }

    /// Why the rest was refused.
    pub fn refusal(&self) -> &Refusal {
        &self.refusal
    }

    /// How many tasks were accepted before.
    pub fn accepted(&self) -> usize {
        self.accepted.len()
    }

    /// The handle of the tasks that were accepted, those that were not, in order, and why.
    pub fn into_parts(self) -> (ManyHandle<'env, T>, Unsubmitted<I>, Refusal) {
        (self.accepted, self.rest, self.refusal)
    }
}

impl<I: Iterator, T> fmt::Debug for SubmitManyError<'_, I, T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("SubmitManyError")
            .field("accepted", &self.accepted.len())
            .field("refusal", &self.refusal)
            .finish_non_exhaustive()
    }
}

impl<I: Iterator, T> fmt::Display for SubmitManyError<'_, I, T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let accepted = self.accepted.len();
        write!(formatter, "tasks were not accepted after the first {accepted}: {}", self.refusal)
    }
}

impl<I: Iterator, T> std::error::Error for SubmitManyError<'_, I, T> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.refusal {
            Refusal::Cancelled(cause) => Some(cause),
            _ => None,
        }
    }
}

/// The tasks that a [`submit_many`](super::super::Submitter::submit_many) did not submit: those it had pulled, then the rest of its iterator.
///
/// ```
/// use gristmill::ThreadPool;
///
/// let pool = ThreadPool::new()?;
/// pool.close();
/// let error = pool.submit_many((0..3).map(|n| move || n * 10)).unwrap_err();
/// let (_, rest, _) = error.into_parts();
/// assert_eq!(rest.map(|task| task()).collect::<Vec<_>>(), [0, 10, 20]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "the tasks that were not accepted are in here"]
pub struct Unsubmitted<I: Iterator>(Chain<vec::IntoIter<I::Item>, I>);

impl<I: Iterator> Iterator for Unsubmitted<I> {
    type Item = I::Item;

    fn next(&mut self) -> Option<I::Item> {
        self.0.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl<I: Iterator> fmt::Debug for Unsubmitted<I> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Unsubmitted").finish_non_exhaustive()
    }
}
