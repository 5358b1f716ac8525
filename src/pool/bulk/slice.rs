//! Loops over slices.

use std::sync::Arc;

use super::super::submitter::Submitter;
use super::assembly::Assembly;
use super::cut::{Cursor, Cut, Pieces};
use super::error::BulkError;
use super::grain::Grain;
use super::work::{Progress, run};
use crate::cancel::CancellationToken;
use crate::panics::{self, Panic};

impl<'env, S: 'static> Submitter<'env, S> {
    /// Calls `f` on every item of a slice, on the pool's workers, and gives the results in the order of the items.
    ///
    /// Workers take ranges of items, of a length that follows the measured time per item: cheap items cost next to nothing besides
    /// themselves, and heavy ones are shared out one by one. The calling thread waits; a worker of this pool does its share, so
    /// calls may be nested. Data that the caller borrows comes in through a [scoped pool](super::super::ThreadPoolBuilder::scope).
    ///
    /// The loop takes one place in the queue, for which it waits as [`submit`](Self::submit) does, and counts as one task per worker.
    ///
    /// ```
    /// use gristmill::ThreadPool;
    ///
    /// let words = ["grist", "mill", "wheel"];
    /// let lengths = ThreadPool::builder().workers(2).scope(|pool| pool.map(&words, |word| word.len()))?;
    /// assert_eq!(lengths?, [5, 4, 5]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// `f` panicked: the error has the index of the item, and the rest is not done. The pool is closed, is stopped meanwhile, or its token
    /// is cancelled. Results are dropped.
    ///
    /// # Cancellation
    /// The pool's token ends the loop after the ranges that are being worked on (some tens of microseconds, or one item);
    /// [`map_with`](Self::map_with) takes another one.
    pub fn map<A, B, F>(&self, items: &'env [A], f: F) -> Result<Vec<B>, BulkError>
    where
        A: Sync,
        B: Send + 'env,
        F: Fn(&'env A) -> B + Send + Sync + 'env,
    {
        self.collect(items, f, None)
    }

    /// As [`map`](Self::map), until `token` is cancelled.
    ///
    /// # Errors
    /// As for [`map`](Self::map), and if the token was cancelled before the end.
    pub fn map_with<A, B, F>(
        &self,
        token: &CancellationToken,
        items: &'env [A],
        f: F,
    ) -> Result<Vec<B>, BulkError>
    where
        A: Sync,
        B: Send + 'env,
        F: Fn(&'env A) -> B + Send + Sync + 'env,
    {
        self.collect(items, f, Some(token))
    }

    /// As [`map`](Self::map), into a slice that the caller keeps; `out[i]` becomes the result of `items[i]`.
    ///
    /// Workers write straight into their part of the slice: nothing is allocated and nothing copied, which for cheap items is most of
    /// the cost of a [`map`](Self::map). Since it is lent to the pool, it is there to be read when the scope has ended.
    ///
    /// ```
    /// use gristmill::ThreadPool;
    ///
    /// let (numbers, mut doubled) = ([1, 2, 3], [0; 3]);
    /// ThreadPool::builder()
    ///     .workers(2)
    ///     .scope(|pool| pool.map_into(&numbers, &mut doubled, |number| number * 2))??;
    /// assert_eq!(doubled, [2, 4, 6]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The slices differ in length; then nothing is done. Otherwise as for [`map`](Self::map): some places then have their results and
    /// the others what was in them before.
    pub fn map_into<A, B, F>(&self, items: &'env [A], out: &'env mut [B], f: F) -> Result<(), BulkError>
    where
        A: Sync,
        B: Send,
        F: Fn(&'env A) -> B + Send + Sync + 'env,
    {
        self.write(items, out, f, None)
    }

    /// As [`map_into`](Self::map_into), until `token` is cancelled.
    ///
    /// # Errors
    /// As for [`map_into`](Self::map_into), and if the token was cancelled before the end.
    pub fn map_into_with<A, B, F>(
        &self,
        token: &CancellationToken,
        items: &'env [A],
        out: &'env mut [B],
        f: F,
    ) -> Result<(), BulkError>
    where
        A: Sync,
        B: Send,
        F: Fn(&'env A) -> B + Send + Sync + 'env,
    {
        self.write(items, out, f, Some(token))
    }

    fn write<A, B, F>(
        &self,
        items: &'env [A],
        out: &'env mut [B],
        f: F,
        token: Option<&CancellationToken>,
    ) -> Result<(), BulkError>
    where
        A: Sync,
        B: Send,
        F: Fn(&'env A) -> B + Send + Sync + 'env,
    {
        if items.len() != out.len() {
            return Err(BulkError::Lengths { items: items.len(), out: out.len() });
        }
        self.ranges(items, token, Pieces::new(out), move |_, items, piece| {
            let mut done = 0;
            let outcome = panics::catch(
                || "map_into",
                || {
                    for (item, place) in items.iter().zip(piece) {
                        let result = f(item);
                        done += 1;
                        *place = result;
                    }
                },
            );
            (done, outcome)
        })
    }

    fn collect<A, B, F>(
        &self,
        items: &'env [A],
        f: F,
        token: Option<&CancellationToken>,
    ) -> Result<Vec<B>, BulkError>
    where
        A: Sync,
        B: Send + 'env,
        F: Fn(&'env A) -> B + Send + Sync + 'env,
    {
        let assembly = Arc::new(Assembly::new(Vec::with_capacity(items.len())));
        let parts = Arc::clone(&assembly);
        let result = self.ranges(items, token, Cursor::new(items.len()), move |start, items, ()| {
            let mut target = parts.target(start);
            let buffer = target.buffer();
            let before = buffer.len();
            let outcome = panics::catch(|| "map", || buffer.extend(items.iter().map(&f)));
            let done = buffer.len() - before;
            parts.put(start, target);
            (done, outcome)
        });
        assembly.end(result)
    }

    /// Calls `f` on every item of a slice, on the pool's workers, in no particular order.
    ///
    /// As [`map`](Self::map) in everything else. `f` sees each item at most once, and exactly once if this returns `Ok`.
    ///
    /// ```
    /// use std::sync::atomic::{AtomicU64, Ordering};
    ///
    /// use gristmill::ThreadPool;
    ///
    /// let (numbers, sum) = ([1, 2, 3, 4], AtomicU64::new(0));
    /// let done = ThreadPool::builder().workers(2).scope(|pool| {
    ///     pool.for_each(&numbers, |number| _ = sum.fetch_add(*number, Ordering::Relaxed))
    /// })?;
    /// done?;
    /// assert_eq!(sum.into_inner(), 10);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As for [`map`](Self::map).
    pub fn for_each<A, F>(&self, items: &'env [A], f: F) -> Result<(), BulkError>
    where
        A: Sync,
        F: Fn(&'env A) + Send + Sync + 'env,
    {
        self.each(items, f, None)
    }

    /// As [`for_each`](Self::for_each), until `token` is cancelled.
    ///
    /// # Errors
    /// As for [`map_with`](Self::map_with).
    pub fn for_each_with<A, F>(
        &self,
        token: &CancellationToken,
        items: &'env [A],
        f: F,
    ) -> Result<(), BulkError>
    where
        A: Sync,
        F: Fn(&'env A) + Send + Sync + 'env,
    {
        self.each(items, f, Some(token))
    }

    fn each<A, F>(&self, items: &'env [A], f: F, token: Option<&CancellationToken>) -> Result<(), BulkError>
    where
        A: Sync,
        F: Fn(&'env A) + Send + Sync + 'env,
    {
        self.ranges(items, token, Cursor::new(items.len()), move |_, items, ()| {
            let mut done = 0;
            let outcome = panics::catch(
                || "for_each",
                || {
                    for item in items {
                        f(item);
                        done += 1;
                    }
                },
            );
            (done, outcome)
        })
    }

    /// Has workers call `body` on what `cut` gives out of the slice: the start, the items, and what goes with them. It says how many
    /// items are done.
    pub(super) fn ranges<A, C, F>(
        &self,
        items: &'env [A],
        token: Option<&CancellationToken>,
        cut: C,
        body: F,
    ) -> Result<(), BulkError>
    where
        A: Sync,
        C: Cut + Send + Sync + 'env,
        F: Fn(usize, &'env [A], C::Piece) -> (usize, Result<(), Panic>) + Send + Sync + 'env,
    {
        if items.is_empty() {
            return Ok(());
        }
        let workers = self.core().workers().max(1); // a pool that has ended has none, and refuses
        run(self.core(), workers.min(items.len()), token, move |progress: &Progress| {
            let mut grain = Grain::new();
            while progress.goes_on() {
                let Some((range, piece)) = cut.take(|rest| grain.len(Some(rest), workers)) else { return };
                if range.end == items.len() {
                    progress.exhaust();
                }
                grain.begin();
                let (done, outcome) = body(range.start, &items[range.clone()], piece);
                grain.end(done);
                progress.note(range.start, done, outcome);
            }
        })
    }
}
