//! Points of a curve: for each case as many items as fit the time, interleaved rounds, rows of numbers.

use super::{
    numbers::{Numbers, Row, Times},
    options::Options,
};
use crate::versus::{
    cases::{Case, Group},
    disturbance,
    grind::{Sum, any_order, in_order},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    num::NonZeroUsize,
    thread::available_parallelism,
    time::Instant,
};

/// Items of a call when nothing is measured.
const FEW: u32 = 10;
/// A try with fewer items than take this part of a round says nothing about more of them.
const TELLING: f64 = 0.125;
/// The work itself takes at least this part of a round, so that starting threads is not all that is measured, unless the
/// rest then takes more than that many rounds.
const WORTH: f64 = 0.05;
const AFFORDABLE: f64 = 4.0;
/// A case that takes longer for the fewest items that make sense is left out, in seconds.
const LONGEST: f64 = 1.0;
/// The same where the number of items is given.
const LONGEST_GIVEN: f64 = 3.5;
/// Where one case takes longer than this in a round, three rounds must do, in seconds.
const LONG: f64 = 0.5;
const ROUNDS_OF_LONG: u32 = 3;

/// One way to do the work of a point: does it on that many items, and returns the sum.
pub(crate) struct Way {
    name: &'static str,
    sum: Sum,
    least: u32,
    most: u32,
    call: Box<dyn FnMut(u32) -> u64>,
}

impl Way {
    pub(crate) fn new(name: &'static str, sum: Sum, call: impl FnMut(u32) -> u64 + 'static) -> Self {
        Self { name, sum, least: 1, most: u32::MAX, call: Box::new(call) }
    }

    /// Says below how many items this way makes no sense.
    pub(crate) fn at_least(self, least: u32) -> Self {
        Self { least, ..self }
    }

    /// Says how many items at most: this way has all of them in memory at once.
    pub(crate) fn at_most(self, most: u32) -> Self {
        Self { most, ..self }
    }

    /// The quicker of two tries, in seconds: one alone may have waited for a core.
    fn takes(&mut self, items: u32) -> f64 {
        let mut once = || {
            let start = Instant::now();
            (self.call)(items);
            start.elapsed().as_secs_f64()
        };
        once().min(once())
    }
}

/// How many items the cases of a point handle in a call.
#[derive(Clone, Copy)]
pub(crate) enum Items {
    /// Each as many as fit the time.
    ThatFit,
    /// Exactly so many.
    Exactly(u32),
}

/// What one case does in one round.
struct Plan {
    items: u32,
    calls: u32,
    seconds: f64,
}

/// Measures the points of one curve.
pub(crate) struct Meter {
    curve: &'static str,
    rounds: u32,
    seconds: f64,
    workers: usize,
    measures: bool,
    rows: Vec<Row>,
    points: usize,
    disturbed: usize,
    faults: Vec<String>,
}

impl Meter {
    pub(crate) fn new(options: &Options, curve: &'static str) -> Self {
        Self {
            curve,
            rounds: if options.bench { options.rounds.get() } else { 1 },
            seconds: f64::from(options.milliseconds.get()) / 1000.0,
            workers: options.workers.map_or_else(cores, NonZeroUsize::get),
            measures: options.bench,
            rows: Vec::new(),
            points: 0,
            disturbed: 0,
            faults: Vec::new(),
        }
    }

    /// Where their number is not what the curve is about.
    pub(crate) fn workers(&self) -> usize {
        self.workers
    }

    /// Runs all ways on the work of one point; `stage` is what is done with each item.
    pub(crate) fn point(
        &mut self,
        panel: &str,
        x: u64,
        items: Items,
        stage: impl Fn(u64) -> u64,
        ways: Vec<Way>,
    ) {
        eprintln!("{}: {panel}, {x} ...", self.curve);
        let (mut planned, mut at_best) = (Vec::new(), 0.0);
        for mut way in ways {
            match self.plan(&mut way, items, at_best) {
                Ok(plan) => {
                    if planned.is_empty() {
                        at_best = plan.seconds / f64::from(plan.items * plan.calls) / as_float(cores());
                    }
                    planned.push((way, plan));
                }
                Err(reason) => {
                    let (panel, case) = (panel.to_owned(), way.name.to_owned());
                    self.rows.push(Row { panel, case, x, items: 0, times: Err(reason) });
                }
            }
        }
        let counts = planned.iter().map(|(_, plan)| plan.items).collect();
        let sums = sums(&counts, stage);
        let longest = planned.iter().map(|(_, plan)| plan.seconds).fold(0.0, f64::max);
        let rounds = if longest > LONG { self.rounds.min(ROUNDS_OF_LONG) } else { self.rounds };

        let mut group = Group::new(format!("{}: {panel}, {x}", self.curve), 0, "item");
        for (mut way, Plan { items, calls, .. }) in planned {
            let expected = sums[&items].of(way.sum);
            let body = move || {
                let sums = (0..calls).map(|_| (way.call)(items));
                sums.fold(expected, |sum, new| if new == expected { sum } else { new })
            };
            group.case(way.name, expected, body).handles(items * calls);
        }
        group.take(rounds);
        self.keep(panel, x, &group);
    }

