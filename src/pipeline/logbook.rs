//! What one worker notes of its own time: which station it is at, the spans of the timeline, and why it had nothing to do.

use std::sync::Arc;

use crate::sync::time::{Duration, Instant};

use super::board::{Board, Steps};
use super::flow::{Flow, judge};
use super::monitor::PipelineMonitor;
use super::run::Run;
use super::tally::Tally;
use super::timeline::Spans;

/// Time between two looks at the rules of a monitor, by each worker.
const CHECK_EVERY: Duration = if cfg!(any(gristmill_shuttle, gristmill_loom)) {
    Duration::from_micros(2)
} else {
    Duration::from_millis(10)
};

/// See the module.
#[derive(Debug)]
pub(super) struct Logbook {
    board: Arc<Board>,
    worker: usize,
    entered: Option<(usize, Instant)>,
    /// When the queues are to be looked at next.
    sample_at: Instant,
    monitor: Option<PipelineMonitor>,
    check_at: Instant,
    spans: Option<Spans>,
    /// What each station did when this worker last looked around, and when that was; until it finds work it is taken to last.
    flows: Vec<Flow>,
    seen: Option<Instant>,
    starved: Vec<Duration>,
    blocked: Vec<Duration>,
    /// Room for looking around.
    occupied: Vec<bool>,
}

impl Logbook {
    pub(super) fn new(board: Arc<Board>, worker: usize, monitor: Option<PipelineMonitor>) -> Self {
        let zero = vec![Duration::ZERO; board.stations.len()];
        Self {
            worker,
            entered: None,
            sample_at: board.started,
            monitor,
            check_at: board.started,
            spans: board.timeline.then(|| Spans::new(board.threads())),
            flows: Vec::new(),
            seen: None,
            starved: zero.clone(),
            blocked: zero,
            occupied: Vec::new(),
            board,
        }
    }

    /// The worker begins with items at that station.
    #[inline]
    pub(super) fn enter(&mut self, stage: usize, now: Instant) {
        self.entered = Some((stage, now));
        self.board.enter(self.worker, stage, now);
    }

    /// Where it notes that it goes on to another call there.
    #[inline]
    pub(super) fn steps(&self) -> Steps<'_> {
        self.board.steps(self.worker)
    }

    /// It has dealt with so many.
    #[inline]
    pub(super) fn leave(&mut self, items: usize, now: Instant) {
        self.board.leave(self.worker);
        let Some((stage, start)) = self.entered.take() else { return };
        self.board.count(self.worker, stage, items);
        if let Some(spans) = &mut self.spans {
            spans.add(stage, self.board.since_start(start), self.board.since_start(now), items);
        }
    }

    /// Looks at the queues if it is time to.
    #[inline]
    pub(super) fn sample<E>(&mut self, run: &Run<E>, now: Instant) {
        if now >= self.sample_at {
            self.take_sample(run, now);
        }
    }

    fn take_sample<E>(&mut self, run: &Run<E>, now: Instant) {
        // Who finds it taken comes again: somebody else is just looking.
        if let Some(mut samples) = self.board.samples.try_lock() {
            let at = self.board.since_start(now);
            let next = samples.take(at, run.in_flight(), |stage| self.board.queued(stage));
            self.sample_at = now + next.saturating_sub(at);
        }
    }

    /// Asks the rules of the monitor if it is time to; whether it has.
    #[inline]
    pub(super) fn check<E>(&mut self, run: &Run<E>, now: Instant) -> bool {
        let Some(monitor) = self.monitor.as_ref().filter(|_| now >= self.check_at) else { return false };
        {
            self.check_at = now + CHECK_EVERY;
            // It may take long, and whoever has just made room or results relies on this worker.
            run.call_for_work();
            monitor.check();
        }
        true
    }

    /// Has had nothing to do since `since`: sees why.
    pub(super) fn look_around<E>(&mut self, run: &Run<E>, since: Instant, now: Instant) {
        let since = self.end_idle(now).unwrap_or(since);
        self.occupied.clear();
        self.occupied.resize(self.board.stages(), false);
        for stage in self.board.at_work() {
            self.occupied[stage] = true;
        }
        let (board, occupied) = (&self.board, &self.occupied);
        let at_work = |stage: usize| occupied[stage];
        judge(&board.stations, |stage| board.queued(stage), at_work, run.is_full(), &mut self.flows);
        self.seen = Some(since);
        self.sample(run, now);
    }

    /// Charges the time since the last look to the stations; gives `now` if there was one.
    pub(super) fn end_idle(&mut self, now: Instant) -> Option<Instant> {
        let since = self.seen.take()?;
        let spent = now.saturating_duration_since(since);
        for (station, flow) in self.flows.iter().enumerate() {
            match flow {
                Flow::Runs => {}
                Flow::Starves => self.starved[station] += spent,
                Flow::Blocked => self.blocked[station] += spent,
            }
        }
        Some(now)
    }

    pub(super) fn settle(&self, tally: &mut Tally) {
        for (index, station) in self.board.stations.iter().enumerate() {
            for stage in &mut tally.stages[station.first..station.end] {
                stage.starved += self.starved[index];
                stage.blocked += self.blocked[index];
            }
        }
        if let Some(spans) = &self.spans {
            tally.spans.push((self.worker, spans.clone()));
        }
    }
}
