//! Ways to do the same work, in interleaved rounds, with every sum checked.

use super::{disturbance, goals::Goal, table::at_quantile};
use std::{hint::black_box, num::NonZeroUsize, thread::available_parallelism, time::Instant};

/// One way to do the work of a group.
pub(crate) struct Case<'a> {
    pub(crate) name: String,
    pub(crate) expected: u64,
    /// How many items each call handles.
    pub(crate) items: u32,
    body: Box<dyn FnMut() -> Took + 'a>,
    /// Nanoseconds per item, one per measured round, sorted.
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

    /// Sets how many items each call handles, where it is not as many as in the group's other cases.
    #[allow(dead_code)] // the bench `curves` does
    pub(crate) fn handles(&mut self, items: u32) {
        self.items = items;
    }

    /// The middle one of the times, which must be sorted.
    pub(crate) fn median(&self) -> f64 {
        at_quantile(&self.times, 0.5)
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
    /// The names of cases, and what each is to reach.
    pub(crate) goals: Vec<(String, Goal)>,
}

impl<'a> Group<'a> {
    /// A group whose cases each handle `items` items per call; `item` is the singular word for one.
    pub(crate) fn new(title: impl Into<String>, items: u32, item: &'static str) -> Self {
        Self {
            title: title.into(),
            items,
            item,
            cases: Vec::new(),
            ideal: None,
            yardstick: None,
            goals: Vec::new(),
        }
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

    /// Says what the case of that name is to reach. The name may stand before the case is added, and a case may have several.
    pub(crate) fn goal(&mut self, case: impl Into<String>, goal: Goal) {
        self.goals.push((case.into(), goal));
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
            items: self.items,
            body,
            times: Vec::new(),
            waited: 0.0,
            wrong: None,
            yardstick: false,
        });
        &mut self.cases[at]
    }

    /// Calls every case `rounds` times, and once more before that, which does not count; sorts the times.
    pub(crate) fn take(&mut self, rounds: u32) {
        let count = self.cases.len();
        for round in 0..=rounds {
            for turn in 0..count {
                // Another case goes first in each round: none always follows the same neighbour's mess.
                let case = &mut self.cases[(turn + round as usize) % count];
                let took = (case.body)();
                if took.sum != case.expected {
                    case.wrong = Some(took.sum);
                }
                if round > 0 {
                    case.times.push(took.time / f64::from(case.items));
                    case.waited += took.waited;
                }
            }
        }
        for case in &mut self.cases {
            case.times.sort_by(f64::total_cmp);
        }
    }
}
