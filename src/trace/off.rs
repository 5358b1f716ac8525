//! What stands in for the spans where they are not wanted: values without a size, and methods without a body.

use std::fmt::Display;

use super::end::{StageFigures, TaskEnd};

#[derive(Debug)]
pub(crate) struct TaskSpan;

impl TaskSpan {
    pub(crate) const NONE: Self = Self;

    #[inline]
    pub(crate) fn new(_pool: &str, _name: Option<&str>, _key: Option<&impl Display>, _priority: i8) -> Self {
        Self
    }

    #[inline]
    #[allow(clippy::unused_self)] // the other one's
    pub(crate) fn run<R>(
        self,
        _worker: impl FnOnce() -> Option<usize>,
        body: impl FnOnce() -> R,
        _end: impl FnOnce(&R) -> TaskEnd,
    ) -> R {
        body()
    }

    #[inline]
    #[allow(clippy::unused_self)]
    pub(crate) fn end(self, _end: TaskEnd) {}
}

#[derive(Debug)]
pub(crate) struct BatchSpan;

impl BatchSpan {
    #[inline]
    pub(crate) fn new(_pool: &str) -> Self {
        Self
    }

    #[inline]
    #[allow(clippy::unused_self)]
    pub(crate) fn run<R>(&self, body: impl FnOnce() -> R) -> R {
        body()
    }

    #[inline]
    #[allow(clippy::unused_self)]
    pub(crate) fn count(&self, _tasks: usize, _end: impl FnOnce() -> TaskEnd) {}
}

#[derive(Clone, Debug)]
pub(crate) struct RunSpans;

/// Nothing is undone at its end.
pub(crate) struct Inside;

impl Inside {
    #[inline]
    #[allow(clippy::unused_self)]
    pub(crate) fn leave(self) {}
}

impl RunSpans {
    pub(crate) fn new<'a>(_workers: usize, _stages: impl Iterator<Item = (&'a str, &'a str)>) -> Self {
        Self
    }

    #[allow(clippy::unused_self)]
    pub(crate) fn adopt(&self) -> Inside {
        Inside
    }

    #[inline]
    #[allow(clippy::unused_self)]
    pub(crate) fn enter(&self, _stage: usize) -> Inside {
        Inside
    }

    #[inline]
    #[allow(clippy::unused_self)]
    pub(crate) fn within<R>(&self, _stage: usize, body: impl FnOnce() -> R) -> R {
        body()
    }

    #[allow(clippy::unused_self)]
    pub(crate) fn end(
        self,
        _outcome: &str,
        _counts: (u64, u64),
        _stages: impl Iterator<Item = StageFigures>,
    ) {
    }
}
