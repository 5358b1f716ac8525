//! The span of many tasks that were submitted together.

use tracing::dispatcher::Dispatch;
use tracing::field::Empty;
use tracing::level_filters::LevelFilter;
use tracing::span::Span;
use tracing::{info_span, record_all};

use super::guard::{Adopted, Inside, ask};
use crate::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use crate::sync::time::{self, Instant};
use crate::trace::end::{TaskEnd, nanoseconds};

/// The span of one call that submits many tasks, if there is one. Their ends are counted here and recorded when it is dropped.
#[derive(Debug)]
pub(crate) struct BatchSpan(Option<Box<Open>>);

#[derive(Debug)]
struct Open {
    span: Option<Span>,
    dispatch: Option<Dispatch>,
    submitted: Instant,
    is_started: AtomicBool,
    succeeded: AtomicU64,
    panicked: AtomicU64,
    cancelled: AtomicU64,
    returned: AtomicU64,
    run_ns: AtomicU64,
}

impl BatchSpan {
    /// Opens the span of a batch that is about to be submitted, as a child of the one that the calling thread is in.
    #[inline]
    pub(crate) fn new(pool: &str) -> Self {
        if LevelFilter::current() < LevelFilter::INFO {
            return Self(None);
        }
        Self(open(pool))
    }

    /// Runs some of the tasks in the span.
    #[inline]
    pub(crate) fn run<R>(&self, body: impl FnOnce() -> R) -> R {
        match &self.0 {
            None => body(),
            Some(open) => open.run(body),
        }
    }

    /// So many tasks have ended.
    #[inline]
    pub(crate) fn count(&self, tasks: usize, end: impl FnOnce() -> TaskEnd) {
        if let Some(open) = &self.0 {
            let counter = match end() {
                TaskEnd::Ok | TaskEnd::Failed => &open.succeeded,
                TaskEnd::Panicked => &open.panicked,
                TaskEnd::Returned => &open.returned,
                TaskEnd::Cancelled | TaskEnd::Refused => &open.cancelled,
            };
            counter.fetch_add(tasks as u64, Ordering::Relaxed);
        }
    }
}

#[cold]
fn open(pool: &str) -> Option<Box<Open>> {
    ask(|| {
        let span = info_span!(
            target: "gristmill::pool",
            "batch",
            pool,
            succeeded = Empty,
            panicked = Empty,
            cancelled = Empty,
            returned = Empty,
            wait_ns = Empty,
            run_ns = Empty,
        );
        if span.is_disabled() {
            return None;
        }
        let dispatch = span.with_subscriber(|(_, dispatch)| dispatch.clone());
        Some(Box::new(Open {
            span: Some(span),
            dispatch,
            submitted: time::now(),
            is_started: AtomicBool::new(false),
            succeeded: AtomicU64::new(0),
            panicked: AtomicU64::new(0),
            cancelled: AtomicU64::new(0),
            returned: AtomicU64::new(0),
            run_ns: AtomicU64::new(0),
        }))
    })
    .flatten()
}

impl Open {
    #[cold]
    fn run<R>(&self, body: impl FnOnce() -> R) -> R {
        let Some(span) = &self.span else { return body() };
        let started = time::now();
        let _adopted = Adopted::new(self.dispatch.clone());
        if !self.is_started.swap(true, Ordering::Relaxed) {
            let wait_ns = nanoseconds(started.saturating_duration_since(self.submitted));
            ask(|| record_all!(span, wait_ns));
        }
        let inside = Inside::of(span);
        let value = body();
        drop(inside);
        let took = nanoseconds(time::now().saturating_duration_since(started));
        self.run_ns.fetch_add(took, Ordering::Relaxed);
        value
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let (succeeded, panicked) = (read(&self.succeeded), read(&self.panicked));
        let (cancelled, returned) = (read(&self.cancelled), read(&self.returned));
        let run_ns = read(&self.run_ns);
        let _adopted = Adopted::new(self.dispatch.take());
        if let Some(span) = self.span.take() {
            ask(|| record_all!(span, succeeded, panicked, cancelled, returned, run_ns));
            ask(|| drop(span));
        }
    }
}
