//! A pipeline with its sink, ready to run.

use std::fmt;
use std::ops::ControlFlow;

use crate::cancel::CancellationToken;
use crate::panics::{self, Panic};
use crate::sync::thread;

use super::builder::Pipeline;
use super::core::{Core, DESTRUCTOR, Post};
use super::deliver::{Counts, Deliver, Owned, Shared, drain};
use super::error::{PipelineError, PipelineErrorKind};
use super::plan::{Errors, Plan};
use super::report::Report;
use super::sink::Sink;
use super::step::Step;
use super::upstream::Upstream;

/// A pipeline with a sink that any worker may run; [`run`](Self::run) runs it.
///
/// Its settings, such as [`workers`](super::Pipeline::workers), [`window`](super::Pipeline::window) or
/// [`monitored_by`](super::Pipeline::monitored_by), are said before the sink.
///
/// ```
/// use gristmill::{CancellationToken, Pipeline};
///
/// let ready = Pipeline::from_iter(1..=4_u64).map("square", |n| n * n).fold("sum", 0, |sum, n| sum + n);
/// let (sum, report) = ready.run(&CancellationToken::new())?; // nothing runs before this
/// assert_eq!((sum, report.finished()), (30, 4));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "nothing is read until `run` is called"]
pub struct ReadyPipeline<P, S, T, M, K> {
    pub(super) pipeline: Pipeline<P, S, T, M>,
    pub(super) sink: K,
}

/// A pipeline with a sink that only the caller's thread runs; [`run`](Self::run) runs it.
///
/// ```
/// use std::cell::Cell;
/// use gristmill::{CancellationToken, Pipeline};
///
/// let sum = Cell::new(0); // stays on this thread
/// Pipeline::from_iter(1..=4)
///     .map("square", |n| n * n)
///     .for_each_local("add", |n| sum.set(sum.get() + n))
///     .run(&CancellationToken::new())?;
/// assert_eq!(sum.get(), 30);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "nothing is read until `run` is called"]
pub struct LocalPipeline<P, S, T, M, K> {
    pub(super) pipeline: Pipeline<P, S, T, M>,
    pub(super) sink: K,
}

impl<P, S, T, M, K> fmt::Debug for ReadyPipeline<P, S, T, M, K> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("ReadyPipeline").field(&self.pipeline).finish()
    }
}

impl<P, S, T, M, K> fmt::Debug for LocalPipeline<P, S, T, M, K> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("LocalPipeline").field(&self.pipeline).finish()
    }
}

/// Starts `core`'s further threads in a scope while `lead` runs on the caller's; gives how many workers could not be started, and
/// whether `lead` has panicked.
pub(super) fn with_workers<P, S, D, E>(
    core: &Core<P, S, D, E>,
    lead: impl FnOnce(),
) -> (usize, Result<(), Panic>)
where
    P: Upstream<E>,
    S: Step<P::Item, E>,
    D: Deliver<S::Out, E>,
    E: Send,
    Core<P, S, D, E>: Sync,
{
    thread::scope(|scope| {
        let (threads, missing) =
            core.start(|builder, post| builder.spawn_scoped(scope, move || core.serve(post)));
        let lead = panics::catch(|| "the calling thread", lead);
        for thread in threads {
            // Every panic is caught inside; and joining, unlike the end of the scope, waits for thread-locals to be destroyed.
            let _ = thread.join();
        }
        (missing, lead)
    })
}

/// Gives what the run gives. What the sink holds is the user's, so its destructor may panic as well.
fn finish<T, E, K: Sink<T, E>>(
    sink: K,
    report: Report,
    kind: Option<PipelineErrorKind<E>>,
) -> Result<K::Outcome, PipelineError<E>> {
    let Some(kind) = kind else {
        let kept = report.clone();
        return panics::catch(|| DESTRUCTOR, || sink.finish(report)).map_err(|panic| {
            PipelineError::new(PipelineErrorKind::Panicked { index: kept.read(), panic }, kept)
        });
    };
    // The run has failed before: that is what the caller should hear of.
    let _ = panics::catch(|| DESTRUCTOR, || drop(sink));
    Err(PipelineError::new(kind, report))
}

