//! A run with all its parts: starts the workers, adds up what they did, and says how it ended.

use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;

use crate::cancel::CancellationToken;
use crate::observe::Quantiles;
use crate::panics;
use crate::sync::Mutex;
use crate::sync::atomic::Ordering;
use crate::sync::thread;
use crate::sync::time::{self, Duration};

use super::board::{Board, Layout, Station};
use super::bounds::Bounds;
use super::control::Controlled;
use super::crew::Crew;
use super::deliver::{Counts, Deliver};
use super::error::{Ending, Failure, PipelineError, PipelineErrorKind, What};
use super::feed::Feed;
use super::logbook::Logbook;
use super::monitor::PipelineMonitor;
use super::plan::{Plan, Settings};
use super::queues::Samples;
use super::reorder;
use super::report::{Report, StageReport};
use super::run::Run;
use super::segment::{Segment, SegmentLocal};
use super::staff::Staff;
use super::step::Step;
use super::tally::{Tally, close_counts};
use super::timed::Calls;
use super::timeline::{Row, Timeline};
use super::upstream::Upstream;
use super::worker::Worker;
use crate::trace::RunSpans;

/// What a panic is named after that comes from no stage: of an item, a worker's state, the source or the sink.
pub(super) const DESTRUCTOR: &str = "a destructor";

/// What a worker keeps for the whole pipeline.
pub(super) type Local<P, S, E> = SegmentLocal<
    <P as Upstream<E>>::Local,
    <S as Step<<P as Upstream<E>>::Item, E>>::Local,
    <S as Step<<P as Upstream<E>>::Item, E>>::Out,
>;

/// What a thread of a run is there for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Post {
    /// A worker: number 0 is the caller's thread.
    Worker(usize),
    /// For the blocking stage of that crew; threads are numbered on from the workers.
    Blocking { crew: usize, number: usize },
}

/// The most workers that are started, and threads of a stage: what they note has its place before the first one is.
const MOST_THREADS: usize = 1 << 16;

/// A run that its workers share.
pub(super) struct Core<P, S, D, E>
where
    P: Upstream<E>,
    S: Step<P::Item, E>,
{
    pub(super) run: Run<E>,
    pub(super) segment: Segment<P, S, D, P::Item, S::Out, E>,
    tally: Mutex<Tally>,
    names: Arc<[String]>,
    ordered: bool,
    /// A stage has let results pass each other.
    reordered: bool,
    monitor: Option<PipelineMonitor>,
    pub(super) spans: RunSpans,
    /// Until the run has ended, its control knows of it.
    _controlled: Option<Controlled>,
}

