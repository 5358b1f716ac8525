//! What a curve is: how it is measured, and how it is shown.

use super::{meter::Meter, numbers::Numbers};

/// One picture with its numbers.
pub(crate) struct Curve {
    /// What it is called on the command line, and its files.
    pub(crate) name: &'static str,
    /// What stands below its axis.
    pub(crate) x_axis: &'static str,
    pub(crate) x: X,
    /// From top to bottom.
    pub(crate) views: &'static [View],
    pub(crate) measure: fn(&mut Meter),
    /// What the numbers say about what must hold.
    pub(crate) verdicts: fn(&Numbers) -> Vec<String>,
}

/// One set of axes: a panel of the numbers, shown in one way.
pub(crate) struct View {
    pub(crate) panel: &'static str,
    pub(crate) y: Y,
}

/// Where a point stands from left to right.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum X {
    /// At its number, with a mark at each.
    Each,
    /// At its number, with marks at the powers of ten.
    Decades,
    /// At the time that the plain loop takes there.
    TimeOfLoop,
}

/// Where a point stands from bottom to top.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Y {
    Time,
    /// The time as a multiple of the plain loop's.
    OfLoop,
    PerSecond,
    /// The throughput in percent of what so many plain loops would reach.
    OfLinear,
}

/// For curves about which nothing must hold.
pub(crate) fn no_verdicts(_: &Numbers) -> Vec<String> {
    Vec::new()
}
