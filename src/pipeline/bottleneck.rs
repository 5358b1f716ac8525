//! Which stage a run was limited by.

use std::fmt;

use super::report::{Report, StageKind, StageReport};

/// What limited a run, and what would help; made by [`Report::bottleneck`].
///
/// ```
/// use gristmill::{CancellationToken, Pipeline};
///
/// let report = Pipeline::from_iter(0..100)
///     .workers(2)
///     .map("hash", |n: u64| (0..10_000).fold(n, |hash, m| std::hint::black_box(hash ^ m).rotate_left(5)))
///     .for_each("drop", drop)
///     .run(&CancellationToken::new())?;
/// if let Some(bottleneck) = report.bottleneck() {
///     assert!(report.stage(bottleneck.stage().name()).is_some());
///     assert!(bottleneck.one_more_worker() >= 1.0); // so many times as fast
///     println!("{bottleneck}");
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Bottleneck<'a> {
    stage: &'a StageReport,
    by_workers: bool,
    utilisation: f64,
    next: Option<(Next<'a>, f64)>,
    one_more_worker: f64,
    one_more_thread: Option<f64>,
    workers: usize,
}

/// What comes next where a stage is the limit.
///
/// ```
/// use gristmill::pipeline::Next;
/// use gristmill::{CancellationToken, Pipeline};
///
/// let report = Pipeline::from_iter(0..100)
///     .workers(2)
///     .map("hash", |n: u64| (0..1000).fold(n, |hash, m| std::hint::black_box(hash ^ m)))
///     .for_each("drop", drop)
///     .run(&CancellationToken::new())?;
/// match report.bottleneck().and_then(|bottleneck| bottleneck.next()) {
///     Some((Next::Stage(stage), share)) => println!("then {}, at {share}", stage.name()),
///     Some((Next::Workers, share)) => println!("then the workers, at {share}"),
///     _ => println!("nothing comes close"),
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Next<'a> {
    /// Another stage that runs one item at a time, or has threads of its own.
    Stage(&'a StageReport),
    /// The workers together.
    Workers,
}

impl fmt::Display for Next<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stage(stage) => formatter.write_str(stage.name()),
            Self::Workers => formatter.write_str("the workers"),
        }
    }
}

impl<'a> Bottleneck<'a> {
    /// The stage. If the workers together are what was short, the one that took most of their time.
    pub fn stage(&self) -> &'a StageReport {
        self.stage
    }

    /// Whether the workers together were what was short. Otherwise it is the stage by itself, which runs one item at a time or has threads of
    /// its own, and more workers bring nothing.
    pub fn is_short_of_workers(&self) -> bool {
        self.by_workers
    }

    /// How much of what there was of it was used, from 0 to 1: of the run's time for a stage that runs one item at a time; of its threads' time
    /// for a blocking one; of all workers' time where the workers were short.
    ///
    /// Near 1 nothing else matters. Far below, no stage was the limit: the window or the order made workers wait for each other, or the run
    /// was too short to say.
    pub fn utilisation(&self) -> f64 {
        self.utilisation
    }

    /// What would limit the run if this did not, and how much of it was used.
    pub fn next(&self) -> Option<(Next<'a>, f64)> {
        self.next
    }

    /// How many times as fast the run would be with one more worker and a core for it, from 1: by the longest of the stages that run one
    /// item at a time, the work of a blocking one divided by its threads, and all other work divided by the workers, whichever is most.
    pub fn one_more_worker(&self) -> f64 {
        self.one_more_worker
    }

    /// Where a blocking stage by itself is what was short: how many times as fast the run would be with one more thread there, from 1, if
    /// whoever its calls wait for answers as fast then.
    pub fn one_more_thread(&self) -> Option<f64> {
        self.one_more_thread
    }
}

