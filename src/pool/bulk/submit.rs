//! Submitting many tasks: pulled from an iterator, handed in by the chunk.

use std::ops::ControlFlow;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::super::core::{Core, Load, NotIn};
use super::super::error::Refusal;
use super::super::gate::deadline;
use super::super::saturation::Saturation;
use super::super::seat::Seat;
use super::super::submitter::{Patience, Submitter};
use super::super::task::Run;
use super::chunk::Chunk;
use super::many::ManyHandle;
use super::refused::SubmitManyError;
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
    /// The pool's token ends the wait for space; [`submit_many_with`](Self::submit_many_with) takes another one.
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
        self.submit_all(tasks.into_iter(), Patience::AsChosen, None)
    }

    /// Submits the tasks that an iterator gives as long as there is space for them now.
    ///
    /// ```
    /// use gristmill::{Refusal, ThreadPool};
    ///
    /// let pool = ThreadPool::builder().workers(1).queue_bound(3).build()?;
    /// pool.pause();
    /// let (accepted, rest, refusal) = pool.try_submit_many((0..5).map(|i| move || i)).unwrap_err().into_parts();
    /// assert!(matches!(refusal, Refusal::Full));
    /// assert_eq!((accepted.len(), rest.map(|task| task()).collect::<Vec<_>>()), (3, vec![3, 4]));
    /// # pool.resume();
    /// # Ok::<(), gristmill::BuildError>(())
    /// ```
    ///
    /// # Errors
    /// As for [`submit_many`](Self::submit_many), and if the queue is full: the handle has those for which there was space.
    pub fn try_submit_many<I, F, T>(
        &self,
        tasks: I,
    ) -> Result<ManyHandle<'env, T>, SubmitManyError<'env, I::IntoIter, T>>
    where
        I: IntoIterator<Item = F>,
        F: FnOnce() -> T + Send + 'env,
        T: Send + 'env,
    {
        self.submit_all(tasks.into_iter(), Patience::None, None)
    }

    /// As [`submit_many`](Self::submit_many), but waits at most `timeout` while the queue is full, for all tasks together.
    /// `Duration::MAX` waits without limit. In a worker that runs tasks at once, this includes the waits for the pool's rate.
    ///
    /// # Errors
    /// As for [`submit_many`](Self::submit_many), and if there was no space when the time was over, or in a worker no turn for the next
    /// task within it. The time that the iterator takes counts, but does not end the call while there is space.
    pub fn submit_many_timeout<I, F, T>(
        &self,
        tasks: I,
        timeout: Duration,
    ) -> Result<ManyHandle<'env, T>, SubmitManyError<'env, I::IntoIter, T>>
    where
        I: IntoIterator<Item = F>,
        F: FnOnce() -> T + Send + 'env,
        T: Send + 'env,
    {
        self.submit_all(tasks.into_iter(), Patience::Until(deadline(timeout)), None)
    }

    /// As [`submit_many`](Self::submit_many), until `token` is cancelled.
    ///
    /// # Errors
    /// As for [`submit_many`](Self::submit_many), and if the token was cancelled before all were accepted.
    ///
    /// # Cancellation
    /// It ends the submission and nothing else: what was accepted runs. [`ManyHandle::cancel`] of the handle in the error ends that.
    pub fn submit_many_with<I, F, T>(
        &self,
        tasks: I,
        token: &CancellationToken,
    ) -> Result<ManyHandle<'env, T>, SubmitManyError<'env, I::IntoIter, T>>
    where
        I: IntoIterator<Item = F>,
        F: FnOnce() -> T + Send + 'env,
        T: Send + 'env,
    {
        self.submit_all(tasks.into_iter(), Patience::AsChosen, Some(token))
    }

    fn submit_all<I, F, T>(
        &self,
        mut tasks: I,
        patience: Patience,
        given: Option<&CancellationToken>,
    ) -> Result<ManyHandle<'env, T>, SubmitManyError<'env, I, T>>
    where
        I: Iterator<Item = F>,
        F: FnOnce() -> T + Send + 'env,
        T: Send + 'env,
    {
        let core = self.core();
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
                if let Err((pulled, refusal)) =
                    hand_in(core, &mut accepted, pulled, Places::Each, patience, given)
                {
                    let pulled = if matches!(refusal, Refusal::Full | Refusal::TimedOut) {
                        hand_in_singly(core, &mut accepted, pulled)
                    } else {
                        pulled
                    };
                    return Err(SubmitManyError::new(accepted.seal(), pulled, tasks, refusal));
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

/// Hands in the first of the tasks, as many as there are places for now, and gives back the others: a chunk that does not fit whole.
fn hand_in_singly<'env, F, T>(core: &Arc<Core<'env>>, many: &mut ManyHandle<'env, T>, tasks: Vec<F>) -> Vec<F>
where
    F: FnOnce() -> T + Send + 'env,
    T: Send + 'env,
{
    let mut tasks = tasks.into_iter();
    while let Some(task) = tasks.next() {
        if let Err((mut refused, _)) = hand_in(core, many, vec![task], Places::Each, Patience::None, None) {
            refused.extend(tasks);
            return refused;
        }
    }
    Vec::new()
}

/// Hands tasks in as one chunk, or gives back those that are not accepted. `places`: of the queue's bound, for each task or for all.
/// `given`: ends a wait for space, or does not let it begin.
pub(super) fn hand_in<'env, F, T>(
    core: &Arc<Core<'env>>,
    many: &mut ManyHandle<'env, T>,
    mut tasks: Vec<F>,
    places: Places,
    patience: Patience,
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
        match accept(core, Arc::clone(&chunk) as Arc<dyn Run + 'env>, load, patience, given) {
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
                let deadline = patience.deadline();
                if let Err(refusal) = core.run_inline(&entry, seat.as_deref(), deadline, given) {
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
    patience: Patience,
    given: Option<&CancellationToken>,
) -> Result<ControlFlow<(), Option<Rc<Seat>>>, Refusal> {
    if let Some(cause) = core.gate.cancelled().or_else(|| given.and_then(CancellationToken::cause)) {
        return Err(Refusal::Cancelled(cause));
    }
    let (entry, refusal) = match core.offer(entry, None, load) {
        Ok(()) => return Ok(ControlFlow::Break(())),
        Err(NotIn::Refused(refusal)) => return Err(refusal),
        Err(NotIn::Full(entry, refusal)) => (entry, refusal),
    };
    if let Patience::None = patience {
        return Err(refusal);
    }
    if let Some(seat) = Seat::current_of(&core.gate) {
        return Ok(ControlFlow::Continue(Some(seat)));
    }
    match (patience, core.saturation) {
        (Patience::AsChosen, Saturation::Reject) => Err(refusal),
        (Patience::AsChosen, Saturation::CallerRuns) => Ok(ControlFlow::Continue(None)),
        _ => core.wait_for_space(entry, load, patience.deadline(), given).map(ControlFlow::Break),
    }
}
