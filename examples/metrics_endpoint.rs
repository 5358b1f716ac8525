//! A pool and a pipeline at work, and their figures as a Prometheus endpoint on loopback.
//!
//! ```text
//! cargo run --release --features metrics --example metrics_endpoint            # serves until it is interrupted; the address is printed
//! cargo run --release --features metrics --example metrics_endpoint -- --check # reads itself, compares, ends
//! ```
//! Each answer is made from what the parts say at that moment. A program that serves elsewhere publishes at an interval instead, with
//! `Publisher::watch`.

#[path = "common/endpoint.rs"]
mod endpoint;

use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;

use gristmill::observe::{Measured, Unit};
use gristmill::pipeline::PipelineMonitor;
use gristmill::watch::Publisher;
use gristmill::{CancellationToken, Pipeline, Submitter, ThreadPool};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

use crate::endpoint::{Endpoint, scrape, value};

/// What is served.
struct Mill {
    pool: Submitter<'static>,
    monitor: PipelineMonitor,
    of_pool: Publisher,
    of_pipeline: Publisher,
    handle: PrometheusHandle,
}

impl Mill {
    fn render(&self) -> String {
        self.of_pool.publish(&self.pool.snapshot());
        self.of_pipeline.publish(&self.monitor.snapshot());
        self.handle.render()
    }
}

/// Every figure of the part is in the text: counts with a value between those that they had before and after, and those that may move up and down with
/// the time in between with any; how many there are.
fn compare(text: &str, part: &str, before: &dyn Measured, after: &dyn Measured) -> Result<usize, String> {
    let (mut count, mut wrong) = (0, Vec::new());
    before.measure(&mut |measurement| {
        let labels: Vec<_> = measurement.labels().collect();
        let mut all: Vec<_> = labels.iter().map(|(name, value)| format!("{name}=\"{value}\"")).collect();
        all.push(part.to_owned());
        let series = format!("{}{{{}}}", measurement.metric.name, all.join(","));
        let one = measurement.value.as_f64();
        let other = after.measured(measurement.metric.name, &labels).unwrap_or(f64::NAN);
        let (least, most) = (one.min(other), one.max(other));
        let may_move = measurement.metric.unit != Unit::Count;
        // Printing and reading may round.
        let is_between =
            |there: f64| may_move || there >= least * (1.0 - 1e-9) && there <= most * (1.0 + 1e-9);
        let there = value(text, &series);
        if !there.is_some_and(is_between) {
            wrong.push(format!("{series}: {there:?}, and not from {least} to {most}"));
        }
        count += 1;
    });
    if wrong.is_empty() { Ok(count) } else { Err(wrong.join("\n")) }
}

/// Some tasks in the pool, one of which fails, and some items through the pipeline.
fn work(pool: &ThreadPool, monitor: &PipelineMonitor) -> Result<(), Box<dyn Error>> {
    for number in 0..100_u64 {
        drop(pool.task().fallible().submit(move |_| if number == 13 { Err("unlucky") } else { Ok(number) })?);
    }
    let source = Pipeline::from_iter(0..1000_u64).workers(2).monitored_by(monitor);
    source
        .map("square", |number| number * number)
        .filter("even", |number| number % 2 == 0)
        .for_each("drop", drop)
        .run(&CancellationToken::new())?;
    Ok(pool.wait()?)
}

/// Reads the endpoint and holds it against the snapshots.
fn check(mill: &Mill, address: SocketAddr) -> Result<(), Box<dyn Error>> {
    let (pool, pipeline) = (mill.pool.snapshot(), mill.monitor.snapshot());
    let text = scrape(address)?;
    let of_pool = compare(&text, "pool=\"demo\"", &pool, &mill.pool.snapshot())?;
    let of_pipeline = compare(&text, "pipeline=\"demo\"", &pipeline, &mill.monitor.snapshot())?;
    if of_pool < 20 || of_pipeline < 10 {
        return Err(format!("only {of_pool} and {of_pipeline} figures").into());
    }
    let known = [
        ("gristmill_pool_tasks_submitted_total{pool=\"demo\"}", 100.0),
        ("gristmill_pool_tasks_total{outcome=\"succeeded\",pool=\"demo\"}", 99.0),
        ("gristmill_pool_tasks_total{outcome=\"failed\",pool=\"demo\"}", 1.0),
        ("gristmill_pool_error_ratio{pool=\"demo\"}", 0.01),
        ("gristmill_pipeline_items_finished_total{pipeline=\"demo\"}", 1000.0),
        ("gristmill_pipeline_items_in_flight{pipeline=\"demo\"}", 0.0),
    ];
    for (series, expected) in known {
        let there = value(&text, series).ok_or_else(|| format!("{series} is missing"))?;
        if (there - expected).abs() > 1e-9 {
            return Err(format!("{series} is {there} instead of {expected}").into());
        }
    }
    let kind = "# TYPE gristmill_pool_tasks_total counter";
    let help = "# HELP gristmill_pool_tasks_queued Tasks that have not started";
    for line in [kind, help] {
        if !text.contains(line) {
            return Err(format!("no line begins with {line:?}").into());
        }
    }
    println!("scraped: every figure of the pool and of the pipeline, as in their snapshots");
    println!("99 tasks succeeded, 1 failed, 1000 items finished");
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let checks = match std::env::args().nth(1).as_deref() {
        None => false,
        Some("--check") => true,
        Some(other) => {
            eprintln!("metrics_endpoint: what is {other:?}?\nUsage: metrics_endpoint [--check]");
            std::process::exit(2);
        }
    };
    let recorder = PrometheusBuilder::new().build_recorder();
    let handle = recorder.handle();
    metrics::set_global_recorder(recorder).map_err(|_| "there is a recorder already")?;

    let pool = ThreadPool::builder().workers(2).build()?;
    let mill = Arc::new(Mill {
        pool: pool.submitter().clone(),
        monitor: PipelineMonitor::new(),
        of_pool: Publisher::new([("pool", "demo")])?,
        of_pipeline: Publisher::new([("pipeline", "demo")])?,
        handle,
    });
    let endpoint = {
        let mill = Arc::clone(&mill);
        Endpoint::open(0, move || mill.render())?
    };
    eprintln!("http://{}/metrics", endpoint.address());
    work(&pool, &mill.monitor)?;
    if checks {
        return check(&mill, endpoint.address());
    }
    loop {
        thread::park(); // until it is interrupted
    }
}
