//! One loop, shared by the workers: how far it is, what ends it early, and what it came to.
//!
//! A loop is one chunk with a job per worker, in one place of the queue. A worker that has done its job takes the jobs that have not
//! started, too, and finds nothing left in them: so a loop is over when its items are, whatever else the other workers are busy with.

use std::sync::Arc;

use super::super::core::Core;
use super::super::error::Refusal;
use super::super::submitter::Patience;
use super::super::task::drop_quietly;
use super::error::BulkError;
use super::many::ManyHandle;
use super::submit::{Places, hand_in};
use crate::cancel::{CancellationToken, Cancelled};
use crate::panics::Panic;
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// What all jobs of one loop share. The numbers are read when all jobs have ended, which orders them.
pub(super) struct Progress {
    done: AtomicUsize,
    exhausted: AtomicBool,
    halted: AtomicBool,
    panic: Mutex<Option<(usize, Panic)>>,
    stop: CancellationToken,
    given: Option<CancellationToken>,
}

impl Progress {
    fn new(core: &Core<'_>, given: Option<&CancellationToken>) -> Self {
        Self {
            done: AtomicUsize::new(0),
            exhausted: AtomicBool::new(false),
            halted: AtomicBool::new(false),
            panic: Mutex::new(None),
            stop: core.gate.stop.clone(),
            given: given.cloned(),
        }
    }

    /// Whether to take another range.
    pub(super) fn goes_on(&self) -> bool {
        !self.halted.load(Ordering::Relaxed)
            && !self.stop.is_cancelled()
            && !self.given.as_ref().is_some_and(CancellationToken::is_cancelled)
    }

    /// The last range has been taken. What is taken is done, unless it panics.
    pub(super) fn exhaust(&self) {
        self.exhausted.store(true, Ordering::Relaxed);
    }

    /// Of the range that begins at `start`, so many items are done; a panic was that of the next one.
    pub(super) fn note(&self, start: usize, done: usize, outcome: Result<(), Panic>) {
        self.done.fetch_add(done, Ordering::Relaxed);
        if let Err(panic) = outcome {
            self.halted.store(true, Ordering::Relaxed);
            let index = start + done;
            let mut first = self.panic.lock();
            let is_lower = first.as_ref().is_none_or(|(lowest, _)| index < *lowest);
            let other = if is_lower { first.replace((index, panic)) } else { Some((index, panic)) };
            drop(first);
            drop_quietly(other);
        }
    }

    /// Whether no job has done anything: not an item, nor found that there are none, nor panicked.
    fn is_untouched(&self) -> bool {
        let none = |ended: &AtomicBool| !ended.load(Ordering::Relaxed);
        self.done.load(Ordering::Relaxed) == 0 && none(&self.exhausted) && none(&self.halted)
    }

    fn cause(&self, core: &Core<'_>) -> Option<Cancelled> {
        core.gate.cancelled().or_else(|| self.given.as_ref().and_then(CancellationToken::cause))
    }

    fn outcome(&self, core: &Core<'_>) -> Result<(), BulkError> {
        // A job that was handed back does nothing any more, should somebody run it.
        self.halted.store(true, Ordering::Relaxed);
        let done = self.done.load(Ordering::Relaxed);
        if let Some((index, source)) = self.panic.lock().take() {
            return Err(BulkError::Panicked { index, done, source });
        }
        if self.exhausted.load(Ordering::Relaxed) {
            return Ok(());
        }
        Err(match self.cause(core) {
            Some(source) => BulkError::Cancelled { done, source },
            None => BulkError::Stopped { done },
        })
    }
}

/// Runs `job` on up to `jobs` workers, and waits for their end.
pub(super) fn run<'env, J>(
    core: &Arc<Core<'env>>,
    jobs: usize,
    token: Option<&CancellationToken>,
    job: J,
) -> Result<(), BulkError>
where
    J: Fn(&Progress) + Send + Sync + 'env,
{
    // Ours is the last reference: so what the loop captured is dropped here, and not by a worker.
    let shared = Arc::new((job, Progress::new(core, token)));
    let a_job = |shared: Arc<(J, Progress)>| move || (shared.0)(&shared.1);
    let tasks = (0..jobs).map(|_| a_job(Arc::clone(&shared))).collect();
    let progress = &shared.1;
    if let Some(source) = progress.cause(core) {
        drop(tasks);
        drop_quietly(shared);
        return Err(BulkError::Cancelled { done: 0, source });
    }
    let mut handle = ManyHandle::new(core);
    let handed_in = hand_in(core, &mut handle, tasks, Places::All, Patience::AsChosen, token);
    let handed_in = handed_in.map_err(|(_, refusal)| refusal);
    wait(handle.seal(), token);
    let outcome = match handed_in {
        // Otherwise a first job was run inline before the pool was closed, or the loop cancelled.
        Err(refusal) if progress.is_untouched() => Err(match refusal {
            Refusal::Cancelled(source) => BulkError::Cancelled { done: 0, source },
            refusal => BulkError::Refused { refusal },
        }),
        _ => progress.outcome(core),
    };
    drop_quietly(shared);
    outcome
}

/// Jobs do not panic by themselves, and what they came to is in the progress: only their end matters.
fn wait(handle: ManyHandle<'_, ()>, token: Option<&CancellationToken>) {
    let Some(token) = token else {
        handle.wait();
        return;
    };
    if let Err(cancelled) = handle.wait_with(token) {
        let handle = cancelled.into_handle();
        handle.cancel();
        handle.wait();
    }
}
