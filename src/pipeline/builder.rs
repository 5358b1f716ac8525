//! How a pipeline begins: its source and its settings.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use crate::sync::channel::Receiver;

use super::control::PipelineControl;
use super::monitor::PipelineMonitor;
use super::plan::{Also, FromSource, Settings, Sure};
use super::report::{StageKind, StageReport};
use super::source::{Incoming, Items, Readiness, TryItems};
use super::step::Through;

/// The number of items between source and sink, unless the user sets another: enough for chunks of the full size at ten nanoseconds
/// an item on a few cores, and little memory for items of ordinary size.
const DEFAULT_WINDOW: usize = 4096;

/// A source, stages and a sink, run by one set of threads in bounded memory.
///
/// Begin with [`from_iter`](Self::from_iter), [`from_slice`](Self::from_slice), [`from_receiver`](Self::from_receiver) or
/// [`from_try_iter`](Self::from_try_iter), add stages, end with a sink, and call [`run`](super::ReadyPipeline::run). Nothing is read
/// and no thread exists before that.
///
/// Do not use it for data that lies in a `Vec` and needs neither order of effects, nor bounds, nor cancellation: rayon's
/// `par_iter` says that in fewer words.
///
/// # Examples
/// ```
/// use gristmill::{CancellationToken, Pipeline};
///
/// let words = ["grist", "mill", "water"];
/// let (lengths, report) = Pipeline::from_slice(&words)
///     .map("measure", |word| word.len())
///     .collect::<Vec<_>>()
///     .run(&CancellationToken::new())?;
/// assert_eq!(lengths, [5, 4, 5]);
/// assert_eq!(report.finished(), 3);
/// # Ok::<(), gristmill::PipelineError>(())
/// ```
#[must_use = "nothing is read until the pipeline has a sink and runs"]
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

pub(super) fn start<Z, T>(source: Z) -> Pipeline<FromSource<Z>, Through, T, Sure> {
    Pipeline {
        plan: FromSource { source, declared: None },
        step: Through,
        settings: Settings {
            window: DEFAULT_WINDOW,
            weight: None,
            expansions: Vec::new(),
            timed: 0,
            workers: None,
            ordered: true,
            reordered: false,
            stages: vec![StageReport::new(Cow::Borrowed("source"), StageKind::Source)],
            segment_start: 1,
            control: None,
            serial_points: Vec::new(),
            timeline: false,
            monitor: None,
            crews: Vec::new(),
            invalid: None,
        },
        types: PhantomData,
    }
}

impl<I: Iterator> Pipeline<FromSource<Items<I>>, Through, I::Item, Sure> {
    /// Starts from an iterator, which is pulled lazily and never further ahead than the [`window`](Pipeline::window).
    ///
    /// `next` runs on one worker at a time, on whichever is free. An iterator that knows how many items it has left (a range, a
    /// vector) is taken to compute them, and is read in bursts once it has shown itself to be fast; any other (`lines()`, a
    /// channel's iterator, a directory walk) is taken to wait for somebody, and every item it gives can be worked on while the
    /// next is awaited. [`source_is_ready`](Pipeline::source_is_ready) and [`source_may_block`](Pipeline::source_may_block) say
    /// otherwise.
    ///
    /// # Examples
    /// ```
    /// use gristmill::{CancellationToken, Pipeline};
    ///
    /// let (squares, _) = Pipeline::from_iter(1..=4_u64)
    ///     .map("square", |number| number * number)
    ///     .collect::<Vec<_>>()
    ///     .run(&CancellationToken::new())?;
    /// assert_eq!(squares, [1, 4, 9, 16]);
    /// # Ok::<(), gristmill::PipelineError>(())
    /// ```
    ///
    /// # Cancellation
    /// A `next` that waits cannot be interrupted: a cancelled run returns once it has. Use
    /// [`from_receiver`](Pipeline::from_receiver) where that matters.
    ///
    /// # Cost
    /// Items of a source that may block cost about 20 ns more each (`benches/versus.rs`, ordered map); it shows only where a stage takes
    /// less than a microsecond.
    #[allow(clippy::should_implement_trait)] // `FromIterator` cannot name the iterator's type
    pub fn from_iter(source: impl IntoIterator<IntoIter = I>) -> Self {
        start(Items::new(source.into_iter()))
    }
}

