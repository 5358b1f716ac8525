//! The spans of a run of a pipeline, and of its stages.

use std::sync::Arc;

use tracing::dispatcher::Dispatch;
use tracing::field::Empty;
use tracing::span::Span;
use tracing::{info_span, record_all};

use super::guard::{Adopted, Inside, ask, current};
use crate::trace::end::{StageFigures, nanoseconds};

/// The spans of one run, shared by its threads; nothing if nobody wants any.
#[derive(Clone, Debug)]
pub(crate) struct RunSpans(Option<Arc<Spans>>);

#[derive(Debug)]
struct Spans {
    /// The subscriber of the thread that started the run.
    dispatch: Option<Dispatch>,
    pipeline: Option<Span>,
    /// Empty if none of them is wanted.
    stages: Vec<Span>,
}

impl RunSpans {
    /// Opens the spans of a run that is about to start, by the names of its stages, as children of the one that the calling thread is in.
    pub(crate) fn new<'a>(workers: usize, stages: impl Iterator<Item = (&'a str, &'a str)>) -> Self {
        let Some(dispatch) = current() else { return Self(None) };
        Self(Some(Arc::new(open(dispatch, workers, stages))))
    }

    /// Has the calling thread, started for the run, tell the same subscriber as the one that started it.
    pub(crate) fn adopt(&self) -> Adopted {
        Adopted::new(self.0.as_ref().and_then(|spans| spans.dispatch.clone()))
    }

    /// The calling thread works for that stage.
    #[inline]
    pub(crate) fn enter(&self, stage: usize) -> Inside<'_> {
        match &self.0 {
            None => Inside::NOWHERE,
            Some(spans) => spans.enter(stage),
        }
    }

    /// As [`enter`](Self::enter), around one call: a guard in the loop over the items would cost where nobody listens, too.
    #[inline]
    pub(crate) fn within<R>(&self, stage: usize, body: impl FnOnce() -> R) -> R {
        match &self.0 {
            None => body(),
            Some(spans) => spans.within(stage, body),
        }
    }

    /// The run has ended.
    pub(crate) fn end(
        self,
        outcome: &str,
        (read, finished): (u64, u64),
        stages: impl Iterator<Item = StageFigures>,
    ) {
        let Some(spans) = self.0 else { return };
        for (span, figures) in spans.stages.iter().zip(stages) {
            let StageFigures { items_in, items_out, failed, panicked, busy } = figures;
            let busy_ns = nanoseconds(busy);
            ask(|| record_all!(span, items_in, items_out, failed, panicked, busy_ns));
        }
        if let Some(pipeline) = &spans.pipeline {
            ask(|| record_all!(pipeline, read, finished, outcome));
        }
    }
}

#[cold]
fn open<'a>(dispatch: Dispatch, workers: usize, stages: impl Iterator<Item = (&'a str, &'a str)>) -> Spans {
    let pipeline = ask(|| {
        info_span!(
            target: "gristmill::pipeline",
            "pipeline",
            workers,
            read = Empty,
            finished = Empty,
            outcome = Empty,
        )
    })
    .unwrap_or_else(Span::none);
    // If the pipeline's own is not wanted, a stage's parent is the span around it.
    let parent =
        if pipeline.is_disabled() { ask(Span::current).and_then(|span| span.id()) } else { pipeline.id() };
    let stage = |(name, kind)| {
        ask(|| {
            info_span!(
                target: "gristmill::pipeline",
                parent: parent.clone(),
                "stage",
                name,
                kind,
                items_in = Empty,
                items_out = Empty,
                failed = Empty,
                panicked = Empty,
                busy_ns = Empty,
            )
        })
        .unwrap_or_else(Span::none)
    };
    let mut stages: Vec<Span> = stages.map(stage).collect();
    if stages.iter().all(Span::is_disabled) {
        stages.clear();
    }
    Spans { dispatch: Some(dispatch), pipeline: Some(pipeline), stages }
}

impl Spans {
    #[cold]
    fn enter(&self, stage: usize) -> Inside<'_> {
        self.stages.get(stage).map_or(Inside::NOWHERE, Inside::of)
    }

    #[cold]
    fn within<R>(&self, stage: usize, body: impl FnOnce() -> R) -> R {
        let _inside = self.enter(stage);
        body()
    }
}

impl Drop for Spans {
    fn drop(&mut self) {
        let _adopted = Adopted::new(self.dispatch.take());
        for span in self.stages.drain(..) {
            ask(|| drop(span));
        }
        ask(|| drop(self.pipeline.take()));
    }
}
