//! Figures in the recorder of the `metrics` facade: values, labels, kinds and help as an exporter prints them, once and at an interval; labels that
//! cannot be; and the example, which is read over loopback.
#![cfg(all(feature = "metrics", not(any(gristmill_shuttle, gristmill_loom))))]

use std::process::Command;
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use gristmill::observe::{Measured, Measurement, Metric, MetricKind, Unit};
use gristmill::watch::{LabelError, Publisher};
use gristmill::{ManualClock, RateLimiter, Semaphore};
use metrics_exporter_prometheus::PrometheusBuilder;

/// What an exporter prints after `body` has published.
fn exported(body: impl FnOnce()) -> Vec<String> {
    let recorder = PrometheusBuilder::new().build_recorder();
    metrics::with_local_recorder(&recorder, body);
    recorder.handle().render().lines().map(str::to_owned).collect()
}

#[track_caller]
fn has(lines: &[String], line: &str) {
    assert!(lines.iter().any(|other| other == line), "{line} is not in\n{}", lines.join("\n"));
}

#[test]
fn figures_are_published_with_their_labels_kinds_and_help() {
    let limiter = RateLimiter::builder(1, Duration::from_secs(1)).burst(3).clock(ManualClock::new());
    let limiter = limiter.build().expect("a rate");
    limiter.try_acquire_many(2).expect("the burst is there");
    assert!(limiter.try_acquire_many(2).is_err());
    let publisher = Publisher::new([("service", "a \"b\""), ("zone", "1")]).expect("labels");
    let lines = exported(|| publisher.publish(&limiter.report()));
    let labels = r#"service="a \"b\"",zone="1""#;
    has(&lines, "# TYPE gristmill_limiter_permits_taken_total counter");
    has(&lines, &format!("gristmill_limiter_permits_taken_total{{{labels}}} 2"));
    has(&lines, &format!("gristmill_limiter_calls_denied_total{{reason=\"refused\",{labels}}} 1"));
    has(&lines, &format!("gristmill_limiter_calls_waiting{{{labels}}} 0"));
    has(&lines, "# TYPE gristmill_limiter_wait_seconds_total gauge"); // the facade counts in whole numbers
    has(&lines, "# HELP gristmill_limiter_calls_waiting Calls that wait now.");
}

#[test]
fn gauges_fall_and_each_metric_is_described_once() {
    let semaphore = Semaphore::new(4);
    let publisher = Publisher::new([("semaphore", "s")]).expect("labels");
    let lines = exported(|| {
        let permit = semaphore.acquire_many(3).expect("they are there");
        publisher.publish(&semaphore.snapshot());
        drop(permit);
        publisher.publish(&semaphore.snapshot());
    });
    has(&lines, "gristmill_semaphore_permits_held{semaphore=\"s\"} 0");
    has(&lines, "gristmill_semaphore_utilisation_ratio{semaphore=\"s\"} 0");
    let helps = lines.iter().filter(|line| line.starts_with("# HELP gristmill_semaphore_permits_held "));
    assert_eq!(helps.count(), 1);
}

