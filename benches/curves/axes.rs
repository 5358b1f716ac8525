//! Where the axes begin and end, where they have marks, and how those are labelled.

use super::curve::{X, Y};
use std::ops::Range;

/// Room beyond the first and the last point, as a factor.
const ROOM: f64 = 1.15;

/// From a little below the smallest to a little above the largest.
pub(crate) fn range(values: impl Iterator<Item = f64> + Clone) -> Range<f64> {
    let smallest = values.clone().fold(f64::INFINITY, f64::min);
    smallest / ROOM..values.fold(f64::NEG_INFINITY, f64::max) * ROOM
}

/// The powers of ten in the range; where those are few, their doubles and halves as well.
pub(crate) fn marks(range: &Range<f64>) -> Vec<f64> {
    let decades = (range.end / range.start).log10();
    let steps: &[f64] = match decades {
        ..0.7 => &[1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0],
        ..2.5 => &[1.0, 2.0, 5.0],
        _ => &[1.0],
    };
    let first = range.start.log10().floor();
    let starts = (0..=20).map(|decade| 10f64.powf(first + f64::from(decade)));
    let all = starts.flat_map(|start| steps.iter().map(move |step| start * step));
    all.filter(|mark| range.contains(mark)).collect()
}

pub(crate) fn below(value: f64, x: X) -> String {
    match x {
        X::Each => short(value),
        X::Decades => count(value),
        X::TimeOfLoop => time(value),
    }
}

pub(crate) fn beside(value: f64, y: Y) -> String {
    match y {
        Y::Time => time(value),
        Y::OfLoop => short(value),
        Y::PerSecond => count(value),
        Y::OfLinear => format!("{} %", short(value)),
    }
}

fn time(nanoseconds: f64) -> String {
    in_units(nanoseconds, [" ns", " µs", " ms", " s"])
}

fn count(number: f64) -> String {
    in_units(number, ["", " k", " M", " G"])
}

/// In the largest of the units, each a thousand of the one before, of which it is at least one.
fn in_units(value: f64, units: [&str; 4]) -> String {
    let mut scaled = value;
    for unit in &units[..3] {
        // Just below is rounding.
        if scaled < 999.999 {
            return format!("{}{unit}", short(scaled));
        }
        scaled /= 1000.0;
    }
    format!("{}{}", short(scaled), units[3])
}

/// With as many digits as a mark has.
fn short(value: f64) -> String {
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
