//! One loop over a list, without a pool: as its threads share it, and what each of them does.
//!
//! # Invariants
//! 1. A thread waits for a permit only with an item in hand, so nobody waits for a permit that there is nothing to do with.
//! 2. What ends the loop is noted, and `stop` cancelled, before the permit of the item that ended it goes back; and whoever is given a
//!    permit looks at `stop` before it starts its item. So nothing starts under that permit.
//! 3. An item that was taken and has no result has left a reason in `end`.
//!
//! Lock order: `items` and `end` are leaves. No code of the user's runs under either: the items are in memory when the loop starts, and
//! a reason that gives way to another is dropped outside.

use std::iter::Enumerate;
use std::vec;

use super::control::Semaphore;
use super::error::AcquireError;
use crate::cancel::{CancellationToken, Cancelled};
use crate::panics::{self, Panic, drop_quietly};
use crate::sync::Mutex;
use crate::sync::thread::{Builder, scope};

/// What ended the loop; as long as it is not known how many items were done.
pub(super) enum End<E> {
    Failed(usize, E),
    Panicked(usize, Panic),
    Cancelled(Cancelled),
    Refused(AcquireError),
}

pub(super) struct Loop<'a, T, E, F> {
    semaphore: &'a Semaphore,
    /// The caller's.
    token: Option<&'a CancellationToken>,
    /// Cancelled with the caller's, and by the first failure.
    stop: CancellationToken,
    items: Mutex<Enumerate<vec::IntoIter<T>>>,
    end: Mutex<Option<End<E>>>,
    run: F,
}

impl<'a, T: Send, E: Send, F> Loop<'a, T, E, F> {
    pub(super) fn new(
        semaphore: &'a Semaphore,
        token: Option<&'a CancellationToken>,
        items: Vec<T>,
        run: F,
    ) -> Self {
        Self {
            semaphore,
            token,
            stop: token.map_or_else(CancellationToken::new, CancellationToken::child),
            items: Mutex::new(items.into_iter().enumerate()),
            end: Mutex::new(None),
            run,
        }
    }

    /// The results of all threads, each with its index. Does not panic: all that the user's code can do is caught.
    pub(super) fn run_on_threads<R: Send>(&self, threads: usize) -> Vec<(usize, R)>
    where
        F: Fn(T) -> Result<R, E> + Sync,
    {
        scope(|scope| {
            let mut others = Vec::new();
            for number in 1..threads {
                if self.stop.is_cancelled() || self.items.lock().len() == 0 {
                    break;
                }
                let name = format!("limited-{number}");
                // Without it the others do its share; the next one would hardly be had either.
                let Ok(other) = Builder::new().name(name).spawn_scoped(scope, || self.work()) else { break };
                others.push(other);
            }
            let mut results = self.work();
            for other in others {
                results.extend(other.join().expect("the user's code is caught"));
            }
            results
        })
    }

    /// Drops what is the user's, and says what ended the loop, if anything did before the last item.
    pub(super) fn finish(self) -> Option<End<E>> {
        self.items.into_inner().for_each(drop_quietly);
        drop_quietly(self.run);
        self.end.into_inner()
    }

    /// One thread: an item at a time, each under a permit.
    fn work<R>(&self) -> Vec<(usize, R)>
    where
        F: Fn(T) -> Result<R, E>,
    {
        let mut results = Vec::new();
        loop {
            let next = self.items.lock().next();
            let Some((index, item)) = next else { return results };
            match self.work_on(index, item) {
                Some(result) => results.push((index, result)),
                None => return results,
            }
        }
    }

    /// The result, if the loop goes on.
    fn work_on<R>(&self, index: usize, item: T) -> Option<R>
    where
        F: Fn(T) -> Result<R, E>,
    {
        let permit = match self.semaphore.acquire_with(&self.stop) {
            Ok(permit) => permit,
            Err(error) => {
                drop_quietly(item);
                self.end(match error {
                    AcquireError::Cancelled(cause) => End::Cancelled(cause),
                    error => End::Refused(error),
                });
                return None;
            }
        };
        // Whoever queues is given the permit that comes first, even one that comes back from the item that ended the loop.
        if let Some(cause) = self.stop.cause() {
            drop(permit);
            drop_quietly(item);
            self.end(End::Cancelled(cause));
            return None;
        }
        let ran = panics::catch(|| "an item under a semaphore", || (self.run)(item));
        match ran {
            Ok(Ok(result)) => return Some(result),
            Ok(Err(error)) => match self.token.and_then(CancellationToken::cause) {
                Some(cause) => {
                    drop_quietly(error);
                    self.end(End::Cancelled(cause));
                }
                None => self.end(End::Failed(index, error)),
            },
            Err(panic) => self.end(End::Panicked(index, panic)),
        }
        drop(permit); // only now: invariant 2
        None
    }

    /// Notes what ended the loop, if nothing else did before it that counts more, and stops the other threads.
    fn end(&self, end: End<E>) {
        let mut ended = self.end.lock();
        let counts_more = ended.as_ref().is_none_or(|before| end.rank() < before.rank());
        let dropped = if counts_more { ended.replace(end) } else { Some(end) };
        drop(ended);
        self.stop.cancel();
        drop_quietly(dropped);
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
