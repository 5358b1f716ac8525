//! The lazy forms: the caller pulls the results out of a running pipeline.

use std::fmt;
use std::sync::Arc;
use std::vec;

use crate::cancel::CancellationToken;
use crate::panics;
use crate::sync::thread;

use super::builder::Pipeline;
use super::core::Core;
use super::deliver::Owned;
use super::error::{Ending, PipelineError};
use super::plan::{Errors, Plan};
use super::puller::{Mark, Pull, Puller};
use super::ready::with_workers;
use super::report::{Report, StageKind};
use super::run::Run;
use super::step::Step;
use super::upstream::Upstream;

/// The results of a running pipeline, inside [`Pipeline::with_iter`].
///
/// Ends when the results do, or when the run fails or is cancelled; what [`Pipeline::with_iter`] returns says which.
///
/// ```
/// use gristmill::pipeline::Results;
/// use gristmill::{CancellationToken, Pipeline};
///
/// let words = vec![String::from("grist"), String::from("mill")];
/// let longest = |lengths: Results<'_, usize>| lengths.max();
/// let (longest, report) =
///     Pipeline::from_slice(&words).map("measure", String::len).with_iter(&CancellationToken::new(), longest);
/// assert_eq!(longest, Some(Some(5)));
/// assert_eq!(report?.finished(), 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Results<'run, T> {
    current: vec::IntoIter<T>,
    puller: Box<dyn Pull<T> + 'run>,
    mark: Mark,
}

impl<T> fmt::Debug for Results<'_, T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Results").field("at_hand", &self.current.len()).finish_non_exhaustive()
    }
}

impl<T> Drop for Results<'_, T> {
    fn drop(&mut self) {
        self.puller.leave(self.current.len());
        drop_rest(&mut self.current);
    }
}

/// Drops what the caller has not taken of what is at hand; the first panic is the caller's.
fn drop_rest<T>(rest: &mut vec::IntoIter<T>) {
    if let Err(panic) = panics::drop_each(rest) {
        if !thread::panicking() {
            panic.resume();
        }
    }
}

impl<T> Iterator for Results<'_, T> {
    type Item = T;

    #[inline]
    fn next(&mut self) -> Option<T> {
        loop {
            if let Some(item) = self.current.next() {
                self.mark.moved(self.current.len());
                return Some(item);
            }
            self.current = self.puller.pull()?;
        }
    }
}

/// The results of a running pipeline with threads of its own, from [`Pipeline::into_iter_with`].
///
/// Gives the results; if the run fails or is cancelled, the error comes last. Dropping it stops the run and waits for its threads.
///
/// The thread that made it is a worker of the run while it waits for a result, and it stays there: it is not `Send`. For results on another thread make
/// it there, or let a sink send them through a channel.
///
/// ```
/// use gristmill::{CancellationToken, Pipeline};
///
/// let mut squares =
///     Pipeline::from_iter(1..4_u64).map("square", |n| n * n).into_iter_with(&CancellationToken::new())?;
/// for (index, square) in squares.by_ref().enumerate() {
///     assert_eq!(square?, (index as u64 + 1).pow(2)); // in order
/// }
/// assert_eq!(squares.finish()?.finished(), 3);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "dropping it ends the run"]
pub struct PipelineIter<T, E> {
    current: vec::IntoIter<T>,
    engine: Option<Box<dyn Engine<T, E>>>,
    mark: Mark,
    report: Option<Report>,
}

/// A puller that owns its threads.
trait Engine<T, E>: Pull<T> {
    /// Waits for the threads and says how the run went.
    fn finish(self: Box<Self>) -> Result<Report, PipelineError<E>>;
}

struct Threads<P, S, E>
where
    P: Upstream<E>,
    S: Step<P::Item, E>,
    E: Send,
{
    #[allow(clippy::type_complexity)] // it is the one place that spells it
    puller: Puller<Arc<Core<P, S, Owned, E>>, P, S, E>,
    handles: Vec<thread::JoinHandle<()>>,
    missing: usize,
}

