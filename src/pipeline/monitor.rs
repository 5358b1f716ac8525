//! Looking at a running pipeline from outside, and being called when a condition on what is seen comes true.
//!
//! # Invariants
//! 1. A rule is asked by one thread at a time (`checking`), which holds no lock while it runs the user's closures; others pass by, and the end of a
//!    run has them asked once more.
//! 2. A rule calls back when its condition has come true, and not again before its other condition has.
//!
//! Lock order: `watched`, `rules`, `panics` and `broken` are leaves.

use std::fmt;
use std::sync::Arc;

use crate::panics::{self, Panic};
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use crate::sync::time::{self, Duration, Instant};

use super::board::Board;
use super::staff::Count;

/// Whether the rules are being asked, and whether whoever does that has to ask again.
const FREE: usize = 0;
const ASKING: usize = 1;
const AGAIN: usize = 2;

/// Panics that are kept.
const KEPT: usize = 1000;

type Condition = Box<dyn Fn(&PipelineSnapshot) -> bool + Send + Sync>;
type Callback = Box<dyn Fn(&PipelineSnapshot) + Send + Sync>;

struct Rule {
    name: String,
    raise: Condition,
    clear: Condition,
    callback: Callback,
    raised: AtomicBool,
    /// It has panicked, and is not asked again.
    broken: AtomicBool,
}

#[derive(Default)]
struct Inner {
    watched: Mutex<Option<Arc<Board>>>,
    rules: Mutex<Vec<Arc<Rule>>>,
    checking: AtomicUsize,
    panics: Mutex<Vec<Panic>>,
    /// How many rules have panicked, and the first panic in words.
    broken: Mutex<Option<(u64, String)>>,
}

/// Shows what a pipeline does while it runs; made before the run, and given to it with [`monitored_by`](super::Pipeline::monitored_by).
///
/// Clones show the same. One that several runs are given in turn shows the one that began last.
///
/// # Examples
/// ```
/// use gristmill::pipeline::PipelineMonitor;
/// use gristmill::{CancellationToken, Pipeline};
///
/// let monitor = PipelineMonitor::new();
/// assert!(!monitor.snapshot().has_begun());
/// let token = CancellationToken::new();
/// let stop = token.clone();
/// monitor.when(
///     "enough",
///     |now| now.finished() >= 100,
///     |_| false, // once is enough
///     move |_| _ = stop.cancel(),
/// );
/// let outcome = Pipeline::from_iter(0..).monitored_by(&monitor).window(10).for_each("drop", drop).run(&token);
/// assert!(outcome.is_err_and(|error| error.is_cancelled()));
/// assert!(monitor.snapshot().has_ended() && monitor.snapshot().finished() >= 100);
/// ```
#[derive(Clone, Default)]
pub struct PipelineMonitor(Arc<Inner>);

impl fmt::Debug for PipelineMonitor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("PipelineMonitor").field(&self.look()).finish()
    }
}

impl PipelineMonitor {
    /// A monitor that no pipeline has been given yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// What the pipeline does now, or did at its end; nothing before it has begun. Asks the rules of [`when`](Self::when), too.
    ///
    /// Each worker counts a chunk of items when it is through with it: so an item that a stage has dealt with shows when its chunk, about 50
    /// microseconds of work, has been dealt with. The numbers are read one after the other while the workers go on.
    ///
    /// # Cost
    /// Reads a few words for each worker and each stage; the workers are not held up.
    pub fn snapshot(&self) -> PipelineSnapshot {
        self.check();
        self.look()
    }

    /// Calls `callback` when `raise` comes true, and not again before `clear` has been true: two conditions, so that a figure that
    /// hovers about one threshold does not call at every turn. All three see the same snapshot.
    ///
    /// Asked by a worker (not by a thread of a blocking stage) between two pieces of work, at most every ten milliseconds; at the end of the run; and by
    /// [`snapshot`](Self::snapshot). There is no thread for it: while all workers are inside long calls, or wait for the source, only
    /// `snapshot` asks. The callback runs on the thread that asked, with no lock of the library held; it may look at the monitor and add
    /// rules, and a worker that runs it does nothing else meanwhile.
    ///
    /// A closure that panics is not asked again; the panic is kept, see [`take_panics`](Self::take_panics).
    pub fn when(
        &self,
        name: impl Into<String>,
        raise: impl Fn(&PipelineSnapshot) -> bool + Send + Sync + 'static,
        clear: impl Fn(&PipelineSnapshot) -> bool + Send + Sync + 'static,
        callback: impl Fn(&PipelineSnapshot) + Send + Sync + 'static,
    ) {
        let rule = Rule {
            name: name.into(),
            raise: Box::new(raise),
            clear: Box::new(clear),
            callback: Box::new(callback),
            raised: AtomicBool::new(false),
            broken: AtomicBool::new(false),
        };
        self.0.rules.lock().push(Arc::new(rule));
    }

