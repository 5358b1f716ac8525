//! Random pipelines with error policies against a sequential model: results, failures with their places, counts, endings.

use std::sync::Mutex;

use gristmill::pipeline::{ErrorLog, FailedItem};
use gristmill::{CancellationToken, Pipeline, PipelineError, Report};
use proptest::prelude::*;

use super::support::grind;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Item {
    /// Its place in the source.
    index: u64,
    value: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Torn(u64);

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Map,
    Filter,
    FlatMap,
    Batch,
    Serial,
    Skip,
    SkipInit,
    SkipSerial,
    Collect,
    CollectSerial,
    Divert,
    DivertSerial,
    Handle,
    HandleSerial,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Policy {
    Skip,
    Collect,
    Divert,
    Handle,
}

impl Kind {
    fn policy(self) -> Option<Policy> {
        match self {
            Self::Map | Self::Filter | Self::FlatMap | Self::Batch | Self::Serial => None,
            Self::Skip | Self::SkipInit | Self::SkipSerial => Some(Policy::Skip),
            Self::Collect | Self::CollectSerial => Some(Policy::Collect),
            Self::Divert | Self::DivertSerial => Some(Policy::Divert),
            Self::Handle | Self::HandleSerial => Some(Policy::Handle),
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Settings {
    items: u64,
    window: usize,
    workers: usize,
    ordered: bool,
    vague: bool,
    /// One in so many items takes long.
    heavy: u64,
    factor: u64,
    /// One in so many fails.
    torn: u64,
    batch: usize,
    /// Where a closure that decides ends the run.
    fatal: Option<u64>,
}

impl Settings {
    fn map(&self, item: Item) -> Item {
        grind(if item.index % self.heavy == 0 { 30_000 } else { item.index % 20 });
        Item { value: item.value.wrapping_mul(self.factor | 1) ^ item.index, ..item }
    }

    fn keeps(&self, item: &Item) -> bool {
        (item.value ^ self.factor) % 3 != 0
    }

    fn copies(&self, item: Item) -> impl Iterator<Item = Item> + use<> {
        (0..item.value.wrapping_add(self.factor) % 4)
            .map(move |copy| Item { value: item.value.wrapping_add(copy), ..item })
    }

    fn is_fatal(&self, item: Item) -> bool {
        self.fatal.is_some_and(|index| item.index >= index)
    }

    /// What a stage with that number that can fail does.
    fn attempt(&self, stage: usize, item: Item, decides: bool) -> Result<Item, Torn> {
        let torn = item.value.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(stage as u64) >> 20;
        if torn % self.torn == 0 || decides && self.is_fatal(item) {
            Err(Torn(item.value))
        } else {
            Ok(self.map(item))
        }
    }
}

fn join(batch: &[Item]) -> Item {
    let value = batch.iter().fold(0_u64, |sum, item| sum.wrapping_mul(31).wrapping_add(item.value));
    Item { index: batch[0].index, value }
}

/// A failure that the run goes on without: the stage's number, and its index and error.
type Failure = (usize, u64, Torn);

/// What is seen in the sink; which failures are told of; in and out and failed by stage; where the run ends.
#[derive(Debug, Default)]
struct Outcome {
    seen: Vec<Item>,
    told: Vec<Failure>,
    counts: Vec<(u64, u64, u64)>,
    fatal: Option<u64>,
}

/// The plain loops, one for each stage.
fn expect(s: &Settings, kinds: &[Kind]) -> Outcome {
    let mut items: Vec<_> = (0..s.items).map(|index| Item { index, value: index }).collect();
    let mut expected = Outcome { counts: vec![(s.items, s.items, 0)], ..Outcome::default() };
    for (place, kind) in kinds.iter().enumerate() {
        let entered = items.len();
        let mut failed = 0;
        items = match kind {
            Kind::Map => items.into_iter().map(|item| s.map(item)).collect(),
            Kind::Serial => items,
            Kind::Filter => items.into_iter().filter(|item| s.keeps(item)).collect(),
            Kind::FlatMap => items.into_iter().flat_map(|item| s.copies(item)).collect(),
            Kind::Batch => items.chunks(s.batch).map(join).collect(),
            _ => {
                let decides = kind.policy() == Some(Policy::Handle);
                let mut left = Vec::new();
                for item in items {
                    match s.attempt(place, item, decides) {
                        Ok(item) => left.push(item),
                        Err(_) if decides && s.is_fatal(item) => {
                            expected.fatal = Some(expected.fatal.unwrap_or(u64::MAX).min(item.index));
                        }
                        Err(error) => {
                            failed += 1;
                            if kind.policy() != Some(Policy::Skip) {
                                expected.told.push((place, item.index, error));
                            }
                        }
                    }
                }
                left
            }
        };
        expected.counts.push((entered as u64, items.len() as u64, failed));
        if *kind == Kind::Batch {
            expected.counts.push((items.len() as u64, items.len() as u64, 0)); // the stage that joins
        }
    }
    expected.counts.push((items.len() as u64, items.len() as u64, 0));
    expected.seen = items;
    expected.told.sort_unstable();
    expected
}

/// Where failures end up.
struct Told {
    log: ErrorLog<Torn>,
    sender: crossbeam_channel::Sender<FailedItem<Item, Torn>>,
    handled: Mutex<Vec<(usize, u64, Torn)>>,
}

/// Adds one stage; `$place` is its number among them, which is its name too.
macro_rules! stage {
    ($pipeline:expr, $s:ident, $told:ident, $place:expr, Map) => {
        $pipeline.map("map", move |item: Item| $s.map(item))
    };
    ($pipeline:expr, $s:ident, $told:ident, $place:expr, Filter) => {
        $pipeline.filter("filter", move |item: &Item| $s.keeps(item))
    };
    ($pipeline:expr, $s:ident, $told:ident, $place:expr, FlatMap) => {
        $pipeline.flat_map("flat map", move |item: Item| $s.copies(item))
    };
    ($pipeline:expr, $s:ident, $told:ident, $place:expr, Batch) => {
        $pipeline.batch($s.batch).map("join", |batch: Vec<Item>| join(&batch))
    };
    ($pipeline:expr, $s:ident, $told:ident, $place:expr, Serial) => {
        $pipeline.serial("serial", |item: Item| item)
    };
    ($pipeline:expr, $s:ident, $told:ident, $place:expr, Skip) => {
        $pipeline.try_map($place.to_string(), move |item: Item| $s.attempt($place, item, false)).skip_errors()
    };
    ($pipeline:expr, $s:ident, $told:ident, $place:expr, SkipInit) => {
        $pipeline
            .try_map_init($place.to_string(), std::rc::Rc::<()>::default, move |_, item: Item| {
                $s.attempt($place, item, false)
            })
            .skip_errors()
    };
    ($pipeline:expr, $s:ident, $told:ident, $place:expr, SkipSerial) => {
        $pipeline
            .try_serial($place.to_string(), move |item: Item| $s.attempt($place, item, false))
            .skip_errors()
    };
    ($pipeline:expr, $s:ident, $told:ident, $place:expr, Collect) => {
        $pipeline
            .try_map($place.to_string(), move |item: Item| $s.attempt($place, item, false))
            .collect_errors(&$told.log)
    };
    ($pipeline:expr, $s:ident, $told:ident, $place:expr, CollectSerial) => {
        $pipeline
            .try_serial($place.to_string(), move |item: Item| $s.attempt($place, item, false))
            .collect_errors(&$told.log)
    };
    ($pipeline:expr, $s:ident, $told:ident, $place:expr, Divert) => {
        $pipeline
            .try_map($place.to_string(), move |item: Item| $s.attempt($place, item, false))
            .divert_errors($told.sender.clone())
    };
    ($pipeline:expr, $s:ident, $told:ident, $place:expr, DivertSerial) => {
        $pipeline
            .try_serial($place.to_string(), move |item: Item| $s.attempt($place, item, false))
            .divert_errors($told.sender.clone())
    };
    ($pipeline:expr, $s:ident, $told:ident, $place:expr, Handle) => {
        $pipeline
            .try_map($place.to_string(), move |item: Item| $s.attempt($place, item, true))
            .handle_errors(|failed| decide($s, $told, $place, failed.index, failed.error))
    };
    ($pipeline:expr, $s:ident, $told:ident, $place:expr, HandleSerial) => {
        $pipeline
            .try_serial($place.to_string(), move |item: Item| $s.attempt($place, item, true))
            .handle_errors(|failed| decide($s, $told, $place, failed.index, failed.error))
    };
}

fn decide(s: &Settings, told: &Told, place: usize, index: u64, error: Torn) -> Result<(), Torn> {
    if s.fatal.is_some_and(|fatal| index >= fatal) {
        return Err(error);
    }
    told.handled.lock().unwrap().push((place, index, error));
    Ok(())
}

type Ran = (Vec<Item>, Vec<Failure>, Result<Report, PipelineError<Torn>>);

/// A function that runs a pipeline of these stages, and the list of them.
macro_rules! shapes {
    ($($name:ident: [$($kind:ident)*],)*) => {
        $(fn $name(s: &Settings) -> Ran {
            let (sender, diverted) = crossbeam_channel::bounded(2);
            let told = &Told { log: ErrorLog::new(usize::MAX), sender, handled: Mutex::default() };
            let mut seen = Vec::new();
            let (outcome, mut failures) = std::thread::scope(|scope| {
                let (over, is_over) = crossbeam_channel::bounded::<()>(0);
                let receiving = scope.spawn(move || {
                    let mut all = Vec::new();
                    loop {
                        crossbeam_channel::select_biased! {
                            recv(diverted) -> failed => all.push(failed.unwrap()),
                            recv(is_over) -> _ => break all,
                        }
                    }
                });
                let source = (0..s.items).map(|index| Item { index, value: index });
                let pipeline = Pipeline::from_iter(source).workers(s.workers).window(s.window);
                let pipeline = if s.vague { pipeline.source_may_block() } else { pipeline };
                let pipeline = if s.ordered { pipeline.in_order() } else { pipeline.unordered() };
                let place = 0_usize;
                $(
                    let pipeline = stage!(pipeline, s, told, place, $kind);
                    let place = place + 1;
                )*
                let _ = place;
                let outcome = pipeline.for_each("sink", |item: Item| seen.push(item)).run(&CancellationToken::new());
                drop(over);
                (outcome, receiving.join().unwrap())
            });
            assert!(failures.iter().all(|failed| failed.item.value == failed.error.0 && failed.item.index == failed.index));
            let mut all: Vec<Failure> =
                failures.drain(..).map(|failed| (failed.stage.parse().unwrap(), failed.index, failed.error)).collect();
            all.extend(told.log.take().into_iter().map(|it| (it.stage.parse().unwrap(), it.index, it.error)));
            all.append(&mut told.handled.lock().unwrap());
            all.sort_unstable();
            (seen, all, outcome)
        })*

        const SHAPES: &[(Shape, &[Kind])] = &[$(($name, &[$(Kind::$kind),*])),*];
    };
}

type Shape = fn(&Settings) -> Ran;

shapes! {
    alone: [Skip],
    alone_serial: [SkipSerial],
    told_in_every_way: [Skip Collect Divert Handle SkipInit],
    told_serially: [SkipSerial CollectSerial DivertSerial HandleSerial],
    fused: [Map Skip Filter Divert FlatMap Collect Map],
    behind_expansion: [FlatMap Handle FlatMap Skip],
    batches: [Skip Batch Collect Batch Divert],
    serial_amid: [Divert Serial Skip Filter CollectSerial Map],
    serial_batches: [HandleSerial FlatMap DivertSerial Batch SkipSerial Collect],
    last_is_serial: [Filter Collect SkipInit Serial],
}

fn settings() -> impl Strategy<Value = Settings> {
    let window = prop_oneof![Just(1), Just(2), Just(7), Just(64), Just(4096), Just(usize::MAX)];
    let workers = prop_oneof![Just(1), Just(2), Just(4), Just(16)];
    let heavy = prop_oneof![Just(37_u64), Just(500), Just(u64::MAX)];
    let torn = prop_oneof![Just(1_u64), Just(2), Just(9), Just(200), Just(u64::MAX)];
    let batch = prop_oneof![Just(1_usize), Just(3), Just(100)];
    let flags = (any::<bool>(), any::<bool>());
    (0_u64..1200, window, workers, flags, heavy, 0_u64..9, torn, batch, prop::option::of(0_u64..1500))
        .prop_map(|(items, window, workers, (ordered, vague), heavy, factor, torn, batch, fatal)| Settings {
            items,
            window,
            workers,
            ordered,
            vague,
            heavy,
            factor,
            torn,
            batch,
            fatal,
        })
}

fn check(shape: Shape, kinds: &[Kind], settings: &Settings) -> Result<(), TestCaseError> {
    let (mut seen, told, outcome) = shape(settings);
    let mut expected = expect(settings, kinds);
    match (outcome, expected.fatal) {
        (Ok(report), None) => {
            if !settings.ordered {
                seen.sort_unstable();
                expected.seen.sort_unstable();
            }
            prop_assert_eq!(seen, expected.seen);
            prop_assert_eq!(told, expected.told);
            prop_assert_eq!((report.read(), report.finished()), (settings.items, settings.items));
            let counts: Vec<_> =
                report.stages().iter().map(|it| (it.items_in(), it.items_out(), it.failed())).collect();
            prop_assert_eq!(counts, expected.counts);
        }
        (Err(error), Some(index)) => {
            let at = error.index().unwrap();
            let stage: usize = error.stage().unwrap().parse().unwrap();
            prop_assert_eq!(kinds[stage].policy(), Some(Policy::Handle));
            prop_assert!(told.windows(2).all(|pair| pair[0] <= pair[1]));
            if settings.ordered {
                prop_assert_eq!((at, error.report().finished()), (index, index));
                let before = seen.len();
                prop_assert!(seen == expected.seen[..before.min(expected.seen.len())]);
                let due = expected.seen.iter().take_while(|item| item.index < index).count();
                let batches = kinds.contains(&Kind::Batch);
                prop_assert!(before >= due && (batches || before == due), "{} of {}", before, due);
                let mut lower = expected.told.clone();
                lower.retain(|failure| failure.1 < index);
                prop_assert!(
                    lower.iter().all(|failure| told.contains(failure)),
                    "what failed before is told"
                );
            } else {
                prop_assert!(at >= index);
            }
        }
        (outcome, fatal) => prop_assert!(false, "{outcome:?} instead of {fatal:?}"),
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn run_with_policies_does_what_plain_loops_do(
        (shape, kinds) in prop::sample::select(SHAPES),
        settings in settings(),
    ) {
        check(shape, kinds, &settings)?;
    }
}