impl<'a, T: Sync> Pipeline<FromSource<Items<std::slice::Iter<'a, T>>>, Through, &'a T, Sure> {
    /// Starts from the elements of a slice, by reference.
    ///
    /// # Examples
    /// ```
    /// use gristmill::{CancellationToken, Pipeline};
    ///
    /// let names = vec!["o".to_owned(), "k".to_owned()];
    /// let (joined, _) = Pipeline::from_slice(&names)
    ///     .fold("join", String::new(), |joined, name| joined + name)
    ///     .run(&CancellationToken::new())?;
    /// assert_eq!(joined, "ok");
    /// # Ok::<(), gristmill::PipelineError>(())
    /// ```
    pub fn from_slice(source: &'a [T]) -> Self {
        start(Items::new(source.iter()))
    }
}

impl<T> Pipeline<FromSource<Incoming<T>>, Through, T, Sure> {
    /// Starts from a channel; the source ends when all its senders are gone and it is empty.
    ///
    /// No item waits for company: what is in the channel is read and worked on before the next wait.
    ///
    /// # Examples
    /// ```
    /// use gristmill::{CancellationToken, Pipeline};
    ///
    /// let (sender, receiver) = crossbeam_channel::bounded(2);
    /// let (sum, _) = std::thread::scope(|scope| {
    ///     scope.spawn(move || (1..=10).for_each(|number| sender.send(number).unwrap()));
    ///     Pipeline::from_receiver(receiver)
    ///         .fold("add", 0, |sum, number| sum + number)
    ///         .run(&CancellationToken::new())
    /// })?;
    /// assert_eq!(sum, 55);
    /// # Ok::<(), gristmill::PipelineError>(())
    /// ```
    ///
    /// # Cancellation
    /// Ends a wait at once. What was not read stays in the channel if another receiver is left.
    pub fn from_receiver(source: Receiver<T>) -> Self {
        start(Incoming::new(source))
    }
}

impl<I, T, E> Pipeline<FromSource<TryItems<I>>, Through, T, <Sure as Also<E>>::With>
where
    I: Iterator<Item = Result<T, E>>,
    E: Send,
{
    /// Starts from an iterator of results; the first error ends the run, after the items before it have gone through.
    ///
    /// To go on after it, start with `from_iter` and let the first stage fail: `.try_map("read", |result| result)` with an error policy.
    ///
    /// Read like [`from_iter`](Pipeline::from_iter). The error names the stage `source` and the index of the item.
    ///
    /// # Examples
    /// ```
    /// use gristmill::{CancellationToken, Pipeline};
    ///
    /// let lines = [Ok("first"), Ok("second"), Err("torn page")];
    /// let mut seen = Vec::new();
    /// let error = Pipeline::from_try_iter(lines)
    ///     .for_each("note", |line| seen.push(line))
    ///     .run(&CancellationToken::new())
    ///     .unwrap_err();
    /// assert_eq!(error.to_string(), "source failed at item 2: torn page");
    /// assert_eq!(seen, ["first", "second"]);
    /// ```
    pub fn from_try_iter(source: impl IntoIterator<IntoIter = I>) -> Self {
        start::<_, T>(TryItems::new(source.into_iter())).retyped()
    }
}

