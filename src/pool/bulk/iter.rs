//! Loops over iterators.

use std::sync::Arc;
use std::vec::Drain;

use super::super::submitter::Submitter;
use super::super::task::drop_quietly;
use super::assembly::Assembly;
use super::error::BulkError;
use super::grain::Grain;
use super::work::{Progress, run};
use crate::cancel::CancellationToken;
use crate::panics::{self, Panic};
use crate::sync::Mutex;

/// An iterator that several workers pull from. The one lock under which code of the user runs: there is no other way to share it.
struct Source<I> {
    state: Mutex<State<I>>,
}

struct State<I> {
    iter: I,
    pulled: usize,
    ended: bool,
}

impl<I: Iterator> Source<I> {
    fn new(iter: I) -> Self {
        Self { state: Mutex::new(State { iter, pulled: 0, ended: false }) }
    }

    /// Pulls the next items into `items`; the index of the first, and whether the iterator is through.
    fn pull(
        &self,
        items: &mut Vec<I::Item>,
        grain: &Grain,
        workers: usize,
    ) -> (usize, bool, Result<(), Panic>) {
        let mut state = self.state.lock();
        let start = state.pulled;
        if state.ended {
            return (start, true, Ok(()));
        }
        let mut len = 0;
        let outcome = panics::catch(
            || "the iterator",
            || {
                let (least, most) = state.iter.size_hint();
                len = grain.len((most == Some(least)).then_some(least), workers);
                items.extend(state.iter.by_ref().take(len));
            },
        );
        state.pulled += items.len();
        state.ended = outcome.is_err() || items.len() < len;
        (start, outcome.is_ok() && state.ended, outcome)
    }
}

