//! One form for what all parts tell of themselves: a measurement, with its name, unit and labels.
//!
//! The words are those of Prometheus: a counter only grows, a gauge goes up and down, quantiles are a label.

use std::fmt;
use std::time::Duration;

use super::quantiles::Quantiles;

/// Whether a number only grows.
///
/// ```
/// use gristmill::observe::{METRICS, MetricKind};
///
/// let kind = |name| METRICS.iter().find(|metric| metric.name == name).map(|metric| metric.kind);
/// assert_eq!(kind("gristmill_semaphore_permits_held"), Some(MetricKind::Gauge)); // goes up and down
/// assert_eq!(kind("gristmill_retry_attempts_total"), Some(MetricKind::Counter)); // only grows
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MetricKind {
    /// It only grows, as long as what it counts exists: of interest is by how much in some time.
    Counter,
    /// It goes up and down.
    Gauge,
}

impl fmt::Display for MetricKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
        })
    }
}

/// What a number counts.
///
/// ```
/// use gristmill::observe::{METRICS, Unit};
///
/// let ratios = METRICS.iter().filter(|metric| metric.unit == Unit::Ratio);
/// assert!(ratios.clone().count() > 0);
/// assert!(ratios.clone().all(|metric| metric.name.ends_with("_ratio")));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Unit {
    /// Things: tasks, items, calls, permits, objects; the metric's name says which.
    Count,
    /// Seconds.
    Seconds,
    /// A share, 0 to 1; a utilisation can be above 1 while more is in use than there should be.
    Ratio,
    /// Things in a second.
    PerSecond,
}

impl fmt::Display for Unit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Count => "count",
            Self::Seconds => "seconds",
            Self::Ratio => "ratio",
            Self::PerSecond => "per second",
        })
    }
}

/// What is measured: a name that means the same everywhere. Those of this crate are in [`METRICS`](super::METRICS).
///
/// ```
/// use gristmill::observe::{METRICS, MetricKind, Unit};
///
/// let held = METRICS.iter().find(|metric| metric.name == "gristmill_semaphore_permits_held");
/// let held = held.expect("it is one of them");
/// assert_eq!((held.kind, held.unit), (MetricKind::Gauge, Unit::Count));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Metric {
    /// Its name, as Prometheus spells names.
    pub name: &'static str,
    /// Whether it only grows.
    pub kind: MetricKind,
    /// What it counts.
    pub unit: Unit,
    /// The labels that each of its measurements has, in this order.
    pub labels: &'static [&'static str],
    /// What it says, in a sentence.
    pub help: &'static str,
}

impl Metric {
    /// A metric of your own, for a [`Measured`] of your own.
    pub const fn new(
        name: &'static str,
        kind: MetricKind,
        unit: Unit,
        labels: &'static [&'static str],
        help: &'static str,
    ) -> Self {
        Self { name, kind, unit, labels, help }
    }
}

/// A number: whole where things are counted.
///
/// ```
/// use gristmill::observe::MetricValue;
///
/// assert_eq!(MetricValue::from(3_u64), MetricValue::Count(3));
/// assert_eq!(MetricValue::Count(3).as_f64(), 3.0);
/// assert_eq!(MetricValue::Number(0.5).as_f64(), 0.5);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum MetricValue {
    /// So many.
    Count(u64),
    /// So much.
    Number(f64),
}

impl MetricValue {
    /// The number; a count above 2⁵³ is rounded.
    pub fn as_f64(self) -> f64 {
        match self {
            #[allow(clippy::cast_precision_loss)] // said above
            Self::Count(count) => count as f64,
            Self::Number(number) => number,
        }
    }
}

impl fmt::Display for MetricValue {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(count) => fmt::Display::fmt(count, formatter),
            Self::Number(number) => fmt::Display::fmt(number, formatter),
        }
    }
}

impl From<u64> for MetricValue {
    fn from(count: u64) -> Self {
        Self::Count(count)
    }
}

