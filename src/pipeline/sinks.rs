//! The ends of a pipeline: what takes the results.

use std::borrow::Cow;
use std::marker::PhantomData;

use crate::sync::channel::Sender;

use super::builder::Pipeline;
use super::error_policy::Stop;
use super::plan::Also;
use super::ready::{LocalPipeline, ReadyPipeline};
use super::report::StageKind;
use super::sink::{Collect, Fold, ForEach, Reduce, Send as SendTo, TryForEach};

impl<P, S, T, M> Pipeline<P, S, T, M> {
    /// Adds the sink.
    fn ready<K, N>(mut self, name: impl Into<Cow<'static, str>>, sink: K) -> ReadyPipeline<P, S, T, N, K> {
        self.settings.stage(name.into(), StageKind::Sink);
        let Self { plan, step, settings, .. } = self;
        ReadyPipeline { pipeline: Pipeline { plan, step, settings, types: PhantomData }, sink }
    }

    /// Adds a sink that stays on the caller's thread.
    fn local<K, N>(self, name: impl Into<Cow<'static, str>>, sink: K) -> LocalPipeline<P, S, T, N, K> {
        let ReadyPipeline { pipeline, sink } = self.ready(name, sink);
        LocalPipeline { pipeline, sink }
    }

    /// Calls `call` with each result, one at a time and in order, on whichever worker has it.
    ///
    /// It may borrow and change what surrounds it, and needs no lock. The thread differs from item to item:
    /// [`for_each_local`](Self::for_each_local) keeps to one.
    ///
    /// # Examples
    /// ```
    /// use gristmill::{CancellationToken, Pipeline};
    ///
    /// let mut total = 0;
    /// Pipeline::from_iter(1..=3).for_each("add", |number| total += number).run(&CancellationToken::new())?;
    /// assert_eq!(total, 6);
    /// # Ok::<(), gristmill::PipelineError>(())
    /// ```
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

    /// As [`for_each`](Self::for_each); the first error ends the run, unless an error policy follows it.
    ///
    /// # Examples
    /// ```
    /// use gristmill::{CancellationToken, Pipeline};
    ///
    /// use std::io::Write;
    ///
    /// let mut out = Vec::new(); // or a file
    /// Pipeline::from_iter(1..=3)
    ///     .map("format", |number| format!("{number}\n"))
    ///     .try_for_each("write", |line| out.write_all(line.as_bytes()))
    ///     .run(&CancellationToken::new())?;
    /// assert_eq!(out, b"1\n2\n3\n");
    /// # Ok::<(), gristmill::PipelineError<std::io::Error>>(())
    /// ```
    pub fn try_for_each<E, F>(
        self,
        name: impl Into<Cow<'static, str>>,
        call: F,
    ) -> ReadyPipeline<P, S, T, M::With, TryForEach<F>>
    where
        F: FnMut(T) -> Result<(), E> + Send,
        M: Also<E>,
    {
        self.ready(name, TryForEach { call, policy: Stop })
    }

    /// Calls `call` with each result, in order, on the thread that calls `run`; it need not be `Send`.
    ///
    /// That thread works on items too while no result is ready, but leaves a source that may wait to the others, if there are any. One long item there holds up the results behind it, within the
    /// window; where any thread will do, [`for_each`](Self::for_each) does better.
    ///
    /// # Examples
    /// ```
    /// use gristmill::{CancellationToken, Pipeline};
    ///
    /// let seen = std::rc::Rc::new(std::cell::Cell::new(0));
    /// Pipeline::from_iter(1..=3)
    ///     .for_each_local("count", |_| seen.set(seen.get() + 1))
    ///     .run(&CancellationToken::new())?;
    /// assert_eq!(seen.get(), 3);
    /// # Ok::<(), gristmill::PipelineError>(())
    /// ```
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

