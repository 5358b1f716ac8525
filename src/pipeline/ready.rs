//! A pipeline with its sink, ready to run.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::ops::ControlFlow;

use crate::cancel::CancellationToken;
use crate::sync::channel::Sender;
use crate::sync::thread;

use super::builder::Pipeline;
use super::core::Core;
use super::deliver::{Counts, Owned, Shared, drain};
use super::error::PipelineError;
use super::plan::{Also, Errors, Plan};
use super::report::StageKind;
use super::sink::{Collect, Fold, ForEach, Reduce, Send as SendTo, Sink, TryForEach};
use super::step::Step;

/// A pipeline with a sink that any worker may run; [`run`](Self::run) runs it.
#[must_use = "nothing is read until `run` is called"]
pub struct ReadyPipeline<P, S, T, M, K> {
    pipeline: Pipeline<P, S, T, M>,
    sink: K,
}

/// A pipeline with a sink that only the caller's thread runs; [`run`](Self::run) runs it.
#[must_use = "nothing is read until `run` is called"]
pub struct LocalPipeline<P, S, T, M, K> {
    pipeline: Pipeline<P, S, T, M>,
    sink: K,
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

impl<P, S, T, M> Pipeline<P, S, T, M> {
    fn ready<K, N>(mut self, name: impl Into<Cow<'static, str>>, sink: K) -> ReadyPipeline<P, S, T, N, K> {
        self.settings.stage(name.into(), StageKind::Sink);
        let Self { plan, step, settings, .. } = self;
        ReadyPipeline { pipeline: Pipeline { plan, step, settings, types: PhantomData }, sink }
    }

    fn local<K, N>(self, name: impl Into<Cow<'static, str>>, sink: K) -> LocalPipeline<P, S, T, N, K> {
        let ReadyPipeline { pipeline, sink } = self.ready(name, sink);
        LocalPipeline { pipeline, sink }
    }

    /// Calls `call` with each result, one at a time, on whichever worker has it.
    pub fn for_each<F>(
        self,
        name: impl Into<Cow<'static, str>>,
        call: F,
    ) -> ReadyPipeline<P, S, T, M, ForEach<F>>
    where
        F: FnMut(T) + Send,
    {
        self.ready(name, ForEach(call))
    }

    /// Calls `call` with each result, one at a time; its first error ends the run.
    pub fn try_for_each<E, F>(
        self,
        name: impl Into<Cow<'static, str>>,
        call: F,
    ) -> ReadyPipeline<P, S, T, M::With, TryForEach<F>>
    where
        F: FnMut(T) -> Result<(), E> + Send,
        M: Also<E>,
    {
        self.ready(name, TryForEach(call))
    }

    /// Calls `call` with each result on the thread that calls `run`.
    pub fn for_each_local<F>(
        self,
        name: impl Into<Cow<'static, str>>,
        call: F,
    ) -> LocalPipeline<P, S, T, M, ForEach<F>>
    where
        F: FnMut(T),
    {
        self.local(name, ForEach(call))
    }

    /// Calls `call` with each result on the thread that calls `run`; its first error ends the run.
    pub fn try_for_each_local<E, F>(
        self,
        name: impl Into<Cow<'static, str>>,
        call: F,
    ) -> LocalPipeline<P, S, T, M::With, TryForEach<F>>
    where
        F: FnMut(T) -> Result<(), E>,
        M: Also<E>,
    {
        self.local(name, TryForEach(call))
    }

    /// Collects the results.
    pub fn collect<C>(self) -> ReadyPipeline<P, S, T, M, Collect<C>>
    where
        C: Default + Extend<T> + Send,
    {
        self.ready("collect", Collect(C::default()))
    }

    /// Folds the results, in the order in which they come, into `value`.
    pub fn fold<A, F>(
        self,
        name: impl Into<Cow<'static, str>>,
        value: A,
        call: F,
    ) -> ReadyPipeline<P, S, T, M, Fold<A, F>>
    where
        A: Send,
        F: FnMut(A, T) -> A + Send,
    {
        self.ready(name, Fold { value: Some(value), call })
    }