impl From<u32> for MetricValue {
    fn from(count: u32) -> Self {
        Self::Count(count.into())
    }
}

impl From<usize> for MetricValue {
    fn from(count: usize) -> Self {
        Self::Count(count as u64)
    }
}

impl From<f64> for MetricValue {
    fn from(number: f64) -> Self {
        Self::Number(number)
    }
}

impl From<bool> for MetricValue {
    fn from(is_so: bool) -> Self {
        Self::Count(is_so.into())
    }
}

impl From<Duration> for MetricValue {
    fn from(time: Duration) -> Self {
        Self::Number(time.as_secs_f64())
    }
}

/// One number of a snapshot: of which metric, with which labels.
///
/// Prints as a line of Prometheus' text format.
///
/// ```
/// use gristmill::observe::{Measurement, Metric, MetricKind, Unit};
///
/// static SACKS: Metric =
///     Metric::new("mill_sacks", MetricKind::Counter, Unit::Count, &["grain"], "Sacks ground so far.");
/// let measurement = Measurement::new(&SACKS, &["rye"], 3_u64);
/// assert!(measurement.is("mill_sacks", &[("grain", "rye")]));
/// assert_eq!(measurement.to_string(), r#"mill_sacks{grain="rye"} 3"#);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Measurement<'a> {
    /// What was measured.
    pub metric: &'static Metric,
    /// The values of the metric's labels, in their order.
    pub labels: &'a [&'a str],
    /// The number.
    pub value: MetricValue,
}

impl<'a> Measurement<'a> {
    /// A measurement. `labels`: the values of the labels of `metric`, one for each.
    ///
    /// # Panics
    /// If there are more or fewer.
    pub fn new(metric: &'static Metric, labels: &'a [&'a str], value: impl Into<MetricValue>) -> Self {
        assert_eq!(metric.labels.len(), labels.len(), "labels of {}", metric.name);
        Self { metric, labels, value: value.into() }
    }

    /// The labels, each with its name.
    pub fn labels(&self) -> impl Iterator<Item = (&'static str, &'a str)> {
        self.metric.labels.iter().copied().zip(self.labels.iter().copied())
    }

    /// Whether it is of that name and has exactly these labels, in whatever order.
    pub fn is(&self, name: &str, labels: &[(&str, &str)]) -> bool {
        self.metric.name == name
            && self.labels.len() == labels.len()
            && labels.iter().all(|(name, value)| self.labels().any(|own| own == (*name, *value)))
            // One that is asked for twice must not stand for another.
            && self.labels().all(|own| labels.contains(&own))
    }
}

impl fmt::Display for Measurement<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.metric.name)?;
        for (index, (name, value)) in self.labels().enumerate() {
            let before = if index == 0 { '{' } else { ',' };
            let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            write!(formatter, "{before}{name}=\"{value}\"")?;
        }
        let end = if self.labels.is_empty() { "" } else { "}" };
        write!(formatter, "{end} {}", self.value)
    }
}

