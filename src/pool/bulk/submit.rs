//! Submitting many tasks: pulled from an iterator, handed in by the chunk.

use std::fmt;
use std::iter::Chain;
use std::ops::ControlFlow;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use std::vec;

use super::super::core::{Core, Load, NotIn};
use super::super::error::Refusal;
use super::super::saturation::Saturation;
use super::super::seat::Seat;
use super::super::submitter::Submitter;
use super::super::task::Run;
use super::chunk::Chunk;
use super::many::ManyHandle;
use crate::cancel::CancellationToken;
use crate::panics;
use crate::sync::time;

/// The most tasks in a chunk. Longer ones gain nothing more.
const LONGEST: usize = 64;
/// An iterator that takes longer than this for a chunk is slower than the workers are woken.
const PATIENCE: Duration = Duration::from_micros(20);

/// How many tasks the next chunk is to have.
struct Lengths {
    next: usize,
    longest: usize,
}

impl Lengths {
    /// Long enough to share the cost, short enough that every worker gets some, that work starts at once, and that a queue which
    /// is half empty has room.
    fn new(hint: (usize, Option<usize>), workers: usize, bound: usize) -> Self {
        let share = match hint {
            (least, Some(most)) if least == most => most / (8 * workers.max(1)), // a pool that has ended has none
            _ => LONGEST,
        };
        Self { next: 1, longest: share.min(bound / 2).clamp(1, LONGEST) }
    }

    fn pulled(&mut self, took: Duration) {
        self.next = if took > PATIENCE { (self.next / 2).max(1) } else { (self.next * 2).min(self.longest) };
    }
}

impl<'env, S: 'static> Submitter<'env, S> {
    /// Submits the tasks that an iterator gives, and pays for synchronisation per chunk of up to 64; waits while the queue is full.
    ///
    /// Each closure is a task of its own: it has its own result, is counted by itself, takes a place in the queue, and its panic
    /// costs nothing but its result. Tasks start in the order of the iterator, and while one of them takes long, idle workers run the
    /// others. For one function over many items, [`map`](Self::map) needs less.
    ///
    /// While tasks take less than a microsecond each, a worker takes up to 20 at a time, and up to 6 while they take less than four. If
    /// one of those then blocks until another one has run, that one may be behind it in the same hand: tasks that wait for each other's
    /// doings are better [submitted](Self::submit) one by one.
    ///
    /// Called from a worker of this pool while the queue is full, it runs tasks at once on the calling thread.
    ///
    /// If the iterator panics, the panic comes out of this call; what it gave before is submitted and runs, detached.
    ///
    /// ```
    /// use gristmill::ThreadPool;
    ///
    /// let pool = ThreadPool::new()?;
    /// let squares = pool.submit_many((0..1000_u64).map(|i| move || i * i))?.wait();
    /// let sum: u64 = squares.into_iter().sum::<Result<_, _>>()?;
    /// assert_eq!(sum, 332_833_500);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The pool is closed or its token is cancelled, before or half way. The error has the handle of the tasks that were accepted, and
    /// an iterator over the others.
    ///
    /// # Cancellation
    /// The pool's token ends the wait for space.
    ///
    /// # Cost
    /// A lock, an allocation and a place in the queue's order per chunk; the bench `versus` has the figure beside that of single tasks.
    pub fn submit_many<I, F, T>(
        &self,
        tasks: I,
    ) -> Result<ManyHandle<'env, T>, SubmitManyError<'env, I::IntoIter, T>>
    where
        I: IntoIterator<Item = F>,
        F: FnOnce() -> T + Send + 'env,
        T: Send + 'env,
    {
        let core = self.core();
        let mut tasks = tasks.into_iter();
        // A rate counts entries of the queue: with one, each task is an entry.
        let longest = if core.rate.is_some() { 1 } else { core.gate.bound };
        let mut lengths = Lengths::new(tasks.size_hint(), core.workers(), longest);
        let mut accepted = ManyHandle::new(core);
        loop {
            let start = time::now();
            let mut pulled = Vec::with_capacity(lengths.next);
            // So that what came before a panic of the iterator is not lost with it.
            let whole = panics::catch(
                || "the iterator of submit_many",
                || {
                    pulled.extend(tasks.by_ref().take(lengths.next));
                },
            );
            let ended = pulled.len() < lengths.next;
            lengths.pulled(time::now().saturating_duration_since(start));
            if !pulled.is_empty() {
                if let Err((pulled, refusal)) = hand_in(core, &mut accepted, pulled, Places::Each, None) {
                    let rest = Unsubmitted(pulled.into_iter().chain(tasks));
                    return Err(SubmitManyError { accepted: accepted.seal(), rest, refusal });
                }
            }
            if let Err(panic) = whole {
                panic.resume();
            }
            if ended {
                return Ok(accepted.seal());
            }
        }
    }
}

