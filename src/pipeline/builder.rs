//! How a pipeline is put together: source, settings, stages.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use crate::sync::Mutex;
use crate::sync::channel::Receiver;

use super::deliver::{Fallible, Sure as SureCall};
use super::plan::{Also, FromSource, Settings, Sure, ThroughSerial};
use super::report::{StageKind, StageReport};
use super::source::{Incoming, Items, Readiness, TryItems};
use super::step::{
    Filter, FilterMap, FlatMap, Inspect, Map, MapInit, SerialUnordered, Then, Through, TryMap, TryMapInit,
};

/// The number of items between source and sink, unless the user sets another.
const DEFAULT_WINDOW: usize = 4096;

/// Stages between a source and a sink, run by one set of threads.
pub struct Pipeline<P, S, T, M> {
    pub(super) plan: P,
    pub(super) step: S,
    pub(super) settings: Settings,
    pub(super) types: PhantomData<fn() -> (T, M)>,
}

impl<P, S, T, M> fmt::Debug for Pipeline<P, S, T, M> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.settings.stages.iter().map(StageReport::name).collect();
        formatter
            .debug_struct("Pipeline")
            .field("stages", &names)
            .field("window", &self.settings.window)
            .field("workers", &self.settings.workers)
            .field("ordered", &self.settings.ordered)
            .finish_non_exhaustive()
    }
}

fn start<Z, T>(source: Z) -> Pipeline<FromSource<Z>, Through, T, Sure> {
    Pipeline {
        plan: FromSource { source, declared: None },
        step: Through,
        settings: Settings {
            window: DEFAULT_WINDOW,
            workers: None,
            ordered: true,
            stages: vec![StageReport::new(Cow::Borrowed("source"), StageKind::Source)],
            segment_start: 1,
        },
        types: PhantomData,
    }
}

impl<I: Iterator> Pipeline<FromSource<Items<I>>, Through, I::Item, Sure> {
    /// Starts from an iterator, which is pulled lazily.
    #[allow(clippy::should_implement_trait)] // `FromIterator` cannot name the iterator's type
    pub fn from_iter(source: impl IntoIterator<IntoIter = I>) -> Self {
        start(Items::new(source.into_iter()))
    }
}

impl<'a, T: Sync> Pipeline<FromSource<Items<std::slice::Iter<'a, T>>>, Through, &'a T, Sure> {
    /// Starts from the elements of a slice, by reference.
    pub fn from_slice(source: &'a [T]) -> Self {
        start(Items::new(source.iter()))
    }
}

impl<T> Pipeline<FromSource<Incoming<T>>, Through, T, Sure> {
    /// Starts from a channel; the source ends when all its senders are gone.
    pub fn from_receiver(source: Receiver<T>) -> Self {
        start(Incoming::new(source))
    }
}

impl<I, T, E> Pipeline<FromSource<TryItems<I>>, Through, T, <Sure as Also<E>>::With>
where
    I: Iterator<Item = Result<T, E>>,
    E: Send,
{
    /// Starts from an iterator of results; the first error ends the run.
    pub fn from_try_iter(source: impl IntoIterator<IntoIter = I>) -> Self {
        start::<_, T>(TryItems::new(source.into_iter())).retyped()
    }
}

impl<Z, S, T, M> Pipeline<FromSource<Z>, S, T, M> {
    /// Says that the source may wait at any item (a socket, a pipe, standard input): whatever has been read is visible to all
    /// workers before the next read.
    #[must_use]
    pub fn source_may_block(mut self) -> Self {
        self.plan.declared = Some(Readiness::MayBlock);
        self
    }

    /// Says that the source never waits for anybody: it is read in bursts, once it has shown itself to be fast.
    #[must_use]
    pub fn source_is_ready(mut self) -> Self {
        self.plan.declared = Some(Readiness::Ready);
        self
    }
}

impl<P, S, T, M> Pipeline<P, S, T, M> {
    /// Only the types that stand for items and errors change.
    fn retyped<U, N>(self) -> Pipeline<P, S, U, N> {
        Pipeline { plan: self.plan, step: self.step, settings: self.settings, types: PhantomData }
    }

    /// Sets how many items there may be between the source and the sink.
    #[must_use]
    pub fn window(mut self, items: usize) -> Self {
        self.settings.window = items;
        self
    }

    /// Sets how many threads work, the caller's among them.
    #[must_use]
    pub fn workers(mut self, threads: usize) -> Self {
        self.settings.workers = Some(threads);
        self
    }

    /// The sink takes the results in the order of their items in the source; this is the default.
    #[must_use]
    pub fn in_order(mut self) -> Self {
        self.settings.ordered = true;
        self
    }

    /// The sink takes the results as they come.
    #[must_use]
    pub fn unordered(mut self) -> Self {
        self.settings.ordered = false;
        self
    }

    fn then<B, U, N>(
        mut self,
        name: impl Into<Cow<'static, str>>,
        kind: StageKind,
        stage: impl FnOnce(usize) -> B,
    ) -> Pipeline<P, Then<S, B>, U, N> {
        let number = self.settings.stage(name.into(), kind);
        Pipeline {
            plan: self.plan,
            step: Then { first: self.step, second: stage(number) },
            settings: self.settings,
            types: PhantomData,
        }
    }

