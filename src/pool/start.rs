//! Starting a pool: the threads, one after the other, or none.

use std::io;
use std::sync::Arc;

use super::builder::ThreadPoolBuilder;
use super::core::Core;
use super::error::BuildError;
use super::gate::{Gate, Phase};
use super::owned::ThreadPool;
use super::scope::ScopedPool;
use super::shutdown::{Join, Threads};
use super::submitter::Submitter;
use super::worker::{Plan, live};
use crate::panics::{self, Panic};
use crate::sync::channel::{Receiver, Sender, bounded};
use crate::sync::thread;

impl ThreadPool {
    /// Starts a pool with the default settings; see [`ThreadPoolBuilder`].
    ///
    /// # Errors
    /// A thread could not be created; those that had started have been joined.
    pub fn new() -> Result<Self, BuildError> {
        Self::builder().build()
    }

    /// Settings for a pool.
    pub fn builder<'env>() -> ThreadPoolBuilder<'env> {
        ThreadPoolBuilder::new()
    }

    /// Runs `body` with a pool of default settings whose tasks may borrow; see [`ThreadPoolBuilder::scope`].
    ///
    /// # Errors
    /// As [`new`](Self::new); `body` has not been called then.
    pub fn scope<'env, R>(
        body: impl for<'scope> FnOnce(&ScopedPool<'scope, 'env, ()>) -> R,
    ) -> Result<R, BuildError> {
        ThreadPoolBuilder::new().scope(body)
    }
}

impl<S: 'static> ThreadPoolBuilder<'static, S> {
    /// Starts the pool.
    ///
    /// # Errors
    /// A setting is out of range, a thread could not be created, or a worker's state could not be made. Nothing is left: the
    /// threads that had started have been joined, and the states that were made have been ended.
    pub fn build(self) -> Result<ThreadPool<S>, BuildError> {
        let (submitter, threads) = self.start(|thread, life| {
            let handle = thread.spawn(life)?;
            Ok(Box::new(move || drop(handle.join())))
        })?;
        Ok(ThreadPool::new_owner(submitter, threads))
    }
}

impl<'env, S: 'static> ThreadPoolBuilder<'env, S> {
    /// Runs `body` with a pool whose tasks may borrow from outside of this call, and returns when every task has ended and
    /// every thread is gone, also if `body` panics.
    ///
    /// ```
    /// use gristmill::ThreadPool;
    ///
    /// let words = ["grist", "for", "the", "mill"];
    /// let letters = ThreadPool::builder().workers(2).scope(|pool| {
    ///     let halves = words.chunks(2).map(|half| pool.submit(move || half.concat().len()));
    ///     let halves: Vec<_> = halves.collect::<Result<_, _>>().expect("the pool is open");
    ///     halves.into_iter().map(|half| half.wait().expect("it does not panic")).sum::<usize>()
    /// })?;
    /// assert_eq!(letters, 15);
    /// # Ok::<(), gristmill::BuildError>(())
    /// ```
    ///
    /// # Errors
    /// As [`build`](ThreadPoolBuilder::build); `body` has not been called then.
    pub fn scope<R>(
        self,
        body: impl for<'scope> FnOnce(&ScopedPool<'scope, 'env, S>) -> R,
    ) -> Result<R, BuildError> {
        thread::scope(|scope| {
            let (submitter, threads) = self.start(|thread, life| {
                let handle = thread.spawn_scoped(scope, life)?;
                Ok(Box::new(move || drop(handle.join())))
            })?;
            let pool = ScopedPool::new(submitter, threads);
            Ok(body(&pool))
        })
    }

    /// Checks the settings and starts the workers; `spawn` starts one thread.
    fn start<'scope>(
        self,
        mut spawn: impl FnMut(thread::Builder, Life<'scope>) -> io::Result<Join<'scope>>,
    ) -> Result<(Submitter<'env, S>, Threads<'scope>), BuildError>
    where
        'env: 'scope,
    {
        panics::note_locations();
        let workers = self.workers.unwrap_or_else(thread::available_cores);
        self.check(workers)?;
        let Self { queue_bound, name, stack_size, stop_grace, token, plan, await_state, .. } = self;
        let core = Arc::new(Core::new(Gate::new(name, workers, queue_bound, stop_grace, token)));
        let gate = &core.gate;
        let cancelled = gate.token.as_ref().map(|token| {
            let gate = Arc::downgrade(gate);
            token.on_cancel(move |_| gate.upgrade().iter().for_each(|gate| gate.wake_everybody()))
        });
        let (states, made) = if await_state { Some(bounded(workers)) } else { None }.unzip();
        let mut joins = Vec::new();
        let mut failed = None;
        for worker in 0..workers {
            let mut thread = thread::Builder::new().name(format!("{}-{worker}", gate.name));
            if let Some(bytes) = stack_size {
                thread = thread.stack_size(bytes);
            }
            let life = a_life(&core, worker, plan.clone(), states.clone());
            match spawn(thread, life) {
                Ok(join) => joins.push(join),
                Err(source) => {
                    failed = Some(BuildError::Thread { worker, source });
                    break;
                }
            }
        }
        drop(states);
        let failed = failed.or_else(|| made.and_then(first_failure));
        let threads = Threads::new(joins, cancelled);
        match failed {
            None => Ok((Submitter::new(core), threads)),
            Some(error) => {
                gate.advance(Phase::Closed);
                threads.join();
                Err(error)
            }
        }
    }
}

type Life<'scope> = Box<dyn FnOnce() + Send + 'scope>;
type Made = (usize, Result<(), Panic>);

fn a_life<'scope, 'env: 'scope, S: 'static>(
    core: &Arc<Core<'env>>,
    worker: usize,
    plan: Plan<'env, S>,
    states: Option<Sender<Made>>,
) -> Life<'scope> {
    let core = Arc::clone(core);
    Box::new(move || {
        live(&core, worker, plan, |made| {
            if let Some(states) = states {
                // Only a build that has failed already does not listen.
                let _ = states.send((worker, made));
            }
        });
    })
}

/// Waits for all states; the failure of the lowest worker.
fn first_failure(made: Receiver<Made>) -> Option<BuildError> {
    let failures = made.into_iter().filter_map(|(worker, made)| made.err().map(|source| (worker, source)));
    let (worker, source) = failures.min_by_key(|(worker, _)| *worker)?;
    Some(BuildError::State { worker, source })
}
