//! Callbacks at the end of a pipeline: sinks, iterators, monitors.

use std::sync::Arc;

use gristmill::pipeline::PipelineMonitor;
use gristmill::{CancellationToken, Pipeline};

use super::stages::{ITEMS, piped};
use crate::support::Counted;
use crate::trial::{Heard, Row, Told, Trial, thrown};

/// A pipeline of counted items with one stage.
macro_rules! source {
    ($t:expr) => {{
        let maker = $t.clone();
        let items = (0..ITEMS).map(move |number| maker.item(number));
        Pipeline::from_iter(items).workers($t.workers).map("map", |item: Counted| item)
    }};
}

fn token() -> CancellationToken {
    CancellationToken::new()
}

std::thread_local! {
    // `Default` is given nothing, so it finds the trial here.
    static TRIAL: std::cell::RefCell<Option<Trial>> = const { std::cell::RefCell::new(None) };
}

/// What results are collected into.
struct Collected(Vec<Counted>, Trial);

impl Default for Collected {
    fn default() -> Self {
        let trial = TRIAL.with_borrow(Clone::clone).expect("the row has set it");
        Self(Vec::new(), trial)
    }
}

impl Extend<Counted> for Collected {
    fn extend<I: IntoIterator<Item = Counted>>(&mut self, items: I) {
        self.1.touch();
        self.0.extend(items);
    }
}

/// Pipelines with a monitor on which the functions of a rule are called at its end and after it.
fn monitored(t: &Trial, which: usize) -> Option<Heard> {
    let monitor = PipelineMonitor::new();
    let touch = |at: usize| {
        let t = t.clone();
        Arc::new(move || {
            if at == which {
                t.touch();
            }
        })
    };
    let (raise, clear, callback) = (touch(0), touch(1), touch(2));
    monitor.when(
        "rule",
        move |_| {
            raise();
            true
        },
        move |_| {
            clear();
            true
        },
        move |_| callback(),
    );
    let heard = piped(source!(t).monitored_by(&monitor).for_each("end", drop).run(&token()));
    assert!(heard.is_none(), "a rule ends no run");
    for _ in 0..3 {
        assert_eq!(monitor.snapshot().finished(), ITEMS);
    }
    let panics = monitor.take_panics();
    assert!(panics.len() <= 1, "a rule that has panicked is not asked again");
    panics.first().map(Heard::from)
}

pub(super) const ROWS: &[Row] = &[
    Row {
        name: "for_each",
        of: &["pipeline::Pipeline::for_each"],
        told: Told::Error("here"),
        run: |t| piped(source!(t).for_each("here", |_| t.touch()).run(&token())),
    },
    Row {
        name: "try_for_each",
        of: &["pipeline::Pipeline::try_for_each"],
        told: Told::Error("here"),
        run: |t| {
            let sink = |_| {
                t.touch();
                Ok::<_, &str>(())
            };
            piped(source!(t).try_for_each("here", sink).run(&token()))
        },
    },
    Row {
        name: "for_each_local",
        of: &["pipeline::Pipeline::for_each_local"],
        told: Told::Error("here"),
        run: |t| piped(source!(t).for_each_local("here", |_| t.touch()).run(&token())),
    },
    Row {
        name: "try_for_each_local",
        of: &["pipeline::Pipeline::try_for_each_local"],
        told: Told::Error("here"),
        run: |t| {
            let sink = |_| {
                t.touch();
                Ok::<_, &str>(())
            };
            piped(source!(t).try_for_each_local("here", sink).run(&token()))
        },
    },
    Row {
        name: "fold",
        of: &["pipeline::Pipeline::fold"],
        told: Told::Error("here"),
        run: |t| {
            let fold = |bag: Vec<Counted>, item| {
                t.touch();
                bag.into_iter().chain([item]).collect()
            };
            piped(source!(t).fold("here", vec![t.item(0)], fold).run(&token()))
        },
    },
    Row {
        name: "reduce",
        of: &["pipeline::Pipeline::reduce"],
        told: Told::Error("here"),
        run: |t| {
            let reduce = |one, _| {
                t.touch();
                one
            };
            piped(source!(t).reduce("here", reduce).run(&token()))
        },
    },
    Row {
        name: "extend of collect",
        of: &["pipeline::Pipeline::collect"],
        told: Told::Error("collect"),
        run: |t| {
            TRIAL.set(Some(t.clone()));
            let outcome = source!(t).collect::<Collected>().run(&token());
            TRIAL.set(None);
            if let Ok((collected, _)) = &outcome {
                assert_eq!(collected.0.len() as u64, ITEMS);
            }
            piped(outcome)
        },
    },
    Row {
        name: "drop of an item in the sink",
        of: &[],
        told: Told::Error("here"),
        run: |t| piped(source!(t).map("map", |_| t.fragile()).for_each("here", drop).run(&token())),
    },
    Row {
        name: "drop of a sink's closure",
        of: &[],
        told: Told::Error("a destructor"),
        run: |t| {
            let held = t.fragile();
            piped(source!(t).for_each("here", move |_| _ = held.number()).run(&token()))
        },
    },
    Row {
        name: "body of with_iter",
        of: &["pipeline::Pipeline::with_iter"],
        told: Told::Caller,
        run: |t| {
            thrown(|| {
                let (taken, outcome) = source!(t).with_iter(&token(), |mut items| {
                    items.next();
                    t.touch();
                    items.count() as u64
                });
                outcome.expect("nothing else fails");
                assert_eq!(taken, Some(ITEMS - 1));
            })
        },
    },
    Row {
        name: "raise of a monitor's rule",
        of: &["pipeline::PipelineMonitor::when"],
        told: Told::Error("rule"),
        run: |t| monitored(t, 0),
    },
    Row {
        name: "clear of a monitor's rule",
        of: &["pipeline::PipelineMonitor::when"],
        told: Told::Error("rule"),
        run: |t| monitored(t, 1),
    },
    Row {
        name: "callback of a monitor's rule",
        of: &["pipeline::PipelineMonitor::when"],
        told: Told::Error("rule"),
        run: |t| monitored(t, 2),
    },
];
