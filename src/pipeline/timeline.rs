//! What each worker was at and when: recorded while a run goes on, in bounded memory.
//!
//! When a worker's spans are too many, short ones are left out and counted, and neighbours are joined: what is kept covers the whole run, with
//! the longest spans in it.

use crate::sync::time::Duration;

use super::queues::QueueSample;

/// The most spans that all threads keep together, unless there are more than 128 workers.
const MOST: usize = 1 << 16;
const LEAST_EACH: usize = 512;

/// The shortest span that is kept once the first ones are left out.
const FIRST_GRAIN: Duration = Duration::from_micros(1);

/// A stretch of time that a thread spent at one station of the pipeline.
///
/// ```
/// use gristmill::{CancellationToken, Pipeline};
///
/// let report = Pipeline::from_iter(0..100)
///     .workers(1)
///     .record_timeline()
///     .map("double", |n| n * 2)
///     .for_each("count", drop)
///     .run(&CancellationToken::new())?;
/// let timeline = report.timeline().expect("it was recorded");
/// for span in timeline.spans(0) {
///     assert!(span.start() <= span.end() && span.end() <= report.elapsed());
///     println!("{}: {} items", report.stages()[span.stage()].name(), span.items());
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub(super) stage: usize,
    pub(super) start: Duration,
    pub(super) end: Duration,
    pub(super) items: u64,
}

impl Span {
    /// The number of the stage in [`Report::stages`](super::Report::stages); the first one, for a row of parallel stages, which run as one.
    pub fn stage(&self) -> usize {
        self.stage
    }

    /// When it began, since the start of the run.
    pub fn start(&self) -> Duration {
        self.start
    }

    /// When it ended, since the start of the run.
    pub fn end(&self) -> Duration {
        self.end
    }

    /// How many items the worker dealt with; for the source, how many it read.
    pub fn items(&self) -> u64 {
        self.items
    }

    pub(super) fn length(&self) -> Duration {
        self.end.saturating_sub(self.start)
    }
}

/// The spans of one worker.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Spans {
    kept: Vec<Span>,
    most: usize,
    /// Spans shorter than this are left out, and gaps shorter than this are closed. Zero while all are kept.
    grain: Duration,
    left_out: u64,
    left_out_time: Duration,
}

impl Spans {
    pub(super) fn new(workers: usize) -> Self {
        Self { most: (MOST / workers.max(1)).max(LEAST_EACH), ..Self::default() }
    }

    pub(super) fn add(&mut self, stage: usize, start: Duration, end: Duration, items: usize) {
        if self.kept.len() >= self.most {
            // What is half the run long twice over does not exist, so this ends.
            while self.kept.len() > self.most / 2 {
                *self = self.with_grain((self.grain * 2).max(FIRST_GRAIN));
            }
        }
        self.push(Span { stage, start, end, items: items as u64 });
    }

    fn push(&mut self, span: Span) {
        if let Some(last) = self.kept.last_mut().filter(|_| !self.grain.is_zero()) {
            if last.stage == span.stage && span.start.saturating_sub(last.end) <= self.grain {
                last.end = span.end;
                last.items = last.items.saturating_add(span.items);
                return;
            }
        }
        if span.length() < self.grain {
            self.left_out += 1;
            self.left_out_time += span.length();
        } else {
            self.kept.push(span);
        }
    }

    /// The same, with no span shorter than this.
    fn with_grain(&self, grain: Duration) -> Self {
        let mut coarse = Self { kept: Vec::new(), grain, ..*self };
        self.kept.iter().for_each(|span| coarse.push(*span));
        coarse
    }
}

/// A row of stages that run as one, or a stage that runs one item at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    /// The number of its first stage, which spans name.
    pub(super) stage: usize,
    /// The names of its stages.
    pub(super) name: String,
}

