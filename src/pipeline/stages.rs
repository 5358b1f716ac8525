//! The stages of a pipeline.

use std::borrow::Cow;
use std::marker::PhantomData;
use std::ops::Range;

use crate::sync::Mutex;

use super::builder::Pipeline;
use super::calls::{Fallible, Sure};
use super::error_policy::Stop;
use super::plan::{Also, ThroughSerial};
use super::report::StageKind;
use super::step::{
    Filter, FilterMap, FlatMap, Inspect, Judged, Map, MapInit, SerialUnordered, Then, Through, TryMap,
    TryMapInit,
};

/// Neighbouring parallel stages run as one: an item goes through all of them on one worker, without a queue between.
impl<P, S, T, M> Pipeline<P, S, T, M> {
    /// Fuses one more stage to the row.
    pub(super) fn then<B, U, N>(
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

    /// Turns each item into another, on all workers.
    ///
    /// # Examples
    /// ```
    /// use gristmill::{CancellationToken, Pipeline};
    ///
    /// let (upper, _) = Pipeline::from_iter(["a", "b"])
    ///     .map("upper", str::to_uppercase)
    ///     .collect::<Vec<_>>()
    ///     .run(&CancellationToken::new())?;
    /// assert_eq!(upper, ["A", "B"]);
    /// # Ok::<(), gristmill::PipelineError>(())
    /// ```
    pub fn map<U, F>(self, name: impl Into<Cow<'static, str>>, call: F) -> Pipeline<P, Then<S, Map<F>>, U, M>
    where
        F: Fn(T) -> U + Send + Sync,
    {
        self.then(name, StageKind::Parallel, |stage| Map { stage, call })
    }

    /// Turns each item into another, on all workers; the first error ends the run, unless an [error policy](Self::skip_errors) follows it.
    ///
    /// All stages of a pipeline that can fail share one error type, also those with a policy; `map_err` brings others to it: an enum of yours, or
    /// `std::io::Error::other` where the text is enough. A `Box<dyn Error>` does too, but is no error itself, so that `?` does not box what `run` gives.
    ///
    /// # Examples
    /// ```
    /// use gristmill::{CancellationToken, Pipeline};
    ///
    /// let error = Pipeline::from_iter(["1", "x"])
    ///     .try_map("parse", |text: &str| text.parse::<i32>())
    ///     .collect::<Vec<_>>()
    ///     .run(&CancellationToken::new())
    ///     .unwrap_err();
    /// assert_eq!((error.stage(), error.index()), (Some("parse"), Some(1)));
    /// ```
    #[allow(clippy::type_complexity)] // like an iterator adaptor's
    pub fn try_map<U, E, F>(
        self,
        name: impl Into<Cow<'static, str>>,
        call: F,
    ) -> Pipeline<P, Then<S, Judged<TryMap<F>>>, U, M::With>
    where
        F: Fn(T) -> Result<U, E> + Send + Sync,
        M: Also<E>,
    {
        self.then(name, StageKind::Parallel, |stage| Judged { stage, attempt: TryMap(call), policy: Stop })
    }

    /// Keeps the items for which `call` is true, on all workers.
    ///
    /// # Examples
    /// ```
    /// use gristmill::{CancellationToken, Pipeline};
    ///
    /// let (even, _) = Pipeline::from_iter(0..6)
    ///     .filter("even", |number| number % 2 == 0)
    ///     .collect::<Vec<_>>()
    ///     .run(&CancellationToken::new())?;
    /// assert_eq!(even, [0, 2, 4]);
    /// # Ok::<(), gristmill::PipelineError>(())
    /// ```
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

    /// Turns each item into another or drops it, on all workers.
    ///
    /// # Examples
    /// ```
    /// use gristmill::{CancellationToken, Pipeline};
    ///
    /// let (numbers, _) = Pipeline::from_iter(["1", "x", "3"])
    ///     .filter_map("parse", |text: &str| text.parse::<i32>().ok())
    ///     .collect::<Vec<_>>()
    ///     .run(&CancellationToken::new())?;
    /// assert_eq!(numbers, [1, 3]);
    /// # Ok::<(), gristmill::PipelineError>(())
    /// ```
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

    /// Turns each item into any number of others, on all workers.
    ///
    /// The window counts source items: all that one item expands to may be in memory at once.
    ///
    /// # Examples
    /// ```
    /// use gristmill::{CancellationToken, Pipeline};
    ///
    /// let (words, _) = Pipeline::from_iter(["a b", "", "c"])
    ///     .flat_map("split", str::split_whitespace)
    ///     .collect::<Vec<_>>()
    ///     .run(&CancellationToken::new())?;
    /// assert_eq!(words, ["a", "b", "c"]);
    /// # Ok::<(), gristmill::PipelineError>(())
    /// ```
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

    /// Turns each item into another, on all workers, with a state that each worker has of its own.
    ///
    /// `init` runs at most once per worker and run, when the worker meets its first item; the state is dropped by the same thread
    /// before `run` returns. It need be neither `Send` nor `Sync`.
    ///
    /// # Examples
    /// ```
    /// use gristmill::{CancellationToken, Pipeline};
    ///
    /// let (sizes, _) = Pipeline::from_iter(["grist", "mill"])
    ///     .map_init("measure", String::new, |buffer, text| {
    ///         buffer.clear(); // one buffer for each worker, not one for each item
    ///         buffer.push_str(text);
    ///         buffer.len()
    ///     })
    ///     .collect::<Vec<_>>()
    ///     .run(&CancellationToken::new())?;
    /// assert_eq!(sizes, [5, 4]);
    /// # Ok::<(), gristmill::PipelineError>(())
    /// ```
    #[allow(clippy::type_complexity)] // like an iterator adaptor's
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

    /// As [`map_init`](Self::map_init); the first error ends the run, unless an error policy follows it.
    ///
    /// # Examples
    /// ```
    /// use gristmill::{CancellationToken, Pipeline};
    ///
    /// let error = Pipeline::from_iter(["7", "seven"])
    ///     .try_map_init("parse", String::new, |_buffer, text: &str| text.parse::<u8>())
    ///     .collect::<Vec<_>>()
    ///     .run(&CancellationToken::new())
    ///     .unwrap_err();
    /// assert_eq!(error.index(), Some(1));
    /// ```
    #[allow(clippy::type_complexity)] // like an iterator adaptor's
    pub fn try_map_init<Z, U, E, N, F>(
        self,
        name: impl Into<Cow<'static, str>>,
        init: N,
        call: F,
    ) -> Pipeline<P, Then<S, Judged<TryMapInit<N, Z, F>>>, U, M::With>
    where
        N: Fn() -> Z + Send + Sync,
        F: Fn(&mut Z, T) -> Result<U, E> + Send + Sync,
        M: Also<E>,
    {
        let attempt = TryMapInit { init, call, state: PhantomData };
        self.then(name, StageKind::Parallel, |stage| Judged { stage, attempt, policy: Stop })
    }

    /// Looks at each item as it passes, on all workers.
    ///
    /// # Examples
    /// ```
    /// use gristmill::{CancellationToken, Pipeline};
    ///
    /// use std::sync::atomic::{AtomicU64, Ordering};
    ///
    /// let bytes = AtomicU64::new(0);
    /// Pipeline::from_iter(["grist", "mill"])
    ///     .inspect("count", |text| {
    ///         bytes.fetch_add(text.len() as u64, Ordering::Relaxed);
    ///     })
    ///     .for_each("drop", drop)
    ///     .run(&CancellationToken::new())?;
    /// assert_eq!(bytes.into_inner(), 9);
    /// # Ok::<(), gristmill::PipelineError>(())
    /// ```
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

    /// Runs one item at a time, in whatever order the workers come to it; the order of the items is kept.
    ///
    /// For a short step on something shared that must not run twice at once and whose order does not matter. A worker that finds
    /// it taken waits, so a long one serialises all of them: use [`serial`](Self::serial) then.
    ///
    /// # Examples
    /// ```
    /// use gristmill::{CancellationToken, Pipeline};
    ///
    /// let mut seen = std::collections::HashSet::new();
    /// let (fresh, _) = Pipeline::from_iter(["a", "b", "c"])
    ///     .serial_unordered("note", |text| seen.insert(text))
    ///     .collect::<Vec<_>>()
    ///     .run(&CancellationToken::new())?;
    /// assert_eq!(fresh, [true, true, true]);
    /// # Ok::<(), gristmill::PipelineError>(())
    /// ```
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

    /// Ends the row of fused stages, whose numbers `through` is given, with one that is not fused.
    pub(super) fn cut<Q, U, N>(
        mut self,
        name: impl Into<Cow<'static, str>>,
        kind: StageKind,
        through: impl FnOnce(P, S, Range<usize>) -> Q,
    ) -> Pipeline<Q, Through, U, N> {
        let stage = self.settings.stage(name.into(), kind);
        let stages = self.settings.segment_start..stage;
        self.settings.segment_start = stage + 1;
        self.settings.serial_points.push(stage);
        let plan = through(self.plan, self.step, stages);
        Pipeline { plan, step: Through, settings: self.settings, types: PhantomData }
    }

    /// Runs one item at a time, in the order of the source; stages after it run on all workers again.
    ///
    /// No worker waits for it: one that finishes a chunk out of turn leaves it and does something else. It cuts the row of fused
    /// stages in two, so use it where the order or the exclusion is needed.
    ///
    /// # Examples
    /// ```
    /// use gristmill::{CancellationToken, Pipeline};
    ///
    /// let mut number = 0;
    /// let (lines, _) = Pipeline::from_iter(["b", "c"])
    ///     .serial("number", |text| {
    ///         number += 1;
    ///         (number, text)
    ///     })
    ///     .map("format", |(number, text)| format!("{number} {text}"))
    ///     .collect::<Vec<_>>()
    ///     .run(&CancellationToken::new())?;
    /// assert_eq!(lines, ["1 b", "2 c"]);
    /// # Ok::<(), gristmill::PipelineError>(())
    /// ```
    pub fn serial<U, F>(
        self,
        name: impl Into<Cow<'static, str>>,
        call: F,
    ) -> Pipeline<ThroughSerial<P, S, Sure<F>>, Through, U, M>
    where
        F: FnMut(T) -> U + Send,
    {
        self.cut(name, StageKind::Serial, |plan, step, stages| ThroughSerial {
            plan,
            step,
            stages,
            call: Sure(call),
        })
    }

    /// As [`serial`](Self::serial); the first error ends the run, unless an error policy follows it.
    ///
    /// # Examples
    /// ```
    /// use gristmill::{CancellationToken, Pipeline};
    ///
    /// let mut last = 0;
    /// let error = Pipeline::from_iter([1, 5, 3])
    ///     .try_serial("check", |number| {
    ///         if number < last {
    ///             return Err(format!("{number} after {last}"));
    ///         }
    ///         last = number;
    ///         Ok(number)
    ///     })
    ///     .for_each("drop", drop)
    ///     .run(&CancellationToken::new())
    ///     .unwrap_err();
    /// assert_eq!(error.to_string(), "check failed at item 2: 3 after 5");
    /// ```
    pub fn try_serial<U, E, F>(
        self,
        name: impl Into<Cow<'static, str>>,
        call: F,
    ) -> Pipeline<ThroughSerial<P, S, Fallible<F>>, Through, U, M::With>
    where
        F: FnMut(T) -> Result<U, E> + Send,
        M: Also<E>,
    {
        self.cut(name, StageKind::Serial, |plan, step, stages| ThroughSerial {
            plan,
            step,
            stages,
            call: Fallible { call, policy: Stop },
        })
    }
}
