//! Interleaved rounds over the cases of a group, with every sum checked.

use super::{
    disturbance,
    options::Options,
    table::{Table, at_quantile},
};
use std::{
    hint::black_box, num::NonZeroUsize, process::ExitCode, thread::available_parallelism, time::Instant,
};

/// One way to do the work of a group.
struct Case<'a> {
    name: String,
    expected: u64,
    body: Box<dyn FnMut() -> u64 + 'a>,
    /// Nanoseconds per item, one per measured round.
    times: Vec<f64>,
    /// Nanoseconds that the calling thread stood ready without a core in the measured rounds.
    waited: f64,
    /// A sum other than the expected one, if a round gave one.
    wrong: Option<u64>,
}

/// Several ways to do the same work; the first is what the others are compared with.
pub(crate) struct Group<'a> {
    title: String,
    items: u32,
    item: &'static str,
    cases: Vec<Case<'a>>,
}

impl<'a> Group<'a> {
    /// A group whose cases each handle `items` items per call; `item` is the singular word for one.
    pub(crate) fn new(title: impl Into<String>, items: u32, item: &'static str) -> Self {
        Self { title: title.into(), items, item, cases: Vec::new() }
    }

    /// Adds a case: `body` does the work once and returns the sum, which must be `expected`.
    pub(crate) fn case(&mut self, name: impl Into<String>, expected: u64, body: impl FnMut() -> u64 + 'a) {
        let (name, body) = (name.into(), Box::new(body));
        self.cases.push(Case { name, expected, body, times: Vec::new(), waited: 0.0, wrong: None });
    }
}

/// The whole run: its options, and what went wrong so far.
pub(crate) struct Bench {
    options: Options,
    titles: Vec<String>,
    selected: usize,
    faults: Vec<String>,
}

impl Bench {
    pub(crate) fn new(options: Options) -> Self {
        Self { options, titles: Vec::new(), selected: 0, faults: Vec::new() }
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

    /// Runs the rounds of a group and prints its table.
    pub(crate) fn run(&mut self, mut group: Group<'_>) {
        eprintln!("{} ...", group.title);
        let count = group.cases.len();
        for round in 0..=self.rounds() {
            for turn in 0..count {
                // Another case goes first in each round: none always follows the same neighbour's mess.
                let case = &mut group.cases[(turn + round as usize) % count];
                let waited = disturbance::waited();
                let start = Instant::now();
                let sum = black_box((case.body)());
                let time = start.elapsed().as_secs_f64() * 1e9 / f64::from(group.items);
                if sum != case.expected {
                    case.wrong = Some(sum);
                }
                if round > 0 {
                    case.times.push(time);
                    case.waited += disturbance::waited() - waited;
                }
            }
        }
        self.print(group);
    }

    fn print(&mut self, mut group: Group<'_>) {
        let title = format!("{} ({} {}s per round)", group.title, group.items, group.item);
        let unit = format!("ns per {}", group.item);
        let mut table = Table::new(title, &["case", &unit, "smallest .. largest", "ratio"]);
        let mut base = None;
        for case in &mut group.cases {
            case.times.sort_by(f64::total_cmp);
            let median = at_quantile(&case.times, 0.5);
            let (smallest, largest) = (case.times[0], case.times[case.times.len() - 1]);
            let ratio = median / *base.get_or_insert(median);
            let mut name = case.name.clone();
            if let Some(sum) = case.wrong {
                name.push_str(" **WRONG SUM**");
                self.fault(format!(
                    "{}: {}: sum {sum:#x} instead of {:#x}",
                    group.title, case.name, case.expected
                ));
            }
            table.row(vec![
                name,
                format!("{median:.1}"),
                format!("{smallest:.1} .. {largest:.1}"),
                format!("{ratio:.2}"),
            ]);
        }
        table.print();
        let first = &group.cases[0];
        // A share of the time only where there is no thread of its own that it might wait for.
        let time = first.times.iter().sum::<f64>() * f64::from(group.items);
        let waited = if first.name == "loop" { first.waited / time } else { 0.0 };
        if let Some(verdict) = disturbance::verdict(&first.times, waited) {
            println!("\n{verdict}");
        }
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
        if self.faults.is_empty() {
            return ExitCode::SUCCESS;
        }
        eprintln!("\n{} WRONG:\n  {}", self.faults.len(), self.faults.join("\n  "));
        ExitCode::FAILURE
    }
}
