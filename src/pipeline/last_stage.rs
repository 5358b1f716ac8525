//! The stage that an error policy belongs to: the last one of the pipeline so far, if it can fail and has none yet.

use std::borrow::Cow;

use super::blocking::ThroughBlocking;
use super::builder::Pipeline;
use super::calls::{Fallible, SerialCall, SharedCall};
use super::error_policy::Stop;
use super::keyed::ThroughKeyed;
use super::plan::{Errors, Settings, ThroughSerial};
use super::ready::{LocalPipeline, ReadyPipeline};
use super::sink::TryForEach;
use super::step::{Attempt, Judged, Then, Through};

/// A pipeline whose last stage can fail, and has no policy of its own yet.
#[diagnostic::on_unimplemented(
    message = "an error policy belongs to the stage before it, and that one cannot fail or has a policy already",
    note = "write it right after `try_map`, `try_map_init`, `try_serial`, `try_keyed`, `try_blocking`, their unordered forms, `try_for_each` or `try_for_each_local`"
)]
pub trait LastCanFail: Sized {
    /// What it fails with.
    type Error;
    /// The same with a policy.
    type With<R>;

    /// Gives the last stage, whose name `policy` is told, a policy.
    fn with_policy<R>(self, policy: impl FnOnce(Cow<'static, str>) -> R) -> Self::With<R>;
}

/// The last stage takes an `I`.
pub trait LastTakes<I>: LastCanFail {}

fn last_name(settings: &Settings) -> Cow<'static, str> {
    settings.stages.last().map(|stage| stage.name.clone()).unwrap_or_default()
}

impl<P, S, A, T, M: Errors> LastCanFail for Pipeline<P, Then<S, Judged<A>>, T, M> {
    type Error = M::Error;
    type With<R> = Pipeline<P, Then<S, Judged<A, R>>, T, M>;

    fn with_policy<R>(self, policy: impl FnOnce(Cow<'static, str>) -> R) -> Self::With<R> {
        let Self { plan, step, settings, types } = self;
        let Then { first, second: Judged { stage, attempt, policy: Stop } } = step;
        let policy = policy(last_name(&settings));
        Pipeline { plan, step: Then { first, second: Judged { stage, attempt, policy } }, settings, types }
    }
}

impl<P, S, A, T, M: Errors, I> LastTakes<I> for Pipeline<P, Then<S, Judged<A>>, T, M> where
    A: Attempt<I, M::Error>
{
}

impl<P, S, F, T, M: Errors> LastCanFail for Pipeline<ThroughSerial<P, S, Fallible<F>>, Through, T, M> {
    type Error = M::Error;
    type With<R> = Pipeline<ThroughSerial<P, S, Fallible<F, R>>, Through, T, M>;

    fn with_policy<R>(self, policy: impl FnOnce(Cow<'static, str>) -> R) -> Self::With<R> {
        let Self { plan, step, settings, types } = self;
        let ThroughSerial { plan, step: before, stages, call: Fallible { call, policy: Stop } } = plan;
        let call = Fallible { call, policy: policy(last_name(&settings)) };
        Pipeline { plan: ThroughSerial { plan, step: before, stages, call }, step, settings, types }
    }
}

impl<P, S, F, T, M: Errors, I> LastTakes<I> for Pipeline<ThroughSerial<P, S, Fallible<F>>, Through, T, M> where
    Fallible<F>: SerialCall<I, M::Error>
{
}

impl<P, S, F, T, M: Errors> LastCanFail for Pipeline<ThroughKeyed<P, S, Fallible<F>>, Through, T, M> {
    type Error = M::Error;
    type With<R> = Pipeline<ThroughKeyed<P, S, Fallible<F, R>>, Through, T, M>;

    fn with_policy<R>(self, policy: impl FnOnce(Cow<'static, str>) -> R) -> Self::With<R> {
        let Self { plan, step, settings, types } = self;
        let ThroughKeyed { plan, step: before, stages, call, drops_rest, ordered } = plan;
        let Fallible { call, policy: Stop } = call;
        let call = Fallible { call, policy: policy(last_name(&settings)) };
        let plan = ThroughKeyed { plan, step: before, stages, call, drops_rest, ordered };
        Pipeline { plan, step, settings, types }
    }
}

impl<P, S, F, T, M: Errors, I> LastTakes<I> for Pipeline<ThroughKeyed<P, S, Fallible<F>>, Through, T, M> where
    Fallible<F>: SharedCall<I, M::Error>
{
}

impl<P, S, F, T, M: Errors> LastCanFail for Pipeline<ThroughBlocking<P, S, Fallible<F>>, Through, T, M> {
    type Error = M::Error;
    type With<R> = Pipeline<ThroughBlocking<P, S, Fallible<F, R>>, Through, T, M>;

    fn with_policy<R>(self, policy: impl FnOnce(Cow<'static, str>) -> R) -> Self::With<R> {
        let Self { plan, step, settings, types } = self;
        let ThroughBlocking { plan, step: before, stages, call, crew, ordered } = plan;
        let Fallible { call, policy: Stop } = call;
        let call = Fallible { call, policy: policy(last_name(&settings)) };
        let plan = ThroughBlocking { plan, step: before, stages, call, crew, ordered };
        Pipeline { plan, step, settings, types }
    }
}

impl<P, S, F, T, M: Errors, I> LastTakes<I> for Pipeline<ThroughBlocking<P, S, Fallible<F>>, Through, T, M> where
    Fallible<F>: SharedCall<I, M::Error>
{
}

macro_rules! sink_with_policy {
    ($pipeline:ident) => {
        impl<P, S, T, M: Errors, F> LastCanFail for $pipeline<P, S, T, M, TryForEach<F>> {
            type Error = M::Error;
            type With<R> = $pipeline<P, S, T, M, TryForEach<F, R>>;

            fn with_policy<R>(self, policy: impl FnOnce(Cow<'static, str>) -> R) -> Self::With<R> {
                let Self { pipeline, sink: TryForEach { call, policy: Stop } } = self;
                let policy = policy(last_name(&pipeline.settings));
                $pipeline { pipeline, sink: TryForEach { call, policy } }
            }
        }
    };
}

sink_with_policy!(ReadyPipeline);
sink_with_policy!(LocalPipeline);