impl<Z, S, T, M> Pipeline<FromSource<Z>, S, T, M> {
    /// Says that the source may wait at any item (a socket, a pipe, standard input): whatever has been read can be worked on by
    /// the others before the next item is asked for.
    ///
    /// Does nothing for a channel, which says by itself whether something is there.
    ///
    /// # Examples
    /// ```
    /// use gristmill::{CancellationToken, Pipeline};
    /// use std::io::BufRead;
    ///
    /// let input = std::io::Cursor::new("3\n4\n"); // or standard input
    /// let (sum, _) = Pipeline::from_try_iter(input.lines())
    ///     .source_may_block()
    ///     .try_map("parse", |line| line.parse::<u32>().map_err(std::io::Error::other))
    ///     .fold("add", 0, |sum, number| sum + number)
    ///     .run(&CancellationToken::new())?;
    /// assert_eq!(sum, 7);
    /// # Ok::<(), gristmill::PipelineError<std::io::Error>>(())
    /// ```
    pub fn source_may_block(mut self) -> Self {
        self.plan.declared = Some(Readiness::MayBlock);
        self
    }

    /// Says that the source never waits for anybody: it is read in bursts, once it has shown itself to be fast.
    ///
    /// For iterators that compute but do not know their length, such as a `filter` or `flat_map` over data in memory. Should such a
    /// source pause all the same, the few items of the burst it pauses in wait with it, and the next ones are read with more care.
    ///
    /// # Examples
    /// ```
    /// use gristmill::{CancellationToken, Pipeline};
    ///
    /// let (odd, _) = Pipeline::from_iter((0..9).filter(|number| number % 2 == 1))
    ///     .source_is_ready()
    ///     .collect::<Vec<_>>()
    ///     .run(&CancellationToken::new())?;
    /// assert_eq!(odd, [1, 3, 5, 7]);
    /// # Ok::<(), gristmill::PipelineError>(())
    /// ```
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

    /// Sets how many items there may be between the source and the sink: at least 1, by default 4096.
    ///
    /// Items that are being read, worked on, or wait for an earlier one all count, in source items; one that a stage drops, or skips because it failed, counts
    /// until the sink, or the next serial stage, has passed its place. A window of 1 is a plain loop on the caller's thread. Zero is refused by `run`.
    ///
    /// # Examples
    /// ```
    /// use gristmill::{CancellationToken, Pipeline};
    ///
    /// // Images are large: no more than eight in memory.
    /// Pipeline::from_iter(0..100)
    ///     .window(8)
    ///     .map("decode", |number| vec![number; 1000])
    ///     .for_each("store", drop)
    ///     .run(&CancellationToken::new())?;
    /// # Ok::<(), gristmill::PipelineError>(())
    /// ```
    ///
    /// # Cost
    /// A small window means small chunks, which matters for cheap items: see the curve of the window in `docs/performance.md`, from
    /// `cargo bench --bench curves`. A few dozen items for each worker are enough from a microsecond an item on.
    pub fn window(mut self, items: usize) -> Self {
        self.settings.window = items;
        self
    }

    /// Sets how many threads work, the caller's among them: at least 1, by default as many as there are cores that this process may
    /// use (its affinity mask and cgroup quota counted).
    ///
    /// More than the window has items, or than 65 536, are not started. With 1, everything runs on the caller's thread. Zero is refused by `run`. Stages
    /// that wait (for disks, for servers) have [threads of their own](Self::blocking), which come on top.
    ///
    /// # Examples
    /// ```
    /// use gristmill::{CancellationToken, Pipeline};
    ///
    /// let report =
    ///     Pipeline::from_iter(0..10).workers(3).for_each("drop", drop).run(&CancellationToken::new())?;
    /// assert_eq!(report.workers(), 3);
    /// # Ok::<(), gristmill::PipelineError>(())
    /// ```
    pub fn workers(mut self, threads: usize) -> Self {
        self.settings.workers = Some(threads);
        self
    }