impl<P, S, T, M, K> ReadyPipeline<P, S, T, M, K>
where
    M: Errors,
    P: Plan<M::Error>,
    P::Running: Sync,
    S: Step<P::Item, M::Error, Out = T>,
    T: Send,
    K: Sink<T, M::Error> + Send,
{
    /// Runs the pipeline; returns when its last thread has ended.
    ///
    /// The calling thread works too. When this returns no thread of the run is left, their thread-locals are destroyed, and the
    /// states of [`map_init`](Pipeline::map_init) are dropped. A thread that cannot be created is done without, and counted in
    /// [`Report::missing_workers`](super::Report::missing_workers), or in
    /// [`StageReport::missing_threads`](super::StageReport::missing_threads) of a blocking stage.
    ///
    /// # Errors
    /// What ended the run early, with what had been done by then in [`PipelineError::report`]: the first error or panic (in an ordered
    /// run the one at the lowest index, and the sink has seen exactly the items before it), the cancellation, or a setting that
    /// makes no sense, in which case nothing was read. An error that a stage returns after the token was cancelled is a reaction:
    /// the cancellation is reported.
    ///
    /// # Panics
    /// Never because a stage panics: that is a [`PipelineErrorKind::Panicked`], whose
    /// [`Panic::resume`](crate::Panic::resume) goes on unwinding where that is wanted.
    ///
    /// # Cancellation
    /// The token is polled before every item of the sink and of serial stages, and about every 12 microseconds of a parallel stage's
    /// work. A call of a stage or of the source that is under way is not interrupted; long ones should poll a clone of the token
    /// themselves. Items in flight are dropped, each exactly once, and counted in [`Report::unfinished`](super::Report::unfinished).
    pub fn run(self, token: &CancellationToken) -> Result<K::Outcome, PipelineError<M::Error>> {
        let Pipeline { plan, step, settings, .. } = self.pipeline;
        let core = Core::new(plan, step, settings, token, |stage| Shared::new(stage, self.sink))?;
        let (missing, lead) = with_workers(&core, || core.serve(Post::Worker(0)));
        let (deliver, report, kind) = core.conclude(missing);
        lead.unwrap_or_else(|panic| panic.resume());
        finish(deliver.into_sink(), report, kind)
    }
}

impl<P, S, T, M, K> LocalPipeline<P, S, T, M, K>
where
    M: Errors,
    P: Plan<M::Error>,
    P::Running: Sync,
    S: Step<P::Item, M::Error, Out = T>,
    T: Send,
    K: Sink<T, M::Error>,
{
    /// Runs the pipeline, with the sink on the calling thread; returns when its last thread has ended. All else is as in
    /// [`ReadyPipeline::run`].
    ///
    /// # Errors
    /// As [`ReadyPipeline::run`].
    ///
    /// # Cancellation
    /// As [`ReadyPipeline::run`].
    pub fn run(self, token: &CancellationToken) -> Result<K::Outcome, PipelineError<M::Error>> {
        let Pipeline { plan, step, settings, .. } = self.pipeline;
        let mut sink = self.sink;
        let mut counts = Counts::default();
        let stage = settings.stages.len() - 1;
        let core = match Core::new(plan, step, settings, token, |_| Owned) {
            Ok(core) => core,
            Err(error) => {
                panics::drop_quietly(sink);
                return Err(error);
            }
        };
        let (missing, lead) = with_workers(&core, || {
            let mut me = core.worker(0, true);
            let mut local = core.segment.local();
            core.guard(|| {
                let _: Option<()> = me.work(
                    &core.run,
                    |me| {
                        let Some(mut chunk) = core.segment.turn.take_ready() else {
                            return ControlFlow::Continue(core.segment.work(&core.run, me, &mut local));
                        };
                        me.found(&core.run);
                        // What this thread did may have made room, and the sink comes next.
                        core.run.call_for_work();
                        let count = chunk.items.len();
                        let inside = core.spans.enter(stage);
                        let goes_on = drain(&core.run, me, stage, &mut sink, &mut counts, &mut chunk);
                        inside.leave();
                        if goes_on {
                            core.segment.turn.advance(chunk.span, Some(chunk.items));
                            core.run.call_for_work();
                        } else {
                            core.segment.undo(&chunk.origin, count - chunk.items.len(), chunk.items);
                        }
                        ControlFlow::Continue(true)
                    },
                    || core.segment.turn.is_ready(),
                );
            });
            core.count_sink(&counts);
            core.settle(&me, local);
        });
        let (Owned, report, kind) = core.conclude(missing);
        lead.unwrap_or_else(|panic| panic.resume());
        finish(sink, report, kind)
    }
}
