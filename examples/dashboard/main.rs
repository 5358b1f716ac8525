//! `dashboard`: a batch that calls an unreliable service, seen live in the terminal and by Prometheus.
//!
//! Orders go through a pipeline. One of its stages asks a service that is slow now and then, busy now and then and down for a while; its calls are
//! under a retry, a rate limiter and a circuit breaker, each within the one before. The terminal shows what each of them does, and what they
//! measure is served on loopback in the format of Prometheus. What came of the orders goes to standard output.
//!
//! ```sh
//! cargo run --release --features metrics,progress --example dashboard
//! cargo run --release --features metrics,progress --example dashboard -- --orders 20000 --port 9184
//! ```

#![allow(clippy::disallowed_methods, reason = "the door for clock, threads and sleep is the library's own")]

mod bureau;
#[path = "../common/endpoint.rs"]
mod endpoint;
mod orders;
mod screen;
#[path = "../common/signals.rs"]
mod signals;

use std::error::Error;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use gristmill::CancellationToken;
use gristmill::watch::Publisher;
use metrics_exporter_prometheus::PrometheusBuilder;

use crate::endpoint::Endpoint;
use crate::orders::{Batch, Outcome};
use crate::screen::Screen;

/// Rates orders with the help of a service that fails now and then, and shows how that goes.
#[derive(Debug, Parser)]
#[command(name = "dashboard", version)]
struct Arguments {
    /// How many orders there are
    #[arg(long, default_value_t = 5000)]
    orders: u64,
    /// The port of the endpoint, on loopback; 0 takes a free one
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Read the endpoint at the end, and compare it with what the parts say
    #[arg(long)]
    check: bool,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("dashboard: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let batch = Batch::new()?;
    let endpoint = serve(&batch, arguments.port)?;
    eprintln!("http://{}/metrics", endpoint.address());
    let token = CancellationToken::new();
    let signals = signals::cancel_on_signal(&token, || ())?;
    let screen = Screen::show(&batch)?;
    let outcome = batch.run(arguments.orders, &token);
    drop(screen);
    drop(signals);
    let outcome = outcome?;
    print(&outcome);
    if arguments.check { check(&batch, &outcome, endpoint.address()) } else { Ok(()) }
}

/// Each answer is made of what the parts say at that moment.
fn serve(batch: &Batch, port: u16) -> Result<Endpoint, Box<dyn Error>> {
    let recorder = PrometheusBuilder::new().build_recorder();
    let handle = recorder.handle();
    metrics::set_global_recorder(recorder).map_err(|_| "there is a recorder already")?;
    let publisher = Arc::new(Publisher::new([("batch", "orders")])?);
    let batch = batch.clone();
    let render = move || {
        publisher.publish(&batch.monitor.snapshot());
        publisher.publish(&batch.limiter.report());
        publisher.publish(&batch.breaker.report());
        publisher.publish(&batch.retry.report());
        handle.render()
    };
    Ok(Endpoint::open(port, render)?)
}

fn print(outcome: &Outcome) {
    let Outcome { ratings, unknown, given_up, report } = outcome;
    let rated: u64 = ratings.iter().sum();
    println!("{rated} orders rated, {unknown} of unknown customers, {given_up} given up");
    println!("ratings 0 to 4: {ratings:?}");
    println!("{report}");
}

/// The endpoint says what the parts say, and no order is missing.
fn check(batch: &Batch, outcome: &Outcome, address: SocketAddr) -> Result<(), Box<dyn Error>> {
    let text = endpoint::scrape(address)?;
    let (breaker, retry, rate) = (batch.breaker.report(), batch.retry.report(), batch.limiter.report());
    let finished = outcome.report.finished();
    let series = [
        ("gristmill_pipeline_items_finished_total{batch=\"orders\"}", finished),
        ("gristmill_limiter_permits_taken_total{batch=\"orders\"}", rate.acquired),
        ("gristmill_breaker_openings_total{batch=\"orders\"}", breaker.openings),
        ("gristmill_retry_attempts_total{batch=\"orders\"}", retry.attempts),
    ];
    for (series, expected) in series {
        let there =
            endpoint::value(&text, series).ok_or_else(|| format!("{series} is missing in:\n{text}"))?;
        #[allow(clippy::cast_precision_loss)] // a count of some thousands
        let expected = expected as f64;
        if (there - expected).abs() > 0.5 {
            return Err(format!("{series} is {there} instead of {expected}").into());
        }
    }
    let ended = outcome.ratings.iter().sum::<u64>() + (outcome.unknown + outcome.given_up) as u64;
    if ended != finished || breaker.openings == 0 || retry.succeeded_after_retry == 0 {
        return Err(format!("{ended} of {finished} orders, {breaker:?}, {retry:?}").into());
    }
    println!("scraped: as the parts say");
    Ok(())
}
