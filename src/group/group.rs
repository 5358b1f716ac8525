//! The group itself: waiting for its answer, and what becomes of it without.

use std::fmt;
use std::ops::Deref;
use std::time::Duration;

use super::core::Core;
use super::error::GroupError;
use super::inside;
use super::patience::{Naps, park};
use super::report::GroupReport;
use super::spawner::Spawner;
use super::waits::Wait;
use crate::cancel::{CancellationToken, Cancelled, Registration};
use crate::pool::{Shutdown, ThreadPool, drop_quietly};
use crate::sync::time::{self, Instant};

/// Tasks that succeed or fail as one: the first failure ends the others.
///
/// Spawning and cancelling are methods of [`Spawner`], to which this dereferences. See the [module](super) for the whole picture. For
/// tasks whose results are wanted one by one use a [`ThreadPool`]; for one function over many items,
/// [`map`](crate::Submitter::map).
///
/// # Without a wait
/// Dropping a group that has given no answer cancels it and waits for its running tasks, so that none of them outlives it; nobody learns of
/// their errors. A group that is dropped by one of its own tasks cannot wait: it is cancelled.
///
/// ```
/// use gristmill::{ErrorGroup, GroupErrorKind};
///
/// let group = ErrorGroup::builder().limit(4).build()?;
/// for name in ["12", "30", "oops", "7"] {
///     if group.task().name(name).spawn(move |_| name.parse::<u64>()).is_err() {
///         break; // the group has failed already
///     }
/// }
/// let error = group.wait().unwrap_err();
/// assert_eq!((error.kind(), error.index(), error.name()), (GroupErrorKind::Failed, Some(2), Some("oops")));
/// assert_eq!(error.to_string(), "oops (task 2) failed: invalid digit found in string");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct ErrorGroup<'env, T: Send + 'env, E: Send + Sync + 'env> {
    pub(super) spawner: Spawner<'env, T, E>,
    /// The threads, if the group has its own and they borrow nothing.
    pub(super) threads: Option<ThreadPool>,
    /// Cancels the group when the pool that it was given stops.
    pub(super) stop: Option<Registration>,
}

enum Interrupt {
    TimedOut,
    Cancelled(Cancelled),
}

