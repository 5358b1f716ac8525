//! What a run did: counts and times per stage.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use crate::observe::Quantiles;
use crate::sync::time::Duration;
use crate::trace::StageFigures;

use super::queues::QueueSample;
use super::timeline::Timeline;

/// What part a stage plays.
///
/// ```
/// use gristmill::pipeline::StageKind;
/// use gristmill::{CancellationToken, Pipeline};
///
/// let report = Pipeline::from_iter(0..10)
///     .map("double", |n| n * 2)
///     .serial("number", |n| n + 1)
///     .for_each("drop", drop)
///     .run(&CancellationToken::new())?;
/// let kind = |name| report.stage(name).map(|stage| stage.kind());
/// assert_eq!(kind("double"), Some(StageKind::Parallel));
/// assert_eq!(kind("number"), Some(StageKind::Serial));
/// assert_eq!(kind("drop"), Some(StageKind::Sink));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StageKind {
    /// Gives the items, one reader at a time.
    Source,
    /// Runs on all workers at once.
    Parallel,
    /// Runs one item at a time.
    Serial,
    /// Runs on threads of its own, on as many items at once.
    Blocking,
    /// Takes the results, one at a time.
    Sink,
}

impl StageKind {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Parallel => "parallel",
            Self::Serial => "serial",
            Self::Blocking => "blocking",
            Self::Sink => "sink",
        }
    }
}

impl fmt::Display for StageKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.word())
    }
}

/// The counts and times of one stage.
///
/// ```
/// use gristmill::{CancellationToken, Pipeline};
///
/// let (_, report) = Pipeline::from_iter(0..10)
///     .filter("even", |n| n % 2 == 0)
///     .collect::<Vec<_>>()
///     .run(&CancellationToken::new())?;
/// let even = report.stage("even").expect("there is one");
/// assert_eq!((even.items_in(), even.items_out(), even.filtered()), (10, 5, 5));
/// assert!(even.busy() <= report.elapsed() * report.workers() as u32);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StageReport {
    pub(super) name: Cow<'static, str>,
    pub(super) kind: StageKind,
    pub(super) items_in: u64,
    pub(super) items_out: u64,
    pub(super) filtered: u64,
    pub(super) failed: u64,
    pub(super) panicked: u64,
    pub(super) undone: u64,
    pub(super) threads: usize,
    pub(super) missing_threads: usize,
    pub(super) busy: Duration,
    pub(super) waiting: Duration,
    pub(super) starved: Duration,
    pub(super) blocked: Duration,
    pub(super) latency: Quantiles,
}

impl StageReport {
    pub(super) fn new(name: Cow<'static, str>, kind: StageKind) -> Self {
        Self {
            name,
            kind,
            items_in: 0,
            items_out: 0,
            filtered: 0,
            failed: 0,
            panicked: 0,
            undone: 0,
            threads: 0,
            missing_threads: 0,
            busy: Duration::ZERO,
            waiting: Duration::ZERO,
            starved: Duration::ZERO,
            blocked: Duration::ZERO,
            latency: Quantiles::default(),
        }
    }

    /// What the stage's span shows at its end.
    pub(super) fn figures(&self) -> StageFigures {
        let Self { items_in, items_out, failed, panicked, busy, .. } = *self;
        StageFigures { items_in, items_out, failed, panicked, busy }
    }

    /// The name that the stage was given.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What part the stage plays.
    pub fn kind(&self) -> StageKind {
        self.kind
    }

    /// How many items came to the stage; for the source, how many it was asked for and gave, or failed to give.
    ///
    /// However the run ended, each of them is counted once more: `items_in = passed + filtered + failed + panicked + undone`.
    pub fn items_in(&self) -> u64 {
        self.items_in
    }

    /// How many items left; for the sink, how many it took without failing. What leaves a stage comes to the next one.
    ///
    /// It is what [`passed`](Self::passed), unless the stage makes several items of one (`flat_map`) or one of several (a batch).
    pub fn items_out(&self) -> u64 {
        self.items_out
    }

    /// How many of the items that came were worked on and not dropped.
    pub fn passed(&self) -> u64 {
        self.items_in - self.filtered - self.failed - self.panicked - self.undone
    }

    /// How many items the stage dropped, because it is there to do that.
    pub fn filtered(&self) -> u64 {
        self.filtered
    }

    /// How many items failed here: the stage returned an error. Those that an error policy went on without are among them.
    pub fn failed(&self) -> u64 {
        self.failed
    }

    /// How many items the stage panicked at.
    pub fn panicked(&self) -> u64 {
        self.panicked
    }

    /// How many items came to the stage and were given up by the end of the run: they waited for it, or for company in it.
    pub fn undone(&self) -> u64 {
        self.undone
    }

    /// How many threads of its own a [blocking](StageKind::Blocking) stage had; 0 for all others, whose work the workers do.
    pub fn threads(&self) -> usize {
        self.threads
    }

    /// How many more a blocking stage was to have that could not be created. If none could, the workers have done its work.
    pub fn missing_threads(&self) -> usize {
        self.missing_threads
    }

    /// Time spent inside the stage, summed over the workers, or over the threads of a blocking stage.
    ///
    /// Neighbouring parallel stages run as one. Their common time is measured; how it divides between them is estimated from
    /// single items timed now and then, about one every 50 microseconds; of an item that becomes many, single results.
    pub fn busy(&self) -> Duration {
        self.busy
    }