/// A recorder that notes of what kind and unit it is told that a metric is, and keeps no figures.
#[derive(Default)]
struct Notes(Mutex<Vec<(&'static str, String, Option<metrics::Unit>)>>);

impl Notes {
    fn add(&self, kind: &'static str, name: &metrics::KeyName, unit: Option<metrics::Unit>) {
        self.0.lock().expect("not poisoned").push((kind, name.as_str().to_owned(), unit));
    }
}

impl metrics::Recorder for Notes {
    fn describe_counter(
        &self,
        name: metrics::KeyName,
        unit: Option<metrics::Unit>,
        _: metrics::SharedString,
    ) {
        self.add("counter", &name, unit);
    }

    fn describe_gauge(&self, name: metrics::KeyName, unit: Option<metrics::Unit>, _: metrics::SharedString) {
        self.add("gauge", &name, unit);
    }

    fn describe_histogram(
        &self,
        name: metrics::KeyName,
        unit: Option<metrics::Unit>,
        _: metrics::SharedString,
    ) {
        self.add("histogram", &name, unit);
    }

    fn register_counter(&self, _: &metrics::Key, _: &metrics::Metadata<'_>) -> metrics::Counter {
        metrics::Counter::noop()
    }

    fn register_gauge(&self, _: &metrics::Key, _: &metrics::Metadata<'_>) -> metrics::Gauge {
        metrics::Gauge::noop()
    }

    fn register_histogram(&self, _: &metrics::Key, _: &metrics::Metadata<'_>) -> metrics::Histogram {
        metrics::Histogram::noop()
    }
}

#[test]
fn recorder_is_told_once_of_what_kind_and_unit_each_metric_is() {
    let (notes, clock) = (Notes::default(), ManualClock::new());
    let limiter = RateLimiter::builder(1, Duration::from_secs(1)).clock(clock).build().expect("a rate");
    let publisher = Publisher::new([("service", "mill")]).expect("a label");
    metrics::with_local_recorder(&notes, || (0..2).for_each(|_| publisher.publish(&limiter.report())));
    let notes = notes.0.into_inner().expect("not poisoned");
    for (metric, kind, unit) in [
        ("gristmill_limiter_permits_taken_total", "counter", metrics::Unit::Count),
        ("gristmill_limiter_calls_waiting", "gauge", metrics::Unit::Count),
        ("gristmill_limiter_wait_seconds_total", "gauge", metrics::Unit::Seconds), // published as one
    ] {
        let told: Vec<_> = notes.iter().filter(|(_, name, _)| name == metric).collect();
        assert_eq!(told, [&(kind, metric.to_owned(), Some(unit))]);
    }
}

#[test]
fn measured_of_your_own_is_published_and_its_own_label_counts() {
    static LAMPS: Metric = Metric::new("lamps_total", MetricKind::Counter, Unit::Count, &["room"], "Lamps.");
    struct House(u64);
    impl Measured for House {
        fn measure(&self, visit: &mut dyn FnMut(Measurement<'_>)) {
            visit(Measurement::new(&LAMPS, &["hall"], self.0));
        }
    }
    let publisher = Publisher::new([("room", "none"), ("street", "long")]).expect("labels");
    let lines = exported(|| {
        publisher.publish(&House(3));
        publisher.publish(&House(2)); // a counter that falls is not believed
    });
    has(&lines, "lamps_total{room=\"hall\",street=\"long\"} 3");
    has(&lines, "# HELP lamps_total Lamps.");
}

#[test]
fn labels_that_cannot_be_are_refused_with_which() {
    let refused = |labels: &[(&'static str, &'static str)]| Publisher::new(labels.to_vec()).unwrap_err();
    assert_eq!(refused(&[("", "x")]), LabelError::Unnamed);
    assert_eq!(refused(&[("a", "x"), ("a", "y")]), LabelError::Twice { label: "a".to_owned() });
    let error = refused(&[("quantile", "x")]);
    assert_eq!(error, LabelError::Taken { label: "quantile".to_owned() });
    assert_eq!(error.to_string(), "the label \"quantile\" is one that the metrics have themselves");
    assert!(Publisher::new(Vec::<(String, String)>::new()).is_ok(), "none are needed");
}

/// Tells what it counts to a channel, in place of a recorder: a watch has a thread of its own, where no local recorder is.
struct Tells(u64, mpsc::Sender<u64>);

impl Measured for Tells {
    fn measure(&self, _: &mut dyn FnMut(Measurement<'_>)) {
        let _ = self.1.send(self.0);
    }
}

#[test]
fn watch_publishes_again_and_again_and_the_last_figures_at_its_end() {
    let publisher = Publisher::new([("part", "x")]).expect("labels");
    let (tell, told) = mpsc::channel();
    let count = Arc::new(Mutex::new(0));
    let (own, sender) = (Arc::clone(&count), tell.clone());
    let watch = publisher
        .watch(Duration::from_millis(1), move || Tells(*own.lock().expect("not poisoned"), sender.clone()));
    let watch = watch.expect("a thread");
    assert_eq!(told.recv_timeout(Duration::from_secs(60)), Ok(0));
    *count.lock().expect("not poisoned") = 7;
    watch.stop().expect("it does not panic");
    drop(tell);
    assert_eq!(told.iter().last(), Some(7));
    assert!(publisher.watch(Duration::ZERO, || Semaphore::new(1).snapshot()).is_err());
}

#[test]
fn example_serves_what_the_snapshots_say() {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let target = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("the target directory");
    let mut run = Command::new(cargo);
    // What Cargo tells this test about its package would look like a change to build scripts.
    for (variable, _) in std::env::vars() {
        if variable.starts_with("CARGO_PKG_") || variable.starts_with("CARGO_MANIFEST_") {
            run.env_remove(variable);
        }
    }
    run.current_dir(env!("CARGO_MANIFEST_DIR")).args(["run", "--quiet", "--features", "metrics"]);
    run.args(["--example", "metrics_endpoint", "--target-dir"]).arg(target).args(["--", "--check"]);
    let output = run.output().expect("cargo runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let found = String::from_utf8_lossy(&output.stdout);
    assert!(found.ends_with("99 tasks succeeded, 1 failed, 1000 items finished\n"), "{found}");
}
