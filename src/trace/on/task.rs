//! The span of a task.

use std::fmt::Display;

use tracing::dispatcher::Dispatch;
use tracing::field::{self, Empty};
use tracing::level_filters::LevelFilter;
use tracing::span::Span;
use tracing::{info_span, record_all};

use super::guard::{Adopted, Inside, ask};
use crate::sync::time::{self, Instant};
use crate::trace::end::{TaskEnd, nanoseconds};

/// The span of one task, if there is one; whoever decides the task's end has it in hand. Dropped without an end, the task was cancelled.
#[derive(Debug)]
pub(crate) struct TaskSpan(
    // In a box: a task whose span nobody wants has room for no more than a pointer.
    Option<Box<Open>>,
);

#[derive(Debug)]
struct Open {
    span: Span,
    /// The subscriber of the thread that submitted the task: the one that made the span.
    dispatch: Option<Dispatch>,
    submitted: Instant,
}

impl TaskSpan {
    /// No span.
    pub(crate) const NONE: Self = Self(None);

    /// Opens the span of a task that is about to be submitted, as a child of the one that the calling thread is in.
    #[inline]
    pub(crate) fn new(pool: &str, name: Option<&str>, key: Option<&impl Display>, priority: i8) -> Self {
        if LevelFilter::current() < LevelFilter::INFO {
            return Self::NONE;
        }
        Self(open(pool, name, key.map(|key| key as &dyn Display), priority))
    }

    /// Runs the task in its span, and closes that; `end` says what the result is.
    #[inline]
    pub(crate) fn run<R>(
        mut self,
        worker: impl FnOnce() -> Option<usize>,
        body: impl FnOnce() -> R,
        end: impl FnOnce(&R) -> TaskEnd,
    ) -> R {
        match self.0.take() {
            None => body(),
            Some(open) => open.run(worker(), body, end),
        }
    }

    /// The task has ended without having run.
    #[inline]
    pub(crate) fn end(mut self, end: TaskEnd) {
        if let Some(open) = self.0.take() {
            open.end(end);
        }
    }
}

impl Drop for TaskSpan {
    #[inline]
    fn drop(&mut self) {
        if let Some(open) = self.0.take() {
            open.end(TaskEnd::Cancelled);
        }
    }
}

#[cold]
fn open(pool: &str, name: Option<&str>, key: Option<&dyn Display>, priority: i8) -> Option<Box<Open>> {
    ask(|| {
        let span = info_span!(
            target: "gristmill::pool",
            "task",
            pool,
            name,
            key = key.map(field::display),
            priority,
            worker = Empty,
            wait_ns = Empty,
            run_ns = Empty,
            outcome = Empty,
        );
        if span.is_disabled() {
            return None;
        }
        let dispatch = span.with_subscriber(|(_, dispatch)| dispatch.clone());
        Some(Box::new(Open { span, dispatch, submitted: time::now() }))
    })
    .flatten()
}

impl Open {
    #[cold]
    fn run<R>(self, worker: Option<usize>, body: impl FnOnce() -> R, end: impl FnOnce(&R) -> TaskEnd) -> R {
        let Self { span, dispatch, submitted } = self;
        let started = time::now();
        let wait_ns = nanoseconds(started.saturating_duration_since(submitted));
        // Until the span is closed: a registry closes the parent in whatever subscriber is then the thread's.
        let _adopted = Adopted::new(dispatch);
        ask(|| record_all!(span, worker, wait_ns));
        let inside = Inside::of(&span);
        let value = body();
        drop(inside);
        let run_ns = nanoseconds(time::now().saturating_duration_since(started));
        let outcome = end(&value).word();
        ask(|| record_all!(span, run_ns, outcome));
        ask(|| drop(span));
        value
    }

    #[cold]
    fn end(self, end: TaskEnd) {
        let Self { span, dispatch, submitted } = self;
        let wait_ns = nanoseconds(time::now().saturating_duration_since(submitted));
        let outcome = end.word();
        let _adopted = Adopted::new(dispatch);
        ask(|| record_all!(span, wait_ns, outcome));
        ask(|| drop(span));
    }
}