    /// The panics of conditions and callbacks since this was last asked, at most 1000.
    pub fn take_panics(&self) -> Vec<Panic> {
        std::mem::take(&mut *self.0.panics.lock())
    }

    /// A run begins.
    pub(super) fn begin(&self, board: &Arc<Board>) {
        let before = self.0.watched.lock().replace(Arc::clone(board));
        drop(before);
    }

    fn look(&self) -> PipelineSnapshot {
        let board = self.0.watched.lock().clone();
        let now = board.map_or_else(PipelineSnapshot::default, |board| PipelineSnapshot::of(&board));
        PipelineSnapshot { broken: self.0.broken.lock().clone(), ..now }
    }

    /// Asks the rules, unless somebody is just doing it.
    pub(super) fn check(&self) {
        let state = &self.0.checking;
        if state.compare_exchange(FREE, ASKING, Ordering::Acquire, Ordering::Relaxed).is_ok() {
            self.ask_and_leave();
        }
    }

    /// The run is over: asks the rules, or has whoever is just doing it ask again.
    pub(super) fn end(&self) {
        let state = &self.0.checking;
        loop {
            match state.compare_exchange(FREE, ASKING, Ordering::Acquire, Ordering::Relaxed) {
                Ok(_) => return self.ask_and_leave(),
                Err(AGAIN) => return,
                Err(_) => {}
            }
            // Release: who asks again sees that the run is over.
            if state.compare_exchange(ASKING, AGAIN, Ordering::Release, Ordering::Relaxed).is_ok() {
                return;
            }
        }
    }

    fn ask_and_leave(&self) {
        let state = &self.0.checking;
        self.ask();
        while state.compare_exchange(ASKING, FREE, Ordering::Release, Ordering::Relaxed).is_err() {
            // Only to `AGAIN` can it have changed.
            state.swap(ASKING, Ordering::Acquire);
            self.ask();
        }
    }

    fn ask(&self) {
        let rules = self.0.rules.lock().clone();
        if !rules.is_empty() {
            let now = self.look();
            for rule in rules.iter().filter(|rule| !rule.broken.load(Ordering::Relaxed)) {
                if let Err(panic) = panics::catch(|| rule.name.clone(), || rule.ask(&now)) {
                    rule.broken.store(true, Ordering::Relaxed);
                    self.0.broken.lock().get_or_insert_with(|| (0, panic.to_string())).0 += 1;
                    let mut panics = self.0.panics.lock();
                    if panics.len() < KEPT {
                        panics.push(panic);
                    }
                }
            }
        }
    }
}

impl Rule {
    fn ask(&self, now: &PipelineSnapshot) {
        if !now.has_begun() {
            return;
        }
        // Only who is checking writes `raised`.
        if self.raised.load(Ordering::Relaxed) {
            if (self.clear)(now) {
                self.raised.store(false, Ordering::Relaxed);
            }
        } else if (self.raise)(now) {
            self.raised.store(true, Ordering::Relaxed);
            (self.callback)(now);
        }
    }
}

/// A pipeline at one moment, by [`PipelineMonitor::snapshot`].
///
/// ```
/// use gristmill::pipeline::PipelineMonitor;
/// use gristmill::{CancellationToken, Pipeline};
///
/// let monitor = PipelineMonitor::new();
/// let run = Pipeline::from_iter(0..10).monitored_by(&monitor).map("double", |n| n * 2).collect::<Vec<_>>();
/// run.run(&CancellationToken::new())?;
/// let now = monitor.snapshot();
/// assert!(now.has_ended());
/// assert_eq!((now.read(), now.finished(), now.in_flight()), (10, 10, 0));
/// assert_eq!(now.row("double").map(|row| (row.items(), row.queued())), Some((10, 0)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PipelineSnapshot {
    /// `None` before it has begun.
    pub(super) started: Option<Instant>,
    ended: bool,
    pub(super) elapsed: Duration,
    expected: Option<u64>,
    read: u64,
    finished: u64,
    pub(super) rows: Vec<RowSnapshot>,
    pub(super) workers: Vec<Option<(usize, Duration)>>,
    pub(super) threads: Vec<Count>,
    pub(super) is_pulled: bool,
    pub(super) broken: Option<(u64, String)>,
}

