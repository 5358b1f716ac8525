//! Which stage a run was limited by.

use std::fmt;

use super::report::{Report, StageKind, StageReport};

/// What limited a run, and what would help; made by [`Report::bottleneck`].
#[derive(Clone, Copy, Debug)]
pub struct Bottleneck<'a> {
    stage: &'a StageReport,
    by_workers: bool,
    utilisation: f64,
    next: Option<(Next<'a>, f64)>,
    one_more_worker: f64,
    workers: usize,
}

/// What comes next where a stage is the limit.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Next<'a> {
    /// Another stage that runs one item at a time.
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

    /// Whether the workers together were what was short. Otherwise it is the stage by itself, which runs one item at a time, and more
    /// workers bring nothing.
    pub fn is_short_of_workers(&self) -> bool {
        self.by_workers
    }

    /// How much of what there was of it was used, from 0 to 1: of the run's time for a stage that runs one item at a time; of all workers'
    /// time where the workers were short.
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
    /// item at a time, and all work divided by the workers, whichever is more.
    pub fn one_more_worker(&self) -> f64 {
        self.one_more_worker
    }
}

impl fmt::Display for Bottleneck<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, percent) = (self.stage.name(), self.utilisation * 100.0);
        if self.utilisation < 0.5 {
            return write!(formatter, "nothing was short; {name} was used most ({percent:.0} %)");
        }
        let limit = match (self.by_workers, self.workers) {
            (false, _) => format!("{name} ({percent:.0} % of the time)"),
            (true, 1) => format!("the one worker, mostly for {name} ({percent:.0} %)"),
            (true, count) => format!("{count} workers, mostly for {name} ({percent:.0} %)"),
        };
        write!(formatter, "limited by {limit}")?;
        if let Some((next, utilisation)) = self.next {
            write!(formatter, ", then by {next} ({:.0} %)", utilisation * 100.0)?;
        }
        write!(formatter, "; one more worker: {:.2} times as fast", self.one_more_worker)
    }
}

impl Report {
    /// How much of its share of the run a stage was busy, from 0 to 1: of the elapsed time for a stage that runs one item at a time, of all
    /// workers' time for a parallel one.
    pub fn utilisation(&self, stage: &StageReport) -> f64 {
        let there = match stage.kind() {
            StageKind::Parallel => self.elapsed().as_secs_f64() * self.workers_there(),
            StageKind::Source | StageKind::Serial | StageKind::Sink => self.elapsed().as_secs_f64(),
        };
        if there > 0.0 { (stage.busy().as_secs_f64() / there).min(1.0) } else { 0.0 }
    }

    /// What limited the run: the stage that runs one item at a time and was busy most, or the workers together, whichever was used more.
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
        let total: f64 = self.stages().iter().map(|stage| stage.busy().as_secs_f64()).sum();
        let all = (total / (self.elapsed().as_secs_f64() * self.workers_there())).min(1.0);
        let heaviest = self.stages().iter().max_by_key(|stage| stage.busy())?;
        let mut alone: Vec<_> =
            self.stages().iter().filter(|stage| stage.kind() != StageKind::Parallel).collect();
        alone.sort_by_key(|stage| std::cmp::Reverse(stage.busy()));
        let alone: Vec<_> = alone.into_iter().map(|stage| (stage, self.utilisation(stage))).collect();
        let by_workers = alone.first().is_none_or(|(_, utilisation)| all >= *utilisation);
        let (stage, utilisation) = if by_workers { (heaviest, all) } else { *alone.first()? };
        // Where one stage is the limit, the workers come next, unless another stage does.
        let others = alone.iter().filter(|(other, _)| !std::ptr::eq(*other, stage));
        let others = others.map(|(other, utilisation)| (Next::Stage(other), *utilisation)).take(1);
        let workers_next = (!by_workers).then_some((Next::Workers, all));
        let next = others.chain(workers_next).max_by(|(_, one), (_, other)| one.total_cmp(other));
        let longest = alone.first().map_or(0.0, |(stage, _)| stage.busy().as_secs_f64());
        let time = |workers: f64| longest.max(total / workers);
        let one_more_worker = match time(self.workers_there() + 1.0) {
            more if more > 0.0 => time(self.workers_there()) / more,
            _ => 1.0,
        };
        Some(Bottleneck { stage, by_workers, utilisation, next, one_more_worker, workers: self.workers() })
    }

    #[allow(clippy::cast_precision_loss)] // no more than there can be threads
    fn workers_there(&self) -> f64 {
        self.workers().max(1) as f64
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

    use StageKind::{Parallel, Serial, Sink, Source};

    #[test]
    fn workers_that_are_all_busy_are_the_limit_with_the_heaviest_stage() {
        let report = run(4, &[("in", Source, 2), ("a", Parallel, 6), ("b", Parallel, 30), ("out", Sink, 1)]);
        let text = report.bottleneck().expect("a run").to_string();
        assert_eq!(
            text,
            "limited by 4 workers, mostly for b (98 %), then by in (20 %); one more worker: 1.25 times as fast"
        );
        assert!(report.to_string().ends_with(&text));
    }

    #[test]
    fn stage_that_runs_one_at_a_time_and_always_is_the_limit() {
        let report = run(4, &[("in", Source, 1), ("a", Parallel, 9), ("s", Serial, 10), ("out", Sink, 4)]);
        let bottleneck = report.bottleneck().expect("a run");
        assert_eq!(
            bottleneck.to_string(),
            "limited by s (100 % of the time), then by the workers (60 %); one more worker: 1.00 times as fast"
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
