//! Interleaved rounds over the cases of a group, with every sum checked.

use super::{disturbance, figures, options::Options};
use std::{
    hint::black_box, num::NonZeroUsize, process::ExitCode, thread::available_parallelism, time::Instant,
};

/// One way to do the work of a group.
pub(crate) struct Case<'a> {
    pub(crate) name: String,
    pub(crate) expected: u64,
    body: Box<dyn FnMut() -> Took + 'a>,
    /// Nanoseconds per item, one per measured round.
    pub(crate) times: Vec<f64>,
    /// Nanoseconds that the calling thread stood ready without a core in the measured rounds.
    pub(crate) waited: f64,
    /// A sum other than the expected one, if a round gave one.
    pub(crate) wrong: Option<u64>,
    /// Whether it is one of those that the group's last column compares with.
    pub(crate) yardstick: bool,
}

impl Case<'_> {
    /// Makes it one of those whose fastest all cases are compared with: see [`Group::yardstick`].
    pub(crate) fn as_yardstick(&mut self) {
        self.yardstick = true;
    }
}

/// What one call of a case took, in nanoseconds, and what it summed up to.
struct Took {
    time: f64,
    waited: f64,
    sum: u64,
}

/// Several ways to do the same work; the first is what the others are compared with.
pub(crate) struct Group<'a> {
    pub(crate) title: String,
    pub(crate) items: u32,
    pub(crate) item: &'static str,
    pub(crate) cases: Vec<Case<'a>>,
    /// What the first case's time is divided by for the ideal.
    pub(crate) ideal: Option<usize>,
    /// Heads the column of ratios to the fastest yardstick.
    pub(crate) yardstick: Option<&'static str>,
}

impl<'a> Group<'a> {
    /// A group whose cases each handle `items` items per call; `item` is the singular word for one.
    pub(crate) fn new(title: impl Into<String>, items: u32, item: &'static str) -> Self {
        Self { title: title.into(), items, item, cases: Vec::new(), ideal: None, yardstick: None }
    }

    /// Adds a column: by how many percent a case misses the first case's time divided by `workers`, or by the cores
    /// that this process may use, if they are fewer.
    pub(crate) fn ideal(&mut self, workers: usize) {
        self.ideal = Some(workers.min(available_parallelism().map_or(1, NonZeroUsize::get)));
    }

    /// Adds a column under that heading: the ratio to the fastest of the cases added [`as_yardstick`](Case::as_yardstick).
    pub(crate) fn yardstick(&mut self, heading: &'static str) {
        self.yardstick = Some(heading);
    }

    /// Adds a case: `body` does the work once and returns the sum, which must be `expected`.
    pub(crate) fn case(
        &mut self,
        name: impl Into<String>,
        expected: u64,
        body: impl FnMut() -> u64 + 'a,
    ) -> &mut Case<'a> {
        self.checked(name, expected, body, |sum| sum)
    }

    /// Adds a case whose sum costs too much to be timed: `body` does the work, and then `sum` sums up its results.
    pub(crate) fn checked<R>(
        &mut self,
        name: impl Into<String>,
        expected: u64,
        mut body: impl FnMut() -> R + 'a,
        mut sum: impl FnMut(R) -> u64 + 'a,
    ) -> &mut Case<'a> {
        let body = Box::new(move || {
            let waited = disturbance::waited();
            let start = Instant::now();
            let results = black_box(body());
            let time = start.elapsed().as_secs_f64() * 1e9;
            let waited = disturbance::waited() - waited;
            Took { time, waited, sum: black_box(sum(results)) }
        });
        let name = name.into();
        let at = self.cases.len();
        self.cases.push(Case {
            name,
            expected,
            body,
            times: Vec::new(),
            waited: 0.0,
            wrong: None,
            yardstick: false,
        });
        &mut self.cases[at]
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
                let took = (case.body)();
                if took.sum != case.expected {
                    case.wrong = Some(took.sum);
                }
                if round > 0 {
                    case.times.push(took.time / f64::from(group.items));
                    case.waited += took.waited;
                }
            }
        }
        for wrong in figures::print(&mut group) {
            self.fault(wrong);
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
