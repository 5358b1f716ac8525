//! What a pipeline will be built from: settings, the source, and the serial stages that cut it into segments.

use std::borrow::Cow;
use std::convert::Infallible;
use std::marker::PhantomData;
use std::ops::Range;
use std::sync::Arc;

use super::batch::Batch;
use super::calls::SerialCall;
use super::control::PipelineControl;
use super::feed::Feed;
use super::gather::Gather;
use super::linked::Linked;
use super::monitor::PipelineMonitor;
use super::reader::Reader;
use super::report::{StageKind, StageReport};
use super::segment::Segment;
use super::serial::Serial;
use super::source::{Readiness, Source};
use super::step::Step;
use super::upstream::Upstream;
use super::weight::WeightWindow;
use crate::sync::time::Duration;

/// What the user has set, and the stages named so far.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) window: usize,
    /// The bound by weight, if there is one.
    pub(super) weight: Option<Arc<WeightWindow>>,
    /// The bounds of the stages that expand items, in their order.
    pub(super) expansions: Vec<usize>,
    /// How many batches go on when their time has come.
    pub(super) timed: usize,
    pub(super) workers: Option<usize>,
    pub(super) ordered: bool,
    /// A stage lets results pass each other.
    pub(super) reordered: bool,
    pub(super) stages: Vec<StageReport>,
    /// The number of the first stage after the last serial one.
    pub(super) segment_start: usize,
    /// Who may close the source.
    pub(super) control: Option<PipelineControl>,
    /// The numbers of the stages that end a row of fused ones.
    pub(super) serial_points: Vec<usize>,
    pub(super) timeline: bool,
    pub(super) monitor: Option<PipelineMonitor>,
    /// The blocking stages, and how many threads each is to have.
    pub(super) crews: Vec<(usize, usize)>,
    /// A setting of a stage that makes no sense.
    pub(super) invalid: Option<&'static str>,
}

impl Settings {
    /// Adds a stage; gives its number.
    pub(super) fn stage(&mut self, name: Cow<'static, str>, kind: StageKind) -> usize {
        self.stages.push(StageReport::new(name, kind));
        self.stages.len() - 1
    }
}

/// What lies before a segment, not built yet.
pub trait Plan<E> {
    /// What it will give.
    type Item: Send;
    /// What it becomes.
    type Running: Upstream<E, Item = Self::Item>;

    /// Builds it; `below` is the queue in front of the segment that follows.
    fn build(self, below: Arc<Feed<Self::Item, E>>) -> Self::Running;
}

/// The source of a pipeline.
#[derive(Debug)]
pub struct FromSource<Z> {
    pub(super) source: Z,
    /// What the user says about waiting, if anything.
    pub(super) declared: Option<Readiness>,
}

impl<Z: Source<E>, E: Send> Plan<E> for FromSource<Z> {
    type Item = Z::Item;
    type Running = Reader<Z, Z::Item>;

    fn build(self, _: Arc<Feed<Z::Item, E>>) -> Self::Running {
        let readiness = match (self.source.readiness(), self.declared) {
            (Readiness::Polled, _) | (_, None) => self.source.readiness(),
            (_, Some(declared)) => declared,
        };
        Reader::new(self.source, readiness)
    }
}

/// A segment that ends in a serial stage.
#[derive(Debug)]
pub struct ThroughSerial<P, S, G> {
    pub(super) plan: P,
    pub(super) step: S,
    pub(super) stages: Range<usize>,
    pub(super) call: G,
}

impl<P, S, G, E> Plan<E> for ThroughSerial<P, S, G>
where
    P: Plan<E>,
    S: Step<P::Item, E>,
    G: SerialCall<S::Out, E>,
    E: Send,
{
    type Item = G::Out;
    type Running = Linked<P::Running, S, Serial<G, G::Out, E>, P::Item, S::Out, E>;

    fn build(self, below: Arc<Feed<G::Out, E>>) -> Self::Running {
        let feed = Arc::new(Feed::new());
        let up = self.plan.build(Arc::clone(&feed));
        let serial = Serial::new(self.stages.end, self.call, below);
        Linked { segment: Segment::new(up, self.stages, feed, self.step, serial, true) }
    }
}

/// A segment whose results are gathered into batches.
#[derive(Debug)]
pub struct ThroughBatch<P, S, G> {
    pub(super) plan: P,
    pub(super) step: S,
    pub(super) stages: Range<usize>,
    pub(super) gather: G,
    /// How long an item is held at most.
    pub(super) timeout: Option<Duration>,
}

impl<P, S, G, E> Plan<E> for ThroughBatch<P, S, G>
where
    P: Plan<E>,
    S: Step<P::Item, E>,
    G: Gather<S::Out>,
    E: Send,
{
    type Item = Vec<S::Out>;
    type Running = Linked<P::Running, S, Batch<G, S::Out, E>, P::Item, S::Out, E>;

    fn build(self, below: Arc<Feed<Vec<S::Out>, E>>) -> Self::Running {
        let feed = Arc::new(Feed::new());
        let up = self.plan.build(Arc::clone(&feed));
        let batch = Batch::new(self.stages.end, self.gather, self.timeout, below);
        Linked { segment: Segment::new(up, self.stages, feed, self.step, batch, true) }
    }
}

/// What a pipeline knows of its error type.
pub trait Errors {
    /// The type itself.
    type Error: Send;
}

/// No stage so far can fail.
#[derive(Debug)]
pub struct Sure;

impl Errors for Sure {
    type Error = Infallible;
}

/// Some stage can fail with an `E`.
#[derive(Debug)]
pub struct Fails<E>(PhantomData<fn() -> E>);

impl<E: Send> Errors for Fails<E> {
    type Error = E;
}

/// Adds a stage that fails with an `E`: all stages that fail share one type.
#[diagnostic::on_unimplemented(
    message = "all fallible stages of a pipeline share one error type, and this one fails with `{E}`",
    note = "convert the error with `map_err`, here or in the stage before, to a type that stands for all of them"
)]
pub trait Also<E>: Errors {
    /// What is known then.
    type With: Errors<Error = E>;
}

impl<E: Send> Also<E> for Sure {
    type With = Fails<E>;
}

impl<E: Send> Also<E> for Fails<E> {
    type With = Self;
}
