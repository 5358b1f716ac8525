//! Running over a list with at most so many at once: what is said to the user, and what the answer is.

use std::convert::Infallible;
use std::mem;

use super::control::Semaphore;
use super::error::AcquireError;
use super::looped::{End, Loop};
use crate::cancel::{CancellationToken, Cancelled};
use crate::panics::{self, Panic, drop_quietly};

/// Why a [`map`](Semaphore::map) or [`try_map`](Semaphore::try_map) ended early.
///
/// Whatever it says: none of the loop's code runs any more, and its permits are given back. The results of the items that were done have been
/// dropped, and so have the items that were not started. A drop that panics, of an item, a result, a later error or the function
/// itself, goes to the panic hook and does not change the answer. To keep results, let the function put them where they stay, or let
/// each item have an answer of its own: `map` with a function that returns a `Result` does not end early.
///
/// ```
/// use gristmill::{LimitedError, Semaphore};
///
/// let outcome = Semaphore::new(2).try_map(["12", "oops", "7"], str::parse::<u8>);
/// match outcome.unwrap_err() {
///     LimitedError::Failed { index, source } => {
///         assert_eq!((index, source.to_string().as_str()), (1, "invalid digit found in string"));
///     }
///     other => unreachable!("{other}"),
/// }
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LimitedError<E = Infallible> {
    /// The function returned an error. Of several this is the one with the lowest index among those that came before all had stopped.
    #[error("item {index} failed: {source}")]
    Failed {
        /// The index of the item, from 0.
        index: usize,
        /// The error.
        #[source]
        source: E,
    },
    /// The function panicked; chosen as for [`Failed`](Self::Failed).
    #[error("item {index} panicked: {}", source.message())]
    Panicked {
        /// The index of the item, from 0.
        index: usize,
        /// The panic.
        #[source]
        source: Panic,
    },
    /// The token given to the call was cancelled. An error that an item returned after that is taken for a reaction to it.
    #[error("cancelled when {done} items were done")]
    Cancelled {
        /// How many items were done.
        done: usize,
        /// Who cancelled it, and why.
        #[source]
        source: Cancelled,
    },
    /// The semaphore gave no permit: it is closed, or its capacity is 0.
    #[error("no permit when {done} items were done: {source}")]
    Refused {
        /// How many items were done.
        done: usize,
        /// Why.
        #[source]
        source: AcquireError,
    },
}

impl Semaphore {
    /// The most threads that one [`map`](Self::map) works on, the calling one among them; whatever the capacity, which may stand for bytes, or
    /// for no limit. For more at once, a [pool](crate::pool::ThreadPool) takes the number that it is told.
    pub const MAX_LOOP_THREADS: usize = 1024;

    /// Runs `run` over a list with at most so many at once as there are permits; the results come in the order of the items.
    ///
    /// Each item is worked on under a permit of its own, so loops and other users of one semaphore share its limit. The calling
    /// thread takes part; more are started for this call only: as many as the items or the capacity of that moment need, up to
    /// [`MAX_LOOP_THREADS`](Self::MAX_LOOP_THREADS). Where one cannot be created, the loop goes on with those that it has, if need be
    /// with the calling thread alone; so items must not wait for each other. For a loop over many short items, or one of many loops, a
    /// [pool](crate::pool::ThreadPool) starts its threads once.
    ///
    /// The items are taken out of their iterator before the first is started, since their number says how many threads there are to be, and
    /// all are there at once. For a source without end, or one that waits or computes, there is a [pipeline](crate::Pipeline), whose window bounds what is there.
    ///
    /// It waits for a permit only with an item in hand: once the last has been given out, other users of the semaphore cannot delay
    /// the end. A caller that holds permits while it calls leaves fewer to the loop; one that holds all of them waits for ever.
    ///
    /// # Examples
    /// ```
    /// use gristmill::Semaphore;
    ///
    /// let connections = Semaphore::new(3);
    /// let lengths = connections.map(["north", "east", "south", "west"], |host| host.len())?;
    /// assert_eq!(lengths, [5, 4, 5, 4]);
    /// # Ok::<(), gristmill::LimitedError>(())
    /// ```
    ///
    /// # Errors
    /// [`LimitedError::Panicked`]: an item panicked; [`LimitedError::Refused`]: the semaphore was closed, or lowered to a capacity of 0,
    /// before the last item had its permit. No further item is started, and the call returns when those that had been have ended. The
    /// permits are back; results and items that were not started are dropped; see [`LimitedError`].
    ///
    /// # Panics
    /// If the iterator panics, in its drop too; nothing was started then, and what it had given is dropped.
    pub fn map<T: Send, R: Send>(
        &self,
        items: impl IntoIterator<Item = T>,
        run: impl Fn(T) -> R + Sync,
    ) -> Result<Vec<R>, LimitedError> {
        self.run_all(None, items, move |item| Ok(run(item)))
    }

