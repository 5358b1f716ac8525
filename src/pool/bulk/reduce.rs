//! Map-reduce over slices and iterators.

use std::sync::Arc;

use super::super::submitter::Submitter;
use super::super::task::drop_quietly;
use super::confluence::Confluence;
use super::cut::Cursor;
use super::error::BulkError;
use crate::cancel::CancellationToken;
use crate::panics::{self, Panic};

impl<'env, S: 'static> Submitter<'env, S> {
    /// Calls `f` on every item of a slice, on the pool's workers, and reduces the results to one; `None` if there are no items.
    ///
    /// `reduce` has to be associative, and that is all: it is called with results of neighbours, the earlier one on the left, in whatever grouping. So
    /// strings and lists may be joined. It starts from the results themselves and needs no neutral element. Not for sums of floating-point numbers that
    /// are to be the same in every run: those depend on the grouping.
    ///
    /// In everything else this is as [`map`](Self::map).
    ///
    /// ```
    /// use gristmill::ThreadPool;
    ///
    /// let words = ["grist", "mill", "wheel"];
    /// let initials = ThreadPool::builder().workers(2).scope(|pool| {
    ///     pool.map_reduce(&words, |word| word[..1].to_owned(), |left, right| left + &right)
    /// })?;
    /// assert_eq!(initials?.as_deref(), Some("gmw"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As for [`map`](Self::map). A panic of `reduce` has the index behind the last item that the worker had mapped.
    ///
    /// # Cost
    /// The memory for one result per worker, and one more for each at most, however many items there are; a lock per range.
    pub fn map_reduce<A, B, F, R>(&self, items: &'env [A], f: F, reduce: R) -> Result<Option<B>, BulkError>
    where
        A: Sync,
        B: Send + 'env,
        F: Fn(&'env A) -> B + Send + Sync + 'env,
        R: Fn(B, B) -> B + Send + Sync + 'env,
    {
        self.reduce_slice(None, items, f, reduce)
    }

    /// As [`map_reduce`](Self::map_reduce), until `token` is cancelled.
    ///
    /// # Errors
    /// As for [`map_reduce`](Self::map_reduce), and if the token was cancelled before the end.
    pub fn map_reduce_with<A, B, F, R>(
        &self,
        token: &CancellationToken,
        items: &'env [A],
        f: F,
        reduce: R,
    ) -> Result<Option<B>, BulkError>
    where
        A: Sync,
        B: Send + 'env,
        F: Fn(&'env A) -> B + Send + Sync + 'env,
        R: Fn(B, B) -> B + Send + Sync + 'env,
    {
        self.reduce_slice(Some(token), items, f, reduce)
    }

    /// As [`map_reduce`](Self::map_reduce), over an iterator.
    ///
    /// The workers pull from the iterator, one at a time, as many items as they then work on; it is never further ahead.
    ///
    /// ```
    /// use gristmill::ThreadPool;
    ///
    /// let pool = ThreadPool::new()?;
    /// let digits = pool.map_reduce_iter(0..1000_u32, |number| number.to_string().len(), |left, right| left + right)?;
    /// assert_eq!(digits, Some(2890));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As for [`map_reduce`](Self::map_reduce). A panic of the iterator has the index of the item that it was to give.
    pub fn map_reduce_iter<I, B, F, R>(&self, items: I, f: F, reduce: R) -> Result<Option<B>, BulkError>
    where
        I: IntoIterator<IntoIter: Send + 'env>,
        B: Send + 'env,
        F: Fn(I::Item) -> B + Send + Sync + 'env,
        R: Fn(B, B) -> B + Send + Sync + 'env,
    {
        self.reduce_iter(None, items.into_iter(), f, reduce)
    }

    /// As [`map_reduce_iter`](Self::map_reduce_iter), until `token` is cancelled.
    ///
    /// # Errors
    /// As for [`map_reduce_iter`](Self::map_reduce_iter), and if the token was cancelled before the end.
    pub fn map_reduce_iter_with<I, B, F, R>(
        &self,
        token: &CancellationToken,
        items: I,
        f: F,
        reduce: R,
    ) -> Result<Option<B>, BulkError>
    where
        I: IntoIterator<IntoIter: Send + 'env>,
        B: Send + 'env,
        F: Fn(I::Item) -> B + Send + Sync + 'env,
        R: Fn(B, B) -> B + Send + Sync + 'env,
    {
        self.reduce_iter(Some(token), items.into_iter(), f, reduce)
    }

    fn reduce_slice<A, B, F, R>(
        &self,
        token: Option<&CancellationToken>,
        items: &'env [A],
        f: F,
        reduce: R,
    ) -> Result<Option<B>, BulkError>
    where
        A: Sync,
        B: Send + 'env,
        F: Fn(&'env A) -> B + Send + Sync + 'env,
        R: Fn(B, B) -> B + Send + Sync + 'env,
    {
        let confluence = Arc::new(Confluence::new());
        let runs = Arc::clone(&confluence);
        let outcome = self.ranges(items, token, Cursor::new(items.len()), move |start, items, ()| {
            run(&runs, start, items.iter().map(&f), &reduce)
        });
        end(outcome, confluence.take())
    }

    fn reduce_iter<I, B, F, R>(
        &self,
        token: Option<&CancellationToken>,
        items: I,
        f: F,
        reduce: R,
    ) -> Result<Option<B>, BulkError>
    where
        I: Iterator + Send + 'env,
        B: Send + 'env,
        F: Fn(I::Item) -> B + Send + Sync + 'env,
        R: Fn(B, B) -> B + Send + Sync + 'env,
    {
        let confluence = Arc::new(Confluence::new());
        let runs = Arc::clone(&confluence);
        let outcome = self.pulls(items, token, move |start, items| run(&runs, start, items.map(&f), &reduce));
        end(outcome, confluence.take())
    }
}

/// Reduces one range, and what of its neighbours is there. How many items are done; a panic was that of the next one, or of reducing.
fn run<B>(
    runs: &Confluence<B>,
    start: usize,
    results: impl Iterator<Item = B>,
    reduce: &impl Fn(B, B) -> B,
) -> (usize, Result<(), Panic>) {
    // Out here, so that the unwinding does not drop it: its drop may panic too.
    let (mut done, mut whole) = (0, None);
    let reduced = panics::catch(
        || "map_reduce",
        || {
            for result in results {
                done += 1;
                whole = Some(match whole.take() {
                    Some(left) => reduce(left, result),
                    None => result,
                });
            }
        },
    );
    let merged = match (reduced, whole) {
        (Ok(()), Some(value)) => {
            panics::catch(|| "map_reduce", || runs.put(start, start + done, value, reduce))
        }
        (outcome, rest) => {
            drop_quietly(rest);
            outcome
        }
    };
    (done, merged)
}

fn end<B>(outcome: Result<(), BulkError>, whole: Option<B>) -> Result<Option<B>, BulkError> {
    match outcome {
        Ok(()) => Ok(whole),
        Err(error) => {
            drop_quietly(whole);
            Err(error)
        }
    }
}