/// What tells of itself in measurements: every snapshot and every report of this crate.
///
/// # Examples
/// ```
/// use gristmill::observe::Measured;
/// use gristmill::Semaphore;
///
/// let semaphore = Semaphore::new(4);
/// let _permit = semaphore.acquire()?;
/// let now = semaphore.snapshot();
/// assert_eq!(now.measured("gristmill_semaphore_utilisation_ratio", &[]), Some(0.25));
/// let mut text = String::new();
/// now.measure(&mut |measurement| text += &format!("{measurement}\n"));
/// assert!(text.contains("gristmill_semaphore_permits_held 1\n"));
/// # Ok::<(), gristmill::AcquireError>(())
/// ```
pub trait Measured {
    /// Calls `visit` with each measurement. No two of them have both name and labels in common.
    fn measure(&self, visit: &mut dyn FnMut(Measurement<'_>));

    /// The measurement of that name with exactly these labels; `None` if there is none.
    fn measured(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let mut found = None;
        self.measure(&mut |measurement| {
            if found.is_none() && measurement.is(name, labels) {
                found = Some(measurement.value.as_f64());
            }
        });
        found
    }
}

impl<M: Measured + ?Sized> Measured for &M {
    fn measure(&self, visit: &mut dyn FnMut(Measurement<'_>)) {
        (**self).measure(visit);
    }
}

/// Hands measurements on, for those that have many.
pub(crate) struct Measuring<'a>(pub(crate) &'a mut dyn FnMut(Measurement<'_>));

impl Measuring<'_> {
    pub(crate) fn add(&mut self, metric: &'static Metric, value: impl Into<MetricValue>) -> &mut Self {
        self.with(metric, &[], value)
    }

    pub(crate) fn with(
        &mut self,
        metric: &'static Metric,
        labels: &[&str],
        value: impl Into<MetricValue>,
    ) -> &mut Self {
        (self.0)(Measurement::new(metric, labels, value));
        self
    }

    /// One for each value of the last label; `labels` are those before it.
    pub(crate) fn split<V: Into<MetricValue>>(
        &mut self,
        metric: &'static Metric,
        labels: &[&str],
        values: impl IntoIterator<Item = (&'static str, V)>,
    ) -> &mut Self {
        for (label, value) in values {
            self.with(metric, &[labels, &[label]].concat(), value);
        }
        self
    }

    /// Quantiles, the longest, and how many were measured.
    pub(crate) fn quantiles(
        &mut self,
        metrics: [&'static Metric; 3],
        labels: &[&str],
        quantiles: Quantiles,
    ) -> &mut Self {
        let [of, max, count] = metrics;
        // Before the first measurement there is none.
        if quantiles.count() > 0 {
            let values = [("0.5", quantiles.p50()), ("0.9", quantiles.p90()), ("0.99", quantiles.p99())];
            self.split(of, labels, values).with(max, labels, quantiles.max());
        }
        self.with(count, labels, quantiles.count())
    }
}

/// The share of one count in another; 0 where there is nothing.
pub(crate) fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { MetricValue::Count(part).as_f64() / MetricValue::Count(whole).as_f64() }
}

/// How many in a second; 0 in no time.
pub(crate) fn per_second(count: u64, time: Duration) -> f64 {
    if time.is_zero() { 0.0 } else { MetricValue::Count(count).as_f64() / time.as_secs_f64() }
}

#[cfg(all(test, not(any(gristmill_shuttle, gristmill_loom))))]
mod tests {
    use super::*;

    static LAMPS: Metric =
        Metric::new("lamps", MetricKind::Gauge, Unit::Count, &["room", "colour"], "Lamps.");

    #[test]
    fn measurement_prints_as_a_line_of_the_text_format() {
        let line = Measurement::new(&LAMPS, &["a \"b\" \\ c\nd", "red"], 2_u64).to_string();
        assert_eq!(line, r#"lamps{room="a \"b\" \\ c\nd",colour="red"} 2"#);
    }

    #[test]
    fn measurement_is_found_by_all_of_its_labels_in_any_order() {
        let red = Measurement::new(&LAMPS, &["hall", "red"], 0.5);
        assert!(red.is("lamps", &[("colour", "red"), ("room", "hall")]));
        assert!(!red.is("lamps", &[("colour", "red")]));
        assert!(!red.is("lamps", &[("colour", "red"), ("room", "attic")]));
        assert!(!red.is("lamps", &[("room", "hall"), ("room", "hall")]), "twice the same is not both");
        assert!(!red.is("lamp", &[("room", "hall"), ("colour", "red")]));
    }

    #[test]
    #[should_panic(expected = "labels of lamps")]
    fn measurement_without_its_labels_cannot_be_made() {
        let _ = Measurement::new(&LAMPS, &["hall"], 1_u64);
    }
}
