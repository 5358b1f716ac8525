//! Reports and timelines for other programs: JSON by serde, and the trace event format (feature `serde`).

use std::io;

use serde::ser::{Serialize, Serializer};

use crate::observe::Quantiles;
use crate::sync::time::Duration;

use super::report::Report;
use super::timed::nanoseconds;
use super::timeline::{Span, Timeline};

#[derive(serde::Serialize)]
struct QuantilesData {
    count: u64,
    p50_ns: u64,
    p90_ns: u64,
    p99_ns: u64,
    max_ns: u64,
}

impl From<Quantiles> for QuantilesData {
    fn from(quantiles: Quantiles) -> Self {
        let [p50_ns, p90_ns, p99_ns, max_ns] =
            [quantiles.p50(), quantiles.p90(), quantiles.p99(), quantiles.max()].map(nanoseconds);
        Self { count: quantiles.count(), p50_ns, p90_ns, p99_ns, max_ns }
    }
}

#[derive(serde::Serialize)]
struct StageData<'a> {
    name: &'a str,
    kind: String,
    items_in: u64,
    items_out: u64,
    filtered: u64,
    failed: u64,
    panicked: u64,
    undone: u64,
    threads: usize,
    missing_threads: usize,
    busy_ns: u64,
    waiting_ns: u64,
    starved_ns: u64,
    blocked_ns: u64,
    utilisation: f64,
    latency: QuantilesData,
}

#[derive(serde::Serialize)]
struct BottleneckData<'a> {
    stage: &'a str,
    is_short_of_workers: bool,
    utilisation: f64,
    one_more_worker: f64,
    one_more_thread: Option<f64>,
}

#[derive(serde::Serialize)]
struct SampleData<'a> {
    at_ns: u64,
    in_flight: usize,
    queued: &'a [usize],
}

#[derive(serde::Serialize)]
struct ReportData<'a> {
    read: u64,
    finished: u64,
    unfinished: u64,
    workers: usize,
    missing_workers: usize,
    elapsed_ns: u64,
    idle_ns: u64,
    latency: QuantilesData,
    stages: Vec<StageData<'a>>,
    bottleneck: Option<BottleneckData<'a>>,
    queue_samples: Vec<SampleData<'a>>,
}

/// As a map with these fields, which stay as they are: `read`, `finished`, `unfinished`, `workers`, `missing_workers`, `elapsed_ns`, `idle_ns`,
/// `latency`, `stages`, `bottleneck` (or null) and `queue_samples`, each as the method of that name gives it. A stage has `name`, `kind`,
/// `items_in`, `items_out`, `filtered`, `failed`, `panicked`, `undone`, `threads`, `missing_threads`, `busy_ns`, `waiting_ns`, `starved_ns`, `blocked_ns`, `utilisation` and `latency`; a
/// latency has `count`, `p50_ns`, `p90_ns`, `p99_ns` and `max_ns`; the bottleneck has `stage`, `is_short_of_workers`, `utilisation`,
/// `one_more_worker` and `one_more_thread` (or null); a sample has `at_ns`, `in_flight` and `queued`. What ends in `_ns` is whole nanoseconds. Fields may be added. The timeline
/// is left out: [`Timeline::write_trace`].
impl Serialize for Report {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        data(self).serialize(serializer)
    }
}

fn data(report: &Report) -> ReportData<'_> {
    let stages = report.stages().iter().map(|stage| StageData {
        name: stage.name(),
        kind: stage.kind().to_string(),
        items_in: stage.items_in(),
        items_out: stage.items_out(),
        filtered: stage.filtered(),
        failed: stage.failed(),
        panicked: stage.panicked(),
        undone: stage.undone(),
        threads: stage.threads(),
        missing_threads: stage.missing_threads(),
        busy_ns: nanoseconds(stage.busy()),
        waiting_ns: nanoseconds(stage.waiting()),
        starved_ns: nanoseconds(stage.starved()),
        blocked_ns: nanoseconds(stage.blocked()),
        utilisation: report.utilisation(stage),
        latency: stage.latency().into(),
    });
    let bottleneck = report.bottleneck().map(|bottleneck| BottleneckData {
        stage: bottleneck.stage().name(),
        is_short_of_workers: bottleneck.is_short_of_workers(),
        utilisation: bottleneck.utilisation(),
        one_more_worker: bottleneck.one_more_worker(),
        one_more_thread: bottleneck.one_more_thread(),
    });
    let samples = report.queue_samples().iter();
    let samples = samples.map(|sample| SampleData {
        at_ns: nanoseconds(sample.at()),
        in_flight: sample.in_flight(),
        queued: sample.queued(),
    });
    ReportData {
        read: report.read(),
        finished: report.finished(),
        unfinished: report.unfinished(),
        workers: report.workers(),
        missing_workers: report.missing_workers(),
        elapsed_ns: nanoseconds(report.elapsed()),
        idle_ns: nanoseconds(report.idle()),
        latency: report.latency().into(),
        stages: stages.collect(),
        bottleneck,
        queue_samples: samples.collect(),
    }
}