    fn keep(&mut self, panel: &str, x: u64, group: &Group<'_>) {
        for case in &group.cases {
            if let Some(sum) = case.wrong {
                let Case { name, expected, .. } = case;
                self.faults.push(format!("{}: {name}: sum {sum:#x} instead of {expected:#x}", group.title));
            }
            let (smallest, largest) = (case.times[0], case.times[case.times.len() - 1]);
            let times = Ok(Times { median: case.median(), smallest, largest });
            let (panel, case_name) = (panel.to_owned(), case.name.clone());
            self.rows.push(Row { panel, case: case_name, x, items: case.items, times });
        }
        let Some(first) = group.cases.first() else { return };
        let time = first.times.iter().sum::<f64>() * f64::from(first.items);
        self.points += 1;
        self.disturbed += usize::from(disturbance::verdict(&first.times, first.waited / time).is_some());
    }

    /// How many items the way gets, and how often, or why it is left out. `at_best` is what the cores need for an item if nothing
    /// is lost, in seconds, or zero.
    fn plan(&self, way: &mut Way, items: Items, at_best: f64) -> Result<Plan, String> {
        if !self.measures {
            return Ok(Plan { items: FEW, calls: 1, seconds: 0.0 });
        }
        let limit = match items {
            Items::ThatFit => way.most,
            Items::Exactly(count) if count <= way.most => count,
            Items::Exactly(_) => return Err("all items are in memory at once".to_owned()),
        };
        let (fewest, longest) = match items {
            Items::ThatFit => (way.least, LONGEST),
            Items::Exactly(count) => (count, LONGEST_GIVEN),
        };
        let too_long = |count: u32, each: f64| match each * f64::from(count) {
            seconds if seconds > longest => Err(format!("{count} items would take about {seconds:.1} s")),
            seconds => Ok(seconds),
        };
        too_long(fewest, at_best)?;
        let mut tried = way.least.max(64).min(limit);
        let (mut before, mut took) = (f64::INFINITY, way.takes(tried));
        // Where four times as many take no twice as long, most of it was the start.
        let tells = |before: f64, took: f64| took > TELLING * self.seconds && took > 2.0 * before;
        while !tells(before, took) && took < 2.0 * self.seconds && tried < limit {
            tried = tried.saturating_mul(4).min(limit);
            before = took;
            took = way.takes(tried);
        }
        let each = took / f64::from(tried);
        let (count, calls) = match items {
            Items::ThatFit => {
                let worth = if at_best > 0.0 { WORTH * self.seconds / at_best } else { 0.0 };
                let fitting = (self.seconds / each).max(worth.min(AFFORDABLE * self.seconds / each));
                (round_number(fitting).clamp(way.least, limit), 1)
            }
            Items::Exactly(count) => (count, round_number(self.seconds / (each * f64::from(count)))),
        };
        let seconds = too_long(count, each)?;
        Ok(Plan { items: count, calls, seconds: seconds * f64::from(calls) })
    }

    /// The numbers, and one sentence for each wrong sum.
    pub(crate) fn finish(self) -> (Numbers, Vec<String>) {
        if self.measures && self.disturbed > 0 {
            println!(
                "\n{}: something else ran on the cores at {} of {} points: indications, not to be quoted.",
                self.curve, self.disturbed, self.points
            );
        }
        (Numbers { cores: cores(), rows: self.rows }, self.faults)
    }
}

/// The cores that this process may use.
pub(crate) fn cores() -> usize {
    available_parallelism().map_or(1, NonZeroUsize::get)
}

/// The largest of 1, 2, 5, 10, 20, 50 ... that is not above the number, and at least 1.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // `u32::MAX` at most
fn round_number(number: f64) -> u32 {
    let decade = 10f64.powf(number.max(1.0).log10().floor());
    let leading = [5.0, 2.0].into_iter().find(|leading| leading * decade <= number).unwrap_or(1.0);
    (leading * decade).round() as u32
}

#[allow(clippy::cast_precision_loss)] // some thousand at most
fn as_float(number: usize) -> f64 {
    number as f64
}

/// What the ways must come to.
struct Sums {
    in_order: u64,
    any_order: u64,
}

impl Sums {
    fn of(&self, sum: Sum) -> u64 {
        match sum {
            Sum::InOrder => self.in_order,
            Sum::AnyOrder => self.any_order,
        }
    }
}

/// The sums over each of those numbers of items, in one pass.
fn sums(counts: &BTreeSet<u32>, stage: impl Fn(u64) -> u64) -> BTreeMap<u32, Sums> {
    let (mut done, mut ordered, mut unordered) = (0, 0, 0);
    let up_to = |&count: &u32| {
        for value in (done..u64::from(count)).map(&stage) {
            ordered = in_order(ordered, value);
            unordered = any_order(unordered, value);
        }
        done = count.into();
        (count, Sums { in_order: ordered, any_order: unordered })
    };
    counts.iter().map(up_to).collect()
}
