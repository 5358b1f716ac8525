//! Calls into the program's subscriber, which may panic: it then loses what it was told, and nobody else anything.

use tracing::dispatcher::{self, DefaultGuard, Dispatch};
use tracing::level_filters::LevelFilter;
use tracing::span::{Entered, Span};

use crate::panics;

/// Calls the subscriber; `None` if it panicked. No lock may be held: it is the user's code.
pub(super) fn ask<R>(call: impl FnOnce() -> R) -> Option<R> {
    panics::catch(|| "a tracing subscriber", call).ok()
}

/// The subscriber of the calling thread; `None` if there is none, which one load tells, or if nothing is enabled.
pub(super) fn current() -> Option<Dispatch> {
    if LevelFilter::current() == LevelFilter::OFF {
        return None;
    }
    let dispatch = dispatcher::get_default(Dispatch::clone);
    let is_there = !dispatch.is::<tracing::subscriber::NoSubscriber>();
    is_there.then_some(dispatch)
}

/// For as long as it lives, the subscriber is that of the calling thread.
pub(crate) struct Adopted {
    before: Option<DefaultGuard>,
    dispatch: Option<Dispatch>,
}

impl Adopted {
    pub(super) fn new(dispatch: Option<Dispatch>) -> Self {
        Self { before: dispatch.as_ref().map(dispatcher::set_default), dispatch }
    }
}

impl Drop for Adopted {
    fn drop(&mut self) {
        if let Some(dispatch) = self.dispatch.take() {
            ask(|| drop(self.before.take()));
            // It may be the last reference.
            ask(|| drop(dispatch));
        }
    }
}

/// For as long as it lives, the calling thread is in a span.
pub(crate) struct Inside<'a>(Option<Entered<'a>>);

impl<'a> Inside<'a> {
    pub(super) const NOWHERE: Self = Self(None);

    pub(super) fn of(span: &'a Span) -> Self {
        Self(if span.is_disabled() { None } else { ask(|| span.enter()) })
    }

    /// As dropping it, where that is to be seen.
    #[inline]
    pub(crate) fn leave(self) {
        drop(self);
    }
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        if let Some(entered) = self.0.take() {
            ask(|| drop(entered));
        }
    }
}