/// What each thread of a run was at and when, if [recorded](super::Pipeline::record_timeline), in a [`Report`](super::Report).
///
/// At most 65 536 spans are kept (512 for each thread where there are more than 128). When a thread has more, its shortest ones are left out and
/// counted, and neighbours of the same stage are joined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timeline {
    pub(super) elapsed: Duration,
    pub(super) rows: Vec<Row>,
    /// By thread.
    pub(super) lanes: Vec<Spans>,
    /// What each thread is called.
    pub(super) names: Vec<String>,
    pub(super) samples: Vec<QueueSample>,
}

impl Timeline {
    /// How many threads there were: the workers, and behind them those of the blocking stages, stage by stage.
    pub fn workers(&self) -> usize {
        self.lanes.len()
    }

    /// What a thread is: `worker 0` is the calling thread, `worker 1` the one that is named `gristmill-1`, and `fetch 1` the first one of a
    /// blocking stage `fetch`, `gristmill-fetch-1`. The name of a [span's stage](Span::stage) is in the [report](super::Report::stages).
    ///
    /// # Panics
    /// If there is no thread of that number.
    pub fn name(&self, worker: usize) -> &str {
        &self.names[worker]
    }

    /// The spans of a thread, in the order of time; they do not overlap.
    ///
    /// # Panics
    /// If there is no thread of that number.
    pub fn spans(&self, worker: usize) -> &[Span] {
        &self.lanes[worker].kept
    }

    /// How many spans were left out because there were too many, all threads together, and how long they were in sum.
    pub fn left_out(&self) -> (u64, Duration) {
        let sum =
            |(count, time): (u64, Duration), lane: &Spans| (count + lane.left_out, time + lane.left_out_time);
        self.lanes.iter().fold((0, Duration::ZERO), sum)
    }

    /// The place in `rows` of what a span was at.
    pub(super) fn row(&self, span: &Span) -> usize {
        self.rows.iter().position(|row| row.stage == span.stage).unwrap_or(0)
    }
}

#[cfg(all(test, not(any(gristmill_shuttle, gristmill_loom))))]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn micros(micros: u64) -> Duration {
        Duration::from_micros(micros)
    }

    #[test]
    fn spans_are_kept_as_they_are_while_there_is_room() {
        let mut spans = Spans::new(1);
        for at in 0..MOST as u64 {
            spans.add(1, micros(at), micros(at) + Duration::from_nanos(10), 1);
        }
        assert_eq!((spans.kept.len(), spans.left_out), (MOST, 0));
    }

    #[test]
    fn neighbours_are_joined_before_anything_is_left_out() {
        let mut spans = Spans::new(1);
        for at in 0..MOST as u64 * 4 {
            spans.add(1, micros(at), micros(at + 1), 3);
        }
        assert_eq!(spans.left_out, 0);
        assert_eq!(spans.kept.iter().map(|span| span.items).sum::<u64>(), MOST as u64 * 12);
        assert_eq!(spans.kept.last().unwrap().end, micros(MOST as u64 * 4));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, cases: 64, ..ProptestConfig::default() })]

        #[test]
        fn what_is_kept_is_in_order_within_the_bound_and_the_time_left_out_is_counted(
            workers in 1..200_usize,
            spans in prop::collection::vec((0..3_usize, 0..4_000_u64, 0..4_000_u64), 1..3_000),
        ) {
            let mut kept = Spans { most: 64, ..Spans::new(workers) };
            let (mut now, mut busy) = (Duration::ZERO, Duration::ZERO);
            for (stage, gap, length) in &spans {
                let start = now + Duration::from_nanos(*gap);
                now = start + Duration::from_nanos(*length);
                busy += now.saturating_sub(start);
                kept.add(*stage, start, now, 1);
            }
            prop_assert!(kept.kept.len() <= 64);
            prop_assert!(kept.kept.windows(2).all(|pair| pair[0].end <= pair[1].start && pair[0].start <= pair[0].end));
            let items: u64 = kept.kept.iter().map(|span| span.items).sum();
            prop_assert!(items + kept.left_out <= spans.len() as u64);
            let shown: Duration = kept.kept.iter().map(Span::length).sum();
            prop_assert!(shown + kept.left_out_time >= busy);
        }
    }
}
