//! The run of the comparison: its options, its groups, and what went wrong.

pub(crate) use super::cases::Group;
use super::{
    figures,
    goals::{self, Row},
    options::Options,
};
use std::{num::NonZeroUsize, process::ExitCode, thread::available_parallelism};

/// The whole run: its options, and what went wrong so far.
pub(crate) struct Bench {
    options: Options,
    titles: Vec<String>,
    selected: usize,
    faults: Vec<String>,
    goals: Vec<Row>,
}

impl Bench {
    pub(crate) fn new(options: Options) -> Self {
        Self { options, titles: Vec::new(), selected: 0, faults: Vec::new(), goals: Vec::new() }
    }

    pub(crate) fn workers(&self) -> usize {
        self.options.workers.get()
    }

    /// Measured rounds: as asked for, or one when nothing is measured.
    pub(crate) fn rounds(&self) -> u32 {
        if self.measures() { self.options.rounds.get() } else { 1 }
    }

    /// False under `cargo test --benches`, where only the sums count.
    pub(crate) fn measures(&self) -> bool {
        self.options.bench
    }

    /// `full` items, or a thousandth of them (at least 10) when nothing is measured.
    pub(crate) fn items(&self, full: u32) -> u32 {
        if self.measures() { full } else { (full / 1000).max(10) }
    }

    /// What this run measures, for above its tables.
    pub(crate) fn heading(&self) -> String {
        let cores = available_parallelism().map_or(0, NonZeroUsize::get);
        let purpose = if self.measures() {
            ""
        } else {
            "; NOT A MEASUREMENT: run `cargo bench`, this only checks sums"
        };
        format!("{cores} cores, {} workers, {} interleaved rounds{purpose}", self.workers(), self.rounds())
    }

    /// Whether the filter selects the group of this title. To be asked once per group.
    pub(crate) fn wants(&mut self, title: &str) -> bool {
        self.titles.push(title.to_owned());
        let wanted = self.options.filter.as_deref().is_none_or(|filter| title.contains(filter));
        self.selected += usize::from(wanted);
        wanted
    }

    /// Records something that makes the whole run fail, and says it at once.
    pub(crate) fn fault(&mut self, what: String) {
        eprintln!("\nWRONG: {what}\n");
        self.faults.push(what);
    }

    /// Puts a goal that is not one of a group's cases into the table at the end.
    pub(crate) fn goal(&mut self, row: Row) {
        if self.measures() {
            self.goals.push(row);
        }
    }

    /// Runs the rounds of a group and prints its table; returns the name and the median, in nanoseconds an item, of each case.
    pub(crate) fn run(&mut self, mut group: Group<'_>) -> Vec<(String, f64)> {
        eprintln!("{} ...", group.title);
        group.take(self.rounds());
        for wrong in figures::print(&group) {
            self.fault(wrong);
        }
        for row in figures::reached(&group) {
            self.goal(row);
        }
        group.cases.iter().map(|case| (case.name.clone(), case.median())).collect()
    }

    /// The exit status of the run: 0, 1 after a fault, 2 when the filter selected nothing.
    pub(crate) fn finish(self) -> ExitCode {
        if self.selected == 0 {
            let filter = self.options.filter.unwrap_or_default();
            eprintln!(
                "no group has {filter:?} in its title; the groups are:\n  {}",
                self.titles.join("\n  ")
            );
            return ExitCode::from(2);
        }
        goals::print(&self.goals);
        if self.faults.is_empty() {
            return ExitCode::SUCCESS;
        }
        eprintln!("\n{} WRONG:\n  {}", self.faults.len(), self.faults.join("\n  "));
        ExitCode::FAILURE
    }
}
