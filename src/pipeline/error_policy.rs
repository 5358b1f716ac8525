//! What becomes of an item that fails in a stage: it ends the run, or the run goes on without it.
//!
//! Every stage that can fail carries its policy in its type, [`Stop`] at first. So a stage without another pays for none, and retries
//! will be one more policy.

use std::borrow::Cow;

use crate::sync::channel::Sender;

use super::error::What;
use super::error_log::ErrorLog;
use super::failed_item::{FailedItem, ItemError};
use super::run_end::RunEnd;
use super::sending::{NotSent, send};

/// What becomes of items that fail.
pub trait ErrorPolicy<T, E>: Send + Sync {
    /// What is kept of an item while the stage has it.
    type Kept;
    /// Whether the run may go on without a failed item.
    const GOES_ON: bool;
    /// Whether it asks for the item's index.
    const NEEDS_INDEX: bool;

    /// Keeps what a failure will need of the item.
    fn keep(&self, item: &T) -> Self::Kept;

    /// Decides about a failure: `Ok` goes on without the item, `Err` ends the run. Asked only while the run is on; its `end` ends waits.
    fn judge(
        &self,
        error: E,
        kept: Self::Kept,
        index: impl FnOnce() -> u64,
        end: &RunEnd,
    ) -> Result<(), What<E>>;

    /// As [`judge`](Self::judge), but once the run is over an error is a reaction to that, and nobody's to judge.
    #[cold]
    fn decide(
        &self,
        error: E,
        kept: Self::Kept,
        index: impl FnOnce() -> u64,
        end: &RunEnd,
    ) -> Result<(), What<E>> {
        if Self::GOES_ON && !end.has_come() {
            self.judge(error, kept, index, end)
        } else {
            Err(What::Error(error))
        }
    }

    /// Has a stage's closure run on one item; gives nothing for one that failed and that the run goes on without.
    #[inline]
    fn apply<V>(
        &self,
        call: impl FnOnce(T) -> Result<V, E>,
        item: T,
        index: impl FnOnce() -> u64,
        end: &RunEnd,
    ) -> Result<Option<V>, What<E>> {
        let kept = self.keep(&item);
        match call(item) {
            Ok(value) => Ok(Some(value)),
            Err(error) => self.decide(error, kept, index, end).map(|()| None),
        }
    }
}

/// The first failure ends the run.
#[derive(Debug)]
pub struct Stop;

impl<T, E> ErrorPolicy<T, E> for Stop {
    type Kept = ();
    const GOES_ON: bool = false;
    const NEEDS_INDEX: bool = false;

    #[inline]
    fn keep(&self, _: &T) {}

    fn judge(&self, error: E, (): (), _: impl FnOnce() -> u64, _: &RunEnd) -> Result<(), What<E>> {
        Err(What::Error(error))
    }
}

/// Items that fail are dropped.
#[derive(Debug)]
pub struct Skip;

impl<T, E> ErrorPolicy<T, E> for Skip {
    type Kept = ();
    const GOES_ON: bool = true;
    const NEEDS_INDEX: bool = false;

    #[inline]
    fn keep(&self, _: &T) {}

    fn judge(&self, error: E, (): (), _: impl FnOnce() -> u64, _: &RunEnd) -> Result<(), What<E>> {
        drop(error);
        Ok(())
    }
}

/// A closure decides.
#[derive(Debug)]
pub struct Handle<F> {
    pub(super) stage: Cow<'static, str>,
    pub(super) call: F,
}

impl<T, E, F> ErrorPolicy<T, E> for Handle<F>
where
    F: Fn(ItemError<E>) -> Result<(), E> + Send + Sync,
{
    type Kept = ();
    const GOES_ON: bool = true;
    const NEEDS_INDEX: bool = true;

    #[inline]
    fn keep(&self, _: &T) {}

    fn judge(&self, error: E, (): (), index: impl FnOnce() -> u64, _: &RunEnd) -> Result<(), What<E>> {
        let failed = ItemError { stage: self.stage.clone(), index: index(), error };
        (self.call)(failed).map_err(What::Error)
    }
}

/// So many failures are written down.
#[derive(Debug)]
pub struct Collect<E> {
    pub(super) stage: Cow<'static, str>,
    pub(super) log: ErrorLog<E>,
}

impl<T, E: Send> ErrorPolicy<T, E> for Collect<E> {
    type Kept = ();
    const GOES_ON: bool = true;
    const NEEDS_INDEX: bool = true;

    #[inline]
    fn keep(&self, _: &T) {}

    fn judge(&self, error: E, (): (), index: impl FnOnce() -> u64, _: &RunEnd) -> Result<(), What<E>> {
        let failed = ItemError { stage: self.stage.clone(), index: index(), error };
        self.log.record(failed).map_err(|failed| What::Error(failed.error))
    }
}

/// Failures go into a channel, with their items.
#[derive(Debug)]
pub struct Divert<T, E> {
    pub(super) stage: Cow<'static, str>,
    pub(super) sender: Sender<FailedItem<T, E>>,
}

impl<T: Clone + Send, E: Send> ErrorPolicy<T, E> for Divert<T, E> {
    type Kept = T;
    const GOES_ON: bool = true;
    const NEEDS_INDEX: bool = true;

    #[inline]
    fn keep(&self, item: &T) -> T {
        item.clone()
    }

    fn judge(&self, error: E, item: T, index: impl FnOnce() -> u64, end: &RunEnd) -> Result<(), What<E>> {
        let failed = FailedItem { stage: self.stage.clone(), index: index(), item, error };
        send(&self.sender, failed, end).map_err(|not_sent| match not_sent {
            NotSent::ReceiverGone(failed) => What::ReceiverGone(Some(failed.error)),
            // The run is over, by the caller's token or by another failure; this one changes nothing then.
            NotSent::RunEnded(failed) => What::Error(failed.error),
        })
    }
}