/// Hands tasks in as one chunk, or gives back those that are not accepted. `places`: of the queue's bound, for each task or for all.
/// `given`: ends a wait for space.
pub(super) fn hand_in<'env, F, T>(
    core: &Arc<Core<'env>>,
    many: &mut ManyHandle<'env, T>,
    mut tasks: Vec<F>,
    places: Places,
    given: Option<&CancellationToken>,
) -> Result<(), (Vec<F>, Refusal)>
where
    F: FnOnce() -> T + Send + 'env,
    T: Send + 'env,
{
    loop {
        let count = tasks.len();
        let load = Load { tasks: count, places: if places == Places::Each { count } else { 1 } };
        let chunk = Chunk::new(core, many.batch(), tasks, load.places);
        match accept(core, Arc::clone(&chunk) as Arc<dyn Run + 'env>, load, given) {
            Ok(ControlFlow::Break(())) => {
                many.push(chunk, count);
                return Ok(());
            }
            Err(refusal) => return Err((chunk.reclaim(), refusal)),
            // As a single task does that is submitted to the full queue of its own worker; then the queue is tried again.
            Ok(ControlFlow::Continue(seat)) => {
                tasks = chunk.reclaim();
                let rest = tasks.split_off(1);
                let first = Chunk::new(core, many.batch(), tasks, 1);
                let entry = Arc::clone(&first) as Arc<dyn Run + 'env>;
                if let Err(refusal) = core.run_inline(&entry, seat.as_deref()) {
                    let mut refused = first.reclaim();
                    refused.extend(rest);
                    return Err((refused, refusal));
                }
                many.push(first, 1);
                tasks = rest;
                if tasks.is_empty() {
                    return Ok(());
                }
            }
        }
    }
}

/// What takes a place in the queue's bound.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Places {
    Each,
    All,
}

/// Offers a chunk and waits for space; `Continue` where the calling thread is to run a task instead: a worker of the pool, which never
/// waits for its own queue, and whoever submits to a pool that says so.
fn accept<'env>(
    core: &Arc<Core<'env>>,
    entry: Arc<dyn Run + 'env>,
    load: Load,
    given: Option<&CancellationToken>,
) -> Result<ControlFlow<(), Option<Rc<Seat>>>, Refusal> {
    if let Some(cause) = core.gate.cancelled() {
        return Err(Refusal::Cancelled(cause));
    }
    let (entry, refusal) = match core.offer(entry, None, load) {
        Ok(()) => return Ok(ControlFlow::Break(())),
        Err(NotIn::Refused(refusal)) => return Err(refusal),
        Err(NotIn::Full(entry, refusal)) => (entry, refusal),
    };
    if let Some(seat) = Seat::current_of(&core.gate) {
        return Ok(ControlFlow::Continue(Some(seat)));
    }
    match core.saturation {
        Saturation::Block => core.wait_for_space(entry, load, None, given).map(ControlFlow::Break),
        Saturation::Reject => Err(refusal),
        Saturation::CallerRuns => Ok(ControlFlow::Continue(None)),
    }
}

/// Some tasks were not accepted, and why. Nothing is lost: [`into_parts`](Self::into_parts) gives the handle of those that were accepted
/// and an iterator over the others.
#[must_use = "the tasks that were refused are in here, and the handle of those that were accepted"]
pub struct SubmitManyError<'env, I: Iterator, T> {
    accepted: ManyHandle<'env, T>,
    rest: Unsubmitted<I>,
    refusal: Refusal,
}

impl<'env, I: Iterator, T> SubmitManyError<'env, I, T> {
    /// Why the rest was refused.
    pub fn refusal(&self) -> &Refusal {
        &self.refusal
    }

    /// How many tasks were accepted before.
    pub fn accepted(&self) -> usize {
        self.accepted.len()
    }

    /// The handle of the tasks that were accepted, those that were not, in order, and why.
    pub fn into_parts(self) -> (ManyHandle<'env, T>, Unsubmitted<I>, Refusal) {
        (self.accepted, self.rest, self.refusal)
    }
}

impl<I: Iterator, T> fmt::Debug for SubmitManyError<'_, I, T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("SubmitManyError")
            .field("accepted", &self.accepted.len())
            .field("refusal", &self.refusal)
            .finish_non_exhaustive()
    }
}

impl<I: Iterator, T> fmt::Display for SubmitManyError<'_, I, T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let accepted = self.accepted.len();
        write!(formatter, "tasks were not accepted after the first {accepted}: {}", self.refusal)
    }
}

impl<I: Iterator, T> std::error::Error for SubmitManyError<'_, I, T> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.refusal {
            Refusal::Cancelled(cause) => Some(cause),
            _ => None,
        }
    }
}

/// The tasks that a [`submit_many`](Submitter::submit_many) did not submit: those it had pulled, then the rest of its iterator.
pub struct Unsubmitted<I: Iterator>(Chain<vec::IntoIter<I::Item>, I>);

impl<I: Iterator> Iterator for Unsubmitted<I> {
    type Item = I::Item;

    fn next(&mut self) -> Option<I::Item> {
        self.0.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl<I: Iterator> fmt::Debug for Unsubmitted<I> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Unsubmitted").finish_non_exhaustive()
    }
}
