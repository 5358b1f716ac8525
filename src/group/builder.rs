//! Making a group: each setting, its default, and the reason for it.

use std::fmt;
use std::sync::Arc;

use super::core::{Bounds, Core};
use super::done::Done;
use super::error::GroupBuildError;
use super::group::ErrorGroup;
use super::spawner::Spawner;
use crate::cancel::CancellationToken;
use crate::pool::{MAX_QUEUE_BOUND, Submitter, ThreadPool, ThreadPoolBuilder};
use crate::sync::thread;

/// As for a pool: long enough that runners do not run dry while a spawner has lost its core, and less than a megabyte of closures.
const DEFAULT_QUEUE_BOUND: usize = 1024;

const DEFAULT_NAME: &str = "group";

/// Settings of a group; made by [`ErrorGroup::builder`].
///
/// | setting | default | why |
/// |---|---|---|
/// | [`limit`](Self::limit) | the cores this process may use; on a given pool, its workers | more tasks than cores only add switches to CPU-bound work |
/// | [`queue_bound`](Self::queue_bound) | 1024 tasks | bridges a spawner's pause, and stays below a megabyte |
/// | [`done`](Self::done) | [all succeeded](Done::all_succeeded) | what most groups are for |
/// | [`token`](Self::token) | none | |
/// | [`resume_panics`](Self::resume_panics) | no: a panic is an error | a batch reports and goes on |
/// | [`name`](Self::name) | `group` | its own threads are `group-0`, `group-1` … |
///
/// Its end decides where the tasks run: [`build`](Self::build) and [`scope`](Self::scope) on threads of the group's own,
/// [`on`](Self::on) on those of a pool.
#[must_use = "a builder does nothing until `build`, `scope` or `on`"]
pub struct ErrorGroupBuilder<'env, T, E> {
    limit: Option<usize>,
    queue_bound: usize,
    name: Arc<str>,
    token: Option<CancellationToken>,
    done: Done<'env, T, E>,
    resumes: bool,
}

impl<'env, T: Send + 'env, E: Send + Sync + 'env> ErrorGroup<'env, T, E> {
    /// Settings for a group.
    pub fn builder() -> ErrorGroupBuilder<'env, T, E> {
        ErrorGroupBuilder {
            limit: None,
            queue_bound: DEFAULT_QUEUE_BOUND,
            name: Arc::from(DEFAULT_NAME),
            token: None,
            done: Done::default(),
            resumes: false,
        }
    }
}

impl<T: Send + 'static, E: Send + Sync + 'static> ErrorGroup<'static, T, E> {
    /// A group with the default settings, on threads of its own.
    ///
    /// # Errors
    /// A thread could not be created; those that had started have been joined.
    pub fn new() -> Result<Self, GroupBuildError> {
        Self::builder().build()
    }
}

impl<'env, T: Send + 'env, E: Send + Sync + 'env> ErrorGroupBuilder<'env, T, E> {
    /// How many tasks may run at a time, from 1; zero is an error, since no task would ever start.
    ///
    /// On threads of its own it is the number of threads, all of which start with the group: at most
    /// [`MAX_WORKERS`](crate::pool::MAX_WORKERS). On a given pool `usize::MAX` means no limit but the pool's workers.
    pub fn limit(mut self, limit: usize) -> Self {
        self.limit = Some(limit);
        self
    }

    /// How many tasks may wait for those that run, from 0. [`spawn`](Spawner::spawn) waits while `limit + queue_bound` tasks have not
    /// ended.
    ///
    /// Zero is what Go's `SetLimit` does: a task is taken only when it can run at once. It costs a wake-up of the spawner per task, where a
    /// queue costs one per half of its bound.
    pub fn queue_bound(mut self, bound: usize) -> Self {
        self.queue_bound = bound;
        self
    }

    /// The group's name; its own thread `i` is named `name-i`.
    pub fn name(mut self, name: impl Into<Arc<str>>) -> Self {
        self.name = name.into();
        self
    }

