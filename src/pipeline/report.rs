//! What a run did: counts and times per stage.

use std::borrow::Cow;
use std::fmt;

use crate::sync::time::Duration;

/// What part a stage plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StageKind {
    /// Gives the items, one reader at a time.
    Source,
    /// Runs on all workers at once.
    Parallel,
    /// Runs one item at a time.
    Serial,
    /// Takes the results, one at a time.
    Sink,
}

impl fmt::Display for StageKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Source => "source",
            Self::Parallel => "parallel",
            Self::Serial => "serial",
            Self::Sink => "sink",
        })
    }
}

/// The counts and times of one stage.
#[derive(Clone, Debug)]
pub struct StageReport {
    pub(super) name: Cow<'static, str>,
    pub(super) kind: StageKind,
    pub(super) items_in: u64,
    pub(super) items_out: u64,
    pub(super) filtered: u64,
    pub(super) failed: u64,
    pub(super) panicked: u64,
    pub(super) undone: u64,
    pub(super) busy: Duration,
    pub(super) waiting: Duration,
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
            busy: Duration::ZERO,
            waiting: Duration::ZERO,
        }
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

    /// Time spent inside the stage, summed over the workers.
    ///
    /// Neighbouring parallel stages run as one. Their common time is measured; how it divides between them is estimated from
    /// single items timed now and then, about one every 50 microseconds.
    pub fn busy(&self) -> Duration {
        self.busy
    }

    /// Time that chunks of items stood ready in front of the stage, summed over the chunks: for the sink of an ordered run, the
    /// time that results waited for an earlier item. Stages that run fused to the one before them have none.
    pub fn waiting(&self) -> Duration {
        self.waiting
    }
}

/// What a run did: counts and times per stage; prints as a table.
#[derive(Clone, Debug)]
pub struct Report {
    pub(super) stages: Vec<StageReport>,
    pub(super) workers: usize,
    pub(super) missing_workers: usize,
    pub(super) elapsed: Duration,
    pub(super) idle: Duration,
    pub(super) read: u64,
    pub(super) finished: u64,
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

    /// How many threads worked, the caller's among them.
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
    pub fn finished(&self) -> u64 {
        self.finished
    }

    /// How many of them were given up when the run ended early: read and not finished, the one that failed among them.
    pub fn unfinished(&self) -> u64 {
        self.read.saturating_sub(self.finished)
    }
}
