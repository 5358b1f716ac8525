//! The stages that gather items into batches.

use super::builder::Pipeline;
use super::gather::{ByCount, ByKey, ByWeight};
use super::plan::ThroughBatch;
use super::report::StageKind;
use super::step::Through;
use crate::sync::time::Duration;

/// A pipeline whose items are gathered by `G`.
type Batched<P, S, G, T, M> = Pipeline<ThroughBatch<P, S, G>, Through, Vec<T>, M>;

/// Stages that turn items into vectors of them, in the order of the source. Stages after one of them run on all workers again, with whole batches as
/// their items.
///
/// The last batch may be smaller: it goes on when the source has ended, and before an error ends the run. What is in a batch that is being filled
/// does not count for the [`window`](Pipeline::window), so that a batch may be larger than the window; everything else does. In the
/// [`Report`](super::Report) such a stage lets out fewer than it takes in: batches. An error in a later stage names the index of the first item of its
/// batch.
///
/// An item waits for its batch: with a source that pauses, so do the items, unless [`batch_timeout`](Self::batch_timeout) follows.
impl<P, S, T, M> Pipeline<P, S, T, M> {
    fn gather<G>(self, gather: G) -> Batched<P, S, G, T, M> {
        self.cut("batch", StageKind::Serial, |plan, step, stages| {
            let timeout = None;
            ThroughBatch { plan, step, stages, gather, timeout }
        })
    }

    /// Gathers `count` neighbours each into a batch, a stage named `batch`: at least 1, and zero is refused by `run`.
    ///
    /// For stages that do better with many at once: a transaction, a request, a vectorised kernel. Not to make cheap items cheaper to pass
    /// on: the pipeline carries them in chunks anyway.
    ///
    /// # Examples
    /// ```
    /// use gristmill::{CancellationToken, Pipeline};
    ///
    /// let (batches, _) = Pipeline::from_iter(1..=5)
    ///     .batch(2)
    ///     .map("sum", |batch| batch.iter().sum::<i32>())
    ///     .collect::<Vec<_>>()
    ///     .run(&CancellationToken::new())?;
    /// assert_eq!(batches, [3, 7, 5]);
    /// # Ok::<(), gristmill::PipelineError>(())
    /// ```
    pub fn batch(mut self, count: usize) -> Batched<P, S, ByCount, T, M> {
        if count == 0 {
            self.settings.invalid = Some("batch");
        }
        self.gather(ByCount(count))
    }

    /// Gathers neighbours into batches that weigh at most `limit` together, from 1 (zero is refused by `run`); an item that weighs as much alone is a batch of its own. The
    /// stage is named `batch`.
    ///
    /// Items that weigh nothing never fill a batch: let each weigh at least 1 where there may be many.
    ///
    /// # Examples
    /// ```
    /// use gristmill::{CancellationToken, Pipeline};
    ///
    /// let (requests, _) = Pipeline::from_iter(["grist", "mill", "a", "water wheel", "b"])
    ///     .batch_by_weight(10, |text| text.len() as u64) // no request of more than ten bytes
    ///     .map("join", |batch| batch.concat())
    ///     .collect::<Vec<_>>()
    ///     .run(&CancellationToken::new())?;
    /// assert_eq!(requests, ["gristmilla", "water wheel", "b"]);
    /// # Ok::<(), gristmill::PipelineError>(())
    /// ```
    pub fn batch_by_weight<F>(mut self, limit: u64, weigh: F) -> Batched<P, S, ByWeight<F>, T, M>
    where
        F: FnMut(&T) -> u64 + Send,
    {
        if limit == 0 {
            self.settings.invalid = Some("batch_by_weight");
        }
        self.gather(ByWeight { limit, weigh, sum: 0 })
    }

    /// Gathers neighbours with equal keys into batches of at most `most` items, from 1; zero is refused by `run`. The stage is named
    /// `batch`.
    ///
    /// For input that is sorted, or comes in groups. Equal keys that are no neighbours are in different batches, and so is what comes
    /// after `most` of them.
    ///
    /// # Examples
    /// ```
    /// use gristmill::{CancellationToken, Pipeline};
    ///
    /// let (days, _) = Pipeline::from_iter([("mon", 3), ("mon", 4), ("tue", 1)])
    ///     .batch_by_key(100, |(day, _)| *day)
    ///     .map("add", |batch| (batch[0].0, batch.iter().map(|(_, sacks)| sacks).sum::<u32>()))
    ///     .collect::<Vec<_>>()
    ///     .run(&CancellationToken::new())?;
    /// assert_eq!(days, [("mon", 7), ("tue", 1)]);
    /// # Ok::<(), gristmill::PipelineError>(())
    /// ```
    pub fn batch_by_key<K, F>(mut self, most: usize, key: F) -> Batched<P, S, ByKey<F, K>, T, M>
    where
        K: PartialEq + Send,
        F: FnMut(&T) -> K + Send,
    {
        if most == 0 {
            self.settings.invalid = Some("batch_by_key");
        }
        self.gather(ByKey { most, key, last: None })
    }
}

impl<P, S, G, T, M> Pipeline<ThroughBatch<P, S, G>, Through, T, M> {
    /// Passes a batch of the stage before on once its first item has waited for so long, however few there are by then.
    ///
    /// For sources that pause: what they have given does not wait for what they may give later. From zero, with which an item waits for nothing but those that came
    /// with it; [`Duration::MAX`] is as good as none. No thread is there for it: a worker that has nothing to do does it, and one that waits for the items of a
    /// [channel](Pipeline::from_receiver) does. So a batch goes on later while all workers are in calls that take longer; and with one worker only, a plain iterator that waits
    /// in `next` keeps it from going on.
    ///
    /// # Examples
    /// ```
    /// use gristmill::{CancellationToken, Pipeline};
    /// use std::time::Duration;
    ///
    /// let (sender, receiver) = crossbeam_channel::bounded(10);
    /// let (seen, sees) = crossbeam_channel::bounded(10);
    /// let report = std::thread::scope(|scope| {
    ///     scope.spawn(move || {
    ///         sender.send("grist").unwrap();
    ///         // No other comes before this one has gone through.
    ///         assert_eq!(sees.recv().unwrap(), ["grist"]);
    ///     });
    ///     Pipeline::from_receiver(receiver)
    ///         .batch(100)
    ///         .batch_timeout(Duration::from_millis(1))
    ///         .send(seen)
    ///         .run(&CancellationToken::new())
    /// })?;
    /// assert_eq!(report.finished(), 1);
    /// # Ok::<(), gristmill::PipelineError>(())
    /// ```
    pub fn batch_timeout(mut self, longest: Duration) -> Self {
        self.plan.timeout = Some(longest);
        self.settings.timed += 1;
        self
    }
}
