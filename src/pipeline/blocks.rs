//! The stages that wait, on threads of their own.

use std::borrow::Cow;

use super::blocking::ThroughBlocking;
use super::builder::Pipeline;
use super::calls::{Fallible, Sure};
use super::error_policy::Stop;
use super::plan::Also;
use super::report::StageKind;
use super::step::Through;

/// A pipeline that ends, so far, in a blocking stage.
pub(super) type Blocking<P, S, G, U, M> = Pipeline<ThroughBlocking<P, S, G>, Through, U, M>;

impl<P, S, T, M> Pipeline<P, S, T, M> {
    pub(super) fn block_on<G, U, N>(
        mut self,
        method: &'static str,
        name: impl Into<Cow<'static, str>>,
        threads: usize,
        call: G,
        ordered: bool,
    ) -> Blocking<P, S, G, U, N> {
        if threads == 0 {
            self.settings.invalid = Some(method);
        }
        self.settings.reordered |= !ordered;
        let crew = self.settings.crews.len();
        self.settings.crews.push((self.settings.stages.len(), threads));
        self.cut(name, StageKind::Blocking, |plan, step, stages| ThroughBlocking {
            plan,
            step,
            stages,
            call,
            crew,
            ordered,
        })
    }

    /// Turns each item into another with calls that wait (for a disk, for a server), on `threads` threads of the stage's own; in order.
    ///
    /// As many calls are under way at once as the stage has threads: choose how many requests the other side should see, from 1 (zero is
    /// refused by `run`), and a [`window`](Self::window) of some times as many items; more threads than the window has items (or than 65 536) are not
    /// started. The [`workers`](Self::workers) compute meanwhile, and none of them waits. The threads are named `gristmill-`, the
    /// stage and a number. They exist from the start of the run to its end.
    ///
    /// Not for work that computes: [`map`](Self::map) does that without handing each item to another thread and back, which
    /// costs some microseconds.
    ///
    /// A result waits for those of earlier items, within the window; [`blocking_unordered`](Self::blocking_unordered) does not wait. If none
    /// of the threads can be created the workers run the stage; if only some can be, [`StageReport::missing_threads`](super::StageReport::missing_threads)
    /// says how many are missing.
    ///
    /// With one worker nothing else is done while the source's `next` waits for somebody, and results of the stage that are there wait with it. A
    /// channel as source has no such limit, nor have two workers.
    ///
    /// # Examples
    /// ```
    /// use gristmill::{CancellationToken, Pipeline};
    ///
    /// fn fetch(page: u32) -> String {
    ///     // A request to a server, that is, and some milliseconds later:
    ///     format!("page {page}")
    /// }
    ///
    /// let (words, report) = Pipeline::from_iter(1..=20)
    ///     .window(64)
    ///     .blocking("fetch", 8, fetch)
    ///     .map("count", |page| page.split(' ').count())
    ///     .fold("add", 0, |sum, words| sum + words)
    ///     .run(&CancellationToken::new())?;
    /// assert_eq!(words, 40);
    /// assert_eq!(report.stage("fetch").unwrap().threads(), 8);
    /// # Ok::<(), gristmill::PipelineError>(())
    /// ```
    ///
    /// # Cancellation
    /// Looked for before every item. A call that is under way is not interrupted, and `run` waits for it: long ones should have a time limit, or poll a clone
    /// of the token.
    ///
    /// # Cost
    /// Two hand-overs for each item; `cargo bench --bench versus -- blocking` has it beside threads and channels by hand.
    pub fn blocking<U, F>(
        self,
        name: impl Into<Cow<'static, str>>,
        threads: usize,
        call: F,
    ) -> Blocking<P, S, Sure<F>, U, M>
    where
        F: Fn(T) -> U + Send + Sync,
    {
        self.block_on("blocking", name, threads, Sure(call), true)
    }

    /// As [`blocking`](Self::blocking); the first error ends the run, unless an error policy follows it.
    ///
    /// # Examples
    /// ```
    /// use gristmill::{CancellationToken, Pipeline};
    ///
    /// let directory = std::env::temp_dir();
    /// let missing = directory.join("no such file here");
    /// let (contents, report) = Pipeline::from_iter([missing])
    ///     .try_blocking("read", 4, std::fs::read)
    ///     .skip_errors()
    ///     .collect::<Vec<_>>()
    ///     .run(&CancellationToken::new())?;
    /// assert_eq!((contents.len(), report.stage("read").unwrap().failed()), (0, 1));
    /// # Ok::<(), gristmill::PipelineError<std::io::Error>>(())
    /// ```
    ///
    /// # Cancellation
    /// As [`blocking`](Self::blocking). An error that a call returns after the token was cancelled is a reaction: the cancellation is reported.
    pub fn try_blocking<U, E, F>(
        self,
        name: impl Into<Cow<'static, str>>,
        threads: usize,
        call: F,
    ) -> Blocking<P, S, Fallible<F>, U, M::With>
    where
        F: Fn(T) -> Result<U, E> + Send + Sync,
        M: Also<E>,
    {
        self.block_on("try_blocking", name, threads, Fallible { call, policy: Stop }, true)
    }

    /// As [`blocking`](Self::blocking), but a result goes on as soon as it is there: no slow call holds up the results of others.
    ///
    /// What comes after, a serial stage or an ordered sink, has the results in the order in which they went on; where the run fails the sink has
    /// not seen exactly the items before the one that failed.
    ///
    /// # Examples
    /// ```
    /// use gristmill::{CancellationToken, Pipeline};
    ///
    /// let (mut lengths, _) = Pipeline::from_iter(["a", "bb", "ccc"])
    ///     .blocking_unordered("ask", 2, |word| word.len())
    ///     .collect::<Vec<_>>()
    ///     .run(&CancellationToken::new())?;
    /// lengths.sort_unstable();
    /// assert_eq!(lengths, [1, 2, 3]);
    /// # Ok::<(), gristmill::PipelineError>(())
    /// ```
    pub fn blocking_unordered<U, F>(
        self,
        name: impl Into<Cow<'static, str>>,
        threads: usize,
        call: F,
    ) -> Blocking<P, S, Sure<F>, U, M>
    where
        F: Fn(T) -> U + Send + Sync,
    {
        self.block_on("blocking_unordered", name, threads, Sure(call), false)
    }

    /// As [`blocking_unordered`](Self::blocking_unordered); the first error ends the run, unless an error policy follows it.
    ///
    /// # Examples
    /// ```
    /// use gristmill::{CancellationToken, Pipeline};
    ///
    /// let error = Pipeline::from_iter(0..9)
    ///     .try_blocking_unordered("ask", 3, |number| if number == 4 { Err("no answer") } else { Ok(number) })
    ///     .for_each("drop", drop)
    ///     .run(&CancellationToken::new())
    ///     .unwrap_err();
    /// assert_eq!(error.to_string(), "ask failed at item 4: no answer");
    /// ```
    pub fn try_blocking_unordered<U, E, F>(
        self,
        name: impl Into<Cow<'static, str>>,
        threads: usize,
        call: F,
    ) -> Blocking<P, S, Fallible<F>, U, M::With>
    where
        F: Fn(T) -> Result<U, E> + Send + Sync,
        M: Also<E>,
    {
        self.block_on("try_blocking_unordered", name, threads, Fallible { call, policy: Stop }, false)
    }
}
