//! A thread that calls a closure at an interval, until it is told to stop.
//!
//! # Invariants
//! 1. The closure is called by one thread only, with no lock held.
//! 2. `order` leaves `GoOn` once, and never comes back to it: after that the closure is called at most once more.
//!
//! `order` is a leaf lock.

use std::fmt;
use std::io;
use std::sync::Arc;

use crate::panics::{self, Panic};
use crate::sync::thread::{self, JoinHandle};
use crate::sync::time::{self, Duration, Instant};
use crate::sync::{Condvar, Mutex};

/// The thread never sleeps longer than this at a time, so that no platform's limit on timeouts matters.
const LONGEST_SLEEP: Duration = Duration::from_secs(24 * 60 * 60);

/// Why nothing is watched; the closure has been dropped without a call.
///
/// ```
/// use std::time::Duration;
/// use gristmill::{Watch, WatchError};
///
/// let error = Watch::every(Duration::ZERO, || ()).unwrap_err();
/// assert!(matches!(error, WatchError::ZeroInterval));
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WatchError {
    /// An interval of zero.
    #[error("an interval of zero would leave no time between two looks")]
    ZeroInterval,
    /// A threshold of zero.
    #[error("a threshold of zero would find every call stuck")]
    ZeroThreshold,
    /// The thread could not be created.
    #[error("the thread that watches could not be created")]
    Thread(#[source] io::Error),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    GoOn,
    LookOnceMore,
    Leave,
}

struct Shared {
    order: Mutex<Order>,
    changed: Condvar,
}

impl Shared {
    /// Sleeps until then, for ever without a time, or until there is another order; the order.
    fn sleep(&self, until: Option<Instant>) -> Order {
        let mut order = self.order.lock();
        while *order == Order::GoOn {
            let left = until.map_or(LONGEST_SLEEP, |until| until.saturating_duration_since(time::now()));
            if left.is_zero() {
                break;
            }
            self.changed.wait_for(&mut order, left.min(LONGEST_SLEEP));
        }
        *order
    }

    fn give(&self, new: Order) {
        let mut order = self.order.lock();
        if *order == Order::GoOn {
            *order = new;
            drop(order);
            self.changed.notify_one();
        }
    }
}

/// A thread that calls a closure at an interval, and once more at its end.
///
/// For what is to be seen while a program runs: writing a line to a log, publishing figures, asking rules. Not for work: a pool has threads
/// for that. Nor for a deadline: that is [`CancellationToken::with_timeout`](crate::CancellationToken::with_timeout).
///
/// The first call comes one interval after the start. Calls that come due while one is running are left out, not made up for: the next comes
/// one interval after it. [`stop`](Self::stop) and `Drop` end the wait at once, have the closure called one last time, so that what happened
/// since the last look is seen too, and join the thread.
///
/// # Examples
/// ```
/// use std::time::Duration;
///
/// use gristmill::{ThreadPool, Watch};
///
/// let pool = ThreadPool::builder().workers(2).build()?;
/// let (seen, looks) = std::sync::mpsc::channel();
/// let submitter = pool.submitter().clone();
/// let watch = Watch::every(Duration::from_secs(10), move || {
///     let _ = seen.send(submitter.snapshot().succeeded());
/// })?;
/// pool.submit(|| ())?.wait()?;
/// watch.stop()?;
/// assert_eq!(looks.iter().last(), Some(1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "dropping it ends it"]
pub struct Watch {
    shared: Arc<Shared>,
    /// There until it has been joined, or been let go from inside.
    thread: Option<JoinHandle<Option<Panic>>>,
}

impl fmt::Debug for Watch {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Watch").field("has_ended", &self.has_ended()).finish_non_exhaustive()
    }
}

impl Watch {
    /// Calls `look` every `interval`, on a thread of its own.
    ///
    /// An interval too long for the clock, such as [`Duration::MAX`], is one that never ends: then only the last call comes.
    ///
    /// # Errors
    /// The interval is zero, or the thread could not be created; `look` has not been called.
    ///
    /// # Panics
    /// A panic of `look` ends the watching; [`stop`](Self::stop) gives it back.
    pub fn every(interval: Duration, look: impl FnMut() + Send + 'static) -> Result<Self, WatchError> {
        if interval.is_zero() {
            return Err(WatchError::ZeroInterval);
        }
        panics::note_locations();
        let shared = Arc::new(Shared { order: Mutex::new(Order::GoOn), changed: Condvar::new() });
        let seen = Arc::clone(&shared);
        let thread = thread::Builder::new()
            .name("gristmill-watch".to_owned())
            .spawn(move || watch(&seen, interval, look))
            .map_err(WatchError::Thread)?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Whether the closure is called no more, because it has panicked.
    pub fn has_ended(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Ends the wait at once, has the closure called one last time, and returns when the thread is gone.
    ///
    /// From inside the closure it returns at once: the call that is running is the last one then, and what becomes of it is not told.
    ///
    /// # Errors
    /// The closure has panicked, now or before; it was not called again.
    pub fn stop(mut self) -> Result<(), Panic> {
        self.end().map_or(Ok(()), Err)
    }

    fn end(&mut self) -> Option<Panic> {
        let thread = self.thread.take()?;
        if thread.thread().id() == thread::current().id() {
            self.shared.give(Order::Leave);
            return None;
        }
        self.shared.give(Order::LookOnceMore);
        // The thread catches what the closure does.
        thread.join().ok().flatten()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        drop(self.end());
    }
}

/// The whole life of the thread.
fn watch(shared: &Shared, interval: Duration, mut look: impl FnMut()) -> Option<Panic> {
    let mut due = time::now().checked_add(interval);
    let outcome = panics::catch(
        || "watch",
        || {
            loop {
                let order = shared.sleep(due);
                if order == Order::Leave {
                    return;
                }
                look();
                if order == Order::LookOnceMore {
                    return;
                }
                let now = time::now();
                let next = due.and_then(|due| due.checked_add(interval));
                due = next.filter(|next| *next > now).or_else(|| now.checked_add(interval));
            }
        },
    );
    // It may hold this very watch, and its drop may panic.
    panics::drop_quietly(look);
    outcome.err()
}

#[cfg(all(test, not(any(gristmill_shuttle, gristmill_loom))))]
mod tests {
    use std::hint::black_box;

    use super::*;
    use crate::sync::fault;

    #[test]
    fn thread_that_cannot_be_created_is_an_error_and_nothing_was_called() {
        let (held, called) = (Arc::new(()), Arc::new(Mutex::new(0)));
        let fault = fault::fail_every_spawn();
        let (seen, count) = (Arc::clone(&held), Arc::clone(&called));
        let refused = Watch::every(Duration::MAX, move || {
            black_box(&seen);
            *count.lock() += 1;
        });
        let error = refused.unwrap_err();
        assert!(matches!(&error, WatchError::Thread(cause) if cause.kind() == io::ErrorKind::WouldBlock));
        assert_eq!(error.to_string(), "the thread that watches could not be created");
        assert_eq!((Arc::strong_count(&held), *called.lock()), (1, 0), "the closure has been dropped");
        drop(fault);
        Watch::every(Duration::MAX, || ()).expect("now it can be").stop().expect("it does not panic");
    }
}
