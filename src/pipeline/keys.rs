//! The stages that keep items with equal keys apart.

use std::borrow::Cow;
use std::hash::Hash;

use super::builder::Pipeline;
use super::calls::{Fallible, Sure};
use super::error_policy::Stop;
use super::keyed::ThroughKeyed;
use super::plan::Also;
use super::report::StageKind;
use super::step::{KeyOf, Then, Through};

/// A pipeline that ends, so far, in a keyed stage.
type Keyed<P, S, Q, G, U, M> = Pipeline<ThroughKeyed<P, Then<S, KeyOf<Q>>, G>, Through, U, M>;

impl<P, S, T, M> Pipeline<P, S, T, M> {
    fn keyed_by<Q, G, U, N>(
        mut self,
        name: impl Into<Cow<'static, str>>,
        key: Q,
        call: G,
        ordered: bool,
    ) -> Keyed<P, S, Q, G, U, N> {
        self.settings.reordered |= !ordered;
        let stage = self.settings.stages.len();
        let then = Then { first: self.step, second: KeyOf { stage, key } };
        let row = Pipeline { plan: self.plan, step: then, settings: self.settings, types: self.types };
        row.cut(name, StageKind::Parallel, |plan, step, stages| {
            let drops_rest = false;
            ThroughKeyed { plan, step, stages, call, drops_rest, ordered }
        })
    }

    /// Turns each item into another, items with equal keys one at a time and in order, those with different keys on all workers.
    ///
    /// The results go on in the order of the items. For what must not overlap for one account, file or user, without making all others
    /// wait for it. No worker waits for a key that is busy; a worker takes several keys at a time, as many as make about 50 microseconds of work, and an
    /// item that turns out much longer holds those up. When all that is in the [`window`](Self::window) has one key, the stage
    /// is a serial one, and [`serial`](Self::serial) does that with less effort.
    ///
    /// `key` runs on all workers. A key does not borrow from its item, which goes on by itself: clone what is needed, or share it. A key exists while items of it are on their way, and not much longer.
    ///
    /// # Examples
    /// ```
    /// use gristmill::{CancellationToken, Pipeline};
    /// use std::collections::HashMap;
    /// use std::sync::Mutex;
    ///
    /// let balances = Mutex::new(HashMap::new());
    /// let (after, _) = Pipeline::from_iter([("ann", 5), ("bob", 3), ("ann", -2)])
    ///     .keyed("book", |(name, _)| *name, |(name, amount)| {
    ///         let before = balances.lock().unwrap().get(name).copied().unwrap_or(0);
    ///         // Whatever happens here, nobody else books for this name meanwhile.
    ///         balances.lock().unwrap().insert(name, before + amount);
    ///         (name, before + amount)
    ///     })
    ///     .collect::<Vec<_>>()
    ///     .run(&CancellationToken::new())?;
    /// assert_eq!(after, [("ann", 5), ("bob", 3), ("ann", 3)]);
    /// # Ok::<(), gristmill::PipelineError>(())
    /// ```
    ///
    /// # Cancellation
    /// Looked for before every item.
    pub fn keyed<K, U, Q, F>(
        self,
        name: impl Into<Cow<'static, str>>,
        key: Q,
        call: F,
    ) -> Keyed<P, S, Q, Sure<F>, U, M>
    where
        K: Hash + Eq + Send,
        Q: Fn(&T) -> K + Send + Sync,
        F: Fn(T) -> U + Send + Sync,
    {
        self.keyed_by(name, key, Sure(call), true)
    }

    /// As [`keyed`](Self::keyed); the first error ends the run, unless an error policy follows it.
    ///
    /// # Examples
    /// ```
    /// use gristmill::{CancellationToken, Pipeline};
    ///
    /// let error = Pipeline::from_iter([("a", 1), ("b", 0), ("a", 2)])
    ///     .try_keyed("divide", |(key, _)| *key, |(_, n)| 6_i32.checked_div(n).ok_or("by zero"))
    ///     .for_each("drop", drop)
    ///     .run(&CancellationToken::new())
    ///     .unwrap_err();
    /// assert_eq!(error.to_string(), "divide failed at item 1: by zero");
    /// ```
    pub fn try_keyed<K, U, E, Q, F>(
        self,
        name: impl Into<Cow<'static, str>>,
        key: Q,
        call: F,
    ) -> Keyed<P, S, Q, Fallible<F>, U, M::With>
    where
        K: Hash + Eq + Send,
        Q: Fn(&T) -> K + Send + Sync,
        F: Fn(T) -> Result<U, E> + Send + Sync,
        M: Also<E>,
    {
        self.keyed_by(name, key, Fallible { call, policy: Stop }, true)
    }

