//! Two snapshots, one after the other: what rates are made of.

use std::time::Duration;

/// A snapshot, and the one that the same [`Alerts`](super::Alerts) were shown before it.
///
/// ```
/// use gristmill::watch::{Alerts, Threshold};
///
/// // Failed and all items so far; the share of failures since the last look.
/// let (tell, told) = std::sync::mpsc::channel();
/// let alerts = Alerts::<(f64, f64)>::new();
/// let failing = Threshold::above(0.1);
/// alerts.rule("failing", |look| look.share(|s| s.0, |s| s.1), failing, move |alert| {
///     let _ = tell.send(alert.value);
/// })?;
/// alerts.check(&(0.0, 100.0)); // nothing to compare with
/// alerts.check(&(5.0, 110.0));
/// assert_eq!(told.recv()?, 0.5);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Look<'a, S> {
    now: &'a S,
    before: Option<(&'a S, Duration)>,
}

impl<'a, S> Look<'a, S> {
    pub(super) fn new(now: &'a S, before: Option<(&'a S, Duration)>) -> Self {
        Self { now, before }
    }

    /// The snapshot.
    pub fn now(&self) -> &'a S {
        self.now
    }

    /// The one before it; `None` at the first look.
    pub fn before(&self) -> Option<&'a S> {
        self.before.map(|(before, _)| before)
    }

    /// The time between the two, on the clock of the alerts; zero at the first look.
    pub fn elapsed(&self) -> Duration {
        self.before.map_or(Duration::ZERO, |(_, elapsed)| elapsed)
    }

    /// By how much a figure has grown for each second since the look before. NaN at the first look, and if no time has passed; below zero where it has
    /// fallen, as the counts of a monitor do when it is given to another run.
    pub fn per_second(&self, figure: impl Fn(&S) -> f64) -> f64 {
        match self.before {
            Some((before, elapsed)) if !elapsed.is_zero() => {
                (figure(self.now) - figure(before)) / elapsed.as_secs_f64()
            }
            _ => f64::NAN,
        }
    }

    /// How much a figure has grown for each one by which another has, since the look before: the failures among the calls, say. NaN at the first look,
    /// and if the other has not grown.
    pub fn share(&self, part: impl Fn(&S) -> f64, whole: impl Fn(&S) -> f64) -> f64 {
        let Some((before, _)) = self.before else { return f64::NAN };
        let grown = whole(self.now) - whole(before);
        if grown > 0.0 { (part(self.now) - part(before)) / grown } else { f64::NAN }
    }
}