    /// As [`map`](Self::map), until `token` is cancelled.
    ///
    /// # Errors
    /// As for [`map`](Self::map), and [`LimitedError::Cancelled`]: the token was cancelled before the last item had its permit. One that
    /// comes later changes nothing: there is nothing left to stop.
    ///
    /// # Panics
    /// As [`map`](Self::map) does.
    ///
    /// # Cancellation
    /// No further item is started, and none is taken out of the iterator, whose `next` is not interrupted; those that had been started end by themselves,
    /// which is quick if they look at the token too.
    pub fn map_with<T: Send, R: Send>(
        &self,
        token: &CancellationToken,
        items: impl IntoIterator<Item = T>,
        run: impl Fn(T) -> R + Sync,
    ) -> Result<Vec<R>, LimitedError> {
        self.run_all(Some(token), items, move |item| Ok(run(item)))
    }

    /// As [`map`](Self::map), with a function that may fail; the first failure stops the rest.
    ///
    /// # Examples
    /// ```
    /// use gristmill::Semaphore;
    ///
    /// let parsed = Semaphore::new(2).try_map(["12", "oops", "7"], str::parse::<u8>);
    /// assert_eq!(parsed.unwrap_err().to_string(), "item 1 failed: invalid digit found in string");
    /// ```
    ///
    /// # Errors
    /// As for [`map`](Self::map), and [`LimitedError::Failed`]: an item returned an error. It is noted before the permit of that item
    /// goes back, so nothing starts under it.
    ///
    /// # Panics
    /// As [`map`](Self::map) does.
    pub fn try_map<T: Send, R: Send, E: Send>(
        &self,
        items: impl IntoIterator<Item = T>,
        run: impl Fn(T) -> Result<R, E> + Sync,
    ) -> Result<Vec<R>, LimitedError<E>> {
        self.run_all(None, items, run)
    }

    /// As [`try_map`](Self::try_map), until `token` is cancelled.
    ///
    /// # Errors
    /// As for [`try_map`](Self::try_map) and [`map_with`](Self::map_with).
    ///
    /// # Panics
    /// As [`map`](Self::map) does.
    ///
    /// # Cancellation
    /// As for [`map_with`](Self::map_with).
    pub fn try_map_with<T: Send, R: Send, E: Send>(
        &self,
        token: &CancellationToken,
        items: impl IntoIterator<Item = T>,
        run: impl Fn(T) -> Result<R, E> + Sync,
    ) -> Result<Vec<R>, LimitedError<E>> {
        self.run_all(Some(token), items, run)
    }

    pub(super) fn loop_threads(&self, items: usize) -> usize {
        self.capacity().min(items).min(Self::MAX_LOOP_THREADS)
    }

    fn run_all<T: Send, R: Send, E: Send>(
        &self,
        token: Option<&CancellationToken>,
        items: impl IntoIterator<Item = T>,
        run: impl Fn(T) -> Result<R, E> + Sync,
    ) -> Result<Vec<R>, LimitedError<E>> {
        let mut given = Given { items: Vec::new(), run: Some(run) };
        let mut items = items.into_iter();
        for item in items.by_ref() {
            given.items.push(item);
            if let Some(source) = token.and_then(CancellationToken::cause) {
                drop_quietly(items);
                return Err(LimitedError::Cancelled { done: 0, source });
            }
        }
        // What it holds may be what the items wait for.
        drop(items);
        let (items, run) = given.take();
        let count = items.len();
        panics::note_locations();
        let looped = Loop::new(self, token, items, run);
        let mut results = looped.run_on_threads(self.loop_threads(count));
        let end = looped.finish();
        if results.len() == count {
            results.sort_unstable_by_key(|(index, _)| *index);
            return Ok(results.into_iter().map(|(_, result)| result).collect());
        }
        let done = results.len();
        results.into_iter().for_each(drop_quietly);
        Err(match end {
            Some(End::Failed(index, source)) => LimitedError::Failed { index, source },
            Some(End::Panicked(index, source)) => LimitedError::Panicked { index, source },
            Some(End::Cancelled(source)) => LimitedError::Cancelled { done, source },
            Some(End::Refused(source)) => LimitedError::Refused { done, source },
            None => unreachable!("an item without a result has left the reason"),
        })
    }
}

/// Items on their way out of the user's iterator, and what is to be done with them: should that panic, or nothing be started, their drops must not
/// add to it.
struct Given<T, F> {
    items: Vec<T>,
    /// There until it is taken.
    run: Option<F>,
}

impl<T, F> Given<T, F> {
    fn take(&mut self) -> (Vec<T>, F) {
        (mem::take(&mut self.items), self.run.take().expect("it is taken once"))
    }
}

impl<T, F> Drop for Given<T, F> {
    fn drop(&mut self) {
        self.items.drain(..).for_each(drop_quietly);
        drop_quietly(self.run.take());
    }
}