    /// A token above the group's own, which ends the group when it is cancelled; the group never cancels it. Its deadline is the
    /// group's. Give the token of a task to nest a group in it.
    pub fn token(mut self, token: &CancellationToken) -> Self {
        self.token = Some(token.clone());
        self
    }

    /// When the group is done.
    pub fn done(mut self, done: Done<'env, T, E>) -> Self {
        self.done = done;
        self
    }

    /// A panic of a task ends the group when it happens, whatever [`done`](Self::done) says, and the wait resumes it. Otherwise it is a
    /// failure like any other.
    pub fn resume_panics(mut self) -> Self {
        self.resumes = true;
        self
    }

    /// A group whose tasks run on a pool that is there already: at most [`limit`](Self::limit) of them at a time, and those that wait for
    /// it occupy neither its workers nor places in its queue.
    ///
    /// The tasks may borrow what the pool's tasks may. A task of the pool may spawn into the group and wait for it: it runs the group's
    /// tasks meanwhile, so that cannot deadlock. After 32 tasks, or a millisecond, the group lets others in the pool's queue pass.
    /// What the pool counts and shows are the group's runners, not its tasks, and they have priority 0. At most as many as the limit are queued,
    /// and they are let in although the pool's queue may be full: the group has a bound of its own.
    ///
    /// A [purge](Submitter::purge) of the pool hands runners back like other tasks. One that is dropped is hired anew, so it is in the queue again
    /// at once; one that is kept keeps its place in the group's limit.
    ///
    /// A pool that stops cancels the group. One that closes runs what the group has taken; if it refuses even that, the group is
    /// cancelled.
    ///
    /// ```
    /// use gristmill::{ErrorGroup, ThreadPool};
    ///
    /// let words = ["grist", "for", "the", "mill"];
    /// let letters = ThreadPool::scope(|pool| {
    ///     let group = ErrorGroup::<usize, std::fmt::Error>::builder().limit(2).on(pool)?;
    ///     for word in &words {
    ///         group.spawn(|| Ok(word.len())).map_err(|refused| refused.to_string())?;
    ///     }
    ///     Ok::<usize, Box<dyn std::error::Error>>(group.into_results()?.iter().sum())
    /// })?;
    /// assert_eq!(letters?, 15);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The limit is zero.
    pub fn on<S: 'static>(
        mut self,
        pool: &Submitter<'env, S>,
    ) -> Result<ErrorGroup<'env, T, E>, GroupBuildError> {
        let limit = self.limit.unwrap_or_else(|| pool.workers().max(1));
        if limit == 0 {
            return Err(GroupBuildError::Limit);
        }
        let stop = pool.stop_token();
        if stop.unwatched_deadline().is_none() {
            let mut group = self.group(pool.without_state(), true, limit);
            group.stop = Some(stop.cancel_too(&group.core().token));
            return Ok(group);
        }
        // Nobody would tell the group's token of it, so that it has to be the group's deadline, too.
        let (token, link) = self.token.unwrap_or_default().child_of_both(stop);
        self.token = Some(token);
        let mut group = self.group(pool.without_state(), true, limit);
        group.stop = Some(link);
        Ok(group)
    }

    /// Runs `body` with a group on threads of its own whose tasks may borrow from outside of this call, and returns when every task has
    /// ended and every thread is gone, also if `body` panics. A group without an answer at the end of `body` is dropped, and so cancelled. One
    /// that `body` returns, or forgets, without an answer is cancelled too.
    ///
    /// ```
    /// use gristmill::ErrorGroup;
    ///
    /// let words = ["grist", "for", "the", "mill"];
    /// let lengths = ErrorGroup::<usize, String>::builder().limit(2).scope(|group| {
    ///     for word in &words {
    ///         group.spawn(|| Ok(word.len())).map_err(|refused| refused.to_string())?;
    ///     }
    ///     group.into_results().map_err(|error| error.to_string())
    /// })?;
    /// assert_eq!(lengths?, [5, 3, 3, 4]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The limit is zero or too large, or a thread could not be created. `body` has not been called then.
    pub fn scope<R>(self, body: impl FnOnce(ErrorGroup<'env, T, E>) -> R) -> Result<R, GroupBuildError> {
        let (threads, limit) = self.threads()?;
        let body = |pool: &Submitter<'env>| {
            let group = self.group(pool.clone(), false, limit);
            // Whatever `body` does with the group: its tasks are told to end when the scope does.
            let _end = ScopeEnd(Arc::clone(group.core()));
            body(group)
        };
        Ok(threads.scope(|pool| body(pool.submitter()))?)
    }

    fn threads<'pool>(&self) -> Result<(ThreadPoolBuilder<'pool>, usize), GroupBuildError> {
        let limit = self.limit.unwrap_or_else(thread::available_cores);
        if limit == 0 {
            return Err(GroupBuildError::Limit);
        }
        let threads = ThreadPool::builder()
            .workers(limit)
            .queue_bound(limit.min(MAX_QUEUE_BOUND))
            .name(Arc::clone(&self.name));
        Ok((threads, limit))
    }

    fn group(self, pool: Submitter<'env>, shares: bool, limit: usize) -> ErrorGroup<'env, T, E> {
        let bounds = Bounds { limit, queue_bound: self.queue_bound };
        let core = Core::new(pool, shares, &bounds, self.token, self.done, self.resumes);
        ErrorGroup { spawner: Spawner { core }, threads: None, stop: None }
    }
}

