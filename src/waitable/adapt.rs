//! Waitables made of others, and one that was over from the start.

use std::fmt;

use super::{Help, Signal, Waitable};

/// A waitable with its output put through a function: what [`Waitable::map`] gives.
#[must_use = "dropping it drops the handle in it"]
pub struct Mapped<W, F> {
    inner: W,
    map: Option<F>,
}

impl<W, F> Mapped<W, F> {
    pub(super) fn new(inner: W, map: F) -> Self {
        Self { inner, map: Some(map) }
    }

    /// The waitable without the function.
    pub fn into_inner(self) -> W {
        self.inner
    }
}

impl<W: Waitable, T, F: FnOnce(W::Output) -> T> Waitable for Mapped<W, F> {
    type Output = T;

    fn is_finished(&self) -> bool {
        self.inner.is_finished()
    }

    fn watch(&self, signal: Signal) {
        self.inner.watch(signal);
    }

    fn unwatch(&self) {
        self.inner.unwatch();
    }

    fn take(&mut self) -> Option<T> {
        let output = self.inner.take()?;
        self.map.take().map(|map| map(output))
    }

    #[track_caller]
    fn cancel(&self) {
        self.inner.cancel();
    }

    fn help(&self) -> Help {
        self.inner.help()
    }
}

impl<W: fmt::Debug, F> fmt::Debug for Mapped<W, F> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Mapped").field(&self.inner).finish()
    }
}

/// A waitable that has ended already: what [`ready`] gives.
#[derive(Clone, Debug)]
pub struct Ready<T>(Option<T>);

/// A waitable that has ended already, with that output.
///
/// It stands in sets of boxed waitables for what needed no task, or for a task that could not be submitted.
pub fn ready<T>(output: T) -> Ready<T> {
    Ready(Some(output))
}

impl<T> Waitable for Ready<T> {
    type Output = T;

    fn is_finished(&self) -> bool {
        true
    }

    fn watch(&self, signal: Signal) {
        signal.send();
    }

    fn unwatch(&self) {}

    fn take(&mut self) -> Option<T> {
        self.0.take()
    }
}