    /// As [`keyed`](Self::keyed), but a result goes on as soon as it is there; those of equal keys keep their order only as far as this stage.
    ///
    /// So a slow key holds up few results of others: those of keys that its worker took together with it. What comes after, a serial stage or an
    /// ordered sink, has the results in the order in which they went on; where the run fails the sink has not seen exactly the items
    /// before the one that failed.
    ///
    /// # Examples
    /// ```
    /// use gristmill::{CancellationToken, Pipeline};
    ///
    /// let (mut lengths, _) = Pipeline::from_iter(["a", "bb", "a"])
    ///     .keyed_unordered("measure", |word| *word, |word| word.len())
    ///     .collect::<Vec<_>>()
    ///     .run(&CancellationToken::new())?;
    /// lengths.sort_unstable();
    /// assert_eq!(lengths, [1, 1, 2]);
    /// # Ok::<(), gristmill::PipelineError>(())
    /// ```
    pub fn keyed_unordered<K, U, Q, F>(
        self,
        name: impl Into<Cow<'static, str>>,
        key: Q,
        call: F,
    ) -> Keyed<P, S, Q, Sure<F>, U, M>
    where
        K: Hash + Eq + Send,
        Q: Fn(&T) -> K + Send + Sync,
        F: Fn(T) -> U + Send + Sync,
    {
        self.keyed_by(name, key, Sure(call), false)
    }

    /// As [`keyed_unordered`](Self::keyed_unordered); the first error ends the run, unless an error policy follows it.
    ///
    /// # Examples
    /// ```
    /// use gristmill::{CancellationToken, Pipeline};
    ///
    /// let report = Pipeline::from_iter(0..9)
    ///     .try_keyed_unordered("even", |n| *n, |n| if n % 2 == 0 { Ok(n) } else { Err("odd") })
    ///     .skip_errors()
    ///     .for_each("drop", drop)
    ///     .run(&CancellationToken::new())?;
    /// assert_eq!(report.stage("even").unwrap().failed(), 4);
    /// # Ok::<(), gristmill::PipelineError<&str>>(())
    /// ```
    pub fn try_keyed_unordered<K, U, E, Q, F>(
        self,
        name: impl Into<Cow<'static, str>>,
        key: Q,
        call: F,
    ) -> Keyed<P, S, Q, Fallible<F>, U, M::With>
    where
        K: Hash + Eq + Send,
        Q: Fn(&T) -> K + Send + Sync,
        F: Fn(T) -> Result<U, E> + Send + Sync,
        M: Also<E>,
    {
        self.keyed_by(name, key, Fallible { call, policy: Stop }, false)
    }
}

impl<P, S, F, R, T, M> Pipeline<ThroughKeyed<P, S, Fallible<F, R>>, Through, T, M> {
    /// Has the failure of an item in the keyed stage before drop all later items of its key, where the error policy goes on; other keys go
    /// on in any case.
    ///
    /// The later items are counted as [filtered](super::StageReport::filtered). Such a key is remembered until the run ends.
    ///
    /// # Examples
    /// ```
    /// use gristmill::{CancellationToken, Pipeline};
    ///
    /// let steps = [("a", true), ("b", true), ("a", false), ("a", true), ("b", true)];
    /// let (done, report) = Pipeline::from_iter(steps)
    ///     .try_keyed("step", |(job, _)| *job, |(job, works)| if works { Ok(job) } else { Err("it broke") })
    ///     .skip_errors()
    ///     .drop_rest_of_key()
    ///     .collect::<Vec<_>>()
    ///     .run(&CancellationToken::new())?;
    /// assert_eq!(done, ["a", "b", "b"]);
    /// let stage = report.stage("step").unwrap();
    /// assert_eq!((stage.failed(), stage.filtered()), (1, 1));
    /// # Ok::<(), gristmill::PipelineError<&str>>(())
    /// ```
    pub fn drop_rest_of_key(mut self) -> Self {
        self.plan.drops_rest = true;
        self
    }
}