    /// Folds the results into one of them; `None` if there was none.
    pub fn reduce<F>(
        self,
        name: impl Into<Cow<'static, str>>,
        call: F,
    ) -> ReadyPipeline<P, S, T, M, Reduce<T, F>>
    where
        T: Send,
        F: FnMut(T, T) -> T + Send,
    {
        self.ready(name, Reduce { value: None, call })
    }

    /// Sends the results into a channel.
    pub fn send(self, sender: Sender<T>) -> ReadyPipeline<P, S, T, M, SendTo<T>>
    where
        T: Send,
    {
        self.ready("send", SendTo::new(sender))
    }
}

/// Starts `core`'s further workers in a scope while `lead` runs on the caller's thread; gives how many could not be started.
pub(super) fn with_workers<P, S, D, E>(core: &Core<P, S, D, E>, lead: impl FnOnce()) -> usize
where
    P: super::segment::Upstream<E>,
    S: Step<P::Item, E>,
    D: super::deliver::Deliver<S::Out, E>,
    E: Send,
    Core<P, S, D, E>: Sync,
{
    let mut missing = 0;
    thread::scope(|scope| {
        let mut workers = Vec::new();
        for number in 1..core.workers() {
            let builder = thread::Builder::new().name(format!("gristmill-{number}"));
            match builder.spawn_scoped(scope, || core.serve()) {
                Ok(worker) => workers.push(worker),
                // The caller's thread is a worker, so the run goes on; the report says with how many.
                Err(_) => missing += 1,
            }
        }
        lead();
        for worker in workers {
            // Every panic is caught inside; and joining, unlike the end of the scope, waits for thread-locals to be destroyed.
            let _ = worker.join();
        }
    });
    missing
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
    pub fn run(self, token: &CancellationToken) -> Result<K::Outcome, PipelineError<M::Error>> {
        let Pipeline { plan, step, settings, .. } = self.pipeline;
        let mut sink = self.sink;
        let core = Core::new(plan, step, settings, token, |stage, run| {
            sink.begin(&run.token);
            Shared::new(stage, sink)
        })?;
        let missing = with_workers(&core, || core.serve());
        let (deliver, report, kind) = core.conclude(missing);
        match kind {
            Some(kind) => Err(PipelineError::new(kind, report)),
            None => Ok(deliver.into_sink().finish(report)),
        }
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
    /// Runs the pipeline, with the sink on the calling thread; returns when its last thread has ended.
    pub fn run(self, token: &CancellationToken) -> Result<K::Outcome, PipelineError<M::Error>> {
        let Pipeline { plan, step, settings, .. } = self.pipeline;
        let mut sink = self.sink;
        let mut counts = Counts::default();
        let stage = settings.stages.len() - 1;
        let core = Core::new(plan, step, settings, token, |_, run| {
            sink.begin(&run.token);
            Owned
        })?;
        let missing = with_workers(&core, || {
            core.guard(|| {
                let mut me = core.worker(true);
                let mut local = core.segment.local();
                let _: Option<()> = me.work(
                    &core.run,
                    |me| {
                        let Some(mut chunk) = core.segment.turn.take_ready() else {
                            return ControlFlow::Continue(core.segment.work(&core.run, me, &mut local));
                        };
                        me.found(&core.run);
                        if drain(&core.run, me, stage, &mut sink, &mut counts, &mut chunk) {
                            core.segment.turn.advance(chunk.span, Some(chunk.items));
                            core.run.offer_work();
                        }
                        ControlFlow::Continue(true)
                    },
                    || core.segment.turn.is_ready(),
                );
                core.settle(me, local);
            });
        });
        let (Owned, mut report, kind) = core.conclude(missing);
        counts.add_to(&mut report.stages[stage]);
        match kind {
            Some(kind) => Err(PipelineError::new(kind, report)),
            None => Ok(sink.finish(report)),
        }
    }
}