impl PipelineSnapshot {
    fn of(board: &Board) -> Self {
        let ended = board.ended();
        let elapsed = ended.unwrap_or_else(|| board.since_start(time::now()));
        // What has left first: it was read before.
        let finished = board.finished();
        let rows: Vec<RowSnapshot> = board
            .stations
            .iter()
            .zip(&board.row_names)
            .map(|(station, name)| RowSnapshot {
                stage: station.first,
                name: Arc::clone(name),
                items: board.dealt_with(station.first),
                queued: if ended.is_some() { 0 } else { board.queued(station.first) },
            })
            .collect();
        let place = |stage: usize| board.stations.iter().position(|station| station.first == stage);
        let workers = board
            .places()
            .into_iter()
            .map(|(stage, since)| {
                let stage = place(stage).filter(|_| ended.is_none())?;
                Some((stage, elapsed.saturating_sub(since)))
            })
            .collect();
        let read = rows.first().map_or(0, |source| source.items).max(finished);
        Self {
            started: Some(board.started),
            ended: ended.is_some(),
            elapsed,
            expected: board.expected(),
            read,
            finished,
            rows,
            workers,
            threads: board.staff.counts(),
            is_pulled: board.is_pulled(),
            broken: None,
        }
    }

    /// Whether a run has begun.
    pub fn has_begun(&self) -> bool {
        self.started.is_some()
    }

    /// When the run began: tells one run from the next.
    #[cfg(feature = "progress")]
    pub(crate) fn started(&self) -> Option<Instant> {
        self.started
    }

    /// Whether it is over.
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    /// Since when it runs, or how long it ran.
    pub fn elapsed(&self) -> Duration {
        self.elapsed
    }

    /// How many items the source will give in all, if it knows: an iterator whose size hint is exact, a slice.
    pub fn expected(&self) -> Option<u64> {
        self.expected
    }

    /// How many items were read from the source.
    pub fn read(&self) -> u64 {
        self.read
    }

    /// How many of them have left: through the sink, or filtered out.
    pub fn finished(&self) -> u64 {
        self.finished
    }

    /// How many of them have not left.
    pub fn in_flight(&self) -> u64 {
        self.read - self.finished
    }

    /// How many items left for each second so far.
    pub fn rate(&self) -> f64 {
        let seconds = self.elapsed.as_secs_f64();
        #[allow(clippy::cast_precision_loss)] // a rate
        let finished = self.finished as f64;
        if seconds > 0.0 { finished / seconds } else { 0.0 }
    }

    /// The source, the rows of neighbouring parallel stages, which run as one, and the stages that run one item at a time, in the order
    /// of the flow.
    pub fn rows(&self) -> &[RowSnapshot] {
        &self.rows
    }

    /// The first row of that name; a row of several stages is named after all of them, as in `parse + check`.
    pub fn row(&self, name: &str) -> Option<&RowSnapshot> {
        self.rows.iter().find(|row| &*row.name == name)
    }

    /// What each worker is at, and for how long it has been in its present call there, as far as is known (see [`health`](Self::health)); `None` for one that is
    /// at nothing, or could not be created. Number 0 is the calling thread. Behind the workers come the
    /// threads of the blocking stages, stage by stage.
    pub fn workers(&self) -> impl Iterator<Item = Option<(&RowSnapshot, Duration)>> {
        self.workers.iter().map(|worker| worker.map(|(row, time)| (&self.rows[row], time)))
    }
}

impl fmt::Display for PipelineSnapshot {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{} items read, {} finished, {} in flight after {:.3} s",
            self.read,
            self.finished,
            self.in_flight(),
            self.elapsed.as_secs_f64()
        )?;
        for row in &self.rows {
            write!(formatter, "\n{}: {} items, {} waiting", row.name, row.items, row.queued)?;
        }
        Ok(())
    }
}

/// The source, a row of parallel stages, or a stage that runs one item at a time, in a [`PipelineSnapshot`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowSnapshot {
    /// The number of its first stage.
    pub(super) stage: usize,
    pub(super) name: Arc<str>,
    items: u64,
    pub(super) queued: usize,
}

impl RowSnapshot {
    /// The name of the stage; of a row of several, their names with ` + ` between them.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How many items were dealt with here: taken in by the first stage of a row; read, for the source.
    pub fn items(&self) -> u64 {
        self.items
    }

    /// How many items wait in front of it; see [`QueueSample::queued`](super::QueueSample::queued).
    pub fn queued(&self) -> usize {
        self.queued
    }
}
