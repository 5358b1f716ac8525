//! When a figure is too high or too low, and when it no longer is.

use std::time::Duration;

/// Why a threshold was refused; no rule was made.
///
/// ```
/// use gristmill::watch::{Alerts, Threshold, ThresholdError};
///
/// let alerts = Alerts::<f64>::new();
/// let never_clears = Threshold::above(0.5).clears_below(0.9);
/// let error = alerts.rule("load", |look| *look.now(), never_clears, |_| ()).unwrap_err();
/// assert!(matches!(error, ThresholdError::ClearBeyondRaise { .. }));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ThresholdError {
    /// The value to raise at is NaN or infinite: no figure would cross it.
    #[error("a threshold of {raise} would never be crossed")]
    Raise {
        /// The value that was asked for.
        raise: f64,
    },
    /// The value to clear at is NaN.
    #[error("a figure is never below or above NaN, so the alert would never clear; for that, say infinity")]
    Clear,
    /// The value to clear at lies beyond the one to raise at: some figures would raise and clear at once.
    #[error("raised {side} {raise}, the alert cannot clear at {clear}: that is beyond", side = if *.above { "above" } else { "below" })]
    ClearBeyondRaise {
        /// Whether it is raised above the value.
        above: bool,
        /// The value to raise at.
        raise: f64,
        /// The value to clear at.
        clear: f64,
    },
    /// An alert that is raised above a value was to clear above another one, or the same below.
    #[error("an alert that is raised {side} a value clears on the other side of one", side = if *.above { "above" } else { "below" })]
    SameSide {
        /// Whether it is raised above the value.
        above: bool,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Above,
    Below,
}

/// Two values: one at which an alert is raised, and one at which it clears, so that a figure that hovers about one of them does not call at every look.
///
/// A figure exactly at the value to raise at does not raise; one exactly at a value to clear at that was set does not clear. Without one the alert
/// clears as soon as its figure is no longer across: `above(0.0)` clears at 0, as a rule of Prometheus does. NaN neither raises nor clears. What cannot be is
/// refused by [`Alerts::rule`](super::Alerts::rule), with the reason.
///
/// # Examples
/// ```
/// use std::time::Duration;
///
/// use gristmill::watch::Threshold;
///
/// let errors = Threshold::above(0.1).clears_below(0.05).lasting(Duration::from_secs(30));
/// let too_slow = Threshold::below(1000.0).clears_above(1200.0).both_ways();
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[must_use = "it does nothing by itself"]
pub struct Threshold {
    side: Side,
    raise: f64,
    clear: Option<(Side, f64)>,
    pub(super) lasting: Duration,
    pub(super) both_ways: bool,
}

impl Threshold {
    fn new(side: Side, raise: f64) -> Self {
        Self { side, raise, clear: None, lasting: Duration::ZERO, both_ways: false }
    }

    /// Raised by a figure above `raise`; clears by one that is not, unless [a value for it](Self::clears_below) is set.
    pub fn above(raise: f64) -> Self {
        Self::new(Side::Above, raise)
    }

    /// Raised by a figure below `raise`; clears by one that is not, unless [a value for it](Self::clears_above) is set.
    pub fn below(raise: f64) -> Self {
        Self::new(Side::Below, raise)
    }

    /// Sets the value below which the alert clears; minus infinity for never. Of use with [`above`](Self::above).
    pub fn clears_below(mut self, clear: f64) -> Self {
        self.clear = Some((Side::Below, clear));
        self
    }

    /// Sets the value above which the alert clears; infinity for never. Of use with [`below`](Self::below).
    pub fn clears_above(mut self, clear: f64) -> Self {
        self.clear = Some((Side::Above, clear));
        self
    }

    /// Raised only once the figure has crossed the threshold at every look for so long, as Prometheus' `for`. Looks at which it is NaN do not count. By
    /// default zero: at the first.
    pub fn lasting(mut self, time: Duration) -> Self {
        self.lasting = time;
        self
    }

    /// Calls back when the alert clears, too.
    pub fn both_ways(mut self) -> Self {
        self.both_ways = true;
        self
    }

    pub(super) fn check(&self) -> Result<(), ThresholdError> {
        let Self { raise, side, .. } = *self;
        let above = side == Side::Above;
        if !raise.is_finite() {
            return Err(ThresholdError::Raise { raise });
        }
        match self.clear {
            Some((_, clear)) if clear.is_nan() => Err(ThresholdError::Clear),
            Some((clears, _)) if clears == side => Err(ThresholdError::SameSide { above }),
            Some((_, clear)) if (above && clear > raise) || (!above && clear < raise) => {
                Err(ThresholdError::ClearBeyondRaise { above, raise, clear })
            }
            _ => Ok(()),
        }
    }

    pub(super) fn raises(&self, value: f64) -> bool {
        match self.side {
            Side::Above => value > self.raise,
            Side::Below => value < self.raise,
        }
    }

    pub(super) fn clears(&self, value: f64) -> bool {
        // Not strictly: a figure that cannot go beyond the value, as a count beyond 0 or a share beyond 1, would never clear.
        let Some((_, clear)) = self.clear else { return !self.raises(value) };
        match self.side {
            Side::Above => value < clear,
            Side::Below => value > clear,
        }
    }
}
