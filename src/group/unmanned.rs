//! A task that comes while its group has no runner on a shared pool: whether the pool takes one is not certain, and may take time.
//!
//! The task goes into the queue first, where whoever is there can run it meanwhile. If its spawner gives up it is taken out again, and so
//! it is kept where it can be found unchanged.
//!
//! Rejected: asking for the runner first, which comes, finds nothing and goes before the task is in. And leaving the task in the queue for
//! the next who comes: if nobody does, it lies there for ever.

use std::sync::Arc;

use super::core::{Core, Work};
use super::patience::Patience;
use super::refusal::GroupRefusal;
use crate::pool::Refusal;
use crate::sync::Mutex;

/// A task that is in two hands until it starts.
pub(super) struct Kept<W>(Arc<Mutex<Option<Box<W>>>>);

impl<W> Kept<W> {
    pub(super) fn new(work: Box<W>) -> Self {
        Self(Arc::new(Mutex::new(Some(work))))
    }

    pub(super) fn share(&self) -> Self {
        Self(Arc::clone(&self.0))
    }

    pub(super) fn take(&self) -> Option<Box<W>> {
        self.0.lock().take()
    }
}

impl<'env, T, E, W: Work<'env, T, E>> Work<'env, T, E> for Kept<W> {
    fn work(
        self: Box<Self>,
        core: &Arc<Core<'env, T, E>>,
        index: u64,
        name: Option<&Arc<str>>,
    ) -> Result<T, E>
    where
        T: Send + 'env,
        E: Send + Sync + 'env,
    {
        let Some(work) = self.take() else { unreachable!("it is taken back only out of the queue") };
        drop(self);
        work.work(core, index, name)
    }
}

/// Gets a runner for the task of that index, which was pushed just now and found none. An error if there is none: the task is out again.
pub(super) fn ask<'env, T: Send + 'env, E: Send + Sync + 'env>(
    core: &Arc<Core<'env, T, E>>,
    index: u64,
    patience: Patience,
) -> Result<(), GroupRefusal> {
    // It is not there any more if somebody came for it, or it was purged.
    let remove = || core.line.remove(|job| job.index == index).is_some();
    let mut removed = false;
    let answer = if core.is_helper() && !matches!(patience, Patience::None) {
        // A helper must not wait for its own pool's queue: it is what empties it.
        let asked = core.ask(None, || ());
        asked.or_else(|_| help(core, patience)).inspect_err(|_| removed = remove())
    } else {
        core.ask(patience.left(), || removed = remove()).map_err(translate)
    };
    if removed {
        core.line.end(1);
        return answer;
    }
    Ok(())
}

/// Runs tasks of the group until others do, or none is queued.
fn help<'env, T: Send + 'env, E: Send + Sync + 'env>(
    core: &Arc<Core<'env, T, E>>,
    patience: Patience,
) -> Result<(), GroupRefusal> {
    while core.line.takes_place() {
        core.help();
        if let Some(cause) = core.token.cause() {
            return Err(GroupRefusal::Cancelled(cause));
        }
        if patience.left().is_none_or(|left| left.is_zero()) {
            return Err(GroupRefusal::TimedOut);
        }
    }
    Ok(())
}

fn translate(refusal: Refusal) -> GroupRefusal {
    match refusal {
        Refusal::TimedOut => GroupRefusal::TimedOut,
        Refusal::Closed => GroupRefusal::PoolClosed,
        Refusal::Cancelled(cause) => GroupRefusal::Cancelled(cause),
        Refusal::Full | Refusal::KeyFull | Refusal::KeyBusy => GroupRefusal::Full,
    }
}