impl<P, S, E> Pull<S::Out> for Threads<P, S, E>
where
    P: Upstream<E>,
    S: Step<P::Item, E>,
    E: Send,
{
    fn pull(&mut self) -> Option<vec::IntoIter<S::Out>> {
        self.puller.pull()
    }

    fn leave(&mut self, results: usize) {
        self.puller.leave(results);
    }
}

impl<P, S, E> Engine<S::Out, E> for Threads<P, S, E>
where
    P: Upstream<E>,
    S: Step<P::Item, E>,
    E: Send,
{
    fn finish(self: Box<Self>) -> Result<Report, PipelineError<E>> {
        let Self { mut puller, handles, missing } = *self;
        puller.end();
        for thread in handles {
            // Every panic is caught inside.
            let _ = thread.join();
        }
        let core = Arc::clone(&puller.core);
        drop(puller);
        // The threads have ended and dropped theirs.
        let core = Arc::into_inner(core).expect("the last owner of a run whose threads have ended");
        let (Owned, report, kind) = core.conclude(missing);
        match kind {
            Some(kind) => Err(PipelineError::new(kind, report)),
            None => Ok(report),
        }
    }
}

impl<T, E> PipelineIter<T, E> {
    /// Stops the run if it still goes on, waits for its threads, and gives the report.
    ///
    /// # Errors
    /// What ended the run early, if the iterator has not given it yet. Stopping it here is no error.
    ///
    /// # Panics
    /// If the drop of an item panics that was not taken; the others are dropped, and the threads have ended.
    pub fn finish(mut self) -> Result<Report, PipelineError<E>> {
        let outcome = match (self.engine.take(), self.report.take()) {
            (Some(mut engine), _) => {
                engine.leave(self.current.len());
                engine.finish()
            }
            (None, Some(report)) => Ok(report),
            (None, None) => unreachable!("the report is kept when the engine ends"),
        };
        // Not with `self`, once this function has its value: should one of them panic, the value would leak (rust-lang/rust#47949).
        match panics::drop_each(&mut self.current) {
            Err(panic) if !thread::panicking() => {
                panics::drop_quietly(outcome);
                panic.resume()
            }
            _ => outcome,
        }
    }
}

impl<T, E> Iterator for PipelineIter<T, E> {
    type Item = Result<T, PipelineError<E>>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(item) = self.current.next() {
                self.mark.moved(self.current.len());
                return Some(Ok(item));
            }
            if let Some(more) = self.engine.as_mut()?.pull() {
                self.current = more;
                continue;
            }
            return match self.engine.take()?.finish() {
                Ok(report) => {
                    self.report = Some(report);
                    None
                }
                Err(error) => {
                    self.report = Some(error.report().clone());
                    Some(Err(error))
                }
            };
        }
    }
}

impl<T, E> std::iter::FusedIterator for PipelineIter<T, E> {}

impl<T, E> Drop for PipelineIter<T, E> {
    fn drop(&mut self) {
        if let Some(engine) = self.engine.take() {
            // Whoever drops it does not ask how it went.
            panics::drop_quietly(engine.finish());
        }
        drop_rest(&mut self.current);
    }
}

impl<T, E> fmt::Debug for PipelineIter<T, E> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("PipelineIter")
            .field("at_hand", &self.current.len())
            .field("ended", &self.engine.is_none())
            .finish_non_exhaustive()
    }
}

