//! The timeline as SVG and as a trace, and the report as JSON, read by other people's parsers.
// Where the model channel stands in, its types differ from the ones that users send with.
#![cfg(not(any(gristmill_shuttle, gristmill_loom, gristmill_model_std)))]
#![allow(clippy::unwrap_used)] // helpers are test code too

use gristmill::pipeline::Report;
use gristmill::{CancellationToken, Pipeline};

const HOSTILE: &str = "a <b> & \"c\" 'd' \u{1} ]]> \\ é";

fn report(workers: usize, items: u64) -> Report {
    Pipeline::from_iter(0..items)
        .workers(workers)
        .record_timeline()
        .map("first", |number| number + 1)
        .filter(HOSTILE, |number| number % 2 == 0)
        .serial("number", |number| number)
        .map("last", |number| number * 2)
        .for_each("sink", drop)
        .run(&CancellationToken::new())
        .unwrap()
}

fn svg(report: &Report) -> String {
    let mut picture = Vec::new();
    report.timeline().unwrap().write_svg(&mut picture).unwrap();
    String::from_utf8(picture).unwrap()
}

#[test]
fn timeline_is_recorded_only_if_asked_for() {
    let report = Pipeline::from_iter(0..10).for_each("sink", drop).run(&CancellationToken::new()).unwrap();
    assert!(report.timeline().is_none());
}

#[test]
fn spans_hold_every_item_of_every_row_in_order_of_time() {
    for workers in [1, 2, 5] {
        // So few that each may have a span of its own, on a slow machine.
        let report = report(workers, 2000);
        let timeline = report.timeline().unwrap();
        assert_eq!((timeline.workers(), timeline.left_out().0), (report.workers(), 0));
        let spans = || (0..timeline.workers()).flat_map(|worker| timeline.spans(worker));
        // The source, the row of two stages, the serial one, the row of one, the sink.
        for (stage, items) in [(0, 2000), (1, 2000), (3, 1000), (4, 1000), (5, 1000)] {
            let sum: u64 =
                spans().filter(|span| span.stage() == stage).map(gristmill::pipeline::Span::items).sum();
            assert_eq!(sum, items, "stage {stage}");
        }
        assert!(spans().all(|span| span.start() <= span.end() && span.end() <= report.elapsed()));
        for worker in 0..timeline.workers() {
            let spans = timeline.spans(worker);
            assert!(spans.windows(2).all(|pair| pair[0].end() <= pair[1].start()));
        }
    }
}