/// One process, the run.
const PROCESS: u32 = 1;

/// An event of the trace, by its phase.
#[derive(serde::Serialize)]
#[serde(tag = "ph")]
enum Event<'a> {
    /// A span.
    X { name: &'a str, cat: &'static str, ts: f64, dur: f64, pid: u32, tid: usize, args: Items },
    /// A counter.
    C { name: String, ts: f64, pid: u32, args: Items },
    /// The name of a thread or of the process.
    M { name: &'static str, pid: u32, tid: usize, args: Named },
}

#[derive(serde::Serialize)]
struct Items {
    items: u64,
}

#[derive(serde::Serialize)]
struct Named {
    name: String,
}

#[derive(serde::Serialize)]
struct LeftOut {
    short_spans_left_out: u64,
    time_left_out_ns: u64,
}

#[derive(serde::Serialize)]
#[serde(rename_all = "camelCase")]
struct Trace<'a> {
    #[serde(rename = "traceEvents")]
    events: Vec<Event<'a>>,
    display_time_unit: &'static str,
    other_data: LeftOut,
}

fn microseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

impl Timeline {
    /// Writes the timeline in the trace event format, which Perfetto (<https://ui.perfetto.dev>) and `chrome://tracing` open: the threads,
    /// what they were at as spans with the number of items, the queues and what was in flight as counters. Needs the feature `serde`.
    ///
    /// The format is described in "Trace Event Format" (Google, 2016); times are in microseconds since the start of the run. How many short
    /// spans were left out, see [`left_out`](Self::left_out), stands in `otherData`.
    ///
    /// # Errors
    /// Those of the writer.
    ///
    /// # Examples
    /// ```
    /// use gristmill::{CancellationToken, Pipeline};
    ///
    /// let report = Pipeline::from_iter(0..1000_u64)
    ///     .record_timeline()
    ///     .map("square", |number| number * number)
    ///     .for_each("drop", drop)
    ///     .run(&CancellationToken::new())?;
    /// let mut trace = Vec::new(); // or a file, behind a `BufWriter`
    /// report.timeline().expect("it was recorded").write_trace(&mut trace)?;
    /// let trace: serde_json::Value = serde_json::from_slice(&trace)?;
    /// assert!(trace["traceEvents"].is_array());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn write_trace(&self, writer: impl io::Write) -> io::Result<()> {
        let mut events = vec![Event::M {
            name: "process_name",
            pid: PROCESS,
            tid: 0,
            args: Named { name: "pipeline".to_owned() },
        }];
        for worker in 0..self.workers() {
            let name = self.name(worker).to_owned();
            events.push(Event::M { name: "thread_name", pid: PROCESS, tid: worker, args: Named { name } });
            events.extend(self.spans(worker).iter().map(|span| self.event(worker, span)));
        }
        for sample in &self.samples {
            let ts = microseconds(sample.at());
            let counter =
                |name, items: usize| Event::C { name, ts, pid: PROCESS, args: Items { items: items as u64 } };
            events.push(counter("in flight".to_owned(), sample.in_flight()));
            // Nothing ever waits in front of the source.
            for row in self.rows.iter().skip(1) {
                events.push(counter(format!("waiting for {}", row.name), sample.queued()[row.stage]));
            }
        }
        let (short_spans_left_out, time) = self.left_out();
        let other_data = LeftOut { short_spans_left_out, time_left_out_ns: nanoseconds(time) };
        let trace = Trace { events, display_time_unit: "ns", other_data };
        serde_json::to_writer(writer, &trace).map_err(io::Error::from)
    }

    fn event(&self, worker: usize, span: &Span) -> Event<'_> {
        Event::X {
            name: &self.rows[self.row(span)].name,
            cat: "pipeline",
            ts: microseconds(span.start()),
            dur: microseconds(span.length()),
            pid: PROCESS,
            tid: worker,
            args: Items { items: span.items() },
        }
    }
}
