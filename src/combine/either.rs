//! A handle or a timer, for sets of both.

use super::timer::Timer;
use crate::waitable::{Help, Signal, Waitable};

pub(super) enum Either<W> {
    Handle(W),
    Timer(Timer),
}

pub(super) enum Ended<O> {
    Handle(O),
    /// Whether it has fired; it may have been cancelled.
    Timer(bool),
}

impl<W> Either<W> {
    pub(super) fn into_handle(self) -> Option<W> {
        match self {
            Self::Handle(handle) => Some(handle),
            Self::Timer(_) => None,
        }
    }
}

impl<W: Waitable> Waitable for Either<W> {
    type Output = Ended<W::Output>;

    fn is_finished(&self) -> bool {
        match self {
            Self::Handle(handle) => handle.is_finished(),
            Self::Timer(timer) => timer.is_finished(),
        }
    }

    fn watch(&self, signal: Signal) {
        match self {
            Self::Handle(handle) => handle.watch(signal),
            Self::Timer(timer) => timer.watch(signal),
        }
    }

    fn unwatch(&self) {
        match self {
            Self::Handle(handle) => handle.unwatch(),
            Self::Timer(timer) => timer.unwatch(),
        }
    }

    fn stamp(&self) -> Option<u64> {
        match self {
            Self::Handle(handle) => handle.stamp(),
            Self::Timer(timer) => timer.stamp(),
        }
    }

    fn take(&mut self) -> Option<Self::Output> {
        match self {
            Self::Handle(handle) => handle.take().map(Ended::Handle),
            Self::Timer(timer) => timer.take().map(|end| Ended::Timer(end.is_ok())),
        }
    }

    #[track_caller]
    fn cancel(&self) {
        match self {
            Self::Handle(handle) => handle.cancel(),
            Self::Timer(timer) => _ = timer.cancel(),
        }
    }

    fn help(&self) -> Help {
        match self {
            Self::Handle(handle) => handle.help(),
            Self::Timer(timer) => timer.help(),
        }
    }
}