impl<'env, S: 'static> Submitter<'env, S> {
    /// Calls `f` on every item of an iterator, on the pool's workers, and gives the results in the order of the items.
    ///
    /// The workers pull from the iterator, one at a time, as many items as they then work on; it is never further ahead. Where everything is in a
    /// slice, [`map`](Self::map) needs no lock. In everything else this is as `map`. For several steps, bounded memory or errors, use a
    /// `Pipeline`.
    ///
    /// ```
    /// use gristmill::ThreadPool;
    ///
    /// let pool = ThreadPool::new()?;
    /// let text = String::from("grist mill wheel");
    /// let words: Vec<String> = text.split(' ').map(str::to_owned).collect();
    /// assert_eq!(pool.map_iter(words, |word| word.len())?, [5, 4, 5]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As for [`map`](Self::map). A panic of the iterator has the index of the item that it was to give.
    pub fn map_iter<I, B, F>(&self, items: I, f: F) -> Result<Vec<B>, BulkError>
    where
        I: IntoIterator<IntoIter: Send + 'env>,
        B: Send + 'env,
        F: Fn(I::Item) -> B + Send + Sync + 'env,
    {
        self.collect_pulled(items.into_iter(), f, None)
    }

    /// As [`map_iter`](Self::map_iter), until `token` is cancelled.
    ///
    /// # Errors
    /// As for [`map_iter`](Self::map_iter), and if the token was cancelled before the end.
    pub fn map_iter_with<I, B, F>(
        &self,
        token: &CancellationToken,
        items: I,
        f: F,
    ) -> Result<Vec<B>, BulkError>
    where
        I: IntoIterator<IntoIter: Send + 'env>,
        B: Send + 'env,
        F: Fn(I::Item) -> B + Send + Sync + 'env,
    {
        self.collect_pulled(items.into_iter(), f, Some(token))
    }

    fn collect_pulled<I, B, F>(
        &self,
        items: I,
        f: F,
        token: Option<&CancellationToken>,
    ) -> Result<Vec<B>, BulkError>
    where
        I: Iterator + Send + 'env,
        B: Send + 'env,
        F: Fn(I::Item) -> B + Send + Sync + 'env,
    {
        let assembly = Arc::new(Assembly::new(Vec::new()));
        let parts = Arc::clone(&assembly);
        let result = self.pulls(items, token, move |start, items| {
            let mut target = parts.target(start);
            let buffer = target.buffer();
            let before = buffer.len();
            let outcome = panics::catch(|| "map_iter", || buffer.extend(items.map(&f)));
            let done = buffer.len() - before;
            parts.put(start, target);
            (done, outcome)
        });
        assembly.end(result)
    }

    /// Calls `f` on every item of an iterator, on the pool's workers, in no particular order.
    ///
    /// As [`map_iter`](Self::map_iter) in everything else.
    ///
    /// ```
    /// use std::sync::atomic::{AtomicUsize, Ordering};
    ///
    /// use gristmill::ThreadPool;
    ///
    /// let letters = AtomicUsize::new(0);
    /// let done = ThreadPool::scope(|pool| {
    ///     pool.for_each_iter("grist mill wheel".split(' '), |word| _ = letters.fetch_add(word.len(), Ordering::Relaxed))
    /// })?;
    /// done?;
    /// assert_eq!(letters.into_inner(), 14);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As for [`map_iter`](Self::map_iter).
    pub fn for_each_iter<I, F>(&self, items: I, f: F) -> Result<(), BulkError>
    where
        I: IntoIterator<IntoIter: Send + 'env>,
        F: Fn(I::Item) + Send + Sync + 'env,
    {
        self.each_pulled(items.into_iter(), f, None)
    }

    /// As [`for_each_iter`](Self::for_each_iter), until `token` is cancelled.
    ///
    /// # Errors
    /// As for [`map_iter_with`](Self::map_iter_with).
    pub fn for_each_iter_with<I, F>(&self, token: &CancellationToken, items: I, f: F) -> Result<(), BulkError>
    where
        I: IntoIterator<IntoIter: Send + 'env>,
        F: Fn(I::Item) + Send + Sync + 'env,
    {
        self.each_pulled(items.into_iter(), f, Some(token))
    }

    fn each_pulled<I, F>(&self, items: I, f: F, token: Option<&CancellationToken>) -> Result<(), BulkError>
    where
        I: Iterator + Send + 'env,
        F: Fn(I::Item) + Send + Sync + 'env,
    {
        self.pulls(items, token, move |_, items| {
            let mut done = 0;
            let outcome = panics::catch(
                || "for_each_iter",
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

    /// Has workers call `body` on what they pulled, with the index of its first item; it says how many items are done. What it leaves is dropped
    /// here, outside of what catches its panic: one by one, for the drops may panic too.
    pub(super) fn pulls<I, F>(
        &self,
        iter: I,
        token: Option<&CancellationToken>,
        body: F,
    ) -> Result<(), BulkError>
    where
        I: Iterator + Send + 'env,
        F: Fn(usize, &mut Drain<'_, I::Item>) -> (usize, Result<(), Panic>) + Send + Sync + 'env,
    {
        if iter.size_hint() == (0, Some(0)) {
            return Ok(());
        }
        let workers = self.core().workers().max(1); // a pool that has ended has none, and refuses
        let source = Source::new(iter);
        run(self.core(), workers, token, move |progress: &Progress| {
            let (mut grain, mut items) = (Grain::new(), Vec::new());
            while progress.goes_on() {
                grain.begin();
                let (start, ended, pulled) = source.pull(&mut items, &grain, workers);
                if ended {
                    progress.exhaust();
                }
                let count = items.len();
                if count > 0 {
                    let mut pulled = items.drain(..);
                    let (done, outcome) = body(start, &mut pulled);
                    pulled.for_each(drop_quietly);
                    grain.end(done);
                    progress.note(start, done, outcome);
                }
                if let Err(panic) = pulled {
                    progress.note(start + count, 0, Err(panic));
                }
                if ended || count == 0 {
                    return;
                }
            }
        })
    }
}