    /// Lets `control` close the source while the pipeline runs; of several controls the last is the one.
    ///
    /// # Examples
    /// ```
    /// use gristmill::{CancellationToken, Pipeline, PipelineControl};
    ///
    /// let control = PipelineControl::new();
    /// let (sender, receiver) = crossbeam_channel::bounded(16); // its senders stay
    /// sender.send("grist").unwrap();
    /// let closer = control.clone();
    /// let (seen, _) = Pipeline::from_receiver(receiver)
    ///     .controlled_by(&control)
    ///     .inspect("enough", |_| closer.close())
    ///     .collect::<Vec<_>>()
    ///     .run(&CancellationToken::new())?;
    /// assert_eq!(seen, ["grist"]);
    /// # Ok::<(), gristmill::PipelineError>(())
    /// ```
    pub fn controlled_by(mut self, control: &PipelineControl) -> Self {
        self.settings.control = Some(control.clone());
        self
    }

    /// Lets `monitor` show what the pipeline does while it runs, and call back when a condition comes true.
    ///
    /// # Cost
    /// A few words are written for each chunk of items.
    pub fn monitored_by(mut self, monitor: &PipelineMonitor) -> Self {
        self.settings.monitor = Some(monitor.clone());
        self
    }

    /// Records what each worker is at and when: [`Report::timeline`](super::Report::timeline) has it, for a picture or a trace viewer.
    ///
    /// For a look at where a run's time goes. What is kept is bounded, see [`Timeline`](super::Timeline); the counts and times of the
    /// report are there without it.
    ///
    /// # Examples
    /// ```
    /// use gristmill::{CancellationToken, Pipeline};
    ///
    /// let report = Pipeline::from_iter(0..1000_u64)
    ///     .workers(2)
    ///     .record_timeline()
    ///     .map("square", |number| number * number)
    ///     .for_each("drop", drop)
    ///     .run(&CancellationToken::new())?;
    /// let timeline = report.timeline().expect("it was recorded");
    /// let items = |stage| {
    ///     let spans = (0..timeline.workers()).flat_map(|worker| timeline.spans(worker));
    ///     spans.filter(|span| span.stage() == stage).map(|span| span.items()).sum::<u64>()
    /// };
    /// assert_eq!([items(0), items(1), items(2)], [1000, 1000, 1000]);
    /// # Ok::<(), gristmill::PipelineError>(())
    /// ```
    ///
    /// # Cost
    /// Two readings of a clock that is read anyway are kept for each chunk, 40 bytes; at most 2.6 megabytes for up to 128 workers.
    /// `cargo bench --bench versus -- observed` has it beside a run without.
    pub fn record_timeline(mut self) -> Self {
        self.settings.timeline = true;
        self
    }

    /// The sink takes the results in the order of their items in the source; this is the default.
    ///
    /// Results that are early wait, within the window.
    pub fn in_order(mut self) -> Self {
        self.settings.ordered = true;
        self
    }

    /// The sink takes the results as they come, chunk by chunk.
    ///
    /// For work whose order does not matter and whose items differ much in cost, so that one slow item does not hold up the
    /// results after it. An error is then the first in time, and what the sink has seen by then is not a prefix.
    ///
    /// Known limit: behind a stage that drops, multiplies or gathers items, or [keeps no order](Self::keyed_unordered), *and* a serial or keyed stage,
    /// items may leave while others that were read before them are still in the hands of other workers. These are not counted for the
    /// [`window`](Self::window) then: less than half a window of them, or one for each other worker in a smaller window than that.
    ///
    /// # Examples
    /// ```
    /// use gristmill::{CancellationToken, Pipeline};
    ///
    /// let (sum, _) = Pipeline::from_iter(0..1000_u64)
    ///     .unordered()
    ///     .map("square", |number| number * number)
    ///     .fold("add", 0, |sum, square| sum + square)
    ///     .run(&CancellationToken::new())?;
    /// assert_eq!(sum, 332_833_500);
    /// # Ok::<(), gristmill::PipelineError>(())
    /// ```
    pub fn unordered(mut self) -> Self {
        self.settings.ordered = false;
        self
    }
}