    /// Turns each item into another.
    pub fn map<U, F>(self, name: impl Into<Cow<'static, str>>, call: F) -> Pipeline<P, Then<S, Map<F>>, U, M>
    where
        F: Fn(T) -> U + Send + Sync,
    {
        self.then(name, StageKind::Parallel, |stage| Map { stage, call })
    }

    /// Turns each item into another, or fails.
    pub fn try_map<U, E, F>(
        self,
        name: impl Into<Cow<'static, str>>,
        call: F,
    ) -> Pipeline<P, Then<S, TryMap<F>>, U, M::With>
    where
        F: Fn(T) -> Result<U, E> + Send + Sync,
        M: Also<E>,
    {
        self.then(name, StageKind::Parallel, |stage| TryMap { stage, call })
    }

    /// Keeps the items for which the closure is true.
    pub fn filter<F>(
        self,
        name: impl Into<Cow<'static, str>>,
        call: F,
    ) -> Pipeline<P, Then<S, Filter<F>>, T, M>
    where
        F: Fn(&T) -> bool + Send + Sync,
    {
        self.then(name, StageKind::Parallel, |stage| Filter { stage, call })
    }

    /// Turns each item into another, or drops it.
    pub fn filter_map<U, F>(
        self,
        name: impl Into<Cow<'static, str>>,
        call: F,
    ) -> Pipeline<P, Then<S, FilterMap<F>>, U, M>
    where
        F: Fn(T) -> Option<U> + Send + Sync,
    {
        self.then(name, StageKind::Parallel, |stage| FilterMap { stage, call })
    }

    /// Turns each item into any number of others.
    pub fn flat_map<I, F>(
        self,
        name: impl Into<Cow<'static, str>>,
        call: F,
    ) -> Pipeline<P, Then<S, FlatMap<F>>, I::Item, M>
    where
        I: IntoIterator,
        F: Fn(T) -> I + Send + Sync,
    {
        self.then(name, StageKind::Parallel, |stage| FlatMap { stage, call })
    }

    /// Turns each item into another, with a state of the worker's own.
    pub fn map_init<Z, U, N, F>(
        self,
        name: impl Into<Cow<'static, str>>,
        init: N,
        call: F,
    ) -> Pipeline<P, Then<S, MapInit<N, Z, F>>, U, M>
    where
        N: Fn() -> Z + Send + Sync,
        F: Fn(&mut Z, T) -> U + Send + Sync,
    {
        self.then(name, StageKind::Parallel, |stage| MapInit { stage, init, call, state: PhantomData })
    }

    /// As [`map_init`](Self::map_init), or fails.
    pub fn try_map_init<Z, U, E, N, F>(
        self,
        name: impl Into<Cow<'static, str>>,
        init: N,
        call: F,
    ) -> Pipeline<P, Then<S, TryMapInit<N, Z, F>>, U, M::With>
    where
        N: Fn() -> Z + Send + Sync,
        F: Fn(&mut Z, T) -> Result<U, E> + Send + Sync,
        M: Also<E>,
    {
        self.then(name, StageKind::Parallel, |stage| TryMapInit { stage, init, call, state: PhantomData })
    }

    /// Looks at each item as it passes.
    pub fn inspect<F>(
        self,
        name: impl Into<Cow<'static, str>>,
        call: F,
    ) -> Pipeline<P, Then<S, Inspect<F>>, T, M>
    where
        F: Fn(&T) + Send + Sync,
    {
        self.then(name, StageKind::Parallel, |stage| Inspect { stage, call })
    }

    /// Runs one item at a time, in whatever order the workers come; the order of the items is kept.
    pub fn serial_unordered<U, F>(
        self,
        name: impl Into<Cow<'static, str>>,
        call: F,
    ) -> Pipeline<P, Then<S, SerialUnordered<F>>, U, M>
    where
        F: FnMut(T) -> U + Send,
    {
        self.then(name, StageKind::Serial, |stage| SerialUnordered { stage, call: Mutex::new(call) })
    }

    fn cut<G, U, N>(
        mut self,
        name: impl Into<Cow<'static, str>>,
        call: G,
    ) -> Pipeline<ThroughSerial<P, S, G>, Through, U, N> {
        let stage = self.settings.stage(name.into(), StageKind::Serial);
        let stages = self.settings.segment_start..stage;
        self.settings.segment_start = stage + 1;
        Pipeline {
            plan: ThroughSerial { plan: self.plan, step: self.step, stages, call },
            step: Through,
            settings: self.settings,
            types: PhantomData,
        }
    }

    /// Runs one item at a time, in the order of the source.
    pub fn serial<U, F>(
        self,
        name: impl Into<Cow<'static, str>>,
        call: F,
    ) -> Pipeline<ThroughSerial<P, S, SureCall<F>>, Through, U, M>
    where
        F: FnMut(T) -> U + Send,
    {
        self.cut(name, SureCall(call))
    }

    /// Runs one item at a time, in the order of the source, and may fail.
    pub fn try_serial<U, E, F>(
        self,
        name: impl Into<Cow<'static, str>>,
        call: F,
    ) -> Pipeline<ThroughSerial<P, S, Fallible<F>>, Through, U, M::With>
    where
        F: FnMut(T) -> Result<U, E> + Send,
        M: Also<E>,
    {
        self.cut(name, Fallible(call))
    }
}
