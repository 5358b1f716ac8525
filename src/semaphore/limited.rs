//! Running over a list with at most so many at once, without a pool: each item is worked on under a permit.
//!
//! Lock order: `items` and `failure` are leaves. No code of the user's runs under either: the items are in memory when the loop starts, and
//! a failure that gives way to another is dropped outside.

use std::convert::Infallible;
use std::iter::Enumerate;
use std::vec;

use super::control::Semaphore;
use super::error::AcquireError;
use crate::cancel::{CancellationToken, Cancelled};
use crate::panics::{self, Panic};
use crate::sync::Mutex;
use crate::sync::thread::{Builder, scope};

/// Why a [`map`](Semaphore::map) or [`try_map`](Semaphore::try_map) ended early.
///
/// Whatever it says, none of the loop's code runs any more and its permits are given back; results are dropped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LimitedError<E = Infallible> {
    /// The function returned an error. Of several this is the one with the lowest index among those that came before all had stopped.
    #[error("item {index} failed")]
    Failed {
        /// The index of the item, from 0.
        index: usize,
        /// The error.
        #[source]
        source: E,
    },
    /// The function panicked; chosen as for [`Failed`](Self::Failed).
    #[error("item {index} panicked")]
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

/// What ended the loop; as long as it is not known how many items were done.
enum End<E> {
    Failed(usize, E),
    Panicked(usize, Panic),
    Cancelled(Cancelled),
    Refused(AcquireError),
}

/// One loop, as its threads share it.
struct Loop<'a, T, E, F> {
    semaphore: &'a Semaphore,
    /// The caller's.
    token: Option<&'a CancellationToken>,
    /// Cancelled with the caller's, and by the first failure.
    stop: CancellationToken,
    items: Mutex<Enumerate<vec::IntoIter<T>>>,
    end: Mutex<Option<End<E>>>,
    run: F,
}

impl Semaphore {
    /// Runs `run` over a list with at most so many at once as there are permits; the results come in the order of the items.
    ///
    /// Each item is worked on under a permit of its own, so loops and other users of one semaphore share its limit. The calling
    /// thread takes part; more are started for this call only, as many as the capacity or the items need, and fewer if they cannot be
    /// had. For a loop over many short items, or one of many loops, a [pool](crate::pool::ThreadPool) starts its threads once.
    ///
    /// A caller that holds permits while it calls leaves fewer to the loop; one that holds all of them waits for ever.
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
    /// An item panicked, or the semaphore was closed or lowered to a capacity of 0. No further item is started, and the call returns
    /// when those that had been have ended.
    pub fn map<T, R>(
        &self,
        items: impl IntoIterator<Item = T>,
        run: impl Fn(T) -> R + Sync,
    ) -> Result<Vec<R>, LimitedError>
    where
        T: Send,
        R: Send,
    {
        self.run_all(None, items, |item| Ok(run(item)))
    }

    /// As [`map`](Self::map), until `token` is cancelled.
    ///
    /// # Errors
    /// As for [`map`](Self::map), and if the token was cancelled before the last item was done.
    ///
    /// # Cancellation
    /// No further item is started; those that had been end by themselves, which is quick if they look at the token too.
    pub fn map_with<T, R>(
        &self,
        token: &CancellationToken,
        items: impl IntoIterator<Item = T>,
        run: impl Fn(T) -> R + Sync,
    ) -> Result<Vec<R>, LimitedError>
    where
        T: Send,
        R: Send,
    {
        self.run_all(Some(token), items, |item| Ok(run(item)))
    }

    /// As [`map`](Self::map), with a function that may fail; the first failure stops the rest.
    ///
    /// # Examples
    /// ```
    /// use gristmill::Semaphore;
    ///
    /// let parsed = Semaphore::new(2).try_map(["12", "oops", "7"], str::parse::<u8>);
    /// assert_eq!(parsed.unwrap_err().to_string(), "item 1 failed");
    /// ```
    ///
    /// # Errors
    /// As for [`map`](Self::map), and [`LimitedError::Failed`].
    pub fn try_map<T, R, E>(
        &self,
        items: impl IntoIterator<Item = T>,
        run: impl Fn(T) -> Result<R, E> + Sync,
    ) -> Result<Vec<R>, LimitedError<E>>
    where
        T: Send,
        R: Send,
        E: Send,
    {
        self.run_all(None, items, run)
    }

    /// As [`try_map`](Self::try_map), until `token` is cancelled.
    ///
    /// # Errors
    /// As for [`try_map`](Self::try_map) and [`map_with`](Self::map_with).
    ///
    /// # Cancellation
    /// As for [`map_with`](Self::map_with).
    pub fn try_map_with<T, R, E>(
        &self,
        token: &CancellationToken,
        items: impl IntoIterator<Item = T>,
        run: impl Fn(T) -> Result<R, E> + Sync,
    ) -> Result<Vec<R>, LimitedError<E>>
    where
        T: Send,
        R: Send,
        E: Send,
    {
        self.run_all(Some(token), items, run)
    }