impl fmt::Display for Bottleneck<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, percent) = (self.stage.name(), self.utilisation * 100.0);
        if self.utilisation < 0.5 {
            return write!(formatter, "nothing was short; {name} was used most ({percent:.0} %)");
        }
        let limit = match (self.by_workers, self.workers) {
            (false, _) if self.stage.threads() > 0 => {
                format!("{name} ({percent:.0} % of its threads' time)")
            }
            (false, _) => format!("{name} ({percent:.0} % of the time)"),
            (true, 1) => format!("the one worker ({percent:.0} % of its time), mostly for {name}"),
            (true, count) => format!("{count} workers ({percent:.0} % of their time), mostly for {name}"),
        };
        write!(formatter, "limited by {limit}")?;
        if let Some((next, utilisation)) = self.next {
            write!(formatter, ", then by {next} ({:.0} %)", utilisation * 100.0)?;
        }
        let (what, times) = match self.one_more_thread {
            Some(times) => ("thread there", times),
            None => ("worker", self.one_more_worker),
        };
        write!(formatter, "; one more {what}: at most {times:.2} times as fast")
    }
}

impl Report {
    /// How much of its share of the run a stage was busy, from 0 to 1: of the elapsed time for a stage that runs one item at a time, of all
    /// workers' time for a parallel one, of its own threads' time for a blocking one.
    pub fn utilisation(&self, stage: &StageReport) -> f64 {
        let there = self.elapsed().as_secs_f64() * self.at_once(stage);
        if there > 0.0 { (stage.busy().as_secs_f64() / there).min(1.0) } else { 0.0 }
    }

    /// What limited the run: the stage that runs one item at a time, or has threads of its own, and was used most, or the workers together,
    /// whichever was used more.
    /// `None` if nothing was read.
    ///
    /// A source that waits for somebody is busy while it does.
    ///
    /// The rule is the utilisation law: no run is shorter than the work of its busiest resource (P. J. Denning and J. P. Buzen, "The
    /// Operational Analysis of Queueing Network Models", ACM Computing Surveys 10(3), 1978).
    ///
    /// ```
    /// use gristmill::{CancellationToken, Pipeline};
    ///
    /// let report = Pipeline::from_iter(0..200_u64)
    ///     .map("light", |number| number + 1)
    ///     .map("heavy", |number| (0..100_000).fold(number, |sum, round| std::hint::black_box(sum ^ round)))
    ///     .for_each("drop", drop)
    ///     .run(&CancellationToken::new())?;
    /// let bottleneck = report.bottleneck().expect("items were read");
    /// assert_eq!(bottleneck.stage().name(), "heavy");
    /// println!("{bottleneck}");
    /// # Ok::<(), gristmill::PipelineError>(())
    /// ```
    pub fn bottleneck(&self) -> Option<Bottleneck<'_>> {
        if self.read() == 0 || self.elapsed().is_zero() {
            return None;
        }
        let on_workers = || self.stages().iter().filter(|stage| stage.threads() == 0);
        let total: f64 = on_workers().map(|stage| stage.busy().as_secs_f64()).sum();
        let all = (total / (self.elapsed().as_secs_f64() * self.workers_there())).min(1.0);
        let heaviest = on_workers().max_by_key(|stage| stage.busy())?;
        // What has a limit of its own, with how long it takes at the least.
        let least = |stage: &StageReport| stage.busy().as_secs_f64() / self.at_once(stage);
        let mut alone: Vec<_> =
            self.stages().iter().filter(|stage| stage.threads() > 0 || runs_one_at_a_time(stage)).collect();
        alone.sort_by(|one, other| least(other).total_cmp(&least(one)));
        let alone: Vec<_> = alone.into_iter().map(|stage| (stage, self.utilisation(stage))).collect();
        let by_workers = alone.first().is_none_or(|(_, utilisation)| all >= *utilisation);
        let (stage, utilisation) = if by_workers { (heaviest, all) } else { *alone.first()? };
        // Where one stage is the limit, the workers come next, unless another stage does.
        let others = alone.iter().filter(|(other, _)| !std::ptr::eq(*other, stage));
        let second = others.clone().map(|(other, _)| least(other)).next().unwrap_or(0.0);
        let others = others.map(|(other, utilisation)| (Next::Stage(other), *utilisation)).take(1);
        let workers_next = (!by_workers).then_some((Next::Workers, all));
        let next = others.chain(workers_next).max_by(|(_, one), (_, other)| one.total_cmp(other));
        let longest = alone.first().map_or(0.0, |(stage, _)| least(stage));
        let time = |workers: f64| longest.max(total / workers);
        let now = time(self.workers_there());
        let times = |then: f64| if then > 0.0 { (now / then).max(1.0) } else { 1.0 };
        let one_more_worker = times(time(self.workers_there() + 1.0));
        let one_more_thread = (!by_workers && stage.threads() > 0).then(|| {
            let with_one_more = stage.busy().as_secs_f64() / (self.at_once(stage) + 1.0);
            times(with_one_more.max(second).max(total / self.workers_there()))
        });
        let workers = self.workers();
        Some(Bottleneck { stage, by_workers, utilisation, next, one_more_worker, one_more_thread, workers })
    }

    /// On how many items at once the stage can be at work.
    #[allow(clippy::cast_precision_loss)] // no more than there can be threads
    fn at_once(&self, stage: &StageReport) -> f64 {
        match stage.threads() {
            0 if runs_one_at_a_time(stage) => 1.0,
            0 => self.workers_there(),
            threads => threads as f64,
        }
    }

    #[allow(clippy::cast_precision_loss)] // no more than there can be threads
    fn workers_there(&self) -> f64 {
        self.workers().max(1) as f64
    }
}