    /// Time that chunks of items stood ready in front of the stage, summed over the chunks: for the sink of an ordered run, the
    /// time that results waited for an earlier item. Stages that run fused to the one before them have none.
    pub fn waiting(&self) -> Duration {
        self.waiting
    }

    /// Time in which workers had nothing to do, summed over the workers, while the stage had no item that it could work on: what
    /// comes before it had not delivered any. All stages after a slow source starve; so does a sink whose next item is still being
    /// worked on, though later ones are ready.
    ///
    /// One set of workers serves all stages, so a stage is not starved while everybody is busy with other ones: then workers are what is short.
    /// A worker that runs out of work looks around, after a few hundred nanoseconds, for where items are and where none are; the stages
    /// are charged by that until it finds work. Neighbouring parallel stages are charged as one. Each worker's idle time is charged to
    /// every stage that starves or is blocked: the sum over the stages says nothing.
    pub fn starved(&self) -> Duration {
        self.starved
    }

    /// Time in which workers had nothing to do, summed over the workers, while results of the stage stood ready and could not go on, since an
    /// earlier one was missing or the next stage was busy; or while the window was full and the stage had nothing, because all items
    /// were further down. All stages before a slow sink are blocked, the source among them. Measured as [`starved`](Self::starved).
    pub fn blocked(&self) -> Duration {
        self.blocked
    }

    /// How long the stage worked on one item, over the whole run: percentiles up to 1/32 above the exact ones, as far as the items that were
    /// timed tell.
    ///
    /// About one item for every 50 microseconds of work is timed, drawn at random, by each worker where the stage is parallel; and every
    /// one where an item takes as long. Each stands for as many as went by since the one before, and [`count`](Quantiles::count) is
    /// the number of items that they stand for in all. A lone heavy item among light ones may so be missing, in `max` too. Reading the clock
    /// takes some 30 nanoseconds, which are in every time.
    ///
    /// Where a stage makes many results of an item, about one result for every 50 microseconds of work is timed, too, in that stage and in all that are fused
    /// to it. The time of the item is estimated from those.
    ///
    /// Where a source is read in bursts, the time of an item is the average of its burst; the time that a source waits for somebody
    /// counts. For results that are pulled out of an iterator it is the caller's time with them, the average of a chunk.
    pub fn latency(&self) -> Quantiles {
        self.latency
    }
}

/// What a run did: counts and times per stage; prints as a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    pub(super) stages: Vec<StageReport>,
    pub(super) workers: usize,
    pub(super) missing_workers: usize,
    pub(super) elapsed: Duration,
    pub(super) idle: Duration,
    pub(super) read: u64,
    pub(super) finished: u64,
    pub(super) latency: Quantiles,
    pub(super) queue_samples: Vec<QueueSample>,
    pub(super) timeline: Option<Arc<Timeline>>,
}

impl Report {
    /// The stages in the order of the flow: first the source, last the sink.
    pub fn stages(&self) -> &[StageReport] {
        &self.stages
    }

    /// The first stage of that name.
    pub fn stage(&self, name: &str) -> Option<&StageReport> {
        self.stages.iter().find(|stage| stage.name == name)
    }

    /// How many threads worked, the caller's among them; those of blocking stages are in [`StageReport::threads`].
    pub fn workers(&self) -> usize {
        self.workers
    }

    /// How many further threads were wanted but could not be created; the run went on without them.
    pub fn missing_workers(&self) -> usize {
        self.missing_workers
    }

    /// Wall-clock time from the start of the run to its end.
    pub fn elapsed(&self) -> Duration {
        self.elapsed
    }

    /// Time in which workers had nothing to do, summed over the workers.
    pub fn idle(&self) -> Duration {
        self.idle
    }

    /// How many items were read from the source.
    pub fn read(&self) -> u64 {
        self.read
    }

    /// How many of them are finished: their results are through the sink, or a stage filtered them out, or they failed and an error
    /// policy went on without them.
    ///
    /// Exact for a run that succeeds, and for an ordered one that fails, but that an item is finished only with the last of its results, and those of a
    /// batch only together: results of the item that failed may be through the sink. At another early end it may be too small, by items of the chunk that was
    /// being delivered.
    pub fn finished(&self) -> u64 {
        self.finished
    }

    /// How many of them were given up when the run ended early: read and not finished, the one that failed among them.
    pub fn unfinished(&self) -> u64 {
        self.read.saturating_sub(self.finished)
    }

    /// How long items were in the pipeline, from being read to having passed the sink, over the whole run: percentiles up to 1/32 above
    /// the exact ones. Every item that reaches the sink counts; for a batch, since its earliest item was read. An iterator's results
    /// have passed when they are handed to it.
    ///
    /// Measured by the chunk: from the moment at which the last of its items had been read, to the moment at which the last of them had
    /// passed. A chunk holds about 50 microseconds of work, and one item where items are heavy.
    pub fn latency(&self) -> Quantiles {
        self.latency
    }

    /// What waited where during the run: at most 512 samples, a millisecond apart at first, and further where the run is long. Taken by
    /// workers between two pieces of work, so a stretch in which all of them were inside long calls has none.
    pub fn queue_samples(&self) -> &[QueueSample] {
        &self.queue_samples
    }

    /// What each worker was at and when, if that was recorded: see [`Pipeline::record_timeline`](super::Pipeline::record_timeline).
    pub fn timeline(&self) -> Option<&Timeline> {
        self.timeline.as_deref()
    }
}