impl<P, S, D, E> Core<P, S, D, E>
where
    P: Upstream<E>,
    S: Step<P::Item, E>,
    D: Deliver<S::Out, E>,
    E: Send,
{
    /// Checks the settings and puts the parts together; nothing is read yet.
    pub(super) fn new<Q>(
        plan: Q,
        step: S,
        settings: Settings,
        token: &CancellationToken,
        deliver: impl FnOnce(usize) -> D,
    ) -> Result<Self, PipelineError<E>>
    where
        Q: Plan<E, Item = P::Item, Running = P>,
    {
        panics::note_locations();
        let invalid = if settings.window == 0 {
            Some("window")
        } else if settings.workers == Some(0) {
            Some("workers")
        } else {
            settings.invalid
        };
        let names: Arc<[String]> = settings.stages.iter().map(|stage| stage.name().to_owned()).collect();
        let most = settings.window.min(MOST_THREADS);
        let workers = settings.workers.unwrap_or_else(thread::available_cores).min(most).max(1);
        let crew = |(stage, threads): (usize, usize)| Crew::new(stage, threads.min(most));
        let crews: Vec<_> = settings.crews.into_iter().map(crew).collect();
        let monitor = settings.monitor;
        let layout = Layout {
            names: &names,
            serial_points: &settings.serial_points,
            timeline: settings.timeline,
            watched: monitor.is_some(),
        };
        let board = Arc::new(Board::new(&layout, Staff::new(workers, &crews)));
        let bounds = Bounds {
            window: settings.window.max(1),
            weight: settings.weight,
            expansions: settings.expansions,
            timed: settings.timed > 0,
        };
        // A control cancels the run, and never what the caller shares with others.
        let caller = if settings.control.is_some() { token.child() } else { token.clone() };
        let run = Run::new(bounds, workers, crews, token, caller, Arc::clone(&board));
        let last = settings.stages.len() - 1;
        let mut tally = Tally::new(settings.stages);
        if let Some(setting) = invalid {
            // Nothing of it has run: what is wrong is told, and not what a destructor says.
            panics::drop_quietly(plan);
            panics::drop_quietly(step);
            panics::drop_quietly(deliver);
            let report = make_report(&run, tally, Duration::ZERO, 0, 0);
            return Err(PipelineError::new(PipelineErrorKind::InvalidSetting { setting }, report));
        }
        let spans =
            RunSpans::new(workers, tally.stages.iter().map(|stage| (stage.name(), stage.kind.word())));
        let feed = Arc::new(Feed::new());
        let up = plan.build(Arc::clone(&feed));
        let deliver = deliver(last);
        let segment = Segment::new(up, settings.segment_start..last, feed, step, deliver, settings.ordered);
        // How long an iterator says it is, is asked for in there: code of the user.
        if let Err(panic) = panics::catch(|| names[0].clone(), || segment.begin(&run)) {
            panics::drop_quietly(segment);
            // As a panic at the first item is counted, which is read and never leaves.
            run.read.store(1, Ordering::SeqCst);
            tally.stages[0].panicked += 1;
            let report = make_report(&run, tally, Duration::ZERO, 0, 0);
            spans.end("panicked", (0, 0), report.stages.iter().map(StageReport::figures));
            return Err(PipelineError::new(PipelineErrorKind::Panicked { index: 0, panic }, report));
        }
        if let Some(monitor) = &monitor {
            monitor.begin(&board);
        }
        let controlled = settings.control.map(|control| control.enter(&run.source_token, &run.caller));
        let (tally, ordered, reordered) = (Mutex::new(tally), settings.ordered, settings.reordered);
        Ok(Self { run, segment, tally, names, ordered, reordered, monitor, spans, _controlled: controlled })
    }

    /// Starts the threads of the run besides the caller's by `spawn`: gives what that gave, and how many workers could not be started.
    ///
    /// Those of blocking stages first, so that it is known before the first item is read whether a stage has any.
    pub(super) fn start<H>(
        &self,
        mut spawn: impl FnMut(thread::Builder, Post) -> io::Result<H>,
    ) -> (Vec<H>, usize) {
        let mut threads = Vec::new();
        let mut next = self.run.workers;
        for (crew, its) in self.run.crews.iter().enumerate() {
            // A thread cannot have a NUL in its name.
            let name = self.names[its.stage].replace('\0', "");
            let mut there = 0;
            while there < its.wanted {
                let builder = thread::Builder::new().name(format!("gristmill-{name}-{}", there + 1));
                let post = Post::Blocking { crew, number: next + there };
                // The stage has fewer, and the report says how many; without any the workers do its work.
                let Ok(thread) = spawn(builder, post) else { break };
                threads.push(thread);
                there += 1;
            }
            its.settle(there);
            self.run.board.staff.miss_threads(crew, its.wanted - there);
            next += its.wanted;
        }
        let (mut missing, mut alone) = (0, true);
        for number in 1..self.run.workers {
            let builder = thread::Builder::new().name(format!("gristmill-{number}"));
            let Ok(worker) = spawn(builder, Post::Worker(number)) else {
                // The caller's thread is a worker, so the run goes on; the report says with how many.
                missing = self.run.workers - number;
                self.run.board.staff.miss_workers(missing);
                break;
            };
            threads.push(worker);
            alone = false;
        }
        self.run.alone.store(alone, Ordering::Relaxed);
        (threads, missing)
    }

    /// The state of a worker: number 0 is the caller's thread.
    pub(super) fn worker(&self, number: usize, owner: bool) -> Worker {
        let log = Logbook::new(Arc::clone(&self.run.board), number, self.monitor.clone());
        Worker::new(Arc::clone(&self.names), owner, self.run.end.clone(), self.spans.clone(), log)
    }

    /// The whole life of a thread without a sink of its own.
    pub(super) fn serve(&self, post: Post) {
        let _adopted = self.spans.adopt();
        match post {
            Post::Worker(number) => self.serve_as_worker(number),
            Post::Blocking { crew, number } => self.serve_blocking(crew, number),
        }
    }

    fn serve_blocking(&self, crew: usize, number: usize) {
        let mut me = self.worker(number, false);
        let (mut counts, mut calls) = (reorder::Counts::default(), Calls::default());
        self.guard(|| self.segment.up.attend(&self.run, &mut me, crew, &mut counts, &mut calls));
        let mut tally = self.tally.lock();
        counts.add_to(self.run.crews[crew].stage, &calls, &mut tally);
        me.log.settle(&mut tally);
    }

    fn serve_as_worker(&self, number: usize) {
        let mut me = self.worker(number, false);
        let mut local = self.segment.local();
        self.guard(|| {
            let _: Option<()> = me.work(
                &self.run,
                |me| ControlFlow::Continue(self.segment.work(&self.run, me, &mut local)),
                || false,
            );
        });
        self.settle(&me, local);
    }

    /// Runs a worker's body. What panics there is not a stage (these are caught one by one) but a destructor: of an item, or of a
    /// worker's state. It ends the run like any other panic.
    pub(super) fn guard(&self, body: impl FnOnce()) {
        if let Err(panic) = panics::catch(|| DESTRUCTOR, body) {
            let index = self.run.read.load(Ordering::SeqCst) as u64;
            self.run.halt(Ending::Failed(Box::new(Failure { stage: 0, index, what: What::Panic(panic) })));
        }
    }

    /// The number of the last stage.
    pub(super) fn sink(&self) -> usize {
        self.names.len() - 1
    }

    /// Adds what a sink outside of the segments has counted: the caller's own, or a lazy iterator.
    pub(super) fn count_sink(&self, counts: &Counts) {
        counts.add_to(self.sink(), &mut self.tally.lock());
    }

    /// Adds up what a worker counted, however it ended; drops its state.
    pub(super) fn settle(&self, me: &Worker, local: Local<P, S, E>) {
        let mut tally = self.tally.lock();
        tally.idle += me.idle;
        tally.failed.clone_from(&me.failed);
        tally.panicked.clone_from(&me.panicked);
        self.segment.settle(me, &local, &mut tally);
        me.log.settle(&mut tally);
        drop(tally);
        self.guard(|| drop(local)); // user data: outside the lock
    }

    /// Ends the run, once all its workers have: gives the delivery back, and how the run went.
    pub(super) fn conclude(self, missing: usize) -> (D, Report, Option<PipelineErrorKind<E>>) {
        let Self { run, segment, tally, names, ordered, reordered, monitor, spans, _controlled } = self;
        let mut tally = tally.into_inner();
        segment.conclude(&mut tally);
        let finished = run.finished();
        // What was given up is the user's data, and so is the source: their destructors may panic too.
        // One by one: a second panic while the first unwinds would abort.
        let given_up = panics::catch(|| DESTRUCTOR, || segment.give_up());
        let Segment { up, feed, step, turn, deliver, .. } = segment;
        let leftovers = [
            given_up,
            panics::catch(|| DESTRUCTOR, || drop(turn)),
            panics::catch(|| DESTRUCTOR, || drop(feed)),
            panics::catch(|| DESTRUCTOR, || drop(step)),
            panics::catch(|| DESTRUCTOR, || drop(up)),
        ];
        for panic in leftovers.into_iter().filter_map(Result::err) {
            let index = run.read.load(Ordering::SeqCst) as u64;
            run.halt(Ending::Failed(Box::new(Failure { stage: 0, index, what: What::Panic(panic) })));
        }
        let elapsed = run.board.since_start(time::now());
        run.board.end(elapsed);
        if let Some(monitor) = monitor {
            monitor.end();
        }
        let mut report = make_report(&run, tally, elapsed, run.workers - missing, missing);
        let ending = run.take_ending();
        let outcome = match &ending {
            Some(Ending::Abandoned) => "abandoned",
            Some(Ending::Cancelled(_)) if !finished => "cancelled",
            Some(Ending::Failed(failure)) if matches!(failure.what, What::Panic(_)) => "panicked",
            Some(Ending::Failed(_)) => "failed",
            _ => "ok",
        };
        let kind = match ending {
            None | Some(Ending::Abandoned) => None,
            // The last item had left before anybody looked at the token.
            Some(Ending::Cancelled(_)) if finished => None,
            Some(Ending::Cancelled(cancelled)) => Some(PipelineErrorKind::Cancelled(cancelled)),
            Some(Ending::Failed(failure)) => {
                let Failure { stage, index, what } = *failure;
                if ordered && !reordered && !matches!(&what, What::Panic(panic) if panic.name() == DESTRUCTOR)
                {
                    report.finished = index; // exactly the items before it are through
                }
                let stage = names[stage].clone();
                Some(match what {
                    What::Error(source) => PipelineErrorKind::Failed { stage, index, source },
                    What::Panic(panic) => PipelineErrorKind::Panicked { index, panic },
                    What::NotRouted(source) => PipelineErrorKind::NotRouted { stage, index, source },
                    What::NotReceived(source) => PipelineErrorKind::NotReceived { index, source },
                    What::ReceiverGone(source) => PipelineErrorKind::ReceiverGone { stage, index, source },
                })
            }
        };
        spans.end(outcome, (report.read, report.finished), report.stages.iter().map(StageReport::figures));
        (deliver, report, kind)
    }
}

