//! Changing the number of workers while the pool runs.

use std::time::Duration;

use super::core::Core;
use super::error::ResizeError;
use super::gate::{Phase, deadline};
use super::limits::MAX_WORKERS;
use super::owned::ThreadPool;
use super::scope::ScopedPool;
use super::seat;
use super::threads::Threads;
use crate::sync::time::Instant;

/// How long a change of size waits for workers that leave.
#[derive(Clone, Copy)]
enum Patience {
    None,
    Until(Option<Instant>),
}

macro_rules! resizing {
    () => {
        /// Changes the number of workers, and returns when it is so.
        ///
        /// New workers take tasks at once. Of too many, those leave first that have nothing to do; a task that runs finishes
        /// first, and what its worker had before it goes to the others. The threads that left are joined. Called from a task of
        /// this pool it does not wait for leavers, since the caller may be one of them. A later call for more workers ends the wait.
        ///
        /// The size of an [adaptive](super::ThreadPoolBuilder::adaptive) pool is its own affair; there this is a passing nudge.
        ///
        /// ```
        /// use gristmill::ThreadPool;
        ///
        /// let pool = ThreadPool::builder().workers(2).build()?;
        /// pool.resize(4)?;
        /// assert_eq!(pool.workers(), 4);
        /// pool.resize(1)?;
        /// assert_eq!(pool.workers(), 1);
        /// # Ok::<(), Box<dyn std::error::Error>>(())
        /// ```
        ///
        /// # Errors
        /// The number is out of range, or the pool is closed: then nothing has changed. A thread could not be created, or a worker's state
        /// not be made: then the pool goes on with the workers that it has, as many as [`workers`](super::Submitter::workers) says.
        pub fn resize(&self, workers: usize) -> Result<(), ResizeError> {
            resize(&self.threads, self.submitter.core(), workers, Patience::Until(None))
        }

        /// As [`resize`](Self::resize), without waiting for workers that leave: they do after their running task.
        ///
        /// # Errors
        /// As for [`resize`](Self::resize).
        pub fn try_resize(&self, workers: usize) -> Result<(), ResizeError> {
            resize(&self.threads, self.submitter.core(), workers, Patience::None)
        }

        /// As [`resize`](Self::resize); waits at most `timeout` for workers that leave. `Duration::MAX` waits without limit.
        ///
        /// # Errors
        /// As for [`resize`](Self::resize), and if the time was over first: those who have not left yet do so after their running task.
        pub fn resize_timeout(&self, workers: usize, timeout: Duration) -> Result<(), ResizeError> {
            resize(&self.threads, self.submitter.core(), workers, Patience::Until(deadline(timeout)))
        }
    };
}

impl<S: 'static> ThreadPool<S> {
    resizing!();
}

impl<S: 'static> ScopedPool<'_, '_, S> {
    resizing!();
}

fn resize(
    threads: &Threads<'_>,
    core: &Core<'_>,
    workers: usize,
    patience: Patience,
) -> Result<(), ResizeError> {
    if !(1..=MAX_WORKERS).contains(&workers) {
        return Err(ResizeError::Workers { workers });
    }
    let mut roster = threads.roster();
    Threads::collect(&mut roster, core);
    if core.gate.phase() != Phase::Open {
        return Err(ResizeError::Closed);
    }
    if threads.apply(&mut roster, core, workers)? == 0 {
        return Ok(());
    }
    let Patience::Until(until) = patience else { return Ok(()) };
    if seat::is_inside(&core.gate) {
        return Ok(());
    }
    drop(roster);
    // Overtaken by a later call that needs them after all: then nobody is waited for any more.
    let is_done = || core.workers() <= workers || !core.gate.is_crowded();
    let gone = core.gate.leavers.wait(until, is_done);
    Threads::collect(&mut threads.roster(), core);
    if gone { Ok(()) } else { Err(ResizeError::TimedOut { workers: core.workers() }) }
}