    /// As [`for_each_local`](Self::for_each_local); the first error ends the run, unless an error policy follows it.
    ///
    /// # Examples
    /// ```
    /// use gristmill::{CancellationToken, Pipeline};
    ///
    /// let error = Pipeline::from_iter(1..=3)
    ///     .try_for_each_local("refuse", |number| if number == 2 { Err("two") } else { Ok(()) })
    ///     .run(&CancellationToken::new())
    ///     .unwrap_err();
    /// assert_eq!(error.into_error(), Some("two"));
    /// ```
    pub fn try_for_each_local<E, F>(
        self,
        name: impl Into<Cow<'static, str>>,
        call: F,
    ) -> LocalPipeline<P, S, T, M::With, TryForEach<F>>
    where
        F: FnMut(T) -> Result<(), E>,
        M: Also<E>,
    {
        self.local(name, TryForEach { call, policy: Stop })
    }

    /// Collects the results, in order.
    ///
    /// If the run fails, what was collected is dropped with it: where the results so far are wanted, push them to a collection of
    /// your own in [`for_each`](Self::for_each).
    ///
    /// # Examples
    /// ```
    /// use gristmill::{CancellationToken, Pipeline};
    ///
    /// let (lengths, _) = Pipeline::from_iter(["a", "bc"])
    ///     .map("measure", |text| (text, text.len()))
    ///     .collect::<std::collections::HashMap<_, _>>()
    ///     .run(&CancellationToken::new())?;
    /// assert_eq!(lengths["bc"], 2);
    /// # Ok::<(), gristmill::PipelineError>(())
    /// ```
    pub fn collect<C>(self) -> ReadyPipeline<P, S, T, M, Collect<C>>
    where
        C: Default + Extend<T> + Send,
    {
        self.ready("collect", Collect(C::default()))
    }

    /// Folds the results, in order, into `value`; the fold itself runs on one worker at a time.
    ///
    /// # Examples
    /// ```
    /// use gristmill::{CancellationToken, Pipeline};
    ///
    /// let (joined, _) = Pipeline::from_iter(["a", "b"])
    ///     .fold("join", String::new(), |joined, text| joined + text)
    ///     .run(&CancellationToken::new())?;
    /// assert_eq!(joined, "ab");
    /// # Ok::<(), gristmill::PipelineError>(())
    /// ```
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

    /// Folds the results, in order, into one of them; gives `None` if there was none. The closure runs on one worker at a time.
    ///
    /// # Examples
    /// ```
    /// use gristmill::{CancellationToken, Pipeline};
    ///
    /// let (longest, _) = Pipeline::from_iter(["a", "ccc", "bb"])
    ///     .reduce("longest", |a, b| if b.len() > a.len() { b } else { a })
    ///     .run(&CancellationToken::new())?;
    /// assert_eq!(longest, Some("ccc"));
    /// # Ok::<(), gristmill::PipelineError>(())
    /// ```
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

    /// Sends the results, in order, into a channel; a full one slows the pipeline down.
    ///
    /// A channel without a receiver ends the run with [`PipelineErrorKind::ReceiverGone`](super::PipelineErrorKind::ReceiverGone); the
    /// item that was to be sent is dropped.
    ///
    /// # Examples
    /// ```
    /// use gristmill::{CancellationToken, Pipeline};
    ///
    /// let (sender, receiver) = crossbeam_channel::bounded(1);
    /// let sum = std::thread::scope(|scope| {
    ///     let sum = scope.spawn(move || receiver.iter().sum::<u32>());
    ///     Pipeline::from_iter(1..=4).send(sender).run(&CancellationToken::new())?;
    ///     Ok::<_, gristmill::PipelineError>(sum.join().unwrap())
    /// })?;
    /// assert_eq!(sum, 10);
    /// # Ok::<(), gristmill::PipelineError>(())
    /// ```
    ///
    /// # Cancellation
    /// Ends a wait for room at once.
    pub fn send(self, sender: Sender<T>) -> ReadyPipeline<P, S, T, M, SendTo<T>>
    where
        T: Send,
    {
        self.ready("send", SendTo(sender))
    }
}