impl<P, S, T, M> Pipeline<P, S, T, M>
where
    M: Errors,
    P: Plan<M::Error>,
    P::Running: Sync,
    S: Step<P::Item, M::Error, Out = T>,
    T: Send,
{
    /// Runs the pipeline while `body` pulls its results, in order, on the calling thread; the parts may borrow.
    ///
    /// The calling thread works on items while it waits in `next`; the other workers go on between its calls, within the window.
    /// `body` may stop early: the run then ends, without an error. Gives what `body` returned (`None` if nothing was read), and how
    /// the run went.
    ///
    /// # Examples
    /// ```
    /// use gristmill::{CancellationToken, Pipeline};
    ///
    /// let words = ["grist".to_owned(), "mill".to_owned(), "water".to_owned()];
    /// let (first, outcome) = Pipeline::from_slice(&words)
    ///     .map("measure", |word| (word.as_str(), word.len()))
    ///     .with_iter(&CancellationToken::new(), |mut pairs| pairs.find(|(_, length)| *length == 4));
    /// outcome?;
    /// assert_eq!(first, Some(Some(("mill", 4))));
    /// # Ok::<(), gristmill::PipelineError>(())
    /// ```
    ///
    /// # Errors
    /// The second value is what ended the run early, as in [`ReadyPipeline::run`](super::ReadyPipeline::run); the results before
    /// it have been given.
    ///
    /// # Panics
    /// If `body` panics, after all threads have ended.
    ///
    /// # Cancellation
    /// Ends the results; `body` goes on, and the second value is the cancellation.
    pub fn with_iter<R>(
        mut self,
        token: &CancellationToken,
        body: impl FnOnce(Results<'_, T>) -> R,
    ) -> (Option<R>, Result<Report, PipelineError<M::Error>>) {
        self.settings.stage("iterator".into(), StageKind::Sink);
        let core = match Core::new(self.plan, self.step, self.settings, token, |_| Owned) {
            Ok(core) => core,
            Err(error) => return (None, Err(error)),
        };
        let mut value = None;
        let (missing, lead) = with_workers(&core, || {
            // Dropped last, also when `body` unwinds or leaks the iterator: the workers must end.
            let _stop = StopOnDrop(&core.run);
            let puller = Puller::new(&core);
            let mark = puller.mark();
            value = Some(body(Results { current: Vec::new().into_iter(), puller: Box::new(puller), mark }));
        });
        // Also where `body` has panicked: while that unwinds, an item whose drop panics would end the process.
        let (Owned, report, kind) = core.conclude(missing);
        if let Err(panic) = lead {
            panics::drop_quietly(kind);
            panic.resume();
        }
        match kind {
            Some(kind) => (value, Err(PipelineError::new(kind, report))),
            None => (value, Ok(report)),
        }
    }

    /// Runs the pipeline on threads of its own, and gives its results, in order, as an iterator; the parts own what they use.
    ///
    /// Where they borrow, use [`with_iter`](Self::with_iter). The thread that calls `next` works on items while it waits.
    ///
    /// # Examples
    /// ```
    /// use gristmill::{CancellationToken, Pipeline};
    ///
    /// let squares = Pipeline::from_iter(1..=100_u64)
    ///     .map("square", |number| number * number)
    ///     .into_iter_with(&CancellationToken::new())?;
    /// let first: Vec<u64> = squares.take(3).collect::<Result<_, _>>()?;
    /// assert_eq!(first, [1, 4, 9]);
    /// # Ok::<(), gristmill::PipelineError>(())
    /// ```
    ///
    /// # Errors
    /// Here, a setting that makes no sense. What ends the run early is the iterator's last item.
    ///
    /// # Cancellation
    /// Ends the iterator, with the cancellation as its last item. Dropping the iterator stops the run and waits for its threads.
    pub fn into_iter_with(
        mut self,
        token: &CancellationToken,
    ) -> Result<PipelineIter<T, M::Error>, PipelineError<M::Error>>
    where
        P::Running: Send + 'static,
        <P::Running as Upstream<M::Error>>::Local: 'static,
        S: 'static,
        S::Local: 'static,
        T: 'static,
        P::Item: 'static,
        M::Error: 'static,
    {
        self.settings.stage("iterator".into(), StageKind::Sink);
        let core = Arc::new(Core::new(self.plan, self.step, self.settings, token, |_| Owned)?);
        let (handles, missing) = core.start(|builder, post| {
            let shared = Arc::clone(&core);
            builder.spawn(move || shared.serve(post))
        });
        let engine = Threads { puller: Puller::new(core), handles, missing };
        let mark = engine.puller.mark();
        let engine: Box<dyn Engine<_, _>> = Box::new(engine);
        Ok(PipelineIter { current: Vec::new().into_iter(), engine: Some(engine), mark, report: None })
    }
}

struct StopOnDrop<'run, E>(&'run Run<E>);

impl<E> Drop for StopOnDrop<'_, E> {
    fn drop(&mut self) {
        if !self.0.finished() && !self.0.stopped() {
            self.0.halt(Ending::Abandoned);
        }
    }
}
