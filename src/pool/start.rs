//! Starting a pool: the threads, one after the other, or none.

use std::sync::Arc;

use super::builder::ThreadPoolBuilder;
use super::core::Core;
use super::distribution::Distribution;
use super::error::BuildError;
use super::gate::{Gate, Phase};
use super::owned::ThreadPool;
use super::scope::ScopedPool;
use super::submitter::Submitter;
use super::supervisor::{Watch, supervise};
use super::task::drop_quietly;
use super::threads::{Join, Spawn, Threads};
use crate::panics;
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
        let (submitter, threads) = self.start(Arc::new(|thread: thread::Builder, life| {
            let handle = thread.spawn(life)?;
            Ok(Box::new(move || drop(handle.join())) as Join<'_>)
        }))?;
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
            let (submitter, threads) = self.start(Arc::new(|thread: thread::Builder, life| {
                let handle = thread.spawn_scoped(scope, life)?;
                Ok(Box::new(move || drop(handle.join())) as Join<'_>)
            }))?;
            let pool = ScopedPool::new(submitter, threads);
            Ok(body(&pool))
        })
    }

    /// Checks the settings and starts the workers; `spawn` starts one thread.
    fn start<'scope>(
        self,
        spawn: Spawn<'scope>,
    ) -> Result<(Submitter<'env, S>, Arc<Threads<'scope>>), BuildError>
    where
        'env: 'scope,
    {
        panics::note_locations();
        let mut workers = self.workers.unwrap_or_else(thread::available_cores);
        if let Some(size) = &self.watch.size {
            size.check()?;
            workers = workers.clamp(size.min, size.max);
        }
        self.check(workers)?;
        let Self {
            queue_bound, name, stack_size, stop_grace, token, plan, await_state, rules, watch, ..
        } = self;
        let one_each = rules.distribution != Distribution::Shared;
        let gate = Gate::new(name, queue_bound, stop_grace, token, one_each);
        let core = Arc::new(Core::new(gate, rules));
        let threads = Arc::new(Threads::new(&core, plan, stack_size, await_state, spawn));
        let started = start_all(&core, &threads, workers, watch);
        match started {
            Ok(()) => Ok((Submitter::new(core), threads)),
            Err(error) => {
                core.advance(Phase::Closed);
                threads.join();
                Err(error)
            }
        }
    }
}

fn start_all<'env: 'scope, 'scope>(
    core: &Arc<Core<'env>>,
    threads: &Arc<Threads<'scope>>,
    workers: usize,
    watch: Watch<'env>,
) -> Result<(), BuildError> {
    threads.hire(&mut threads.roster(), core, workers)?;
    if watch.is_needed() {
        let (watched, its_threads) = (Arc::clone(core), Arc::clone(threads));
        let life = move || {
            supervise(&watched, &its_threads, &watch, workers);
            // The hook may end here, and what it captured with it.
            drop_quietly((watch, its_threads, watched));
        };
        threads
            .start_supervisor(&core.gate.name, Box::new(life))
            .map_err(|source| BuildError::Supervisor { source })?;
    }
    Ok(())
}