#[test]
fn svg_is_well_formed_whatever_the_stages_are_called() {
    for (workers, items) in [(1, 0), (1, 1), (2, 5_000), (64, 5_000)] {
        let report = report(workers, items);
        let text = svg(&report);
        let picture = roxmltree::Document::parse(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        let root = picture.root_element();
        assert_eq!(root.tag_name().namespace(), Some("http://www.w3.org/2000/svg"));
        let texts: Vec<&str> = root.descendants().filter_map(|node| node.text()).collect();
        // A control character cannot be in XML in any form.
        let name = format!("first + {}", HOSTILE.replace('\u{1}', "\u{fffd}"));
        assert!(texts.contains(&name.as_str()), "{texts:?}");
        for worker in 0..report.workers() {
            assert!(texts.contains(&format!("worker {worker}").as_str()));
        }
        let numbers = root
            .descendants()
            .flat_map(|node| node.attributes())
            .filter(|attribute| matches!(attribute.name(), "x" | "y" | "width" | "height"));
        assert!(numbers.filter_map(|attribute| attribute.value().parse::<f64>().ok()).all(f64::is_finite));
        assert!(!text.contains("NaN") && !text.contains("inf\""));
    }
}

#[cfg(feature = "serde")]
mod data {
    use super::*;
    use serde::Deserialize;
    use std::collections::BTreeMap;

    /// The object form of a trace, as "Trace Event Format" has it, with the phases that are used here and nothing else.
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields, rename_all = "camelCase")]
    struct Trace {
        #[serde(rename = "traceEvents")]
        events: Vec<Event>,
        display_time_unit: String,
        other_data: BTreeMap<String, u64>,
    }

    #[derive(Deserialize)]
    #[serde(tag = "ph", deny_unknown_fields)]
    enum Event {
        X { name: String, cat: String, ts: f64, dur: f64, pid: u32, tid: u32, args: BTreeMap<String, u64> },
        C { name: String, ts: f64, pid: u32, args: BTreeMap<String, u64> },
        M { name: String, pid: u32, tid: u32, args: BTreeMap<String, String> },
    }

    #[test]
    fn trace_has_a_thread_for_each_worker_its_spans_and_the_counters() {
        let report = report(3, 20_000);
        let mut bytes = Vec::new();
        report.timeline().unwrap().write_trace(&mut bytes).unwrap();
        let trace: Trace = serde_json::from_slice(&bytes).unwrap();
        assert!(matches!(trace.display_time_unit.as_str(), "ms" | "ns"));
        assert_eq!(trace.other_data["short_spans_left_out"], 0);
        let (mut items, mut threads, mut counters) = (BTreeMap::new(), Vec::new(), BTreeMap::new());
        let elapsed = report.elapsed().as_secs_f64() * 1e6;
        for event in trace.events {
            match event {
                Event::X { name, cat, ts, dur, pid, tid, args } => {
                    assert!(ts >= 0.0 && dur >= 0.0 && ts + dur <= elapsed + 1.0);
                    assert!((pid, cat.as_str()) == (1, "pipeline") && tid < 3);
                    *items.entry(name).or_insert(0) += args["items"];
                }
                Event::C { name, ts, pid, args } => {
                    assert!(pid == 1 && ts >= 0.0 && args.len() == 1);
                    *counters.entry(name).or_insert(0) += 1;
                }
                Event::M { name, pid, tid, args } => {
                    assert_eq!(pid, 1);
                    if name == "thread_name" {
                        threads.push((tid, args["name"].clone()));
                    }
                }
            }
        }
        assert_eq!(threads, [0, 1, 2].map(|worker| (worker, format!("worker {worker}"))));
        let row = format!("first + {HOSTILE}");
        let names = ["source", row.as_str(), "number", "last", "sink"].map(str::to_owned);
        let expected: BTreeMap<_, u64> =
            names.into_iter().zip([20_000, 20_000, 10_000, 10_000, 10_000]).collect();
        assert_eq!(items, expected);
        assert_eq!(counters["in flight"], report.queue_samples().len());
        assert_eq!(counters.len(), 5);
    }

    #[test]
    fn report_has_the_documented_fields() {
        let report = report(2, 100);
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!((json["read"].as_u64(), json["workers"].as_u64()), (Some(100), Some(2)));
        let fields = |value: &serde_json::Value| -> Vec<String> {
            value.as_object().unwrap().keys().cloned().collect()
        };
        let expected = "bottleneck elapsed_ns finished idle_ns latency missing_workers queue_samples read stages unfinished workers";
        assert_eq!(fields(&json).join(" "), expected);
        let stage = &json["stages"][2];
        assert_eq!(
            fields(stage).join(" "),
            "blocked_ns busy_ns failed filtered items_in items_out kind latency missing_threads name panicked starved_ns threads undone utilisation waiting_ns"
        );
        assert_eq!(stage["name"].as_str(), Some(HOSTILE));
        assert_eq!((stage["kind"].as_str(), stage["filtered"].as_u64()), (Some("parallel"), Some(50)));
        assert_eq!(fields(&stage["latency"]).join(" "), "count max_ns p50_ns p90_ns p99_ns");
        assert_eq!(u128::from(json["elapsed_ns"].as_u64().unwrap()), report.elapsed().as_nanos());
        assert_eq!(json["queue_samples"].as_array().unwrap().len(), report.queue_samples().len());
    }
}