fn runs_one_at_a_time(stage: &StageReport) -> bool {
    match stage.kind() {
        StageKind::Source | StageKind::Serial | StageKind::Sink => true,
        StageKind::Parallel | StageKind::Blocking => false,
    }
}

#[cfg(all(test, not(any(gristmill_shuttle, gristmill_loom))))]
mod tests {
    use std::borrow::Cow;

    use super::*;
    use crate::observe::Quantiles;
    use crate::sync::time::Duration;

    /// A run of ten seconds whose stages were busy for so many.
    fn run(workers: usize, stages: &[(&'static str, StageKind, u64)]) -> Report {
        let stage = |&(name, kind, busy)| {
            let mut stage = StageReport::new(Cow::Borrowed(name), kind);
            stage.busy = Duration::from_secs(busy);
            stage
        };
        Report {
            stages: stages.iter().map(stage).collect(),
            workers,
            missing_workers: 0,
            elapsed: Duration::from_secs(10),
            idle: Duration::ZERO,
            read: 1,
            finished: 1,
            latency: Quantiles::default(),
            queue_samples: Vec::new(),
            timeline: None,
        }
    }

    use StageKind::{Blocking, Parallel, Serial, Sink, Source};

    #[test]
    fn workers_that_are_all_busy_are_the_limit_with_the_heaviest_stage() {
        let report = run(4, &[("in", Source, 2), ("a", Parallel, 6), ("b", Parallel, 30), ("out", Sink, 1)]);
        let text = report.bottleneck().expect("a run").to_string();
        assert_eq!(
            text,
            "limited by 4 workers (98 % of their time), mostly for b, then by in (20 %); one more worker: at most 1.25 times as fast"
        );
        assert!(report.to_string().ends_with(&text));
    }

    #[test]
    fn stage_that_runs_one_at_a_time_and_always_is_the_limit() {
        let report = run(4, &[("in", Source, 1), ("a", Parallel, 9), ("s", Serial, 10), ("out", Sink, 4)]);
        let bottleneck = report.bottleneck().expect("a run");
        assert_eq!(
            bottleneck.to_string(),
            "limited by s (100 % of the time), then by the workers (60 %); one more worker: at most 1.00 times as fast"
        );
        assert!(!bottleneck.is_short_of_workers());
    }

    #[test]
    fn one_more_worker_helps_until_a_stage_is_the_limit() {
        let report = run(1, &[("in", Source, 1), ("a", Parallel, 5), ("out", Sink, 4)]);
        let bottleneck = report.bottleneck().expect("a run");
        assert_eq!((bottleneck.stage().name(), bottleneck.is_short_of_workers()), ("a", true));
        assert!((bottleneck.one_more_worker() - 2.0).abs() < 1e-9, "{bottleneck}");
        let report = run(2, &[("in", Source, 1), ("a", Parallel, 12), ("out", Sink, 6)]);
        let bottleneck = report.bottleneck().expect("a run");
        assert!((bottleneck.one_more_worker() - 9.5 / (19.0 / 3.0)).abs() < 1e-9, "{bottleneck}");
    }

    #[test]
    fn only_worker_is_the_limit_though_the_source_takes_most_of_it() {
        let report = run(1, &[("in", Source, 8), ("a", Parallel, 1), ("out", Sink, 1)]);
        let bottleneck = report.bottleneck().expect("a run");
        assert_eq!((bottleneck.stage().name(), bottleneck.is_short_of_workers()), ("in", true));
        assert!(matches!(bottleneck.next(), Some((Next::Stage(stage), _)) if stage.name() == "out"));
    }

    /// The same with threads for the blocking stages.
    fn run_with(workers: usize, threads: usize, stages: &[(&'static str, StageKind, u64)]) -> Report {
        let mut report = run(workers, stages);
        for stage in report.stages.iter_mut().filter(|stage| stage.kind == Blocking) {
            stage.threads = threads;
        }
        report
    }

    #[test]
    fn blocking_stage_is_measured_by_its_own_threads_and_no_work_of_the_workers() {
        let stages = [("in", Source, 1), ("wait", Blocking, 39), ("a", Parallel, 9), ("out", Sink, 2)];
        let report = run_with(2, 4, &stages);
        assert_eq!(
            report.bottleneck().expect("a run").to_string(),
            "limited by wait (98 % of its threads' time), then by the workers (60 %); one more thread there: \
             at most 1.25 times as fast"
        );
        let report = run_with(2, 40, &stages);
        let bottleneck = report.bottleneck().expect("a run");
        assert_eq!((bottleneck.stage().name(), bottleneck.is_short_of_workers()), ("a", true));
        assert!(matches!(bottleneck.next(), Some((Next::Stage(stage), _)) if stage.name() == "out"));
        assert!(bottleneck.one_more_thread().is_none());
    }

    #[test]
    fn one_more_thread_helps_until_something_else_is_the_limit() {
        let report = run_with(2, 1, &[("in", Source, 8), ("wait", Blocking, 10), ("out", Sink, 1)]);
        let more = report.bottleneck().and_then(|bottleneck| bottleneck.one_more_thread());
        assert!(more.is_some_and(|times| (times - 10.0 / 8.0).abs() < 1e-9), "{more:?}");
    }

    #[test]
    fn blocking_stage_without_threads_is_work_of_the_workers() {
        let report = run_with(2, 0, &[("in", Source, 1), ("wait", Blocking, 18), ("out", Sink, 1)]);
        let bottleneck = report.bottleneck().expect("a run");
        assert_eq!((bottleneck.stage().name(), bottleneck.is_short_of_workers()), ("wait", true));
        assert!((report.utilisation(&report.stages[1]) - 0.9).abs() < 1e-9);
    }

    #[test]
    fn short_of_nothing_is_said() {
        let report = run(4, &[("in", Source, 1), ("a", Parallel, 5), ("out", Sink, 2)]);
        let text = report.bottleneck().expect("a run").to_string();
        assert_eq!(text, "nothing was short; a was used most (20 %)");
    }

    #[test]
    fn nothing_read_and_no_time_say_nothing() {
        let mut report = run(2, &[("in", Source, 0), ("out", Sink, 0)]);
        assert!(report.bottleneck().is_some_and(|nothing| nothing.utilisation().abs() < 1e-9));
        report.elapsed = Duration::ZERO;
        assert!(report.bottleneck().is_none() && report.utilisation(&report.stages[0]).abs() < 1e-9);
        report.elapsed = Duration::from_secs(1);
        report.read = 0;
        assert!(report.bottleneck().is_none());
    }
}