impl<'env, T: Send + 'env, E: Send + Sync + 'env> ErrorGroup<'env, T, E> {
    /// The group's spawner; clone it to hand it to tasks and other threads.
    pub fn spawner(&self) -> &Spawner<'env, T, E> {
        &self.spawner
    }

    /// Waits until every task has ended, those included that tasks spawn meanwhile, and gives the answer. From then on the group takes no
    /// more tasks, and every wait gives the same answer.
    ///
    /// A group with threads of its own has joined them; in a [scope](super::ErrorGroupBuilder::scope) they end, and are joined at the
    /// latest by the scope.
    ///
    /// # Errors
    /// What [`Done`](super::Done) says of the tasks' ends: by default the first failure, with the name and the index of its task. Or the
    /// group was cancelled from outside, and did not do all it was given.
    /// Called from one of the group's own tasks: [`OwnTask`](super::GroupErrorKind::OwnTask), at once.
    ///
    /// # Panics
    /// Resumes the panic of a task that is the answer, if the group was [built so](super::ErrorGroupBuilder::resume_panics). Another wait
    /// panics with its text, since the payload is gone.
    ///
    /// # Cancellation
    /// The group's token ends what has not started, not the wait for what runs; [`wait_with`](Self::wait_with) leaves earlier.
    pub fn wait(&self) -> Result<(), GroupError<E>> {
        match self.block(true, None, None) {
            Some(Ok(())) => self.answer(),
            Some(Err(_)) => unreachable!("a wait without time-out and token ends with the group"),
            None => Err(GroupError::own_task()),
        }
    }

    /// The answer, if every task has ended; `None` changes nothing.
    ///
    /// As with every wait, an answer is for good: the group takes no more tasks. So a group that has been given none yet is ended by
    /// this; to look without ending it, ask for [`pending`](Spawner::pending).
    ///
    /// # Errors
    /// As for [`wait`](Self::wait).
    ///
    /// # Panics
    /// As for [`wait`](Self::wait).
    pub fn try_wait(&self) -> Option<Result<(), GroupError<E>>> {
        self.outcome(self.block(false, None, None)).ok()
    }

    /// As [`wait`](Self::wait), for at most `timeout`; `None` if the time was over first. `Duration::MAX` waits without limit.
    ///
    /// # Errors
    /// As for [`wait`](Self::wait).
    ///
    /// # Panics
    /// As for [`wait`](Self::wait).
    ///
    /// # Cancellation
    /// `None` ends only the wait; the tasks go on, and the group stays open. To leave nothing running, [`cancel`](Spawner::cancel) the
    /// group and wait once more.
    pub fn wait_timeout(&self, timeout: Duration) -> Option<Result<(), GroupError<E>>> {
        self.outcome(self.block(true, time::now().checked_add(timeout), None)).ok()
    }

    /// As [`wait`](Self::wait), until `token` is cancelled.
    ///
    /// ```
    /// use gristmill::{CancellationToken, ErrorGroup};
    ///
    /// let (group, impatient) = (ErrorGroup::<u32, _>::new()?, CancellationToken::new());
    /// let (release, released) = std::sync::mpsc::channel();
    /// group.spawn(move || released.recv())?;
    /// impatient.cancel();
    /// assert!(group.wait_with(&impatient).is_err()); // the group goes on
    /// release.send(42)?;
    /// assert_eq!(group.into_results()?, [42]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// `token` was cancelled first. The answer, with its own errors, is inside.
    ///
    /// # Panics
    /// As for [`wait`](Self::wait).
    ///
    /// # Cancellation
    /// Only the wait ends; the tasks go on, and the group stays open. To leave nothing running, [`cancel`](Spawner::cancel) the group and
    /// wait once more.
    pub fn wait_with(&self, token: &CancellationToken) -> Result<Result<(), GroupError<E>>, Cancelled> {
        match self.outcome(self.block(true, None, Some(token))) {
            Ok(answer) => Ok(answer),
            Err(Interrupt::Cancelled(cause)) => Err(cause),
            Err(Interrupt::TimedOut) => unreachable!("a wait without time-out does not time out"),
        }
    }

    /// Waits, and gives the values of all tasks that returned one, in the order of spawning.
    ///
    /// With [`Done::any_succeeded`](super::Done::any_succeeded) these are the first success and what else succeeded before it was
    /// cancelled; [`GroupReport::decided_by`] tells which was the first.
    ///
    /// # Errors
    /// As [`wait`](Self::wait); the values are dropped. [`into_report`](Self::into_report) has both. Called from one of the group's own
    /// tasks it cannot wait, and since it takes the group, that is dropped: its other tasks are cancelled.
    ///
    /// # Panics
    /// As [`wait`](Self::wait).
    pub fn into_results(self) -> Result<Vec<T>, GroupError<E>> {
        self.wait()?;
        Ok(self.core().ledger.take_values().1)
    }

    /// Waits, and gives all that is known: the answer, the values, the failures, the counts.
    ///
    /// # Panics
    /// As [`wait`](Self::wait). Also from one of the group's own tasks, which cannot wait for it.
    pub fn into_report(self) -> GroupReport<T, E> {
        assert!(inside::depth(self.core().id) == 0, "a task cannot wait for its own group");
        let result = self.wait();
        let ledger = &self.core().ledger;
        let counts = ledger.counts();
        let decided_by = ledger.decided_by();
        let (indices, values) = ledger.take_values();
        let (failures, reactions) = ledger.take_failures();
        GroupReport { counts, result, indices, values, failures, reactions, decided_by }
    }

    pub(super) fn core(&self) -> &std::sync::Arc<Core<'env, T, E>> {
        &self.spawner.core
    }

    fn outcome(&self, end: Option<Result<(), Interrupt>>) -> Result<Result<(), GroupError<E>>, Interrupt> {
        match end {
            Some(Ok(())) => Ok(self.answer()),
            Some(Err(interrupt)) => Err(interrupt),
            None => Ok(Err(GroupError::own_task())),
        }
    }

    /// The answer of a group that is quiet and closed. Its threads have nothing left to do.
    fn answer(&self) -> Result<(), GroupError<E>> {
        let core = self.core();
        if let Some(threads) = &self.threads {
            // The ledger knows all that its report could say.
            drop(threads.shutdown(Shutdown::Drain));
        } else if !core.shares {
            core.pool.close();
        }
        core.ledger.answer(core.cause())
    }

    /// Waits until the group is quiet, and closes it; `None` in one of its own tasks. `parks`: else only looks.
    fn block(
        &self,
        parks: bool,
        deadline: Option<Instant>,
        token: Option<&CancellationToken>,
    ) -> Option<Result<(), Interrupt>> {
        let core = self.core();
        if inside::depth(core.id) > 0 {
            return None;
        }
        let helps = core.is_helper();
        // It may not run what it would run next: others do, or it looks again after a nap.
        let (mut naps, mut refused) = (Naps::new(), false);
        let mut registrations = Vec::new();
        let end = loop {
            let seen = core.token.seen_cause().is_some();
            let wait = core.line.wait_for_quiet(helps && parks && !refused, parks);
            match wait {
                Wait::Quiet => break Ok(()),
                Wait::Help => refused = !core.help(),
                Wait::Park => {}
            }
            // Where it is seen here first, callbacks may have run here, and one that waits takes an unpark that was for this wait.
            if core.token.is_cancelled() && (core.purge() || !seen) {
                continue;
            }
            if !parks {
                break Err(Interrupt::TimedOut);
            }
            if let Some(cause) = token.and_then(CancellationToken::cause) {
                break Err(Interrupt::Cancelled(cause));
            }
            if deadline.is_some_and(|deadline| deadline <= time::now()) {
                break Err(Interrupt::TimedOut);
            }
            if registrations.is_empty() {
                let tokens = [Some(&core.token), token].into_iter().flatten();
                registrations.extend(tokens.map(CancellationToken::unpark_me));
                continue; // what was cancelled before is seen now
            }
            if wait == Wait::Park {
                park(deadline, refused.then_some(&mut naps), token.into_iter().chain([&core.token]));
                refused = false;
            }
        };
        core.line.forget();
        if end.is_err() {
            core.rescue(); // what a helper leaves to others
        }
        Some(end)
    }
}

/// Why the tasks of a group that was dropped are cancelled.
#[derive(Debug, thiserror::Error)]
#[error("the group was dropped before anybody waited for it")]
struct Dropped;

impl<T: Send, E: Send + Sync> Drop for ErrorGroup<'_, T, E> {
    fn drop(&mut self) {
        drop(self.stop.take());
        let core = self.core();
        if !core.line.is_closed() {
            core.token.cancel_with(Dropped);
            core.purge();
            drop(self.block(true, None, None));
        }
        if self.threads.is_none() && !core.shares {
            core.pool.close();
        }
        // A value that panics in its drop takes no other with it.
        core.ledger.take_values().1.into_iter().for_each(drop_quietly);
        core.ledger.forget_answer();
    }
}

impl<'env, T: Send + 'env, E: Send + Sync + 'env> Deref for ErrorGroup<'env, T, E> {
    type Target = Spawner<'env, T, E>;

    fn deref(&self) -> &Self::Target {
        &self.spawner
    }
}

impl<T: Send, E: Send + Sync> fmt::Debug for ErrorGroup<'_, T, E> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ErrorGroup").field("spawner", &self.spawner).finish_non_exhaustive()
    }
}