/// What the thread of that number is called in a timeline.
fn lane_name<E>(run: &Run<E>, stages: &[StageReport], number: usize) -> String {
    let mut first = run.workers;
    for crew in &run.crews {
        if (first..first + crew.wanted).contains(&number) {
            return format!("{} {}", stages[crew.stage].name(), number - first + 1);
        }
        first += crew.wanted;
    }
    format!("worker {number}")
}

fn make_report<E>(
    run: &Run<E>,
    mut tally: Tally,
    elapsed: Duration,
    workers: usize,
    missing: usize,
) -> Report {
    tally.divide();
    let read = run.read.load(Ordering::SeqCst) as u64;
    let mut stages = tally.stages;
    for (stage, timed) in stages.iter_mut().zip(&tally.timed) {
        stage.latency = timed.quantiles();
    }
    let samples = std::mem::replace(&mut *run.board.samples.lock(), Samples::new(0));
    if let Some(source) = stages.first_mut() {
        source.items_in = read;
        source.items_out = read - source.failed - source.panicked;
    }
    close_counts(&mut stages);
    for crew in &run.crews {
        let stage: &mut StageReport = &mut stages[crew.stage];
        stage.threads = crew.threads();
        stage.missing_threads = crew.wanted - crew.threads();
    }
    let queue_samples = samples.into_samples();
    let timeline = run.board.timeline.then(|| {
        let mut lanes = tally.spans;
        lanes.sort_by_key(|(worker, _)| *worker);
        let names = lanes.iter().map(|(number, _)| lane_name(run, &stages, *number)).collect();
        let row =
            |(station, name): (&Station, &Arc<str>)| Row { stage: station.first, name: name.to_string() };
        Arc::new(Timeline {
            elapsed,
            rows: run.board.stations.iter().zip(&run.board.row_names).map(row).collect(),
            lanes: lanes.into_iter().map(|(_, spans)| spans).collect(),
            names,
            samples: queue_samples.clone(),
        })
    });
    Report {
        stages,
        workers,
        missing_workers: missing,
        elapsed,
        idle: tally.idle,
        read,
        finished: run.through(),
        latency: Quantiles::of_all(&tally.latency),
        queue_samples,
        timeline,
    }
}