    fn run_all<T, R, E>(
        &self,
        token: Option<&CancellationToken>,
        items: impl IntoIterator<Item = T>,
        run: impl Fn(T) -> Result<R, E> + Sync,
    ) -> Result<Vec<R>, LimitedError<E>>
    where
        T: Send,
        R: Send,
        E: Send,
    {
        let items: Vec<T> = items.into_iter().collect();
        let count = items.len();
        panics::note_locations();
        let shared = Loop {
            semaphore: self,
            token,
            stop: token.map_or_else(CancellationToken::new, CancellationToken::child),
            items: Mutex::new(items.into_iter().enumerate()),
            end: Mutex::new(None),
            run,
        };
        let mut results = shared.run_on_threads(self.capacity().min(count));
        if results.len() == count {
            results.sort_unstable_by_key(|(index, _)| *index);
            return Ok(results.into_iter().map(|(_, result)| result).collect());
        }
        let done = results.len();
        Err(match shared.end.into_inner() {
            Some(End::Failed(index, source)) => LimitedError::Failed { index, source },
            Some(End::Panicked(index, source)) => LimitedError::Panicked { index, source },
            Some(End::Cancelled(source)) => LimitedError::Cancelled { done, source },
            Some(End::Refused(source)) => LimitedError::Refused { done, source },
            None => unreachable!("an item without a result has left the reason"),
        })
    }
}

impl<T: Send, R: Send, E: Send, F: Fn(T) -> Result<R, E> + Sync> Loop<'_, T, E, F> {
    /// The results of all threads, each with its index.
    fn run_on_threads(&self, threads: usize) -> Vec<(usize, R)> {
        let ends = scope(|scope| {
            let mut others = Vec::new();
            for number in 1..threads {
                if self.stop.is_cancelled() || !self.has_items() {
                    break;
                }
                let name = format!("limited-{number}");
                // Without it the others do its share.
                let Ok(other) = Builder::new().name(name).spawn_scoped(scope, || self.work()) else { break };
                others.push(other);
            }
            let mut ends = vec![self.work()];
            ends.extend(others.into_iter().map(|other| other.join().unwrap_or_else(|_| Ok(Vec::new()))));
            ends
        });
        // A drop of the user's panicked outside of an item.
        let each = ends.into_iter().map(|end| end.unwrap_or_else(|panic| panic.resume()));
        each.flatten().collect()
    }

    fn has_items(&self) -> bool {
        self.items.lock().len() > 0
    }

    /// One thread: an item at a time, each under a permit.
    fn work(&self) -> Result<Vec<(usize, R)>, Panic> {
        let mut results = Vec::new();
        let whole = panics::catch(
            || "a loop under a semaphore",
            || while self.has_items() && self.work_on_one(&mut results) {},
        );
        if whole.is_err() {
            self.stop.cancel();
        }
        whole.map(|()| results)
    }

    /// False if it was the last one.
    fn work_on_one(&self, results: &mut Vec<(usize, R)>) -> bool {
        let permit = match self.semaphore.acquire_with(&self.stop) {
            Ok(permit) => permit,
            Err(AcquireError::Cancelled(cause)) => return self.end(End::Cancelled(cause)),
            Err(error) => return self.end(End::Refused(error)),
        };
        let next = self.items.lock().next();
        let Some((index, item)) = next else { return false };
        let ran = panics::catch(|| "an item under a semaphore", || (self.run)(item));
        drop(permit);
        match ran {
            Ok(Ok(result)) => {
                results.push((index, result));
                true
            }
            Ok(Err(error)) => match self.token.and_then(CancellationToken::cause) {
                Some(cause) => self.end(End::Cancelled(cause)),
                None => self.end(End::Failed(index, error)),
            },
            Err(panic) => self.end(End::Panicked(index, panic)),
        }
    }

    /// Notes what ended the loop, if nothing else did before it that counts more, and stops the other threads.
    fn end(&self, end: End<E>) -> bool {
        let mut ended = self.end.lock();
        let counts_more = ended.as_ref().is_none_or(|before| end.rank() < before.rank());
        let dropped = if counts_more { ended.replace(end) } else { Some(end) };
        drop(ended);
        self.stop.cancel();
        drop(dropped);
        false
    }
}

impl<E> End<E> {
    /// The lowest is reported: an item by its index, before what stops all of them.
    fn rank(&self) -> usize {
        match self {
            Self::Failed(index, _) | Self::Panicked(index, _) => *index,
            Self::Cancelled(_) | Self::Refused(_) => usize::MAX,
        }
    }
}
