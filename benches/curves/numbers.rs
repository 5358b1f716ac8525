//! The numbers of a curve, as a file of comma-separated values and as tables.

use super::{
    curve::{Curve, Y},
    looks::{LOOKS, LOOP},
};
use crate::versus::table::Table;
use std::{collections::BTreeSet, error::Error};

/// What was measured for one case at one point.
#[derive(Clone)]
pub(crate) struct Row {
    pub(crate) panel: String,
    pub(crate) case: String,
    pub(crate) x: u64,
    /// How many items each round handled.
    pub(crate) items: u32,
    /// Or why the case was left out.
    pub(crate) times: Result<Times, String>,
}

/// Nanoseconds per item over the rounds.
#[derive(Clone, Copy)]
pub(crate) struct Times {
    pub(crate) median: f64,
    pub(crate) smallest: f64,
    pub(crate) largest: f64,
}

pub(crate) struct Numbers {
    /// Of the machine where they come from.
    pub(crate) cores: usize,
    pub(crate) rows: Vec<Row>,
}

const HEADER: [&str; 9] =
    ["panel", "case", "x", "items", "cores", "median_ns", "smallest_ns", "largest_ns", "left_out"];

impl Numbers {
    pub(crate) fn to_csv(&self) -> Result<String, Box<dyn Error>> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(HEADER)?;
        for row in &self.rows {
            let start = [&row.panel, &row.case].map(String::clone);
            let middle = [row.x, row.items.into(), self.cores as u64].map(|number| number.to_string());
            let (times, reason) = match &row.times {
                Ok(times) => {
                    let times = [times.median, times.smallest, times.largest];
                    (times.map(|time| format!("{time:.2}")), "")
                }
                Err(reason) => (Default::default(), reason.as_str()),
            };
            writer.write_record(
                start.iter().chain(&middle).chain(&times).map(String::as_str).chain([reason]),
            )?;
        }
        Ok(String::from_utf8(writer.into_inner()?)?)
    }

    pub(crate) fn from_csv(text: &str) -> Result<Self, Box<dyn Error>> {
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        if reader.headers()? != HEADER.as_slice() {
            return Err(format!("the columns are not {}", HEADER.join(", ")).into());
        }
        let (mut cores, mut rows) = (0, Vec::new());
        for record in reader.records() {
            let record = record?;
            // As many as there are headings: the reader has made sure of that.
            let field = |number: usize| &record[number];
            let times = if field(8).is_empty() {
                let [median, smallest, largest] = [field(5).parse()?, field(6).parse()?, field(7).parse()?];
                Ok(Times { median, smallest, largest })
            } else {
                Err(field(8).to_owned())
            };
            let (panel, case) = (field(0).to_owned(), field(1).to_owned());
            rows.push(Row { panel, case, x: field(2).parse()?, items: field(3).parse()?, times });
            cores = field(4).parse()?;
        }
        Ok(Self { cores, rows })
    }

    /// The cases of a panel in the order of the legend.
    pub(crate) fn cases(&self, panel: &str) -> Vec<&'static str> {
        let is_there = |name: &str| self.rows.iter().any(|row| row.panel == panel && row.case == name);
        LOOKS.iter().map(|look| look.case).filter(|name| is_there(name)).collect()
    }

    /// Where a panel has points.
    pub(crate) fn points(&self, panel: &str) -> BTreeSet<u64> {
        self.rows.iter().filter(|row| row.panel == panel).map(|row| row.x).collect()
    }

    pub(crate) fn row(&self, panel: &str, case: &str, x: u64) -> Option<&Row> {
        self.rows.iter().find(|row| row.panel == panel && row.case == case && row.x == x)
    }

    /// The median of a case at a point, if it was measured there.
    pub(crate) fn median(&self, panel: &str, case: &str, x: u64) -> Option<f64> {
        Some(self.row(panel, case, x)?.times.as_ref().ok()?.median)
    }

    /// What a view shows of a case at a point.
    #[allow(clippy::cast_precision_loss)] // as many workers as threads can be started
    pub(crate) fn shown(&self, panel: &str, case: &str, x: u64, y: Y) -> Option<f64> {
        let time = self.median(panel, case, x)?;
        let of_loop = || Some(self.median(panel, LOOP, x)? / time);
        match y {
            Y::Time => Some(time),
            Y::OfLoop => Some(1.0 / of_loop()?),
            Y::PerSecond => Some(1e9 / time),
            Y::OfLinear => Some(100.0 * of_loop()? / x as f64),
        }
    }

    /// One table for each panel and each way that the picture shows it in, and what was left out.
    pub(crate) fn print(&self, curve: &Curve) {
        for view in curve.views {
            let points = self.points(view.panel);
            let headings: Vec<String> = points.iter().map(u64::to_string).collect();
            let columns: Vec<&str> =
                ["case"].into_iter().chain(headings.iter().map(String::as_str)).collect();
            let unit = match view.y {
                Y::Time => "ns per item",
                Y::OfLoop => "times the loop",
                Y::PerSecond => "items per second",
                Y::OfLinear => "percent of linear",
            };
            let title = format!("{}, {unit}, by {}", view.panel, curve.x_axis);
            let mut table = Table::new(title, &columns);
            for case in self.cases(view.panel) {
                let cell = |&x| {
                    let value = self.shown(view.panel, case, x, view.y);
                    value.map_or_else(|| "-".to_owned(), |value| in_cell(value, view.y))
                };
                table.row([case.to_owned()].into_iter().chain(points.iter().map(cell)).collect());
            }
            table.print();
        }
        println!();
        for panel in self.panels() {
            for case in self.cases(panel) {
                self.print_left_out(panel, case);
            }
        }
    }

    /// Where a case was left out, and the reason at the first of these points.
    fn print_left_out(&self, panel: &str, case: &str) {
        let of_case = self.rows.iter().filter(|row| row.panel == panel && row.case == case);
        let left_out: Vec<(u64, &String)> =
            of_case.filter_map(|row| Some((row.x, row.times.as_ref().err()?))).collect();
        if let Some((_, reason)) = left_out.first() {
            let points: Vec<String> = left_out.iter().map(|(x, _)| x.to_string()).collect();
            println!("Left out: {case} at {} ({panel}): {reason}.", points.join(", "));
        }
    }

    fn panels(&self) -> BTreeSet<&str> {
        self.rows.iter().map(|row| row.panel.as_str()).collect()
    }
}

fn in_cell(value: f64, y: Y) -> String {
    match y {
        Y::Time if value < 100.0 => format!("{value:.1}"),
        Y::OfLoop => format!("{value:.2}"),
        _ => format!("{value:.0}"),
    }
}
