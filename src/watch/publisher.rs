//! Handing measurements to the recorder of the `metrics` facade, and so to whatever exporter the program has.

use std::collections::HashSet;
use std::sync::Arc;

use metrics::{Key, KeyName, Label, Level, Metadata};

use super::every::{Watch, WatchError};
use crate::observe::{METRICS, Measured, Measurement, Metric, MetricKind, MetricValue, Unit};
use crate::sync::Mutex;
use crate::sync::time::Duration;

/// What recorders are told about where the figures come from.
static FROM: Metadata<'static> = Metadata::new("gristmill", Level::INFO, None);

/// Why labels were refused; nothing was made.
///
/// ```
/// use gristmill::watch::{LabelError, Publisher};
///
/// let error = Publisher::new([("pool", "a"), ("pool", "b")]).unwrap_err();
/// match error {
///     LabelError::Twice { label } => assert_eq!(label, "pool"),
///     other => unreachable!("{other}"),
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LabelError {
    /// A label without a name.
    #[error("a label has no name")]
    Unnamed,
    /// Two labels of one name.
    #[error("the label {label:?} is given twice")]
    Twice {
        /// Its name.
        label: String,
    },
    /// A label that metrics of this crate have, for something else.
    #[error("the label {label:?} is one that the metrics have themselves")]
    Taken {
        /// Its name.
        label: String,
    },
}

/// Publishes what parts tell of themselves to the recorder of the [`metrics`](https://docs.rs/metrics) facade; with the feature `metrics`.
///
/// One for each part, with labels that tell it from others of its kind. Clones are the same publisher. Counters are published by `absolute`, everything
/// else as gauges: also the counters of seconds, since the facade's counters are whole numbers. Names, units and what they say are in
/// [`METRICS`]; the recorder is told of each at its first measurement, so install it before. The recorder and its endpoint are the exporter's: the example
/// `metrics_endpoint` has one for Prometheus, whole.
///
/// What is not measured any more, as a worker that has left, keeps its last value in the recorder: exporters have idle time-outs for that. A
/// counter of the facade never falls: give each run of a pipeline a label of its own, or its counters stand still until they pass those of
/// the run before.
///
/// # Examples
/// ```
/// use gristmill::Semaphore;
/// use gristmill::watch::Publisher;
///
/// let semaphore = Semaphore::new(4);
/// let publisher = Publisher::new([("semaphore", "connections")])?;
/// publisher.publish(&semaphore.snapshot()); // gristmill_semaphore_permits_held{semaphore="connections"} 0
/// # Ok::<(), gristmill::watch::LabelError>(())
/// ```
///
/// # Cost
/// A look-up in the recorder for each measurement: a microsecond or less each, a few dozen for a pool.
#[derive(Clone, Debug)]
pub struct Publisher(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    labels: Vec<Label>,
    /// The names that the recorder was told of. A leaf lock; the recorder is not called under it.
    described: Mutex<HashSet<&'static str>>,
}

impl Publisher {
    /// A publisher whose measurements all have these labels, besides their own.
    ///
    /// # Errors
    /// A label has no name, or the name of another one, or of one in [`METRICS`].
    pub fn new<N: Into<String>, V: Into<String>>(
        labels: impl IntoIterator<Item = (N, V)>,
    ) -> Result<Self, LabelError> {
        let mut own: Vec<Label> = Vec::new();
        for (name, value) in labels {
            let label: String = name.into();
            if label.is_empty() {
                return Err(LabelError::Unnamed);
            }
            if own.iter().any(|before| before.key() == label) {
                return Err(LabelError::Twice { label });
            }
            if METRICS.iter().any(|metric| metric.labels.contains(&&*label)) {
                return Err(LabelError::Taken { label });
            }
            own.push(Label::new(label, value.into()));
        }
        Ok(Self(Arc::new(Inner { labels: own, described: Mutex::default() })))
    }

    /// Publishes all measurements of a snapshot or a report, once.
    pub fn publish(&self, measured: &(impl Measured + ?Sized)) {
        measured.measure(&mut |measurement| self.record(&measurement));
    }

    /// Publishes a snapshot every `interval`, on a thread of its own, until the [`Watch`] is stopped or dropped; once more then, so that the last
    /// figures are the final ones.
    ///
    /// # Errors
    /// As for [`Watch::every`].
    ///
    /// # Panics
    /// A panic of `snapshot`, or of the recorder, ends the watching, and [`Watch::stop`] gives it back.
    pub fn watch<M: Measured>(
        &self,
        interval: Duration,
        mut snapshot: impl FnMut() -> M + Send + 'static,
    ) -> Result<Watch, WatchError> {
        let publisher = self.clone();
        Watch::every(interval, move || publisher.publish(&snapshot()))
    }

    fn record(&self, measurement: &Measurement<'_>) {
        let metric = measurement.metric;
        if self.0.described.lock().insert(metric.name) {
            describe(metric);
        }
        let own = measurement.labels().map(|(name, value)| Label::new(name, value.to_owned()));
        // Of a metric from elsewhere, which has one of the publisher's labels, its own counts.
        let given = self.0.labels.iter().filter(|label| !metric.labels.contains(&label.key()));
        let key = Key::from_parts(metric.name, own.chain(given.cloned()).collect::<Vec<_>>());
        metrics::with_recorder(|recorder| match (metric.kind, measurement.value) {
            (MetricKind::Counter, MetricValue::Count(count)) => {
                recorder.register_counter(&key, &FROM).absolute(count);
            }
            (_, value) => recorder.register_gauge(&key, &FROM).set(value.as_f64()),
        });
    }
}

fn describe(metric: &Metric) {
    let unit = match metric.unit {
        Unit::Count => Some(metrics::Unit::Count),
        Unit::Seconds => Some(metrics::Unit::Seconds),
        Unit::PerSecond => Some(metrics::Unit::CountPerSecond),
        Unit::Ratio => None,
    };
    let (name, help) = (KeyName::from_const_str(metric.name), metric.help.into());
    metrics::with_recorder(|recorder| match (metric.kind, metric.unit) {
        (MetricKind::Counter, Unit::Count) => recorder.describe_counter(name, unit, help),
        _ => recorder.describe_gauge(name, unit, help),
    });
}
