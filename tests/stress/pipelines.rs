//! Pipelines of many shapes, with a fault, a cancellation or a reader that goes away at any item.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use gristmill::{CancellationToken, Pipeline, PipelineError, PipelineErrorKind, Report};

use crate::Turn;
use crate::dice::Dice;
use crate::ledger::{Item, Ledger};
use crate::planned::planned_panic;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    Error,
    Panic,
    Cancel,
}

#[derive(Clone, Copy, Debug)]
enum Sink {
    ForEach,
    Local,
    Collect,
    Send,
    /// The receiver goes after so many.
    Leave(usize),
    /// An iterator, of which so many are taken.
    With(usize),
}

#[derive(Clone, Debug)]
struct Plan {
    shape: usize,
    items: u64,
    window: usize,
    workers: usize,
    ordered: bool,
    /// Hides how many items are left.
    is_vague: bool,
    /// One in so many items takes long.
    heavy: u64,
    is_slow: bool,
    batch: usize,
    threads: usize,
    sink: Sink,
    /// In which stage, at which item, what.
    fault: Option<(usize, u64, Fault)>,
    deadline: Option<Duration>,
}

const STAGES: usize = 4;

impl Plan {
    fn draw(turn: &mut Turn<'_>) -> Self {
        let workers = turn.draw_workers();
        let dice: &mut Dice = &mut turn.dice;
        let items = dice.pick(&[0, 1, 50, 300, 1000]);
        let taken = dice.within(0..=60);
        let sinks = [
            Sink::ForEach,
            Sink::ForEach,
            Sink::Local,
            Sink::Collect,
            Sink::Send,
            Sink::Leave(taken),
            Sink::With(taken),
        ];
        let fault = dice.pick(&[Fault::Error, Fault::Panic, Fault::Cancel]);
        Self {
            shape: dice.within(0..=SHAPES.len() - 1),
            items,
            window: dice.pick(&[1, 2, 7, 64, 1024]),
            workers,
            ordered: dice.one_in(2),
            is_vague: dice.one_in(3),
            heavy: dice.pick(&[3, 37, u64::MAX]),
            is_slow: dice.one_in(4),
            batch: dice.within(1..=9),
            threads: dice.within(1..=3),
            sink: dice.pick(&sinks),
            fault: dice
                .one_in(2)
                .then(|| (dice.within(0..=STAGES), dice.below(items + items / 4 + 1), fault)),
            deadline: dice.one_in(8).then(|| Duration::from_micros(dice.below(3000))),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error("torn at {0}")]
struct Torn(u64);

/// What the stages share.
struct Mill {
    plan: Plan,
    ledger: Ledger,
    token: CancellationToken,
    /// Whether the fault came to pass.
    is_torn: AtomicBool,
    serial: AtomicBool,
    /// The last number of each key, and one.
    keys: [AtomicU64; 5],
}

impl Mill {
    fn grind(&self, number: u64) {
        let rounds = if number % self.plan.heavy == 0 { 3000 } else { number % 20 };
        (0..rounds).for_each(|round| _ = std::hint::black_box(round));
    }

    fn fail(&self, stage: usize, number: u64) -> Result<(), Torn> {
        match self.plan.fault {
            Some((at, bad, fault)) if (at, bad) == (stage, number) => {
                self.is_torn.store(true, Ordering::SeqCst);
                match fault {
                    Fault::Error => Err(Torn(number)),
                    Fault::Panic => planned_panic(number),
                    Fault::Cancel => {
                        self.token.cancel();
                        Ok(())
                    }
                }
            }
            _ => Ok(()),
        }
    }

    /// The same where only a panic can say it.
    fn sure(&self, stage: usize, number: u64) {
        if self.fail(stage, number).is_err() {
            planned_panic(number);
        }
    }

    fn keeps(number: u64) -> bool {
        number % 3 != 0
    }

    fn copies(&self, item: &Item) -> Vec<Item> {
        (0..item.number % 3).map(|_| self.ledger.item(item.number)).collect()
    }

    /// Nobody else is in here.
    fn alone(&self) {
        assert!(!self.serial.swap(true, Ordering::SeqCst), "two in a serial stage");
        self.serial.store(false, Ordering::SeqCst);
    }

    fn in_order(&self, number: u64) {
        let key = &self.keys[usize::try_from(number % 5).expect("small")];
        let before = key.swap(number + 1, Ordering::SeqCst);
        assert!(before <= number + 1, "{number} of its key after {before}");
    }

    fn serial(&self, last: &mut u64, number: u64) {
        self.alone();
        assert!(!self.plan.ordered || *last <= number, "{number} after {last} in a serial stage");
        *last = number;
    }

    fn is_copied(&self) -> bool {
        KINDS[self.plan.shape].contains(&Kind::FlatMap)
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Map,
    MapInit,
    Filter,
    FlatMap,
    Bounded,
    Serial,
    Shared,
    Keyed,
    Blocking,
    Batch,
}

/// Adds one stage; `$stage` is its number.
macro_rules! stage {
    ($pipeline:expr, $mill:ident, $stage:expr, Map) => {
        $pipeline.try_map("map", move |item: Item| {
            $mill.fail($stage, item.number)?;
            $mill.grind(item.number);
            Ok::<_, Torn>(item)
        })
    };
    ($pipeline:expr, $mill:ident, $stage:expr, MapInit) => {
        $pipeline.try_map_init("init", std::rc::Rc::<()>::default, move |_, item: Item| {
            $mill.fail($stage, item.number)?;
            Ok::<_, Torn>(item.clone())
        })
    };
    ($pipeline:expr, $mill:ident, $stage:expr, Filter) => {
        $pipeline.filter("filter", move |item: &Item| {
            $mill.sure($stage, item.number);
            Mill::keeps(item.number)
        })
    };
    ($pipeline:expr, $mill:ident, $stage:expr, FlatMap) => {
        $pipeline.flat_map("flat map", move |item: Item| {
            $mill.sure($stage, item.number);
            $mill.copies(&item)
        })
    };
    ($pipeline:expr, $mill:ident, $stage:expr, Bounded) => {
        $pipeline.flat_map_bounded("bounded", $mill.plan.batch, move |item: Item| {
            $mill.sure($stage, item.number);
            [item]
        })
    };
    ($pipeline:expr, $mill:ident, $stage:expr, Serial) => {{
        let mut last = 0;
        $pipeline.try_serial("serial", move |item: Item| {
            $mill.fail($stage, item.number)?;
            $mill.serial(&mut last, item.number);
            Ok::<_, Torn>(item)
        })
    }};
    ($pipeline:expr, $mill:ident, $stage:expr, Shared) => {
        $pipeline.serial_unordered("shared", move |item: Item| {
            $mill.sure($stage, item.number);
            $mill.alone();
            item
        })
    };
    ($pipeline:expr, $mill:ident, $stage:expr, Keyed) => {
        $pipeline.try_keyed(
            "keyed",
            |item: &Item| item.number % 5,
            move |item: Item| {
                $mill.fail($stage, item.number)?;
                if $mill.plan.ordered {
                    $mill.in_order(item.number);
                }
                Ok::<_, Torn>(item)
            },
        )
    };
    ($pipeline:expr, $mill:ident, $stage:expr, Blocking) => {
        $pipeline.try_blocking("blocking", $mill.plan.threads, move |item: Item| {
            $mill.fail($stage, item.number)?;
            std::thread::yield_now();
            Ok::<_, Torn>(item)
        })
    };
    ($pipeline:expr, $mill:ident, $stage:expr, Batch) => {
        $pipeline.batch($mill.plan.batch).flat_map("unpack", move |items: Vec<Item>| {
            for item in &items {
                $mill.sure($stage, item.number);
            }
            items
        })
    };
}

/// The numbers that the sink has seen, and how the run ended.
type Ran = (Vec<u64>, Result<Report, PipelineError<Torn>>);

/// Ends a pipeline with the sink of the plan, and runs it.
macro_rules! run {
    ($pipeline:expr, $mill:ident) => {{
        let (pipeline, token) = ($pipeline, &$mill.token);
        let mut seen = Vec::new();
        let see = |item: Item| {
            $mill.fail(STAGES, item.number)?;
            if $mill.plan.is_slow {
                std::thread::yield_now();
            }
            seen.push(item.number);
            Ok::<_, Torn>(())
        };
        let outcome = match $mill.plan.sink {
            Sink::ForEach => pipeline.try_for_each("sink", see).run(token),
            Sink::Local => pipeline.try_for_each_local("sink", see).run(token),
            Sink::Collect => pipeline.collect::<Vec<_>>().run(token).map(|(items, report)| {
                seen = items.iter().map(|item: &Item| item.number).collect();
                report
            }),
            Sink::Send | Sink::Leave(_) => {
                let (sender, receiver) = crossbeam_channel::bounded($mill.plan.batch);
                let most = if let Sink::Leave(most) = $mill.plan.sink { most } else { usize::MAX };
                let ran = std::thread::scope(|threads| {
                    let reader = threads.spawn(move || {
                        let items = receiver.iter().take(most).map(|item: Item| item.number);
                        items.collect::<Vec<_>>()
                    });
                    let outcome = pipeline.send(sender).run(token);
                    (reader.join().expect("it reads only"), outcome)
                });
                seen = ran.0;
                ran.1
            }
            Sink::With(most) => {
                let (items, outcome) = pipeline
                    .with_iter(token, |items| items.take(most).map(|item| item.number).collect::<Vec<_>>());
                seen = items.unwrap_or_default();
                outcome
            }
        };
        (seen, outcome)
    }};
}

/// A function that runs a pipeline of these stages.
macro_rules! shape {
    ($name:ident: $($kind:ident)*) => {
        fn $name(mill: &Mill) -> Ran {
            let source = (0..mill.plan.items).map(move |number| {
                mill.fail(0, number).map(|()| mill.ledger.item(number))
            });
            let pipeline = Pipeline::from_try_iter(source).workers(mill.plan.workers).window(mill.plan.window);
            let pipeline = if mill.plan.is_vague { pipeline.source_may_block() } else { pipeline };
            let pipeline = if mill.plan.ordered { pipeline.in_order() } else { pipeline.unordered() };
            let stage = 0;
            $(
                let stage = stage + 1;
                let pipeline = stage!(pipeline, mill, stage, $kind);
            )*
            _ = stage;
            run!(pipeline, mill)
        }
    };
}

macro_rules! shapes {
    ($($name:ident: $($kind:ident)*;)*) => {
        $(shape!($name: $($kind)*);)*
        const SHAPES: &[fn(&Mill) -> Ran] = &[$($name),*];
        const KINDS: &[&[Kind]] = &[$(&[$(Kind::$kind),*]),*];
    };
}

shapes! {
    nothing: ;
    one_row: Map Filter FlatMap;
    states: MapInit Shared Map;
    serial: Map Serial FlatMap;
    keyed: Filter Keyed Map;
    keyed_late: FlatMap Map Keyed;
    blocking: Map Blocking Serial;
    batches: Map Batch Keyed;
    bounded: Bounded Map Batch;
    blocks_first: Blocking Filter Batch;
}

/// What a plain loop would give, up to the item `end`.
fn expected(mill: &Mill, end: u64) -> Vec<u64> {
    let mut numbers: Vec<u64> = (0..end).collect();
    for kind in KINDS[mill.plan.shape] {
        match kind {
            Kind::Filter => numbers.retain(|number| Mill::keeps(*number)),
            Kind::FlatMap => {
                let copies = |number: u64| (0..number % 3).map(move |_| number);
                numbers = numbers.into_iter().flat_map(copies).collect();
            }
            _ => {}
        }
    }
    numbers
}

fn counts_close(report: &Report) {
    for pair in report.stages().windows(2) {
        assert_eq!(pair[0].items_out(), pair[1].items_in(), "{report}");
    }
    assert_eq!(report.read(), report.finished() + report.unfinished(), "{report}");
}

/// Whether `part` is what is left of `whole`, which is sorted like it, when some are taken out.
fn is_part(part: &[u64], whole: &[u64]) -> bool {
    let mut rest = whole.iter();
    part.iter().all(|number| rest.any(|other| other == number))
}

fn check(mill: &Mill, seen: &[u64], outcome: &Result<Report, PipelineError<Torn>>) {
    let plan = &mill.plan;
    let report = outcome.as_ref().unwrap_or_else(|error| error.report());
    counts_close(report);
    let whole = expected(mill, plan.items);
    let mut sorted = seen.to_vec();
    sorted.sort_unstable();
    assert!(is_part(&sorted, &whole), "what no item became, or too often: {seen:?}");
    if plan.ordered {
        assert!(whole.starts_with(seen), "not the first ones, or not in order: {seen:?}");
    }
    let left_early = match plan.sink {
        Sink::Leave(most) | Sink::With(most) => whole.len() >= most,
        _ => false,
    };
    let is_torn = mill.is_torn.load(Ordering::SeqCst);
    match outcome {
        Ok(_) if left_early => {}
        Ok(report) => {
            // A token that is cancelled by the last item may come too late to be looked at.
            assert!(!is_torn || matches!(plan.fault, Some((_, _, Fault::Cancel))), "{report}");
            assert_eq!(sorted, whole, "{report}");
            assert_eq!((report.read(), report.unfinished()), (plan.items, 0));
        }
        Err(error) => match (error.kind(), plan.fault) {
            (PipelineErrorKind::Failed { source, .. }, Some((_, bad, Fault::Error))) => {
                assert_eq!(*source, Torn(bad));
                fault_is_told(mill, seen, error, bad);
            }
            (PipelineErrorKind::Panicked { .. }, Some((_, bad, Fault::Panic | Fault::Error))) => {
                fault_is_told(mill, seen, error, bad);
            }
            (PipelineErrorKind::Cancelled { .. }, fault) => {
                let by_fault = is_torn && matches!(fault, Some((_, _, Fault::Cancel)));
                assert!(by_fault || plan.deadline.is_some(), "{error}");
            }
            (PipelineErrorKind::ReceiverGone { .. }, _) => assert!(left_early, "{error}"),
            _ => panic!("{error:?}"),
        },
    }
}

fn fault_is_told(mill: &Mill, seen: &[u64], error: &PipelineError<Torn>, bad: u64) {
    assert!(mill.is_torn.load(Ordering::SeqCst));
    let has_batch = KINDS[mill.plan.shape].contains(&Kind::Batch);
    if !has_batch {
        assert_eq!(error.index(), Some(bad), "{error}");
        let has_all = matches!(mill.plan.sink, Sink::ForEach | Sink::Local);
        if mill.plan.ordered && has_all {
            let before = expected(mill, bad);
            // Of its own copies some may have come before the one that failed.
            assert!(
                seen.starts_with(&before) && (mill.is_copied() || seen.len() == before.len()),
                "{seen:?}"
            );
        }
    }
}

pub(crate) fn storm(turn: &mut Turn<'_>) {
    let plan = Plan::draw(turn);
    turn.plan(&plan);
    let token = CancellationToken::new();
    let token = plan.deadline.map_or_else(|| token.child(), |limit| token.child_with_timeout(limit));
    let run = SHAPES[plan.shape];
    let mill = Mill {
        plan,
        ledger: Ledger::default(),
        token,
        is_torn: AtomicBool::new(false),
        serial: AtomicBool::new(false),
        keys: Default::default(),
    };
    let (seen, outcome) = run(&mill);
    check(&mill, &seen, &outcome);
    drop(outcome);
    mill.ledger.is_closed();
}