impl<T: Send + 'static, E: Send + Sync + 'static> ErrorGroupBuilder<'static, T, E> {
    /// Makes the group, on threads of its own.
    ///
    /// # Errors
    /// The limit is zero or too large, or a thread could not be created. Nothing is left: the threads that had started have been joined.
    pub fn build(self) -> Result<ErrorGroup<'static, T, E>, GroupBuildError> {
        let (threads, limit) = self.threads()?;
        let threads = threads.build()?;
        let mut group = self.group(threads.submitter().clone(), false, limit);
        group.threads = Some(threads);
        Ok(group)
    }
}

/// Why the tasks of a group that outlives its scope are cancelled.
#[derive(Debug, thiserror::Error)]
#[error("the scope of the group ended before anybody waited for it")]
struct ScopeOver;

struct ScopeEnd<'env, T: Send + 'env, E: Send + Sync + 'env>(Arc<Core<'env, T, E>>);

impl<T: Send, E: Send + Sync> Drop for ScopeEnd<'_, T, E> {
    fn drop(&mut self) {
        if !self.0.line.is_closed() {
            self.0.token.cancel_with(ScopeOver);
            self.0.purge();
        }
    }
}

impl<T, E> fmt::Debug for ErrorGroupBuilder<'_, T, E> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ErrorGroupBuilder")
            .field("limit", &self.limit)
            .field("queue_bound", &self.queue_bound)
            .field("name", &self.name)
            .field("done", &self.done)
            .field("resumes", &self.resumes)
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, not(any(gristmill_shuttle, gristmill_loom))))]
mod tests {
    use super::*;
    use crate::sync::time::Duration;

    #[test]
    fn deadline_of_the_pool_that_nobody_watches_ends_a_group_on_it() {
        for given in [None, Some(CancellationToken::new())] {
            let token = CancellationToken::unwatched(Duration::from_millis(1));
            let pool = ThreadPool::builder().workers(1).token(&token).build().expect("good settings");
            let mut builder = ErrorGroup::<(), ()>::builder();
            builder.token.clone_from(&given);
            let group = builder.on(&pool).expect("good settings");
            assert!(group.core().token.wait_timeout(Duration::from_secs(60)).is_some());
            assert!(given.is_none_or(|given| !given.is_cancelled()));
        }
    }
}
