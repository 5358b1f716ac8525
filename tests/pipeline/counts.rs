//! The counts close for every stage at every end, against what the stages' closures have counted themselves.

use std::sync::atomic::{AtomicU64, Ordering};

use gristmill::{CancellationToken, Pipeline, PipelineError, Report};

use super::support::{Item, Ledger, counts_close, grid};

const ITEMS: u64 = 3000;
/// The item at which the run ends early.
const LAST: u64 = 1700;

/// The stages, in the order of the flow.
const STAGES: [&str; 7] = ["source", "parse", "odd", "twice", "number", "batch", "store"];

#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    /// All items go through.
    Success,
    Error,
    Panic,
    Cancel,
}

#[derive(Debug, thiserror::Error)]
#[error("torn")]
struct Torn;

/// How often each stage's closure was called.
#[derive(Default)]
struct Calls([AtomicU64; STAGES.len()]);

impl Calls {
    fn add(&self, stage: usize) {
        self.0[stage].fetch_add(1, Ordering::SeqCst);
    }

    fn of(&self, stage: usize) -> u64 {
        self.0[stage].load(Ordering::SeqCst)
    }
}

/// Ends the run at `LAST` in one of the stages, in that way.
struct Trap {
    stage: usize,
    end: End,
    token: CancellationToken,
    calls: Calls,
}

impl Trap {
    fn pass(&self, stage: usize, number: u64) -> Result<(), Torn> {
        self.calls.add(stage);
        if stage != self.stage || number < LAST {
            return Ok(());
        }
        match self.end {
            End::Success => Ok(()),
            End::Error => Err(Torn),
            End::Panic => panic!("torn"),
            End::Cancel => {
                self.token.cancel();
                Ok(())
            }
        }
    }

    /// The same in a closure that cannot fail.
    fn pass_or_panic(&self, stage: usize, number: u64) {
        assert!(self.pass(stage, number).is_ok(), "torn");
    }
}

fn run(
    (workers, window): (usize, usize),
    ordered: bool,
    ledger: &Ledger,
    trap: &Trap,
) -> Result<Report, PipelineError<Torn>> {
    let source = (0..ITEMS).map(|number| {
        trap.pass(0, number)?;
        Ok(ledger.item(number))
    });
    let pipeline = Pipeline::from_try_iter(source).workers(workers).window(window);
    let pipeline = if ordered { pipeline } else { pipeline.unordered() };
    pipeline
        .source_is_ready()
        .try_map("parse", |item: Item| trap.pass(1, item.number).map(|()| item))
        .filter("odd", |item| {
            trap.pass_or_panic(2, item.number);
            item.number % 2 == 1
        })
        .flat_map("twice", |item| {
            trap.pass_or_panic(3, item.number);
            [ledger.item(item.number), item]
        })
        .try_serial("number", |item| trap.pass(4, item.number).map(|()| item))
        .batch(7)
        .try_for_each("store", |batch| trap.pass(6, batch[0].number))
        .run(&trap.token)
}

fn check(grid: (usize, usize), ordered: bool, stage: usize, end: End) {
    let ledger = Ledger::default();
    let (token, calls) = (CancellationToken::new(), Calls::default());
    let trap = Trap { stage, end, token, calls };
    let outcome = run(grid, ordered, &ledger, &trap);
    let said = format!("{grid:?} ordered: {ordered}, {end:?} in {}", STAGES[stage]);
    assert_eq!(outcome.is_ok(), end == End::Success, "{said}");
    let report = match &outcome {
        Ok(report) => report,
        Err(error) => error.report(),
    };
    counts_close(report);
    let stages = report.stages();
    let sums = |count: fn(&gristmill::pipeline::StageReport) -> u64| stages.iter().map(count).sum::<u64>();
    for (place, stage) in stages.iter().enumerate() {
        let said = format!("{said}: {}\n{report}", stage.name());
        if stage.name() != "batch" {
            // All that came was worked on, or is said not to have been.
            assert_eq!(stage.items_in() - stage.undone(), trap.calls.of(place), "{said}");
        }
        match stage.name() {
            "odd" => assert!(stage.filtered().abs_diff(stage.passed()) <= u64::try_from(grid.0).unwrap() + 1),
            "batch" => assert!(stage.items_out() * 7 >= stage.passed() && stage.filtered() == 0, "{said}"),
            "twice" => {
                let twice = stage.passed() * 2;
                // Where its two items do not both get through, the run is over.
                assert!(
                    stage.items_out() <= twice && twice - stage.items_out() <= 2 * grid.0 as u64,
                    "{said}"
                );
            }
            _ => assert_eq!((stage.items_out(), stage.filtered()), (stage.passed(), 0), "{said}"),
        }
    }
    let ends = |expected| if end == expected { 1..=grid.0 as u64 } else { 0..=0 };
    match end {
        End::Success => {
            assert_eq!(sums(gristmill::pipeline::StageReport::undone), 0, "{said}\n{report}");
            assert_eq!((stages[2].filtered(), stages[3].items_out()), (ITEMS / 2, ITEMS), "{said}");
        }
        End::Cancel => {}
        // In some of the stages an error can only be a panic.
        End::Error if [2, 3].contains(&stage) => {
            assert!((1..=grid.0 as u64).contains(&stages[stage].panicked()), "{said}");
        }
        _ => {
            assert!(ends(End::Error).contains(&stages[stage].failed()), "{said}\n{report}");
            assert!(ends(End::Panic).contains(&stages[stage].panicked()), "{said}\n{report}");
        }
    }
    assert_eq!(ledger.live(), 0, "{said}");
}

#[test]
fn counts_close_for_every_stage_at_every_end() {
    for end in [End::Success, End::Error, End::Panic, End::Cancel] {
        for stage in [0, 1, 2, 3, 4, 6] {
            for grid in grid().filter(|(workers, _)| *workers < 16) {
                for ordered in [true, false] {
                    check(grid, ordered, stage, end);
                }
            }
        }
    }
}
